//! Deletes of one object, or of a collection.

use serde_json::{Map, Value, json};

use super::listing::{self, find};
use super::path::Item;
use super::query::{Query, is_dry_run};
use super::response::Shape;
use super::selector::Selection;
use super::status::{Refusal, thing};
use super::writing::json_body;
use crate::simulation::api::{ApiError, ApiObject, ApiStore, DeleteOptions, Propagation, Resource, Served};

/// How a client wants something deleted.
pub(super) struct Options {
    delete: DeleteOptions,
    dry_run: bool,
}

impl Options {
    /// Reads the options from the body; without one, from the parameters (`endpoints/handlers/delete.go`).
    pub(super) fn parse(body: &[u8], query: &Query) -> Result<Self, Refusal> {
        let body = if body.is_empty() { json!({}) } else { json_body(body)? };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let grace = match &body["gracePeriodSeconds"] {
            Value::Null => query.number("gracePeriodSeconds")?,
            seconds => Some(seconds.as_u64().ok_or_else(|| {
                let why = format!("Invalid value: {seconds}: must be greater than or equal to 0");
                Refusal::option("DeleteOptions", "gracePeriodSeconds", why)
            })?),
        };
        let policy = text(&body["propagationPolicy"]).or_else(|| query.text("propagationPolicy").map(str::to_owned));
        let orphans = body["orphanDependents"]
            .as_bool()
            .or_else(|| query.switch("orphanDependents"));
        let propagation = match policy.as_deref() {
            None if orphans.unwrap_or_default() => Propagation::Orphan,
            None | Some("Background") => Propagation::Background,
            Some("Orphan") => Propagation::Orphan,
            Some("Foreground") => Propagation::Foreground,
            Some(other) => {
                let why = format!(
                    "Unsupported value: \"{other}\": supported values: \"Background\", \"Foreground\", \"Orphan\""
                );
                return Err(Refusal::option("DeleteOptions", "propagationPolicy", why));
            }
        };
        let dry_run = match body["dryRun"].as_array().and_then(|values| values.first()) {
            Some(value) => is_dry_run(value.as_str().unwrap_or_default(), "DeleteOptions")?,
            None => query.dry_run("DeleteOptions")?,
        };
        let conditions = &body["preconditions"];
        let delete = DeleteOptions {
            grace,
            uid: text(&conditions["uid"]),
            version: text(&conditions["resourceVersion"]),
            propagation,
        };
        Ok(Self { delete, dry_run })
    }
}

impl Options {
    /// How it is deleted.
    pub(super) const fn delete(&self) -> &DeleteOptions {
        &self.delete
    }

    /// Whether nothing is to change.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

/// Deletes an object. Answers with the object when it is still there, or when it is of a kind that is always returned;
/// else with a `Status`.
pub(super) fn delete(
    store: &mut impl ApiStore,
    item: &Item,
    options: &Options,
    shape: Shape,
) -> Result<Value, Refusal> {
    let (object, gone) = if options.dry_run {
        let object = find(store, item)?;
        check(&object, &options.delete)?;
        (object, true)
    } else {
        store.delete(&item.resource, item.namespace.as_deref(), &item.name, &options.delete)?
    };
    if !gone || is_returned(&item.resource) {
        return Ok(shape.object(&object, object.version));
    }
    let mut details = thing(&item.resource.qualified(), &item.name);
    if let Some(uid) = object.body.project()["metadata"]["uid"].as_str() {
        details["uid"] = json!(uid);
    }
    Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
}

/// Deletes what is selected of a collection. Answers with the list of it.
pub(super) fn delete_collection(
    store: &mut impl ApiStore,
    resource: &Served,
    selection: &Selection,
    options: &Options,
    shape: Shape,
) -> Result<Value, Refusal> {
    let mut objects = store.list(resource, selection.namespace());
    objects.retain(|object| selection.matches(object));
    let mut items = Vec::with_capacity(objects.len());
    for object in objects {
        if options.dry_run {
            items.push(listing::item(&object, shape));
            continue;
        }
        match store.delete(resource, object.namespace.as_deref(), &object.name, &options.delete) {
            Ok((last, _gone)) => items.push(listing::item(&last, shape)),
            // One deletion may take others along.
            Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), json!(store.version().to_string()));
    Ok(listing::whole(resource, shape, &metadata, &items))
}

/// Whether a delete answers with the object although it is gone (`ReturnDeletedObject` in `pkg/registry/core`).
fn is_returned(resource: &Resource) -> bool {
    const RETURNED: [&str; 7] = [
        "pods",
        "podtemplates",
        "services",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
    ];
    resource.group.is_empty() && RETURNED.contains(&&*resource.plural)
}

/// The preconditions of a deletion that is only tried (`k8s.io/apiserver/pkg/storage/interfaces.go`).
fn check(object: &ApiObject, options: &DeleteOptions) -> Result<(), Refusal> {
    let conflict = |why: String| {
        let (plural, name) = (object.resource.qualified(), (*object.name).to_owned());
        Err(Refusal::Store(ApiError::Conflict { plural, name, why }))
    };
    let whole = object.body.project();
    let actual = whole["metadata"]["uid"].as_str().unwrap_or_default();
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != actual) {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}");
        return conflict(why);
    }
    let actual = object.version.to_string();
    if let Some(version) = options.version.as_deref().filter(|version| *version != actual) {
        return conflict(format!(
            "Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {actual}"
        ));
    }
    Ok(())
}
