//! OpenAPI documents: what clients look at before they write.
//!
//! There is one document per group and version (`/openapi/v3`), with every resource's path, kinds and parameters. Clients see there that
//! this server validates fields and does dry runs. The fields of the kinds are not described: `kubectl explain` says so.
//!
//! Of the older `/openapi/v2` there is a document that describes no kinds: clients that would validate by it then validate nothing and
//! leave it to the server. They ask for it as a protocol buffer, whose few bytes are written here by hand.

use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::response::{self, Answer};
use super::status::Refusal;
use crate::simulation::api::{Resource, Served};

/// What the older document is asked for as (`k8s.io/client-go/discovery/discovery_client.go`: `mimePb`).
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// And what it is answered as: an `@` is not allowed in a media type, and Go's clients look at those of answers.
const ANSWERED: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The kind of every patch that the documents name. Strategic merge patches are served but not named: clients that see them named
/// take the fields' merge keys from the document, which has none; without, they know the keys of the built-in kinds by heart.
const PATCHES: [&str; 3] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// Serves a document; `None` when the path is not one of a document.
pub(super) fn answer(path: &str, headers: &HeaderMap, resources: &[Served]) -> Option<Result<Answer, Refusal>> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let ok = |value: &Value| Ok(response::json(StatusCode::OK, value));
    Some(match segments.as_slice() {
        ["openapi", "v2"] => Ok(older(headers)),
        ["openapi", "v3"] => ok(&index(resources)),
        ["openapi", "v3", "api", version] => document(resources, "", version)
            .as_ref()
            .map_or(Err(Refusal::Unserved), ok),
        ["openapi", "v3", "apis", group, version] => document(resources, group, version)
            .as_ref()
            .map_or(Err(Refusal::Unserved), ok),
        ["openapi", ..] => Err(Refusal::Unserved),
        _ => return None,
    })
}

/// Where the documents are.
fn index(resources: &[Served]) -> Value {
    let mut paths = Map::new();
    for resource in resources {
        let root = root(resource);
        let url = json!({"serverRelativeURL": format!("/openapi/v3/{root}")});
        paths.insert(root, url);
    }
    json!({"paths": paths})
}

fn root(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

/// The document of a group and version.
fn document(resources: &[Served], group: &str, version: &str) -> Option<Value> {
    let of_it = |resource: &&Served| resource.group == group && resource.version == version;
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in resources.iter().filter(of_it) {
        let plural = &resource.plural;
        let collection = if resource.namespaced {
            format!("/{}/namespaces/{{namespace}}/{plural}", root(resource))
        } else {
            format!("/{}/{plural}", root(resource))
        };
        let create = [operation(resource, "create", "post", WRITING)];
        paths.insert(
            collection.clone(),
            operations(create, &["namespace"][..usize::from(resource.namespaced)]),
        );
        let each = [
            operation(resource, "read", "get", &["pretty"]),
            operation(resource, "replace", "put", WRITING),
            operation(
                resource,
                "patch",
                "patch",
                &["dryRun", "fieldManager", "fieldValidation", "force"],
            ),
            operation(
                resource,
                "delete",
                "delete",
                &["dryRun", "gracePeriodSeconds", "propagationPolicy"],
            ),
        ];
        let parameters: &[&str] = if resource.namespaced {
            &["name", "namespace"]
        } else {
            &["name"]
        };
        paths.insert(format!("{collection}/{{name}}"), operations(each, parameters));
        schemas.insert(schema_name(resource), schema(resource));
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": super::discovery::version()["gitVersion"]},
            "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

const WRITING: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];

fn operations<const N: usize>(operations: [(&str, Value); N], path: &[&str]) -> Value {
    let mut all: Map<String, Value> = operations
        .into_iter()
        .map(|(verb, operation)| (verb.to_owned(), operation))
        .collect();
    let parameters = path
        .iter()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    all.insert("parameters".to_owned(), parameters.collect());
    Value::Object(all)
}

fn operation<'v>(resource: &Resource, action: &str, verb: &'v str, parameters: &[&str]) -> (&'v str, Value) {
    let reference = json!({"schema": {"$ref": format!("#/components/schemas/{}", schema_name(resource))}});
    let parameters = parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}));
    let mut operation = json!({
        "operationId": format!("{action}{}", resource.kind),
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": kind(resource),
        "parameters": parameters.collect::<Value>(),
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
    });
    let content = match verb {
        "post" | "put" => json!({"*/*": reference}),
        "patch" => PATCHES
            .iter()
            .map(|media| ((*media).to_owned(), json!({"schema": {"type": "object"}})))
            .collect(),
        _ => return (verb, operation),
    };
    operation["requestBody"] = json!({"content": content, "required": true});
    (verb, operation)
}

fn kind(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn schema_name(resource: &Resource) -> String {
    let group = if resource.group.is_empty() {
        "core"
    } else {
        &*resource.group
    };
    format!("{group}.{}.{}", resource.version, resource.kind)
}

fn schema(resource: &Resource) -> Value {
    const FIELDS: &str = "The embedded cluster does not describe the fields of its kinds: see \
                          https://kubernetes.io/docs/reference/kubernetes-api/. Which of them have an effect is in the documentation of \
                          steadfast; the others are stored.";
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": FIELDS,
        "x-kubernetes-group-version-kind": [kind(resource)],
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "apiVersion": text("The group and version of the kind."),
            "kind": text("The kind."),
            "metadata": {"type": "object", "description": "Name, namespace, labels, annotations and owners."},
        },
    })
}

fn older(headers: &HeaderMap) -> Answer {
    let accepts = |media: &str| {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        accept.is_some_and(|accept| accept.split([',', ';']).any(|range| range.trim() == media))
    };
    if accepts(PROTOBUF) {
        return response::bytes(ANSWERED, older_as_protobuf());
    }
    let version = super::discovery::version()["gitVersion"].clone();
    let document = json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": version}, "paths": {}, "definitions": {},
    });
    response::json(StatusCode::OK, &document)
}

/// `openapi.v2.Document` of gnostic: `swagger` is its field 1, `info` 2 (with `title` 1 and `version` 2), `paths` 8, `definitions` 9.
fn older_as_protobuf() -> Vec<u8> {
    // A field that has a length: its number, shifted over the wire type 2. All lengths here fit into seven bits.
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8][..], content].concat();
    let version = super::discovery::version();
    let version = version["gitVersion"].as_str().unwrap_or_default();
    let info = [field(1, b"Kubernetes"), field(2, version.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info), field(8, &[]), field(9, &[])].concat()
}
