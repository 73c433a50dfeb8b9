//! Deletion of objects: finalizers first, then what each kind takes along.
//!
//! Source: k8s.io/apiserver pkg/registry/generic/registry/store.go (`deletionFinalizersForGarbageCollection`,
//! `updateForGracefulDeletionAndFinalizers`).

use std::sync::Arc;

use crate::model::time::Span;
use crate::simulation::api::{ApiError, DeleteOptions, Propagation, Served};
use crate::simulation::control::garbage::{FOREGROUND, ORPHAN};
use crate::simulation::objects::meta::Deletion;
use crate::simulation::objects::resources::DEFINITIONS;
use crate::simulation::server::tables::Place;
use crate::simulation::world::World;

impl World {
    pub(super) fn remove(&mut self, resource: &Served, namespace: &str, name: &str, options: &DeleteOptions) {
        if let Some(place) = self.place(resource, namespace, name) {
            self.delete_object(place, options);
        }
    }

    /// Asks for an object's deletion. It goes at once unless finalizers, or its grace period, hold it.
    pub(in crate::simulation) fn delete_object(&mut self, place: Place, options: &DeleteOptions) {
        let Some(meta) = self.meta_at(place) else { return };
        let (uid, deleting) = (meta.uid, meta.deletion.is_some());
        let mut finalizers = meta.finalizers.clone();
        finalizers.retain(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN);
        match options.propagation {
            // What nothing depends on, the garbage collector releases at once.
            Propagation::Foreground if self.has_dependents(uid) => finalizers.push(FOREGROUND.to_owned()),
            Propagation::Orphan if self.has_dependents(uid) => finalizers.push(ORPHAN.to_owned()),
            _ => {}
        }
        // A namespace has a finalizer of its own in its specification: `kubernetes`.
        let held = !finalizers.is_empty() || self.served(place).own_plural() == "namespaces";
        if finalizers != meta.finalizers {
            self.change_meta(place, |meta| meta.finalizers = finalizers);
        }
        if self.served(place).own_plural() == "pods" {
            self.delete_pod(place.row, "user", options.grace.map(Span::secs));
        } else if !held {
            self.drop_object(place);
        } else if !deleting {
            let now = self.now;
            self.change_meta(place, |meta| {
                meta.deletion = Some(Deletion {
                    at: now,
                    grace: Span::ZERO,
                });
                meta.generation += u64::from(meta.generation > 0);
            });
            self.deletion_began(place);
        }
        match options.propagation {
            Propagation::Background => {}
            policy => self.dependents_first(place, uid, policy),
        }
    }

    /// Tells the controller of a kind that an object of it waits for its finalizers.
    fn deletion_began(&mut self, place: Place) {
        match self.served(place).own_plural() {
            "namespaces" => self.namespace_ends(place.row),
            "persistentvolumeclaims" => self.claim_changed(place.row),
            "persistentvolumes" => self.volume_changed(place.row),
            _ => {}
        }
    }

    /// After an update: an object that is being deleted goes when its last finalizer has gone.
    pub(super) fn settle(&mut self, place: Place) {
        self.index_references(place);
        let Some(meta) = self.meta_at(place) else { return };
        if meta.deletion.is_none() || !meta.finalizers.is_empty() {
            return;
        }
        match self.served(place).own_plural() {
            // One that still runs goes when its kubelet has ended it.
            "pods" if meta.deletion.is_some_and(|deletion| deletion.grace > Span::ZERO) => {}
            "pods" => self.remove_pod(place.row),
            // Its own finalizer, `kubernetes`, is the namespace controller's.
            "namespaces" => {}
            _ => self.drop_object(place),
        }
    }

    /// Refuses finalizers that were not there when the deletion began
    /// (k8s.io/apimachinery pkg/api/validation/objectmeta.go `ValidateNoNewFinalizers`).
    pub(super) fn check_finalizers(&self, place: Place, written: &serde_json::Value) -> Result<(), ApiError> {
        let Some(meta) = self.meta_at(place).filter(|meta| meta.deletion.is_some()) else {
            return Ok(());
        };
        let new: Vec<String> = written["metadata"]["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|finalizer| finalizer.as_str())
            .filter(|finalizer| !meta.finalizers.iter().any(|old| old == finalizer))
            .map(|finalizer| format!("\"{finalizer}\""))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let resource = self.served(place);
        Err(ApiError::Invalid {
            kind: super::full_kind(&resource),
            name: meta.name.to_string(),
            causes: vec![(
                "metadata.finalizers".to_owned(),
                format!(
                    "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \
                     []string{{{}}}",
                    new.join(", ")
                ),
            )],
        })
    }

    /// Removes an object that nothing holds any more (pods go by `remove_pod`).
    pub(in crate::simulation) fn drop_object(&mut self, place: Place) {
        let Some(meta) = self.meta_at(place).cloned() else {
            return;
        };
        let row = place.row;
        let resource = self.served(place);
        let store = &mut self.store;
        match resource.own_plural() {
            "pods" => return self.remove_pod(row),
            "nodes" => self.delete_node(row, "user"),
            "deployments" => {
                store.deployments.remove(&mut store.versions, row);
                self.owner_removed(meta.uid);
            }
            "replicasets" => {
                store.replica_sets.remove(&mut store.versions, row);
                if let Some(owner) = &meta.owner
                    && let Some(sets) = self.owned.get_mut(&owner.uid)
                {
                    sets.remove(&row);
                    self.deployment_changed(owner.row);
                }
                self.owner_removed(meta.uid);
            }
            "daemonsets" => {
                store.daemon_sets.remove(&mut store.versions, row);
                self.owner_removed(meta.uid);
            }
            "statefulsets" => {
                store.stateful_sets.remove(&mut store.versions, row);
                self.owner_removed(meta.uid);
            }
            "controllerrevisions" => {
                store.controller_revisions.remove(&mut store.versions, row);
                self.revision_left(&meta, row);
            }
            "persistentvolumeclaims" => {
                if let Some(gone) = store.claims.remove(&mut store.versions, row) {
                    self.claim_left(&gone);
                }
            }
            "persistentvolumes" => {
                if let Some(gone) = store.volumes.remove(&mut store.versions, row) {
                    self.volume_left(row, &gone.body);
                }
            }
            "storageclasses" => {
                store.storage_classes.remove(&mut store.versions, row);
            }
            "horizontalpodautoscalers" => {
                store.pod_autoscalers.remove(&mut store.versions, row);
            }
            "volumeattachments" => {
                store.volume_attachments.remove(&mut store.versions, row);
            }
            "jobs" => {
                store.jobs.remove(&mut store.versions, row);
                self.forget_job(meta.uid);
                self.owner_removed(meta.uid);
            }
            "services" => {
                if let Some(gone) = store.services.remove(&mut store.versions, row) {
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
            "poddisruptionbudgets" => {
                store.budgets.remove(&mut store.versions, row);
            }
            "namespaces" => {
                store.namespaces.remove(&mut store.versions, row);
            }
            "leases" => {
                store.leases.remove(&mut store.versions, row);
            }
            "events" => {
                store.events.remove(&mut store.versions, row);
            }
            "endpointslices" => {
                store
                    .slices
                    .update(&mut store.versions, row, |slice| slice.body.endpoints.clear());
                // The controller makes it anew.
                let service = store.slices.get(row).map(|slice| slice.body.service.clone());
                if let Some(row) = service.and_then(|service| self.store.services.find(&meta.namespace, &service)) {
                    self.service_changed(row);
                }
                return;
            }
            _ => {
                let index = usize::from(place.resource);
                let gone = store.stored[index].remove(&mut store.versions, row);
                if let Some(gone) = gone.filter(|gone| *gone.body.resource == **DEFINITIONS) {
                    self.undefine(&gone.body.rest);
                }
            }
        }
        self.left(&meta, place);
    }
}
