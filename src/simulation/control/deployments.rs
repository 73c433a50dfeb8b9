//! The Deployment controller: ReplicaSets for templates, and rolling updates between them.
//!
//! Source: pkg/controller/deployment/{sync,rolling,recreate}.go and util/deployment_util.go.

use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::meta::{Meta, Owner};
use super::super::objects::selector::{Requirement, Test};
use super::super::objects::table::Row;
use super::super::objects::template::PodTemplate;
use super::super::objects::workload::{
    Deployment, DeploymentStatus, Failure, ProgressReason, ReplicaSet, ReplicaSetStatus, Strategy,
};
use super::super::world::{World, draw};
use super::pods::ALPHABET;
use progress::{Estimate, progress};

mod progress;

/// The label that tells a Deployment's ReplicaSets apart.
const HASH: &str = "pod-template-hash";

impl World {
    pub(in crate::simulation) fn deployment_changed(&mut self, row: u32) {
        if self.dirty.deployments.insert(row) {
            let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
            self.after(delay, Event::Deployment(row));
        }
    }

    pub(in crate::simulation) fn sync_deployment(&mut self, row: u32) {
        self.dirty.deployments.remove(&row);
        let Some(it) = self.store.deployments.shared(row).cloned() else {
            return;
        };
        if it.meta.deletion.is_some() {
            return;
        }
        let hash = template_hash(&it.body.template);
        let sets: Vec<u32> = self.owned.get(&it.meta.uid).into_iter().flatten().copied().collect();
        let newest = sets.iter().copied().find(|&set| self.hash_of(set) == hash);
        let old: Vec<u32> = sets.iter().copied().filter(|&set| Some(set) != newest).collect();
        // A change of the number alone scales what is active before any roll-out step (sync.go `isScalingEvent`, `scale`).
        let before = self.desired.insert(row, it.body.replicas);
        let paused = it.body.spec["paused"] == true;
        self.note_pause(row, paused);
        if paused || before.is_some_and(|before| before != it.body.replicas) {
            let active: Vec<u32> = sets.iter().copied().filter(|&set| self.set_replicas(set) > 0).collect();
            match active[..] {
                // `FindActiveOrLatest`: a paused one has no roll-out step that would scale what is at zero.
                [] if paused => {
                    if let Some(set) = newest.or_else(|| sets.last().copied()) {
                        self.scale_set(set, it.body.replicas);
                    }
                }
                [] => {}
                [only] => self.scale_set(only, it.body.replicas),
                _ => self.scale_in_proportion(&it, newest, &active, before.unwrap_or(it.body.replicas)),
            }
            return self.update_status(row, Estimate::No);
        }
        let newest = if let Some(set) = newest {
            self.note_set(row, set, ProgressReason::Found);
            set
        } else {
            let set = self.create_set(row, &it, &hash);
            self.note_set(row, set, ProgressReason::Created);
            set
        };
        match it.body.strategy {
            Strategy::RollingUpdate {
                max_surge,
                max_unavailable,
            } => {
                let surge = max_surge.of(it.body.replicas, true);
                let mut unavailable = max_unavailable.of(it.body.replicas, false);
                if surge == 0 && unavailable == 0 {
                    // deployment_util.go `ResolveFenceposts`: both rounding to zero would never move.
                    unavailable = 1;
                }
                if !self.grow_new(&it, newest, &old, surge) {
                    self.shrink_old(&it, newest, &old, unavailable);
                }
            }
            Strategy::Recreate => {
                for &set in &old {
                    self.scale_set(set, 0);
                }
                if !old.iter().any(|&set| self.has_running_pods(set)) {
                    self.scale_set(newest, it.body.replicas);
                }
            }
        }
        self.update_status(row, Estimate::Yes);
        self.forget_old_sets(row, &old);
    }

    fn grow_new(&mut self, it: &Row<Deployment>, newest: u32, old: &[u32], surge: u32) -> bool {
        let wanted = it.body.replicas;
        let have = self.set_replicas(newest);
        if have > wanted {
            self.scale_set(newest, wanted);
            return true;
        }
        let total = have + old.iter().map(|&set| self.set_replicas(set)).sum::<u32>();
        let room = (wanted + surge).saturating_sub(total).min(wanted - have);
        if room > 0 {
            self.scale_set(newest, have + room);
        }
        room > 0
    }

    fn shrink_old(&mut self, it: &Row<Deployment>, newest: u32, old: &[u32], unavailable: u32) {
        let old_total: u32 = old.iter().map(|&set| self.set_replicas(set)).sum();
        if old_total == 0 {
            return;
        }
        let least = it.body.replicas.saturating_sub(unavailable);
        let have = self.set_replicas(newest);
        let (new_available, _) = self.set_status(newest);
        let new_missing = have.saturating_sub(new_available);
        let mut may_go = (old_total + have).saturating_sub(least + new_missing);
        // First the ones that do not work anyway, oldest set first.
        for &set in old {
            let (available, _) = self.set_status(set);
            let broken = self.set_replicas(set).saturating_sub(available).min(may_go);
            if broken > 0 {
                may_go -= broken;
                self.scale_set(set, self.set_replicas(set) - broken);
            }
        }
        let available: u32 = old.iter().map(|&set| self.set_status(set).0).sum::<u32>() + new_available;
        let mut surplus = available.saturating_sub(least).min(may_go);
        for &set in old {
            let go = self.set_replicas(set).min(surplus);
            if go > 0 {
                surplus -= go;
                self.scale_set(set, self.set_replicas(set) - go);
            }
        }
    }

    pub(super) fn set_replicas(&self, set: u32) -> u32 {
        self.store.replica_sets.get(set).map_or(0, |set| set.body.replicas)
    }

    /// A ReplicaSet's available and all pods, as its status says.
    pub(super) fn set_status(&self, set: u32) -> (u32, u32) {
        self.store
            .replica_sets
            .get(set)
            .map_or((0, 0), |set| (set.body.status.available, set.body.status.replicas))
    }

    fn set_uid(&self, set: u32) -> u64 {
        self.store.replica_sets.get(set).map_or(0, |set| set.meta.uid)
    }

    fn hash_of(&self, set: u32) -> String {
        self.store
            .replica_sets
            .get(set)
            .and_then(|set| set.meta.labels.get(HASH).cloned())
            .unwrap_or_default()
    }

    pub(super) fn scale_set(&mut self, set: u32, replicas: u32) {
        if self.set_replicas(set) == replicas {
            return;
        }
        self.store.replica_sets.update(&mut self.store.versions, set, |set| {
            set.body.replicas = replicas;
            set.meta.generation += 1;
        });
        self.replica_set_changed(set);
    }

    fn create_set(&mut self, row: u32, it: &Row<Deployment>, hash: &str) -> u32 {
        let revision = self
            .owned
            .get(&it.meta.uid)
            .into_iter()
            .flatten()
            .filter_map(|&set| self.store.replica_sets.get(set).map(|set| set.body.revision))
            .max()
            .unwrap_or(0)
            + 1;
        let mut labels = (*it.body.template.labels).clone();
        labels.insert(HASH.to_owned(), hash.to_owned());
        let labels = Arc::new(labels);
        let template = Arc::new(PodTemplate {
            labels: labels.clone(),
            ..PodTemplate::clone(&it.body.template)
        });
        let mut selector = it.body.selector.clone();
        selector.0.push(Requirement {
            key: HASH.to_owned(),
            test: Test::In(vec![hash.to_owned()]),
        });
        let meta = Meta {
            name: format!("{}-{hash}", it.meta.name).into(),
            namespace: it.meta.namespace.clone(),
            created: self.now,
            labels,
            generation: 1,
            owner: Some(Owner {
                api_version: "apps/v1",
                kind: "Deployment",
                name: it.meta.name.clone(),
                uid: it.meta.uid,
                row,
            }),
            ..Meta::default()
        };
        let set = self.store.replica_sets.insert(
            &mut self.store.versions,
            meta,
            ReplicaSet {
                spec: None,
                replicas: 0,
                selector,
                template,
                app: it.meta.name.clone(),
                revision,
                min_ready: it.body.min_ready,
                status: ReplicaSetStatus::default(),
                failure: None,
            },
        );
        self.owned.entry(it.meta.uid).or_default().insert(set);
        set
    }

    /// Writes the status; a change of its numbers may allow the next step.
    fn update_status(&mut self, row: u32, estimate: Estimate) {
        let Some(it) = self.store.deployments.shared(row).cloned() else {
            return;
        };
        let hash = template_hash(&it.body.template);
        let mut status = DeploymentStatus {
            observed: it.meta.generation,
            ..DeploymentStatus::default()
        };
        let mut newest = None;
        for &number in self.owned.get(&it.meta.uid).into_iter().flatten() {
            let Some(set) = self.store.replica_sets.get(number) else {
                continue;
            };
            status.replicas += set.body.status.replicas;
            status.ready += set.body.status.ready;
            status.available += set.body.status.available;
            if set.meta.labels.get(HASH) == Some(&hash) {
                status.updated += set.body.status.replicas;
                newest = Some(set.meta.name.clone());
            }
        }
        let progress = match estimate {
            Estimate::Yes => progress(&it.body, &status, newest.as_ref(), self.now),
            Estimate::No => it.body.progress.clone(),
        };
        let failure = self.replica_failure(it.meta.uid, &hash);
        let counts = status != it.body.status || failure != it.body.failure;
        if counts || progress != it.body.progress {
            self.store.deployments.update(&mut self.store.versions, row, |it| {
                it.body.status = status;
                it.body.progress = progress;
                it.body.failure = failure;
            });
        }
        if counts {
            self.deployment_changed(row);
        }
        self.watch_progress(row);
    }
}

impl World {
    /// Whether any pod of a set has not ended, one that is being deleted included (recreate.go `oldPodsRunning`).
    fn has_running_pods(&self, set: u32) -> bool {
        let pods = self.owned.get(&self.set_uid(set)).into_iter().flatten();
        pods.filter_map(|&pod| self.store.pod(pod))
            .any(|pod| !pod.body.is_finished())
    }

    /// A pod of a ReplicaSet is gone: a Deployment that waits for the last of the old ones looks
    /// (`deployment_controller.go` `deletePod`).
    pub(in crate::simulation) fn pod_of_set_gone(&mut self, set: u32) {
        let owner = self
            .store
            .replica_sets
            .get(set)
            .and_then(|set| set.meta.owner.as_ref().map(|owner| owner.row));
        let waits = |row: &u32| {
            let deployment = self.store.deployments.get(*row);
            deployment.is_some_and(|it| it.body.strategy == Strategy::Recreate)
        };
        if let Some(row) = owner.filter(waits)
            && !self.has_running_pods(set)
        {
            self.deployment_changed(row);
        }
    }

    /// The failure of the newest ReplicaSet, or else of an older one (progress.go `getReplicaFailures`).
    fn replica_failure(&self, deployment: u64, hash: &str) -> Option<Arc<Failure>> {
        let sets = self.owned.get(&deployment).into_iter().flatten();
        let failing: Vec<_> = sets
            .filter_map(|&set| self.store.replica_sets.get(set))
            .filter(|set| set.body.failure.is_some())
            .collect();
        let newest = failing
            .iter()
            .find(|set| set.meta.labels.get(HASH).is_some_and(|other| other == hash));
        newest.or(failing.first())?.body.failure.clone()
    }
}

/// A template's hash as the end of a ReplicaSet's name.
pub(super) fn template_hash(template: &PodTemplate) -> String {
    let mut hash = template.hash;
    (0..10)
        .map(|_| {
            let letter = ALPHABET[(hash % 27) as usize];
            hash /= 27;
            char::from(letter)
        })
        .collect()
}
