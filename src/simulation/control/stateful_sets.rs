//! The StatefulSet controller: pods with names and claims of their own, in order.
//!
//! Source: pkg/controller/statefulset/stateful_set_control.go (`updateStatefulSet`, `processReplica`, `processCondemned`,
//! `completeRollingUpdate`), stateful_set_utils.go (`newVersionedStatefulSetPod`, `updateIdentity`, `updateStorage`).
//! The feature MaxUnavailableStatefulSet is off: an update takes one pod at a time.

use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::pod::{Phase, Pod};
use super::super::objects::resources::STATEFUL_SETS;
use super::super::objects::stateful_set::{Management, StatefulSet, StatefulSetStatus, Update};
use super::super::objects::table::Row;
use super::super::server::tables::Place;
use super::super::world::{About, World, draw};
use super::revisions::Revised;
use crate::model::time::Time;

mod identity;

/// The label of a StatefulSet's pod with its revision. Source: k8s.io/api apps/v1 types.go `ControllerRevisionHashLabelKey`.
pub const REVISION: &str = "controller-revision-hash";

/// A set's pods, as one look finds them.
struct Look {
    /// By ordinal from the first on; `None`: to be made.
    replicas: Vec<Option<u32>>,
    /// Pods whose ordinal is no longer wanted, the highest first.
    condemned: Vec<u32>,
    /// The first pod that is not available; `None`: there is none, or it has yet to be made.
    first_unavailable: Option<u32>,
    ordered: bool,
}

impl World {
    pub(in crate::simulation) fn stateful_set_changed(&mut self, row: u32) {
        if self.workloads.stateful_sets.insert(row) {
            let delay = draw(&mut self.chance.workloads, self.profile.controllers.notice);
            self.after(delay, Event::StatefulSet(row));
        }
    }

    pub(in crate::simulation) fn sync_stateful_set(&mut self, row: u32) {
        self.workloads.stateful_sets.remove(&row);
        let Some(set) = self.store.stateful_sets.shared(row).cloned() else {
            return;
        };
        let place = Place::new(STATEFUL_SETS, row);
        let newest = self.revision_of(place, &set.meta, "StatefulSet", &set.body.template);
        let known = &set.body.status.current_revision;
        let current = self
            .revision_named(set.meta.uid, known)
            .unwrap_or_else(|| newest.clone());
        if set.meta.deletion.is_none() {
            self.steer(row, &set, &current, &newest);
        }
        self.stateful_status(row, &current, &newest);
        let in_use = self.revisions_in_use(set.meta.uid, [&current.name, &newest.name]);
        self.forget_revisions(set.meta.uid, &in_use, set.body.history);
    }

    fn look_at(&self, set: &Row<StatefulSet>) -> Look {
        let (start, count) = (set.body.start, set.body.replicas);
        let mut replicas = vec![None; count as usize];
        let mut condemned = Vec::new();
        for &pod in self.owned.get(&set.meta.uid).into_iter().flatten() {
            let Some(ordinal) = self.ordinal(&set.meta.name, pod) else {
                continue;
            };
            match ordinal.checked_sub(start).filter(|index| *index < count) {
                Some(index) => replicas[index as usize] = Some(pod),
                None => condemned.push((ordinal, pod)),
            }
        }
        condemned.sort_unstable_by(|a, b| b.cmp(a));
        let condemned: Vec<u32> = condemned.into_iter().map(|(_, pod)| pod).collect();
        let missing = |pod: &Option<u32>| pod.is_none_or(|pod| !self.is_available(set, pod));
        let first_unavailable = replicas.iter().copied().find(missing).or_else(|| {
            let all = condemned.iter().rev();
            all.map(|&pod| Some(pod)).find(missing)
        });
        Look {
            replicas,
            condemned,
            first_unavailable: first_unavailable.flatten(),
            ordered: set.body.management == Management::OrderedReady,
        }
    }

    /// The number at the end of a pod's name.
    fn ordinal(&self, set: &str, pod: u32) -> Option<u32> {
        let name = &self.store.pod(pod)?.meta.name;
        name.strip_prefix(set)?.strip_prefix('-')?.parse().ok()
    }

    fn is_leaving(&self, pod: u32) -> bool {
        self.store.pod(pod).is_none_or(|row| row.meta.deletion.is_some())
    }

    /// Running and ready since the set's `minReadySeconds`, and not being deleted.
    fn is_available(&self, set: &Row<StatefulSet>, pod: u32) -> bool {
        self.store.pod(pod).is_some_and(|row| {
            let since = row.body.ready.filter(|(ready, _)| *ready).map(|(_, since)| since);
            row.meta.deletion.is_none()
                && row.body.phase == Phase::Running
                && since.is_some_and(|since| since + set.body.min_ready <= self.now)
        })
    }

    fn revision_label(&self, pod: u32) -> Option<&str> {
        self.store.pod(pod)?.meta.labels.get(REVISION).map(String::as_str)
    }

    /// One round of the controller: what it creates and deletes.
    fn steer(&mut self, row: u32, set: &Arc<Row<StatefulSet>>, current: &Revised, newest: &Revised) {
        let look = self.look_at(set);
        if self.keep_replicas(row, set, &look, current, newest) {
            return;
        }
        for &pod in &look.condemned {
            if self.is_leaving(pod) {
                if look.ordered {
                    return;
                }
                continue;
            }
            if look.ordered && !self.is_available(set, pod) && look.first_unavailable != Some(pod) {
                return;
            }
            self.condemn(set, pod);
            self.delete_stateful_pod(set, pod, "scale-down");
            if look.ordered {
                return;
            }
        }
        let Update::Rolling { partition } = set.body.update else {
            return;
        };
        let pods = look.replicas.iter().skip(partition as usize).rev().flatten();
        for &pod in pods {
            if self.revision_label(pod) != Some(&*newest.name) && !self.is_leaving(pod) {
                return self.delete_stateful_pod(set, pod, "rollout");
            }
            if !self.is_available(set, pod) {
                return;
            }
        }
    }

    /// Makes what is missing; whether the round ends here.
    fn keep_replicas(
        &mut self,
        row: u32,
        set: &Arc<Row<StatefulSet>>,
        look: &Look,
        current: &Revised,
        newest: &Revised,
    ) -> bool {
        for (index, pod) in look.replicas.iter().enumerate() {
            let ordinal = set.body.start + index as u32;
            let Some(pod) = *pod else {
                let old = matches!(set.body.update, Update::Rolling { partition } if (index as u32) < partition);
                let revision = if old { current } else { newest };
                self.create_stateful_pod(row, set, ordinal, revision);
                if look.ordered {
                    return true;
                }
                continue;
            };
            let Some(phase) = self.store.pod(pod).map(|row| row.body.phase) else {
                continue;
            };
            if self.store.pod(pod).is_some_and(|row| row.body.is_finished()) {
                if !self.is_leaving(pod) {
                    self.delete_stateful_pod(set, pod, "failed");
                }
                if look.ordered {
                    return true;
                }
                continue;
            }
            if phase == Phase::Pending {
                self.create_claims(set, ordinal);
            }
            if look.ordered && !self.is_available(set, pod) {
                return true;
            }
        }
        false
    }

    fn delete_stateful_pod(&mut self, set: &Row<StatefulSet>, pod: u32, cause: &str) {
        let Some(name) = self.store.pod(pod).map(|row| row.meta.name.clone()) else {
            return;
        };
        self.delete_pod(pod, cause, None);
        let message = format!("Delete Pod {name} in StatefulSet {} successful", set.meta.name);
        self.announce(&about(set), "SuccessfulDelete", message);
    }

    fn stateful_status(&mut self, row: u32, current: &Revised, newest: &Revised) {
        let Some(set) = self.store.stateful_sets.shared(row).cloned() else {
            return;
        };
        let mut status = StatefulSetStatus {
            observed: set.meta.generation,
            current_revision: current.name.clone(),
            update_revision: newest.name.clone(),
            ..StatefulSetStatus::default()
        };
        let mut next = Time::NEVER;
        for &pod in self.owned.get(&set.meta.uid).into_iter().flatten() {
            let Some(it) = self.store.pod(pod) else { continue };
            if it.body.is_finished() {
                continue;
            }
            status.replicas += 1;
            if let Some((true, since)) = it.body.ready
                && it.body.phase == Phase::Running
            {
                status.ready += 1;
                let at = since + set.body.min_ready;
                if at <= self.now {
                    status.available += 1;
                } else {
                    next = next.min(at);
                }
            }
            if it.meta.deletion.is_none() {
                let label = it.meta.labels.get(REVISION).map(String::as_str);
                status.current += u32::from(label == Some(&*current.name));
                status.updated += u32::from(label == Some(&*newest.name));
            }
        }
        if next < Time::NEVER {
            self.queue.post(next, Event::StatefulSet(row));
        }
        let wanted = set.body.replicas;
        let rolling = matches!(set.body.update, Update::Rolling { .. });
        if rolling && [status.replicas, status.ready, status.updated] == [wanted; 3] {
            // `completeRollingUpdate`
            status.current = status.updated;
            status.current_revision = newest.name.clone();
        }
        if status != set.body.status {
            self.store
                .stateful_sets
                .update(&mut self.store.versions, row, |set| set.body.status = status);
            self.stateful_set_changed(row);
        }
    }
}

/// What an Event about a set says.
fn about(set: &Row<StatefulSet>) -> About {
    About {
        kind: "StatefulSet",
        namespace: set.meta.namespace.clone(),
        name: set.meta.name.clone(),
        uid: set.meta.uid,
        warning: false,
        component: "statefulset-controller",
    }
}

/// A pod of a set.
fn pod_of(set: &Row<StatefulSet>, template: super::super::objects::template::PodTemplate) -> Pod {
    Pod::new(Arc::new(template), set.meta.name.clone())
}
