//! Bad seconds, outages, and recovery.

use super::availability::{Tally, at_least};
use super::window::Window;

/// A second is good when at least this share of its planned slots is: 99 %, in parts in a million.
pub const GOOD_PPM: u32 = 990_000;

/// Bad seconds with fewer seconds than this between them are one outage.
pub const JOIN: u64 = 3;

/// The width of a window of [`recovered_at`], in seconds.
pub const WINDOW: usize = 10;

/// Bad seconds, joined over gaps shorter than [`JOIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Its first bad second, in whole seconds since the second of the injection.
    pub start: u64,
    /// From the start of its first bad second to the end of its last one, in seconds.
    pub seconds: u64,
    /// Whether the observation ended fewer than [`JOIN`] seconds after it: then it may have gone on.
    pub open: bool,
}

/// The bad seconds in order: those with planned slots of which fewer than 99 % were good.
pub(super) fn bad_seconds(seconds: &[Tally]) -> impl Iterator<Item = u64> {
    let bad = |tally: &Tally| tally.planned > 0 && !at_least(u64::from(tally.good), u64::from(tally.planned), GOOD_PPM);
    seconds
        .iter()
        .enumerate()
        .filter(move |(_, tally)| bad(tally))
        .map(|(second, _)| second as u64)
}

/// The outages in order.
pub(super) fn outages(seconds: &[Tally]) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for bad in bad_seconds(seconds) {
        match outages.last_mut() {
            Some(last) if bad - (last.start + last.seconds) < JOIN => last.seconds = bad + 1 - last.start,
            _ => outages.push(Outage {
                start: bad,
                seconds: 1,
                open: false,
            }),
        }
    }
    if let Some(last) = outages.last_mut() {
        last.open = seconds.len() as u64 - (last.start + last.seconds) < JOIN;
    }
    outages
}

/// The least whole number of seconds d such that from d after the start of the injection's second on every window of
/// [`WINDOW`] whole observed seconds has at least `at_least_ppm` parts in a million of good slots. A window without a
/// planned slot has not. `None` when the last window has not, or when there is none: what was not seen is not recovered.
#[must_use]
pub fn recovered_at(seconds: &[Tally], window: Window, at_least_ppm: u32) -> Option<u64> {
    let whole = seconds.get(..window.index(window.whole)).unwrap_or(seconds);
    let last = whole.len().checked_sub(WINDOW)?;
    let bad = whole.windows(WINDOW).rposition(|window| {
        let (good, planned) = window.iter().fold((0, 0), |(good, planned), tally| {
            (good + u64::from(tally.good), planned + u64::from(tally.planned))
        });
        !at_least(good, planned, at_least_ppm)
    });
    match bad {
        None => Some(0),
        Some(bad) if bad == last => None,
        Some(bad) => Some(bad as u64 + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{JourneyAnalysis, analyse};
    use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy, second};
    use crate::model::history::{History, What};

    fn journey(history: &History) -> JourneyAnalysis {
        analyse(history).journeys.swap_remove(0)
    }

    const fn outage(start: u64, seconds: u64) -> Outage {
        Outage {
            start,
            seconds,
            open: false,
        }
    }

    #[test]
    fn exactly_99_percent_is_a_good_second_and_less_is_a_bad_one() {
        let mut history = healthy();
        history.set(5, 99);
        assert_eq!(journey(&history).bad_seconds, 0);
        history.set(5, 98);
        assert_eq!(journey(&history).bad_seconds, 1);
    }

    #[test]
    fn a_second_without_slots_is_neither_good_nor_bad() {
        let seconds = [Tally::default(), Tally { planned: 1, good: 0 }];
        assert_eq!(bad_seconds(&seconds).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_gap_of_two_seconds_joins_and_a_gap_of_three_parts() {
        let mut history = healthy();
        history.set(10, 0).set(13, 0);
        assert_eq!(journey(&history).outages, [outage(10, 4)]);
        let mut history = healthy();
        history.set(10, 0).set(14, 0);
        assert_eq!(journey(&history).outages, [outage(10, 1), outage(14, 1)]);
        assert_eq!(journey(&history).longest_outage(), 1);
    }

    #[test]
    fn an_outage_is_open_when_the_observation_ends_before_it_could_be_parted_from_the_next() {
        let mut history = healthy();
        history.set(OBSERVED - 4, 0);
        assert!(!journey(&history).outages[0].open, "three good seconds followed");
        history.set(OBSERVED - 3, 0);
        assert!(journey(&history).outages[0].open, "two good seconds followed");
    }

    #[test]
    fn a_healthy_run_is_recovered_at_once_and_has_no_outage() {
        let journey = journey(&healthy());
        assert_eq!((journey.recovered_at, journey.longest_outage()), (Some(0), 0));
    }

    #[test]
    fn recovery_begins_with_the_first_window_after_which_all_are_good() {
        // Ten failures of a window's 1,000 slots are allowed: exactly 99 %.
        let mut history = healthy();
        history.set(20, 90);
        assert_eq!(journey(&history).recovered_at, Some(0));
        history.set(20, 89);
        assert_eq!(
            journey(&history).recovered_at,
            Some(21),
            "the last window with second 20 starts there"
        );
        // Two seconds that only together spoil a window: the last one that holds both starts at 20.
        let mut history = healthy();
        history.set(20, 95).set(26, 94);
        assert_eq!(journey(&history).recovered_at, Some(21));
    }

    #[test]
    fn what_is_bad_in_the_last_window_has_not_recovered() {
        let mut history = healthy();
        history.set(OBSERVED - 11, 0);
        assert_eq!(
            journey(&history).recovered_at,
            Some(OBSERVED - 10),
            "the last window is good"
        );
        history.set(OBSERVED - 10, 0);
        assert_eq!(journey(&history).recovered_at, None);
    }

    #[test]
    fn a_second_observed_in_part_is_in_no_window_but_can_be_bad() {
        let mut history = healthy();
        history
            .forget(|what| matches!(what, What::Observed))
            .add(at(INJECTED + OBSERVED) + 1, What::Observed);
        history.seconds.push(second(INJECTED + OBSERVED, 0));
        let journey = journey(&history);
        assert_eq!((journey.recovered_at, journey.bad_seconds), (Some(0), 1));
    }

    #[test]
    fn an_observation_shorter_than_a_window_shows_no_recovery() {
        let mut history = healthy();
        let end = |history: &mut History, after| {
            history
                .forget(|what| matches!(what, What::Observed))
                .add(at(INJECTED + after), What::Observed);
        };
        end(&mut history, 10);
        assert_eq!(journey(&history).recovered_at, Some(0));
        end(&mut history, 9);
        assert_eq!(journey(&history).recovered_at, None);
    }

    #[test]
    fn a_window_without_data_is_not_good() {
        let mut history = healthy();
        history
            .seconds
            .retain(|second| !(INJECTED + 20..INJECTED + 30).contains(&second.s));
        assert_eq!(journey(&history).recovered_at, Some(21));
    }

    #[test]
    fn the_threshold_of_a_window_is_the_tests() {
        let mut history = healthy();
        history.set(20, 50);
        let analysis = analyse(&history);
        let (seconds, window) = (&analysis.journeys[0].seconds, analysis.window.unwrap());
        assert_eq!(recovered_at(seconds, window, 950_000), Some(0), "50 of 1,000 failed");
        assert_eq!(recovered_at(seconds, window, 950_001), Some(21));
    }
}
