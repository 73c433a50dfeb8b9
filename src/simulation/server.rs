//! The world as an API server's store: reads, commands and what they set off.

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::{ApiChange, ApiError, ApiObject, ApiStore, DeleteOptions, Expired, Part, Project, Resource, Served};
use super::objects::budget::Budget;
use super::objects::meta::Meta;
use super::objects::resources::RESOURCES;
use super::objects::table::{Change, Row, Table};
use super::objects::{parse, unmodelled};
use super::world::World;
use services::keep_addresses;

/// Runs an expression on the table of a resource; with `[&mut]` in front on one that it may change.
macro_rules! with_table {
    ([$($borrow:tt)+] $store:expr, $resource:expr, $table:ident => $do:expr) => {
        match $resource.own_plural() {
            "namespaces" => {
                let $table = $($borrow)+ $store.namespaces;
                $do
            }
            "nodes" => {
                let $table = $($borrow)+ $store.nodes;
                $do
            }
            "pods" => {
                let $table = $($borrow)+ $store.pods;
                $do
            }
            "services" => {
                let $table = $($borrow)+ $store.services;
                $do
            }
            "deployments" => {
                let $table = $($borrow)+ $store.deployments;
                $do
            }
            "replicasets" => {
                let $table = $($borrow)+ $store.replica_sets;
                $do
            }
            "daemonsets" => {
                let $table = $($borrow)+ $store.daemon_sets;
                $do
            }
            "poddisruptionbudgets" => {
                let $table = $($borrow)+ $store.budgets;
                $do
            }
            "jobs" => {
                let $table = $($borrow)+ $store.jobs;
                $do
            }
            "endpointslices" => {
                let $table = $($borrow)+ $store.slices;
                $do
            }
            "events" => {
                let $table = $($borrow)+ $store.events;
                $do
            }
            "leases" => {
                let $table = $($borrow)+ $store.leases;
                $do
            }
            "statefulsets" => {
                let $table = $($borrow)+ $store.stateful_sets;
                $do
            }
            "controllerrevisions" => {
                let $table = $($borrow)+ $store.controller_revisions;
                $do
            }
            "persistentvolumeclaims" => {
                let $table = $($borrow)+ $store.claims;
                $do
            }
            "persistentvolumes" => {
                let $table = $($borrow)+ $store.volumes;
                $do
            }
            "storageclasses" => {
                let $table = $($borrow)+ $store.storage_classes;
                $do
            }
            "horizontalpodautoscalers" => {
                let $table = $($borrow)+ $store.pod_autoscalers;
                $do
            }
            "volumeattachments" => {
                let $table = $($borrow)+ $store.volume_attachments;
                $do
            }
            _ => {
                let index = $store.index($resource);
                let $table = $($borrow)+ $store.stored[index];
                $do
            }
        }
    };
    ($store:expr, $resource:expr, $table:ident => $do:expr) => {
        with_table!([&] $store, $resource, $table => $do)
    };
}

mod binding;
mod evicting;
mod jobs;
mod nodes;
mod placing;
mod refusing;
mod removing;
mod services;
mod stateful;
mod stored;
pub mod tables;
mod workloads;

fn object<T>(resource: &Served, row: &Arc<Row<T>>) -> ApiObject
where
    Row<T>: Project + 'static,
{
    let body: Arc<dyn Project> = if resource.custom {
        // The same object in all versions of its kind.
        Arc::new(Versioned {
            object: row.clone(),
            api_version: resource.api_version(),
        })
    } else {
        row.clone()
    };
    ApiObject {
        resource: resource.clone(),
        version: row.meta.version,
        namespace: resource.namespaced.then(|| row.meta.namespace.clone()),
        name: row.meta.name.clone(),
        labels: row.meta.labels.clone(),
        body,
    }
}

fn change<T>(resource: &Served, change: &Change<T>) -> ApiChange
where
    Row<T>: Project + 'static,
{
    ApiChange {
        version: change.version,
        object: object(resource, &change.row),
        before: change.before.as_ref().map(|row| object(resource, row)),
        deleted: change.deleted,
    }
}

fn find<T: Clone>(table: &Table<T>, resource: &Served, namespace: Option<&str>, name: &str) -> Option<ApiObject>
where
    Row<T>: Project + 'static,
{
    let row = table.find(if resource.namespaced { namespace? } else { "" }, name)?;
    table.shared(row).map(|row| object(resource, row))
}

use refusing::{conflict, full_kind, missing};
use stored::Versioned;
use tables::take_meta;

/// The namespace and name in an object's metadata.
fn identity(resource: &Resource, object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (
        if resource.namespaced {
            text("namespace")
        } else {
            String::new()
        },
        text("name"),
    )
}

impl ApiStore for World {
    fn resources(&self) -> Vec<Served> {
        RESOURCES.iter().cloned().chain(self.store.customs.served()).collect()
    }

    fn version(&self) -> u64 {
        self.store.versions.current()
    }

    fn get(&self, resource: &Served, namespace: Option<&str>, name: &str) -> Option<ApiObject> {
        with_table!(self.store, resource, table => find(table, resource, namespace, name))
    }

    fn list(&self, resource: &Served, namespace: Option<&str>) -> Vec<ApiObject> {
        with_table!(self.store, resource, table => table.by_name(namespace).map(|(_, row)| object(resource, row)).collect())
    }

    fn page(
        &self,
        resource: &Served,
        namespace: Option<&str>,
        after: (&str, &str),
        limit: usize,
    ) -> (Vec<ApiObject>, usize) {
        with_table!(self.store, resource, table => {
            let mut rows = table.after(namespace, after);
            let first = rows.by_ref().take(limit).map(|(_, row)| object(resource, row)).collect();
            (first, rows.count())
        })
    }

    fn changes(&self, resource: &Served, after: u64) -> Result<Vec<ApiChange>, Expired> {
        with_table!(self.store, resource, table => Ok(table.changes(after)?.map(|it| change(resource, it)).collect()))
    }

    fn create(&mut self, resource: &Served, mut object: Value, dry_run: bool) -> Result<ApiObject, ApiError> {
        let (namespace, mut name) = identity(resource, &object);
        if name.is_empty()
            && let Some(base) = object["metadata"]["generateName"].as_str()
        {
            name = format!("{base}{}", self.suffix());
            object["metadata"]["name"] = json!(name);
        }
        if resource.namespaced {
            match self
                .store
                .namespaces
                .find("", &namespace)
                .and_then(|row| self.store.namespaces.get(row))
            {
                None => {
                    return Err(ApiError::NotFound {
                        plural: "namespaces".to_owned(),
                        name: namespace,
                    });
                }
                Some(row) if row.meta.deletion.is_some() => {
                    return Err(ApiError::Forbidden(format!(
                        "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being \
                         terminated",
                        resource.qualified()
                    )));
                }
                Some(_) => {}
            }
        }
        if self.get(resource, Some(&namespace), &name).is_some() {
            return Err(ApiError::AlreadyExists {
                plural: resource.qualified(),
                name,
            });
        }
        if dry_run {
            let mut trial = self.clone();
            return trial.create(resource, object, false);
        }
        self.admit_object(resource, &namespace, &name, &mut object)?;
        self.insert(resource, &object)?;
        if resource.custom {
            self.not_modelled
                .insert(format!("{}/{name}: the whole kind", resource.kind));
        } else {
            self.not_modelled
                .extend(unmodelled::unmodelled(&resource.kind, &name, &object));
        }
        self.created(resource, &namespace, &object);
        if let Some(place) = self.place(resource, &namespace, &name) {
            self.index_references(place);
        }
        self.get(resource, Some(&namespace), &name)
            .ok_or_else(|| missing(resource, &name))
    }

    fn replace(&mut self, resource: &Served, object: Value, part: Part, dry_run: bool) -> Result<ApiObject, ApiError> {
        let (namespace, name) = identity(resource, &object);
        let Some(stored) = self.get(resource, Some(&namespace), &name) else {
            return Err(missing(resource, &name));
        };
        if let Some(wanted) = object["metadata"]["resourceVersion"]
            .as_str()
            .filter(|version| !version.is_empty())
            && wanted != stored.version.to_string()
        {
            return Err(conflict(
                resource,
                &name,
                "the object has been modified; please apply your changes to the latest version and try again",
            ));
        }
        if dry_run {
            let mut trial = self.clone();
            return trial.replace(resource, object, part, false);
        }
        let place = self.place(resource, &namespace, &name).filter(|_| part == Part::Main);
        if let Some(place) = place {
            self.check_finalizers(place, &object)?;
        }
        self.update(resource, &namespace, &name, &object, part)?;
        self.admission_changed(resource, &namespace);
        let written = self.get(resource, Some(&namespace), &name);
        if let Some(place) = place {
            self.settle(place);
        }
        // One that goes with its last finalizer is answered as it was written.
        self.get(resource, Some(&namespace), &name)
            .or(written)
            .ok_or_else(|| missing(resource, &name))
    }

    fn delete(
        &mut self,
        resource: &Served,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(ApiObject, bool), ApiError> {
        let Some(stored) = self.get(resource, namespace, name) else {
            return Err(missing(resource, name));
        };
        let shown = stored.body.project();
        let differs = |wanted: Option<&String>, field: &str| {
            wanted.is_some_and(|wanted| shown["metadata"][field].as_str() != Some(wanted))
        };
        if differs(options.uid.as_ref(), "uid") || differs(options.version.as_ref(), "resourceVersion") {
            return Err(conflict(resource, name, "Precondition failed"));
        }
        self.remove(resource, namespace.unwrap_or_default(), name, options);
        self.admission_changed(resource, namespace.unwrap_or_default());
        match self.get(resource, namespace, name) {
            Some(left) => Ok((left, false)),
            None => Ok((stored, true)),
        }
    }

    fn evict(&mut self, namespace: &str, pod: &str, options: &DeleteOptions, dry_run: bool) -> Result<(), ApiError> {
        self.evict_pod(namespace, pod, options, dry_run)
    }

    fn bind(&mut self, namespace: &str, pod: &str, node: &str, dry_run: bool) -> Result<(), ApiError> {
        self.bind_pod(namespace, pod, node, dry_run)
    }

    fn set_managers(&mut self, resource: &Served, namespace: Option<&str>, name: &str, managers: Option<Arc<Value>>) {
        let space = namespace.filter(|_| resource.namespaced).unwrap_or_default();
        with_table!([&mut] self.store, resource, table => {
            if let Some(row) = table.find(space, name) {
                table.amend(row, |it| it.meta.managed = managers);
            }
        });
    }

    fn pod_log(&self, namespace: &str, pod: &str) -> Option<Vec<String>> {
        let row = self.store.pods.find(namespace, pod)?;
        Some(
            self.logs
                .get(&row)
                .map(|lines| lines.iter().cloned().collect())
                .unwrap_or_default(),
        )
    }
}

impl World {
    fn stamped(&self, mut meta: Meta) -> Meta {
        meta.created = self.now;
        meta.generation = 1;
        meta
    }

    fn insert(&mut self, resource: &Served, object: &Value) -> Result<(), ApiError> {
        let now = self.now;
        match resource.own_plural() {
            "namespaces" => {
                let (meta, body) = parse::namespace(object)?;
                let meta = self.stamped(meta);
                self.scheduler.set_namespace(&meta.name, &meta.labels);
                self.store.namespaces.insert(&mut self.store.versions, meta, body);
            }
            "pods" => {
                let (meta, mut body) = parse::pod(object)?;
                let mut meta = self.stamped(meta);
                self.admit_pod(&mut meta, &mut body)?;
                self.insert_pod(meta, body);
            }
            "deployments" => {
                let (meta, body) = parse::deployment(object)?;
                let meta = self.stamped(meta);
                let row = self.store.deployments.insert(&mut self.store.versions, meta, body);
                self.deployment_changed(row);
            }
            "replicasets" => {
                let (meta, body) = parse::replica_set(object)?;
                let meta = self.stamped(meta);
                let row = self.store.replica_sets.insert(&mut self.store.versions, meta, body);
                self.replica_set_changed(row);
            }
            "daemonsets" => {
                let (meta, body) = parse::daemon_set(object)?;
                let meta = self.stamped(meta);
                self.store.daemon_sets.insert(&mut self.store.versions, meta, body);
                self.daemon_sets_changed();
            }
            "poddisruptionbudgets" => {
                let (meta, body) = parse::budget(object)?;
                let meta = self.stamped(meta);
                let row = self.store.budgets.insert(&mut self.store.versions, meta, body);
                self.budget_changed(row);
            }
            "services" => self.insert_service(object)?,
            "jobs" => self.insert_job(object)?,
            "events" => {
                let (meta, body) = parse::event(object)?;
                let meta = self.stamped(meta);
                self.store.events.insert(&mut self.store.versions, meta, body);
            }
            "leases" => {
                let (meta, mut body) = parse::lease(object)?;
                body.renewed = now;
                let meta = self.stamped(meta);
                self.store.leases.insert(&mut self.store.versions, meta, body);
            }
            "statefulsets"
            | "persistentvolumeclaims"
            | "persistentvolumes"
            | "storageclasses"
            | "horizontalpodautoscalers" => {
                self.insert_stateful(resource, object)?;
            }
            "nodes" | "endpointslices" | "controllerrevisions" | "volumeattachments" => {
                return Err(ApiError::Forbidden(format!(
                    "{} are made by the embedded cluster itself: change its profile instead",
                    resource.plural
                )));
            }
            _ => {
                self.insert_stored(resource, object)?;
            }
        }
        Ok(())
    }

    fn update(
        &mut self,
        resource: &Served,
        namespace: &str,
        name: &str,
        object: &Value,
        part: Part,
    ) -> Result<(), ApiError> {
        let space = if resource.namespaced { namespace } else { "" };
        if part == Part::Status {
            // Controllers own the status of what the simulation models; a written one is accepted and not kept, but for the
            // extended resources of nodes, which users advertise so.
            if resource.own_plural() == "nodes" {
                self.advertise(name, object);
            }
            self.update_stored_status(resource, space, name, object);
            return Ok(());
        }
        match resource.own_plural() {
            "deployments" => self.update_deployment(space, name, object)?,
            "replicasets" => self.update_replica_set(space, name, object)?,
            "daemonsets" => self.update_daemon_set(space, name, object)?,
            "jobs" => self.update_job(space, name, object)?,
            "pods" => {
                let (meta, body) = parse::pod(object)?;
                let Some(row) = self.store.pods.find(space, name) else {
                    return Ok(());
                };
                if let Some(old) = self.store.pod(row) {
                    parse::check_update_pod(old, &body)?;
                }
                self.pod_changed(row);
                self.store.change_pod(row, |it| take_meta(&mut it.meta, &meta));
                self.open_gates(row, &body.template);
                self.pod_changed(row);
            }
            "services" => {
                let (meta, body) = parse::service(object)?;
                let Some(row) = self.store.services.find(space, name) else {
                    return Ok(());
                };
                if let Some(old) = self.store.services.get(row) {
                    parse::check_update_service(old, &body)?;
                }
                self.store.services.update(&mut self.store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body.selector = body.selector;
                    it.body.spec = keep_addresses(&it.body.spec, &body.spec);
                });
                self.route_service(row);
                self.service_changed(row);
            }
            "poddisruptionbudgets" => {
                let (meta, body) = parse::budget(object)?;
                let Some(row) = self.store.budgets.find(space, name) else {
                    return Ok(());
                };
                self.store.budgets.update(&mut self.store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.meta.generation += u64::from(it.body.spec != body.spec);
                    let status = std::mem::take(&mut it.body.status);
                    it.body = Budget { status, ..body };
                });
                self.budget_changed(row);
            }
            "nodes" => self.update_node(name, object)?,
            "namespaces" => {
                let (meta, _) = parse::namespace(object)?;
                let Some(row) = self.store.namespaces.find("", name) else {
                    return Ok(());
                };
                self.scheduler.set_namespace(&meta.name, &meta.labels);
                self.store
                    .namespaces
                    .update(&mut self.store.versions, row, |it| take_meta(&mut it.meta, &meta));
            }
            "leases" => {
                let (meta, body) = parse::lease(object)?;
                let Some(row) = self.store.leases.find(space, name) else {
                    return Ok(());
                };
                self.store.leases.update(&mut self.store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body = body;
                });
            }
            "statefulsets"
            | "persistentvolumeclaims"
            | "persistentvolumes"
            | "storageclasses"
            | "horizontalpodautoscalers" => {
                self.update_stateful(resource, space, name, object)?;
            }
            "endpointslices" | "events" | "controllerrevisions" | "volumeattachments" => {
                return Err(ApiError::Forbidden(format!(
                    "{} cannot be changed on the embedded cluster",
                    resource.plural
                )));
            }
            _ => {
                self.update_stored(resource, space, name, object)?;
            }
        }
        Ok(())
    }
}
