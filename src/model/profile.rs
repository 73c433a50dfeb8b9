//! A cluster profile: sizes, periods and delays as data, each with its source in the profile's file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::application::Between;
use super::fault::Rounding;
use super::time::Span;

/// The built-in profiles: name and text.
const BUILT_IN: [(&str, &str); 2] = [
    (
        "eks-workshop",
        include_str!("../../fixtures/profiles/eks-workshop.yaml"),
    ),
    ("kind", include_str!("../../fixtures/profiles/kind.yaml")),
];

/// A cluster profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, as snapshots carry it.
    pub name: String,
    /// The Kubernetes version that nodes report.
    pub kubernetes: String,
    /// The nodes.
    pub nodes: Nodes,
    /// DaemonSets that every node carries.
    #[serde(default)]
    pub daemon_sets: Vec<System>,
    /// Other workloads of the cluster itself.
    #[serde(default)]
    pub deployments: Vec<System>,
    /// The kubelet.
    pub kubelet: Kubelet,
    /// The controllers.
    pub controllers: Controllers,
    /// Services and their propagation.
    pub services: Services,
    /// The loop that deletes the node objects of instances that are gone.
    pub cloud: Cloud,
    /// The group that replaces instances; none: nodes do not come back.
    #[serde(default)]
    pub scaling_group: Option<ScalingGroup>,
    /// The Cluster Autoscaler.
    #[serde(default)]
    pub autoscaler: Option<Autoscaler>,
    /// How a terminated instance ends.
    pub terminate: Terminate,
    /// How machines stop and come back, and what else faults need of time.
    #[serde(default)]
    pub machines: Machines,
    /// What a Service of type LoadBalancer gets; none: it stays pending, and users enter by its node port.
    #[serde(default)]
    pub load_balancers: Option<LoadBalancers>,
    /// Its default StorageClass, and who makes volumes; none: claims without a volume of the user's own stay pending.
    #[serde(default)]
    pub storage: Option<Storage>,
}

/// A default StorageClass and its driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The class's name. It waits for the first consumer and deletes volumes with their claims.
    pub class: String,
    /// Its `provisioner`.
    pub provisioner: String,
    /// The driver that attaches its volumes.
    #[serde(default)]
    pub driver: String,
    /// The node label that says where a volume can be reached from.
    pub topology: String,
    /// From a chosen node to a bound volume.
    pub provision: Between,
    /// From the wish to attach a volume to its being attached; none: volumes need not be attached.
    #[serde(default)]
    pub attach: Option<Between>,
    /// From the wish to detach a volume to its being detached.
    #[serde(default)]
    pub detach: Between,
    /// From an attached volume to a mounted one.
    pub mount: Between,
}

/// The nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// How many run workloads at the start.
    pub count: u32,
    /// How their names begin; a number follows.
    pub prefix: String,
    /// Their zones, in turn.
    pub zones: Vec<String>,
    /// Their instance type.
    pub instance_type: String,
    /// Allocatable CPU in thousandths of a core.
    pub cpu_milli: u64,
    /// Allocatable memory in MiB.
    pub memory_mib: u64,
    /// Pods a node takes.
    pub pods: u32,
    /// Further allocatable resources by name, as quantities: `ephemeral-storage`, extended resources.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
    /// The node object of the control plane, when the cluster shows one.
    #[serde(default)]
    pub control_plane: Option<String>,
}

/// A workload of the cluster itself, in `kube-system`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Pods (Deployments).
    #[serde(default)]
    pub replicas: u32,
    /// Its `app.kubernetes.io/name` label, when it differs from the name.
    #[serde(default)]
    pub label: Option<String>,
    /// Requested CPU in thousandths of a core.
    #[serde(default)]
    pub cpu_milli: u64,
    /// Requested memory in MiB.
    #[serde(default)]
    pub memory_mib: u64,
    /// Its priority class.
    #[serde(default)]
    pub priority: Option<String>,
    /// Whether its pods also run on the control plane node.
    #[serde(default)]
    pub control_plane: bool,
}

/// The kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubelet {
    /// Between two renewals of the node's lease.
    #[serde(with = "super::units::text")]
    pub lease: std::time::Duration,
    /// From a change of a pod object to the kubelet's acting on it.
    pub notice: Between,
    /// Pulling an image that the node lacks.
    pub pull: Between,
    /// From acting to a running container: sandbox, network, start.
    pub start: Between,
    /// From creating one more container of a pod, its sandbox there already, to its running.
    pub create: Between,
    /// From a container's state to its report in the pod's status.
    pub report: Between,
    /// From the end of a container to the kubelet's seeing it.
    pub relist: Between,
    /// The first delay of a restart after the first; it doubles.
    #[serde(with = "super::units::text")]
    pub back_off: std::time::Duration,
    /// Where it ends, and after how long running it starts anew (twice this).
    #[serde(with = "super::units::text")]
    pub back_off_limit: std::time::Duration,
    /// From the end of a deleted pod's containers to the removal of its object.
    pub remove: Between,
}

/// The kube-controller-manager and the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controllers {
    /// From a change to a controller's acting on it.
    pub notice: Between,
    /// From a pod's creation to its binding, for each pod.
    pub schedule: Between,
    /// Back-off of a pod that did not fit: first.
    #[serde(with = "super::units::text")]
    pub schedule_back_off: std::time::Duration,
    /// Back-off of a pod that did not fit: longest.
    #[serde(with = "super::units::text")]
    pub schedule_back_off_limit: std::time::Duration,
    /// `--node-monitor-period`.
    #[serde(with = "super::units::text")]
    pub node_monitor_period: std::time::Duration,
    /// `--node-monitor-grace-period`.
    #[serde(with = "super::units::text")]
    pub node_monitor_grace: std::time::Duration,
    /// The tolerations that admission gives every pod.
    #[serde(with = "super::units::text")]
    pub toleration: std::time::Duration,
    /// Pod garbage collection's period.
    #[serde(with = "super::units::text")]
    pub pod_gc_period: std::time::Duration,
    /// How long an absent node is waited for before its pods are collected.
    #[serde(with = "super::units::text")]
    pub pod_gc_quarantine: std::time::Duration,
    /// `--node-eviction-rate`: seconds between two nodes' evictions in a zone.
    #[serde(with = "super::units::text")]
    pub eviction_interval: std::time::Duration,
    /// `--secondary-node-eviction-rate` for large clusters in partial disruption: seconds between two nodes.
    #[serde(with = "super::units::text")]
    pub secondary_eviction_interval: std::time::Duration,
    /// `--unhealthy-zone-threshold` in percent.
    pub unhealthy_zone_percent: u32,
    /// `--large-cluster-size-threshold`.
    pub large_cluster: u32,
}

/// Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// From a pod's change to its EndpointSlice's.
    pub slice: Between,
    /// From an EndpointSlice's change to a kube-proxy's rules.
    pub proxy: Between,
    /// Whether all load from outside has one source address, as a prober's: its ports are used again while stale connection
    /// tracking entries still lead to dead endpoints. Real users have many addresses.
    pub one_client: bool,
}

/// The cloud's node lifecycle loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// Its period.
    #[serde(with = "super::units::text")]
    pub period: std::time::Duration,
}

/// An auto scaling group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingGroup {
    /// Least instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// From an instance's end to the start of its replacement.
    pub replace: Between,
    /// From an instance's start to its kubelet's registering the node.
    pub boot: Between,
    /// From then until the node is Ready: the network plugin's pod has to run first.
    pub ready: Between,
}

/// The Cluster Autoscaler's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoscaler {
    /// `--scan-interval`.
    #[serde(with = "super::units::text")]
    pub scan: std::time::Duration,
    /// From the decision to the group's starting an instance.
    pub request: Between,
    /// `--scale-down-unneeded-time`.
    #[serde(with = "super::units::text")]
    pub unneeded: std::time::Duration,
    /// `--scale-down-delay-after-add`.
    #[serde(with = "super::units::text")]
    pub delay_after_add: std::time::Duration,
    /// `--scale-down-utilization-threshold` in percent.
    pub utilization_percent: u32,
    /// From its pod's start to its first scan (leader election included).
    pub start: Between,
}

/// The cloud's load balancers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancers {
    /// What a Service gets that asks for nothing special.
    pub classic: LoadBalancer,
    /// What it gets with the annotation `service.beta.kubernetes.io/aws-load-balancer-type`: `nlb` or `external`.
    pub network: LoadBalancer,
}

/// A load balancer's delays and its targets' health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// From the Service's creation until the load balancer's name resolves.
    pub provision: Between,
    /// From a node's coming or going to its being registered or deregistered.
    pub register: Between,
    /// Between two checks of a target.
    #[serde(with = "super::units::text")]
    pub interval: std::time::Duration,
    /// How long a check waits for an answer.
    #[serde(with = "super::units::text")]
    pub timeout: std::time::Duration,
    /// Passed checks in a row that make a target healthy.
    pub healthy: u32,
    /// Failed checks in a row that make it unhealthy.
    pub unhealthy: u32,
    /// What happens when no target is healthy.
    pub none_healthy: NoneHealthy,
}

/// What a load balancer does without a healthy target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoneHealthy {
    /// Connections are closed.
    Close,
    /// It «fails open»: all targets get connections.
    All,
}

/// How a terminated instance ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminate {
    /// From the call until the guest is asked to shut down: processes get SIGTERM, the kubelet stops.
    pub signal: Between,
    /// From then until the machine is silent. Zero: a power cut.
    pub shutdown: Between,
    /// How a percentage of the nodes is rounded.
    #[serde(default)]
    pub rounding: Rounding,
}

/// How machines stop and come back. The defaults are those of the profile `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machines {
    /// From a stop until the machine is silent, where [`Terminate::shutdown`] is zero; elsewhere its guest shuts down first.
    pub stop: Between,
    /// From power on until the kubelet has posted its node's status.
    pub boot: Between,
    /// From then until the kubelet starts the pods again whose containers are gone.
    pub restart: Between,
    /// From the start of a stopped kubelet until it has posted its node's status.
    pub kubelet: Between,
    /// From the end of a partition until the kubelet has posted its node's status.
    pub reconnect: Between,
    /// From the end of a freeze until the kubelet has posted its node's status.
    pub resume: Between,
    /// From the end of a freeze or a partition until the kubelet has posted its pods' status.
    pub pods: Between,
    /// Between two calls of `kubectl drain`: start to cordon, cordon to the evictions.
    pub drain: Between,
    /// The notice that a spot instance gets.
    #[serde(with = "super::units::text")]
    pub notice: std::time::Duration,
    /// Who acts on a notice.
    pub on_notice: OnNotice,
}

/// Who acts on the notice of a spot interruption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNotice {
    /// Nobody: pods run until the instance goes.
    #[default]
    Nobody,
    /// The managed node group drains the node.
    Drain,
}

impl Default for Machines {
    fn default() -> Self {
        let between = |from: u64, to: u64| Between {
            from: std::time::Duration::from_millis(from),
            to: std::time::Duration::from_millis(to),
        };
        Self {
            stop: between(600, 800),
            boot: between(2_400, 2_600),
            restart: between(800, 1_600),
            kubelet: between(1_000, 3_000),
            reconnect: between(1_000, 10_400),
            resume: between(0, 10_400),
            pods: between(0, 10_000),
            drain: between(30, 80),
            notice: std::time::Duration::from_secs(120),
            on_notice: OnNotice::Nobody,
        }
    }
}

/// Why there is no such profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No built-in profile has this name.
    #[error("unknown profile `{0}`: expected {names}", names = Profile::names().join(" or "))]
    Unknown(String),
    /// A profile's text does not read.
    #[error("profile `{name}` does not read")]
    Text {
        /// Which.
        name: String,
        /// What is wrong.
        #[source]
        source: serde_yaml::Error,
    },
}

impl Profile {
    /// The minor version of Kubernetes: 36 of `v1.36.1`; 0 when it cannot be read.
    #[must_use]
    pub fn minor_version(&self) -> u32 {
        let minor = self.kubernetes.split('.').nth(1);
        minor.and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }

    /// The names of the built-in profiles.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// A built-in profile.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        let (_, text) = BUILT_IN
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ProfileError::Unknown(name.to_owned()))?;
        serde_yaml::from_str(text).map_err(|source| ProfileError::Text {
            name: name.to_owned(),
            source,
        })
    }
}

impl Profile {
    /// Removes the Cluster Autoscaler and its Deployment.
    pub fn without_autoscaler(&mut self) {
        self.autoscaler = None;
        self.deployments.retain(|it| it.name != "cluster-autoscaler");
    }
}

impl Between {
    /// Both bounds as spans of cluster time.
    #[must_use]
    pub fn spans(self) -> (Span, Span) {
        (self.from.into(), self.to.into())
    }
}
