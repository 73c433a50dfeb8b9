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
    /// The status.
    pub status: DeploymentStatus,
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
    /// The status.
    pub status: DaemonSetStatus,
}

/// A DaemonSet's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaemonSetStatus {
    /// The generation seen.
    pub observed: u64,
    /// Nodes that should run a pod.
    pub desired: u32,
    /// Nodes that do.
    pub current: u32,
    /// Ready pods.
    pub ready: u32,
}
