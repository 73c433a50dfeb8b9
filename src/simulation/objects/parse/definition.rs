//! CustomResourceDefinitions.

use serde_json::Value;

use super::causes::Causes;
use super::names::Rule;
use crate::simulation::api::ApiError;
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::DEFINITIONS;

/// What a definition must say
/// (apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go `ValidateCustomResourceDefinition`).
///
/// # Errors
/// Invalid when a field is missing or its value is not allowed.
pub fn check_definition(object: &Value) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (name, group, plural) = (text("/metadata/name"), text("/spec/group"), text("/spec/names/plural"));
    if name != format!("{plural}.{group}") {
        causes.invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group");
    }
    for (path, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", text("/spec/names/kind")),
    ] {
        if value.is_empty() {
            causes.required(path, "");
        }
    }
    if !group.is_empty() {
        if let Some(why) = Rule::Subdomain.fault(group) {
            causes.invalid("spec.group", group, &why);
        } else if !group.contains('.') {
            causes.invalid("spec.group", group, "should be a domain with at least one dot");
        }
    }
    match text("/spec/scope") {
        "" => causes.required("spec.scope", ""),
        scope => causes.one_of("spec.scope", Some(scope), &["Cluster", "Namespaced"]),
    }
    let versions = object.pointer("/spec/versions").and_then(Value::as_array);
    let versions = versions.map(Vec::as_slice).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let name = version["name"].as_str().unwrap_or_default();
        if let Some(why) = Rule::Label.fault(name) {
            causes.invalid(format!("spec.versions[{index}].name"), name, &why);
        }
        if seen.contains(&name) {
            causes.duplicate(format!("spec.versions[{index}].name"), name);
        }
        seen.push(name);
        if !version["schema"]["openAPIV3Schema"].is_object() {
            causes.required(
                format!("spec.versions[{index}].schema.openAPIV3Schema"),
                "schemas are required",
            );
        }
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        causes.invalid(
            "spec.versions",
            Value::Array(Vec::new()),
            "must have exactly one version marked as storage version",
        );
    }
    let meta = Meta {
        name: name.into(),
        ..Meta::default()
    };
    causes.check(DEFINITIONS, &meta)
}
