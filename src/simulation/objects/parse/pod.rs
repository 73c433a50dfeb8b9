//! Pods and pod templates.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::causes::Causes;
use super::names::{Rule, port_fault};
use super::{accept, defaults, metadata, probe, read};
use crate::simulation::api::{ApiError, Labels};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::pod::Pod;
use crate::simulation::objects::resources::PODS;
use crate::simulation::objects::template::PodTemplate;

/// A pod of a user's own. Its `app` is its name (or what its generated name begins with).
///
/// # Errors
/// `BadRequest` when it is no Pod, Invalid when a field's value is not allowed.
pub fn pod(object: &Value) -> Result<(Meta, Pod), ApiError> {
    let written: core::Pod = read(PODS, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(PODS, &written.metadata, Rule::Subdomain, &mut causes);
    let mut spec = written.spec.unwrap_or_default();
    defaults::pod(&mut spec);
    check(&spec, "spec", &[], &mut causes);
    let labels = Labels::clone(&meta.labels);
    let Some(template) = template(labels, Labels::clone(&meta.annotations), &spec, "", &mut causes)? else {
        return Err(refusal(causes, &meta));
    };
    let app = if meta.name.is_empty() {
        meta.generate_name.as_deref().unwrap_or("").trim_end_matches('-').into()
    } else {
        meta.name.clone()
    };
    accept(PODS, meta, causes, Pod::new(template.into(), app))
}

fn refusal(causes: Causes, meta: &Meta) -> ApiError {
    match causes.check(PODS, meta) {
        Err(error) => error,
        Ok(()) => ApiError::BadRequest("the pod cannot be read".into()),
    }
}

/// Compiles a template whose fields have been checked; `None` when something was or is found wrong with it.
pub(super) fn template(
    labels: Labels,
    annotations: Labels,
    spec: &core::PodSpec,
    prefix: &str,
    causes: &mut Causes,
) -> Result<Option<PodTemplate>, ApiError> {
    if !causes.is_empty() {
        return Ok(None);
    }
    let written = serde_json::to_value(spec).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    Ok(match PodTemplate::new(labels, annotations, spec, written) {
        Ok(template) => Some(template),
        Err((path, why)) => {
            let known = ["Required value", "topologyKey: "]
                .iter()
                .any(|start| why.starts_with(start));
            causes.add(
                format!("{prefix}{path}"),
                if known { why } else { format!("Invalid value: {why}") },
            );
            None
        }
    })
}

/// Checks a pod's specification, which may mount `claims`, too: the volumes that a StatefulSet adds for its claims.
/// Source: pkg/apis/core/validation/validation.go `ValidatePodSpec`, pkg/apis/apps/validation/validation.go
/// `volumesToAddForTemplates`.
pub(super) fn check(spec: &core::PodSpec, path: &str, claims: &[&str], causes: &mut Causes) {
    causes.one_of(
        format!("{path}.restartPolicy"),
        spec.restart_policy.as_deref(),
        &["Always", "OnFailure", "Never"],
    );
    causes.one_of(
        format!("{path}.dnsPolicy"),
        spec.dns_policy.as_deref(),
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    );
    if let Some(seconds) = spec.termination_grace_period_seconds {
        causes.not_negative(format!("{path}.terminationGracePeriodSeconds"), seconds);
    }
    if let Some(seconds) = spec.active_deadline_seconds.filter(|&seconds| seconds < 1) {
        causes.invalid(
            format!("{path}.activeDeadlineSeconds"),
            seconds,
            "must be between 1 and 2147483647, inclusive",
        );
    }
    metadata::labels(&format!("{path}.nodeSelector"), spec.node_selector.as_ref(), causes);
    let mut volumes = BTreeSet::new();
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let path = format!("{path}.volumes[{index}].name");
        name(&path, &volume.name, causes);
        if !volumes.insert(volume.name.as_str()) {
            causes.duplicate(path, volume.name.as_str());
        }
    }
    volumes.extend(claims);
    if spec.containers.is_empty() {
        causes.required(format!("{path}.containers"), "");
    }
    let mut names = BTreeSet::new();
    let initial = spec
        .init_containers
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, one)| ("initContainers", index, one));
    let main = spec
        .containers
        .iter()
        .enumerate()
        .map(|(index, one)| ("containers", index, one));
    for (list, index, container) in main.chain(initial) {
        let path = format!("{path}.{list}[{index}]");
        name(&format!("{path}.name"), &container.name, causes);
        if !container.name.is_empty() && !names.insert(container.name.as_str()) {
            causes.duplicate(format!("{path}.name"), container.name.as_str());
        }
        check_container(container, &path, &volumes, causes);
        let grace = spec.termination_grace_period_seconds;
        probe::check(container, &path, list == "initContainers", grace, causes);
    }
    super::spread::check(spec, path, causes);
    for (index, toleration) in spec.tolerations.iter().flatten().enumerate() {
        check_toleration(toleration, &format!("{path}.tolerations[{index}]"), causes);
    }
}

fn name(path: &str, name: &str, causes: &mut Causes) {
    if name.is_empty() {
        causes.required(path, "");
    } else if let Some(why) = Rule::Label.fault(name) {
        causes.invalid(path, name, &why);
    }
}

fn check_container(container: &core::Container, path: &str, volumes: &BTreeSet<&str>, causes: &mut Causes) {
    match container.image.as_deref() {
        None | Some("") => causes.required(format!("{path}.image"), ""),
        Some(image) if image.trim() != image => {
            causes.invalid(
                format!("{path}.image"),
                image,
                "must not have leading or trailing whitespace",
            );
        }
        Some(_) => {}
    }
    causes.one_of(
        format!("{path}.imagePullPolicy"),
        container.image_pull_policy.as_deref(),
        &["Always", "IfNotPresent", "Never"],
    );
    let mut names = BTreeSet::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let path = format!("{path}.ports[{index}]");
        causes.port(format!("{path}.containerPort"), port.container_port);
        causes.one_of(
            format!("{path}.protocol"),
            port.protocol.as_deref(),
            &["SCTP", "TCP", "UDP"],
        );
        if let Some(host) = port.host_port.filter(|&host| host != 0) {
            causes.port(format!("{path}.hostPort"), host);
        }
        let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) else {
            continue;
        };
        if let Some(why) = port_fault(name) {
            causes.invalid(format!("{path}.name"), name, why);
        }
        if !names.insert(name) {
            causes.duplicate(format!("{path}.name"), name);
        }
    }
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        if !volumes.contains(mount.name.as_str()) {
            causes.not_found(format!("{path}.volumeMounts[{index}].name"), mount.name.as_str());
        }
    }
}

fn check_toleration(toleration: &core::Toleration, path: &str, causes: &mut Causes) {
    let operator = toleration.operator.as_deref().filter(|operator| !operator.is_empty());
    let effect = toleration.effect.as_deref().filter(|effect| !effect.is_empty());
    match toleration.key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => {
            if let Some(why) = super::names::key_fault(key) {
                causes.invalid(format!("{path}.key"), key, &why);
            }
        }
        None if operator != Some("Exists") => causes.invalid(
            format!("{path}.operator"),
            operator.unwrap_or(""),
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ),
        None => {}
    }
    causes.one_of(format!("{path}.operator"), operator, &["Equal", "Exists"]);
    causes.one_of(
        format!("{path}.effect"),
        effect,
        &["NoSchedule", "PreferNoSchedule", "NoExecute"],
    );
    if toleration.toleration_seconds.is_some() && effect != Some("NoExecute") {
        causes.invalid(
            format!("{path}.effect"),
            effect.unwrap_or(""),
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        );
    }
    if operator == Some("Exists")
        && let Some(value) = toleration.value.as_deref().filter(|value| !value.is_empty())
    {
        causes.invalid(
            format!("{path}.operator"),
            value,
            "value must be empty when `operator` is 'Exists'",
        );
    }
}
