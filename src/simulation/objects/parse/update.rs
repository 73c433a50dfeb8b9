//! What an update may not change.

use std::sync::Arc;

use serde_json::{Value, json};

use super::causes::Causes;
use crate::simulation::api::{ApiError, Project, Resource};
use crate::simulation::objects::pod::Pod;
use crate::simulation::objects::resources::{DAEMON_SETS, DEPLOYMENTS, PODS, REPLICA_SETS, SERVICES};
use crate::simulation::objects::selector::Selector;
use crate::simulation::objects::service::Service;
use crate::simulation::objects::table::Row;
use crate::simulation::objects::workload::{DaemonSet, Deployment, ReplicaSet};

/// The message of a pod's update that changes more than it may (pkg/apis/core/validation `ValidatePodUpdate`).
const POD: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A Deployment's selector stays.
///
/// # Errors
/// Invalid.
pub fn check_update_deployment(old: &Row<Deployment>, new: &Deployment) -> Result<(), ApiError> {
    same_selector(DEPLOYMENTS, old, &old.body.selector, &new.selector, &new.spec)
}

/// A ReplicaSet's selector stays.
///
/// # Errors
/// Invalid.
pub fn check_update_replica_set(old: &Row<ReplicaSet>, new: &ReplicaSet) -> Result<(), ApiError> {
    let empty = Arc::default();
    same_selector(
        REPLICA_SETS,
        old,
        &old.body.selector,
        &new.selector,
        new.spec.as_ref().unwrap_or(&empty),
    )
}

/// A DaemonSet's selector stays.
///
/// # Errors
/// Invalid.
pub fn check_update_daemon_set(old: &Row<DaemonSet>, new: &DaemonSet) -> Result<(), ApiError> {
    same_selector(DAEMON_SETS, old, &old.body.selector, &new.selector, &new.spec)
}

fn same_selector<T>(
    resource: &Resource,
    old: &Row<T>,
    before: &Selector,
    after: &Selector,
    spec: &Arc<Value>,
) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    // As sets: the order of requirements has no meaning, and a projected selector may have another one.
    if before.0.len() != after.0.len() || !before.0.iter().all(|requirement| after.0.contains(requirement)) {
        causes.invalid(
            "spec.selector",
            spec.get("selector").cloned().unwrap_or_default(),
            "field is immutable",
        );
    }
    causes.check(resource, &old.meta)
}

/// A pod's specification stays, but for images, `activeDeadlineSeconds`, and tolerations that are added.
///
/// # Errors
/// Invalid.
pub fn check_update_pod(old: &Row<Pod>, new: &Pod) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    // What admission and the scheduler have added to the old one counts as written in the new one.
    let written = Row {
        meta: old.meta.clone(),
        body: Pod {
            template: new.template.clone(),
            ..old.body.clone()
        },
    };
    let (mut before, mut after) = (spec(old), spec(&written));
    let tolerations = |spec: &mut Value| match spec.get_mut("tolerations").map(Value::take) {
        Some(Value::Array(mut all)) => {
            for seconds in all
                .iter_mut()
                .filter_map(|toleration| toleration.get_mut("tolerationSeconds"))
            {
                *seconds = Value::Null;
            }
            all
        }
        _ => Vec::new(),
    };
    let (kept, given) = (tolerations(&mut before), tolerations(&mut after));
    if !kept.iter().all(|toleration| given.contains(toleration)) {
        causes.forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
    gates(&mut before, &mut after, &mut causes);
    for spec in [&mut before, &mut after] {
        spec["activeDeadlineSeconds"] = Value::Null;
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
                // Follows the tag where it is not written.
                container["imagePullPolicy"] = Value::Null;
            }
        }
        spec["tolerations"] = Value::Null;
    }
    if before != after {
        causes.forbidden("spec", POD);
    }
    causes.check(PODS, &old.meta)
}

/// Gates may go, and while there are some a node selector may grow (pkg/apis/core/validation `validateSchedulingGatesUpdate`,
/// `validateNodeSelectorMutation`). Both specifications lose what is settled here.
fn gates(before: &mut Value, after: &mut Value, causes: &mut Causes) {
    let take = |spec: &mut Value, field: &str| spec.as_object_mut().and_then(|spec| spec.remove(field));
    let names = |gates: Option<Value>| -> Vec<String> {
        let all = gates.as_ref().and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|gate| gate["name"].as_str().map(str::to_owned))
            .collect()
    };
    let (old, new) = (
        names(take(before, "schedulingGates")),
        names(take(after, "schedulingGates")),
    );
    for (index, gate) in new.iter().enumerate().filter(|(_, gate)| !old.contains(gate)) {
        causes.forbidden(
            format!("spec.schedulingGates[{index}].name"),
            &format!("only deletion is allowed, but found new scheduling gate '{gate}'"),
        );
    }
    if old.is_empty() {
        return;
    }
    let (old, new) = (take(before, "nodeSelector"), take(after, "nodeSelector"));
    let kept = old.iter().filter_map(Value::as_object).flatten();
    let lost = |(key, value): (&String, &Value)| new.as_ref().and_then(|new| new.get(key)) != Some(value);
    if kept.into_iter().any(lost) {
        causes.invalid(
            "spec.nodeSelector",
            new.unwrap_or_default(),
            "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
        );
    }
}

fn spec(pod: &Row<Pod>) -> Value {
    pod.project().get_mut("spec").map(Value::take).unwrap_or_default()
}

/// A Service's cluster address stays. An update may leave it out: the caller then keeps the old one, and the node ports
/// (pkg/registry/core/service/storage `patchAllocatedValues`).
///
/// # Errors
/// Invalid.
pub fn check_update_service(old: &Row<Service>, new: &Service) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    let text = |service: &Service, field: &str| service.spec.get(field).and_then(Value::as_str).map(str::to_owned);
    let external = |service: &Service| text(service, "type").as_deref() == Some("ExternalName");
    if let (Some(before), Some(after)) = (text(&old.body, "clusterIP"), text(new, "clusterIP"))
        && before != after
        && !external(&old.body)
        && !external(new)
    {
        causes.invalid("spec.clusterIPs[0]", json!([after]), "may not change once set");
    }
    causes.check(SERVICES, &old.meta)
}
