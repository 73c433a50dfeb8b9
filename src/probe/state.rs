//! What the prober's thread and its owner share.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lag::Lags;
use crate::model::history::FailureKind;
use crate::model::history::tally::{Place, Tally};
use crate::model::time::Time;

/// Answerers of which each is counted; the others are counted together, so that the map stays bounded.
const ANSWERERS: usize = 256;

/// A lock around [`State`], held for a few instructions at a time.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

/// The slots so far. The control probe is one more journey, behind the others.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tally: Tally,
    pub(super) lags: Lags,
    /// By journey.
    pub(super) counts: Vec<Counts>,
    /// Slots of journeys under way.
    pub(super) in_flight: usize,
    /// Connections begun.
    pub(super) connections: u64,
    /// Answers by pod, as far as they name it.
    pub(super) answered_by: BTreeMap<String, u64>,
    /// Why this machine could not send, the first time.
    pub(super) unsent: Option<String>,
}

/// A journey's slots so far, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whose time has come.
    pub planned: u64,
    /// Good.
    pub good: u64,
    /// Failed.
    pub failed: u64,
    /// Not sent.
    pub not_sent: u64,
}

/// What became of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Good { anomaly: bool },
    Failed { step: u32, kind: FailureKind },
    NotSent(String),
}

impl Shared {
    pub(super) fn new(began: Time, journeys: usize) -> Self {
        Self(Mutex::new(State {
            tally: Tally::new(began, journeys),
            lags: Lags::default(),
            counts: vec![Counts::default(); journeys],
            in_flight: 0,
            connections: 0,
            answered_by: BTreeMap::new(),
            unsent: None,
        }))
    }

    /// The state. A thread that panicked while it held it left counts behind that are still whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Plans a slot.
    pub(super) fn plan(&mut self, journey: usize, planned: Time) -> Place {
        self.counts[journey].planned += 1;
        self.tally.plan(journey, planned)
    }

    /// Decides a slot.
    pub(super) fn decide(&mut self, journey: usize, place: Place, planned: Time, outcome: Outcome, now: Time) {
        let counts = &mut self.counts[journey];
        match outcome {
            Outcome::Good { anomaly } => {
                counts.good += 1;
                self.tally.good(journey, place, now.since(planned).0, anomaly);
            }
            Outcome::Failed { step, kind } => {
                counts.failed += 1;
                self.tally.failed(journey, place, step, kind, now);
            }
            Outcome::NotSent(why) => {
                counts.not_sent += 1;
                self.tally.not_sent(journey, place);
                self.unsent.get_or_insert(why);
            }
        }
    }

    /// Counts who answered.
    pub(super) fn answered(&mut self, pod: &str) {
        if let Some(count) = self.answered_by.get_mut(pod) {
            *count += 1;
            return;
        }
        let pod = if self.answered_by.len() < ANSWERERS {
            pod
        } else {
            "others"
        };
        *self.answered_by.entry(pod.to_owned()).or_default() += 1;
    }
}
