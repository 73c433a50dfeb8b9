//! A pod's specification: what its template says and what admission adds.

use serde_json::{Value, json};

use super::super::{Object, copy, put, put_missing};
use crate::simulation::objects::pod::{NOT_READY, Pod, UNREACHABLE};
use crate::simulation::objects::template::Effect;

/// How long a pod stays on a node that is not ready, when its author says nothing.
/// Source: plugin/pkg/admission/defaulttolerationseconds/admission.go, `default-not-ready-toleration-seconds`.
pub(super) const TOLERATION_SECONDS: u64 = 300;

pub(super) fn spec(pod: &Pod) -> Object {
    let template = &pod.template;
    let mut all = copy(&template.spec);
    if let Some(node) = &pod.node_name {
        put(&mut all, "nodeName", &**node);
    }
    put_missing(&mut all, "restartPolicy", || "Always");
    put_missing(&mut all, "terminationGracePeriodSeconds", || {
        template.grace.0 / 1_000_000
    });
    put_missing(&mut all, "serviceAccountName", || "default");
    put_missing(&mut all, "enableServiceLinks", || true);
    put(&mut all, "priority", template.priority);
    put(
        &mut all,
        "preemptionPolicy",
        if template.preempts {
            "PreemptLowerPriority"
        } else {
            "Never"
        },
    );
    add_tolerations(&mut all, pod);
    for container in all
        .get_mut("containers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        add_requests(container);
    }
    all
}

fn add_tolerations(spec: &mut Object, pod: &Pod) {
    let missing = [NOT_READY, UNREACHABLE].into_iter().filter(|&key| {
        !pod.template.tolerations.iter().any(|toleration| {
            toleration.key.as_deref().is_none_or(|other| other == key)
                && toleration.effect.is_none_or(|effect| effect == Effect::NoExecute)
        })
    });
    let mut missing = missing.map(
        |key| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS}),
    );
    match spec.get_mut("tolerations") {
        Some(Value::Array(tolerations)) => tolerations.extend(missing),
        _ => {
            if let Some(first) = missing.next() {
                let all: Vec<Value> = std::iter::once(first).chain(missing).collect();
                put(spec, "tolerations", all);
            }
        }
    }
}

/// A limit without a request is a request (pkg/apis/core/v1/defaults.go `SetDefaults_Pod`).
fn add_requests(container: &mut Value) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else {
        return;
    };
    let Some(Value::Object(mut requests)) = resources.get("limits").cloned() else {
        return;
    };
    if let Some(Value::Object(written)) = resources.get("requests") {
        requests.extend(written.clone());
    }
    put(resources, "requests", requests);
}
