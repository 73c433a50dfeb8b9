//! All groups, versions and resources in one answer, as `kubectl` asks for them since 1.27 (`k8s.io/api/apidiscovery/v2/types.go`).

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::{describe, paths};
use crate::simulation::api::Served;

/// The form, and the type that an answer has in it.
pub(in super::super) const MEDIA: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Whether a client would rather have this than the older forms.
pub(in super::super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.unwrap_or_default().split(',').any(|range| {
        let mut parts: Vec<&str> = range.split(';').map(str::trim).collect();
        let media = parts.remove(0);
        media == "application/json"
            && ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
                .iter()
                .all(|part| parts.contains(part))
    })
}

/// `/api`: the core group, which has no name.
pub(in super::super) fn core(resources: &[Served]) -> Value {
    list(&[group(resources, "", &["v1".to_owned()])])
}

/// `/apis`: the others.
pub(in super::super) fn groups(resources: &[Served]) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for resource in resources.iter().filter(|resource| !resource.group.is_empty()) {
        if !names.contains(&&*resource.group) {
            names.push(&resource.group);
        }
    }
    let all = names.into_iter().map(|name| {
        let versions = describe(resources, name);
        let versions: Vec<String> = versions
            .iter()
            .flat_map(|group| group["versions"].as_array().into_iter().flatten())
            .filter_map(|version| version["version"].as_str().map(str::to_owned))
            .collect();
        group(resources, name, &versions)
    });
    list(&all.collect::<Vec<_>>())
}

fn list(items: &[Value]) -> Value {
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn group(resources: &[Served], name: &str, versions: &[String]) -> Value {
    let of_version = |version: &String| {
        let served: Vec<Value> = resources
            .iter()
            .filter(|resource| resource.group == name && resource.version == *version)
            .flat_map(|resource| paths(resource))
            .collect();
        json!({"version": version, "resources": nested(&served, name, version), "freshness": "Current"})
    };
    let metadata = if name.is_empty() {
        json!({})
    } else {
        json!({"name": name})
    };
    json!({"metadata": metadata, "versions": versions.iter().map(of_version).collect::<Vec<_>>()})
}

/// Resources with their subresources inside them, of a flat list of `APIResource`s.
fn nested(flat: &[Value], group: &str, version: &str) -> Vec<Value> {
    let kind = |resource: &Value| {
        // An APIResource names group and version only where they are not its list's.
        let own = |key: &str, default: &str| resource[key].as_str().unwrap_or(default).to_owned();
        json!({
            "group": own("group", group), "version": own("version", version), "kind": resource["kind"],
        })
    };
    let name = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
    let mut parts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for resource in flat {
        if let Some((whole, part)) = name(resource).split_once('/') {
            parts.entry(whole.to_owned()).or_default().push(json!({
                "subresource": part, "responseKind": kind(resource), "verbs": resource["verbs"],
            }));
        }
    }
    let wholes = flat.iter().filter(|resource| !name(resource).contains('/'));
    let mut nest = |resource: &Value| {
        let is_namespaced = resource["namespaced"].as_bool().unwrap_or_default();
        let mut nested = Map::new();
        nested.insert("resource".to_owned(), resource["name"].clone());
        nested.insert("responseKind".to_owned(), kind(resource));
        nested.insert(
            "scope".to_owned(),
            json!(if is_namespaced { "Namespaced" } else { "Cluster" }),
        );
        for (key, from) in [
            ("singularResource", "singularName"),
            ("verbs", "verbs"),
            ("shortNames", "shortNames"),
            ("categories", "categories"),
        ] {
            if !resource[from].is_null() {
                nested.insert(key.to_owned(), resource[from].clone());
            }
        }
        if let Some(parts) = parts.remove(&name(resource)) {
            nested.insert("subresources".to_owned(), Value::Array(parts));
        }
        Value::Object(nested)
    };
    wholes.map(&mut nest).collect()
}
