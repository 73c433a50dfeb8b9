//! The garbage collector: dependents go after their owner (background), before it (foreground), or stay (orphan).
//!
//! Source: pkg/controller/garbagecollector/garbagecollector.go (`attemptToDeleteItem`, `processDeletingDependentsItem`,
//! `orphanDependents`), graph_builder.go (`processTransitions`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::api::{DeleteOptions, Propagation};
use super::super::event::Event;
use super::super::objects::meta::{Meta, Reference, uid_number};
use super::super::objects::resources::{PODS, REPLICA_SETS};
use super::super::server::tables::Place;
use super::super::world::{World, draw};

/// The finalizer of an object that waits for its dependents.
/// Source: k8s.io/apimachinery pkg/apis/meta/v1/types.go `FinalizerDeleteDependents`.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object whose dependents are to be released first. Source: the same, `FinalizerOrphanDependents`.
pub const ORPHAN: &str = "orphan";

/// What the garbage collector knows of owners. Pods of workloads and ReplicaSets of Deployments are in
/// [`World::owned`](super::super::world::World), all others here.
#[derive(Clone, Debug, Default)]
pub struct Garbage {
    /// Dependents by their owner's uid.
    dependents: BTreeMap<u64, BTreeSet<Place>>,
    /// Owners that wait for their dependents, by uid.
    waiting: BTreeMap<u64, Place>,
    /// Of these, those that will be looked at already.
    posted: BTreeSet<u64>,
}

impl World {
    /// Has the dependents of a removed owner collected.
    pub(in crate::simulation) fn owner_removed(&mut self, uid: u64) {
        let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
        self.after(delay, Event::Orphans(uid));
    }

    /// Says that an object depends on another.
    pub(in crate::simulation) fn depend(&mut self, owner: u64, dependent: Place) {
        self.garbage.dependents.entry(owner).or_default().insert(dependent);
    }

    /// An object has gone: its owners may have waited for it, and what depends on it goes, too.
    pub(in crate::simulation) fn left(&mut self, meta: &Meta, place: Place) {
        let references = meta.references.iter().flat_map(|all| &**all);
        for uid in references.filter_map(|reference| uid_number(&reference.uid)) {
            self.independent(uid, place);
        }
        if let Some(owner) = &meta.owner {
            self.independent(owner.uid, place);
        }
        self.garbage.waiting.remove(&meta.uid);
        if self.garbage.dependents.contains_key(&meta.uid) {
            self.owner_removed(meta.uid);
        }
    }

    fn independent(&mut self, owner: u64, dependent: Place) {
        if let Some(places) = self.garbage.dependents.get_mut(&owner) {
            places.remove(&dependent);
            if places.is_empty() {
                self.garbage.dependents.remove(&owner);
            }
        }
        self.wake_owner(owner);
    }

    /// Lets an owner that waits for its dependents be looked at.
    fn wake_owner(&mut self, owner: u64) {
        if self.garbage.waiting.contains_key(&owner) && self.garbage.posted.insert(owner) {
            let delay = draw(&mut self.chance.garbage, self.profile.controllers.notice);
            self.after(delay, Event::AwaitDependents(owner));
        }
    }

    /// Takes up the owners that a new or changed object names; one that names only absent ones is collected.
    pub(in crate::simulation) fn index_references(&mut self, place: Place) {
        let Some((references, namespace)) = self.references(place) else {
            return;
        };
        let mut absent = Vec::new();
        for reference in &*references {
            let Some(uid) = uid_number(&reference.uid) else {
                absent.push(0);
                continue;
            };
            self.depend(uid, place);
            if !self.owner_exists(&namespace, reference) {
                absent.push(uid);
            }
        }
        if absent.len() == references.len() {
            for uid in absent {
                self.depend(uid, place);
                let delay = draw(&mut self.chance.garbage, self.profile.controllers.notice);
                self.after(delay, Event::Orphans(uid));
            }
        }
    }

    fn references(&self, place: Place) -> Option<(Arc<[Reference]>, Arc<str>)> {
        let meta = self.meta_at(place)?;
        Some((meta.references.clone()?, meta.namespace.clone()))
    }

    /// What depends on an owner, and whether each blocks its deletion.
    fn dependents(&self, uid: u64) -> Vec<(Place, bool)> {
        let mut all = Vec::new();
        for &row in self.owned.get(&uid).into_iter().flatten() {
            for resource in [REPLICA_SETS, PODS] {
                let place = self.place_of(resource, row);
                let owner = self.meta_at(place).and_then(|meta| meta.owner.as_ref());
                if owner.is_some_and(|owner| owner.uid == uid) {
                    all.push((place, true));
                }
            }
        }
        for &place in self.garbage.dependents.get(&uid).into_iter().flatten() {
            let Some(meta) = self.meta_at(place) else { continue };
            let owned = meta.owner.as_ref().is_some_and(|owner| owner.uid == uid);
            let references = meta.references.iter().flat_map(|all| &**all);
            let named = references
                .filter(|reference| uid_number(&reference.uid).unwrap_or(0) == uid)
                .any(|reference| reference.blocks == Some(true));
            all.push((place, owned || named));
        }
        all
    }

    pub(in crate::simulation) fn has_dependents(&self, uid: u64) -> bool {
        self.owned.get(&uid).is_some_and(|rows| !rows.is_empty()) || self.garbage.dependents.contains_key(&uid)
    }

    /// An owner is to be deleted after its dependents, or after they have been released.
    pub(in crate::simulation) fn dependents_first(&mut self, place: Place, uid: u64, policy: Propagation) {
        if self.meta_at(place).is_none() {
            return;
        }
        self.garbage.waiting.insert(uid, place);
        let delay = draw(&mut self.chance.garbage, self.profile.controllers.notice);
        match policy {
            Propagation::Orphan => self.after(delay, Event::ReleaseDependents(uid)),
            _ if self.garbage.posted.insert(uid) => self.after(delay, Event::AwaitDependents(uid)),
            _ => {}
        }
    }

    /// Deletes the dependents of an owner that waits for them; the last one gone releases it.
    pub(in crate::simulation) fn await_dependents(&mut self, uid: u64) {
        self.garbage.posted.remove(&uid);
        let Some(&place) = self.garbage.waiting.get(&uid) else {
            return;
        };
        let waits = self
            .meta_at(place)
            .is_some_and(|meta| meta.finalizers.iter().any(|finalizer| finalizer == FOREGROUND));
        if !waits {
            return;
        }
        let mut blocked = false;
        for (dependent, blocks) in self.dependents(uid) {
            let Some(meta) = self.meta_at(dependent) else { continue };
            blocked |= blocks;
            if meta.deletion.is_none() {
                let propagation = if self.has_dependents(meta.uid) {
                    Propagation::Foreground
                } else {
                    Propagation::Background
                };
                self.collect(dependent, propagation);
            }
        }
        // What had no grace period is gone already.
        if !blocked || self.dependents(uid).iter().all(|(_, blocks)| !blocks) {
            self.unhold(place, FOREGROUND);
        }
    }

    /// Takes this owner from its dependents, then lets it go.
    pub(in crate::simulation) fn release_dependents(&mut self, uid: u64) {
        let Some(&place) = self.garbage.waiting.get(&uid) else {
            return;
        };
        for (dependent, _) in self.dependents(uid) {
            self.disown(dependent, uid);
        }
        self.owned.remove(&uid);
        self.garbage.dependents.remove(&uid);
        self.unhold(place, ORPHAN);
    }

    /// Removes an owner from an object's metadata.
    fn disown(&mut self, dependent: Place, uid: u64) {
        self.change_meta(dependent, |meta| {
            if meta.owner.as_ref().is_some_and(|owner| owner.uid == uid) {
                meta.owner = None;
            }
            let left: Vec<Reference> = meta
                .references
                .iter()
                .flat_map(|all| &**all)
                .filter(|reference| uid_number(&reference.uid).unwrap_or(0) != uid)
                .cloned()
                .collect();
            meta.references = (!left.is_empty()).then(|| left.into());
        });
    }

    fn unhold(&mut self, place: Place, finalizer: &str) {
        self.change_meta(place, |meta| meta.finalizers.retain(|other| other != finalizer));
        let gone = self
            .meta_at(place)
            .is_some_and(|meta| meta.finalizers.is_empty() && meta.deletion.is_some());
        let running = self.served(place).own_plural() == "pods"
            && self
                .meta_at(place)
                .and_then(|meta| meta.deletion)
                .is_some_and(|deletion| deletion.grace.0 > 0);
        if gone && !running {
            self.drop_object(place);
        }
    }

    /// What an owner that is gone has left.
    pub(in crate::simulation) fn collect_orphans(&mut self, uid: u64) {
        for row in self.owned.remove(&uid).into_iter().flatten() {
            for resource in [REPLICA_SETS, PODS] {
                let place = self.place_of(resource, row);
                let owner = self.meta_at(place).and_then(|meta| meta.owner.as_ref());
                if owner.is_some_and(|owner| owner.uid == uid) {
                    self.collect(place, Propagation::Background);
                }
            }
        }
        for place in self.garbage.dependents.remove(&uid).into_iter().flatten() {
            let Some(meta) = self.meta_at(place) else { continue };
            // One with another owner that exists stays, without the absent one.
            let others = meta.references.iter().flat_map(|all| &**all);
            let solid = meta.owner.as_ref().is_some_and(|owner| owner.uid != uid)
                || others
                    .filter(|reference| uid_number(&reference.uid).unwrap_or(0) != uid)
                    .any(|reference| self.owner_exists(&meta.namespace, reference));
            if solid {
                self.disown(place, uid);
            } else if meta.deletion.is_none() {
                self.collect(place, Propagation::Background);
            }
        }
    }

    fn collect(&mut self, place: Place, propagation: Propagation) {
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        self.delete_object(place, &options);
    }
}
