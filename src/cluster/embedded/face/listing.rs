//! Reads: one object, or the list of a collection, page by page.

mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::path::Item;
use super::query::{Query, not_a_number};
use super::response::Shape;
use super::selector::Selection;
use super::status::Refusal;
use super::tables;
use crate::simulation::api::{ApiChange, ApiError, ApiObject, ApiStore, Resource, Served};
use token::Token;

/// The stored object.
pub(super) fn find(store: &impl ApiStore, item: &Item) -> Result<ApiObject, Refusal> {
    store
        .get(&item.resource, item.namespace.as_deref(), &item.name)
        .ok_or_else(|| {
            Refusal::Store(ApiError::NotFound {
                plural: item.resource.qualified(),
                name: item.name.clone(),
            })
        })
}

/// One object.
pub(super) fn get(store: &impl ApiStore, item: &Item, query: &Query, shape: Shape) -> Result<Value, Refusal> {
    if let Some(requested) = version(query)? {
        reached(store, requested)?;
    }
    let object = find(store, item)?;
    Ok(shape.object(&object, object.version))
}

/// Which state of the collection a list is to show
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
#[derive(Debug, PartialEq, Eq)]
enum State {
    Newest,
    At(u64),
}

impl State {
    /// Whether it is the newest one.
    fn is(&self, newest: u64) -> bool {
        match self {
            Self::Newest => true,
            Self::At(version) => *version == newest,
        }
    }
}

/// The options of a list.
#[derive(Debug)]
pub(super) struct ListOptions {
    state: State,
    limit: Option<usize>,
    token: Option<Token>,
    /// The least version that the answer may have.
    least: u64,
}

impl ListOptions {
    pub(super) fn parse(query: &Query) -> Result<Self, Refusal> {
        // k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go: ValidateListOptions
        let forbidden =
            |field: &str, why: &str| Err(Refusal::option("ListOptions", field, format!("Forbidden: {why}")));
        let matching = query.text("resourceVersionMatch");
        let requested = version(query)?;
        let token = query.text("continue").map(Token::parse).transpose()?;
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        if query.switch("sendInitialEvents").unwrap_or_default() {
            return forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        let field = "resourceVersionMatch";
        let exact = match matching {
            Some(_) if requested.is_none() => {
                return forbidden(
                    field,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            Some(_) if token.is_some() => {
                return forbidden(field, "resourceVersionMatch is forbidden when continue is provided");
            }
            Some("Exact") if requested == Some(0) => {
                return forbidden(
                    field,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
            Some("Exact") => true,
            Some("NotOlderThan") => false,
            Some(other) => {
                let why =
                    format!("Unsupported value: \"{other}\": supported values: \"\", \"Exact\", \"NotOlderThan\"");
                return Err(Refusal::option("ListOptions", field, why));
            }
            // The legacy meaning of a version together with a limit.
            None => limit.is_some(),
        };
        if token.is_some() && requested.is_some_and(|version| version > 0) {
            let why = "specifying resource version is not allowed when using continue";
            return Err(Refusal::BadRequest(why.to_owned()));
        }
        let state = match (&token, requested) {
            (Some(token), _) => token.version.map_or(State::Newest, State::At),
            (None, Some(version)) if exact && version > 0 => State::At(version),
            (None, _) => State::Newest,
        };
        Ok(Self {
            state,
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            token,
            least: requested.unwrap_or(0),
        })
    }
}

/// The list of a collection.
pub(super) fn list(
    store: &impl ApiStore,
    resource: &Served,
    selection: &Selection,
    options: &ListOptions,
    shape: Shape,
) -> Result<Value, Refusal> {
    reached(store, options.least)?;
    // A page of all there is now: only its own objects are looked at.
    if let Some(limit) = options.limit
        && selection.is_everything()
        && options.state.is(store.version())
    {
        let after = options.token.as_ref().map_or(("", ""), Token::place);
        let (objects, remaining) = store.page(resource, selection.namespace(), after, limit);
        return Ok(page(resource, shape, &objects, remaining, store.version(), true));
    }
    let mut objects = store.list(resource, selection.namespace());
    let mut shown = store.version();
    if let State::At(version) = options.state
        && version != shown
    {
        reached(store, version)?;
        let changes = store
            .changes(resource, version)
            .map_err(|_expired| match &options.token {
                Some(token) => Refusal::ContinueExpired {
                    token: token.at_newest().to_string(),
                },
                None => Refusal::ListExpired,
            })?;
        objects = rewind(objects, changes, selection.namespace());
        shown = version;
    }
    if let Some(token) = &options.token {
        let first = objects.partition_point(|object| !token.is_before(object));
        objects.drain(..first);
    }
    objects.retain(|object| selection.matches(object));
    let total = objects.len();
    objects.truncate(options.limit.unwrap_or(total));
    let remaining = total - objects.len();
    Ok(page(
        resource,
        shape,
        &objects,
        remaining,
        shown,
        selection.is_everything(),
    ))
}

/// A list object with what continues it. How much remains is unknown with a selector, as the field's documentation says.
fn page(resource: &Served, shape: Shape, objects: &[ApiObject], remaining: usize, shown: u64, counted: bool) -> Value {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), json!(shown.to_string()));
    if let Some(last) = objects.last().filter(|_| remaining > 0) {
        metadata.insert("continue".to_owned(), json!(Token::after(last, shown).to_string()));
        if counted {
            metadata.insert("remainingItemCount".to_owned(), json!(remaining));
        }
    }
    let items: Vec<Value> = objects.iter().map(|object| item(object, shape)).collect();
    whole(resource, shape, &metadata, &items)
}

/// A list object.
pub(super) fn whole(resource: &Resource, shape: Shape, metadata: &Map<String, Value>, items: &[Value]) -> Value {
    let (kind, api_version) = shape.types(resource);
    if let Shape::Table { .. } = shape {
        return tables::table(Some(tables::columns(resource)), &json!(metadata), items.to_vec());
    }
    json!({"kind": format!("{kind}List"), "apiVersion": api_version, "metadata": metadata, "items": items})
}

/// An object as an item of a list: whole objects leave out their types there, as Kubernetes does.
pub(super) fn item(object: &ApiObject, shape: Shape) -> Value {
    if let Shape::Table { include, now } = shape {
        let whole = Shape::Whole.object(object, object.version);
        return tables::row(&object.resource, whole, include, now);
    }
    let mut item = shape.object(object, object.version);
    if let (Shape::Whole, Some(fields)) = (shape, item.as_object_mut()) {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    item
}

/// Takes changes back: what `objects` were before them.
fn rewind(objects: Vec<ApiObject>, changes: Vec<ApiChange>, namespace: Option<&str>) -> Vec<ApiObject> {
    type Key = (Option<Arc<str>>, Arc<str>);
    let key = |object: &ApiObject| -> Key { (object.namespace.clone(), Arc::clone(&object.name)) };
    let mut state: BTreeMap<Key, ApiObject> = objects.into_iter().map(|object| (key(&object), object)).collect();
    let inside = |change: &ApiChange| namespace.is_none() || change.object.namespace.as_deref() == namespace;
    for change in changes.into_iter().rev().filter(inside) {
        let key = key(&change.object);
        match change.before {
            Some(before) => state.insert(key, before),
            None => state.remove(&key),
        };
    }
    state.into_values().collect()
}

/// The `resourceVersion` parameter of a get or list.
fn version(query: &Query) -> Result<Option<u64>, Refusal> {
    let parse = |text: &str| {
        let why = || format!("invalid resource version: {}", not_a_number("ParseUint", text));
        text.parse().map_err(|_| Refusal::BadRequest(why()))
    };
    query.text("resourceVersion").map(parse).transpose()
}

/// Kubernetes waits three seconds for a version that has not come yet; here none can be on its way.
pub(super) fn reached(store: &impl ApiStore, requested: u64) -> Result<(), Refusal> {
    let current = store.version();
    if requested > current {
        Err(Refusal::FutureVersion { requested, current })
    } else {
        Ok(())
    }
}
