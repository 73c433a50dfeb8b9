//! Patches: what becomes of an object (`k8s.io/apiserver/pkg/endpoints/handlers/patch.go`).

mod strategic;

use http::HeaderMap;
use json_patch::{PatchErrorKind, PatchOperation};
use serde_json::Value;

use super::status::Refusal;
use super::types::TYPES;
use super::writing::{Body, media_type};
use crate::simulation::api::{Resource, merge};

/// The most operations of a JSON patch (`patch.go`: `maxJSONPatchOperations`).
const MOST_OPERATIONS: usize = 10_000;

/// The most bytes that the `copy` operations of a JSON patch may copy together
/// (`k8s.io/apiserver/pkg/server/config.go`: `JSONPatchMaxCopyBytes`).
const MOST_COPIED: usize = 3 * 1024 * 1024;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, \
                        application/strategic-merge-patch+json, application/apply-patch+yaml";
const ACCEPTED_CUSTOM: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// The kinds of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// RFC 6902.
    Json,
    /// RFC 7396.
    Merge,
    /// Kubernetes' own.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl Kind {
    /// The kind of patch that a body is by its `Content-Type`.
    pub(super) fn of(headers: &HeaderMap, resource: &Resource) -> Result<Self, Refusal> {
        let accepted = if resource.custom { ACCEPTED_CUSTOM } else { ACCEPTED };
        match media_type(headers).as_deref() {
            Some("application/json-patch+json") => Ok(Self::Json),
            Some("application/merge-patch+json") => Ok(Self::Merge),
            Some("application/strategic-merge-patch+json") if !resource.custom => Ok(Self::Strategic),
            Some("application/apply-patch+yaml") => Ok(Self::Apply),
            Some(_) | None => Err(Refusal::MediaType(accepted)),
        }
    }

    /// Reads a patch of this kind.
    pub(super) fn read(self, body: &[u8]) -> Result<Body, Refusal> {
        match self {
            Self::Apply => {
                let why = |error: String| Refusal::BadRequest(format!("error decoding YAML: {error}"));
                let read = Body::yaml(body).map_err(why)?;
                if read.value.is_object() {
                    Ok(read)
                } else {
                    Err(why("expected an object".to_owned()))
                }
            }
            Self::Json | Self::Merge | Self::Strategic => {
                let why = |error: String| Refusal::BadRequest(format!("error decoding patch: {error}"));
                let read = Body::json(body).map_err(why)?;
                if self == Self::Json || read.value.is_object() {
                    Ok(read)
                } else {
                    Err(why("expected an object".to_owned()))
                }
            }
        }
    }
}

/// Applies a patch that is not server-side apply.
pub(super) fn patched(kind: Kind, resource: &Resource, object: &Value, patch: &Value) -> Result<Value, Refusal> {
    let mut object = object.clone();
    match kind {
        Kind::Json => json(&mut object, patch)?,
        Kind::Merge | Kind::Apply => merge(&mut object, patch),
        Kind::Strategic => {
            let root = TYPES.root(&resource.api_version(), &resource.kind, resource.custom);
            strategic::patch(&TYPES, &root, &mut object, patch)
                .map_err(|error| Refusal::BadRequest(error.to_string()))?;
        }
    }
    if object.is_object() {
        Ok(object)
    } else {
        Err(Refusal::Unprocessable("the patch leaves no object".to_owned()))
    }
}

fn json(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let operations: Vec<PatchOperation> = serde_json::from_value(patch.clone())
        .map_err(|error| Refusal::BadRequest(format!("error decoding patch: {error}")))?;
    if operations.len() > MOST_OPERATIONS {
        return Err(Refusal::TooManyOperations {
            most: MOST_OPERATIONS,
            given: operations.len(),
        });
    }
    let mut copied = 0;
    for operation in &operations {
        if let PatchOperation::Copy(copy) = operation {
            copied += object
                .pointer(copy.from.as_str())
                .map_or(0, |value| value.to_string().len());
            if copied > MOST_COPIED {
                return Err(Refusal::Unprocessable(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit \
                     {MOST_COPIED}"
                )));
            }
        }
        json_patch::patch(object, std::slice::from_ref(operation)).map_err(|error| {
            let place = error.path.as_str();
            // The words of github.com/evanphx/json-patch.
            Refusal::Unprocessable(match error.kind {
                PatchErrorKind::TestFailed => format!("testing value {place} failed: test failed"),
                _ => match operation {
                    PatchOperation::Remove(_) => {
                        format!("remove operation does not apply: doc is missing path: \"{place}\": missing value")
                    }
                    PatchOperation::Replace(_) => {
                        format!("replace operation does not apply: doc is missing path: {place}: missing value")
                    }
                    PatchOperation::Add(_) => {
                        format!("add operation does not apply: doc is missing path: \"{place}\": missing value")
                    }
                    PatchOperation::Move(_) => format!("move operation does not apply: doc is missing path: {place}"),
                    PatchOperation::Copy(_) => format!("copy operation does not apply: doc is missing path: {place}"),
                    PatchOperation::Test(_) => format!("testing path {place} failed: missing value"),
                },
            })
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
