//! The table of nodes and the order in which they are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodeInfo;
use super::topology::{HOSTNAME_LABEL, ZONE_LABEL};
use crate::simulation::api::Labels;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::{HostPort, Placing, Taint};

/// What a search reads of every node: one cache line.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// What pods may request in all.
    pub(super) allocatable: Amount,
    /// What its pods request.
    pub(super) requested: Amount,
    /// The same as scoring takes it.
    pub(super) scored: Amount,
    /// How many pods it has.
    pub(super) pods: u32,
    /// How many it takes.
    pub(super) limit: u32,
    /// Its set of taints.
    pub(super) taints: u32,
    /// Whether it is cordoned.
    pub(super) unschedulable: bool,
    /// Whether it has a hostname label.
    pub(super) hostname: bool,
}

/// What few pods take of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    ports: Vec<HostPort>,
    scalars: BTreeMap<Arc<str>, u64>,
}

impl Taken {
    /// Whether one of these ports is not to be had.
    pub(super) fn conflicts(&self, wanted: &[HostPort]) -> bool {
        wanted
            .iter()
            .any(|wanted| self.ports.iter().any(|taken| taken.conflicts(wanted)))
    }

    /// What pods request of a resource.
    pub(super) fn scalar(&self, name: &str) -> u64 {
        self.scalars.get(name).copied().unwrap_or(0)
    }
}

/// The nodes, each in a slot that is reused when it is gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    rooms: Vec<Room>,
    infos: Vec<Option<NodeInfo>>,
    pods: Vec<Vec<PodId>>,
    /// By slot: ports that pods take, and what pods request of further resources.
    taken: Vec<Taken>,
    free: Vec<u32>,
    by_machine: BTreeMap<MachineId, u32>,
    by_name: BTreeMap<Arc<str>, u32>,
    /// The distinct sets of taints.
    taints: Vec<Vec<Taint>>,
    /// Zones by appearance, each with its nodes by appearance (`pkg/scheduler/backend/cache/node_tree.go`).
    zones: Vec<(String, Vec<u32>)>,
    order: Arc<Vec<u32>>,
    stale: bool,
}

impl Nodes {
    pub(super) fn len(&self) -> usize {
        self.by_machine.len()
    }

    #[inline]
    pub(super) fn room(&self, slot: u32) -> &Room {
        &self.rooms[slot as usize]
    }

    pub(super) fn room_mut(&mut self, slot: u32) -> &mut Room {
        &mut self.rooms[slot as usize]
    }

    pub(super) fn info(&self, slot: u32) -> Option<&NodeInfo> {
        self.infos[slot as usize].as_ref()
    }

    /// The pods of a node, by number.
    pub(super) fn pods(&self, slot: u32) -> &[PodId] {
        &self.pods[slot as usize]
    }

    pub(super) fn slot(&self, machine: MachineId) -> Option<u32> {
        self.by_machine.get(&machine).copied()
    }

    pub(super) fn named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The distinct sets of taints, by number.
    pub(super) fn taint_sets(&self) -> &[Vec<Taint>] {
        &self.taints
    }

    /// The present nodes' slots and labels.
    pub(super) fn labels(&self) -> impl Iterator<Item = (u32, &Labels)> {
        self.present().map(|(slot, info)| (slot, &*info.labels))
    }

    /// The present nodes.
    pub(super) fn present(&self) -> impl Iterator<Item = (u32, &NodeInfo)> {
        self.infos
            .iter()
            .enumerate()
            .filter_map(|(slot, info)| info.as_ref().map(|info| (slot as u32, info)))
    }

    pub(super) fn add(&mut self, info: NodeInfo) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.rooms.push(Room::default());
            self.infos.push(None);
            self.pods.push(Vec::new());
            self.taken.push(Taken::default());
            self.rooms.len() as u32 - 1
        });
        self.by_machine.insert(info.machine, slot);
        self.by_name.insert(Arc::clone(&info.name), slot);
        let zone = zone_key(&info.labels);
        match self.zones.iter_mut().find(|(name, _)| *name == zone) {
            Some((_, nodes)) => nodes.push(slot),
            None => self.zones.push((zone, vec![slot])),
        }
        self.stale = true;
        self.rooms[slot as usize] = Room::default();
        self.update(slot, info);
        slot
    }

    /// Replaces what is known of a node, but for its labels.
    pub(super) fn update(&mut self, slot: u32, info: NodeInfo) {
        let taints = self
            .taints
            .iter()
            .position(|set| *set == info.taints)
            .unwrap_or_else(|| {
                self.taints.push(info.taints.clone());
                self.taints.len() - 1
            });
        let room = &mut self.rooms[slot as usize];
        room.allocatable = info.allocatable;
        room.limit = info.pods;
        room.taints = taints as u32;
        room.unschedulable = info.unschedulable;
        room.hostname = info.labels.contains_key(HOSTNAME_LABEL);
        self.infos[slot as usize] = Some(info);
    }

    /// Frees a slot whose pods are gone.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(info) = self.infos[slot as usize].take() else {
            return;
        };
        self.by_machine.remove(&info.machine);
        if self.by_name.get(&info.name) == Some(&slot) {
            self.by_name.remove(&info.name);
        }
        for (_, nodes) in &mut self.zones {
            nodes.retain(|&other| other != slot);
        }
        self.zones.retain(|(_, nodes)| !nodes.is_empty());
        self.free.push(slot);
        self.stale = true;
    }

    /// What pods take of a node besides CPU and memory.
    pub(super) fn taken(&self, slot: u32) -> &Taken {
        &self.taken[slot as usize]
    }

    /// Takes a pod's ports and further requests, or gives them back.
    pub(super) fn take(&mut self, slot: u32, placing: &Placing, sign: i32) {
        let taken = &mut self.taken[slot as usize];
        for port in &placing.ports {
            if sign > 0 {
                taken.ports.push(port.clone());
            } else if let Some(index) = taken.ports.iter().position(|other| other == port) {
                taken.ports.swap_remove(index);
            }
        }
        for (name, amount) in &placing.scalars {
            let sum = taken.scalars.entry(Arc::clone(name)).or_default();
            *sum = if sign > 0 {
                *sum + amount
            } else {
                sum.saturating_sub(*amount)
            };
        }
    }

    pub(super) fn seat(&mut self, slot: u32, pod: PodId) {
        let pods = &mut self.pods[slot as usize];
        if let Err(index) = pods.binary_search(&pod) {
            pods.insert(index, pod);
        }
    }

    pub(super) fn unseat(&mut self, slot: u32, pod: PodId) {
        let pods = &mut self.pods[slot as usize];
        if let Ok(index) = pods.binary_search(&pod) {
            pods.remove(index);
        }
    }

    /// All nodes, zone by zone in turn (`node_tree.go` `list`).
    pub(super) fn order(&mut self) -> Arc<Vec<u32>> {
        if self.stale {
            let longest = self.zones.iter().map(|(_, nodes)| nodes.len()).max().unwrap_or(0);
            let mut order = Vec::with_capacity(self.len());
            for index in 0..longest {
                order.extend(self.zones.iter().filter_map(|(_, nodes)| nodes.get(index)));
            }
            self.order = Arc::new(order);
            self.stale = false;
        }
        Arc::clone(&self.order)
    }
}

/// Region and zone (k8s.io/component-helpers node/topology/helpers.go `GetZoneKey`).
fn zone_key(labels: &Labels) -> String {
    let label = |old: &str, new: &str| labels.get(old).or_else(|| labels.get(new)).map_or("", String::as_str);
    let zone = label("failure-domain.beta.kubernetes.io/zone", ZONE_LABEL);
    let region = label(
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/region",
    );
    if zone.is_empty() && region.is_empty() {
        String::new()
    } else {
        format!("{region}:\0:{zone}")
    }
}
