//! Fields that a kind has not, and fields that are given twice: `fieldValidation`
//! (`k8s.io/apiserver/pkg/endpoints/handlers/rest.go`, `create.go`, `patch.go`).

use serde_json::Value;

use super::super::query::Query;
use super::super::status::Refusal;
use super::super::types::{TYPES, unknown_fields};
use super::decode::Body;
use crate::simulation::api::{ApiError, Resource};

/// What becomes of such fields. They are dropped in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    /// Nothing is said.
    Ignore,
    /// The client is warned.
    Warn,
    /// The write is refused.
    Strict,
}

impl Validation {
    /// Reads `fieldValidation`; who says nothing is warned.
    pub(super) fn parse(query: &Query, kind: &str) -> Result<Self, Refusal> {
        match query.text("fieldValidation") {
            None | Some("Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => {
                let why =
                    format!("Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Warn\", \"Strict\"");
                Err(Refusal::option(kind, "fieldValidation", why))
            }
        }
    }

    /// The warnings about an object.
    pub(super) fn of_object(self, resource: &Resource, body: &Body) -> Result<Vec<String>, Refusal> {
        self.judge(faults(resource, &body.value, &body.duplicates), |faults| {
            let kind = body.value["kind"].as_str().unwrap_or(&resource.kind);
            Refusal::BadRequest(format!(
                "{kind} in version \"{}\" cannot be handled as a {}: strict decoding error: {faults}",
                resource.version, resource.kind
            ))
        })
    }

    /// The warnings about a patch and what it makes of an object.
    pub(super) fn of_patch(self, resource: &Resource, object: &Value, patch: &Body) -> Result<Vec<String>, Refusal> {
        self.judge(faults(resource, object, &patch.duplicates), |faults| {
            let causes = vec![(
                "patch".to_owned(),
                format!("Invalid value: {}: strict decoding error: {faults}", patch.value),
            )];
            Refusal::Store(ApiError::Invalid {
                kind: String::new(),
                name: String::new(),
                causes,
            })
        })
    }

    /// The warnings about an applied object, in which unknown fields are wrong in any case.
    pub(super) fn of_applied(self, body: &Body) -> Result<Vec<String>, Refusal> {
        let faults = body.duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        self.judge(faults.collect(), |faults| {
            Refusal::BadRequest(format!("error strict decoding YAML: {faults}"))
        })
    }

    fn judge(self, faults: Vec<String>, refuse: impl FnOnce(String) -> Refusal) -> Result<Vec<String>, Refusal> {
        match self {
            Self::Ignore => Ok(Vec::new()),
            Self::Strict if !faults.is_empty() => Err(refuse(faults.join(", "))),
            Self::Warn | Self::Strict => Ok(faults),
        }
    }
}

fn faults(resource: &Resource, object: &Value, duplicates: &[String]) -> Vec<String> {
    let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
    let unknown = unknown_fields(&TYPES, TYPES.of(resource), object);
    duplicates
        .chain(unknown.into_iter().map(|path| format!("unknown field \"{path}\"")))
        .collect()
}
