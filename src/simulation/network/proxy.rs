//! kube-proxy's choice of an endpoint: traffic policies, preferred zones and nodes, session affinity.
//!
//! Source: pkg/proxy/topology.go (`CategorizeEndpoints`, `topologyModeFromHints`), pkg/proxy/iptables/proxier.go (REJECT without
//! endpoints, DROP without local ones, `-m recent` for session affinity).

use std::collections::BTreeMap;

use super::Network;
use super::frame::{Caller, Frame};
use super::slab::Key;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, MachineId, Origin, PodId, Preferred, Reachable, Routing, ServiceId};

/// What becomes of the first packet of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It goes to this endpoint.
    Pod(PodId),
    /// There is no endpoint anywhere: an ICMP error, as far as the kernel's limit lets it out.
    Reject,
    /// There is none on this node, which is all that the policy allows: no answer.
    Drop,
}

/// How a connection comes to a kube-proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// From a pod, to a cluster address.
    Internal,
    /// From outside, to the port of a node.
    External,
}

/// Where a connection from outside enters the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// By a node's port, without a load balancer.
    NodePort,
    /// A load balancer sends it to this node.
    Node(MachineId),
    /// A load balancer has nobody to send it to, and closes it.
    Closed,
    /// The load balancer does not exist yet: its name does not resolve.
    Unresolved,
}

/// Which endpoint each client's last connection went to, by kube-proxy, client and service.
#[derive(Clone, Debug, Default)]
pub(super) struct Affinity {
    last: BTreeMap<(u32, u32, u32), (PodId, Time)>,
}

impl Affinity {
    fn find(&self, key: (u32, u32, u32), now: Time, lasts: Span) -> Option<PodId> {
        let (pod, at) = *self.last.get(&key)?;
        (now.since(at) < lasts).then_some(pod)
    }
}

impl Network {
    /// The choice of the kube-proxy at `origin`: every endpoint that may be used is equally likely (iptables mode, `statistic mode
    /// random`).
    #[inline]
    pub(super) fn choose(
        &mut self,
        fabric: &Fabric,
        origin: Origin,
        traffic: Traffic,
        client: Option<u32>,
        service: ServiceId,
    ) -> Choice {
        let routing = fabric.routing(service);
        if routing == Routing::default() {
            return match fabric.endpoints(origin, service, self.now) {
                [] => Choice::Reject,
                [only] => Choice::Pod(fabric.holder(*only)),
                many => Choice::Pod(fabric.holder(many[self.chance.choice.index(many.len())])),
            };
        }
        self.choose_routed(fabric, origin, traffic, client, service, routing)
    }

    fn choose_routed(
        &mut self,
        fabric: &Fabric,
        origin: Origin,
        traffic: Traffic,
        client: Option<u32>,
        service: ServiceId,
        routing: Routing,
    ) -> Choice {
        // A headless name resolves to the pods: no kube-proxy, no policy. Name servers learn of a change about as fast as the
        // kube-proxy outside does.
        let origin = if routing.headless { Origin::Outside } else { origin };
        let all = fabric.endpoints(origin, service, self.now);
        if all.is_empty() {
            return Choice::Reject;
        }
        let usable = if routing.headless {
            all.to_vec()
        } else {
            usable(fabric, origin, traffic, routing, all)
        };
        if usable.is_empty() {
            return Choice::Drop;
        }
        let proxy = match origin {
            Origin::Outside => u32::MAX,
            Origin::Machine(machine) => machine.0,
        };
        let pinned = routing
            .affinity
            .filter(|_| !routing.headless)
            .zip(client)
            .map(|(lasts, client)| (lasts, (proxy, client, service.0)));
        let known = pinned.and_then(|(lasts, key)| self.affinity.find(key, self.now, lasts));
        let pod = known
            .filter(|pod| usable.contains(pod))
            .unwrap_or_else(|| match usable[..] {
                [only] => only,
                _ => usable[self.chance.choice.index(usable.len())],
            });
        if let Some((_, key)) = pinned {
            self.affinity.last.insert(key, (pod, self.now));
        }
        Choice::Pod(fabric.holder(pod))
    }

    /// The client of a request, as kube-proxy tells clients apart by address: a pod, the prober, or (`None`) one of many users, each
    /// with an address of its own.
    pub(super) fn client(&self, frame: &Frame) -> Option<u32> {
        match frame.caller {
            Caller::Handler(handler) => self.frames.get(handler).map(|handler| handler.pod.0),
            Caller::User(_) if self.one_client => Some(u32::MAX),
            Caller::User(_) | Caller::Probe(..) | Caller::Nobody => None,
        }
    }

    /// Where a connection from outside enters.
    #[inline]
    pub(super) fn entrance(&mut self, fabric: &Fabric, service: ServiceId) -> Entrance {
        let Some(balancer) = fabric.balancer(service) else {
            return Entrance::NodePort;
        };
        match balancer.targets.as_deref() {
            None => Entrance::Unresolved,
            Some([]) => Entrance::Closed,
            Some([only]) => Entrance::Node(*only),
            Some(many) => Entrance::Node(many[self.chance.balance.index(many.len())]),
        }
    }

    /// Remembers through which node a user's connection runs.
    pub(super) fn enter(&mut self, key: Key, node: Option<MachineId>) {
        let Some(frame) = self.frames.get_mut(key) else { return };
        frame.via = node;
        if let Caller::User(slot) = frame.caller
            && let Some(slot) = self.slots.get_mut(slot)
        {
            slot.via = node;
        }
    }
}

/// The endpoints that a kube-proxy may send this traffic to.
fn usable(fabric: &Fabric, origin: Origin, traffic: Traffic, routing: Routing, all: &[PodId]) -> Vec<PodId> {
    let machine_of = |pod: PodId| fabric.pod(fabric.holder(pod)).map(|net| net.machine);
    let here = match origin {
        Origin::Outside => None,
        Origin::Machine(machine) => Some(machine),
    };
    let on_node: Vec<PodId> = all
        .iter()
        .copied()
        .filter(|&pod| here.is_some() && machine_of(pod) == here)
        .collect();
    let policy = match traffic {
        Traffic::Internal => routing.internal,
        Traffic::External => routing.external,
    };
    if policy == Reachable::Local {
        return on_node;
    }
    if routing.preferred == Preferred::Node && !on_node.is_empty() {
        return on_node;
    }
    if routing.preferred != Preferred::Any
        && let Some(here) = here
    {
        let zone = fabric.zone(here);
        let near: Vec<PodId> = all
            .iter()
            .copied()
            .filter(|&pod| machine_of(pod).is_some_and(|machine| fabric.zone(machine) == zone))
            .collect();
        if !near.is_empty() {
            return near;
        }
    }
    all.to_vec()
}
