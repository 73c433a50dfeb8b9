//! Responses, and the forms in which a client may have its objects.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE, WARNING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use serde_json::{Value, json};

use super::query::Query;
use super::status::Refusal;
use super::tables::{self, Include};
use crate::simulation::api::{ApiObject, Resource};

/// What the face answers.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The form of the objects in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whole objects.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// Rows of a `Table`.
    Table {
        /// What comes along with a row.
        include: Include,
        /// When ages are counted from, in microseconds of cluster time.
        now: u64,
    },
}

impl Shape {
    /// The first form of the `Accept` header that the server has. Protobuf is not offered; clients that would rather have it name JSON as
    /// well. `now` is the present cluster time in microseconds.
    pub(super) fn accepted(headers: &HeaderMap, query: &Query, now: u64) -> Result<Self, Refusal> {
        let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Whole);
        };
        let offered = accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_json = matches!(parts.next(), Some("application/json" | "application/*" | "*/*"));
            let (mut form, mut version) = (None, None);
            for part in parts {
                form = form.or(part.strip_prefix("as="));
                version = version.or(part.strip_prefix("v="));
            }
            match form {
                None => is_json.then_some(Self::Whole),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => is_json.then_some(Self::Metadata),
                Some("Table") if version == Some("v1") => is_json.then_some(Self::Table {
                    include: Include::Metadata,
                    now,
                }),
                Some(_) => None,
            }
        });
        match offered {
            Some(Self::Table { now, .. }) => Ok(Self::Table {
                include: Include::parse(query.text("includeObject"))?,
                now,
            }),
            Some(shape) => Ok(shape),
            None => Err(Refusal::NotAcceptable(
                "application/json, application/json;as=PartialObjectMetadata, application/json;as=Table;v=v1;g=meta.k8s.io",
            )),
        }
    }

    /// The same form at another time.
    pub(super) const fn at(self, now: u64) -> Self {
        match self {
            Self::Table { include, .. } => Self::Table { include, now },
            timeless => timeless,
        }
    }

    /// The kind and API version that objects of `resource` have in this form.
    pub(super) fn types(self, resource: &Resource) -> (&str, String) {
        match self {
            Self::Whole => (&resource.kind, resource.api_version()),
            Self::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            Self::Table { .. } => ("Table", "meta.k8s.io/v1".to_owned()),
        }
    }

    /// An object in this form, as of `version`.
    pub(super) fn object(self, object: &ApiObject, version: u64) -> Value {
        let mut whole = object.body.project();
        whole["metadata"]["resourceVersion"] = json!(version.to_string());
        match self {
            Self::Whole => whole,
            Self::Metadata => {
                let (kind, api_version) = self.types(&object.resource);
                json!({"kind": kind, "apiVersion": api_version, "metadata": whole["metadata"].take()})
            }
            Self::Table { include, now } => {
                let metadata = json!({"resourceVersion": version.to_string()});
                let columns = tables::columns(&object.resource);
                tables::table(
                    Some(columns),
                    &metadata,
                    vec![tables::row(&object.resource, whole, include, now)],
                )
            }
        }
    }
}

/// A JSON answer of a type of its own.
pub(super) fn typed(media: &'static str, value: &Value) -> Answer {
    full(StatusCode::OK, media, value.to_string())
}

/// An answer that is no text.
pub(super) fn bytes(media: &'static str, content: Vec<u8>) -> Answer {
    headed(StatusCode::OK, media, Full::new(Bytes::from(content)).boxed_unsync())
}

/// A JSON answer.
pub(super) fn json(code: StatusCode, value: &Value) -> Answer {
    full(code, "application/json", value.to_string())
}

/// An answer with warnings (RFC 7234, section 5.5; k8s.io/apimachinery/pkg/util/net/http.go: `NewWarningHeader`). They may
/// have so many bytes together (`k8s.io/apiserver/pkg/endpoints/filters/warning.go`: `truncateAtTotalRunes`).
pub(super) fn warned(mut answer: Answer, warnings: &[String]) -> Answer {
    const MOST: usize = 4 * 1024;
    let mut length = 0;
    for warning in warnings {
        length += warning.len();
        if length > MOST {
            break;
        }
        let text: String = warning.chars().filter(|char| !char.is_control()).collect();
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            answer.headers_mut().append(WARNING, value);
        }
    }
    answer
}

/// A text answer.
pub(super) fn text(content: String) -> Answer {
    full(StatusCode::OK, "text/plain; charset=utf-8", content)
}

/// An answer that goes on.
pub(super) fn stream(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
    // The type of a frame is in a crate that is no dependency of ours; a full body is a stream of one frame.
    let frames = chunks.flat_map(|chunk| BodyStream::new(Full::new(chunk)));
    headed(
        StatusCode::OK,
        "application/json",
        StreamBody::new(frames).boxed_unsync(),
    )
}

fn full(code: StatusCode, media: &'static str, content: String) -> Answer {
    headed(code, media, Full::new(Bytes::from(content)).boxed_unsync())
}

fn headed(code: StatusCode, media: &'static str, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
