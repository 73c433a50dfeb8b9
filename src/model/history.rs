//! The history of a run: an append-only record, written as JSON Lines.
//!
//! Line one is the [`Header`]; then come [`Event`]s and [`Second`]s in the order of their time; the last line is the
//! [`End`]. A history without an end was cut off. Every report is a pure function of a history, and every
//! figure in a report comes from it. No wall clock is in it: times are microseconds of cluster time.

use serde::{Deserialize, Serialize};

use super::experiment::Plan;

pub mod file;
#[cfg(test)]
pub(crate) mod sample;
pub mod tally;

/// The version of this format. A reader refuses another one.
pub const FORMAT: u32 = 1;

/// The version of the simulation's behaviour: it changes when the same seed gives other numbers.
pub const SIMULATION: &str = "2";

/// A whole history in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What was run, and on what.
    pub header: Header,
    /// What happened to nodes, pods, endpoints and the fault, in time order.
    pub events: Vec<Event>,
    /// What the load saw: one entry per journey and second, in time order, journeys in the header's order.
    pub seconds: Vec<Second>,
    /// The end of the run; absent when the history was cut off.
    pub end: Option<End>,
}

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "a history has one header")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// A transition.
    Event(Event),
    /// A journey's second.
    Second(Second),
    /// The last line.
    End(End),
}

/// What was run, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// [`SIMULATION`] for an embedded cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<String>,
    /// `embedded`, `kind` or `eks`.
    pub cluster: String,
    /// The cluster's profile, for example `eks-workshop`.
    pub profile: String,
    /// The seed of the cluster's chance.
    pub seed: u64,
    /// The experiment: hypotheses, fault, observation, expectation.
    pub plan: Plan,
    /// The application's name, for example `sockshop-demo-ha`.
    pub application: String,
    /// The journeys of the load, in the order in which [`Second::journey`] counts.
    pub journeys: Vec<LoadedJourney>,
    /// Manifest fields that had no effect, as `Kind/name: field`; sorted.
    #[serde(default)]
    pub not_modelled: Vec<String>,
    /// Images without a description that were assumed to answer 200; sorted.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Images of the application that nobody has described, nor allowed to be assumed: what their pods would do is not known;
    /// sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
    /// On a real cluster: images in whose place the model ran, as `image: service`; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<String>,
}

/// A journey as it was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedJourney {
    /// Its name, for example `checkout`.
    pub name: String,
    /// Journeys started per second.
    pub rate: u32,
    /// Requests of one journey.
    pub requests: u32,
    /// The services on its path, in the order in which the journey first needs them.
    pub path: Vec<String>,
}

/// A transition, with its cluster time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds of cluster time.
    pub t: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. `app` is the name of the workload that owns a pod (its Deployment or DaemonSet).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "fields are names of objects, as Kubernetes shows them; a variant's line says the rest"
)]
pub enum What {
    /// The machine of a node runs no more (power off, instance terminated): evidence from below Kubernetes.
    MachineLost { node: String },
    /// A replacement machine was started, by `auto-scaling-group` or `cluster-autoscaler`.
    MachineStarted { machine: String, by: String },
    /// A node object appeared.
    NodeAdded { node: String, zone: String },
    /// A node's Ready condition became True.
    NodeReady { node: String },
    /// A node's Ready condition became Unknown or False.
    NodeNotReady { node: String, status: String },
    /// A node object was deleted, by `cloud-controller`, `cluster-autoscaler` or `fault`.
    NodeDeleted { node: String, by: String },
    /// A pod object was created.
    PodCreated { pod: String, app: String },
    /// The scheduler found no node for a pod; once per distinct reason.
    PodUnschedulable { pod: String, app: String, reason: String },
    /// A pod was bound to a node.
    PodScheduled { pod: String, app: String, node: String },
    /// A pod's containers run (for the kubelet that says so).
    PodStarted { pod: String, app: String },
    /// A pod's process listens: it can serve from now on. Not visible through Kubernetes without probes.
    PodServing { pod: String, app: String },
    /// A pod's Ready condition became True.
    PodReady { pod: String, app: String },
    /// A pod's Ready condition became False.
    PodNotReady { pod: String, app: String },
    /// A container ended by itself; Kubernetes restarts it.
    PodCrashed { pod: String, app: String },
    /// A machine was struck without being lost. `how`: `frozen`, `isolated`, `kubelet-stopped`.
    MachineImpaired { node: String, how: String },
    /// A lost or impaired machine works again. `how` it comes back: `powered-on`, `resumed`, `reconnected`, `kubelet-started`.
    MachineBack { node: String, how: String },
    /// A spot instance was told that it will be interrupted.
    InterruptionNotice { node: String },
    /// A node was cordoned by a fault.
    NodeCordoned { node: String },
    /// It was uncordoned.
    NodeUncordoned { node: String },
    /// A drained node has no pod left that could be evicted.
    NodeDrained { node: String },
    /// A PodDisruptionBudget refused an eviction; the first refusal of each pod. It is tried again every 5 s.
    EvictionRefused { pod: String, app: String, reason: String },
    /// A pod got its deletion timestamp. `cause`: `rollout`, `scale-down`, `taint-manager`, `pod-gc`, `preempted`, `eviction`,
    /// `fault`, `user`.
    PodDeleted { pod: String, app: String, cause: String },
    /// A pod object is gone.
    PodGone { pod: String, app: String },
    /// The EndpointSlice of a service changed: its pods that may get traffic.
    Endpoints { service: String, ready: Vec<String> },
    /// The load began: slot 0 of every journey.
    LoadStarted,
    /// The steady state was checked: the last `seconds` seconds before, whether every journey was good.
    SteadyState { seconds: u32, met: bool },
    /// A fault struck: all of its victims, or with a stagger the next one. `pods` ran on the nodes then, or were deleted.
    Injected {
        fault: String,
        nodes: Vec<String>,
        pods: Vec<Victim>,
    },
    /// A fault was ended: what it did to these nodes is being undone.
    Healed { fault: String, nodes: Vec<String> },
    /// The end of the observation; the load stops starting slots.
    Observed,
    /// Something of interest that no analysis reads.
    Note { text: String },
}

/// A pod that ran on a node when the fault struck it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// The pod's name.
    pub pod: String,
    /// The workload that owns it.
    pub app: String,
    /// Its node.
    pub node: String,
}

/// One journey in one second of cluster time. Slots are dated by their planned start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// The second: whole seconds of cluster time.
    pub s: u64,
    /// Index into [`Header::journeys`].
    pub journey: u32,
    /// Slots planned to start in this second.
    pub planned: u32,
    /// Good slots.
    pub good: u32,
    /// The outcomes of the slots in order, run-length coded: `20g`, or `3g1f16g`; `g` good, `f` failed, `n` not sent,
    /// `u` unfinished when the run ended.
    pub slots: String,
    /// Latency of the good slots, from the slot's planned start: pairs of a bucket and its count. Bucket b
    /// holds latencies up to `2^(b/4)` milliseconds (quarter powers of two, rounded up to a microsecond); see [`latency_bucket`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<(u16, u32)>,
    /// Good slots whose item count was wrong.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub anomalies: u32,
    /// Why slots failed, most frequent first; kinds are bounded, so this list is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Failed slots of one second that failed in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step of the journey, from 0.
    pub step: u32,
    /// How it failed.
    pub kind: FailureKind,
    /// How many.
    pub count: u32,
    /// When the first of them failed: microseconds of cluster time.
    pub first: u64,
}

/// How a request failed, as the user saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The name was not resolved.
    Dns,
    /// Connection refused: a machine that lives, a port without a listener, or no endpoints.
    Refused,
    /// No route to host.
    Unreachable,
    /// No answer to connecting within the time-out.
    ConnectTimeout,
    /// Connected, but no answer within the time-out.
    ReadTimeout,
    /// The connection broke while the answer was awaited.
    Reset,
    /// An unexpected status.
    Status(u16),
    /// The expected status with an unexpected body.
    Content,
    /// Another service's pod answered than the one that was asked: its address had been another's. Real clusters only.
    WrongService,
    /// What came back is no HTTP answer. Real clusters only.
    Protocol,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Microseconds of cluster time.
    pub t: u64,
    /// The largest lag of a slot's real start behind its planned start, in microseconds; 0 in virtual time.
    pub max_lag: u64,
    /// Service-to-service requests and name look-ups that the run simulated; 0 on a real cluster.
    pub hops: u64,
    /// How far slots started behind their time; absent in virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// What the control probe saw; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlRecord>,
    /// What of a real cluster is not as it was before the run, or could not be put back: a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

/// How far the slots of a load really started behind their planned start, in microseconds, rounded up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Half of the slots at most so much.
    pub p50: u64,
    /// 99 % of the slots at most so much.
    pub p99: u64,
    /// 99.9 % of the slots at most so much.
    pub p999: u64,
    /// Every slot at most so much.
    pub max: u64,
}

/// What a control probe saw: checks of something that no fault touches. When they fail, the load's own network is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Checks planned.
    pub planned: u64,
    /// Checks that went well.
    pub good: u64,
    /// The seconds of cluster time in which one did not, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<u64>,
}

/// The histogram bucket of a latency: the least b with `latency <= upper_bound(b)`. 0 to 67 (67: 110 s and more).
#[must_use]
pub fn latency_bucket(micros: u64) -> u16 {
    BOUNDS.partition_point(|&bound| bound < micros).min(BOUNDS.len() - 1) as u16
}

/// The largest latency in microseconds that bucket `b` holds (the last bucket holds everything above, too).
#[must_use]
pub fn latency_bound(b: u16) -> u64 {
    BOUNDS[usize::from(b).min(BOUNDS.len() - 1)]
}

/// Quarter powers of two in microseconds from 1 ms, as integers: 1000 * 2^(k/4) rounded up, k from 0.
const BOUNDS: [u64; 68] = bounds();

const fn bounds() -> [u64; 68] {
    // ceil(1_000_000 * 2^(k/4)) for k = 0..3: the nanoseconds of one octave.
    let octave: [u64; 4] = [1_000_000, 1_189_208, 1_414_214, 1_681_793];
    let mut all = [0; 68];
    let mut k = 0;
    while k < 68 {
        all[k] = (octave[k % 4] << (k / 4)).div_ceil(1_000);
        k += 1;
    }
    all
}
