//! Pod garbage collection: pods bound to nodes that no longer exist.
//!
//! Source: pkg/controller/podgc/gc_controller.go (`gcTerminating`, `gcOrphaned`, `discoverDeletedNodes`).

use std::collections::{BTreeMap, BTreeSet};

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::node::Readiness;
use super::super::objects::pod::{OUT_OF_SERVICE, Phase};
use super::super::world::World;
use crate::model::time::{Span, Time};

/// What the controller remembers: since when it knows that a machine has no node object.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    missing: BTreeMap<MachineId, Time>,
    /// Pods that name a node which was not there when they came, and since when the controller knows.
    nowhere: BTreeMap<u32, Option<Time>>,
}

impl PodGc {
    /// A pod names a node that is not there.
    pub(in crate::simulation) fn names_nothing(&mut self, pod: u32) {
        self.nowhere.insert(pod, None);
    }
}

impl World {
    /// `gcTerminating`: pods in deletion on nodes that are not ready and declared out of service.
    fn collect_terminating(&mut self) {
        let nodes = self.store.nodes.iter().filter(|(_, node)| {
            node.body.ready != Readiness::True && node.body.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
        });
        let machines: BTreeSet<MachineId> = nodes.map(|(_, node)| node.body.machine).collect();
        if machines.is_empty() {
            return;
        }
        let pods = machines.into_iter().flat_map(|machine| self.store.pods.on(machine));
        let pods: Vec<u32> = pods
            .filter(|(_, pod)| pod.meta.deletion.is_some())
            .map(|(row, _)| row)
            .collect();
        for pod in pods {
            self.store.change_pod(pod, |pod| pod.body.phase = Phase::Failed);
            self.delete_pod(pod, "pod-gc", Some(Span::ZERO));
        }
    }

    pub(in crate::simulation) fn collect_pods(&mut self) {
        self.after(self.profile.controllers.pod_gc_period.into(), Event::PodGc);
        self.collect_terminating();
        let quarantine = Span::from(self.profile.controllers.pod_gc_quarantine);
        let (now, machines, missing) = (self.now, &self.machines, &mut self.pod_gc.missing);
        missing.retain(|machine, _| machines[machine.0 as usize].node.is_none());
        let mut orphans = Vec::new();
        for (number, _) in machines
            .iter()
            .enumerate()
            .filter(|(_, machine)| machine.node.is_none())
        {
            let machine = MachineId(number as u32);
            for (row, _) in self.store.pods.on(machine) {
                let since = *missing.entry(machine).or_insert(now);
                if now.since(since) >= quarantine {
                    orphans.push(row);
                }
            }
        }
        let (pods, nodes) = (&self.store.pods, &self.store.nodes);
        let mut found = Vec::new();
        self.pod_gc.nowhere.retain(|&row, since| {
            let Some(pod) = pods.get(row).filter(|pod| pod.body.node.is_none()) else {
                return false;
            };
            let name = pod.body.template.node_name.as_deref().unwrap_or_default();
            if nodes.find("", name).is_some() {
                found.push(row);
                return false;
            }
            if now.since(*since.get_or_insert(now)) >= quarantine {
                orphans.push(row);
            }
            true
        });
        for pod in found {
            self.enqueue_pod(pod);
        }
        orphans.sort_unstable();
        for pod in orphans {
            self.mark_disrupted(pod, "DeletionByPodGC");
            self.store.change_pod(pod, |pod| pod.body.phase = Phase::Failed);
            self.delete_pod(pod, "pod-gc", Some(Span::ZERO));
        }
    }
}
