//! Reads what users write: JSON of the typed API objects, defaulted, validated, and compiled into the compact form.
//!
//! Unknown fields are dropped, as an API server drops them; [`super::unmodelled`] tells the user about them.
//! Each function takes a whole object and gives its metadata (name still empty where only `generateName` was given;
//! uid, version and dates are the store's to give) and its body. Updates are parsed the same way and then compared
//! with what is stored by the `check_update_*` functions.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::meta::Meta;
use crate::simulation::api::{ApiError, Resource};

mod autoscaling;
mod budget;
mod causes;
mod defaults;
mod definition;
mod job;
mod metadata;
mod names;
mod other;
mod pod;
mod probe;
mod service;
mod spread;
mod stateful_set;
mod storage;
mod update;
mod workload;

pub use autoscaling::{TOLERANCE, pod_autoscaler};
pub use budget::budget;
pub use definition::check_definition;
pub use job::{check_update_job, identify_job, job};
pub use other::{endpoint_slice, event, lease, namespace, node, stored};
pub use pod::pod;
pub use service::{NODE_PORTS, service};
pub use stateful_set::{check_update_stateful_set, stateful_set};
pub use storage::{
    CLAIM_PROTECTION, DEFAULT_CLASS, SELECTED_NODE, VOLUME_PROTECTION, check_update_claim, claim, storage_class, suits,
    volume,
};
pub use update::{
    check_update_daemon_set, check_update_deployment, check_update_pod, check_update_replica_set, check_update_service,
};
pub use workload::{daemon_set, deployment, replica_set};

use causes::Causes;
pub(super) use defaults::pull_policy;

/// The typed object.
fn read<T: DeserializeOwned>(resource: &Resource, object: &Value) -> Result<T, ApiError> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or(&resource.kind);
    let refused = |why: String| {
        let version = &resource.version;
        ApiError::BadRequest(format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: {why}",
            resource.kind
        ))
    };
    if kind != resource.kind {
        return Err(refused("the kinds differ".into()));
    }
    let expected = resource.api_version();
    if let Some(version) = object.get("apiVersion").and_then(Value::as_str)
        && version != expected
    {
        return Err(ApiError::BadRequest(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    let mut object = object.clone();
    quantities_as_text(&mut object);
    T::deserialize(&object).map_err(|error| {
        let mut path = String::new();
        blame::<T>(&mut object, "", &mut path);
        refused(if path.is_empty() {
            error.to_string()
        } else {
            format!("{path}: {error}")
        })
    })
}

/// Numbers are allowed as quantities (`cpu: 1`); the typed objects know text only.
fn quantities_as_text(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::Object(amounts) if matches!(key.as_str(), "requests" | "limits") => {
                        for amount in amounts.values_mut().filter(|amount| amount.is_number()) {
                            *amount = amount.to_string().into();
                        }
                    }
                    _ => quantities_as_text(field),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(quantities_as_text),
        _ => {}
    }
}

/// Finds the one field without which the object can be read. (Nothing is found where there are several.)
fn blame<T: DeserializeOwned>(root: &mut Value, pointer: &str, path: &mut String) {
    let children: Vec<(String, String)> = match root.pointer(pointer) {
        Some(Value::Object(fields)) => fields
            .keys()
            .map(|key| {
                let dot = if path.is_empty() { "" } else { "." };
                (
                    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
                    format!("{path}{dot}{key}"),
                )
            })
            .collect(),
        Some(Value::Array(all)) => (0..all.len())
            .map(|index| (format!("{pointer}/{index}"), format!("{path}[{index}]")))
            .collect(),
        _ => return,
    };
    for (pointer, name) in children {
        let Some(child) = root.pointer_mut(&pointer) else {
            continue;
        };
        let kept = std::mem::take(child);
        // `null` reads as absent, but not inside a list: there an empty object does.
        let mut readable = T::deserialize(&*root).is_ok();
        if !readable && let Some(child) = root.pointer_mut(&pointer) {
            *child = Value::Object(serde_json::Map::new());
            readable = T::deserialize(&*root).is_ok();
        }
        if let Some(child) = root.pointer_mut(&pointer) {
            *child = kept;
        }
        if readable {
            *path = name;
            return blame::<T>(root, &pointer, path);
        }
    }
}

/// `Deployment.apps`: a kind as error messages write it.
fn full_kind(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.kind.to_string()
    } else {
        format!("{}.{}", resource.kind, resource.group)
    }
}

/// The object when nothing was found wrong with it.
fn accept<T>(resource: &Resource, meta: Meta, causes: Causes, body: T) -> Result<(Meta, T), ApiError> {
    causes.check(resource, &meta)?;
    Ok((meta, body))
}

#[cfg(test)]
mod tests;
