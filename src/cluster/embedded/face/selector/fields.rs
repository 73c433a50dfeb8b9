//! Field selectors, in the grammar of `k8s.io/apimachinery/pkg/fields/selector.go`.

use serde_json::Value;

use crate::simulation::api::{ApiObject, Resource};

/// Fields that must have, or must not have, certain values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
struct Term {
    label: String,
    value: String,
    equal: bool,
}

/// Why a text is no field selector of a resource.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    /// It has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole.
        selector: String,
        /// The part.
        term: String,
    },
    /// It has an escape that there is none of.
    #[error("invalid field selector: invalid escape sequence: \\{0}")]
    Escape(String),
    /// A resource with fields of its own has not this one (`pkg/apis/core/v1/conversion.go`).
    #[error("field label not supported: {0}")]
    Unsupported(String),
    /// Other resources know two (`k8s.io/apimachinery/pkg/runtime/conversion.go`).
    #[error("\"{0}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")]
    Unknown(String),
}

impl FieldSelector {
    /// Reads a selector; the empty text selects everything.
    pub(super) fn parse(resource: &Resource, text: &str) -> Result<Self, FieldError> {
        let terms = split_terms(text)
            .into_iter()
            .filter(|term| !term.is_empty())
            .map(|term| {
                let (label, value, equal) = split_operator(term).ok_or_else(|| FieldError::Term {
                    selector: text.to_owned(),
                    term: term.to_owned(),
                })?;
                let value = unescape(value)?;
                Ok(Term {
                    label: supported(resource, label)?.to_owned(),
                    value,
                    equal,
                })
            });
        Ok(Self(terms.collect::<Result<_, _>>()?))
    }

    /// The selector of one name.
    pub(super) fn name(name: &str) -> Self {
        Self(vec![Term {
            label: "metadata.name".to_owned(),
            value: name.to_owned(),
            equal: true,
        }])
    }

    /// Whether it can select nothing but that name.
    pub(super) fn requires_name(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|term| term.equal && term.label == "metadata.name" && term.value == name)
    }

    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, object: &ApiObject) -> bool {
        // Most selectors ask for the metadata alone; the rest of the object is projected when it is needed.
        let mut whole = None;
        self.0.iter().all(|term| {
            let equal = match term.label.as_str() {
                "metadata.name" => *object.name == *term.value,
                "metadata.namespace" => object.namespace.as_deref().unwrap_or_default() == term.value,
                label => field(whole.get_or_insert_with(|| object.body.project()), label) == term.value,
            };
            equal == term.equal
        })
    }
}

/// The fields that a resource can be selected by, besides its name and namespace. Core resources as in
/// `pkg/apis/core/v1/conversion.go`, those of `apps` and `batch` as in `pkg/apis/{apps,batch}/v1/conversion.go`.
fn own_fields(resource: &Resource) -> Option<&'static [&'static str]> {
    Some(match resource.names() {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "secrets") => &["type"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        _ => return None,
    })
}

fn supported<'l>(resource: &Resource, label: &'l str) -> Result<&'l str, FieldError> {
    let own = own_fields(resource);
    let is_pod = resource.group.is_empty() && resource.plural == "pods";
    match label {
        "metadata.name" => Ok(label),
        // Cluster-scoped resources with a table of their own leave it out.
        "metadata.namespace" if resource.namespaced || own.is_none() => Ok(label),
        "spec.host" if is_pod => Ok("spec.nodeName"),
        _ => match own {
            Some(own) if own.contains(&label) => Ok(label),
            Some(_) => Err(FieldError::Unsupported(label.to_owned())),
            None => Err(FieldError::Unknown(label.to_owned())),
        },
    }
}

/// A field as selectors see it: text, empty when absent; switches are `false` when absent.
fn field(object: &Value, label: &str) -> String {
    let at = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match label {
        // pkg/registry/core/event/strategy.go: ToSelectableFields
        "source" => match at("/source/component") {
            absent if absent.is_empty() => at("/reportingComponent"),
            component => component,
        },
        "spec.unschedulable" | "spec.hostNetwork" => {
            let set = object
                .pointer(&format!("/{}", label.replace('.', "/")))
                .and_then(Value::as_bool);
            set.unwrap_or_default().to_string()
        }
        "status.successful" => object
            .pointer("/status/succeeded")
            .map_or_else(|| "0".to_owned(), Value::to_string),
        _ => match object.pointer(&format!("/{}", label.replace('.', "/"))) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
        },
    }
}

/// Splits at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (position, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Label, value, and whether they must be equal.
fn split_operator(term: &str) -> Option<(&str, &str, bool)> {
    term.char_indices().find_map(|(position, _)| {
        let (label, rest) = term.split_at(position);
        let operators = [("!=", false), ("==", true), ("=", true)];
        operators
            .into_iter()
            .find_map(|(operator, equal)| Some((label, rest.strip_prefix(operator)?, equal)))
    })
}

fn unescape(value: &str) -> Result<String, FieldError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match chars.next() {
            Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
            other => return Err(FieldError::Escape(other.map(String::from).unwrap_or_default())),
        }
    }
    Ok(plain)
}
