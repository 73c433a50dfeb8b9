//! Refusals, and the `Status` objects that say them.
//!
//! Codes, reasons and wording are those of Kubernetes: `k8s.io/apimachinery/pkg/api/errors/errors.go`, and where a
//! variant names another file, that one.

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::response::{self, Answer};
use crate::cluster::embedded::driver::DriverError;
use crate::simulation::api::ApiError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody knows who asks (`endpoints/filters/authentication.go`).
    #[cfg(feature = "serve")]
    #[error("Unauthorized")]
    Unauthorized,
    /// The path is none that the server has.
    #[error("the server could not find the requested resource")]
    Unserved,
    /// The path is known, the method is not allowed there.
    #[error("the server does not allow this method on the requested resource")]
    Method,
    /// Nothing that the client accepts (`endpoints/handlers/negotiation/errors.go`).
    #[error("only the following media types are accepted: {0}")]
    NotAcceptable(&'static str),
    /// The body's format is not read (`endpoints/handlers/negotiation/errors.go`).
    #[error("the body of the request was in an unknown format - accepted media types include: {0}")]
    MediaType(&'static str),
    /// The body is too long.
    #[error("Request entity too large: limit is {0}")]
    TooLong(usize),
    /// A JSON patch has too many operations (`endpoints/handlers/patch.go`).
    #[error("Request entity too large: The allowed maximum operations in a JSON patch is {most}, got {given}")]
    TooManyOperations {
        /// How many there may be.
        most: usize,
        /// How many there are.
        given: usize,
    },
    /// A patch that does not apply (`endpoints/handlers/patch.go`).
    #[error("the server rejected our request due to an error in our request ({0})")]
    Unprocessable(String),
    /// Others own what an applied object would change (`pkg/util/managedfields/internal/conflict.go`).
    #[error("{}", conflict_words(.0))]
    ApplyConflict(Vec<(String, String)>),
    /// What is wrong is on the server's side of the words (`endpoints/handlers/responsewriters/status.go`).
    #[error("{0}")]
    Plain(String),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// A watch from a version that is no longer known (`storage/cacher/watch_cache.go`).
    #[error("too old resource version: {requested} ({oldest})")]
    WatchExpired {
        /// From which it was to start.
        requested: u64,
        /// The oldest known.
        oldest: u64,
    },
    /// A list at a version that is no longer known (`storage/etcd3/errors.go`).
    #[error("The resourceVersion for the provided list is too old.")]
    ListExpired,
    /// The next page of a list that is no longer known (`storage/etcd3/errors.go`).
    #[error(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )]
    ContinueExpired {
        /// The token that continues with what there is now.
        token: String,
    },
    /// A version that the cluster has not reached (`storage/errors.go`).
    #[error("Timeout: Too large resource version: {requested}, current: {current}")]
    FutureVersion {
        /// The version asked for.
        requested: u64,
        /// The newest.
        current: u64,
    },
    /// Only the server gives versions (`storage/errors.go`; it has no reason of its own there).
    #[error("resourceVersion should not be set on objects to be created")]
    VersionOnCreate,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] ApiError),
    /// There is no store left.
    #[error("Internal error occurred: {0}")]
    Driver(DriverError),
}

impl From<DriverError> for Refusal {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

impl Refusal {
    /// A body that broke off, or did not come.
    pub(super) fn unreadable(why: &str) -> Self {
        Self::BadRequest(format!("failed to read the body: {why}"))
    }

    /// An unsupported or contradictory option of a list, watch or delete.
    pub(super) fn option(kind: &str, field: &str, why: String) -> Self {
        // NewInvalid with GroupKind{meta.k8s.io, ListOptions}.
        let causes = vec![(field.to_owned(), why)];
        Self::Store(ApiError::Invalid {
            kind: format!("{kind}.meta.k8s.io"),
            name: String::new(),
            causes,
        })
    }

    /// The HTTP code and the reason.
    fn code(&self) -> (u16, &'static str) {
        match self {
            #[cfg(feature = "serve")]
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Unserved | Self::Store(ApiError::NotFound { .. }) => (404, "NotFound"),
            Self::Method => (405, "MethodNotAllowed"),
            Self::NotAcceptable(_) => (406, "NotAcceptable"),
            Self::MediaType(_) => (415, "UnsupportedMediaType"),
            Self::TooLong(_) | Self::TooManyOperations { .. } => (413, "RequestEntityTooLarge"),
            Self::BadRequest(_) | Self::Store(ApiError::BadRequest(_)) => (400, "BadRequest"),
            Self::WatchExpired { .. } | Self::ListExpired | Self::ContinueExpired { .. } => (410, "Expired"),
            Self::FutureVersion { .. } => (504, "Timeout"),
            Self::Store(ApiError::AlreadyExists { .. }) => (409, "AlreadyExists"),
            Self::Store(ApiError::Conflict { .. }) => (409, "Conflict"),
            Self::Store(ApiError::Invalid { .. }) => (422, "Invalid"),
            Self::Store(ApiError::Forbidden(_)) => (403, "Forbidden"),
            Self::Unprocessable(_) => (422, "Invalid"),
            Self::ApplyConflict(_) => (409, "Conflict"),
            Self::Store(ApiError::TooManyRequests { .. }) => (429, "TooManyRequests"),
            Self::VersionOnCreate | Self::Plain(_) | Self::Store(ApiError::Internal(_)) => (500, ""),
            Self::Driver(_) => (500, "InternalError"),
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Self::Store(
                ApiError::NotFound { plural, name }
                | ApiError::AlreadyExists { plural, name }
                | ApiError::Conflict { plural, name, .. },
            ) => Some(thing(plural, name)),
            Self::Store(ApiError::Invalid { kind, name, causes }) => {
                let mut details = thing(kind, name);
                details["causes"] = causes
                    .iter()
                    .map(|(field, why)| json!({"reason": cause(why), "message": why, "field": field}))
                    .collect();
                Some(details)
            }
            Self::FutureVersion { .. } => Some(json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            })),
            Self::Store(ApiError::TooManyRequests { retry_after, cause, .. }) => {
                let mut details = json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]});
                if *retry_after > 0 {
                    details["retryAfterSeconds"] = json!(retry_after);
                }
                Some(details)
            }
            Self::Driver(error) => Some(json!({"causes": [{"message": error.to_string()}]})),
            Self::ApplyConflict(conflicts) => {
                let cause = |(manager, field): &(String, String)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field});
                Some(json!({"causes": conflicts.iter().map(cause).collect::<Vec<_>>()}))
            }
            Self::Unserved | Self::Method | Self::Unprocessable(_) => Some(json!({})),
            #[cfg(feature = "serve")]
            Self::Unauthorized => None,
            Self::NotAcceptable(_)
            | Self::MediaType(_)
            | Self::TooLong(_)
            | Self::TooManyOperations { .. }
            | Self::Plain(_)
            | Self::BadRequest(_)
            | Self::WatchExpired { .. }
            | Self::ListExpired
            | Self::ContinueExpired { .. }
            | Self::VersionOnCreate
            | Self::Store(ApiError::BadRequest(_) | ApiError::Forbidden(_) | ApiError::Internal(_)) => None,
        }
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        let (code, reason) = self.code();
        let mut status = Map::new();
        status.insert("kind".to_owned(), json!("Status"));
        status.insert("apiVersion".to_owned(), json!("v1"));
        let metadata = match self {
            Self::ContinueExpired { token } => json!({"continue": token}),
            _ => json!({}),
        };
        status.insert("metadata".to_owned(), metadata);
        status.insert("status".to_owned(), json!("Failure"));
        status.insert("message".to_owned(), json!(self.to_string()));
        if !reason.is_empty() {
            status.insert("reason".to_owned(), json!(reason));
        }
        if let Some(details) = self.details() {
            status.insert("details".to_owned(), details);
        }
        status.insert("code".to_owned(), json!(code));
        Value::Object(status)
    }

    /// The answer that says it.
    pub(super) fn response(&self) -> Answer {
        let code = StatusCode::from_u16(self.code().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let status = self.status();
        let mut answer = response::json(code, &status);
        // k8s.io/apiserver endpoints/handlers/responsewriters/writers.go `ErrorNegotiated`.
        if let Some(wait) = status["details"]["retryAfterSeconds"].as_u64() {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        answer
    }
}

/// All conflicts, by manager.
fn conflict_words(conflicts: &[(String, String)]) -> String {
    if let [(manager, path)] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {manager}: {path}");
    }
    let mut managers: Vec<&str> = conflicts.iter().map(|(manager, _)| manager.as_str()).collect();
    managers.sort_unstable();
    managers.dedup();
    let mut lines = Vec::new();
    for manager in managers {
        lines.push(format!("conflicts with {manager}:"));
        let paths = conflicts.iter().filter(|(other, _)| other == manager);
        lines.extend(paths.map(|(_, path)| format!("- {path}")));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

/// Details that name a thing; `qualified` is a plural name or a kind with its group, as in `deployments.apps`.
pub(super) fn thing(qualified: &str, name: &str) -> Value {
    let (kind, group) = qualified.split_once('.').unwrap_or((qualified, ""));
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(details)
}

/// The type of a field error by the words its message begins with
/// (`k8s.io/apimachinery/pkg/util/validation/field/errors.go`).
fn cause(why: &str) -> &'static str {
    const TYPES: [(&str, &str); 8] = [
        ("Not found", "FieldValueNotFound"),
        ("Required value", "FieldValueRequired"),
        ("Duplicate value", "FieldValueDuplicate"),
        ("Unsupported value", "FieldValueNotSupported"),
        ("Forbidden", "FieldValueForbidden"),
        ("Too long", "FieldValueTooLong"),
        ("Too many", "FieldValueTooMany"),
        ("Internal error", "InternalError"),
    ];
    TYPES
        .iter()
        .find(|(words, _)| why.starts_with(words))
        .map_or("FieldValueInvalid", |(_, reason)| reason)
}
