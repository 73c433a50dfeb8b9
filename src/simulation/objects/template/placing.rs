//! What a pod asks of the scheduler beyond the usual: spreading, host ports, further resources, gates.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::PodTemplate;
use crate::simulation::api::Labels;
use crate::simulation::objects::selector::{Requirement, Selector, Test};

/// The scheduler that the cluster runs. Source: k8s.io/api core/v1 types.go `DefaultSchedulerName`.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";
/// An address that stands for all of a node's. Source: k8s.io/kube-scheduler framework types `DefaultBindAllHostIP`.
const ALL_ADDRESSES: &str = "0.0.0.0";

/// What few pods ask for; templates that ask for none of it have no such record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placing {
    /// `topologySpreadConstraints`.
    pub spread: Vec<SpreadConstraint>,
    /// `hostPort` of its containers.
    pub ports: Vec<HostPort>,
    /// Requests other than CPU and memory, by name: `ephemeral-storage` in bytes, extended resources in units.
    pub scalars: Vec<(Arc<str>, u64)>,
    /// The names of its `schedulingGates`.
    pub gates: Vec<String>,
    /// `schedulerName`, when it is not the cluster's own.
    pub scheduler: Option<String>,
}

/// One of a pod's `topologySpreadConstraints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadConstraint {
    /// How much fuller than the emptiest a place may be.
    pub max_skew: u32,
    /// With fewer places than this, the emptiest counts as empty.
    pub min_domains: u32,
    /// The node label whose equal values make one place.
    pub topology: String,
    /// `DoNotSchedule` rather than `ScheduleAnyway`.
    pub hard: bool,
    /// Which pods count; `None`: none.
    pub selector: Option<Selector>,
    /// Keys of the pod's own labels that those pods share.
    pub match_label_keys: Vec<String>,
    /// Whether only nodes that its node affinity selects count.
    pub honors_affinity: bool,
    /// Whether only nodes whose taints it tolerates count.
    pub honors_taints: bool,
}

/// A port on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// `hostIP`, `0.0.0.0` for all.
    pub address: String,
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// The number.
    pub port: u16,
}

impl HostPort {
    /// Whether both cannot be had on one node (k8s.io/kube-scheduler framework types `HostPortInfo.CheckConflict`).
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.address == other.address || self.address == ALL_ADDRESSES || other.address == ALL_ADDRESSES)
    }
}

impl SpreadConstraint {
    fn new(written: &core::TopologySpreadConstraint) -> Result<Self, String> {
        Ok(Self {
            max_skew: u32::try_from(written.max_skew).unwrap_or(1).max(1),
            min_domains: written
                .min_domains
                .map_or(1, |domains| u32::try_from(domains).unwrap_or(1)),
            topology: written.topology_key.clone(),
            hard: written.when_unsatisfiable == "DoNotSchedule",
            selector: written.label_selector.as_ref().map(Selector::new).transpose()?,
            match_label_keys: written.match_label_keys.clone().unwrap_or_default(),
            // podtopologyspread/common.go: nil is Honor for affinity and Ignore for taints.
            honors_affinity: written.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: written.node_taints_policy.as_deref() == Some("Honor"),
        })
    }

    /// The selector for a pod with these labels (podtopologyspread/common.go `mergeLabelSetWithSelector`).
    #[must_use]
    pub fn selector_for(&self, own: &Labels) -> Option<Selector> {
        let mut selector = self.selector.clone()?;
        add_shared(&mut selector, &self.match_label_keys, own, Test::In);
        Some(selector)
    }
}

/// Adds a requirement for each key that the pod has as a label
/// (pkg/registry/core/pod/strategy.go `applyLabelKeysToLabelSelector`).
pub(super) fn add_shared(selector: &mut Selector, keys: &[String], own: &Labels, test: fn(Vec<String>) -> Test) {
    for key in keys {
        if let Some(value) = own.get(key) {
            selector.0.push(Requirement {
                key: key.clone(),
                test: test(vec![value.clone()]),
            });
        }
    }
}

impl Placing {
    /// What a specification asks for; `scalars` are its further requests.
    pub(super) fn new(
        spec: &core::PodSpec,
        scalars: Vec<(Arc<str>, u64)>,
    ) -> Result<Option<Arc<Self>>, (String, String)> {
        let mut placing = Self {
            scalars,
            scheduler: spec
                .scheduler_name
                .clone()
                .filter(|name| !name.is_empty() && name != DEFAULT_SCHEDULER),
            ..Self::default()
        };
        for (index, written) in spec.topology_spread_constraints.iter().flatten().enumerate() {
            let constraint = SpreadConstraint::new(written)
                .map_err(|why| (format!("spec.topologySpreadConstraints[{index}].labelSelector"), why))?;
            placing.spread.push(constraint);
        }
        // pkg/scheduler/util/utils.go `GetHostPorts`: of init containers only those that stay.
        let staying = spec
            .init_containers
            .iter()
            .flatten()
            .filter(|one| one.restart_policy.as_deref() == Some("Always"));
        for port in staying
            .chain(&spec.containers)
            .flat_map(|one| one.ports.iter().flatten())
        {
            let Some(number) = port
                .host_port
                .and_then(|it| u16::try_from(it).ok())
                .filter(|&it| it > 0)
            else {
                continue;
            };
            let word = |text: &Option<String>, default: &str| {
                text.clone()
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| default.to_owned())
            };
            placing.ports.push(HostPort {
                address: word(&port.host_ip, ALL_ADDRESSES),
                protocol: word(&port.protocol, "TCP"),
                port: number,
            });
        }
        placing.gates = spec
            .scheduling_gates
            .iter()
            .flatten()
            .map(|gate| gate.name.clone())
            .collect();
        Ok((placing != Self::default()).then(|| Arc::new(placing)))
    }
}

impl PodTemplate {
    /// `topologySpreadConstraints`.
    #[must_use]
    pub fn spread(&self) -> &[SpreadConstraint] {
        self.placing.as_ref().map_or(&[], |placing| &placing.spread)
    }

    /// Ports that it takes on its node.
    #[must_use]
    pub fn host_ports(&self) -> &[HostPort] {
        self.placing.as_ref().map_or(&[], |placing| &placing.ports)
    }

    /// Requests other than CPU and memory, by name.
    #[must_use]
    pub fn scalars(&self) -> &[(Arc<str>, u64)] {
        self.placing.as_ref().map_or(&[], |placing| &placing.scalars)
    }

    /// The names of its `schedulingGates`.
    #[must_use]
    pub fn gates(&self) -> &[String] {
        self.placing.as_ref().map_or(&[], |placing| &placing.gates)
    }

    /// The scheduler that it waits for, when that is not the cluster's own.
    #[must_use]
    pub fn other_scheduler(&self) -> Option<&str> {
        self.placing.as_ref()?.scheduler.as_deref()
    }
}
