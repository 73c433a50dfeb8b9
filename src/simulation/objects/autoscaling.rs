//! HorizontalPodAutoscalers.

use std::sync::Arc;

use serde_json::Value;

use crate::model::time::{Span, Time};

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug)]
pub struct PodAutoscaler {
    /// `spec` as the user wrote it, defaults filled in.
    pub spec: Arc<Value>,
    /// The kind of what it scales.
    pub kind: Arc<str>,
    /// Its name.
    pub target: Arc<str>,
    /// Least pods.
    pub min: u32,
    /// Most pods.
    pub max: u32,
    /// What it looks at.
    pub metrics: Arc<[Metric]>,
    /// How fast up and down; `None`: no behaviour is written.
    pub behavior: Option<Arc<Behavior>>,
    /// The status.
    pub status: PodAutoscalerStatus,
}

/// A metric and its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// CPU in percent of the requests.
    Utilization(u32),
    /// CPU in thousandths of a core per pod.
    Average(u64),
    /// One that the cluster does not have: its name.
    Unknown(String),
}

/// How fast it may scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// More pods.
    pub up: Rules,
    /// Fewer pods.
    pub down: Rules,
}

/// Rules of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For how long recommendations are remembered.
    pub window: Span,
    /// Which policy counts.
    pub select: Select,
    /// The policies.
    pub policies: Vec<Policy>,
    /// How far from the target usage may be, in parts of a million.
    pub tolerance: u64,
}

/// Which policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// The one that allows most.
    Max,
    /// The one that allows least.
    Min,
    /// No scaling.
    Disabled,
}

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether `value` is in percent of the pods rather than pods.
    pub percent: bool,
    /// How many.
    pub value: u32,
    /// In how long.
    pub period: Span,
}

/// Its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodAutoscalerStatus {
    /// The generation seen.
    pub observed: u64,
    /// Pods.
    pub current: u32,
    /// Pods wanted.
    pub desired: u32,
    /// When it scaled last.
    pub scaled: Option<Time>,
    /// Current values: utilization in percent (where requests are known) and thousandths of a core per pod, by metric.
    pub metrics: Vec<(Option<u32>, u64)>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: Arc<str>,
    /// Since when it holds or not.
    pub since: Time,
}
