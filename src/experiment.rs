//! The sentence: hypotheses, a fault, an observation; and the run that checks them.
//!
//! An experiment without a hypothesis, a fault or an observation does not compile:
//!
//! ```compile_fail
//! # async fn f(cluster: steadfast::Cluster) -> steadfast::Result {
//! use steadfast::{Experiment, NodeFailure, Units as _};
//! Experiment::new("no hypothesis").fault(NodeFailure::terminate().percent(40)).observe_for(10.mins()).run(&cluster).await?;
//! # Ok(()) }
//! ```
//!
//! ```compile_fail
//! # async fn f(cluster: steadfast::Cluster, shop: steadfast::SockShop) -> steadfast::Result {
//! use steadfast::{Experiment, Units as _};
//! Experiment::new("no fault").hypothesis(shop.browse().availability(0.9..)).observe_for(10.mins()).run(&cluster).await?;
//! # Ok(()) }
//! ```
//!
//! ```compile_fail
//! # async fn f(cluster: steadfast::Cluster, shop: steadfast::SockShop) -> steadfast::Result {
//! use steadfast::{Experiment, NodeFailure};
//! Experiment::new("no end").hypothesis(shop.browse().availability(0.9..)).fault(NodeFailure::terminate().count(1)).run(&cluster).await?;
//! # Ok(()) }
//! ```
//!
//! ```compile_fail
//! # async fn f(cluster: steadfast::Cluster, shop: steadfast::SockShop) -> steadfast::Result {
//! use steadfast::{Experiment, NodeFailure, Units as _};
//! Experiment::new("no targets").hypothesis(shop.browse().availability(0.9..)).fault(NodeFailure::terminate()).observe_for(10.mins()).run(&cluster).await?;
//! # Ok(()) }
//! ```

mod run;

use std::time::Duration;

use crate::analysis::{Analysis, Judgement, analyse, judge};
use crate::app::Claimed;
use crate::cluster::ClusterError;
use crate::model::experiment::{Afterwards, Plan, Verdict};
use crate::model::fault;
use crate::model::history::History;
use crate::report::RunView;

pub use run::{DRAIN, STEADY, STEADY_WITHIN};

/// The part of an experiment that is not given yet.
#[derive(Clone, Copy, Debug)]
pub struct Missing;

/// Hypotheses, at least one.
#[derive(Clone, Debug)]
pub struct Hypotheses(Vec<Claimed>);

/// Faults, at least one.
#[derive(Clone, Debug)]
pub struct Fault(Vec<fault::Fault>);

/// The length of the observation.
#[derive(Clone, Copy, Debug)]
pub struct Observation(Duration);

/// An experiment, read as one sentence. It can be run once it has a hypothesis, a fault and an observation.
#[derive(Clone, Debug)]
#[must_use = "an experiment does nothing until it is run: .run(&cluster).await"]
pub struct Experiment<H = Missing, F = Missing, O = Missing> {
    name: String,
    hypotheses: H,
    fault: F,
    observation: O,
    afterwards: Afterwards,
    expected: Verdict,
}

impl Experiment {
    /// An experiment of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hypotheses: Missing,
            fault: Missing,
            observation: Missing,
            afterwards: Afterwards::Left,
            expected: Verdict::Held,
        }
    }
}

impl<F, O> Experiment<Missing, F, O> {
    /// The first hypothesis.
    pub fn hypothesis(self, hypothesis: Claimed) -> Experiment<Hypotheses, F, O> {
        Experiment {
            name: self.name,
            hypotheses: Hypotheses(vec![hypothesis]),
            fault: self.fault,
            observation: self.observation,
            afterwards: self.afterwards,
            expected: self.expected,
        }
    }
}

impl<F, O> Experiment<Hypotheses, F, O> {
    /// One more hypothesis: all must hold.
    pub fn hypothesis(mut self, hypothesis: Claimed) -> Self {
        self.hypotheses.0.push(hypothesis);
        self
    }
}

impl<H, O> Experiment<H, Missing, O> {
    /// The fault: a [`NodeFailure`](fault::NodeFailure) or a [`PodFailure`](fault::PodFailure).
    pub fn fault(self, fault: impl Into<fault::Fault>) -> Experiment<H, Fault, O> {
        Experiment {
            name: self.name,
            hypotheses: self.hypotheses,
            fault: Fault(vec![fault.into()]),
            observation: self.observation,
            afterwards: self.afterwards,
            expected: self.expected,
        }
    }
}

impl<H, O> Experiment<H, Fault, O> {
    /// One more fault. It is injected with the first one and strikes when it says: `.after(30.secs())`. Nodes that it chooses by a share
    /// or a number are others than those of the faults before it.
    pub fn and_fault(mut self, fault: impl Into<fault::Fault>) -> Self {
        self.fault.0.push(fault.into());
        self
    }

    /// After the observation every fault that can be healed is: machines are switched on, connected, resumed, nodes uncordoned.
    /// Without it the cluster stays as the faults left it.
    pub const fn heal_afterwards(mut self) -> Self {
        self.afterwards = Afterwards::Healed;
        self
    }
}

impl<H, F> Experiment<H, F, Missing> {
    /// The time from injection to the end: at least 10 s, and long enough for recovery.
    pub fn observe_for(self, length: Duration) -> Experiment<H, F, Observation> {
        Experiment {
            name: self.name,
            hypotheses: self.hypotheses,
            fault: self.fault,
            observation: Observation(length),
            afterwards: self.afterwards,
            expected: self.expected,
        }
    }
}

impl<H, F, O> Experiment<H, F, O> {
    /// The verdict that the test expects: [`Verdict::Held`] unless it says [`Verdict::Violated`]. The others prove nothing and
    /// cannot be expected.
    pub const fn expect(mut self, expected: Verdict) -> Self {
        self.expected = expected;
        self
    }
}

/// Why an experiment could not be run. A violated hypothesis is not an error but a verdict.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A verdict that proves nothing was expected.
    #[error("a run that is {} proves nothing and cannot be expected: expect Held or Violated", .0.name())]
    CannotExpect(Verdict),
    /// The observation is too short to judge.
    #[error("an observation of {0:?} is too short: windows are 10 s long, observe for longer")]
    TooShort(Duration),
    /// Two journeys of one name differ.
    #[error("two different journeys are called `{0}`: give one of them another name or the same rate")]
    Ambiguous(String),
    /// The fault's targets could not be chosen.
    #[error("the fault has no targets")]
    Targets(#[source] fault::SelectError),
    /// The cluster's API failed.
    #[error("the cluster's nodes could not be listed")]
    Nodes(#[source] Box<kube::Error>),
    /// The cluster failed.
    #[error("the cluster failed during the run")]
    Cluster(#[source] ClusterError),
}

impl From<ClusterError> for ExperimentError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Targets(source) => Self::Targets(source),
            ClusterError::Nodes(source) => Self::Nodes(source),
            other => Self::Cluster(other),
        }
    }
}

/// A run: its history, what was measured, and what it shows.
#[derive(Clone, Debug)]
pub struct Report {
    history: History,
    analysis: Analysis,
    judgement: Judgement,
}

impl Report {
    /// The report of a history: a pure function of it.
    #[must_use]
    pub fn new(history: History) -> Self {
        let analysis = analyse(&history);
        let judgement = judge(&history, &analysis);
        Self {
            history,
            analysis,
            judgement,
        }
    }

    /// What the run showed.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// What the test expected.
    #[must_use]
    pub const fn expected(&self) -> Verdict {
        self.history.header.plan.expected
    }

    /// Whether the verdict is the expected one, and one that proves something.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.verdict() == self.expected() && matches!(self.verdict(), Verdict::Held | Verdict::Violated)
    }

    /// The record that all of this was made from.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What was measured.
    #[must_use]
    pub const fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// Hypotheses, evidence and reasons.
    #[must_use]
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// As the reports see it.
    #[must_use]
    pub const fn view(&self) -> RunView<'_> {
        RunView {
            header: &self.history.header,
            analysis: &self.analysis,
            judgement: &self.judgement,
        }
    }

    /// The text that [`assert_availability_snapshot!`](crate::assert_availability_snapshot) compares.
    #[must_use]
    pub fn snapshot(&self) -> String {
        crate::analysis::snapshot::snapshot(&self.history.header, &self.analysis, &self.judgement)
    }

    /// What the experiment was, as data.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.history.header.plan
    }
}

impl Report {
    /// Panics unless the verdict is the expected one, with what was expected, what happened and why.
    ///
    /// # Panics
    /// On any other verdict.
    #[track_caller]
    pub fn assert_expected(&self) {
        assert!(
            self.is_as_expected(),
            "experiment `{}` on {}: expected {}, but it is {}\n{}\n{}",
            self.plan().name,
            self.history.header.application,
            self.expected().name(),
            self.verdict().name(),
            self.judgement.reasons.join("\n"),
            self.snapshot(),
        );
    }

    /// The name of the snapshot of a test's run: it tells applications, clusters, profiles and seeds apart.
    #[must_use]
    pub fn snapshot_name(&self, test: &str) -> String {
        let header = &self.history.header;
        format!(
            "{test}@{}.{}.{}.seed-{}",
            header.application, header.cluster, header.profile, header.seed
        )
    }
}

/// The name of the test in a type's path: `crate::tests::name::{{closure}}::here` is `tests__name`.
#[must_use]
pub fn test_name(path: &str) -> String {
    path.split("::")
        .skip(1)
        .filter(|part| !part.starts_with('{') && *part != "here")
        .collect::<Vec<_>>()
        .join("__")
}
