//! Deployments, ReplicaSets and DaemonSets.

use std::sync::Arc;

use serde_json::Value;

use super::selector::Selector;
use super::template::PodTemplate;
use crate::model::time::{Span, Time};

/// A Deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `spec` as the user wrote it.
    pub spec: Arc<Value>,
    /// Wanted pods.
    pub replicas: u32,
    /// Which pods are its own.
    pub selector: Selector,
    /// What they are made from.
    pub template: Arc<PodTemplate>,
    /// How they are replaced.
    pub strategy: Strategy,
    /// How long a pod must be ready to count as available.
    pub min_ready: Span,
    /// How long a roll-out may make no progress; `None`: for ever.
    pub deadline: Option<Span>,
    /// The status.
    pub status: DeploymentStatus,
    /// How its roll-out goes; `None` before the first look, and without a deadline.
    pub progress: Option<Progress>,
    /// Why one of its ReplicaSets cannot create pods.
    pub failure: Option<Arc<Failure>>,
}

/// How a Deployment replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Step by step; percentages are resolved against the replicas (surge up, unavailable down).
    RollingUpdate {
        /// Pods above the wanted number.
        max_surge: Share,
        /// Pods that may be missing.
        max_unavailable: Share,
    },
    /// All old ones first.
    Recreate,
}

/// A number or a percentage of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(u32),
    /// So many in a hundred.
    Percent(u32),
}

impl Share {
    /// Resolved, rounded up or down.
    #[must_use]
    pub const fn of(self, replicas: u32, round_up: bool) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) if round_up => (replicas * percent).div_ceil(100),
            Self::Percent(percent) => replicas * percent / 100,
        }
    }
}

/// A Deployment's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// The generation seen.
    pub observed: u64,
    /// Pods.
    pub replicas: u32,
    /// Pods of the newest template.
    pub updated: u32,
    /// Ready pods.
    pub ready: u32,
    /// Available pods.
    pub available: u32,
}

/// The `Progressing` condition of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What happened last.
    pub reason: ProgressReason,
    /// The ReplicaSet that it was about.
    pub set: Arc<str>,
    /// When progress was last seen: `lastUpdateTime`.
    pub updated: Time,
    /// Since when the condition has its status: `lastTransitionTime`.
    pub since: Time,
}

/// Why a Deployment is, or is not, progressing. Source: `pkg/controller/deployment/util/deployment_util.go`, "Reasons for deployment
/// conditions".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressReason {
    /// `NewReplicaSetReason`
    Created,
    /// `FoundNewRSReason`
    Found,
    /// `ReplicaSetUpdatedReason`
    Updated,
    /// `NewRSAvailableReason`
    Available,
    /// `TimedOutReason`
    Exceeded,
    /// `PausedDeployReason`
    Paused,
    /// `ResumedDeployReason`
    Resumed,
}

impl ProgressReason {
    /// The condition's status.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Exceeded => "False",
            Self::Paused | Self::Resumed => "Unknown",
            Self::Created | Self::Found | Self::Updated | Self::Available => "True",
        }
    }

    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "NewReplicaSetCreated",
            Self::Found => "FoundNewReplicaSet",
            Self::Updated => "ReplicaSetUpdated",
            Self::Available => "NewReplicaSetAvailable",
            Self::Exceeded => "ProgressDeadlineExceeded",
            Self::Paused => "DeploymentPaused",
            Self::Resumed => "DeploymentResumed",
        }
    }

    /// The condition's message about a ReplicaSet.
    #[must_use]
    pub fn message(self, set: &str) -> String {
        match self {
            Self::Created => format!("Created new replica set \"{set}\""),
            Self::Found => format!("Found new replica set \"{set}\""),
            Self::Updated => format!("ReplicaSet \"{set}\" is progressing."),
            Self::Available => format!("ReplicaSet \"{set}\" has successfully progressed."),
            Self::Exceeded => format!("ReplicaSet \"{set}\" has timed out progressing."),
            Self::Paused => "Deployment is paused".to_owned(),
            Self::Resumed => "Deployment is resumed".to_owned(),
        }
    }
}

/// A ReplicaSet.
#[derive(Clone, Debug)]
pub struct ReplicaSet {
    /// `spec` as the user wrote it; for one of a Deployment it is made from the rest.
    pub spec: Option<Arc<Value>>,
    /// Wanted pods.
    pub replicas: u32,
    /// Which pods are its own.
    pub selector: Selector,
    /// What they are made from.
    pub template: Arc<PodTemplate>,
    /// The name that its pods' histories carry.
    pub app: Arc<str>,
    /// The Deployment's revision that it stands for; 0 for none.
    pub revision: u64,
    /// How long a pod must be ready to count as available.
    pub min_ready: Span,
    /// The status.
    pub status: ReplicaSetStatus,
    /// Why it cannot create pods.
    pub failure: Option<Arc<Failure>>,
}

/// A `ReplicaFailure` condition: pods could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the API server said.
    pub message: Arc<str>,
    /// Since when.
    pub since: Time,
}

/// A ReplicaSet's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetStatus {
    /// The generation seen.
    pub observed: u64,
    /// Pods.
    pub replicas: u32,
    /// Ready pods.
    pub ready: u32,
    /// Available pods.
    pub available: u32,
}

/// A DaemonSet.
#[derive(Clone, Debug)]
pub struct DaemonSet {
    /// `spec` as the user wrote it.
    pub spec: Arc<Value>,
    /// Which pods are its own.
    pub selector: Selector,
    /// What they are made from, the controller's own tolerations included.
    pub template: Arc<PodTemplate>,
    /// How pods of an older template are replaced.
    pub update: DaemonUpdate,
    /// How long a pod must be ready to count as available.
    pub min_ready: Span,
    /// How many revisions that nothing uses stay.
    pub history: u32,
    /// The status.
    pub status: DaemonSetStatus,
}

/// How a DaemonSet replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonUpdate {
    /// When somebody deletes them.
    OnDelete,
    /// Node by node; percentages are resolved against the nodes that should run a pod, both rounded up.
    Rolling {
        /// Nodes that may be without an available pod.
        max_unavailable: Share,
        /// Nodes that may have a new pod beside the old one.
        max_surge: Share,
    },
}

/// A DaemonSet's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaemonSetStatus {
    /// The generation seen.
    pub observed: u64,
    /// Nodes that should run a pod.
    pub desired: u32,
    /// Those of them that have one.
    pub current: u32,
    /// Nodes that have one and should not.
    pub misscheduled: u32,
    /// Nodes whose pod is of the newest template.
    pub updated: u32,
    /// Ready pods.
    pub ready: u32,
    /// Available pods.
    pub available: u32,
}
