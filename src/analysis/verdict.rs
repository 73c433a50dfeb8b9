//! The verdict: the hypotheses held against the measures, and the measures against the evidence.

use super::evidence::Evidence;
use super::figures::{claim, length, percent};
use super::outages::recovered_at;
use super::{Analysis, JourneyAnalysis};
use crate::model::experiment::{Claim, Hypothesis, Verdict};
use crate::model::history::History;

/// What a run showed, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Every hypothesis of the plan in its order, with what was measured.
    pub findings: Vec<Finding>,
    /// What speaks for the run, one sentence each.
    pub evidence: Vec<String>,
    /// Why the verdict is not `held`, one sentence each: what is lacking, or else which hypotheses were violated.
    pub reasons: Vec<String>,
}

/// A hypothesis and what was measured of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The hypothesis.
    pub hypothesis: Hypothesis,
    /// Whether the measure satisfies it. It proves something only when the verdict says so.
    pub outcome: Outcome,
    /// The measure.
    pub measured: Measured,
}

/// Whether a measure satisfies its hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Held,
    /// It does not.
    Violated,
    /// There is no measure.
    Unknown,
}

impl Outcome {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Unknown => "unknown",
        }
    }
}

/// What was measured of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The availability in parts in a million, rounded down.
    Availability(u32),
    /// Whole seconds from the second of the injection until recovery; `None`: not recovered at the end.
    RecoveredAfter(Option<u64>),
    /// The longest outage.
    LongestOutage {
        /// Its length in seconds; 0 without one.
        seconds: u64,
        /// Whether the last outage may have gone on after the end of the observation.
        open: bool,
    },
    /// No slot was planned.
    Nothing,
}

impl Measured {
    /// For readers: `99.9 %`, `after 61 s`, `longest 14 s`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Availability(ppm) => percent(*ppm),
            Self::RecoveredAfter(Some(after)) => format!("after {}", length(std::time::Duration::from_secs(*after))),
            Self::RecoveredAfter(None) => "not recovered".into(),
            Self::LongestOutage { seconds: 0, .. } => "no outage".into(),
            Self::LongestOutage { seconds, .. } => {
                format!("longest {}", length(std::time::Duration::from_secs(*seconds)))
            }
            Self::Nothing => "no data".into(),
        }
    }
}

/// What of a real cluster is not as it was, if anything.
fn left_behind(history: &History) -> Option<Vec<String>> {
    let left = &history.end.as_ref()?.left_behind;
    (!left.is_empty()).then(|| left.iter().map(|line| format!("left behind: {line}")).collect())
}

/// Judges a run by its measures.
///
/// * A history without an end is [`Verdict::Aborted`].
/// * A real cluster that is not as it was before makes it [`Verdict::RollbackIncomplete`].
/// * What is lacking ([`super::evidence`]) makes it [`Verdict::Inconclusive`], whatever was measured.
/// * Then a violated hypothesis makes it [`Verdict::Violated`].
/// * [`Verdict::Held`] is left for a run with evidence in which every hypothesis held.
#[must_use]
pub fn judge(history: &History, analysis: &Analysis) -> Judgement {
    let findings: Vec<_> = history
        .header
        .plan
        .hypotheses
        .iter()
        .map(|hypothesis| finding(hypothesis, analysis))
        .collect();
    let Evidence { found, lacking } = Evidence::of(history, analysis, &findings);
    let violations = || {
        findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::Violated)
            .map(Finding::describe)
            .collect::<Vec<_>>()
    };
    let (verdict, reasons) = if history.end.is_none() {
        let broken_off = "the run was broken off: its history has no end".to_owned();
        (Verdict::Aborted, std::iter::once(broken_off).chain(lacking).collect())
    } else if let Some(left) = left_behind(history) {
        (Verdict::RollbackIncomplete, left)
    } else if !lacking.is_empty() {
        (Verdict::Inconclusive, lacking)
    } else if findings.iter().all(|finding| finding.outcome == Outcome::Held) {
        (Verdict::Held, Vec::new())
    } else {
        (Verdict::Violated, violations())
    };
    Judgement {
        verdict,
        findings,
        evidence: found,
        reasons,
    }
}

impl Finding {
    /// One sentence: `checkout: availability at least 90 %: violated, 71.2 %`.
    #[must_use]
    pub fn describe(&self) -> String {
        let Hypothesis {
            journey,
            claim: claimed,
        } = &self.hypothesis;
        format!(
            "{journey}: {}: {}, {}",
            claim(claimed),
            self.outcome.name(),
            self.measured.describe()
        )
    }
}

/// Holds one hypothesis against its journey's measures.
fn finding(hypothesis: &Hypothesis, analysis: &Analysis) -> Finding {
    let journey = analysis
        .journeys
        .iter()
        .find(|journey| journey.name == hypothesis.journey);
    let measured = journey.and_then(|journey| measure(&hypothesis.claim, journey, analysis));
    let (measured, outcome) = match measured {
        Some((measured, true)) => (measured, Outcome::Held),
        Some((measured, false)) => (measured, Outcome::Violated),
        None => (Measured::Nothing, Outcome::Unknown),
    };
    Finding {
        hypothesis: hypothesis.clone(),
        outcome,
        measured,
    }
}

/// The measure of a claim and whether it satisfies it; `None` without a planned slot.
fn measure(claim: &Claim, journey: &JourneyAnalysis, analysis: &Analysis) -> Option<(Measured, bool)> {
    let (window, ppm) = (analysis.window?, journey.availability_ppm()?);
    let within = |seconds: u64, limit: &std::time::Duration| u128::from(seconds) * 1_000_000 <= limit.as_micros();
    Some(match claim {
        Claim::Availability { at_least_ppm } => (Measured::Availability(ppm), journey.slots.at_least(*at_least_ppm)),
        Claim::RecoversWithin {
            within: limit,
            at_least_ppm,
        } => {
            let after = recovered_at(&journey.seconds, window, *at_least_ppm);
            (
                Measured::RecoveredAfter(after),
                after.is_some_and(|after| within(after, limit)),
            )
        }
        Claim::LongestOutage { at_most } => {
            let seconds = journey.longest_outage();
            let open = journey.outages.last().is_some_and(|outage| outage.open);
            (Measured::LongestOutage { seconds, open }, within(seconds, at_most))
        }
    })
}

#[cfg(test)]
mod tests;
