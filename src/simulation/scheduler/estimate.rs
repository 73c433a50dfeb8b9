//! What the Cluster Autoscaler asks: how many nodes pending pods need, and whether a node's pods fit elsewhere.

use std::cmp::Reverse;
use std::sync::Arc;

use super::topology::HOSTNAME_LABEL;
use super::{Booked, NodeInfo, Scheduler};
use crate::simulation::api::Labels;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::PodTemplate;

/// The answer of [`Scheduler::estimate`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// How many new nodes.
    pub nodes: u32,
    /// Which of the pending pods they take, in the order in which they were packed.
    pub scheduled: Vec<usize>,
}

/// A packing in progress.
struct Packing<'a> {
    node: &'a NodeInfo,
    daemons: Vec<Booked>,
    /// The new nodes: slot, made-up machine, and whether it has got a pending pod.
    nodes: Vec<(u32, MachineId, bool)>,
    /// Where the search among them goes on (simulator predicate checker `FitsAnyNodeMatching`, `lastIndex`).
    next: usize,
    seated: Vec<(u32, Booked)>,
    scheduled: Vec<usize>,
    at_most: u32,
}

impl Scheduler {
    /// How many nodes like `node` the pending pods (namespace and template) need, at most so many, each with its
    /// DaemonSets' pods: first-fit decreasing
    /// (`cluster-autoscaler/estimator/binpacking_estimator.go`, `decreasing_pod_orderer.go`). Pods that do not even fit an
    /// empty one are left out. Pods that share namespace and template are one equivalence group.
    ///
    /// The scheduler is unchanged afterwards.
    pub fn estimate(
        &mut self,
        pending: &[(Arc<str>, Arc<PodTemplate>)],
        node: &NodeInfo,
        daemons: &[(Arc<str>, Arc<PodTemplate>)],
        at_most: u32,
    ) -> Estimate {
        let anywhere = node.machine;
        let daemons = daemons
            .iter()
            .map(|(namespace, template)| self.book(namespace, template, anywhere, None))
            .collect();
        // New classes count the booked pods they match; made-up ones are not booked, so all classes come first.
        for (namespace, template) in pending {
            self.class(namespace, template);
        }
        let (nodes, seated, scheduled) = (Vec::new(), Vec::new(), Vec::new());
        let mut packing = Packing {
            node,
            daemons,
            nodes,
            next: 0,
            seated,
            scheduled,
            at_most,
        };
        for group in groups(pending, node.allocatable) {
            self.pack(&mut packing, pending, &group);
        }
        for (slot, booked) in packing.seated.iter().rev() {
            self.count(*slot, booked, -1);
        }
        for &(slot, machine, _) in packing.nodes.iter().rev() {
            self.remove_hypothetical(&packing, slot, machine);
        }
        let nodes = packing.nodes.iter().filter(|(_, _, used)| *used).count() as u32;
        Estimate {
            nodes,
            scheduled: packing.scheduled,
        }
    }

    /// Whether all these pods of a node fit other nodes, one after the other, were they taken off their own
    /// (cluster-autoscaler/simulator/cluster.go `RemovalSimulator`). The scheduler is unchanged afterwards.
    pub fn could_move(&mut self, machine: MachineId, pods: &[PodId]) -> bool {
        let Some(from) = self.nodes.slot(machine) else {
            return false;
        };
        let moving: Vec<(PodId, Booked)> = pods
            .iter()
            .filter(|pod| self.nodes.pods(from).contains(pod))
            .filter_map(|&pod| self.booked(pod).map(|booked| (pod, booked.clone())))
            .collect();
        if moving.len() < pods.len() {
            return false;
        }
        for (_, booked) in &moving {
            self.count(from, booked, -1);
        }
        let order = self.nodes.order();
        // Each search goes on where the one before ended (`FitsAnyNodeMatching`, lastIndex).
        let mut next = order.iter().position(|&slot| slot == from).unwrap_or(0);
        let mut moved: Vec<u32> = Vec::new();
        for (_, booked) in &moving {
            let namespace = Arc::clone(&self.classes.class(booked.class).namespace);
            let query = self.query(None, &namespace, &booked.template);
            let bans = self.bans(&query);
            let fits = |&at: &usize| order[at] != from && self.filter_with(&query, order[at], &bans).fits();
            let Some(at) = (next..order.len()).chain(0..next).find(fits) else {
                break;
            };
            next = at + 1;
            let to = order[at];
            self.count(to, booked, 1);
            moved.push(to);
        }
        let all = moved.len() == moving.len();
        for (to, (_, booked)) in moved.iter().zip(&moving) {
            self.count(*to, booked, -1);
        }
        for (_, booked) in &moving {
            self.count(from, booked, 1);
        }
        all
    }
}

impl Scheduler {
    fn add_hypothetical(&mut self, packing: &Packing<'_>) -> (u32, MachineId) {
        // A number that the caller's own hypothetical nodes have not taken.
        let taken = packing.nodes.len() as u32;
        let mut numbers = (taken..u32::MAX).map(|n| MachineId(u32::MAX - n));
        let machine = numbers
            .find(|&machine| self.nodes.slot(machine).is_none())
            .unwrap_or(MachineId(u32::MAX));
        let name = format!("{}-e-{}", packing.node.name, u32::MAX - machine.0);
        let mut labels = Labels::clone(&packing.node.labels);
        labels.insert(HOSTNAME_LABEL.to_owned(), name.clone());
        let info = NodeInfo {
            machine,
            name: name.into(),
            labels: Arc::new(labels),
            ..packing.node.clone()
        };
        self.add_node(info);
        let slot = self.nodes.slot(machine).unwrap_or_default();
        for daemon in &packing.daemons {
            self.count(slot, daemon, 1);
        }
        (slot, machine)
    }

    fn remove_hypothetical(&mut self, packing: &Packing<'_>, slot: u32, machine: MachineId) {
        for daemon in &packing.daemons {
            self.count(slot, daemon, -1);
        }
        self.remove_node(machine);
    }

    /// One equivalence group: first on the new nodes there are, then on further ones.
    fn pack(&mut self, packing: &mut Packing<'_>, pending: &[(Arc<str>, Arc<PodTemplate>)], group: &[usize]) {
        let (namespace, template) = &pending[group[0]];
        let booked = self.book(namespace, template, packing.node.machine, None);
        let mut query = self.query(None, namespace, template);
        let mut rest = group.iter().copied();
        let mut waiting = rest.next();
        // `tryToScheduleOnExistingNodes`
        while let Some(index) = waiting {
            let count = packing.nodes.len();
            let found = (0..count)
                .map(|step| (packing.next + step) % count)
                .find(|&at| self.filter(&query, packing.nodes[at].0).fits());
            let Some(at) = found else { break };
            packing.next = (at + 1) % count;
            self.seat(packing, at, index, &booked);
            waiting = rest.next();
        }
        // `tryToScheduleOnNewNodes`
        while let Some(index) = waiting {
            let last = packing.nodes.len().checked_sub(1);
            if let Some(last) = last.filter(|&last| self.filter(&query, packing.nodes[last].0).fits()) {
                self.seat(packing, last, index, &booked);
            } else {
                let empty = last.is_some_and(|last| !packing.nodes[last].2);
                if empty || packing.nodes.len() >= packing.at_most as usize {
                    return;
                }
                let (slot, machine) = self.add_hypothetical(packing);
                packing.nodes.push((slot, machine, false));
                // The new node may have brought a new set of taints.
                query = self.query(None, namespace, template);
                if !self.filter(&query, slot).fits() {
                    // It stays, empty, for the groups that follow.
                    return;
                }
                self.seat(packing, packing.nodes.len() - 1, index, &booked);
            }
            waiting = rest.next();
        }
    }

    fn seat(&mut self, packing: &mut Packing<'_>, at: usize, index: usize, booked: &Booked) {
        let node = &mut packing.nodes[at];
        node.2 = true;
        self.count(node.0, booked, 1);
        packing.seated.push((node.0, booked.clone()));
        packing.scheduled.push(index);
    }
}

/// Equivalence groups, the largest requests first, else in their order (`decreasing_pod_orderer.go` `calculatePodScore`).
fn groups(pending: &[(Arc<str>, Arc<PodTemplate>)], allocatable: Amount) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, (namespace, template)) in pending.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| {
            let (other, first) = &pending[group[0]];
            other == namespace && Arc::ptr_eq(first, template)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    // cpu / all cpu + memory / all memory, in 2^-32.
    let part = |wanted: u64, all: u64| {
        if all == 0 {
            0
        } else {
            (u128::from(wanted) << 32) / u128::from(all)
        }
    };
    groups.sort_by_key(|group| {
        let wanted = pending[group[0]].1.requests;
        Reverse(part(wanted.cpu_milli, allocatable.cpu_milli) + part(wanted.memory, allocatable.memory))
    });
    groups
}
