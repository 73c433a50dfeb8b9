//! Pods.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::container::{ContainerStatus, State};
use super::template::{Effect, PodTemplate, Toleration};
use crate::model::time::Time;
use crate::simulation::fabric::MachineId;

/// A pod object: what the API says of it, which may lag behind what is.
#[derive(Clone, Debug)]
pub struct Pod {
    /// What it was made from.
    pub template: Arc<PodTemplate>,
    /// The workload that owns it in the end (its Deployment or DaemonSet), or its own name.
    pub app: Arc<str>,
    /// Its node, once scheduled.
    pub node: Option<MachineId>,
    /// Its node's name.
    pub node_name: Option<Arc<str>>,
    /// Its node's address.
    pub host_address: Option<Ipv4Addr>,
    /// Its phase.
    pub phase: Phase,
    /// `PodScheduled` since.
    pub scheduled: Option<Time>,
    /// Its containers in the order of [`PodTemplate::all`], once its kubelet has reported them.
    pub statuses: Arc<[ContainerStatus]>,
    /// `Initialized` since: every container of the start is done.
    pub initialized: Option<Time>,
    /// `status.reason` and `status.message`.
    pub why: Option<(&'static str, &'static str)>,
    /// When the kubelet first saw it.
    pub started: Option<Time>,
    /// The `Ready` condition: value and since when; `None` before the kubelet reports.
    pub ready: Option<(bool, Time)>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// Why the scheduler found no node.
    pub unschedulable: Option<Arc<str>>,
    /// `status.nominatedNodeName`: where preemption makes room for it.
    pub nominated: Option<MachineId>,
    /// The name of that node.
    pub nominated_name: Option<Arc<str>>,
    /// The `DisruptionTarget` condition: its reason and since when.
    pub disruption: Option<(&'static str, Time)>,
}

/// A pod's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not all containers run yet.
    Pending,
    /// Bound, and its containers have started.
    Running,
    /// Ended with success.
    Succeeded,
    /// Ended without success; it stays listed until collected.
    Failed,
}

impl Phase {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

impl Pod {
    /// A new pod without a node.
    #[must_use]
    pub fn new(template: Arc<PodTemplate>, app: Arc<str>) -> Self {
        Self {
            template,
            app,
            node: None,
            node_name: None,
            host_address: None,
            phase: Phase::Pending,
            scheduled: None,
            statuses: Arc::from([]),
            initialized: None,
            why: None,
            started: None,
            ready: None,
            address: None,
            unschedulable: None,
            nominated: None,
            nominated_name: None,
            disruption: None,
        }
    }

    /// Whether the `Ready` condition is True.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.is_some_and(|(ready, _)| ready)
    }

    /// Whether it has ended and holds no resources.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Its containers wait, none of them created yet.
    pub fn waits(&mut self, state: State, now: Time) {
        let status = ContainerStatus {
            state,
            ..ContainerStatus::NEW
        };
        self.statuses = self.template.all().map(|_| status).collect();
        if self.template.init.is_empty() {
            self.initialized.get_or_insert(now);
        }
    }

    /// The most restarts of one of its containers (pkg/api/v1/pod `maxContainerRestarts`).
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.statuses.iter().map(|status| status.restarts).max().unwrap_or(0)
    }
}

/// The taint of a node whose kubelet says that it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node whose kubelet says nothing.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a node that its operator has declared dead. Source: k8s.io/api core/v1 `well_known_taints.go`.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// The taint of a cordoned node.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The tolerations that the DaemonSet controller adds
/// (pkg/controller/daemon/util/daemonset_util.go `AddOrUpdateDaemonPodTolerations`).
#[must_use]
pub fn daemon_tolerations() -> Vec<Toleration> {
    [
        (NOT_READY, Effect::NoExecute),
        (UNREACHABLE, Effect::NoExecute),
        ("node.kubernetes.io/disk-pressure", Effect::NoSchedule),
        ("node.kubernetes.io/memory-pressure", Effect::NoSchedule),
        ("node.kubernetes.io/pid-pressure", Effect::NoSchedule),
        (UNSCHEDULABLE, Effect::NoSchedule),
    ]
    .into_iter()
    .map(|(key, effect)| Toleration {
        key: Some(key.to_owned()),
        value: None,
        effect: Some(effect),
        lasts: None,
    })
    .collect()
}
