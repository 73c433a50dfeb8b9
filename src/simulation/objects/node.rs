//! Node objects and their leases.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::quantity::Amount;
use super::template::Taint;
use crate::model::time::Time;
use crate::simulation::fabric::MachineId;

/// A node object.
#[derive(Clone, Debug)]
pub struct Node {
    /// The machine that registered it.
    pub machine: MachineId,
    /// `spec.providerID`.
    pub provider_id: Arc<str>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// What pods may use.
    pub allocatable: Amount,
    /// How many pods it takes.
    pub pods: u32,
    /// What else pods may request: storage in bytes, extended resources in units.
    pub scalars: Arc<BTreeMap<Arc<str>, u64>>,
    /// The `Ready` condition.
    pub ready: Readiness,
    /// Since when.
    pub since: Time,
    /// `InternalIP`.
    pub address: Ipv4Addr,
    /// The pod address range.
    pub pod_cidr: Arc<str>,
}

/// A node's `Ready` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The kubelet says that it is ready.
    True,
    /// The kubelet says that it is not.
    False,
    /// The kubelet says nothing any more.
    Unknown,
}

impl Readiness {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A node's lease in `kube-node-lease`.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Who holds it: the node's name.
    pub holder: Arc<str>,
    /// Its length in seconds.
    pub seconds: u32,
    /// When it was renewed.
    pub renewed: Time,
}
