//! The node lifecycle controller: NotReady when the lease is not renewed, and taints at a limited rate.
//!
//! Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go (`monitorNodeHealth`, `tryUpdateNodeHealth`,
//! `ComputeZoneState`, `handleDisruption`, `ReducedQPSFunc`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::node::Readiness;
use super::super::objects::pod::{NOT_READY, UNREACHABLE, UNSCHEDULABLE};
use super::super::objects::template::{Effect, Taint};
use super::super::world::{About, World, draw};
use crate::model::history::What;
use crate::model::time::{Span, Time};

/// From a node's loss to its NoSchedule taint. Measured: 0.2 s after the NoExecute one. Inferred: a first attempt that conflicts,
/// and the back-off of the next (pkg/controller/controller_utils.go `UpdateTaintBackoff`: 100 ms, jitter 1).
const TAINT_BACK_OFF: (Span, Span) = (Span::millis(110), Span::millis(240));

/// What the controller remembers.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    /// When each node's lease was last renewed, by the node's row.
    renewed: BTreeMap<u32, Time>,
    /// The zones by name, in the order of their first use.
    zones: Vec<Zone>,
    /// Every node of every zone is lost.
    all_down: bool,
}

#[derive(Clone, Debug)]
struct Zone {
    name: Arc<str>,
    /// Nodes that wait for their NoExecute taint.
    waiting: VecDeque<u32>,
    /// Not before this time.
    next: Time,
    /// An event is posted.
    posted: bool,
}

impl NodeLifecycle {
    /// A node's lease was renewed.
    pub fn seen(&mut self, node: u32, now: Time) {
        self.renewed.insert(node, now);
    }

    /// A node is gone.
    pub fn forget(&mut self, node: u32) {
        self.renewed.remove(&node);
        for zone in &mut self.zones {
            zone.waiting.retain(|&waiting| waiting != node);
        }
    }

    fn zone(&mut self, name: &Arc<str>) -> usize {
        if let Some(index) = self.zones.iter().position(|zone| zone.name == *name) {
            return index;
        }
        self.zones.push(Zone {
            name: name.clone(),
            waiting: VecDeque::new(),
            next: Time::ZERO,
            posted: false,
        });
        self.zones.len() - 1
    }
}

/// What a zone's unhealthy nodes mean for evictions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disruption {
    Normal,
    Partial,
    Full,
}

impl World {
    pub(in crate::simulation) fn monitor_nodes(&mut self) {
        self.after(self.profile.controllers.node_monitor_period.into(), Event::NodeMonitor);
        let grace = Span::from(self.profile.controllers.node_monitor_grace);
        let rows: Vec<u32> = self.store.nodes.iter().map(|(row, _)| row).collect();
        for row in rows {
            let renewed = self.lifecycle.renewed.get(&row).copied().unwrap_or(self.now);
            let Some(node) = self.store.nodes.get(row) else {
                continue;
            };
            let silent = self.now.since(renewed) > grace;
            match (node.body.ready, silent) {
                (Readiness::True | Readiness::False, true) => self.lost(row),
                (Readiness::True, false) => self.reachable(row),
                (Readiness::Unknown, _) => self.wait_for_taint(row),
                _ => {}
            }
        }
        self.continue_tainting();
    }

    fn lost(&mut self, row: u32) {
        let now = self.now;
        self.store.change_node(row, |node| {
            node.body.ready = Readiness::Unknown;
            node.body.since = now;
        });
        let Some(node) = self.store.nodes.shared(row).cloned() else {
            return;
        };
        self.note(What::NodeNotReady {
            node: node.meta.name.to_string(),
            status: "Unknown".to_owned(),
        });
        let about = About {
            kind: "Node",
            namespace: "".into(),
            name: node.meta.name.clone(),
            uid: node.meta.uid,
            warning: false,
            component: "node-controller",
        };
        self.announce(
            &about,
            "NodeNotReady",
            format!("Node {} status is now: NodeNotReady", node.meta.name),
        );
        self.node_changed(row);
        self.node_volumes_changed(node.body.machine);
        // `MarkPodsNotReady`: the pods' conditions, so that the EndpointSlices drop them.
        let pods: Vec<u32> = self
            .store
            .pods
            .on(node.body.machine)
            .filter(|(_, pod)| pod.body.is_ready())
            .map(|(pod, _)| pod)
            .collect();
        for pod in pods {
            self.store.change_pod(pod, |pod| pod.body.ready = Some((false, now)));
            if let Some(it) = self.store.pod(pod) {
                let (name, app) = (it.meta.name.to_string(), it.body.app.to_string());
                self.note(What::PodNotReady { pod: name, app });
            }
            self.pod_changed(pod);
        }
        let zone = self
            .lifecycle
            .zone(&self.machines[node.body.machine.0 as usize].zone.clone());
        self.lifecycle.zones[zone].waiting.push_back(row);
        // Another worker of the controller sees the condition and keeps new pods away. It writes at the same time as the one that
        // evicts, conflicts and tries again (measured: 0.2 s after the other taint).
        let (from, to) = TAINT_BACK_OFF;
        let delay = self.chance.controllers.span(from, to);
        self.after(delay, Event::NoSchedule(row));
    }

    /// A lost node that has lost its taint, because all zones were down, is queued for it again.
    fn wait_for_taint(&mut self, row: u32) {
        let Some(node) = self.store.nodes.get(row) else { return };
        if node.body.taints.contains(&taint(UNREACHABLE, Effect::NoExecute)) {
            return;
        }
        let zone = self.machines[node.body.machine.0 as usize].zone.clone();
        let zone = self.lifecycle.zone(&zone);
        let waiting = &mut self.lifecycle.zones[zone].waiting;
        if !waiting.contains(&row) {
            waiting.push_back(row);
        }
    }

    /// Sets the NoSchedule taints that a node's condition and cordon ask for (`doNoScheduleTaintingPass`).
    pub(in crate::simulation) fn keep_pods_away(&mut self, row: u32) {
        let Some(node) = self.store.nodes.get(row) else { return };
        let asked = [
            (UNREACHABLE, node.body.ready == Readiness::Unknown),
            (UNSCHEDULABLE, node.body.unschedulable),
        ];
        let wrong: Vec<(Taint, bool)> = asked
            .into_iter()
            .map(|(key, wanted)| (taint(key, Effect::NoSchedule), wanted))
            .filter(|(taint, wanted)| node.body.taints.contains(taint) != *wanted)
            .collect();
        if wrong.is_empty() {
            return;
        }
        let opens = wrong.iter().any(|(_, wanted)| !wanted);
        self.store.change_node(row, |node| {
            for (taint, wanted) in wrong {
                if wanted {
                    node.body.taints.push(taint);
                } else {
                    node.body.taints.retain(|other| *other != taint);
                }
            }
        });
        self.node_changed(row);
        if opens {
            self.room_appeared();
        }
    }

    /// A node's kubelet posted it as Ready after a silence. The taint against new pods goes at once, the one that evicts at the next look
    /// of the controller.
    pub(in crate::simulation) fn node_posted_ready(&mut self, row: u32) {
        let now = self.now;
        self.store.change_node(row, |node| {
            node.body.ready = Readiness::True;
            node.body.since = now;
        });
        for zone in &mut self.lifecycle.zones {
            zone.waiting.retain(|&waiting| waiting != row);
        }
        if let Some(node) = self.store.nodes.get(row) {
            let name = node.meta.name.to_string();
            let machine = node.body.machine;
            self.note(What::NodeReady { node: name });
            self.node_volumes_unused(machine);
        }
        self.node_changed(row);
        self.cordon_changed(row);
    }

    /// The taints against new pods that a node's condition and cordon ask for are set soon.
    pub(in crate::simulation) fn cordon_changed(&mut self, row: u32) {
        let delay = draw(&mut self.faults.chance, self.profile.controllers.notice);
        self.after(delay, Event::NoSchedule(row));
    }

    /// Removes the taints that evict from a node that is healthy again (`markNodeAsReachable`).
    fn reachable(&mut self, row: u32) {
        let evicting = |taint: &Taint| taint.effect == Effect::NoExecute && is_health(taint);
        if self
            .store
            .nodes
            .get(row)
            .is_none_or(|node| !node.body.taints.iter().any(evicting))
        {
            return;
        }
        self.store
            .change_node(row, |node| node.body.taints.retain(|taint| !evicting(taint)));
        self.node_changed(row);
        self.room_appeared();
    }

    /// Tells the scheduler and the DaemonSet controller.
    pub(in crate::simulation) fn node_changed(&mut self, row: u32) {
        self.moves += 1;
        let info = self
            .store
            .nodes
            .get(row)
            .and_then(|node| self.node_info(node.body.machine));
        if let Some(info) = info {
            let machine = info.machine;
            self.scheduler.update_node(info);
            self.taints_changed(machine);
        }
        self.daemon_sets_changed();
    }

    /// Posts the next taint of each zone that has nodes waiting, as its state allows.
    fn continue_tainting(&mut self) {
        let states: Vec<Disruption> = (0..self.lifecycle.zones.len())
            .map(|zone| self.disruption(zone))
            .collect();
        // All zones down: the fault is taken to be the controller's own; nothing is evicted.
        let all_down =
            !states.is_empty() && states.iter().all(|&state| state == Disruption::Full) && self.every_zone_known();
        if all_down {
            if !std::mem::replace(&mut self.lifecycle.all_down, true) {
                // `handleDisruption`, entering master disruption mode: what was begun is taken back.
                let rows: Vec<u32> = self.store.nodes.iter().map(|(row, _)| row).collect();
                for row in rows {
                    self.reachable(row);
                }
            }
            return;
        }
        if std::mem::replace(&mut self.lifecycle.all_down, false) {
            // Leaving it: every node gets its whole grace period again.
            let now = self.now;
            for renewed in self.lifecycle.renewed.values_mut() {
                *renewed = now;
            }
        }
        for (zone, state) in states.into_iter().enumerate() {
            if self.taint_interval(zone, state).is_none() {
                continue;
            }
            let it = &mut self.lifecycle.zones[zone];
            if !it.waiting.is_empty() && !it.posted {
                it.posted = true;
                let at = it.next.max(self.now);
                let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
                self.queue.post(at + delay, Event::TaintNext(zone as u32));
            }
        }
    }

    /// Whether every zone that has nodes has lost one at some time (a zone is listed from its first loss on).
    fn every_zone_known(&self) -> bool {
        self.store.nodes.iter().all(|(_, node)| {
            let zone = &self.machines[node.body.machine.0 as usize].zone;
            self.lifecycle.zones.iter().any(|known| known.name == *zone)
        })
    }

    fn zone_counts(&self, zone: usize) -> (u32, u32) {
        let name = &self.lifecycle.zones[zone].name;
        let mut counts = (0, 0);
        for (_, node) in self.store.nodes.iter() {
            if self.machines[node.body.machine.0 as usize].zone == *name {
                if node.body.ready == Readiness::True {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                }
            }
        }
        counts
    }

    fn disruption(&self, zone: usize) -> Disruption {
        let (ready, lost) = self.zone_counts(zone);
        if ready == 0 && lost > 0 {
            Disruption::Full
        } else if lost > 2 && lost * 100 >= (ready + lost) * self.profile.controllers.unhealthy_zone_percent {
            Disruption::Partial
        } else {
            Disruption::Normal
        }
    }

    /// The time between two taints of a zone; `None`: no evictions now.
    fn taint_interval(&self, zone: usize, state: Disruption) -> Option<Span> {
        let (ready, lost) = self.zone_counts(zone);
        let controllers = &self.profile.controllers;
        match state {
            Disruption::Normal | Disruption::Full => Some(controllers.eviction_interval.into()),
            Disruption::Partial if ready + lost > controllers.large_cluster => {
                Some(controllers.secondary_eviction_interval.into())
            }
            Disruption::Partial => None,
        }
    }

    pub(in crate::simulation) fn taint_next(&mut self, zone: u32) {
        let index = zone as usize;
        self.lifecycle.zones[index].posted = false;
        if self.lifecycle.all_down {
            return;
        }
        let state = self.disruption(index);
        let Some(interval) = self.taint_interval(index, state) else {
            return;
        };
        let Some(row) = self.lifecycle.zones[index].waiting.pop_front() else {
            return;
        };
        self.lifecycle.zones[index].next = self.now + interval;
        self.store
            .change_node(row, |node| node.body.taints.push(taint(UNREACHABLE, Effect::NoExecute)));
        self.node_changed(row);
        self.continue_tainting();
    }
}

/// Whether a taint says that a node is not healthy.
fn is_health(taint: &Taint) -> bool {
    matches!(taint.key.as_str(), UNREACHABLE | NOT_READY)
}

fn taint(key: &str, effect: Effect) -> Taint {
    Taint {
        key: key.to_owned(),
        value: String::new(),
        effect,
    }
}
