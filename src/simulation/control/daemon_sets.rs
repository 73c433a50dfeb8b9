//! The DaemonSet controller: one pod on every node that it fits by labels and taints.
//!
//! Source: pkg/controller/daemon/daemon_controller.go `NodeShouldRunDaemonPod`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::meta::Owner;
use super::super::objects::node::Node;
use super::super::objects::pod_table::Owned;
use super::super::objects::selector::{Requirement, Test};
use super::super::objects::table::Row;
use super::super::objects::template::{Effect, PodTemplate, Taint};
use super::super::objects::workload::{DaemonSet, DaemonSetStatus};
use super::super::world::{World, draw};

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
    /// The nodes that get a pod.
    nodes: BTreeSet<Arc<str>>,
}

impl Placement {
    const fn of(generation: u64) -> Self {
        Self {
            generation,
            nodes: BTreeSet::new(),
        }
    }
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
                    self.daemons.sets.insert(row, Placement::of(set.meta.generation));
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

    /// Puts pods on the nodes among these that want one, and writes the status.
    fn sync_daemon_set(&mut self, row: u32, set: &Row<DaemonSet>, look: BTreeSet<Arc<str>>) {
        let template = &set.body.template;
        let mut lacking: Vec<(u32, Arc<str>)> = Vec::new();
        let Some(placement) = self.daemons.sets.get_mut(&row) else {
            return;
        };
        for name in look {
            let number = self.store.nodes.find("", &name);
            let node = number.and_then(|number| self.store.nodes.get(number));
            if !node.is_some_and(|node| should_run(template, node)) {
                placement.nodes.remove(&name);
                continue;
            }
            // One that is being deleted holds its place until it is gone (`podsShouldBeOnNode`).
            if !self.store.pods.pinned(set.meta.uid, &name)
                && let Some(number) = number
            {
                lacking.push((number, name.clone()));
            }
            placement.nodes.insert(name);
        }
        let desired = placement.nodes.len() as u32;
        if set.meta.deletion.is_none() {
            let mut refused = false;
            lacking.sort_unstable();
            for (_, node) in lacking {
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
                    Arc::new(pin(template, &node)),
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
        let Owned { active: current, ready } = self.store.pods.owned(set.meta.uid);
        let status = DaemonSetStatus {
            observed: set.meta.generation,
            desired,
            current,
            ready,
        };
        if status != set.body.status {
            self.store
                .daemon_sets
                .update(&mut self.store.versions, row, |set| set.body.status = status);
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

/// Whether a node gets a pod: by labels and taints.
fn should_run(template: &PodTemplate, node: &Row<Node>) -> bool {
    let selected = template
        .node_selector
        .iter()
        .all(|requirement| requirement.matches(&node.meta.labels));
    let tolerated = |taint: &Taint| {
        template
            .tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
    };
    selected
        && node
            .body
            .taints
            .iter()
            .filter(|taint| taint.effect != Effect::PreferNoSchedule)
            .all(tolerated)
}
