//! What physically is: machines, processes, and the endpoint lists that each kube-proxy has programmed.
//!
//! The control plane (through kubelets and kube-proxies) writes it; the network only reads it. It differs from the API
//! objects: after a power cut the pod object still says Running while the process here is gone.

mod proxies;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use proxies::Proxies;

use crate::model::time::{Span, Time};

/// A pod, by creation order; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// A machine (and the node object that it registers), by creation order; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u32);

/// A Kubernetes Service, by creation order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

/// A service of the installed application models, by order of installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u32);

/// Where a connection starts: which kube-proxy translates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A user outside, entering through a kube-proxy that no fault takes (on kind, the control plane node's).
    Outside,
    /// A pod on this machine.
    Machine(MachineId),
}

/// A machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Booting: no process yet.
    Booting,
    /// Running.
    On,
    /// Paused: its kernel answers for its processes, which do not run. Connects succeed, nothing is answered.
    Frozen,
    /// Cut off: it and its pods live on, and no packet passes between them and the others.
    Isolated,
    /// Off or gone: every packet to it and its pods is lost without an answer.
    Off,
}

/// The process of a pod's (first) container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// No network namespace yet or no more: the pod's address belongs to nobody (no route to host).
    Absent,
    /// The address exists, nothing listens (starting, or ended and not yet restarted): connections are refused.
    NotListening,
    /// Listens.
    Listening,
}

/// A pod as the network sees it.
#[derive(Clone, Debug)]
pub struct PodNet {
    /// Its machine.
    pub machine: MachineId,
    /// Its process.
    pub process: Process,
    /// How it behaves; `None`: no description of its image.
    pub model: Option<ModelId>,
    /// Counts the process's starts: memory (sessions, stores, pools) of another incarnation is gone.
    pub incarnation: u32,
}

/// Which endpoints of a Service a kube-proxy uses for one kind of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachable {
    /// All (`Cluster`).
    #[default]
    Cluster,
    /// Those on its own node (`Local`); packets are dropped where there are none.
    Local,
}

/// Which endpoints are hinted to be preferred, when there are any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preferred {
    /// None.
    #[default]
    Any,
    /// Those of the caller's zone.
    Zone,
    /// Those of the caller's node.
    Node,
}

/// How connections to a Service are spread, beyond an equal chance for every endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// `sessionAffinity: ClientIP`: a client's connections go where its last one went, until it has made none for so long.
    pub affinity: Option<Span>,
    /// `internalTrafficPolicy`.
    pub internal: Reachable,
    /// `externalTrafficPolicy`.
    pub external: Reachable,
    /// `trafficDistribution`.
    pub preferred: Preferred,
    /// `clusterIP: None`: the name resolves to the pods themselves.
    pub headless: bool,
}

/// A load balancer in front of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// The nodes it sends new connections to, each equally likely; `None`: it is being made, its name does not resolve yet.
    pub targets: Option<Arc<[MachineId]>>,
}

/// What physically is.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// By [`MachineId`].
    pub machines: Vec<Power>,
    /// By [`PodId`]; `None` before its first start.
    pub pods: Vec<Option<PodNet>>,
    /// By [`ServiceId`]: namespace and name.
    pub services: Vec<(Arc<str>, Arc<str>)>,
    /// Whom a packet to an endpoint's address reaches, where that is no longer the pod that had it first: a machine that restarts gives
    /// its addresses out anew. Nobody: `PodId(u32::MAX)`.
    pub holders: BTreeMap<PodId, PodId>,
    /// The endpoints each kube-proxy sends new connections to.
    pub proxies: Proxies,
    /// The Service of the cluster's name server (`kube-system/kube-dns`), when there is one.
    pub dns: Option<ServiceId>,
    /// By [`ServiceId`]; a shorter list: the default.
    pub routing: Vec<Routing>,
    /// By [`ServiceId`]; a shorter list: none.
    pub balancers: Vec<Option<Balancer>>,
    /// The number of each machine's zone, by [`MachineId`]; a shorter list: all the same.
    pub zones: Vec<u32>,
}

impl Fabric {
    /// The endpoints that a new connection from `origin` to `service` may go to now; each is equally likely.
    #[inline]
    #[must_use]
    pub fn endpoints(&self, origin: Origin, service: ServiceId, now: Time) -> &[PodId] {
        self.proxies.list(origin, service, now)
    }

    /// The pod that has the address of a listed endpoint now. Endpoint lists name an address by the pod that had it first.
    #[inline]
    #[must_use]
    pub fn holder(&self, endpoint: PodId) -> PodId {
        if self.holders.is_empty() {
            return endpoint;
        }
        self.holders.get(&endpoint).copied().unwrap_or(endpoint)
    }

    /// How connections to a service are spread.
    #[inline]
    #[must_use]
    pub fn routing(&self, service: ServiceId) -> Routing {
        self.routing.get(service.0 as usize).copied().unwrap_or_default()
    }

    /// Sets how connections to a service are spread.
    pub fn set_routing(&mut self, service: ServiceId, routing: Routing) {
        let index = service.0 as usize;
        if self.routing.len() <= index {
            self.routing.resize(index + 1, Routing::default());
        }
        self.routing[index] = routing;
    }

    /// The load balancer in front of a service, once there is one.
    #[inline]
    #[must_use]
    pub fn balancer(&self, service: ServiceId) -> Option<&Balancer> {
        self.balancers.get(service.0 as usize)?.as_ref()
    }

    /// The number of a machine's zone.
    #[inline]
    #[must_use]
    pub fn zone(&self, machine: MachineId) -> u32 {
        self.zones.get(machine.0 as usize).copied().unwrap_or_default()
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Option<ServiceId> {
        self.services
            .iter()
            .position(|(ns, n)| &**ns == namespace && &**n == name)
            .map(|index| ServiceId(index as u32))
    }

    /// The pod, when it ever started.
    #[inline]
    #[must_use]
    pub fn pod(&self, pod: PodId) -> Option<&PodNet> {
        self.pods.get(pod.0 as usize).and_then(Option::as_ref)
    }

    /// Whether packets from `origin` to this machine are answered by its processes.
    #[inline]
    #[must_use]
    pub fn answers(&self, origin: Origin, machine: MachineId) -> bool {
        match (self.machines[machine.0 as usize], origin) {
            (Power::On, Origin::Outside) => true,
            (Power::On, Origin::Machine(from)) => from == machine || self.machines[from.0 as usize] != Power::Isolated,
            (Power::Isolated, Origin::Machine(from)) => from == machine,
            _ => false,
        }
    }

    /// Whether the kernel of this machine forwards packets from outside, as a node port does: a frozen one's does.
    #[inline]
    #[must_use]
    pub fn forwards(&self, machine: MachineId) -> bool {
        matches!(self.machines[machine.0 as usize], Power::On | Power::Frozen)
    }

    /// Whether this machine runs and packets to it are answered.
    #[inline]
    #[must_use]
    pub fn powered(&self, machine: MachineId) -> bool {
        self.machines[machine.0 as usize] == Power::On
    }
}
