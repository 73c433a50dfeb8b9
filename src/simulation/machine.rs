//! Machines: their life from boot to silence, and the nodes that they register.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::api::Labels;
use super::event::Event;
use super::fabric::{MachineId, Power};
use super::objects::meta::Meta;
use super::objects::node::{Lease, Node, Readiness};
use super::objects::pod::NOT_READY;
use super::objects::quantity::{self, Amount};
use super::objects::template::{Effect, Taint};
use super::scheduler::NodeInfo;
use super::world::{World, draw};
use crate::model::fault::ZONE;
use crate::model::history::What;
use crate::model::time::{Span, Time};

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The name of its node.
    pub name: Arc<str>,
    /// Its zone.
    pub zone: Arc<str>,
    /// The labels that its kubelet registers.
    pub labels: Arc<Labels>,
    /// `spec.providerID`.
    pub provider_id: Arc<str>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Whether it is the control plane's: no fault takes it.
    pub control_plane: bool,
    /// Whether its kubelet runs.
    pub kubelet: bool,
    /// Since when.
    pub kubelet_since: Time,
    /// Whether the cloud still knows its instance.
    pub exists: bool,
    /// The row of its node object, while there is one.
    pub node: Option<u32>,
    /// Pods that its kubelet has.
    pub pods: BTreeSet<u32>,
    /// Images it holds.
    pub images: BTreeSet<Arc<str>>,
    /// Pod addresses given so far.
    pub addresses: u32,
    /// The number of its pod address range.
    pub subnet: u32,
    /// What faults did to it.
    pub outage: Outage,
}

/// Why a kubelet does not act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pause {
    /// It does.
    #[default]
    None,
    /// A fault stopped it; the machine's processes go on.
    Stopped,
    /// It starts, and has not looked at its pods yet.
    Starting,
}

/// What faults did to a machine and its kubelet.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    /// Why its kubelet does not act, though the machine runs.
    pub pause: Pause,
    /// Whether it is switched on again when it is off.
    pub boots_again: bool,
    /// Whether a heartbeat is planned.
    pub beating: bool,
    /// What its kubelet could not do while it was frozen, cut off or stopped.
    pub parked: Vec<Event>,
}

/// The namespace of the nodes' leases.
pub(super) const LEASES: &str = "kube-node-lease";

impl World {
    /// Adds a machine that boots for so long.
    pub(super) fn add_machine(&mut self, control_plane: Option<&str>, boot: Span) -> MachineId {
        let id = MachineId(self.machines.len() as u32);
        let profile = self.profile.clone();
        let nodes = &profile.nodes;
        let workers = self.machines.iter().filter(|machine| !machine.control_plane).count();
        let zone = self.emptiest_zone();
        let name: Arc<str> = match control_plane {
            Some(name) => name.into(),
            None if nodes.prefix == "kind-worker" && workers == 0 => "kind-worker".into(),
            None => format!("{}{}", nodes.prefix, workers + 1).into(),
        };
        let mut labels = Labels::from([
            ("kubernetes.io/hostname".to_owned(), name.to_string()),
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
            // The old names, which kubelets still write: pkg/kubelet/kubelet_node_status.go `initialNode`.
            ("beta.kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("beta.kubernetes.io/arch".to_owned(), "amd64".to_owned()),
            (
                "node.kubernetes.io/instance-type".to_owned(),
                nodes.instance_type.clone(),
            ),
            (ZONE.to_owned(), zone.to_string()),
        ]);
        if control_plane.is_some() {
            labels.insert("node-role.kubernetes.io/control-plane".to_owned(), String::new());
        }
        self.machines.push(Machine {
            name,
            zone,
            labels: Arc::new(labels),
            provider_id: format!("steadfast:///i-{:017x}", u64::from(id.0) + 1).into(),
            address: Ipv4Addr::from(0x0a00_0000 + id.0 + 10),
            control_plane: control_plane.is_some(),
            kubelet: false,
            kubelet_since: Time::ZERO,
            exists: true,
            node: None,
            pods: BTreeSet::new(),
            images: BTreeSet::new(),
            addresses: 0,
            subnet: id.0,
            outage: Outage::default(),
        });
        let zone = self
            .profile
            .nodes
            .zones
            .iter()
            .position(|zone| **zone == *self.machines[id.0 as usize].zone);
        self.fabric.zones.push(zone.map_or(u32::MAX, |index| index as u32));
        self.fabric.machines.push(Power::Booting);
        self.after(boot, Event::Booted(id));
        id
    }

    /// The zone with the fewest worker machines, the first among equals: a group balances its zones.
    fn emptiest_zone(&self) -> Arc<str> {
        let zones = &self.profile.nodes.zones;
        let fewest = zones.iter().min_by_key(|zone| {
            self.machines
                .iter()
                .filter(|machine| machine.exists && !machine.control_plane && *machine.zone == ***zone)
                .count()
        });
        fewest.map_or("", String::as_str).into()
    }

    /// What the scheduler knows of a machine's node.
    pub(super) fn node_info(&self, machine: MachineId) -> Option<NodeInfo> {
        let it = &self.machines[machine.0 as usize];
        let row = self.store.nodes.get(it.node?)?;
        Some(NodeInfo {
            machine,
            name: row.meta.name.clone(),
            labels: row.meta.labels.clone(),
            taints: row.body.taints.clone(),
            unschedulable: row.body.unschedulable,
            allocatable: row.body.allocatable,
            pods: row.body.pods,
            scalars: row.body.scalars.clone(),
        })
    }

    /// What a node of a new machine would be, for the Cluster Autoscaler.
    pub(super) fn new_node_info(&self, machine: MachineId) -> NodeInfo {
        let nodes = &self.profile.nodes;
        let name: Arc<str> = format!("template-node-{}", machine.0).into();
        NodeInfo {
            machine,
            labels: Arc::new(Labels::from([
                ("kubernetes.io/hostname".to_owned(), name.to_string()),
                ("kubernetes.io/os".to_owned(), "linux".to_owned()),
                ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
                // The old names, which kubelets still write: pkg/kubelet/kubelet_node_status.go `initialNode`.
                ("beta.kubernetes.io/os".to_owned(), "linux".to_owned()),
                ("beta.kubernetes.io/arch".to_owned(), "amd64".to_owned()),
                (
                    "node.kubernetes.io/instance-type".to_owned(),
                    nodes.instance_type.clone(),
                ),
                (ZONE.to_owned(), self.emptiest_zone().to_string()),
            ])),
            name,
            taints: Vec::new(),
            unschedulable: false,
            allocatable: self.allocatable(),
            pods: nodes.pods,
            scalars: self.scalars(),
        }
    }

    /// What nodes have besides CPU and memory, by name.
    fn scalars(&self) -> Arc<BTreeMap<Arc<str>, u64>> {
        let read = |(name, amount): (&String, &String)| Some((name.as_str().into(), quantity::units(amount).ok()?));
        Arc::new(self.profile.nodes.resources.iter().filter_map(read).collect())
    }

    fn allocatable(&self) -> Amount {
        Amount {
            cpu_milli: self.profile.nodes.cpu_milli,
            memory: self.profile.nodes.memory_mib << 20,
        }
    }

    pub(super) fn booted(&mut self, id: MachineId) {
        if self.fabric.machines[id.0 as usize] != Power::Booting {
            return;
        }
        self.fabric.machines[id.0 as usize] = Power::On;
        self.machines[id.0 as usize].kubelet = true;
        self.machines[id.0 as usize].kubelet_since = self.now;
        self.register(id);
        // Kubelets do not renew in step: each has its own phase within the period.
        let period = Span::from(self.profile.kubelet.lease);
        let phase = self.chance.kubelets.span(Span::ZERO, period);
        self.renew(id);
        self.machines[id.0 as usize].outage.beating = true;
        self.after(phase, Event::Heartbeat(id));
    }

    pub(super) fn register(&mut self, id: MachineId) {
        // The nodes of a new cluster are Ready at once; later ones are tainted until their network plugin's pod runs
        // (plugin/pkg/admission/nodetaint), so that DaemonSets' pods come before all others.
        let wait = match self.profile.scaling_group {
            Some(group) if self.now > Time::ZERO => draw(&mut self.chance.cloud, group.ready),
            _ => Span::ZERO,
        };
        let it = &self.machines[id.0 as usize];
        let no_schedule = |key: &str| Taint {
            key: key.to_owned(),
            value: String::new(),
            effect: Effect::NoSchedule,
        };
        let mut taints = Vec::new();
        if it.control_plane {
            taints.push(no_schedule("node-role.kubernetes.io/control-plane"));
        }
        if wait > Span::ZERO {
            taints.push(no_schedule(NOT_READY));
        }
        let node = Node {
            machine: id,
            provider_id: it.provider_id.clone(),
            unschedulable: false,
            taints,
            allocatable: self.allocatable(),
            pods: self.profile.nodes.pods,
            scalars: self.scalars(),
            ready: if wait == Span::ZERO {
                Readiness::True
            } else {
                Readiness::False
            },
            since: self.now,
            address: it.address,
            pod_cidr: format!("{}/24", Ipv4Addr::from(pod_range(it.subnet))).into(),
        };
        let meta = Meta {
            name: it.name.clone(),
            created: self.now,
            labels: it.labels.clone(),
            generation: 1,
            ..Meta::default()
        };
        let (name, zone) = (it.name.to_string(), it.zone.to_string());
        let row = self.store.nodes.insert(&mut self.store.versions, meta, node);
        self.machines[id.0 as usize].node = Some(row);
        self.note(What::NodeAdded {
            node: name.clone(),
            zone,
        });
        if wait == Span::ZERO {
            self.note(What::NodeReady { node: name });
        } else {
            self.after(wait, Event::NodeUp(id));
        }
        self.lifecycle.seen(row, self.now);
        self.moves += 1;
        if let Some(info) = self.node_info(id) {
            self.scheduler.add_node(info);
        }
        self.fabric.proxies.start(id, self.now);
        self.targets_changed();
        self.daemon_sets_changed();
        self.room_appeared();
    }

    pub(super) fn node_up(&mut self, id: MachineId) {
        let Some(row) = self.machines[id.0 as usize].node else {
            return;
        };
        if !self.machines[id.0 as usize].kubelet {
            return;
        }
        let now = self.now;
        self.store.change_node(row, |node| {
            node.body.ready = Readiness::True;
            node.body.since = now;
            node.body.taints.retain(|taint| taint.key != NOT_READY);
        });
        self.note(What::NodeReady {
            node: self.machines[id.0 as usize].name.to_string(),
        });
        self.node_changed(row);
        self.room_appeared();
    }

    pub(super) fn heartbeat(&mut self, id: MachineId) {
        if !self.machines[id.0 as usize].kubelet || !self.fabric.powered(id) {
            self.machines[id.0 as usize].outage.beating = false;
            return;
        }
        self.renew(id);
        self.after(self.profile.kubelet.lease.into(), Event::Heartbeat(id));
    }

    pub(super) fn renew(&mut self, id: MachineId) {
        let it = &self.machines[id.0 as usize];
        let (now, name) = (self.now, it.name.clone());
        // A node's lease is owned by its node object; a kubelet that finds none makes no lease
        // (pkg/kubelet/util/nodelease.go `SetNodeOwnerFunc`, k8s.io/component-helpers apimachinery/lease/controller.go).
        let Some(node) = it.node else { return };
        self.lifecycle.seen(node, now);
        let store = &mut self.store;
        if let Some(row) = store.leases.find(LEASES, &name) {
            store
                .leases
                .update(&mut store.versions, row, |lease| lease.body.renewed = now);
        } else {
            let meta = Meta {
                created: now,
                ..super::objects::store::named(&LEASES.into(), name.clone())
            };
            store.leases.insert(
                &mut store.versions,
                meta,
                Lease {
                    holder: name,
                    seconds: 40,
                    renewed: now,
                },
            );
        }
    }

    /// The guest shuts down: the kubelet stops, processes end and close their sockets, then silence.
    pub(super) fn signalled(&mut self, id: MachineId) {
        let shutdown = draw(&mut self.chance.faults, self.profile.terminate.shutdown);
        if shutdown == Span::ZERO {
            return self.power_off(id);
        }
        self.machines[id.0 as usize].kubelet = false;
        for pod in self.machines[id.0 as usize].pods.clone() {
            self.signal_process(pod, shutdown);
        }
        self.after(shutdown, Event::PowerOff(id));
    }

    pub(super) fn power_off(&mut self, id: MachineId) {
        if self.fabric.machines[id.0 as usize] == Power::Off {
            return;
        }
        self.fabric.machines[id.0 as usize] = Power::Off;
        self.machines[id.0 as usize].kubelet = false;
        self.network.machine_lost(id, self.now, &self.fabric);
        self.note(What::MachineLost {
            node: self.machines[id.0 as usize].name.to_string(),
        });
        if std::mem::take(&mut self.machines[id.0 as usize].outage.boots_again) {
            self.power_on(id);
        }
    }

    /// Deletes a node object; its pods become orphans.
    pub(super) fn delete_node(&mut self, row: u32, by: &str) {
        let Some(node) = self.store.nodes.remove(&mut self.store.versions, row) else {
            return;
        };
        let machine = node.body.machine;
        self.machines[machine.0 as usize].node = None;
        self.moves += 1;
        self.scheduler.remove_node(machine);
        self.lifecycle.forget(row);
        self.taint_manager.forget(machine);
        self.node_volumes_unknown(machine);
        if let Some(lease) = self.store.leases.find(LEASES, &node.meta.name) {
            // The lease is owned by its node (pkg/kubelet/util/nodelease.go).
            self.store.leases.remove(&mut self.store.versions, lease);
        }
        self.note(What::NodeDeleted {
            node: node.meta.name.to_string(),
            by: by.to_owned(),
        });
        self.targets_changed();
        self.daemon_sets_changed();
    }

    /// Nodes that are Ready now, the control plane's aside.
    #[must_use]
    pub fn ready_workers(&self) -> usize {
        self.store
            .nodes
            .iter()
            .filter(|(_, row)| {
                row.body.ready == Readiness::True && !self.machines[row.body.machine.0 as usize].control_plane
            })
            .count()
    }

    /// A machine's next pod address.
    pub(super) fn next_address(&mut self, id: MachineId) -> Ipv4Addr {
        let it = &mut self.machines[id.0 as usize];
        it.addresses += 1;
        Ipv4Addr::from(pod_range(it.subnet) + 1 + it.addresses % 254)
    }
}

/// The first address of a pod subnet: of 10.244.N.0/24 (the kind default pod subnet is 10.244.0.0/16), and of 10.128.0.0/10 where
/// that has no more room; 10.192.0.0 is never reached with fewer than 16,640 machines.
const fn pod_range(subnet: u32) -> u32 {
    match subnet {
        number @ 0..256 => 0x0af4_0000 + (number << 8),
        number => 0x0a80_0000 + ((number - 256) << 8),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_of_ten_thousand_machines_share_addresses() {
        let ranges: BTreeSet<u32> = (0..10_000).map(|machine| pod_range(machine) >> 8).collect();
        assert_eq!(ranges.len(), 10_000);
        // 10.96.0.0/16 is the Services', 10.0.0.0 and on the machines' own.
        assert!(ranges.iter().all(|range| range >> 8 >= 0x0a80));
    }
}
