//! Metadata and label selectors.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde_json::json;

use super::causes::Causes;
use super::names::{Rule, key_fault, value_fault};
use crate::simulation::api::{Labels, Resource};
use crate::simulation::objects::meta::{Meta, Reference};
use crate::simulation::objects::selector::Selector;

/// The longest that all annotations together may be.
/// Source: k8s.io/apimachinery pkg/api/validation/objectmeta.go `TotalAnnotationSizeLimitB`.
const ANNOTATIONS: usize = 256 * 1024;

/// Metadata as the user gives it.
pub(super) fn meta(resource: &Resource, written: &ObjectMeta, rule: Rule, causes: &mut Causes) -> Meta {
    let name = written.name.as_deref().unwrap_or("");
    let prefix = written.generate_name.as_deref().filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = prefix
        && let Some(why) = rule.fault(prefix.trim_end_matches('-'))
    {
        causes.invalid("metadata.generateName", prefix, &why);
    }
    if name.is_empty() {
        if prefix.is_none() {
            causes.required("metadata.name", "name or generateName is required");
        }
    } else if let Some(why) = rule.fault(name) {
        causes.invalid("metadata.name", name, &why);
    }
    labels("metadata.labels", written.labels.as_ref(), causes);
    annotations("metadata.annotations", written.annotations.as_ref(), causes);
    let references = references(written, causes);
    let namespace = written
        .namespace
        .as_deref()
        .filter(|_| resource.namespaced)
        .unwrap_or("");
    Meta {
        name: name.into(),
        namespace: namespace.into(),
        generation: 1,
        labels: Arc::new(written.labels.clone().unwrap_or_default()),
        annotations: Arc::new(written.annotations.clone().unwrap_or_default()),
        generate_name: prefix.map(Into::into),
        finalizers: written.finalizers.clone().unwrap_or_default(),
        references,
        ..Meta::default()
    }
}

/// Checks owners (k8s.io/apimachinery pkg/api/validation/objectmeta.go `ValidateOwnerReferences`).
fn references(written: &ObjectMeta, causes: &mut Causes) -> Option<Arc<[Reference]>> {
    let all = written.owner_references.as_ref().filter(|all| !all.is_empty())?;
    let path = "metadata.ownerReferences";
    let mut controlling: Option<String> = None;
    for owner in all {
        if owner.api_version.is_empty() {
            causes.invalid(format!("{path}.apiVersion"), "", "version must not be empty");
        }
        for (field, value) in [("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)] {
            if value.is_empty() {
                causes.invalid(format!("{path}.{field}"), "", "must not be empty");
            }
        }
        if owner.api_version == "v1" && owner.kind == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            causes.invalid(path, json!(owner), why);
        }
        if owner.controller == Some(true) {
            let it = format!("{}/{}", owner.kind, owner.name);
            if let Some(first) = &controlling {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {it}"
                );
                causes.invalid(path, json!(all), &why);
            } else {
                controlling = Some(it);
            }
        }
    }
    let all = all.iter().map(|owner| Reference {
        api_version: owner.api_version.as_str().into(),
        kind: owner.kind.as_str().into(),
        name: owner.name.as_str().into(),
        uid: owner.uid.as_str().into(),
        controller: owner.controller,
        blocks: owner.block_owner_deletion,
    });
    Some(all.collect())
}

/// Checks labels.
pub(super) fn labels(path: &str, labels: Option<&Labels>, causes: &mut Causes) {
    for (key, value) in labels.into_iter().flatten() {
        if let Some(why) = key_fault(key) {
            causes.invalid(path, key.as_str(), &why);
        }
        if let Some(why) = value_fault(value) {
            causes.invalid(path, value.as_str(), &why);
        }
    }
}

/// Checks annotations: their values are free.
pub(super) fn annotations(path: &str, all: Option<&Labels>, causes: &mut Causes) {
    let Some(all) = all else { return };
    for key in all.keys() {
        if let Some(why) = key_fault(&key.to_lowercase()) {
            causes.invalid(path, key.as_str(), &why);
        }
    }
    if all.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > ANNOTATIONS {
        causes.add(path, format!("Too long: may not be more than {ANNOTATIONS} bytes"));
    }
}

/// Checks and compiles a label selector.
pub(super) fn selector(path: &str, written: &LabelSelector, causes: &mut Causes) -> Selector {
    labels(&format!("{path}.matchLabels"), written.match_labels.as_ref(), causes);
    for (index, expression) in written.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = expression.values.as_deref().unwrap_or_default();
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                causes.required(
                    format!("{path}.values"),
                    "must be specified when `operator` is 'In' or 'NotIn'",
                );
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                causes.forbidden(
                    format!("{path}.values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.invalid(format!("{path}.operator"), other, "not a valid selector operator"),
        }
        if let Some(why) = key_fault(&expression.key) {
            causes.invalid(format!("{path}.key"), expression.key.as_str(), &why);
        }
    }
    // Whatever cannot be compiled has been found above.
    Selector::new(written).unwrap_or_default()
}

/// Checks a workload's selector, which must match the labels of its own template.
pub(super) fn own_selector(
    kind: &str,
    written: &LabelSelector,
    labels: Option<&Labels>,
    causes: &mut Causes,
) -> Selector {
    let before = causes.len();
    let compiled = selector("spec.selector", written, causes);
    let empty = Labels::new();
    let labels = labels.unwrap_or(&empty);
    if compiled.is_empty() {
        causes.invalid(
            "spec.selector",
            json!({}),
            &format!("empty selector is invalid for {kind}"),
        );
    } else if before == causes.len() && !compiled.matches(labels) {
        causes.invalid(
            "spec.template.metadata.labels",
            json!(labels),
            "`selector` does not match template `labels`",
        );
    }
    compiled
}
