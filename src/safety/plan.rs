//! What a run would do, before it does it: `steadfast plan`.

mod look;
mod text;

use std::time::Duration;

use serde::Serialize;

pub use look::look;

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The experiment's name.
    pub experiment: String,
    /// The cluster: its context, or `embedded`.
    pub cluster: String,
    /// Its faults, in order.
    pub faults: Vec<Strike>,
    /// What they reach, all together.
    pub radius: Radius,
    /// How long it takes.
    pub duration: Times,
}

/// A fault and the nodes that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Strike {
    /// What is done, such as `kill-nodes`.
    pub fault: String,
    /// To which nodes.
    pub nodes: Vec<String>,
    /// How it is undone, a line for each change; what a module says of its own changes.
    pub undo: Vec<String>,
}

/// What is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Radius {
    /// Nodes that are struck.
    pub nodes: usize,
    /// Nodes that could be: all but control planes.
    pub workers: usize,
    /// `nodes` of `workers`, rounded down.
    pub percent: usize,
    /// What has pods on them.
    pub workloads: Vec<Workload>,
    /// The budgets that select pods on them. They hold evictions back, nothing else: a power cut asks nobody.
    pub budgets: Vec<Budget>,
}

/// What has pods on nodes that are struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its kind: `Deployment`, or `Pod` when nothing brings it back.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its pods on nodes that are struck.
    pub struck: usize,
    /// All of its pods.
    pub pods: usize,
}

impl Workload {
    /// Whether nothing of it is left.
    #[must_use]
    pub const fn goes_dark(&self) -> bool {
        self.struck == self.pods
    }

    /// Whether it has one replica only.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.pods == 1 && self.kind != "DaemonSet"
    }
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Disruptions that it allows now.
    pub allowed: i32,
    /// Pods that it selects on nodes that are struck.
    pub struck: usize,
}

/// How long a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Times {
    /// At least this long until the steady state is seen.
    #[serde(with = "crate::model::units::text")]
    pub steady: Duration,
    /// The observation.
    #[serde(with = "crate::model::units::text")]
    pub observe: Duration,
    /// What is under way ends.
    #[serde(with = "crate::model::units::text")]
    pub drain: Duration,
    /// At most this long until all is undone; zero where there is nothing to undo.
    #[serde(with = "crate::model::units::text")]
    pub undo: Duration,
}

impl Preview {
    /// For the terminal, in 80 columns.
    #[must_use]
    pub fn text(&self) -> String {
        text::text(self)
    }
}

#[cfg(test)]
mod tests;
