//! The scheduler: which node a pod goes to, why none, whom it may push out, and what the autoscaler asks of it.
//!
//! A pure cache and algorithm after kube-scheduler 1.36 with its default profile
//! (`pkg/scheduler/apis/config/v1/default_plugins.go`). The queue, its back-offs and the binding are the caller's.
//! Pods are counted, not walked: every namespace-and-labels is interned as a class, every affinity term keeps how
//! many pods match it in each topology domain, so a placement costs a few array reads per node looked at.

mod class;
mod count;
mod estimate;
mod filter;
mod logarithm;
mod needs;
mod node;
mod place;
mod preempt;
mod query;
mod reason;
mod score;
mod selection;
mod skew;
mod spread;
#[cfg(test)]
mod tests;
mod topology;

use std::collections::BTreeMap;
use std::sync::Arc;

use class::{ClassId, Classes};
pub use estimate::Estimate;
pub use needs::{Needs, NodeTerms};
use node::Nodes;
pub use preempt::{Budget, Preemption};
pub use reason::{Reason, Unschedulable};
use selection::Selections;
use topology::Topologies;

use super::api::Labels;
use super::fabric::{MachineId, PodId};
use super::objects::quantity::Amount;
use super::objects::template::{PodTemplate, Taint};
use crate::model::time::Time;

/// What the scheduler knows of a node.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The machine that registered it.
    pub machine: MachineId,
    /// Its name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// What pods may request in all.
    pub allocatable: Amount,
    /// How many pods it takes.
    pub pods: u32,
    /// What else pods may request, by name.
    pub scalars: Arc<BTreeMap<Arc<str>, u64>>,
}

/// A pod that has a node: bound, or assumed to be bound soon.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// Its number.
    pub pod: PodId,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// What it was made from; `labels` are the pod's own, `pod-template-hash` included.
    pub template: Arc<PodTemplate>,
    /// Its node; the scheduler may not know that node (yet, or any more).
    pub machine: MachineId,
    /// `status.startTime`: when its kubelet first saw it; `None` counts as later than all others
    /// (pkg/scheduler/util/utils.go `GetPodStartTime`).
    pub started: Option<Time>,
}

/// Why a pod has a deletion timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Somebody deleted or evicted it.
    Deleted,
    /// The scheduler preempted it: its `DisruptionTarget` condition says `PreemptionByScheduler`.
    Preempted,
}

/// A pod in the books.
#[derive(Clone, Debug)]
struct Booked {
    machine: MachineId,
    class: ClassId,
    template: Arc<PodTemplate>,
    started: Time,
    leaving: Option<Leaving>,
}

/// The scheduler's cache and algorithm.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    nodes: Nodes,
    topologies: Topologies,
    classes: Classes,
    selections: Selections,
    pods: BTreeMap<PodId, Booked>,
    /// Pods whose node is not there, by machine.
    absent: BTreeMap<MachineId, Vec<PodId>>,
    /// Pods for which room is being made (pkg/scheduler/backend/queue/nominator.go).
    nominated: BTreeMap<PodId, Booked>,
    /// How many booked pods have each priority.
    priorities: BTreeMap<i32, u32>,
    /// What preemption should respect.
    budgets: Arc<Vec<Budget>>,
    /// Whether dynamic resource allocation has its say in messages.
    dynamic_resources: bool,
    /// Where the next search for nodes starts (`pkg/scheduler/schedule_one.go` `nextStartNodeIndex`).
    start: usize,
}

impl Scheduler {
    /// Without nodes and pods.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, or replaces what is known of it. Pods that were booked on it before it came count from now on.
    pub fn add_node(&mut self, info: NodeInfo) {
        let machine = info.machine;
        if self.nodes.slot(machine).is_some() {
            self.remove_node(machine);
        }
        let labels = Arc::clone(&info.labels);
        let name = Arc::clone(&info.name);
        let slot = self.nodes.add(info);
        self.topologies.set(slot, &labels);
        self.selections.set(slot, &name, &labels);
        for pod in self.absent.remove(&machine).unwrap_or_default() {
            self.attach(pod);
        }
    }

    /// Replaces what is known of a node: labels, taints, cordon, room. An unknown one is added.
    pub fn update_node(&mut self, info: NodeInfo) {
        match self.nodes.slot(info.machine) {
            // Labels alone decide which domains its pods count in.
            Some(slot)
                if self
                    .nodes
                    .info(slot)
                    .is_some_and(|old| old.labels == info.labels && old.name == info.name) =>
            {
                self.nodes.update(slot, info);
            }
            _ => self.add_node(info),
        }
    }

    /// Forgets a node. Its pods stay booked and count nowhere until it comes back or they are removed
    /// (pkg/scheduler/backend/cache/cache.go `RemoveNode`).
    pub fn remove_node(&mut self, machine: MachineId) {
        let Some(slot) = self.nodes.slot(machine) else { return };
        let pods = self.nodes.pods(slot).to_vec();
        for &pod in &pods {
            self.detach(pod);
        }
        if !pods.is_empty() {
            self.absent.insert(machine, pods);
        }
        self.selections.unset(slot);
        self.topologies.unset(slot);
        self.nodes.remove(slot);
    }

    /// Books a pod on its node, and withdraws its nomination. One that is booked already is moved.
    pub fn add_pod(&mut self, info: &PodInfo) {
        self.remove_pod(info.pod);
        let booked = self.book(&info.namespace, &info.template, info.machine, info.started);
        self.insert(info.pod, booked);
    }

    /// Forgets a pod and its nomination.
    pub fn remove_pod(&mut self, pod: PodId) {
        self.nominated.remove(&pod);
        let Some(booked) = self.pods.get(&pod).cloned() else {
            return;
        };
        if self.nodes.slot(booked.machine).is_some() {
            self.detach(pod);
        } else if let Some(waiting) = self.absent.get_mut(&booked.machine) {
            waiting.retain(|&other| other != pod);
            if waiting.is_empty() {
                self.absent.remove(&booked.machine);
            }
        }
        self.pods.remove(&pod);
        if let Some(count) = self.priorities.get_mut(&booked.template.priority) {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&booked.template.priority);
            }
        }
    }

    /// The pod has got a deletion timestamp. It holds its room until it is removed, but spreading no longer sees it
    /// (pkg/scheduler/framework/plugins/podtopologyspread/common.go `countPodsMatchSelector`).
    pub fn set_leaving(&mut self, pod: PodId, leaving: Leaving) {
        self.change(pod, |booked| booked.leaving = Some(leaving));
    }

    /// The pod's kubelet has seen it: `status.startTime`.
    pub fn set_started(&mut self, pod: PodId, started: Time) {
        self.change(pod, |booked| booked.started = started);
    }

    /// Room is being made for the pod on this node: pods of no higher priority must leave it that room
    /// (pkg/scheduler/framework/runtime/framework.go `addGENominatedPods`), and its next placement tries the node first.
    pub fn nominate(&mut self, pod: PodId, namespace: &Arc<str>, template: &Arc<PodTemplate>, machine: MachineId) {
        let booked = self.book(namespace, template, machine, None);
        self.nominated.insert(pod, booked);
    }

    /// Withdraws a nomination.
    pub fn withdraw(&mut self, pod: PodId) {
        self.nominated.remove(&pod);
    }

    /// The PodDisruptionBudgets as they are now: preemption prefers victims that they allow.
    pub fn set_budgets(&mut self, budgets: Vec<Budget>) {
        self.budgets = Arc::new(budgets);
    }

    /// Whether the scheduler has the plugin for dynamic resource allocation, as from Kubernetes 1.34 on
    /// (pkg/features/kube_features.go `DynamicResourceAllocation`): its words are in every refusal.
    pub const fn set_dynamic_resources(&mut self, dynamic_resources: bool) {
        self.dynamic_resources = dynamic_resources;
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The pods booked on a node, by number.
    #[must_use]
    pub fn pods_on(&self, machine: MachineId) -> &[PodId] {
        match self.nodes.slot(machine) {
            Some(slot) => self.nodes.pods(slot),
            None => self.absent.get(&machine).map_or(&[], Vec::as_slice),
        }
    }

    /// What the pods booked on a present node request in all.
    #[must_use]
    pub fn requested_on(&self, machine: MachineId) -> Option<Amount> {
        self.nodes.slot(machine).map(|slot| self.nodes.room(slot).requested)
    }

    fn book(
        &mut self,
        namespace: &Arc<str>,
        template: &Arc<PodTemplate>,
        machine: MachineId,
        started: Option<Time>,
    ) -> Booked {
        Booked {
            machine,
            class: self.class(namespace, template),
            template: Arc::clone(template),
            started: started.unwrap_or(Time::NEVER),
            leaving: None,
        }
    }

    fn insert(&mut self, pod: PodId, booked: Booked) {
        let machine = booked.machine;
        *self.priorities.entry(booked.template.priority).or_default() += 1;
        self.pods.insert(pod, booked);
        if self.nodes.slot(machine).is_some() {
            self.attach(pod);
        } else {
            self.absent.entry(machine).or_default().push(pod);
        }
    }

    fn change(&mut self, pod: PodId, change: impl FnOnce(&mut Booked)) {
        let Some(booked) = self.pods.get(&pod) else { return };
        let present = self.nodes.slot(booked.machine).is_some();
        if present {
            self.detach(pod);
        }
        if let Some(booked) = self.pods.get_mut(&pod) {
            change(booked);
        }
        if present {
            self.attach(pod);
        }
    }

    /// Counts a booked pod on its node, which is there.
    fn attach(&mut self, pod: PodId) {
        let Some(booked) = self.pods.get(&pod).cloned() else {
            return;
        };
        let Some(slot) = self.nodes.slot(booked.machine) else {
            return;
        };
        self.nodes.seat(slot, pod);
        self.count(slot, &booked, 1);
    }

    /// The opposite of [`Self::attach`].
    fn detach(&mut self, pod: PodId) {
        let Some(booked) = self.pods.get(&pod).cloned() else {
            return;
        };
        let Some(slot) = self.nodes.slot(booked.machine) else {
            return;
        };
        self.nodes.unseat(slot, pod);
        self.count(slot, &booked, -1);
    }

    /// Counts a pod on a node, or takes it out again, without touching the books.
    fn count(&mut self, slot: u32, booked: &Booked, sign: i32) {
        let room = self.nodes.room_mut(slot);
        if sign > 0 {
            room.requested = room.requested.plus(booked.template.requests);
            room.scored = room.scored.plus(booked.template.scored);
            room.pods += 1;
        } else {
            room.requested = room.requested.minus(booked.template.requests);
            room.scored = room.scored.minus(booked.template.scored);
            room.pods -= 1;
        }
        if let Some(placing) = &booked.template.placing {
            self.nodes.take(slot, placing, sign);
        }
        self.classes
            .count(booked.class, slot, &self.topologies, booked.leaving.is_none(), sign);
    }
}
