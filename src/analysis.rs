//! What a history says: every function here is a pure function of a [`History`], in integers.
//!
//! * [`analyse`] measures: [`availability`] of each journey, its [`outages`], the [`phases`] they fall into, and what became
//!   of [`nodes`] and [`pods`].
//! * [`judge`] holds the measures against the hypotheses and asks whether the run proves anything ([`evidence`], [`verdict`]).
//! * [`gaps()`] are outages slot by slot, with their error bar.
//! * [`snapshot`] is the text a test approves; [`proportion`] counts many runs.
//!
//! **The observation** runs from the second in which the fault was injected, counted from that second's start, to the
//! event `observed`. Nothing outside it is counted. Times in an analysis are microseconds since the injection, or whole
//! seconds since the second of the injection; each field says which.
//!
//! The order of events of equal time has no effect.

use crate::model::history::{History, Victim};

pub mod availability;
pub mod evidence;
pub mod figures;
pub mod gaps;
pub mod nodes;
pub mod outages;
pub mod phases;
pub mod pods;
pub mod proportion;
pub mod snapshot;
pub mod verdict;
pub mod victims;
pub mod window;

pub use availability::{Latency, Slots, Tally};
pub use gaps::{Gap, gaps};
pub use nodes::{NodeFacts, StruckNode};
pub use outages::Outage;
pub use phases::{Phase, PhaseTime};
pub use pods::{EndpointFacts, PodFacts};
pub use proportion::Proportion;
pub use verdict::{Finding, Judgement, Measured, Outcome, judge};
pub use victims::{Milestone, MilestoneTimes};
pub use window::Window;

/// The measures of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// The observation; without an injection there is none, and every count is zero.
    pub window: Option<Window>,
    /// The pods that ran on the struck nodes, by name in order.
    pub victims: Vec<Victim>,
    /// One entry per journey, in the header's order.
    pub journeys: Vec<JourneyAnalysis>,
    /// The nodes.
    pub nodes: NodeFacts,
    /// Pods that waited for a node.
    pub pods: PodFacts,
    /// Services whose ready endpoints changed in the observation, by name in order.
    pub endpoints: Vec<EndpointFacts>,
    /// Where the history contradicts itself, in words; a run with contradictions proves nothing.
    pub contradictions: Vec<String>,
}

/// The measures of one journey from the injection to the end of the observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JourneyAnalysis {
    /// Its name.
    pub name: String,
    /// The slots by their outcome.
    pub slots: Slots,
    /// The slots of each second: index 0 is the second of the injection. A second without a record is all zero.
    pub seconds: Vec<Tally>,
    /// Seconds with planned slots of which less than 99 % were good.
    pub bad_seconds: u64,
    /// The outages in order.
    pub outages: Vec<Outage>,
    /// Seconds from the injection after which every whole window of 10 s has 99 % good slots; `None`: never seen.
    pub recovered_at: Option<u64>,
    /// Latency of the good slots.
    pub latency: Latency,
    /// Good slots whose item count was wrong.
    pub anomalies: u64,
    /// Failed slots by the way they failed, in the order of [`crate::model::history::FailureKind`].
    pub failures: Vec<(crate::model::history::FailureKind, u64)>,
    /// Bad seconds by the phase they belong to, in the order of [`Phase`]; phases without bad seconds are left out.
    pub phases: Vec<PhaseTime>,
    /// When the victims on the path reached each milestone, in the order of [`Milestone`].
    pub milestones: Vec<MilestoneTimes>,
}

impl JourneyAnalysis {
    /// Good slots of those planned, in parts in a million, rounded down; `None` without a planned slot.
    #[must_use]
    pub fn availability_ppm(&self) -> Option<u32> {
        self.slots.availability_ppm()
    }

    /// The longest outage in seconds; 0 without one.
    #[must_use]
    pub fn longest_outage(&self) -> u64 {
        self.outages.iter().map(|outage| outage.seconds).max().unwrap_or(0)
    }
}

/// Measures a run.
#[must_use]
pub fn analyse(history: &History) -> Analysis {
    let mut contradictions = window::contradictions(history);
    let window = Window::of(history);
    let victims = victims::of(history);
    let timelines = window
        .map(|window| victims::timelines(history, window, &victims))
        .unwrap_or_default();
    let mut journeys = Vec::with_capacity(history.header.journeys.len());
    for (index, loaded) in history.header.journeys.iter().enumerate() {
        let counted = availability::count(history, index, window, &mut contradictions);
        let outages = outages::outages(&counted.seconds);
        let on_path = victims::on_path(&timelines, &loaded.path);
        let first_error = window.and_then(|window| victims::first_error(history, index, window));
        let bad: Vec<u64> = outages::bad_seconds(&counted.seconds).collect();
        journeys.push(JourneyAnalysis {
            name: loaded.name.clone(),
            slots: counted.slots,
            bad_seconds: bad.len() as u64,
            recovered_at: window.and_then(|window| outages::recovered_at(&counted.seconds, window, outages::GOOD_PPM)),
            outages,
            latency: counted.latency,
            anomalies: counted.anomalies,
            failures: counted.failures,
            phases: window
                .map(|window| phases::attribute(&bad, window, first_error, &on_path))
                .unwrap_or_default(),
            milestones: victims::milestones(first_error, &on_path),
            seconds: counted.seconds,
        });
    }
    Analysis {
        window,
        victims,
        journeys,
        nodes: nodes::facts(history, window),
        pods: pods::pending(history, window),
        endpoints: pods::endpoints(history, window),
        contradictions,
    }
}

#[cfg(test)]
mod tests;
