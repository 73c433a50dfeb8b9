//! Pods of older templates, pods too many, and what the status says of them.
//!
//! Source: pkg/controller/daemon/update.go (`rollingUpdate`, `findUpdatedPodsOnNode`, `updatedDesiredNodeCounts`),
//! daemon_controller.go (`podsShouldBeOnNode`, `updateDaemonSetStatus`), util/daemonset_util.go (`CreatePodTemplate`).
//! Kubernetes goes through the nodes in no order; here it is that of their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::super::event::Event;
use super::super::super::objects::pod::Phase;
use super::super::super::objects::pod_table::{Owned, pinned_to};
use super::super::super::objects::resources::DAEMON_SETS;
use super::super::super::objects::table::Row;
use super::super::super::objects::workload::{DaemonSet, DaemonSetStatus, DaemonUpdate};
use super::super::super::server::tables::Place;
use super::super::super::world::World;
use super::super::deployments::template_hash;
use super::super::stateful_sets::REVISION;
use super::{Runs, runs};
use crate::model::time::{Span, Time};

/// Pods by the node that they are for, those with a node first, the oldest first.
type ByNode = BTreeMap<Arc<str>, Vec<u32>>;

impl World {
    /// The hash of a set's present template, whose ControllerRevision is made when there is none.
    pub(super) fn daemon_hash(&mut self, row: u32, set: &Row<DaemonSet>) -> Arc<str> {
        let place = Place::new(DAEMON_SETS, row);
        if set.meta.deletion.is_none() {
            self.revision_of(place, &set.meta, "DaemonSet", &set.body.template);
        }
        template_hash(&set.body.template).into()
    }

    /// Whether all pods of a set are looked at, one by one.
    pub(super) fn must_walk(&self, row: u32, set: &Row<DaemonSet>) -> bool {
        let settled = self.daemons.sets.get(&row).is_some_and(|it| it.settled);
        !settled || set.body.min_ready > Span::ZERO || surges(&set.body)
    }

    fn daemons_by_node(&self, row: u32, set: &Row<DaemonSet>) -> ByNode {
        let desired = self.daemons.sets.get(&row).into_iter().flat_map(|it| it.nodes.iter());
        let mut all: ByNode = desired.map(|node| (node.clone(), Vec::new())).collect();
        for &pod in self.owned.get(&set.meta.uid).into_iter().flatten() {
            let Some(it) = self.store.pod(pod) else { continue };
            if it.body.is_finished() && it.meta.deletion.is_some() {
                continue;
            }
            if let Some(node) = pinned_to(it) {
                all.entry(node.into()).or_default().push(pod);
            }
        }
        for pods in all.values_mut() {
            pods.sort_by_key(|&pod| (self.store.pod(pod).is_none_or(|it| it.body.node.is_none()), pod));
        }
        all
    }

    fn is_new_daemon(&self, pod: u32, hash: &str) -> bool {
        let label = self.store.pod(pod).and_then(|it| it.meta.labels.get(REVISION));
        label.is_some_and(|label| label == hash)
    }

    fn daemon_ready(&self, pod: u32) -> Option<Time> {
        let (ready, since) = self.store.pod(pod)?.body.ready?;
        ready.then_some(since)
    }

    fn daemon_available(&self, set: &Row<DaemonSet>, pod: u32) -> bool {
        let since = self.daemon_ready(pod);
        since.is_some_and(|since| since + set.body.min_ready <= self.now)
    }

    fn node_runs(&self, set: &Row<DaemonSet>, node: &str) -> Option<Runs> {
        let number = self.store.nodes.find("", node)?;
        self.store.nodes.get(number).map(|node| runs(&set.body.template, node))
    }

    fn live(&self, pods: &[u32]) -> Vec<u32> {
        let live = |pod: &u32| self.store.pod(*pod).is_some_and(|it| it.meta.deletion.is_none());
        pods.iter().copied().filter(live).collect()
    }

    /// Deletes what is too much, and for a set that surges makes what is missing; whether anything was done.
    pub(super) fn prune_daemons(&mut self, row: u32, set: &Row<DaemonSet>, hash: &Arc<str>) -> bool {
        let by_node = self.daemons_by_node(row, set);
        let (mut settled, mut go, mut lacking) = (true, Vec::new(), Vec::new());
        for (node, pods) in &by_node {
            let live = self.live(pods);
            settled &= pods.len() <= 1 && pods.iter().all(|&pod| self.is_new_daemon(pod, hash));
            // One whose node is gone is the garbage collector's, or (`getUnscheduledPodsWithoutNode`) never had one.
            let Some(runs) = self.node_runs(set, node) else {
                let unbound = |pod: &u32| self.store.pod(*pod).is_some_and(|it| it.body.node.is_none());
                go.extend(live.into_iter().filter(unbound));
                continue;
            };
            settled &= runs == Runs::Should || pods.is_empty();
            if runs == Runs::No {
                go.extend(live);
                continue;
            }
            let running: Vec<u32> = live
                .into_iter()
                .filter(|&pod| {
                    let phase = self.store.pod(pod).map(|it| it.body.phase);
                    !matches!(phase, Some(Phase::Failed | Phase::Succeeded))
                })
                .collect();
            if !surges(&set.body) {
                go.extend(running.into_iter().skip(1));
            } else if running.is_empty() {
                if runs == Runs::Should && !pods.is_empty() {
                    lacking.extend(self.store.nodes.find("", node).map(|number| (number, node.clone())));
                }
            } else {
                go.extend(self.surplus_of_surge(set, &running, hash));
            }
        }
        if let Some(placement) = self.daemons.sets.get_mut(&row) {
            placement.settled = settled;
        }
        let acted = !go.is_empty() || !lacking.is_empty();
        for pod in go {
            self.delete_pod(pod, "scale-down", None);
        }
        self.create_daemons(row, set, hash, lacking);
        acted
    }

    /// Two pods may be on a node while the new one is not available and the old one is ready.
    fn surplus_of_surge(&self, set: &Row<DaemonSet>, running: &[u32], hash: &str) -> Vec<u32> {
        let (new, old): (Vec<u32>, Vec<u32>) = running.iter().partition(|&&pod| self.is_new_daemon(pod, hash));
        let mut go: Vec<u32> = new.iter().skip(1).chain(old.iter().skip(1)).copied().collect();
        if let (Some(&new), Some(&old)) = (new.first(), old.first())
            && (self.daemon_ready(old).is_none() || self.daemon_available(set, new))
        {
            go.push(old);
        }
        go
    }

    /// One step of a rolling update.
    pub(super) fn roll_daemons(&mut self, row: u32, set: &Row<DaemonSet>, hash: &Arc<str>) {
        let DaemonUpdate::Rolling {
            max_unavailable,
            max_surge,
        } = set.body.update
        else {
            return;
        };
        let desired = self.daemons.sets.get(&row).map_or(0, |it| it.nodes.len() as u32);
        let by_node = self.daemons_by_node(row, set);
        // `UnavailableCount` and `SurgeCount` both round up.
        let (surge, mut unavailable) = (max_surge.of(desired, true), max_unavailable.of(desired, true));
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        if surge == 0 {
            for pod in self.replaceable_daemons(set, &by_node, hash, unavailable) {
                self.delete_pod(pod, "rollout", None);
            }
        } else {
            let (go, grow) = self.surging_daemons(set, &by_node, hash, surge, desired);
            for pod in go {
                self.delete_pod(pod, "rollout", None);
            }
            let grow = grow
                .into_iter()
                .filter_map(|node| Some((self.store.nodes.find("", &node)?, node)));
            let grow: Vec<_> = grow.collect();
            self.create_daemons(row, set, hash, grow);
        }
    }

    /// The new and the old pod of a node; `None`: there are several of a sort.
    fn pair(&self, pods: &[u32], hash: &str) -> Option<(Option<u32>, Option<u32>)> {
        let live = self.live(pods);
        let (new, old): (Vec<u32>, Vec<u32>) = live.iter().partition(|&&pod| self.is_new_daemon(pod, hash));
        (new.len() <= 1 && old.len() <= 1).then(|| (new.first().copied(), old.first().copied()))
    }

    /// Old pods that may be deleted: those that are not available anyway, and as many others as may be missing.
    fn replaceable_daemons(&self, set: &Row<DaemonSet>, by_node: &ByNode, hash: &str, most: u32) -> Vec<u32> {
        let (mut missing, mut go, mut candidates) = (0, Vec::new(), Vec::new());
        for pods in by_node.values() {
            match self.pair(pods, hash) {
                Some((Some(new), None)) => missing += u32::from(!self.daemon_available(set, new)),
                Some((None, Some(old))) if self.daemon_available(set, old) => {
                    if missing < most {
                        candidates.push(old);
                    }
                }
                Some((None, Some(old))) => {
                    go.push(old);
                    missing += 1;
                }
                // Several, both, or none but one that is being deleted.
                _ => missing += 1,
            }
        }
        go.extend(candidates.into_iter().take(most.saturating_sub(missing) as usize));
        go
    }

    /// Old pods that may be deleted, and nodes that get a second pod.
    fn surging_daemons(
        &self,
        set: &Row<DaemonSet>,
        by_node: &ByNode,
        hash: &str,
        most: u32,
        desired: u32,
    ) -> (Vec<u32>, Vec<Arc<str>>) {
        let (mut go, mut leaving, mut grow, mut candidates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut surging, mut available) = (0, 0);
        for (node, pods) in by_node {
            let Some((new, old)) = self.pair(pods, hash) else {
                surging += 1;
                continue;
            };
            let is_available = |pod: u32| self.daemon_available(set, pod);
            available += u32::from(old.or(new).is_some_and(is_available));
            let Some(old) = old else { continue };
            if let Some(new) = new {
                if is_available(new) {
                    go.push(old);
                } else {
                    surging += 1;
                }
                continue;
            }
            match (self.node_runs(set, node) == Some(Runs::Should), is_available(old)) {
                (true, false) => grow.push(node.clone()),
                (true, true) if surging < most => candidates.push(node.clone()),
                (true, true) => {}
                (false, false) => go.push(old),
                (false, true) => leaving.push(old),
            }
        }
        go.extend(leaving.into_iter().take(available.saturating_sub(desired) as usize));
        grow.extend(candidates.into_iter().take(most.saturating_sub(surging) as usize));
        (go, grow)
    }

    /// The status, counted pod by pod where that is needed; the controller looks again when the next pod becomes available.
    pub(super) fn daemon_status(&mut self, row: u32, set: &Row<DaemonSet>, hash: &str) -> DaemonSetStatus {
        let uid = set.meta.uid;
        let desired = self.daemons.sets.get(&row).map_or(0, |it| it.nodes.len() as u32);
        let mut status = DaemonSetStatus {
            observed: set.meta.generation,
            desired,
            ..DaemonSetStatus::default()
        };
        if !self.must_walk(row, set) {
            let Owned { ready, .. } = self.store.pods.owned(uid);
            let current = self.store.pods.pinned_nodes(uid).min(desired);
            return DaemonSetStatus {
                current,
                updated: current,
                ready,
                available: ready,
                ..status
            };
        }
        let mut next = Time::NEVER;
        for (node, pods) in self.daemons_by_node(row, set) {
            let Some(runs) = self.node_runs(set, &node) else {
                continue;
            };
            let Some(&pod) = pods.first() else { continue };
            if runs != Runs::Should {
                status.misscheduled += 1;
                continue;
            }
            status.current += 1;
            status.updated += u32::from(self.is_new_daemon(pod, hash));
            for &pod in &pods {
                if let Some(since) = self
                    .daemon_ready(pod)
                    .filter(|&since| since + set.body.min_ready > self.now)
                {
                    next = next.min(since + set.body.min_ready);
                }
            }
            status.ready += u32::from(self.daemon_ready(pod).is_some());
            status.available += u32::from(self.daemon_available(set, pod));
        }
        if next < Time::NEVER {
            self.queue.post(next, Event::DaemonSets);
        }
        status
    }
}

const fn surges(set: &DaemonSet) -> bool {
    match set.update {
        DaemonUpdate::OnDelete => false,
        DaemonUpdate::Rolling { max_surge, .. } => max_surge.of(100, true) > 0,
    }
}
