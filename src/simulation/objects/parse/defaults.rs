//! The defaults that an API server fills in (pkg/apis/core/v1/defaults.go and pkg/apis/apps/v1/defaults.go).

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Writes a default where nothing is written.
fn default<T>(field: &mut Option<T>, value: impl FnOnce() -> T) {
    field.get_or_insert_with(value);
}

/// The same for words, where an empty one counts as nothing.
fn word(field: &mut Option<String>, value: &str) {
    if field.as_deref().unwrap_or("").is_empty() {
        *field = Some(value.to_owned());
    }
}

/// Of a pod's or template's specification.
pub(super) fn pod(spec: &mut core::PodSpec) {
    word(&mut spec.restart_policy, "Always");
    word(&mut spec.dns_policy, "ClusterFirst");
    word(&mut spec.scheduler_name, "default-scheduler");
    default(&mut spec.termination_grace_period_seconds, || 30);
    default(&mut spec.security_context, core::PodSecurityContext::default);
    // The older name of the same field is kept in step.
    if let Some(name) = spec
        .service_account_name
        .clone()
        .or_else(|| spec.service_account.clone())
    {
        spec.service_account_name = Some(name.clone());
        spec.service_account = Some(name);
    }
    let host_network = spec.host_network.unwrap_or(false);
    for one in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        container(one, host_network);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        if let Some(source) = &mut volume.config_map {
            default(&mut source.default_mode, || 420);
        }
        if let Some(source) = &mut volume.secret {
            default(&mut source.default_mode, || 420);
        }
        if let Some(source) = &mut volume.projected {
            default(&mut source.default_mode, || 420);
        }
        if let Some(source) = &mut volume.host_path {
            default(&mut source.type_, String::new);
        }
    }
}

fn container(container: &mut core::Container, host_network: bool) {
    word(&mut container.termination_message_path, "/dev/termination-log");
    word(&mut container.termination_message_policy, "File");
    let policy = pull_policy(container.image.as_deref().unwrap_or(""));
    word(&mut container.image_pull_policy, policy);
    default(&mut container.resources, core::ResourceRequirements::default);
    for port in container.ports.iter_mut().flatten() {
        word(&mut port.protocol, "TCP");
        if host_network {
            default(&mut port.host_port, || port.container_port);
        }
    }
    for variable in container.env.iter_mut().flatten() {
        if let Some(field) = variable
            .value_from
            .as_mut()
            .and_then(|source| source.field_ref.as_mut())
        {
            word(&mut field.api_version, "v1");
        }
    }
    for probe in [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ] {
        let Some(probe) = probe else { continue };
        default(&mut probe.timeout_seconds, || 1);
        default(&mut probe.period_seconds, || 10);
        default(&mut probe.success_threshold, || 1);
        default(&mut probe.failure_threshold, || 3);
        if let Some(get) = &mut probe.http_get {
            word(&mut get.path, "/");
            word(&mut get.scheme, "HTTP");
        }
    }
}

/// `Always` for an image whose tag may move: `latest`, or none.
pub(in super::super) fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        _ if name.contains('@') => "IfNotPresent",
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// Of a Deployment.
pub(super) fn deployment(spec: &mut apps::DeploymentSpec) {
    default(&mut spec.replicas, || 1);
    default(&mut spec.revision_history_limit, || 10);
    default(&mut spec.progress_deadline_seconds, || 600);
    let strategy = spec.strategy.get_or_insert_default();
    word(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        default(&mut rolling.max_surge, || IntOrString::String("25%".into()));
        default(&mut rolling.max_unavailable, || IntOrString::String("25%".into()));
    }
    template(&mut spec.template);
}

/// Of a ReplicaSet.
pub(super) fn replica_set(spec: &mut apps::ReplicaSetSpec) {
    default(&mut spec.replicas, || 1);
    template(spec.template.get_or_insert_default());
}

/// Of a DaemonSet.
pub(super) fn daemon_set(spec: &mut apps::DaemonSetSpec) {
    default(&mut spec.revision_history_limit, || 10);
    let strategy = spec.update_strategy.get_or_insert_default();
    word(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        default(&mut rolling.max_unavailable, || IntOrString::Int(1));
        default(&mut rolling.max_surge, || IntOrString::Int(0));
    }
    template(&mut spec.template);
}

fn template(template: &mut core::PodTemplateSpec) {
    pod(template.spec.get_or_insert_default());
}

/// Of a Service.
pub(super) fn service(spec: &mut core::ServiceSpec) {
    word(&mut spec.type_, "ClusterIP");
    word(&mut spec.session_affinity, "None");
    if spec.type_.as_deref() != Some("ExternalName") {
        word(&mut spec.internal_traffic_policy, "Cluster");
        word(&mut spec.ip_family_policy, "SingleStack");
        default(&mut spec.ip_families, || vec!["IPv4".into()]);
    }
    if matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer")) {
        word(&mut spec.external_traffic_policy, "Cluster");
    }
    if spec.type_.as_deref() == Some("LoadBalancer") {
        default(&mut spec.allocate_load_balancer_node_ports, || true);
    }
    // Two fields of one meaning: either stands for both.
    spec.cluster_ip = spec.cluster_ip.take().filter(|address| !address.is_empty());
    match (&spec.cluster_ip, spec.cluster_ips.as_ref().and_then(|all| all.first())) {
        (Some(address), None) => spec.cluster_ips = Some(vec![address.clone()]),
        (None, Some(address)) => spec.cluster_ip = Some(address.clone()),
        _ => {}
    }
    for port in spec.ports.iter_mut().flatten() {
        word(&mut port.protocol, "TCP");
        port.node_port = port.node_port.filter(|&port| port != 0);
        match &port.target_port {
            None | Some(IntOrString::Int(0)) => port.target_port = Some(IntOrString::Int(port.port)),
            Some(IntOrString::String(name)) if name.is_empty() => port.target_port = Some(IntOrString::Int(port.port)),
            Some(_) => {}
        }
    }
}
