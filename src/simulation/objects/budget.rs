//! PodDisruptionBudgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::selector::Selector;
use super::workload::Share;
use crate::model::time::Time;
use crate::simulation::api::Labels;

/// A PodDisruptionBudget.
#[derive(Clone, Debug)]
pub struct Budget {
    /// `spec` as the user wrote it.
    pub spec: Arc<Value>,
    /// Whose pods it guards; `None` guards none (a missing selector), an empty one all of the namespace.
    pub selector: Option<Selector>,
    /// How many of them.
    pub bound: Bound,
    /// Which pods that are not Ready may be evicted all the same.
    pub unhealthy: Unhealthy,
    /// The status.
    pub status: BudgetStatus,
}

/// What a budget keeps. Both kinds of percentages are rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// At least so many pods.
    MinAvailable(Share),
    /// All but so many of the pods that their controllers want.
    MaxUnavailable(Share),
    /// Neither was given: nothing may be evicted.
    Nothing,
}

/// `spec.unhealthyPodEvictionPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unhealthy {
    /// Only while the application has its desired number of healthy pods.
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// A budget's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetStatus {
    /// The generation seen; 0: not yet looked at.
    pub observed: u64,
    /// Pods that there should be.
    pub expected: u32,
    /// Pods that are Ready and neither deleted nor about to be.
    pub healthy: u32,
    /// Pods that must be healthy.
    pub desired: u32,
    /// Evictions that are allowed now.
    pub allowed: u32,
    /// Pods that the eviction API let go and whose deletion the controller has not seen yet, by name.
    pub disrupted: BTreeMap<Arc<str>, Time>,
    /// The `DisruptionAllowed` condition.
    pub condition: Option<Condition>,
}

/// The `DisruptionAllowed` condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it is True.
    pub holds: bool,
    /// `SufficientPods`, `InsufficientPods` or `SyncFailed`.
    pub reason: &'static str,
    /// Why the sync failed; empty otherwise.
    pub message: Arc<str>,
    /// When it last changed between True and False.
    pub since: Time,
    /// The generation that it is about.
    pub observed: u64,
}

/// The reason of a budget whose numbers could not be made out.
pub const SYNC_FAILED: &str = "SyncFailed";

impl Budget {
    /// Whether it guards a pod with these labels in its namespace.
    #[must_use]
    pub fn guards(&self, labels: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }
}

impl BudgetStatus {
    /// Sets the condition; its date changes only when it changes between True and False.
    pub fn set_condition(&mut self, reason: &'static str, message: Arc<str>, now: Time) {
        let holds = reason == "SufficientPods";
        let since = match &self.condition {
            Some(before) if before.holds == holds => before.since,
            _ => now,
        };
        self.condition = Some(Condition {
            holds,
            reason,
            message,
            since,
            observed: self.observed,
        });
    }

    /// Sets the condition that the number of allowed disruptions asks for
    /// (k8s.io/component-helpers apps/poddisruptionbudget/helpers.go `UpdateDisruptionAllowedCondition`).
    pub fn update_condition(&mut self, now: Time) {
        let reason = if self.allowed > 0 {
            "SufficientPods"
        } else {
            "InsufficientPods"
        };
        self.set_condition(reason, "".into(), now);
    }
}
