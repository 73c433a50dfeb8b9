//! What the server tells of itself, for clients that ask before they act.

pub(super) mod aggregated;
mod names;

use serde_json::{Value, json};

use super::path::SCALED;
use super::status::Refusal;
use crate::simulation::api::{Resource, Served};

/// The Kubernetes release whose behaviour is modelled.
const RELEASE: (&str, &str, &str) = ("1", "36", "v1.36.1+steadfast");

/// `/version`.
pub(super) fn version() -> Value {
    let (major, minor, release) = RELEASE;
    json!({
        "major": major, "minor": minor, "gitVersion": release, "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    })
}

/// `/api`.
pub(super) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`.
pub(super) fn groups(resources: &[Served]) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for resource in resources.iter().filter(|resource| !resource.group.is_empty()) {
        if !names.contains(&&*resource.group) {
            names.push(&resource.group);
        }
    }
    let groups: Vec<Value> = names.into_iter().filter_map(|name| describe(resources, name)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(super) fn group(resources: &[Served], name: &str) -> Result<Value, Refusal> {
    let mut group = describe(resources, name).ok_or(Refusal::Unserved)?;
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Ok(group)
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub(super) fn resources(resources: &[Served], group: &str, version: &str) -> Result<Value, Refusal> {
    let served: Vec<&Served> = resources
        .iter()
        .filter(|resource| resource.group == group && resource.version == version)
        .collect();
    let first = served.first().ok_or(Refusal::Unserved)?;
    let listed: Vec<Value> = served.iter().flat_map(|resource| paths(resource)).collect();
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": first.api_version(), "resources": listed,
    }))
}

fn describe(resources: &[Served], name: &str) -> Option<Value> {
    let mut versions: Vec<Value> = Vec::new();
    for resource in resources
        .iter()
        .filter(|resource| !name.is_empty() && resource.group == name)
    {
        let version = json!({"groupVersion": resource.api_version(), "version": resource.version});
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    let preferred = versions.first()?.clone();
    Some(json!({"name": name, "versions": versions, "preferredVersion": preferred}))
}

/// A resource and its subresources.
fn paths(resource: &Resource) -> Vec<Value> {
    let path = |suffix: &str, singular: &str, verbs: &[&str]| {
        json!({
            "name": format!("{}{suffix}", resource.plural),
            "singularName": singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": verbs,
        })
    };
    let verbs = [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];
    let mut whole = path("", &resource.kind.to_ascii_lowercase(), &verbs);
    for (key, names) in [
        ("shortNames", names::short(resource)),
        ("categories", names::categories(resource)),
    ] {
        if !names.is_empty() {
            whole[key] = json!(names);
        }
    }
    let mut paths = vec![whole];
    if resource.status {
        paths.push(path("/status", "", &["get", "patch", "update"]));
    }
    if resource.group.is_empty() && resource.plural == "pods" {
        paths.push(path("/log", "", &["get"]));
        // By this kind and group `kubectl drain` knows that it may evict (`k8s.io/kubectl/pkg/drain/drain.go`: CheckEvictionSupport).
        paths.push(of_kind(path("/eviction", "", &["create"]), "policy", "Eviction"));
    }
    if SCALED.contains(&resource.names()) && !resource.custom {
        let scale = path("/scale", "", &["get", "patch", "update"]);
        paths.push(of_kind(scale, "autoscaling", "Scale"));
    }
    paths
}

/// A subresource whose kind is of another group, in its version `v1`.
fn of_kind(mut path: Value, group: &str, kind: &str) -> Value {
    path["group"] = json!(group);
    path["version"] = json!("v1");
    path["kind"] = json!(kind);
    path
}
