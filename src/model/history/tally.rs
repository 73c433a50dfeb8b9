//! The outcomes of slots, counted by journey and second, until every slot of a second is decided. The simulation and the prober
//! write their seconds with it.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::{Failure, FailureKind, Second, latency_bucket};
use crate::model::time::Time;

/// Latency buckets of [`latency_bucket`].
const BUCKETS: usize = 68;

/// Where a slot's outcome is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    second: u64,
    ordinal: u32,
}

/// The seconds of all journeys that are not yet handed out.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The second that every journey's list begins with.
    base: u64,
    /// By journey: one entry per second from `base`, without gaps.
    journeys: Vec<VecDeque<Count>>,
    /// Used counts, so that a second does not allocate.
    spare: Vec<Count>,
}

#[derive(Clone, Debug)]
struct Count {
    /// `g`, `f`, `n`, or `u` while undecided.
    outcomes: Vec<u8>,
    undecided: u32,
    good: u32,
    anomalies: u32,
    latency: [u32; BUCKETS],
    failures: Vec<Failure>,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            outcomes: Vec::new(),
            undecided: 0,
            good: 0,
            anomalies: 0,
            latency: [0; BUCKETS],
            failures: Vec::new(),
        }
    }
}

impl Count {
    fn clear(&mut self) {
        self.outcomes.clear();
        self.failures.clear();
        (self.undecided, self.good, self.anomalies, self.latency) = (0, 0, 0, [0; BUCKETS]);
    }

    fn second(&self, s: u64, journey: usize) -> Second {
        let mut failures = self.failures.clone();
        failures.sort_by_key(|failure| (std::cmp::Reverse(failure.count), failure.step, failure.kind));
        Second {
            s,
            journey: journey as u32,
            planned: self.outcomes.len() as u32,
            good: self.good,
            slots: run_lengths(&self.outcomes),
            latency: (0..).zip(self.latency).filter(|(_, count)| *count > 0).collect(),
            anomalies: self.anomalies,
            failures,
        }
    }
}

fn run_lengths(outcomes: &[u8]) -> String {
    let mut text = String::new();
    for run in outcomes.chunk_by(|a, b| a == b) {
        let written = write!(text, "{}{}", run.len(), char::from(run[0]));
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    text
}

impl Tally {
    /// Counts for journeys whose first slot starts at `began`.
    #[must_use]
    pub fn new(began: Time, journeys: usize) -> Self {
        Self {
            base: began.second(),
            journeys: vec![VecDeque::new(); journeys],
            spare: Vec::new(),
        }
    }

    /// Plans the next slot of a journey.
    #[inline]
    pub fn plan(&mut self, journey: usize, planned: Time) -> Place {
        let second = planned.second();
        let counts = &mut self.journeys[journey];
        while counts.len() as u64 <= second - self.base {
            counts.push_back(self.spare.pop().unwrap_or_default());
        }
        let count = &mut counts[(second - self.base) as usize];
        let ordinal = count.outcomes.len() as u32;
        count.outcomes.push(b'u');
        count.undecided += 1;
        Place { second, ordinal }
    }

    #[inline]
    fn decide(&mut self, journey: usize, place: Place, outcome: u8) -> &mut Count {
        let count = &mut self.journeys[journey][(place.second - self.base) as usize];
        count.outcomes[place.ordinal as usize] = outcome;
        count.undecided -= 1;
        count
    }

    /// A slot went well.
    #[inline]
    pub fn good(&mut self, journey: usize, place: Place, latency_micros: u64, anomaly: bool) {
        let count = self.decide(journey, place, b'g');
        count.good += 1;
        count.anomalies += u32::from(anomaly);
        count.latency[usize::from(latency_bucket(latency_micros)).min(BUCKETS - 1)] += 1;
    }

    /// A slot failed.
    pub fn failed(&mut self, journey: usize, place: Place, step: u32, kind: FailureKind, now: Time) {
        let count = self.decide(journey, place, b'f');
        match count
            .failures
            .iter_mut()
            .find(|failure| failure.step == step && failure.kind == kind)
        {
            Some(failure) => failure.count += 1,
            None => count.failures.push(Failure {
                step,
                kind,
                count: 1,
                first: now.0,
            }),
        }
    }

    /// A slot was not sent: the load did not keep its schedule.
    pub fn not_sent(&mut self, journey: usize, place: Place) {
        self.decide(journey, place, b'n');
    }

    /// A slot will never be decided.
    pub fn unfinished(&mut self, journey: usize, place: Place) {
        self.decide(journey, place, b'u');
    }

    /// Whether every journey has slots in every second of `from..until`, and all of them went well.
    #[must_use]
    pub fn all_good(&self, from: u64, until: u64) -> bool {
        from >= self.base
            && !self.journeys.is_empty()
            && (from..until).all(|second| {
                self.journeys.iter().all(|counts| {
                    counts
                        .get((second - self.base) as usize)
                        .is_some_and(|count| !count.outcomes.is_empty() && count.good as usize == count.outcomes.len())
                })
            })
    }

    /// Everything that is not yet handed out, undecided slots as `u`. In order of second, then journey.
    #[must_use]
    pub fn all(&self) -> Vec<Second> {
        let longest = self.journeys.iter().map(VecDeque::len).max().unwrap_or(0);
        let mut all = Vec::new();
        for offset in 0..longest {
            for (journey, counts) in self.journeys.iter().enumerate() {
                if let Some(count) = counts.get(offset).filter(|count| !count.outcomes.is_empty()) {
                    all.push(count.second(self.base + offset as u64, journey));
                }
            }
        }
        all
    }

    /// Hands out the seconds, from the first on, whose slots are all decided; `upcoming` says when a journey's next slot starts.
    pub fn drain(&mut self, upcoming: impl Fn(usize) -> Time) -> Vec<Second> {
        let mut drained = Vec::new();
        while self.journeys.iter().any(|counts| !counts.is_empty()) {
            let decided = self.journeys.iter().enumerate().all(|(journey, counts)| {
                upcoming(journey).second() > self.base && counts.front().is_none_or(|count| count.undecided == 0)
            });
            if !decided {
                break;
            }
            for (journey, counts) in self.journeys.iter_mut().enumerate() {
                if let Some(mut count) = counts.pop_front() {
                    if !count.outcomes.is_empty() {
                        drained.push(count.second(self.base, journey));
                    }
                    count.clear();
                    self.spare.push(count);
                }
            }
            self.base += 1;
        }
        drained
    }
}
