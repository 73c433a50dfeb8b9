//! The revisions of StatefulSets and DaemonSets: ControllerRevision objects.
//!
//! Source: pkg/controller/history/controller_history.go (`ControllerRevisionName`, `FindEqualRevisions`),
//! pkg/controller/statefulset/stateful_set_control.go (`getStatefulSetRevisions`, `truncateHistory`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::objects::meta::{Meta, Owner};
use super::super::objects::resources::CONTROLLER_REVISIONS;
use super::super::objects::stateful_set::ControllerRevision;
use super::super::objects::template::PodTemplate;
use super::super::server::tables::Place;
use super::super::world::World;
use super::deployments::template_hash;

/// The label of a revision with its hash. Source: the same, `ControllerRevisionHashLabel`.
const HASH: &str = "controller.kubernetes.io/hash";

/// What the controllers of workloads remember.
#[derive(Clone, Debug, Default)]
pub struct Workloads {
    /// StatefulSets that will be looked at already.
    pub stateful_sets: BTreeSet<u32>,
    /// Revisions by the uid of their set, oldest first.
    revisions: BTreeMap<u64, Vec<u32>>,
}

/// A revision as the controllers use it.
#[derive(Clone, Debug)]
pub struct Revised {
    /// Its name.
    pub name: Arc<str>,
    /// Its template.
    pub template: Arc<PodTemplate>,
}

impl World {
    fn revised(&self, row: u32) -> Option<Revised> {
        let it = self.store.controller_revisions.get(row)?;
        Some(Revised {
            name: it.meta.name.clone(),
            template: it.body.template.clone(),
        })
    }

    /// The revision of a set's present template: made when there is none, made the newest when it is an older one.
    pub(super) fn revision_of(
        &mut self,
        owner: Place,
        set: &Meta,
        kind: &'static str,
        template: &Arc<PodTemplate>,
    ) -> Revised {
        let rows = self.workloads.revisions.get(&set.uid).cloned().unwrap_or_default();
        let number = |row: u32| {
            self.store
                .controller_revisions
                .get(row)
                .map_or(0, |it| it.body.revision)
        };
        let last = rows.last().map_or(0, |&row| number(row));
        let equal = rows.iter().copied().find(|&row| {
            let it = self.store.controller_revisions.get(row);
            it.is_some_and(|it| it.body.template.hash == template.hash)
        });
        if let Some(row) = equal {
            if number(row) != last {
                self.store
                    .controller_revisions
                    .update(&mut self.store.versions, row, |it| it.body.revision = last + 1);
                let rows = self.workloads.revisions.entry(set.uid).or_default();
                rows.retain(|&other| other != row);
                rows.push(row);
            }
            if let Some(revised) = self.revised(row) {
                return revised;
            }
        }
        let hash = template_hash(template);
        let name: Arc<str> = format!("{}-{hash}", set.name).into();
        let mut labels = (*template.labels).clone();
        // A DaemonSet's carries the label that its pods have, too (pkg/controller/daemon/update.go `snapshot`).
        let key = if kind == "DaemonSet" {
            super::stateful_sets::REVISION
        } else {
            HASH
        };
        labels.insert(key.to_owned(), hash);
        let meta = Meta {
            name: name.clone(),
            namespace: set.namespace.clone(),
            created: self.now,
            labels: Arc::new(labels),
            owner: Some(Owner {
                api_version: "apps/v1",
                kind,
                name: set.name.clone(),
                uid: set.uid,
                row: owner.row,
            }),
            ..Meta::default()
        };
        let body = ControllerRevision {
            template: template.clone(),
            revision: last + 1,
        };
        let row = self
            .store
            .controller_revisions
            .insert(&mut self.store.versions, meta, body);
        self.workloads.revisions.entry(set.uid).or_default().push(row);
        self.depend(set.uid, Place::new(CONTROLLER_REVISIONS, row));
        Revised {
            name,
            template: template.clone(),
        }
    }

    /// A set's revision by its name.
    pub(super) fn revision_named(&self, uid: u64, name: &str) -> Option<Revised> {
        let rows = self.workloads.revisions.get(&uid)?;
        rows.iter()
            .filter_map(|&row| self.revised(row))
            .find(|it| *it.name == *name)
    }

    /// The revisions that a set's pods have, besides these.
    pub(super) fn revisions_in_use(&self, uid: u64, also: [&Arc<str>; 2]) -> BTreeSet<Arc<str>> {
        let mut all: BTreeSet<Arc<str>> = also.into_iter().cloned().collect();
        if self
            .workloads
            .revisions
            .get(&uid)
            .is_some_and(|rows| rows.len() > all.len())
        {
            for &pod in self.owned.get(&uid).into_iter().flatten() {
                let label = self
                    .store
                    .pod(pod)
                    .and_then(|row| row.meta.labels.get(super::stateful_sets::REVISION));
                all.extend(label.map(|label| Arc::from(label.as_str())));
            }
        }
        all
    }

    /// Deletes the oldest revisions that nothing uses, but for so many.
    pub(super) fn forget_revisions(&mut self, uid: u64, in_use: &BTreeSet<Arc<str>>, keep: u32) {
        let Some(rows) = self.workloads.revisions.get(&uid) else {
            return;
        };
        let unused: Vec<u32> = rows
            .iter()
            .copied()
            .filter(|&row| {
                let it = self.store.controller_revisions.get(row);
                it.is_none_or(|it| {
                    !in_use
                        .iter()
                        .any(|name| **name == *it.meta.name || it.meta.name.ends_with(&format!("-{name}")))
                })
            })
            .collect();
        let surplus = unused.len().saturating_sub(keep as usize);
        for &row in &unused[..surplus] {
            self.drop_object(Place::new(CONTROLLER_REVISIONS, row));
        }
    }

    /// A revision has gone.
    pub(in crate::simulation) fn revision_left(&mut self, meta: &Meta, row: u32) {
        let Some(owner) = &meta.owner else { return };
        if let Some(rows) = self.workloads.revisions.get_mut(&owner.uid) {
            rows.retain(|&other| other != row);
            if rows.is_empty() {
                self.workloads.revisions.remove(&owner.uid);
            }
        }
    }
}
