//! Subresources with objects of their own: `scale`, `eviction`, `binding`.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::deleting;
use super::listing::find;
use super::patching::{self, Kind};
use super::path::{Facet, Item};
use super::query::Query;
use super::response::Shape;
use super::status::Refusal;
use super::writing::{self, Body, Content, Options, check_name};
use crate::simulation::api::{ApiError, ApiStore, Resource};

const SCALE: (&str, &str) = ("Scale", "autoscaling/v1");

/// What is asked of a subresource.
pub(super) struct Request<'r> {
    pub method: Method,
    pub headers: &'r HeaderMap,
    pub query: &'r Query,
    pub body: Bytes,
    /// The cluster's time, as it is written.
    pub time: String,
}

type Answered = (StatusCode, Value, Vec<String>);

/// Serves a subresource that has objects of its own.
pub(super) fn serve(store: &mut impl ApiStore, item: &Item, request: &Request) -> Result<Answered, Refusal> {
    let post = request.method == Method::POST;
    match item.facet {
        Facet::Scale => scale(store, item, request),
        Facet::Eviction if post => evict(store, item, request),
        Facet::Binding if post => bind(store, item, request),
        _ => Err(Refusal::Method),
    }
}

/// Why a subresource is none of the embedded cluster's.
pub(super) fn refused(name: &str) -> Refusal {
    let why = match name {
        "ephemeralcontainers" => "debug containers are not modelled".to_owned(),
        "resize" => "pods are not resized in place: change the template of what made them".to_owned(),
        "proxy" => "it answers no requests by itself: use a journey of the experiment's load".to_owned(),
        name => format!("its pods run no real processes to {name}: their logs can be read"),
    };
    Refusal::Store(ApiError::Forbidden(format!(
        "{name} is not served by the embedded cluster: {why}"
    )))
}

/// The current number of a subresource's parent, as `autoscaling/v1` has it
/// (`pkg/registry/apps/deployment/storage/storage.go`: `scaleFromDeployment`).
fn scale_of(whole: &Value) -> Value {
    let meta = &whole["metadata"];
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !meta[field].is_null() {
            metadata.insert(field.to_owned(), meta[field].clone());
        }
    }
    let spec = &whole["spec"];
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let mut status = json!({"replicas": whole["status"]["replicas"].as_i64().unwrap_or(0)});
    let selector = match &spec["selector"] {
        labels @ Value::Object(fields)
            if !fields.contains_key("matchLabels") && !fields.contains_key("matchExpressions") =>
        {
            selector_text(labels, &Value::Null)
        }
        selector => selector_text(&selector["matchLabels"], &selector["matchExpressions"]),
    };
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    let spec = if wanted == 0 {
        json!({})
    } else {
        json!({"replicas": wanted})
    };
    json!({"kind": SCALE.0, "apiVersion": SCALE.1, "metadata": metadata, "spec": spec, "status": status})
}

/// A selector in its short form (`k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go`: `LabelSelectorAsSelector`, by key).
fn selector_text(labels: &Value, expressions: &Value) -> String {
    let mut terms: Vec<(String, String)> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    for expression in expressions.as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}

fn scale(store: &mut impl ApiStore, item: &Item, request: &Request) -> Result<Answered, Refusal> {
    let stored = find(store, item)?;
    let whole = Shape::Whole.object(&stored, stored.version);
    let now = scale_of(&whole);
    if request.method == Method::GET {
        return Ok((StatusCode::OK, now, Vec::new()));
    }
    let (written, options) = match request.method {
        Method::PUT => {
            let options = Options::parse(request.query, request.headers, "UpdateOptions", request.time.clone())?;
            let content = Content::new(request.headers, request.body.clone())?;
            (content.object_of(SCALE.0, SCALE.1)?.value, options)
        }
        Method::PATCH => {
            let kind = Kind::of(request.headers, &item.resource)?;
            let options = Options::parse(request.query, request.headers, "PatchOptions", request.time.clone())?;
            let patch = kind.read(&request.body)?;
            // A Scale has no list: an applied one merges like any other.
            let resource = Resource::built_in("autoscaling", "v1", "scales", SCALE.0);
            (patching::patched(kind, &resource, &now, &patch.value)?, options)
        }
        _ => return Err(Refusal::Method),
    };
    check_name(&written, item)?;
    let wanted = match &written["spec"]["replicas"] {
        Value::Null => 0,
        number => number.as_i64().ok_or_else(|| {
            Refusal::BadRequest(format!(
                "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {number} into Go struct field \
                 ScaleSpec.spec.replicas of type int32"
            ))
        })?,
    };
    if !(0..=i64::from(i32::MAX)).contains(&wanted) {
        let why = format!("Invalid value: {wanted}: must be greater than or equal to 0");
        return Err(Refusal::Store(ApiError::Invalid {
            kind: format!("{}.autoscaling", SCALE.0),
            name: item.name.clone(),
            causes: vec![("spec.replicas".to_owned(), why)],
        }));
    }
    let mut changed = whole;
    changed["spec"]["replicas"] = json!(wanted);
    if let Some(version) = written["metadata"]["resourceVersion"]
        .as_str()
        .filter(|version| !version.is_empty())
    {
        changed["metadata"]["resourceVersion"] = json!(version);
    }
    let object = writing::scaled(store, item, &stored, changed, &options)?;
    let scaled = scale_of(&Shape::Whole.object(&object, object.version));
    Ok((StatusCode::OK, scaled, Vec::new()))
}

/// `pkg/registry/core/pod/storage/eviction.go`.
fn evict(store: &mut impl ApiStore, item: &Item, request: &Request) -> Result<Answered, Refusal> {
    let content = Content::new(request.headers, request.body.clone())?;
    // Both versions are taken (AcceptsGroupVersion): clients from before 1.22 know the older one alone.
    let Body { value: eviction, .. } = content
        .object_of("Eviction", "policy/v1")
        .or_else(|refusal| content.object_of("Eviction", "policy/v1beta1").map_err(|_| refusal))?;
    check_name(&eviction, item)?;
    let text = eviction["deleteOptions"].to_string();
    let body: &[u8] = if eviction["deleteOptions"].is_object() {
        text.as_bytes()
    } else {
        b""
    };
    let options = deleting::Options::parse(body, request.query)?;
    let space = item.namespace.as_deref().unwrap_or_default();
    store.evict(space, &item.name, options.delete(), options.is_dry_run())?;
    Ok((StatusCode::CREATED, success(), Vec::new()))
}

/// `pkg/registry/core/pod/storage/storage.go`: `BindingREST`.
fn bind(store: &mut impl ApiStore, item: &Item, request: &Request) -> Result<Answered, Refusal> {
    let options = Options::parse(request.query, request.headers, "CreateOptions", request.time.clone())?;
    let content = Content::new(request.headers, request.body.clone())?;
    let Body { value: binding, .. } = content.object_of("Binding", "v1")?;
    check_name(&binding, item)?;
    let target = &binding["target"];
    let text = |field: &str| target[field].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    if !matches!(text("kind"), "" | "Node") {
        let why = format!(
            "Unsupported value: \"{}\": supported values: \"Node\", \"<empty>\"",
            text("kind")
        );
        causes.push(("target.kind".to_owned(), why));
    }
    if text("name").is_empty() {
        causes.push(("target.name".to_owned(), "Required value".to_owned()));
    }
    if !causes.is_empty() {
        return Err(Refusal::Store(ApiError::Invalid {
            kind: "Binding".to_owned(),
            name: item.name.clone(),
            causes,
        }));
    }
    let space = item.namespace.as_deref().unwrap_or_default();
    store.bind(space, &item.name, text("name"), options.is_dry_run())?;
    Ok((StatusCode::CREATED, success(), Vec::new()))
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}
