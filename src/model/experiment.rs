//! An experiment as data: what the history's header carries and what the analysis judges.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::Fault;

/// What was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The experiment's name.
    pub name: String,
    /// What must hold; at least one.
    pub hypotheses: Vec<Hypothesis>,
    /// The fault, or the first of several.
    pub fault: Fault,
    /// The other faults of the experiment. They are injected with the first; each strikes when it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_faults: Vec<Fault>,
    /// What becomes of the faults after the observation.
    #[serde(default, skip_serializing_if = "Afterwards::is_left")]
    pub afterwards: Afterwards,
    /// From injection to the end of the observation.
    #[serde(with = "super::units::text")]
    pub observe: Duration,
    /// The expected verdict.
    pub expected: Verdict,
}

/// What becomes of the faults after the observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Afterwards {
    /// The cluster stays as the faults left it.
    #[default]
    Left,
    /// Every fault that can be healed is.
    Healed,
}

impl Afterwards {
    /// Whether nothing is done.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(self, Self::Left)
    }
}

impl Plan {
    /// All faults, in order.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.fault).chain(&self.more_faults)
    }
}

/// A steady-state hypothesis about one journey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The journey's name.
    pub journey: String,
    /// What must hold of it.
    pub claim: Claim,
}

/// What must hold of a journey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The share of good slots from injection to the end of the observation is at least so many parts in a million.
    Availability {
        /// Parts in a million: 900,000 is 90 %.
        at_least_ppm: u32,
    },
    /// From `within` after the injection on, every window of 10 s has at least this share of good slots.
    RecoversWithin {
        /// The time allowed.
        #[serde(with = "super::units::text")]
        within: Duration,
        /// Parts in a million of good slots in every window; 990,000 unless the test sets another.
        at_least_ppm: u32,
    },
    /// No outage is longer than this.
    LongestOutage {
        /// The longest allowed.
        #[serde(with = "super::units::text")]
        at_most: Duration,
    },
}

/// What a run showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every hypothesis held, on evidence.
    Held,
    /// A hypothesis was violated, on evidence.
    Violated,
    /// The run proves nothing: no evidence of the fault, the load off its schedule, too little data, or no steady state before.
    Inconclusive,
    /// The run was broken off.
    Aborted,
    /// What the run changed could not be put back.
    RollbackIncomplete,
}

impl Verdict {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Inconclusive => "inconclusive",
            Self::Aborted => "aborted",
            Self::RollbackIncomplete => "rollback incomplete",
        }
    }
}
