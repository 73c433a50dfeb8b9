//! The scheduler's queue and what follows from its choices.
//!
//! Source: pkg/scheduler/backend/queue/scheduling_queue.go (active, back-off and unschedulable pods).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::api::Labels;
use super::super::event::Event;
use super::super::fabric::{MachineId, PodId};
use super::super::objects::pod::{Phase, Pod};
use super::super::objects::table::Row;
use super::super::scheduler::{Leaving, Needs, PodInfo};
use super::super::world::{About, World, draw};
use crate::model::history::What;
use crate::model::time::{Span, Time};

/// Pods that wait for a node.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// To be tried, highest priority first, then oldest.
    active: BTreeSet<(Reverse<i32>, u32)>,
    /// The version of the PodDisruptionBudgets that the scheduler knows.
    pub(super) budgets: u64,
    /// Tried in vain.
    unschedulable: BTreeMap<u32, Attempt>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    tries: u32,
    last: Time,
    /// A retry is posted.
    retry: bool,
}

impl Pending {
    /// Forgets a pod that is gone.
    pub fn forget(&mut self, pod: u32) {
        self.unschedulable.remove(&pod);
    }

    /// The pods that did not fit, by creation.
    pub fn unschedulable(&self) -> impl Iterator<Item = u32> {
        self.unschedulable.keys().copied()
    }
}

impl World {
    pub(in crate::simulation) fn enqueue_pod(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let template = &row.body.template;
        // plugins/schedulinggates/scheduling_gates.go `PreEnqueue`; pkg/scheduler/eventhandlers.go `responsibleForPod`.
        if !template.gates().is_empty() || template.other_scheduler().is_some() {
            return;
        }
        if let Some(node) = &template.node_name {
            // No scheduler looks at a pod that has its node already: the kubelet takes it, taints or not.
            let machine = self
                .store
                .nodes
                .find("", node)
                .and_then(|node| self.store.nodes.get(node));
            match machine.map(|node| node.body.machine) {
                Some(machine) => self.bind(pod, machine),
                None => self.pod_gc.names_nothing(pod),
            }
            return;
        }
        self.pending.active.insert((Reverse(row.body.template.priority), pod));
        self.wake_scheduler();
    }

    fn wake_scheduler(&mut self) {
        if !self.dirty.schedule && !self.pending.active.is_empty() {
            self.dirty.schedule = true;
            let delay = draw(&mut self.chance.scheduler, self.profile.controllers.schedule);
            self.after(delay, Event::Schedule);
        }
    }

    pub(in crate::simulation) fn schedule_next(&mut self) {
        self.dirty.schedule = false;
        if let Some((_, pod)) = self.pending.active.pop_first() {
            self.schedule(pod);
        }
        self.wake_scheduler();
    }

    fn schedule(&mut self, pod: u32) {
        let Some(row) = self.store.pods.shared(pod).cloned() else {
            return;
        };
        if row.body.node.is_some() || row.meta.deletion.is_some() || row.body.phase != Phase::Pending {
            return;
        }
        let (namespace, template) = (&row.meta.namespace, &row.body.template);
        let needs = self.needs_of(&row);
        self.tell_budgets();
        match self
            .scheduler
            .place_with(PodId(pod), namespace, template, &needs, &mut self.chance.scheduler)
        {
            Ok(machine) if self.reserve(pod, machine) => {}
            Ok(machine) => self.bind(pod, machine),
            Err(why) => {
                self.did_not_fit(pod, &why.message);
                let Some(preemption) = why.preemption else { return };
                self.scheduler
                    .nominate(PodId(pod), namespace, template, preemption.machine);
                let name = self.machines[preemption.machine.0 as usize].name.clone();
                self.store.change_pod(pod, |row| {
                    row.body.nominated = Some(preemption.machine);
                    row.body.nominated_name = Some(name);
                });
                for victim in preemption.victims {
                    self.scheduler.set_leaving(victim, Leaving::Preempted);
                    self.mark_disrupted(victim.0, "PreemptionByScheduler");
                    self.delete_pod(victim.0, "preempted", None);
                }
            }
        }
    }

    pub(in crate::simulation) fn bind(&mut self, pod: u32, machine: MachineId) {
        self.moves += 1;
        self.pending.forget(pod);
        self.scheduler.withdraw(PodId(pod));
        let it = &self.machines[machine.0 as usize];
        let (name, address, now) = (it.name.clone(), it.address, self.now);
        self.store.change_pod(pod, |row| {
            row.body.node = Some(machine);
            row.body.node_name = Some(name.clone());
            row.body.host_address = Some(address);
            row.body.scheduled = Some(now);
            row.body.unschedulable = None;
            row.body.nominated = None;
            row.body.nominated_name = None;
        });
        let Some(row) = self.store.pod(pod) else { return };
        let (what, namespace, template) = (
            What::PodScheduled {
                pod: row.meta.name.to_string(),
                app: row.body.app.to_string(),
                node: name.to_string(),
            },
            row.meta.namespace.clone(),
            row.body.template.clone(),
        );
        let about = self.about_pod(pod, false, "default-scheduler");
        self.note(what);
        if let Some(about) = about.filter(|_| template.node_name.is_none()) {
            self.announce(
                &about,
                "Scheduled",
                format!("Successfully assigned {}/{} to {name}", about.namespace, about.name),
            );
        }
        self.company_appeared(&namespace, &template.labels);
        self.scheduler.add_pod(&PodInfo {
            pod: PodId(pod),
            namespace,
            template,
            machine,
            started: None,
        });
        self.stay_changed(pod);
        self.attach_volumes(pod);
        let notice = draw(&mut self.chance.kubelets, self.profile.kubelet.notice);
        self.after(notice, Event::Start(pod));
    }

    fn did_not_fit(&mut self, pod: u32, message: &str) {
        let now = self.now;
        let attempt = self.pending.unschedulable.entry(pod).or_insert(Attempt {
            tries: 0,
            last: now,
            retry: false,
        });
        *attempt = Attempt {
            tries: attempt.tries + 1,
            last: now,
            retry: false,
        };
        let Some(row) = self.store.pod(pod) else { return };
        if row.body.unschedulable.as_deref() == Some(message) {
            return;
        }
        let what = What::PodUnschedulable {
            pod: row.meta.name.to_string(),
            app: row.body.app.to_string(),
            reason: message.to_owned(),
        };
        self.note(what);
        let reason: Arc<str> = message.into();
        self.store
            .change_pod(pod, |row| row.body.unschedulable = Some(reason.clone()));
        if let Some(about) = self.about_pod(pod, true, "default-scheduler") {
            self.announce(&about, "FailedScheduling", reason);
        }
    }

    /// Something happened that may let a pod fit: a node came or changed, a pod went.
    pub(in crate::simulation) fn room_appeared(&mut self) {
        self.try_again_soon(|_| true);
    }

    /// A pod with these labels got a node: pods that must be beside such a one may fit now
    /// (pkg/scheduler/framework/plugins/interpodaffinity/plugin.go `isSchedulableAfterPodChange`).
    fn company_appeared(&mut self, namespace: &str, labels: &Labels) {
        if self.pending.unschedulable.is_empty() {
            return;
        }
        let store = &self.store;
        let wanting: BTreeSet<u32> = self
            .pending
            .unschedulable()
            .filter(|&pod| {
                store.pod(pod).is_some_and(|row| {
                    let same = *row.meta.namespace == *namespace;
                    row.body.template.affinity.iter().any(|term| {
                        let there = if term.namespaces.is_empty() {
                            same || term.namespace_selector.is_some()
                        } else {
                            term.namespaces.iter().any(|name| name == namespace)
                        };
                        there && term.selector.matches(labels)
                    }) || same
                        && row.body.template.spread().iter().any(|constraint| {
                            // The emptiest place may be fuller now (podtopologyspread/plugin.go `isSchedulableAfterPodChange`).
                            constraint.hard && constraint.selector.as_ref().is_some_and(|it| it.matches(labels))
                        })
                })
            })
            .collect();
        self.try_again_soon(|pod| wanting.contains(&pod));
    }

    /// Posts retries of pods that did not fit, each after its back-off.
    fn try_again_soon(&mut self, wanted: impl Fn(u32) -> bool) {
        let first = Span::from(self.profile.controllers.schedule_back_off);
        let limit = Span::from(self.profile.controllers.schedule_back_off_limit);
        let now = self.now;
        let mut retries = Vec::new();
        for (&pod, attempt) in &mut self.pending.unschedulable {
            if !attempt.retry && wanted(pod) {
                attempt.retry = true;
                let back_off = Span((first.0 << (attempt.tries - 1).min(20)).min(limit.0));
                retries.push((pod, now.max(attempt.last + back_off)));
            }
        }
        for (pod, at) in retries {
            self.queue.post(at, Event::Retry(pod));
        }
    }

    pub(in crate::simulation) fn retry_pod(&mut self, pod: u32) {
        if self.pending.unschedulable.contains_key(&pod) {
            self.enqueue_pod(pod);
        }
    }

    /// What a pod needs of its node besides what its template says: where its volumes can be.
    fn needs_of(&self, pod: &Row<Pod>) -> Needs {
        match self.places_of_volumes(pod) {
            Ok(volumes) => Needs {
                volumes,
                ..Needs::default()
            },
            Err(why) => Needs {
                refused: Some(why.into()),
                ..Needs::default()
            },
        }
    }

    /// What a Kubernetes Event about a pod says.
    pub(in crate::simulation) fn about_pod(&self, pod: u32, warning: bool, component: &'static str) -> Option<About> {
        let row = self.store.pod(pod)?;
        Some(About {
            kind: "Pod",
            namespace: row.meta.namespace.clone(),
            name: row.meta.name.clone(),
            uid: row.meta.uid,
            warning,
            component,
        })
    }

    /// Sets the `DisruptionTarget` condition.
    pub(in crate::simulation) fn mark_disrupted(&mut self, pod: u32, reason: &'static str) {
        let now = self.now;
        self.store
            .change_pod(pod, |row| row.body.disruption = Some((reason, now)));
    }
}
