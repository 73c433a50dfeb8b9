//! Which fields of a user's object have no effect in the simulation. A run's report lists them, so that nobody takes a
//! verdict for one about, say, a probe that was never made.
//!
//! What is not known to act (see `fields`) is listed: a field that Kubernetes gains tomorrow, or a typing error, too.

mod fields;

use serde_json::{Map, Value};

use super::resources::RESOURCES;
use fields::Known;

/// The fields of an object that have no effect, as `Deployment/carts: spec.template.spec.volumes`: each the highest node
/// below which nothing acts, `[]` standing for every item of a list, sorted, each once. Values that equal Kubernetes'
/// defaults, and empty ones, ask for nothing and are left out. A kind that is only stored is one entry,
/// `HorizontalPodAutoscaler/front-end: the whole kind`.
#[must_use]
pub fn unmodelled(kind: &str, name: &str, object: &Value) -> Vec<String> {
    let modelled = RESOURCES
        .iter()
        .any(|resource| resource.kind == kind && resource.modelled);
    let Some(known) = Known::of(kind).filter(|_| modelled) else {
        return vec![format!("{kind}/{name}: the whole kind")];
    };
    let mut found = Vec::new();
    if let Value::Object(fields) = object {
        walk_fields("", fields, &known, &mut found);
    }
    // Zone hints in proportion to CPU (pkg/controller's endpointslice topologycache); `trafficDistribution` is modelled.
    if kind == "Service"
        && object
            .pointer("/metadata/annotations/service.kubernetes.io~1topology-mode")
            .is_some_and(|mode| mode == "Auto" || mode == "auto")
    {
        found.push("metadata.annotations.service.kubernetes.io/topology-mode".to_owned());
    }
    // Of the resources of pods, CPU alone is counted.
    let metrics = object
        .pointer("/spec/metrics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if kind == "HorizontalPodAutoscaler"
        && metrics
            .filter_map(|metric| metric.pointer("/resource/name"))
            .any(|name| name != "cpu")
    {
        found.push("spec.metrics[].resource.name".to_owned());
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|path| format!("{kind}/{name}: {path}")).collect()
}

fn walk_fields(path: &str, fields: &Map<String, Value>, known: &Known, found: &mut Vec<String>) {
    for (key, value) in fields {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        if !known.is_default(&path, value, fields) {
            walk(path, value, known, found);
        }
    }
}

fn walk(path: String, value: &Value, known: &Known, found: &mut Vec<String>) {
    if is_empty(value) || known.acts(&path) {
        return;
    }
    match value {
        Value::Object(fields) if known.leads_to_more(&path) => walk_fields(&path, fields, known, found),
        Value::Array(items) if known.leads_to_more(&path) => {
            let path = format!("{path}[]");
            for item in items {
                walk(path.clone(), item, known, found);
            }
        }
        _ => found.push(path),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
