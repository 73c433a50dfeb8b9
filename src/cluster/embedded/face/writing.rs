//! Creates, replaces and patches.

mod body;

use http::HeaderMap;
use serde_json::Value;

use super::listing::find;
use super::path::{Facet, Item};
use super::query::Query;
use super::response::Shape;
use super::status::Refusal;
use crate::simulation::api::{ApiObject, ApiStore, Part, Served, merge};
pub(super) use body::{Content, json_body};

/// Creates an object in a collection. A `generateName` is the store's to complete, from the cluster's own chance.
pub(super) fn create(
    store: &mut impl ApiStore,
    resource: &Served,
    namespace: Option<&str>,
    content: &Content,
    query: &Query,
) -> Result<ApiObject, Refusal> {
    let dry_run = query.dry_run("CreateOptions")?;
    let mut object = content.object(resource)?;
    body::settle_namespace(&mut object, namespace)?;
    if object["metadata"]["resourceVersion"]
        .as_str()
        .is_some_and(|version| !version.is_empty() && version != "0")
    {
        return Err(Refusal::VersionOnCreate);
    }
    body::check_named(&object, resource)?;
    Ok(store.create(resource, object, dry_run)?)
}

/// Replaces an object, or its status.
pub(super) fn replace(
    store: &mut impl ApiStore,
    item: &Item,
    content: &Content,
    query: &Query,
) -> Result<ApiObject, Refusal> {
    let dry_run = query.dry_run("UpdateOptions")?;
    let mut object = content.object(&item.resource)?;
    body::check_name(&object, item)?;
    body::settle_namespace(&mut object, item.namespace.as_deref())?;
    Ok(store.replace(&item.resource, object, part(item)?, dry_run)?)
}

/// Merges a patch into an object, or into its status (RFC 7396).
pub(super) fn patch(
    store: &mut impl ApiStore,
    item: &Item,
    patch: &Value,
    query: &Query,
) -> Result<ApiObject, Refusal> {
    let dry_run = query.dry_run("PatchOptions")?;
    let stored = find(store, item)?;
    // As it is now, its version included: a patch that names another version conflicts.
    let mut object = Shape::Whole.object(&stored, stored.version);
    merge(&mut object, patch);
    body::check_types(&object, &item.resource)?;
    body::check_name(&object, item)?;
    Ok(store.replace(&item.resource, object, part(item)?, dry_run)?)
}

/// Whether a body is a merge patch, by its `Content-Type`.
pub(super) fn check_patch_type(headers: &HeaderMap) -> Result<(), Refusal> {
    const ACCEPTED: &str = "application/merge-patch+json";
    let kind = body::media_type(headers);
    match kind.as_deref() {
        Some(ACCEPTED) => Ok(()),
        Some(
            known @ ("application/json-patch+json"
            | "application/strategic-merge-patch+json"
            | "application/apply-patch+yaml"
            | "application/apply-patch+cbor"),
        ) => Err(Refusal::Patch {
            kind: known.to_owned(),
            accepted: ACCEPTED,
        }),
        Some(_) | None => Err(Refusal::MediaType(ACCEPTED)),
    }
}

/// The part of an object that its path writes.
fn part(item: &Item) -> Result<Part, Refusal> {
    match item.facet {
        Facet::Whole => Ok(Part::Main),
        Facet::Status => Ok(Part::Status),
        Facet::Log => Err(Refusal::Method),
    }
}
