//! What is accepted, defaulted, and refused with which words.

mod accepting;
mod refusing;
mod updating;

use serde_json::{Value, json};

use crate::simulation::api::ApiError;

fn labels() -> Value {
    json!({"name": "carts"})
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "carts", "namespace": "shop", "labels": labels()},
        "spec": {
            "selector": {"matchLabels": labels()},
            "template": {"metadata": {"labels": labels()}, "spec": {"containers": [{"name": "carts", "image": "carts:1"}]}},
        },
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "carts-1", "namespace": "shop", "labels": labels()},
        "spec": {"containers": [{"name": "carts", "image": "carts:1"}]},
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "carts", "namespace": "shop"},
        "spec": {"selector": labels(), "ports": [{"port": 80}]},
    })
}

/// The object with one field changed.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

/// The causes of a refusal, each in one line.
fn causes<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Vec<String> {
    match result.unwrap_err() {
        ApiError::Invalid { causes, .. } => causes
            .into_iter()
            .map(|(field, why)| format!("{field}: {why}"))
            .collect(),
        other => panic!("{other:?}"),
    }
}
