//! `apiVersion`, `kind` and `metadata`.

use serde_json::{Value, json};

use super::{Object, date, put, texts};
use crate::simulation::api::{Labels, Resource};
use crate::simulation::objects::meta::{Meta, uid_text};

/// Kinds whose objects have no `metadata.generation`: nothing of theirs counts as a specification.
const WITHOUT_GENERATION: [&str; 13] = [
    "Namespace",
    "Node",
    "Service",
    "Event",
    "Lease",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Endpoints",
];

/// The beginning of every object.
pub(super) fn object(resource: &Resource, meta: &Meta) -> Object {
    let mut all = Object::new();
    put(&mut all, "apiVersion", resource.api_version());
    put(&mut all, "kind", &*resource.kind);
    put(&mut all, "metadata", metadata(resource, meta));
    all
}

/// Labels or annotations as JSON.
pub(super) fn labels(labels: &Labels) -> Value {
    Value::Object(
        labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect(),
    )
}

fn metadata(resource: &Resource, meta: &Meta) -> Object {
    let mut all = Object::new();
    put(&mut all, "name", &*meta.name);
    if let Some(prefix) = &meta.generate_name {
        put(&mut all, "generateName", &**prefix);
    }
    if resource.namespaced && !meta.namespace.is_empty() {
        put(&mut all, "namespace", &*meta.namespace);
    }
    put(&mut all, "uid", uid_text(meta.uid));
    put(&mut all, "resourceVersion", meta.version.to_string());
    if meta.generation > 0 && !WITHOUT_GENERATION.contains(&&*resource.kind) {
        put(&mut all, "generation", meta.generation);
    }
    put(&mut all, "creationTimestamp", date::seconds(meta.created));
    if !meta.labels.is_empty() {
        put(&mut all, "labels", labels(&meta.labels));
    }
    if !meta.annotations.is_empty() {
        put(&mut all, "annotations", labels(&meta.annotations));
    }
    if !meta.finalizers.is_empty() {
        put(&mut all, "finalizers", meta.finalizers.clone());
    }
    let owners = owners(meta);
    if !owners.is_empty() {
        put(&mut all, "ownerReferences", owners);
    }
    if let Some(deletion) = meta.deletion {
        put(
            &mut all,
            "deletionTimestamp",
            date::seconds(deletion.at + deletion.grace),
        );
        put(&mut all, "deletionGracePeriodSeconds", deletion.grace.0 / 1_000_000);
    }
    if let Some(managed) = &meta.managed {
        put(&mut all, "managedFields", Value::clone(managed));
    }
    all
}

fn owners(meta: &Meta) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(owner) = &meta.owner {
        all.push(json!({
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "name": &*owner.name,
            "uid": uid_text(owner.uid),
            "controller": true,
            "blockOwnerDeletion": true,
        }));
    }
    for owner in meta.references.iter().flat_map(|all| &**all) {
        let mut written = texts(&[
            ("apiVersion", &owner.api_version),
            ("kind", &owner.kind),
            ("name", &owner.name),
            ("uid", &owner.uid),
        ]);
        for (field, value) in [("controller", owner.controller), ("blockOwnerDeletion", owner.blocks)] {
            if let Some(value) = value {
                written[field] = value.into();
            }
        }
        all.push(written);
    }
    all
}
