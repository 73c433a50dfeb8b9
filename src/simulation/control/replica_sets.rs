//! The ReplicaSet controller: the wanted number of pods.
//!
//! Source: pkg/controller/replicaset/replica_set.go; ranks of deletion: pkg/controller/controller_utils.go `ActivePodsWithRanks`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::api::ApiError;
use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::meta::Owner;
use super::super::objects::pod_table::Owned;
use super::super::objects::table::Row;
use super::super::objects::workload::{Failure, ReplicaSet, ReplicaSetStatus};
use super::super::world::{World, draw};
use crate::model::time::{Span, Time};

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
        let (have, wanted) = (self.store.pods.owned(set.meta.uid).active, set.body.replicas);
        let mut refusal = None;
        if set.meta.deletion.is_none() {
            refusal = self.create_missing(row, &set, wanted.saturating_sub(have));
            if have > wanted {
                let cause = if wanted == 0 { "rollout" } else { "scale-down" };
                let mut pods = self.active_pods(set.meta.uid);
                self.rank_for_deletion(&mut pods);
                for &pod in pods.iter().take((have - wanted) as usize) {
                    self.delete_pod(pod, cause, None);
                }
            }
        }
        let Owned { active, ready } = self.store.pods.owned(set.meta.uid);
        let available = if set.body.min_ready == Span::ZERO {
            ready
        } else {
            self.available(row, set.meta.uid, set.body.min_ready)
        };
        let status = ReplicaSetStatus {
            observed: set.meta.generation,
            replicas: active,
            ready,
            available,
        };
        let failure = self.failure(row, &set, refusal);
        if status != set.body.status || failure != set.body.failure {
            self.store.replica_sets.update(&mut self.store.versions, row, |set| {
                set.body.status = status;
                set.body.failure = failure;
            });
            if let Some(owner) = &set.meta.owner {
                self.deployment_changed(owner.row);
            }
        }
    }

    /// Creates pods in batches of 1, 2, 4 and so on; the batch in which one is refused is the last (`slowStartBatch`).
    fn create_missing(&mut self, row: u32, set: &Row<ReplicaSet>, mut missing: u32) -> Option<ApiError> {
        let mut batch = 1;
        let mut refusal = None;
        while missing > 0 && refusal.is_none() {
            for _ in 0..batch.min(missing) {
                let owner = Owner {
                    api_version: "apps/v1",
                    kind: "ReplicaSet",
                    name: set.meta.name.clone(),
                    uid: set.meta.uid,
                    row,
                };
                let created = self.create_owned_pod(
                    &set.meta.namespace,
                    &set.meta.name,
                    owner,
                    set.body.template.clone(),
                    &set.body.app,
                );
                refusal = created.err().or(refusal);
            }
            missing = missing.saturating_sub(batch);
            batch *= 2;
        }
        refusal
    }

    /// The `ReplicaFailure` condition (replica_set_utils.go `calculateStatus`); a refused set is tried again after a pause.
    fn failure(&mut self, row: u32, set: &Row<ReplicaSet>, refusal: Option<ApiError>) -> Option<Arc<Failure>> {
        let Some(refusal) = refusal else {
            self.no_longer_refused(set.meta.uid);
            return None;
        };
        let pause = self.retry_of(set.meta.uid);
        self.after(pause, Event::ReplicaSet(row));
        let since = self.now;
        let new = || {
            Arc::new(Failure {
                message: refusal.to_string().into(),
                since,
            })
        };
        Some(set.body.failure.clone().unwrap_or_else(new))
    }

    /// The pods that have been Ready for `minReadySeconds` (pkg/api/v1/pod/util.go `IsPodAvailable`); the controller looks again when
    /// the next one has.
    fn available(&mut self, row: u32, owner: u64, min_ready: Span) -> u32 {
        let ready: Vec<Time> = self
            .active_pods(owner)
            .into_iter()
            .filter_map(|pod| self.store.pod(pod)?.body.ready)
            .filter_map(|(ready, since)| ready.then_some(since + min_ready))
            .collect();
        if let Some(&next) = ready.iter().filter(|&&at| at > self.now).min() {
            self.queue.post(next, Event::ReplicaSet(row));
        }
        ready.iter().filter(|&&at| at <= self.now).count() as u32
    }

    /// Orders pods by who is deleted first: without a node, not running, not ready, doubled up on a node, ready for less
    /// long, more restarts, younger.
    pub(super) fn rank_for_deletion(&self, pods: &mut [u32]) {
        let on_node = |pod: u32| self.store.pod(pod).and_then(|row| row.body.node);
        let mut company: BTreeMap<Option<MachineId>, usize> = BTreeMap::new();
        for &pod in &*pods {
            *company.entry(on_node(pod)).or_default() += 1;
        }
        pods.sort_by_cached_key(|&pod| {
            let row = self.store.pod(pod);
            let body = row.map(|row| &row.body);
            let shared = company.get(&on_node(pod)).copied().unwrap_or(0);
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
