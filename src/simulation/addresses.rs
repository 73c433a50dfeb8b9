//! Addresses that are given out anew when a machine restarts: a pod may get one that was another's.
//!
//! Until a kube-proxy knows better it sends what is meant for the one to the other: measured after `docker stop` and `docker start`,
//! where two pods' addresses were swapped and requests to one service were answered by the other's pod for 1 to 2 s.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::fabric::{MachineId, PodId};
use super::world::World;

/// The holder of an address that nobody has.
const NOBODY: PodId = PodId(u32::MAX);

/// From here on numbers name addresses that no pod had before: no cluster has so many pods.
const NEW: u32 = 0x8000_0000;

/// The addresses that changed hands.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    /// The address of each pod that has another's or a new one, by the name that endpoint lists have for it.
    names: BTreeMap<PodId, PodId>,
    /// Addresses of pods that are being restarted, until they are reported.
    pub(super) given: BTreeMap<u32, Ipv4Addr>,
    new: u32,
}

impl Addresses {
    /// The name of a pod's address in endpoint lists.
    pub(super) fn of(&self, pod: PodId) -> PodId {
        self.names.get(&pod).copied().unwrap_or(pod)
    }
}

impl World {
    /// The pods of a restarted machine get addresses in this order.
    pub(super) fn give_addresses(&mut self, machine: MachineId, pods: &[u32]) {
        let address = |world: &Self, pod: u32| {
            let row = world.store.pod(pod)?;
            row.body.address.filter(|_| !row.body.template.host_network)
        };
        let had: BTreeMap<Ipv4Addr, PodId> = pods
            .iter()
            .filter_map(|&pod| Some((address(self, pod)?, self.faults.addresses.of(PodId(pod)))))
            .collect();
        for &name in had.values() {
            self.fabric.holders.insert(name, NOBODY);
        }
        let network = |world: &Self, pod: u32| {
            world
                .store
                .pod(pod)
                .is_some_and(|row| !row.body.template.host_network && row.meta.deletion.is_none())
        };
        for &pod in pods {
            if !network(self, pod) {
                continue;
            }
            let new = self.next_address(machine);
            if address(self, pod).is_some() {
                self.store.change_pod(pod, |row| row.body.address = None);
            }
            let addresses = &mut self.faults.addresses;
            addresses.given.insert(pod, new);
            let name = had.get(&new).copied().unwrap_or_else(|| {
                addresses.new += 1;
                PodId(NEW + addresses.new)
            });
            addresses.names.insert(PodId(pod), name);
            self.fabric.holders.insert(name, PodId(pod));
        }
    }
}
