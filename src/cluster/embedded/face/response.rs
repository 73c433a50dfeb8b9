//! Responses, and the forms in which a client may have its objects.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use serde_json::{Value, json};

use super::status::Refusal;
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
}

impl Shape {
    /// The first form of the `Accept` header that the server has. Tables are not offered, nor is protobuf; clients that
    /// would rather have these name JSON as well.
    pub(super) fn accepted(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Whole);
        };
        let offered = accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_json = matches!(parts.next(), Some("application/json" | "application/*" | "*/*"));
            let form = parts.find_map(|part| part.strip_prefix("as="));
            match form {
                None => is_json.then_some(Self::Whole),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => is_json.then_some(Self::Metadata),
                Some(_) => None,
            }
        });
        offered.ok_or(Refusal::NotAcceptable(
            "application/json, application/json;as=PartialObjectMetadata",
        ))
    }

    /// The kind and API version that objects of `resource` have in this form.
    pub(super) fn types(self, resource: &Resource) -> (&str, String) {
        match self {
            Self::Whole => (&resource.kind, resource.api_version()),
            Self::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
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
        }
    }
}

/// A JSON answer.
pub(super) fn json(code: StatusCode, value: &Value) -> Answer {
    full(code, "application/json", value.to_string())
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
