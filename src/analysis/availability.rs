//! Slots by their outcome: availability, latency, failures and anomalies of one journey in the observation.

use std::collections::BTreeMap;

use super::window::Window;
use crate::model::history::{FailureKind, History, Second, latency_bound};

/// Slots by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Planned to start.
    pub planned: u64,
    /// Good.
    pub good: u64,
    /// Failed.
    pub failed: u64,
    /// Not sent: the load did not keep its schedule.
    pub not_sent: u64,
    /// Without an outcome when the run ended.
    pub unfinished: u64,
}

impl Slots {
    /// Good slots of those planned, in parts in a million, rounded down; `None` without a planned slot.
    #[must_use]
    pub fn availability_ppm(&self) -> Option<u32> {
        ppm(self.good, self.planned)
    }

    /// Whether at least `ppm` parts in a million of the planned slots were good: exact. Never without a planned slot.
    #[must_use]
    pub fn at_least(&self, ppm: u32) -> bool {
        at_least(self.good, self.planned, ppm)
    }
}

/// A part of a whole in parts in a million, rounded down.
fn ppm(part: u64, whole: u64) -> Option<u32> {
    let million = u128::from(part) * 1_000_000;
    million
        .checked_div(u128::from(whole))
        .map(|ppm| u32::try_from(ppm).unwrap_or(u32::MAX))
}

/// Whether a part is at least so many parts in a million of a whole: exact. Of nothing it is not.
pub(super) fn at_least(part: u64, whole: u64, ppm: u32) -> bool {
    whole > 0 && u128::from(part) * 1_000_000 >= u128::from(whole) * u128::from(ppm)
}

/// The slots of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Planned to start in it; 0 when there is no record of the second.
    pub planned: u32,
    /// Good.
    pub good: u32,
}

/// Latency of good slots, from their planned start. Each is the upper bound of a histogram bucket in microseconds: the
/// true value is at most 16 % less, since the buckets grow by the fourth root of two. The first bucket holds everything up
/// to 1 ms, the last one everything above its bound, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of the good slots were this fast.
    pub p50: Option<u64>,
    /// 99 % of the good slots were this fast.
    pub p99: Option<u64>,
    /// All good slots were this fast.
    pub max: Option<u64>,
}

/// What [`count`] found.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub slots: Slots,
    pub seconds: Vec<Tally>,
    pub latency: Latency,
    pub anomalies: u64,
    pub failures: Vec<(FailureKind, u64)>,
}

/// Counts one journey over the observation; records that contradict themselves are named.
pub(super) fn count(
    history: &History,
    journey: usize,
    window: Option<Window>,
    contradictions: &mut Vec<String>,
) -> Counted {
    let Some(window) = window else {
        return Counted::default();
    };
    let mut counted = Counted {
        seconds: vec![Tally::default(); window.index(window.end)],
        ..Counted::default()
    };
    let mut histogram: BTreeMap<u16, u64> = BTreeMap::new();
    let mut failures: BTreeMap<FailureKind, u64> = BTreeMap::new();
    let name = &history.header.journeys[journey].name;
    let mut wrong: Option<(u64, &str)> = None;
    for second in history
        .seconds
        .iter()
        .filter(|second| second.journey as usize == journey)
    {
        if !(window.first..window.end).contains(&second.s) {
            continue;
        }
        let tally = &mut counted.seconds[window.index(second.s)];
        let outcomes = outcomes(second);
        if *tally != Tally::default() {
            wrong.get_or_insert((second.s, "is on record twice"));
            continue;
        }
        if let Some(outcomes) = outcomes {
            counted.slots.add(&outcomes);
        } else {
            wrong.get_or_insert((second.s, "has counts that differ from its slots"));
            counted.slots.planned += u64::from(second.planned);
            counted.slots.good += u64::from(second.good.min(second.planned));
        }
        *tally = Tally {
            planned: second.planned,
            good: second.good.min(second.planned),
        };
        counted.anomalies += u64::from(second.anomalies);
        for &(bucket, count) in &second.latency {
            *histogram.entry(bucket).or_default() += u64::from(count);
        }
        for failure in &second.failures {
            *failures.entry(failure.kind).or_default() += u64::from(failure.count);
        }
    }
    contradictions.extend(wrong.map(|(s, what)| format!("second {s} of {name} {what}")));
    counted.latency = Latency {
        p50: percentile(&histogram, 50),
        p99: percentile(&histogram, 99),
        max: percentile(&histogram, 100),
    };
    counted.failures = failures.into_iter().collect();
    counted
}

impl Slots {
    fn add(&mut self, other: &Self) {
        self.planned += other.planned;
        self.good += other.good;
        self.failed += other.failed;
        self.not_sent += other.not_sent;
        self.unfinished += other.unfinished;
    }
}

/// The outcomes of a second from its run-length code; `None` when the code is none, or differs from the counts beside it.
fn outcomes(second: &Second) -> Option<Slots> {
    let mut slots = Slots {
        planned: u64::from(second.planned),
        ..Slots::default()
    };
    let mut rest = second.slots.as_str();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count = u64::from(rest[..digits].parse::<u32>().ok()?);
        match rest.as_bytes()[digits] {
            b'g' => slots.good += count,
            b'f' => slots.failed += count,
            b'n' => slots.not_sent += count,
            b'u' => slots.unfinished += count,
            _ => return None,
        }
        rest = &rest[digits + 1..];
    }
    let total = slots.good + slots.failed + slots.not_sent + slots.unfinished;
    (total == slots.planned && slots.good == u64::from(second.good)).then_some(slots)
}

/// The bound of the first bucket up to which at least `percent` of the counts lie; `None` of an empty histogram.
fn percentile(histogram: &BTreeMap<u16, u64>, percent: u64) -> Option<u64> {
    let total: u64 = histogram.values().sum();
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    histogram
        .iter()
        .filter(|(_, count)| **count > 0)
        .find_map(|(&bucket, count)| {
            seen += count;
            (seen >= wanted).then(|| latency_bound(bucket))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyse;
    use crate::model::history::sample::{INJECTED, OBSERVED, RATE, at, healthy};
    use crate::model::history::{Failure, What};

    #[test]
    fn slots_are_counted_from_the_injections_second_to_the_end_and_by_their_outcome() {
        let mut history = healthy();
        history.seconds[29].slots = "100f".into(); // the second before the injection
        history.seconds[29].good = 0;
        *history.at(3) = Second {
            s: 103,
            planned: 100,
            good: 90,
            slots: "80g4f3n3u10g".into(),
            ..Second::default()
        };
        let journey = &analyse(&history).journeys[0];
        let planned = OBSERVED * u64::from(RATE);
        assert_eq!(
            journey.slots,
            Slots {
                planned,
                good: planned - 10,
                failed: 4,
                not_sent: 3,
                unfinished: 3
            }
        );
        assert_eq!(journey.availability_ppm(), Some(998_333)); // 5,990 of 6,000, rounded down
        assert_eq!(journey.seconds[3], Tally { planned: 100, good: 90 });
    }

    #[test]
    fn the_second_of_the_injection_counts_whole_and_the_second_after_the_end_not_at_all() {
        let mut history = healthy();
        for event in &mut history.events {
            if matches!(event.what, What::Injected { .. }) {
                event.t += 900_000;
            }
        }
        history.set(0, 0);
        let last = Second {
            s: INJECTED + OBSERVED,
            planned: 100,
            slots: "100f".into(),
            ..Second::default()
        };
        history.seconds.push(last);
        assert_eq!(analyse(&history).journeys[0].slots.failed, 100);
    }

    #[test]
    fn a_share_is_exact_at_its_limit_and_never_reached_by_nothing() {
        assert!(at_least(99, 100, 990_000));
        assert!(!at_least(98_999_999, 100_000_000, 990_000));
        assert!(!at_least(0, 0, 0));
        assert_eq!(Slots::default().availability_ppm(), None);
    }

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let mut history = healthy();
        for after in 0..OBSERVED {
            history.at(after).latency = vec![(4, 50), (8, 49), (16, 1)];
        }
        let latency = analyse(&history).journeys[0].latency;
        assert_eq!(
            latency,
            Latency {
                p50: Some(2_000),
                p99: Some(4_000),
                max: Some(16_000)
            }
        );
        history.at(0).latency = vec![(8, 100)];
        assert_eq!(
            analyse(&history).journeys[0].latency.p50,
            Some(4_000),
            "one slot less than half is in bucket 4"
        );
        assert_eq!(percentile(&BTreeMap::new(), 50), None);
    }

    #[test]
    fn failures_are_summed_by_kind_and_anomalies_over_all_seconds() {
        let mut history = healthy();
        let failure = |kind, count| Failure {
            step: 0,
            kind,
            count,
            first: at(INJECTED),
        };
        history.at(1).failures = vec![failure(FailureKind::Status(500), 3), failure(FailureKind::Dns, 2)];
        history.at(2).failures = vec![failure(FailureKind::Dns, 5)];
        history.at(2).anomalies = 4;
        history.at(9).anomalies = 1;
        let journey = &analyse(&history).journeys[0];
        assert_eq!(journey.failures, [(FailureKind::Dns, 7), (FailureKind::Status(500), 3)]);
        assert_eq!(journey.anomalies, 5);
    }

    #[test]
    fn slots_that_contradict_their_counts_are_found() {
        let second = |slots: &str| Second {
            planned: 10,
            good: 4,
            slots: slots.into(),
            ..Second::default()
        };
        assert!(outcomes(&second("4g6f")).is_some());
        for wrong in ["", "4g5f", "5g5f", "4g6x", "4g6", "g9f", "4g6f\u{e9}", "99999999999g"] {
            assert_eq!(outcomes(&second(wrong)), None, "{wrong}");
        }
        let mut history = healthy();
        history.at(4).slots = "99g".into();
        assert_eq!(
            analyse(&history).contradictions,
            ["second 104 of checkout has counts that differ from its slots"]
        );
        history.at(4).slots = "100g".into();
        let twice = history.at(4).clone();
        history.seconds.push(twice);
        assert_eq!(
            analyse(&history).contradictions,
            ["second 104 of checkout is on record twice"]
        );
    }
}
