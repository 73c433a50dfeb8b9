//! What physically is: machines, processes, and the endpoint lists that each kube-proxy has programmed.
//!
//! The control plane (through kubelets and kube-proxies) writes it; the network only reads it. It differs from the API
//! objects: after a power cut the pod object still says Running while the process here is gone.

mod proxies;

use std::sync::Arc;

pub use proxies::Proxies;

use crate::model::time::Time;

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

/// What physically is.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// By [`MachineId`].
    pub machines: Vec<Power>,
    /// By [`PodId`]; `None` before its first start.
    pub pods: Vec<Option<PodNet>>,
    /// By [`ServiceId`]: namespace and name.
    pub services: Vec<(Arc<str>, Arc<str>)>,
    /// The endpoints each kube-proxy sends new connections to.
    pub proxies: Proxies,
    /// The Service of the cluster's name server (`kube-system/kube-dns`), when there is one.
    pub dns: Option<ServiceId>,
}

impl Fabric {
    /// The endpoints that a new connection from `origin` to `service` may go to now; each is equally likely.
    #[inline]
    #[must_use]
    pub fn endpoints(&self, origin: Origin, service: ServiceId, now: Time) -> &[PodId] {
        self.proxies.list(origin, service, now)
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

    /// Whether packets to this machine are answered at all.
    #[inline]
    #[must_use]
    pub fn powered(&self, machine: MachineId) -> bool {
        self.machines[machine.0 as usize] == Power::On
    }
}
