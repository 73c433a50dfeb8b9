//! Deployments, ReplicaSets and DaemonSets.

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serde_json::{Value, json};

use super::causes::Causes;
use super::names::Rule;
use super::{accept, defaults, metadata, pod, read};
use crate::model::time::Span;
use crate::simulation::api::{ApiError, Resource};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::pod::daemon_tolerations;
use crate::simulation::objects::resources::{DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS};
use crate::simulation::objects::template::{Effect, PodTemplate};
use crate::simulation::objects::workload::{
    DaemonSet, DaemonSetStatus, DaemonUpdate, Deployment, DeploymentStatus, ReplicaSet, ReplicaSetStatus, Share,
    Strategy,
};

/// A Deployment with an empty status.
///
/// # Errors
/// `BadRequest` when it is no Deployment, Invalid when a field's value is not allowed.
pub fn deployment(object: &Value) -> Result<(Meta, Deployment), ApiError> {
    let apps::Deployment { metadata, mut spec, .. } = read(DEPLOYMENTS, object)?;
    defaults::deployment(&mut spec);
    let mut causes = Causes::default();
    let meta = metadata::meta(DEPLOYMENTS, &metadata, Rule::Subdomain, &mut causes);
    let replicas = count("spec.replicas", spec.replicas, &mut causes);
    let min_ready = seconds(spec.min_ready_seconds, &mut causes);
    count("spec.revisionHistoryLimit", spec.revision_history_limit, &mut causes);
    if let Some(deadline) = spec.progress_deadline_seconds {
        causes.not_negative("spec.progressDeadlineSeconds", deadline);
        if deadline <= spec.min_ready_seconds.unwrap_or(0) {
            causes.invalid(
                "spec.progressDeadlineSeconds",
                deadline,
                "must be greater than minReadySeconds",
            );
        }
    }
    let strategy = strategy(spec.strategy.as_ref(), &mut causes);
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let selector = metadata::own_selector("deployment", &spec.selector, labels, &mut causes);
    let template = template(DEPLOYMENTS, &meta, &spec.template, &mut causes)?;
    let body = Deployment {
        spec: written(&spec)?,
        replicas,
        selector,
        template: template.into(),
        strategy,
        min_ready,
        deadline: deadline(spec.progress_deadline_seconds),
        status: DeploymentStatus::default(),
        progress: None,
        failure: None,
    };
    accept(DEPLOYMENTS, meta, causes, body)
}

/// A ReplicaSet of a user's own, with an empty status.
///
/// # Errors
/// `BadRequest` when it is no ReplicaSet, Invalid when a field's value is not allowed.
pub fn replica_set(object: &Value) -> Result<(Meta, ReplicaSet), ApiError> {
    let apps::ReplicaSet { metadata, mut spec, .. } = read(REPLICA_SETS, object)?;
    defaults::replica_set(&mut spec);
    let mut causes = Causes::default();
    let meta = metadata::meta(REPLICA_SETS, &metadata, Rule::Subdomain, &mut causes);
    let replicas = count("spec.replicas", spec.replicas, &mut causes);
    let min_ready = seconds(spec.min_ready_seconds, &mut causes);
    let pods = spec.template.clone().unwrap_or_default();
    let labels = pods.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let selector = metadata::own_selector("replicaset", &spec.selector, labels, &mut causes);
    let template = template(REPLICA_SETS, &meta, &pods, &mut causes)?;
    let body = ReplicaSet {
        spec: Some(written(&spec)?),
        replicas,
        selector,
        template: template.into(),
        app: meta.name.clone(),
        revision: 0,
        min_ready,
        status: ReplicaSetStatus::default(),
        failure: None,
    };
    accept(REPLICA_SETS, meta, causes, body)
}

/// A DaemonSet with an empty status. Its compiled template has the controller's own tolerations, its `spec` has not.
///
/// # Errors
/// `BadRequest` when it is no DaemonSet, Invalid when a field's value is not allowed.
pub fn daemon_set(object: &Value) -> Result<(Meta, DaemonSet), ApiError> {
    let apps::DaemonSet { metadata, mut spec, .. } = read(DAEMON_SETS, object)?;
    defaults::daemon_set(&mut spec);
    let mut causes = Causes::default();
    let meta = metadata::meta(DAEMON_SETS, &metadata, Rule::Subdomain, &mut causes);
    let min_ready = seconds(spec.min_ready_seconds, &mut causes);
    let history = count("spec.revisionHistoryLimit", spec.revision_history_limit, &mut causes);
    let update = daemon_update(spec.update_strategy.as_ref(), &mut causes);
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let selector = metadata::own_selector("daemonset", &spec.selector, labels, &mut causes);
    let mut pods = spec.template.clone();
    add_tolerations(pods.spec.get_or_insert_default());
    let template = template(DAEMON_SETS, &meta, &pods, &mut causes)?;
    let body = DaemonSet {
        spec: written(&spec)?,
        selector,
        template: template.into(),
        update,
        min_ready,
        history,
        status: DaemonSetStatus::default(),
    };
    accept(DAEMON_SETS, meta, causes, body)
}

/// `ValidateDaemonSetUpdateStrategy` and `ValidateRollingUpdateDaemonSet` (pkg/apis/apps/validation/validation.go).
fn daemon_update(written: Option<&apps::DaemonSetUpdateStrategy>, causes: &mut Causes) -> DaemonUpdate {
    let written = written.cloned().unwrap_or_default();
    if written.type_.as_deref() != Some("RollingUpdate") {
        let kind = written.type_.as_deref();
        causes.one_of("spec.updateStrategy.type", kind, &["OnDelete", "RollingUpdate"]);
        return DaemonUpdate::OnDelete;
    }
    let rolling = written.rolling_update.unwrap_or_default();
    let path = "spec.updateStrategy.rollingUpdate";
    let fields = [
        (format!("{path}.maxUnavailable"), &rolling.max_unavailable),
        (format!("{path}.maxSurge"), &rolling.max_surge),
    ];
    let [max_unavailable, max_surge] = fields.each_ref().map(|(path, written)| {
        let share = share(path, written.as_ref(), causes);
        if let Share::Percent(101..) = share {
            causes.invalid(path.as_str(), json!(written), "must not be greater than 100%");
        }
        share
    });
    let [unavailable, surge] = fields.map(|(path, _)| path);
    let none = |share| matches!(share, Share::Count(0) | Share::Percent(0));
    match (none(max_unavailable), none(max_surge)) {
        (false, false) => causes.invalid(
            surge,
            json!(rolling.max_surge),
            "may not be set when maxUnavailable is non-zero",
        ),
        (true, true) => causes.required(unavailable, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
    DaemonUpdate::Rolling {
        max_unavailable,
        max_surge,
    }
}

fn add_tolerations(spec: &mut core::PodSpec) {
    let host_network = spec.host_network.unwrap_or(false);
    let all = spec.tolerations.get_or_insert_default();
    let own = daemon_tolerations()
        .into_iter()
        .map(|toleration| (toleration.key, toleration.effect.map(Effect::name)));
    // Those on the nodes' own network run before there is another one.
    let network = host_network.then(|| {
        (
            Some("node.kubernetes.io/network-unavailable".to_owned()),
            Some("NoSchedule"),
        )
    });
    for (key, effect) in own.chain(network) {
        let effect = effect.map(str::to_owned);
        all.retain(|other| other.key != key || other.effect != effect || other.operator.as_deref() != Some("Exists"));
        all.push(core::Toleration {
            key,
            effect,
            operator: Some("Exists".into()),
            ..core::Toleration::default()
        });
    }
}

/// Checks and compiles the template; with what is wrong about the rest, when it cannot be compiled.
pub(super) fn template(
    resource: &Resource,
    meta: &Meta,
    template: &core::PodTemplateSpec,
    causes: &mut Causes,
) -> Result<PodTemplate, ApiError> {
    template_with(resource, meta, template, &[], causes)
}

/// The template of pods that get a volume for each of these claims.
pub(super) fn template_with(
    resource: &Resource,
    meta: &Meta,
    template: &core::PodTemplateSpec,
    claims: &[&str],
    causes: &mut Causes,
) -> Result<PodTemplate, ApiError> {
    let pods = template.metadata.clone().unwrap_or_default();
    metadata::labels("spec.template.labels", pods.labels.as_ref(), causes);
    metadata::annotations("spec.template.annotations", pods.annotations.as_ref(), causes);
    let spec = template.spec.clone().unwrap_or_default();
    pod::check(&spec, "spec.template.spec", claims, causes);
    if let Some(policy @ ("Never" | "OnFailure")) = spec.restart_policy.as_deref() {
        causes.one_of("spec.template.spec.restartPolicy", Some(policy), &["Always"]);
    }
    if spec.active_deadline_seconds.is_some() {
        causes.forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            &format!("activeDeadlineSeconds in {} is not Supported", resource.kind),
        );
    }
    let labels = pods.labels.unwrap_or_default();
    let annotations = pods.annotations.unwrap_or_default();
    if let Some(compiled) = pod::template(labels, annotations, &spec, "spec.template.", causes)? {
        return Ok(compiled);
    }
    std::mem::take(causes).check(resource, meta)?;
    Err(ApiError::BadRequest("the pod template cannot be read".into()))
}

/// A specification as it is stored.
pub(super) fn written(spec: &impl Serialize) -> Result<Arc<Value>, ApiError> {
    serde_json::to_value(spec)
        .map(Arc::new)
        .map_err(|error| ApiError::BadRequest(error.to_string()))
}

pub(super) fn count(path: &str, value: Option<i32>, causes: &mut Causes) -> u32 {
    let value = value.unwrap_or(0);
    causes.not_negative(path, value);
    u32::try_from(value).unwrap_or(0)
}

pub(super) fn seconds(value: Option<i32>, causes: &mut Causes) -> Span {
    Span::secs(u64::from(count("spec.minReadySeconds", value, causes)))
}

/// The greatest number means that there is none (deployment_util.go `HasProgressDeadline`).
fn deadline(written: Option<i32>) -> Option<Span> {
    let seconds = written.filter(|&seconds| seconds != i32::MAX)?;
    u64::try_from(seconds).ok().map(Span::secs)
}

fn strategy(written: Option<&apps::DeploymentStrategy>, causes: &mut Causes) -> Strategy {
    let written = written.cloned().unwrap_or_default();
    match written.type_.as_deref() {
        Some("Recreate") => {
            if written.rolling_update.is_some() {
                causes.forbidden(
                    "spec.strategy.rollingUpdate",
                    "may not be specified when strategy `type` is 'Recreate'",
                );
            }
            Strategy::Recreate
        }
        other => {
            causes.one_of("spec.strategy.type", other, &["Recreate", "RollingUpdate"]);
            let rolling = written.rolling_update.unwrap_or_default();
            let path = "spec.strategy.rollingUpdate";
            let max_surge = share(&format!("{path}.maxSurge"), rolling.max_surge.as_ref(), causes);
            let path = format!("{path}.maxUnavailable");
            let max_unavailable = share(&path, rolling.max_unavailable.as_ref(), causes);
            if written.type_.as_deref() != Some("RollingUpdate") {
                return Strategy::RollingUpdate {
                    max_surge,
                    max_unavailable,
                };
            }
            let none = |share| matches!(share, Share::Count(0) | Share::Percent(0));
            if none(max_surge) && none(max_unavailable) {
                causes.invalid(
                    path,
                    json!(rolling.max_unavailable),
                    "may not be 0 when `maxSurge` is 0",
                );
            } else if let Share::Percent(101..) = max_unavailable {
                causes.invalid(path, json!(rolling.max_unavailable), "must not be greater than 100%");
            }
            Strategy::RollingUpdate {
                max_surge,
                max_unavailable,
            }
        }
    }
}

pub(super) fn share(path: &str, written: Option<&IntOrString>, causes: &mut Causes) -> Share {
    match written {
        None => Share::Count(0),
        Some(IntOrString::Int(count)) => {
            causes.not_negative(path, *count);
            Share::Count(u32::try_from(*count).unwrap_or(0))
        }
        Some(IntOrString::String(text)) => {
            let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
            if percent.is_none() {
                causes.invalid(
                    path,
                    text.as_str(),
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex \
                     used for validation is '[0-9]+%')",
                );
            }
            // What cannot be read counts as anything but zero, which would be blamed a second time.
            Share::Percent(percent.unwrap_or(1))
        }
    }
}
