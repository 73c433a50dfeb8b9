//! Pod garbage collection: pods bound to nodes that no longer exist.
//!
//! Source: pkg/controller/podgc/gc_controller.go (`gcOrphaned`, `discoverDeletedNodes`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::pod::Phase;
use super::super::world::World;
use crate::model::time::{Span, Time};

/// What the controller remembers: since when it knows that a machine has no node object.
#[derive(Clone, Debug, Default)]
pub struct PodGc {
    missing: BTreeMap<MachineId, Time>,
    /// The same of nodes that were never there, and that pods name all the same.
    unknown: BTreeMap<Arc<str>, Time>,
}

impl World {
    pub(in crate::simulation) fn collect_pods(&mut self) {
        self.after(self.profile.controllers.pod_gc_period.into(), Event::PodGc);
        let quarantine = Span::from(self.profile.controllers.pod_gc_quarantine);
        let (now, machines, missing) = (self.now, &self.machines, &mut self.pod_gc.missing);
        missing.retain(|machine, _| machines[machine.0 as usize].node.is_none());
        let mut orphans = Vec::new();
        let (nodes, unknown) = (&self.store.nodes, &mut self.pod_gc.unknown);
        unknown.retain(|name, _| nodes.find("", name).is_none());
        for (row, pod) in self.store.pods.iter() {
            let Some(machine) = pod.body.node else {
                if let Some(name) = pod
                    .body
                    .template
                    .node_name
                    .as_deref()
                    .filter(|name| nodes.find("", name).is_none())
                {
                    let since = *unknown.entry(name.into()).or_insert(now);
                    if now.since(since) >= quarantine {
                        orphans.push(row);
                    }
                }
                continue;
            };
            if machines[machine.0 as usize].node.is_some() {
                continue;
            }
            let since = *missing.entry(machine).or_insert(now);
            if now.since(since) >= quarantine {
                orphans.push(row);
            }
        }
        for pod in orphans {
            self.mark_disrupted(pod, "DeletionByPodGC");
            self.store.change_pod(pod, |pod| pod.body.phase = Phase::Failed);
            self.delete_pod(pod, "pod-gc", Some(Span::ZERO));
        }
    }
}
