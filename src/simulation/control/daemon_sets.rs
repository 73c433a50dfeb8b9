//! The DaemonSet controller: one pod on every node that it fits by labels and taints.
//!
//! Source: pkg/controller/daemon/daemon_controller.go `NodeShouldRunDaemonPod`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::meta::Owner;
use super::super::objects::selector::{Requirement, Test};
use super::super::objects::template::{Effect, PodTemplate};
use super::super::objects::workload::DaemonSetStatus;
use super::super::world::{World, draw};

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
        let rows: Vec<u32> = self.store.daemon_sets.iter().map(|(row, _)| row).collect();
        for row in rows {
            self.sync_daemon_set(row);
        }
    }

    fn sync_daemon_set(&mut self, row: u32) {
        let Some(set) = self.store.daemon_sets.shared(row).cloned() else {
            return;
        };
        let template = &set.body.template;
        // Which node each pod is on or bound for.
        let mut placed: BTreeSet<String> = BTreeSet::new();
        // One that is being deleted holds its place until it is gone (`podsShouldBeOnNode`).
        for &pod in self.owned.get(&set.meta.uid).into_iter().flatten() {
            let there = self.store.pod(pod).filter(|row| !row.body.is_finished());
            if let Some(node) = there.and_then(|row| pinned(&row.body.template)) {
                placed.insert(node);
            }
        }
        let nodes: Vec<Arc<str>> = self
            .store
            .nodes
            .iter()
            .filter(|(_, node)| {
                template
                    .node_selector
                    .iter()
                    .all(|requirement| requirement.matches(&node.meta.labels))
                    && node
                        .body
                        .taints
                        .iter()
                        .filter(|taint| taint.effect != Effect::PreferNoSchedule)
                        .all(|taint| {
                            template
                                .tolerations
                                .iter()
                                .any(|toleration| toleration.tolerates(taint))
                        })
            })
            .map(|(_, node)| node.meta.name.clone())
            .collect();
        if set.meta.deletion.is_none() {
            let mut refused = false;
            for node in &nodes {
                if placed.contains(&**node) {
                    continue;
                }
                let owner = Owner {
                    api_version: "apps/v1",
                    kind: "DaemonSet",
                    name: set.meta.name.clone(),
                    uid: set.meta.uid,
                    row,
                };
                let created = self.create_owned_pod(
                    &set.meta.namespace,
                    owner,
                    Arc::new(pin(template, node)),
                    &set.meta.name,
                );
                refused |= created.is_err();
            }
            if refused {
                let pause = self.retry_of(set.meta.uid);
                self.after(pause, Event::DaemonSets);
            } else {
                self.no_longer_refused(set.meta.uid);
            }
        }
        let ready = self
            .active_pods(set.meta.uid)
            .into_iter()
            .filter(|&pod| self.store.pod(pod).is_some_and(|row| row.body.is_ready()))
            .count() as u32;
        let current = self.active_pods(set.meta.uid).len() as u32;
        let status = DaemonSetStatus {
            observed: set.meta.generation,
            desired: nodes.len() as u32,
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

/// The node that a pod is pinned to.
fn pinned(template: &PodTemplate) -> Option<String> {
    match &template.node_terms.as_deref()?.first()?.first()?.test {
        Test::In(names) => names.first().cloned(),
        _ => None,
    }
}
