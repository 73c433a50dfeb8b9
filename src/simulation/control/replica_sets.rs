//! The ReplicaSet controller: the wanted number of pods.
//!
//! Source: pkg/controller/replicaset/replica_set.go; ranks of deletion: pkg/controller/controller_utils.go `ActivePodsWithRanks`.

use std::cmp::Reverse;

use super::super::event::Event;
use super::super::objects::meta::Owner;
use super::super::objects::workload::ReplicaSetStatus;
use super::super::world::{World, draw};
use crate::model::time::Time;

impl World {
    pub(in crate::simulation) fn replica_set_changed(&mut self, row: u32) {
        if self.dirty.replica_sets.insert(row) {
            let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
            self.after(delay, Event::ReplicaSet(row));
        }
    }

    /// The rows of the pods that an owner has and that count: not being deleted, not ended.
    pub(in crate::simulation) fn active_pods(&self, owner: u64) -> Vec<u32> {
        let Some(pods) = self.owned.get(&owner) else {
            return Vec::new();
        };
        pods.iter()
            .copied()
            .filter(|&pod| {
                self.store
                    .pod(pod)
                    .is_some_and(|row| row.meta.deletion.is_none() && !row.body.is_finished())
            })
            .collect()
    }

    pub(in crate::simulation) fn sync_replica_set(&mut self, row: u32) {
        self.dirty.replica_sets.remove(&row);
        let Some(set) = self.store.replica_sets.shared(row).cloned() else {
            return;
        };
        let mut pods = self.active_pods(set.meta.uid);
        let wanted = set.body.replicas as usize;
        if set.meta.deletion.is_none() {
            for _ in pods.len()..wanted {
                let owner = Owner {
                    api_version: "apps/v1",
                    kind: "ReplicaSet",
                    name: set.meta.name.clone(),
                    uid: set.meta.uid,
                    row,
                };
                self.create_owned_pod(&set.meta.namespace, owner, set.body.template.clone(), &set.body.app);
            }
            if pods.len() > wanted {
                let cause = if wanted == 0 { "rollout" } else { "scale-down" };
                self.rank_for_deletion(&mut pods);
                for &pod in &pods[..pods.len() - wanted] {
                    self.delete_pod(pod, cause, None);
                }
            }
        }
        let pods = self.active_pods(set.meta.uid);
        let ready: Vec<Time> = pods
            .iter()
            .filter_map(|&pod| self.store.pod(pod)?.body.ready)
            .filter_map(|(ready, since)| ready.then_some(since + set.body.min_ready))
            .collect();
        // Ready for `minReadySeconds` is available (pkg/api/v1/pod/util.go `IsPodAvailable`); the controller looks again then.
        let available = ready.iter().filter(|&&at| at <= self.now).count() as u32;
        if let Some(&next) = ready.iter().filter(|&&at| at > self.now).min() {
            self.queue.post(next, Event::ReplicaSet(row));
        }
        let status = ReplicaSetStatus {
            observed: set.meta.generation,
            replicas: pods.len() as u32,
            ready: ready.len() as u32,
            available,
        };
        if status != set.body.status {
            self.store
                .replica_sets
                .update(&mut self.store.versions, row, |set| set.body.status = status);
            if let Some(owner) = &set.meta.owner {
                self.deployment_changed(owner.row);
            }
        }
    }

    /// Orders pods by who is deleted first: without a node, not running, not ready, doubled up on a node, ready for less
    /// long, more restarts, younger.
    fn rank_for_deletion(&self, pods: &mut [u32]) {
        let on_node = |pod: u32| self.store.pod(pod).and_then(|row| row.body.node);
        let all = pods.to_vec();
        pods.sort_by_key(|&pod| {
            let row = self.store.pod(pod);
            let body = row.map(|row| &row.body);
            let shared = all.iter().filter(|&&other| on_node(other) == on_node(pod)).count();
            (
                body.is_some_and(|pod| pod.node.is_some()),
                body.is_some_and(|pod| pod.phase == super::super::objects::pod::Phase::Running),
                body.is_some_and(super::super::objects::pod::Pod::is_ready),
                Reverse(shared),
                Reverse(body.and_then(|pod| pod.ready).map(|(_, since)| since)),
                Reverse(body.map_or(0, super::super::objects::pod::Pod::restarts)),
                Reverse(row.map(|row| row.meta.created)),
                Reverse(pod),
            )
        });
    }
}
