//! The DaemonSet controller: one pod on every node that it fits by labels and taints.
//!
//! Source: pkg/controller/daemon/daemon_controller.go (`NodeShouldRunDaemonPod`, `podsShouldBeOnNode`, `updateDaemonSetStatus`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::meta::Owner;
use super::super::objects::node::Node;
use super::super::objects::selector::{Requirement, Test};
use super::super::objects::table::Row;
use super::super::objects::template::{Effect, PodTemplate, Taint};
use super::super::objects::workload::DaemonSet;
use super::super::world::{World, draw};
use super::stateful_sets::REVISION;

mod rolling;

/// What the controller remembers, so that a change makes it look at what has changed alone.
#[derive(Clone, Debug, Default)]
pub struct Daemons {
    /// The version of the nodes that it has seen.
    seen: u64,
    /// By the set's row.
    sets: BTreeMap<u32, Placement>,
}

/// Where a DaemonSet's pods should be.
#[derive(Clone, Debug)]
struct Placement {
    /// The set's generation that was looked at.
    generation: u64,
    /// The hash of its present template.
    hash: Arc<str>,
    /// The nodes that get a pod.
    nodes: BTreeSet<Arc<str>>,
    /// Whether every pod is of the present template, the only one on its node, and on a node that should have it.
    settled: bool,
}

/// Source: `NodeShouldRunDaemonPod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    /// It gets a pod.
    Should,
    /// It gets none, and keeps the one that it has.
    MayStay,
    /// It has to lose its pod.
    No,
}

impl World {
    pub(in crate::simulation) fn daemon_sets_changed(&mut self) {
        if !self.dirty.daemon_sets {
            self.dirty.daemon_sets = true;
            let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
            self.after(delay, Event::DaemonSets);
        }
    }

    pub(in crate::simulation) fn sync_daemon_sets(&mut self) {
        self.dirty.daemon_sets = false;
        let mut left = self.store.pods.left();
        let nodes = &self.store.nodes;
        // `None`: so many nodes have changed that all are looked at.
        let changed: Option<BTreeSet<Arc<str>>> = nodes
            .changes(self.daemons.seen)
            .ok()
            .map(|changes| changes.map(|change| change.row.meta.name.clone()).collect());
        self.daemons.seen = nodes.version();
        let rows: Vec<u32> = self.store.daemon_sets.iter().map(|(row, _)| row).collect();
        self.daemons.sets.retain(|row, _| rows.binary_search(row).is_ok());
        for row in rows {
            let Some(set) = self.store.daemon_sets.shared(row).cloned() else {
                continue;
            };
            let mut look: BTreeSet<Arc<str>> = match &changed {
                Some(changed)
                    if self
                        .daemons
                        .sets
                        .get(&row)
                        .is_some_and(|it| it.generation == set.meta.generation) =>
                {
                    changed.clone()
                }
                _ => {
                    let placement = Placement {
                        generation: set.meta.generation,
                        hash: self.daemon_hash(row, &set),
                        nodes: BTreeSet::new(),
                        settled: false,
                    };
                    self.daemons.sets.insert(row, placement);
                    self.store
                        .nodes
                        .iter()
                        .map(|(_, node)| node.meta.name.clone())
                        .collect()
                }
            };
            look.extend(left.remove(&set.meta.uid).into_iter().flatten().map(Arc::from));
            self.sync_daemon_set(row, &set, look);
        }
    }

    /// Puts pods on the nodes among these that want one, replaces old ones, and writes the status.
    fn sync_daemon_set(&mut self, row: u32, set: &Arc<Row<DaemonSet>>, look: BTreeSet<Arc<str>>) {
        let lacking = self.place_daemons(row, set, look);
        let Some(hash) = self.daemons.sets.get(&row).map(|it| it.hash.clone()) else {
            return;
        };
        let mut acted = !lacking.is_empty();
        if set.meta.deletion.is_none() {
            self.create_daemons(row, set, &hash, lacking);
            if self.must_walk(row, set) {
                acted |= self.prune_daemons(row, set, &hash);
                if !acted {
                    self.roll_daemons(row, set, &hash);
                }
                let in_use = self.revisions_in_use(set.meta.uid, [&hash, &hash]);
                self.forget_revisions(set.meta.uid, &in_use, set.body.history);
            }
        }
        let status = self.daemon_status(row, set, &hash);
        if status != set.body.status {
            self.store
                .daemon_sets
                .update(&mut self.store.versions, row, |set| set.body.status = status);
        }
    }

    /// Notes which nodes of these should have a pod; those that have none.
    fn place_daemons(&mut self, row: u32, set: &Row<DaemonSet>, look: BTreeSet<Arc<str>>) -> Vec<(u32, Arc<str>)> {
        let mut lacking: Vec<(u32, Arc<str>)> = Vec::new();
        let Some(placement) = self.daemons.sets.get_mut(&row) else {
            return lacking;
        };
        for name in look {
            let number = self.store.nodes.find("", &name);
            let node = number.and_then(|number| self.store.nodes.get(number));
            let pinned = self.store.pods.pinned(set.meta.uid, &name);
            if node.is_none_or(|node| runs(&set.body.template, node) != Runs::Should) {
                placement.nodes.remove(&name);
                placement.settled &= node.is_none() || !pinned;
                continue;
            }
            // One that is being deleted holds its place until it is gone (`podsShouldBeOnNode`).
            if !pinned && let Some(number) = number {
                lacking.push((number, name.clone()));
            }
            placement.nodes.insert(name);
        }
        lacking.sort_unstable();
        lacking
    }

    fn create_daemons(&mut self, row: u32, set: &Row<DaemonSet>, hash: &Arc<str>, nodes: Vec<(u32, Arc<str>)>) {
        let mut labels = (*set.body.template.labels).clone();
        labels.insert(REVISION.to_owned(), hash.to_string());
        let template = PodTemplate {
            labels: Arc::new(labels),
            ..PodTemplate::clone(&set.body.template)
        };
        let mut refused = false;
        for (_, node) in nodes {
            let owner = Owner {
                api_version: "apps/v1",
                kind: "DaemonSet",
                name: set.meta.name.clone(),
                uid: set.meta.uid,
                row,
            };
            let created = self.create_owned_pod(
                &set.meta.namespace,
                &set.meta.name,
                owner,
                Arc::new(pin(&template, &node)),
                &set.meta.name,
            );
            refused |= created.is_err();
        }
        if refused {
            // All of its nodes are looked at then.
            if let Some(placement) = self.daemons.sets.get_mut(&row) {
                placement.generation = u64::MAX;
            }
            let pause = self.retry_of(set.meta.uid);
            self.after(pause, Event::DaemonSets);
        } else {
            self.no_longer_refused(set.meta.uid);
        }
    }
}

/// A template for one node, as the controller writes it (`util.ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn pin(template: &PodTemplate, node: &str) -> PodTemplate {
    let requirement = Requirement {
        key: "metadata.name".to_owned(),
        test: Test::In(vec![node.to_owned()]),
    };
    PodTemplate {
        node_terms: Some(vec![vec![requirement]]),
        ..template.clone()
    }
}

/// Whether a node gets a pod, or keeps the one that it has: by labels and taints.
fn runs(template: &PodTemplate, node: &Row<Node>) -> Runs {
    let selected = template
        .node_selector
        .iter()
        .all(|requirement| requirement.matches(&node.meta.labels));
    let untolerated = |effect: Effect| {
        let taints = node.body.taints.iter().filter(move |taint| taint.effect == effect);
        let tolerated = |taint: &Taint| {
            let mut all = template.tolerations.iter();
            all.any(|toleration| toleration.tolerates(taint))
        };
        !taints.into_iter().all(tolerated)
    };
    if !selected || untolerated(Effect::NoExecute) {
        Runs::No
    } else if untolerated(Effect::NoSchedule) {
        Runs::MayStay
    } else {
        Runs::Should
    }
}
