//! The Cluster Autoscaler: adds instances for pods that do not fit, removes ones that stay under-used.
//!
//! It runs in a pod like any other: while that pod is down, nothing scales. Source: kubernetes/autoscaler
//! cluster-autoscaler/FAQ.md and core/static_autoscaler.go.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::super::event::Event;
use super::super::fabric::{MachineId, PodId, Power};
use super::super::objects::node::Readiness;
use super::super::objects::pod::Pod;
use super::super::objects::resources::{CONFIG_MAPS, FIRST_STORED};
use super::super::objects::store::named;
use super::super::objects::stored::Stored;
use super::super::objects::table::Row;
use super::super::objects::template::{Effect, PodTemplate, Taint};
use super::super::scheduler::{NodeInfo, PodInfo};
use super::super::world::{World, draw};
use crate::model::time::{Span, Time};

/// The name of its Deployment and the image's last part.
pub(in crate::simulation) const NAME: &str = "cluster-autoscaler";
/// The name of its status ConfigMap.
const STATUS: &str = "cluster-autoscaler-status";
/// The taint of a node that is being removed (cluster-autoscaler utils/taints/taints.go `ToBeDeletedTaint`).
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";
/// Lines kept of its log.
const LOG_LINES: usize = 1_000;

/// What the running autoscaler remembers; a restart forgets it.
#[derive(Clone, Debug, Default)]
pub struct AutoscalerState {
    /// Since when each node has been unneeded.
    unneeded: BTreeMap<MachineId, Time>,
    /// The node whose pods are moving away before it is removed.
    draining: Option<MachineId>,
    /// The world's count of moves when it last looked for unneeded nodes.
    judged: u64,
    /// When it last added instances.
    last_add: Option<Time>,
    /// The status it last wrote.
    status: String,
}

impl World {
    /// A pod began to listen: if it is the autoscaler's, its first scan is planned.
    pub(in crate::simulation) fn autoscaler_may_start(&mut self, pod: u32, incarnation: u32) {
        let Some(flags) = self.profile.autoscaler else { return };
        let ours = self
            .store
            .pod(pod)
            .is_some_and(|row| &*row.body.app == NAME && &*row.meta.namespace == "kube-system");
        if ours {
            self.autoscaler = AutoscalerState::default();
            let delay = draw(&mut self.chance.cloud, flags.start);
            self.append_log(pod, "Cluster Autoscaler started; waiting for the leader's lease");
            self.after(delay, Event::Scan(pod, incarnation));
        }
    }

    fn append_log(&mut self, pod: u32, text: &str) {
        let seconds = self.now.second();
        let lines = self.logs.entry(pod).or_default();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(format!("I {seconds}s {text}"));
    }

    pub(in crate::simulation) fn scan(&mut self, pod: u32, incarnation: u32) {
        let alive = self
            .runtime(pod)
            .is_some_and(|it| it.incarnation() == incarnation && it.stopping.is_none());
        let (Some(flags), Some(group)) = (self.profile.autoscaler, self.profile.scaling_group) else {
            return;
        };
        if !alive || !self.listens(PodId(pod)) {
            return;
        }
        self.after(flags.scan.into(), Event::Scan(pod, incarnation));
        let pending = self.pending_pods();
        let missing = if pending.is_empty() {
            0
        } else {
            self.missing_nodes(&pending, group.max)
        };
        if missing > 0 {
            let from = self.group.desired;
            self.group.desired = (from + missing).min(group.max);
            self.autoscaler.last_add = Some(self.now);
            self.append_log(
                pod,
                &format!(
                    "Scale-up: {} pods unschedulable, setting group size {from} -> {}",
                    pending.len(),
                    self.group.desired
                ),
            );
            for _ in from..self.group.desired {
                let delay = draw(&mut self.chance.cloud, flags.request);
                self.after(delay, Event::Launch);
            }
        } else if pending.is_empty() {
            self.scale_down(pod);
        } else if self.group.desired >= group.max {
            self.append_log(
                pod,
                &format!(
                    "{} pods unschedulable, the group is at its maximum of {}",
                    pending.len(),
                    group.max
                ),
            );
        }
        self.write_status();
    }

    /// The pods that did not fit anywhere, oldest first.
    fn pending_pods(&self) -> Vec<(Arc<str>, Arc<PodTemplate>)> {
        self.pending
            .unschedulable()
            .filter_map(|pod| self.store.pod(pod))
            .filter(|row| {
                row.meta.deletion.is_none()
                    && row.body.nominated.is_none()
                    && row.meta.owner.as_ref().is_none_or(|owner| owner.kind != "DaemonSet")
            })
            .map(|row| (row.meta.namespace.clone(), row.body.template.clone()))
            .collect()
    }

    /// How many instances more than those already coming the pods need.
    fn missing_nodes(&mut self, pending: &[(Arc<str>, Arc<PodTemplate>)], max: u32) -> u32 {
        let daemons = self.daemon_pods();
        // The nodes that are on their way are there already in its eyes (core/static_autoscaler.go: upcoming nodes), those included
        // that have registered and were never Ready yet (clusterstate/clusterstate.go `GetUpcomingNodes`: neither ready nor unready).
        let mut imagined = self.scheduler.clone();
        let starting = self
            .store
            .nodes
            .iter()
            .filter(|(_, node)| node.body.ready == Readiness::False);
        let coming = self.group.desired.saturating_sub(self.instances()) as usize + self.booting() + starting.count();
        let mut number = u32::MAX;
        for _ in 0..coming {
            number -= 1;
            let info = self.new_node_info(MachineId(number));
            imagined.add_node(info);
            for (index, (namespace, template)) in daemons.iter().enumerate() {
                imagined.add_pod(&PodInfo {
                    pod: PodId(number - 1_000 * (index as u32 + 1)),
                    namespace: namespace.clone(),
                    template: template.clone(),
                    machine: MachineId(number),
                    started: None,
                });
            }
        }
        let mut left = Vec::new();
        for (index, (namespace, template)) in pending.iter().enumerate() {
            let imaginary = PodId(u32::MAX / 2 + index as u32);
            match imagined.place(imaginary, namespace, template, &mut self.chance.cloud) {
                Ok(machine) => imagined.add_pod(&PodInfo {
                    pod: imaginary,
                    namespace: namespace.clone(),
                    template: template.clone(),
                    machine,
                    started: None,
                }),
                Err(_) => left.push((namespace.clone(), template.clone())),
            }
        }
        if left.is_empty() {
            return 0;
        }
        let node: NodeInfo = self.new_node_info(MachineId(number - 1));
        imagined
            .estimate(&left, &node, &daemons, max.saturating_sub(self.group.desired))
            .nodes
    }

    fn daemon_pods(&self) -> Vec<(Arc<str>, Arc<PodTemplate>)> {
        self.store
            .daemon_sets
            .iter()
            .map(|(_, set)| (set.meta.namespace.clone(), set.body.template.clone()))
            .collect()
    }

    /// Removes one node that has been unneeded long enough, moving its pods away first.
    fn scale_down(&mut self, pod: u32) {
        let (Some(flags), Some(group)) = (self.profile.autoscaler, self.profile.scaling_group) else {
            return;
        };
        let now = self.now;
        if let Some(id) = self.autoscaler.draining {
            return self.remove_drained(pod, id);
        }
        if self.group.desired <= group.min {
            // cluster-autoscaler processors/nodes/pre_filtering_processor.go: "node group min size reached", no candidates.
            self.autoscaler.unneeded.clear();
            self.autoscaler.judged = u64::MAX;
            return;
        }
        // The answer depends on pods and nodes alone: while none moved it stays.
        if self.autoscaler.judged != self.moves {
            self.autoscaler.judged = self.moves;
            self.autoscaler.unneeded = self.unneeded_nodes(flags.utilization_percent);
        }
        let settled = self
            .autoscaler
            .last_add
            .is_none_or(|at| now.since(at) >= Span::from(flags.delay_after_add));
        if !settled || self.fabric.machines.contains(&Power::Booting) {
            return;
        }
        let due = self
            .autoscaler
            .unneeded
            .iter()
            .find(|(_, since)| now.since(**since) >= Span::from(flags.unneeded));
        let Some((&id, _)) = due else { return };
        self.autoscaler.unneeded.remove(&id);
        self.autoscaler.draining = Some(id);
        let name = self.machines[id.0 as usize].name.clone();
        self.append_log(pod, &format!("Scale-down: moving the pods of node {name} away"));
        if let Some(row) = self.machines[id.0 as usize].node {
            let taint = Taint {
                key: TO_BE_DELETED.to_owned(),
                value: String::new(),
                effect: Effect::NoSchedule,
            };
            self.store.change_node(row, |node| node.body.taints.push(taint));
            self.node_changed(row);
        }
        for pod in self.movable_pods(id) {
            self.mark_disrupted(pod.0, "EvictionByEvictionAPI");
            self.delete_pod(pod.0, "scale-down", None);
        }
    }

    /// Removes the drained node once its last pod is gone.
    fn remove_drained(&mut self, pod: u32, id: MachineId) {
        let daemons = |row: &Row<Pod>| row.meta.owner.as_ref().is_some_and(|owner| owner.kind == "DaemonSet");
        let left = self.store.pods.on(id).any(|(_, row)| !daemons(row));
        if left {
            return;
        }
        self.autoscaler.draining = None;
        let Some(row) = self.machines[id.0 as usize].node else {
            return;
        };
        self.group.desired -= 1;
        let name = self.machines[id.0 as usize].name.clone();
        self.append_log(
            pod,
            &format!("Scale-down: removing node {name}, group size -> {}", self.group.desired),
        );
        self.machines[id.0 as usize].exists = false;
        self.delete_node(row, "cluster-autoscaler");
        self.signalled(id);
    }

    /// The nodes that are unneeded, each with the time since when.
    fn unneeded_nodes(&mut self, percent: u32) -> BTreeMap<MachineId, Time> {
        let ready: Vec<MachineId> = self
            .store
            .nodes
            .iter()
            .filter(|(_, node)| node.body.ready == Readiness::True)
            .map(|(_, node)| node.body.machine)
            .filter(|machine| !self.machines[machine.0 as usize].control_plane)
            .collect();
        let now = self.now;
        let mut unneeded = BTreeMap::new();
        for machine in ready {
            if self.is_unneeded(machine, percent) {
                unneeded.insert(machine, self.autoscaler.unneeded.get(&machine).copied().unwrap_or(now));
            }
        }
        unneeded
    }

    /// Pods on a machine that are not a DaemonSet's.
    fn movable_pods(&self, id: MachineId) -> Vec<PodId> {
        self.store
            .pods
            .on(id)
            .filter(|(_, pod)| {
                pod.meta.deletion.is_none() && pod.meta.owner.as_ref().is_none_or(|owner| owner.kind != "DaemonSet")
            })
            .map(|(row, _)| PodId(row))
            .collect()
    }

    /// Whether a node's requests are below the threshold and its pods fit elsewhere. Pods of `kube-system` hold a node
    /// (`--skip-nodes-with-system-pods`, true by default).
    fn is_unneeded(&mut self, id: MachineId, percent: u32) -> bool {
        let pods = self.movable_pods(id);
        let mut used = super::super::objects::quantity::Amount::default();
        for (_, pod) in self.store.pods.on(id) {
            used = used.plus(pod.body.template.requests);
        }
        let Some(info) = self.node_info(id) else { return false };
        let busy = (used.cpu_milli * 100 / info.allocatable.cpu_milli.max(1))
            .max(used.memory * 100 / info.allocatable.memory.max(1));
        let system = pods.iter().any(|pod| {
            self.store
                .pod(pod.0)
                .is_some_and(|row| &*row.meta.namespace == "kube-system")
        });
        busy < u64::from(percent) && !system && self.scheduler.could_move(id, &pods)
    }

    fn write_status(&mut self) {
        let (mut ready, mut unready) = (0, 0);
        for (_, node) in self.store.nodes.iter() {
            if node.body.ready == Readiness::True {
                ready += 1;
            } else {
                unready += 1;
            }
        }
        let pending = self.pending.unschedulable().count();
        let text = format!(
            "Cluster-wide:\n  Health: {} (ready={ready} unready={unready} registered={} cloudProviderTarget={})\n  ScaleUp: {}\n",
            if unready * 2 > ready { "Unhealthy" } else { "Healthy" },
            ready + unready,
            self.group.desired,
            if pending > 0 { "InProgress" } else { "NoActivity" },
        );
        if text == self.autoscaler.status {
            return;
        }
        self.autoscaler.status.clone_from(&text);
        let body = Stored {
            rest: Arc::new(json!({ "data": { "status": text } })),
            resource: CONFIG_MAPS.clone(),
        };
        let table = &mut self.store.stored[FIRST_STORED];
        if let Some(row) = table.find("kube-system", STATUS) {
            table.update(&mut self.store.versions, row, |row| row.body = body);
        } else {
            let meta = super::super::objects::meta::Meta {
                created: self.now,
                ..named(&"kube-system".into(), STATUS)
            };
            table.insert(&mut self.store.versions, meta, body);
        }
    }
}
