//! Deletion of objects: what each kind takes along.

use std::sync::Arc;

use crate::model::history::What;
use crate::model::time::Span;
use crate::simulation::api::{ApiStore as _, DeleteOptions, Served};
use crate::simulation::event::Event;
use crate::simulation::objects::resources::{self, FIRST_STORED, RESOURCES};
use crate::simulation::world::World;

impl World {
    pub(super) fn remove(&mut self, resource: &Served, namespace: &str, name: &str, options: &DeleteOptions) {
        let space = if resource.namespaced { namespace } else { "" };
        let store = &mut self.store;
        match resource.own_plural() {
            "pods" => {
                if let Some(row) = store.pods.find(space, name) {
                    self.delete_pod(row, "user", options.grace.map(Span::secs));
                }
            }
            "nodes" => {
                if let Some(row) = store.nodes.find("", name) {
                    self.delete_node(row, "user");
                }
            }
            "deployments" => {
                let row = store.deployments.find(space, name);
                if let Some(gone) = row.and_then(|row| store.deployments.remove(&mut store.versions, row)) {
                    self.orphan_or_collect(gone.meta.uid, options.orphan);
                }
            }
            "replicasets" => {
                let row = store.replica_sets.find(space, name);
                if let Some(gone) = row.and_then(|row| store.replica_sets.remove(&mut store.versions, row)) {
                    if let Some(owner) = &gone.meta.owner
                        && let (Some(row), Some(sets)) = (row, self.owned.get_mut(&owner.uid))
                    {
                        sets.remove(&row);
                        let owner = owner.row;
                        self.deployment_changed(owner);
                    }
                    self.orphan_or_collect(gone.meta.uid, options.orphan);
                }
            }
            "daemonsets" => {
                let row = store.daemon_sets.find(space, name);
                if let Some(gone) = row.and_then(|row| store.daemon_sets.remove(&mut store.versions, row)) {
                    self.orphan_or_collect(gone.meta.uid, options.orphan);
                }
            }
            "services" => {
                let row = store.services.find(space, name);
                if let Some(gone) = row.and_then(|row| store.services.remove(&mut store.versions, row)) {
                    if let Some(slice) = gone.body.slice {
                        store.slices.remove(&mut store.versions, slice);
                    }
                    let id = gone.body.id;
                    // The name means nothing any more; a new Service of the name gets a new number.
                    self.fabric.services[id.0 as usize].1 = "".into();
                    self.unbalance(id);
                    self.propagate(id, Arc::from([]));
                }
            }
            "namespaces" => self.remove_namespace(name),
            "poddisruptionbudgets" => {
                if let Some(row) = store.budgets.find(space, name) {
                    store.budgets.remove(&mut store.versions, row);
                }
            }
            "leases" => {
                if let Some(row) = store.leases.find(space, name) {
                    store.leases.remove(&mut store.versions, row);
                }
            }
            "events" => {
                if let Some(row) = store.events.find(space, name) {
                    store.events.remove(&mut store.versions, row);
                }
            }
            "endpointslices" => {
                if let Some(row) = store.slices.find(space, name) {
                    store
                        .slices
                        .update(&mut store.versions, row, |slice| slice.body.endpoints.clear());
                    // The controller makes it anew.
                    let service = store.slices.get(row).map(|slice| slice.body.service.clone());
                    if let Some(row) = service.and_then(|service| self.store.services.find(space, &service)) {
                        self.service_changed(row);
                    }
                }
            }
            _ => {
                let table = &mut store.stored[resources::index(resource).unwrap_or(FIRST_STORED)];
                if let Some(row) = table.find(space, name) {
                    table.remove(&mut store.versions, row);
                }
            }
        }
    }

    fn orphan_or_collect(&mut self, uid: u64, orphan: bool) {
        if orphan {
            self.owned.remove(&uid);
        } else {
            self.owner_removed(uid);
        }
    }

    /// Deletes a namespace and all that is in it. Its pods end gracefully; the namespace's object goes at once, so that its name
    /// is free when the call returns (Kubernetes keeps it as Terminating until the last pod is gone).
    fn remove_namespace(&mut self, name: &str) {
        for resource in RESOURCES
            .iter()
            .filter(|resource| resource.namespaced && resource.plural != "endpointslices")
        {
            let names: Vec<Arc<str>> = self.list(resource, Some(name)).into_iter().map(|it| it.name).collect();
            for object in names {
                self.remove(resource, name, &object, &DeleteOptions::default());
            }
        }
        if let Some(row) = self.store.namespaces.find("", name) {
            self.store.namespaces.remove(&mut self.store.versions, row);
        }
        self.note(What::Note {
            text: format!("namespace {name} deleted"),
        });
        self.after(Span::ZERO, Event::DaemonSets);
    }
}
