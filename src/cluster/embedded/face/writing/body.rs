//! Bodies: from bytes to an object that fits its path.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::super::path::Item;
use super::super::status::Refusal;
use super::decode::Body;
use crate::simulation::api::{ApiError, Resource};

/// The body of a create or replace.
pub(in super::super) struct Content {
    bytes: Bytes,
    yaml: bool,
}

impl Content {
    /// # Errors
    /// When it is neither JSON nor YAML by its `Content-Type`.
    pub(in super::super) fn new(headers: &HeaderMap, bytes: Bytes) -> Result<Self, Refusal> {
        match media_type(headers).as_deref() {
            None | Some("application/json") => Ok(Self { bytes, yaml: false }),
            Some("application/yaml") => Ok(Self { bytes, yaml: true }),
            Some(_) => Err(Refusal::MediaType("application/json, application/yaml")),
        }
    }

    /// The object, with its types, and the fields that it has twice.
    pub(in super::super) fn object(&self, resource: &Resource) -> Result<Body, Refusal> {
        self.object_of(&resource.kind, &resource.api_version())
    }

    /// The object as one of a kind.
    pub(in super::super) fn object_of(&self, kind: &str, api_version: &str) -> Result<Body, Refusal> {
        // k8s.io/apiserver/pkg/endpoints/handlers/rest.go: transformDecodeError
        let unrecognized = |why: &str| {
            let start = summary(&self.bytes);
            let why = format!("the object provided is unrecognized (must be of type {kind}): {why} ({start})");
            Refusal::BadRequest(why)
        };
        let format = if self.yaml { "yaml" } else { "json" };
        let read = if self.yaml {
            Body::yaml(&self.bytes)
        } else {
            Body::json(&self.bytes)
        };
        let mut read =
            read.map_err(|error| unrecognized(&format!("couldn't get version/kind; {format} parse error: {error}")))?;
        let object = &mut read.value;
        if !object.is_object() {
            return Err(unrecognized(&format!(
                "couldn't get version/kind; {format} parse error: not an object"
            )));
        }
        // Kubernetes' decoder takes what is missing from the path.
        for (key, default) in [("kind", kind), ("apiVersion", api_version)] {
            if object[key].as_str().unwrap_or_default().is_empty() {
                object[key] = json!(default);
            }
        }
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        check_kind(object, kind, api_version)?;
        Ok(read)
    }
}

/// Reads a body as JSON, without any demands.
pub(in super::super) fn json_body(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::BadRequest(format!("error decoding the body: {error}")))
}

/// The media type of a body, without its parameters.
pub(in super::super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Refuses an object of another type than the path's (`endpoints/handlers/create.go`, `rest.go`).
pub(super) fn check_types(object: &Value, resource: &Resource) -> Result<(), Refusal> {
    check_kind(object, &resource.kind, &resource.api_version())
}

fn check_kind(object: &Value, wanted: &str, expected: &str) -> Result<(), Refusal> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    let refuse = |why| Err(Refusal::BadRequest(why));
    if kind != wanted {
        let short = version.rsplit('/').next().unwrap_or_default();
        return refuse(format!("{kind} in version \"{short}\" cannot be handled as a {wanted}"));
    }
    if version != expected {
        return refuse(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        ));
    }
    Ok(())
}

/// Gives an object the namespace of its path (`registry/rest/meta.go`: `EnsureObjectNamespaceMatchesRequestNamespace`).
pub(super) fn settle_namespace(object: &mut Value, namespace: Option<&str>) -> Result<(), Refusal> {
    let stated = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match namespace {
        Some(namespace) if stated.is_empty() || stated == namespace => {
            object["metadata"]["namespace"] = json!(namespace);
        }
        Some(_) => {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::BadRequest(why.to_owned()));
        }
        None => {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("namespace");
            }
        }
    }
    Ok(())
}

/// Refuses an object that has no name and none to be made (`k8s.io/apimachinery/pkg/api/validation/objectmeta.go`).
pub(super) fn check_named(object: &Value, resource: &Resource) -> Result<(), Refusal> {
    let is_set = |key: &str| object["metadata"][key].as_str().is_some_and(|text| !text.is_empty());
    if is_set("name") || is_set("generateName") {
        return Ok(());
    }
    let group = if resource.group.is_empty() {
        String::new()
    } else {
        format!(".{}", resource.group)
    };
    let why = "Required value: name or generateName is required";
    Err(Refusal::Store(ApiError::Invalid {
        kind: format!("{}{group}", resource.kind),
        name: String::new(),
        causes: vec![("metadata.name".to_owned(), why.to_owned())],
    }))
}

/// Refuses an object of another name than the path's (`endpoints/handlers/rest.go`: `checkName`).
pub(in super::super) fn check_name(object: &Value, item: &Item) -> Result<(), Refusal> {
    let stated = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    let (name, namespace) = (stated("name"), stated("namespace"));
    let refuse = |why| Err(Refusal::BadRequest(why));
    if name.is_empty() {
        return refuse(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            item.name
        ));
    }
    if name != item.name {
        return refuse(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            item.name
        ));
    }
    match item.namespace.as_deref() {
        Some(requested) if !namespace.is_empty() && namespace != requested => refuse(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({requested})"
        )),
        _ => Ok(()),
    }
}

/// The first bytes of a body (`endpoints/handlers/rest.go`: `summarizeData`).
fn summary(body: &[u8]) -> String {
    const LENGTH: usize = 30;
    let start = &body[..body.len().min(LENGTH)];
    let mut summary = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|half| char::from_digit(half.into(), 16))
            .collect(),
    };
    if body.len() > LENGTH {
        summary.push_str(" ...");
    }
    summary
}
