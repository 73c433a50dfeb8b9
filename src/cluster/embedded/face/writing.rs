//! Creates, replaces and patches.

mod body;
mod decode;
mod validation;

use std::sync::Arc;

use http::HeaderMap;
use http::header::USER_AGENT;
use serde_json::{Value, json};

use super::listing::find;
use super::ownership::{Managers, Refused, Writer};
use super::patching::{self, Kind};
use super::path::{Facet, Item};
use super::query::Query;
use super::response::Shape;
use super::status::Refusal;
use crate::simulation::api::{ApiError, ApiObject, ApiStore, Part, Project, Resource, Served};
pub(super) use body::{Content, check_name, json_body, media_type};
pub(super) use decode::Body;
use validation::Validation;

/// The longest name of a manager (`endpoints/handlers/create.go`: `prefixFromUserAgent`,
/// `apis/meta/v1/validation/validation.go`: `FieldManagerMaxLength`).
const LONGEST_MANAGER: usize = 128;

/// How a client wants something written.
pub(super) struct Options {
    dry_run: bool,
    manager: String,
    /// Whether the manager was named, rather than taken from the client's name.
    named: bool,
    force: bool,
    validation: Validation,
    /// The cluster's time, as it is written.
    time: String,
}

impl Options {
    /// Reads the options of a create, update or patch (`kind`, as messages have it).
    pub(super) fn parse(query: &Query, headers: &HeaderMap, kind: &'static str, time: String) -> Result<Self, Refusal> {
        let named = query.text("fieldManager");
        if let Some(name) = named.filter(|name| name.len() > LONGEST_MANAGER) {
            let why = format!(
                "Too long: may not be more than {LONGEST_MANAGER} bytes: {} are given",
                name.len()
            );
            return Err(Refusal::option(kind, "fieldManager", why));
        }
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.and_then(|agent| agent.split('/').next()).unwrap_or_default();
        let agent: String = agent.chars().take(LONGEST_MANAGER).collect();
        Ok(Self {
            dry_run: query.dry_run(kind)?,
            manager: named.map_or(agent, str::to_owned),
            named: named.is_some(),
            force: query.switch("force").unwrap_or_default(),
            validation: Validation::parse(query, kind)?,
            time,
        })
    }

    /// Whether nothing is to change.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn writer<'w>(&'w self, resource: &'w Resource, subresource: &'w str) -> Writer<'w> {
        Writer {
            resource,
            manager: &self.manager,
            subresource,
            time: &self.time,
        }
    }
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The object.
    pub object: ApiObject,
    /// Whether it is new.
    pub created: bool,
    /// What the client should know.
    pub warnings: Vec<String>,
}

/// Creates an object in a collection. A `generateName` is the store's to complete, from the cluster's own chance.
pub(super) fn create(
    store: &mut impl ApiStore,
    resource: &Served,
    namespace: Option<&str>,
    content: &Content,
    options: &Options,
) -> Result<Written, Refusal> {
    let read = content.object(resource)?;
    let warnings = options.validation.of_object(resource, &read)?;
    let mut object = read.value;
    body::settle_namespace(&mut object, namespace)?;
    if object["metadata"]["resourceVersion"]
        .as_str()
        .is_some_and(|version| !version.is_empty() && version != "0")
    {
        return Err(Refusal::VersionOnCreate);
    }
    body::check_named(&object, resource)?;
    let managers = take_managers(&mut object).unwrap_or_default();
    let created = store.create(resource, object, options.dry_run)?;
    let after = bare(&created);
    let managers = options.writer(resource, "").update(None, &after, managers);
    Ok(Written {
        object: settle(store, created, &managers, options.dry_run),
        created: true,
        warnings,
    })
}

/// Replaces an object, or its status.
pub(super) fn replace(
    store: &mut impl ApiStore,
    item: &Item,
    content: &Content,
    options: &Options,
) -> Result<Written, Refusal> {
    let read = content.object(&item.resource)?;
    let warnings = options.validation.of_object(&item.resource, &read)?;
    let mut object = read.value;
    body::check_name(&object, item)?;
    body::settle_namespace(&mut object, item.namespace.as_deref())?;
    let live = find(store, item)?;
    let object = update(store, item, &live, object, options)?;
    Ok(Written {
        object,
        created: false,
        warnings,
    })
}

/// Patches an object, or its status.
pub(super) fn patch(
    store: &mut impl ApiStore,
    item: &Item,
    kind: Kind,
    body: &[u8],
    options: &Options,
) -> Result<Written, Refusal> {
    if kind == Kind::Apply {
        return apply(store, item, body, options);
    }
    if options.force {
        let why = "Forbidden: may not be specified for non-apply patch";
        return Err(Refusal::option("PatchOptions", "force", why.to_owned()));
    }
    let read = kind.read(body)?;
    let stored = find(store, item)?;
    // As it is now, its version included: a patch that names another version conflicts.
    let whole = Shape::Whole.object(&stored, stored.version);
    let object = patching::patched(kind, &item.resource, &whole, &read.value)?;
    let warnings = options.validation.of_patch(&item.resource, &object, &read)?;
    body::check_types(&object, &item.resource)?;
    body::check_name(&object, item)?;
    let object = if object == whole {
        stored
    } else {
        update(store, item, &stored, object, options)?
    };
    Ok(Written {
        object,
        created: false,
        warnings,
    })
}

/// Applies an object: server-side apply.
fn apply(store: &mut impl ApiStore, item: &Item, body: &[u8], options: &Options) -> Result<Written, Refusal> {
    if !options.named {
        let why = "Required value: is required for apply patch";
        return Err(Refusal::option("PatchOptions", "fieldManager", why.to_owned()));
    }
    let read = Kind::Apply.read(body)?;
    let warnings = options.validation.of_applied(&read)?;
    let mut applied = read.value;
    let resource = &item.resource;
    let version = applied["apiVersion"].as_str().unwrap_or_default();
    if version != resource.api_version() {
        return Err(Refusal::BadRequest(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {}",
            resource.api_version()
        )));
    }
    if applied["metadata"]
        .get("managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(Refusal::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    body::check_types(&applied, resource)?;
    body::check_name(&applied, item)?;
    body::settle_namespace(&mut applied, item.namespace.as_deref())?;
    let live = find(store, item).ok();
    if live.is_none() && item.facet != Facet::Whole {
        find(store, item)?;
    }
    let stored = live.as_ref().map(|live| {
        let mut whole = Shape::Whole.object(live, live.version);
        let managers = take_managers(&mut whole).unwrap_or_default();
        (whole, managers)
    });
    let (before, managers) = stored.map_or_else(Default::default, |(whole, managers)| (Some(whole), managers));
    let subresource = subresource(item);
    let writer = options.writer(resource, subresource);
    let force = options.force;
    let (merged, managers) = writer
        .apply(before.as_ref(), &applied, managers, force)
        .map_err(|refused| refusal(refused, item))?;
    let object = match (&live, &before) {
        (Some(live), Some(before)) if *before == merged => {
            // Nothing changes but, at most, who owns what.
            let known = bare_managers(live);
            if same_owners(&known, &managers) {
                live.clone()
            } else {
                settle_anew(store, live, before.clone(), part(item)?, &managers, options)?
            }
        }
        (Some(_), _) => {
            let replaced = store.replace(resource, merged, part(item)?, options.dry_run)?;
            settle(store, replaced, &managers, options.dry_run)
        }
        (None, _) => {
            if applied["metadata"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()) {
                let why = "Precondition failed: UID in precondition: does not match, UID in object meta: ".to_owned();
                let (plural, name) = (resource.qualified(), item.name.clone());
                return Err(Refusal::Store(ApiError::Conflict { plural, name, why }));
            }
            let created = store.create(resource, merged, options.dry_run)?;
            settle(store, created, &managers, options.dry_run)
        }
    };
    Ok(Written {
        object,
        created: live.is_none(),
        warnings,
    })
}

fn refusal(refused: Refused, item: &Item) -> Refusal {
    match refused {
        Refused::Conflicts(conflicts) => Refusal::ApplyConflict(conflicts),
        Refused::Type(mismatches) => {
            let mismatches: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
            let mismatches = match mismatches.as_slice() {
                [one] => one.clone(),
                all => {
                    let lines: Vec<String> = all.iter().map(|one| format!("  {one}")).collect();
                    format!("errors:\n{}", lines.join("\n"))
                }
            };
            let resource = &item.resource;
            let space = item.namespace.as_deref().unwrap_or_default();
            Refusal::Plain(format!(
                "failed to create typed patch object ({space}/{}; {}, Kind={}): {mismatches}",
                item.name,
                resource.api_version(),
                resource.kind
            ))
        }
    }
}

/// An ordinary update: the object as it will be, and who owns what of it then.
fn update(
    store: &mut impl ApiStore,
    item: &Item,
    live: &ApiObject,
    mut object: Value,
    options: &Options,
) -> Result<ApiObject, Refusal> {
    let before = bare(live);
    let known = bare_managers(live);
    // Through a subresource nobody changes the managers; nor does who does not know of them.
    let managers = match take_managers(&mut object) {
        Some(managers) if item.facet == Facet::Whole => managers,
        Some(_) | None => known,
    };
    let replaced = store.replace(&item.resource, object, part(item)?, options.dry_run)?;
    let after = bare(&replaced);
    let managers = options
        .writer(&item.resource, subresource(item))
        .update(Some(&before), &after, managers);
    Ok(settle(store, replaced, &managers, options.dry_run))
}

/// Keeps what `scale` has changed of an object.
pub(super) fn scaled(
    store: &mut impl ApiStore,
    item: &Item,
    live: &ApiObject,
    object: Value,
    options: &Options,
) -> Result<ApiObject, Refusal> {
    let before = bare(live);
    let managers = bare_managers(live);
    let replaced = store.replace(&item.resource, object, Part::Main, options.dry_run)?;
    let after = bare(&replaced);
    let managers = options
        .writer(&item.resource, "scale")
        .update(Some(&before), &after, managers);
    Ok(settle(store, replaced, &managers, options.dry_run))
}

/// Writes an object again as it is, because its owners have changed.
fn settle_anew(
    store: &mut impl ApiStore,
    live: &ApiObject,
    whole: Value,
    part: Part,
    managers: &Managers,
    options: &Options,
) -> Result<ApiObject, Refusal> {
    let replaced = store.replace(&live.resource, whole, part, options.dry_run)?;
    Ok(settle(store, replaced, managers, options.dry_run))
}

/// Gives a written object its managers.
fn settle(store: &mut impl ApiStore, written: ApiObject, managers: &Managers, dry_run: bool) -> ApiObject {
    let managed = (!managers.0.is_empty()).then(|| Arc::new(managers.to_json()));
    if !dry_run {
        store.set_managers(
            &written.resource,
            written.namespace.as_deref(),
            &written.name,
            managed.clone(),
        );
        if let Some(stored) = store.get(&written.resource, written.namespace.as_deref(), &written.name) {
            return stored;
        }
    }
    let mut whole = written.body.project();
    if let Some(managed) = managed {
        whole["metadata"]["managedFields"] = Value::clone(&managed);
    }
    ApiObject {
        body: Arc::new(Fixed(whole)),
        ..written
    }
}

/// An object that is only shown.
#[derive(Debug)]
struct Fixed(Value);

impl Project for Fixed {
    fn project(&self) -> Value {
        self.0.clone()
    }
}

/// An object without its managers.
fn bare(object: &ApiObject) -> Value {
    let mut whole = object.body.project();
    if let Some(metadata) = whole["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    whole
}

fn bare_managers(object: &ApiObject) -> Managers {
    take_managers(&mut object.body.project()).unwrap_or_default()
}

/// Takes the managers out of an object. None: it says nothing of them, or nothing that makes sense. An empty list, or one
/// of one empty entry, resets them (`pkg/util/managedfields/internal/fieldmanager.go`: `isResetManagedFields`).
fn take_managers(object: &mut Value) -> Option<Managers> {
    let entries = object["metadata"].as_object_mut()?.remove("managedFields")?;
    let all = entries.as_array()?;
    if all.is_empty() || (all.len() == 1 && all[0] == json!({})) {
        return Some(Managers::default());
    }
    Managers::from_json(&entries).filter(|managers| !managers.0.is_empty())
}

/// Whether two have the same owners, whenever they came to own.
fn same_owners(left: &Managers, right: &Managers) -> bool {
    left.0.len() == right.0.len()
        && left
            .0
            .iter()
            .zip(&right.0)
            .all(|((one, mine), (other, theirs))| one == other && mine.fields == theirs.fields)
}

/// The subresource that an item's path writes through; empty for the object itself.
fn subresource(item: &Item) -> &'static str {
    match item.facet {
        Facet::Status => "status",
        _ => "",
    }
}

/// The part of an object that its path writes.
fn part(item: &Item) -> Result<Part, Refusal> {
    match item.facet {
        Facet::Whole => Ok(Part::Main),
        Facet::Status => Ok(Part::Status),
        _ => Err(Refusal::Method),
    }
}
