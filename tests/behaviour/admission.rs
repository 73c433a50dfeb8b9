//! Admission, situation by situation: limit ranges, priority classes, resource quotas.

mod limits;
mod priority;
mod quota;

use serde_json::{Value, json};

/// A pod of one container with these resources.
fn pod(name: &str, resources: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "main", "image": "example/app:1", "resources": resources}],
            "terminationGracePeriodSeconds": 2,
        },
    })
}
