//! Outages slot by slot, with their error bar.
//!
//! The seconds of [`super::outages`] are what hypotheses are about; this is how exactly a history knows when an application was gone. A
//! journey looks once per slot, so it was gone from some time between the last good slot's start and the first failed one's, to some time
//! between the last failed one's and the next good one's: one slot either way. A slot that is sent late looks later than it is dated, so the
//! load's own largest lag is added.

use super::window::Window;
use crate::model::history::{History, Second, What};
use crate::model::journey::slot_start;
use crate::model::time::Time;

/// Slots in a row that were not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The planned start of its first slot that was not good: microseconds of cluster time.
    pub from: u64,
    /// The planned start of the next good slot; `None` when there was none until the end of the load.
    pub until: Option<u64>,
    /// Slots in it.
    pub slots: u64,
    /// How much earlier either end may have been, in microseconds: one slot, and the load's largest lag. No end was later than its lag.
    pub error: u64,
}

impl Gap {
    /// Its length in microseconds, true to within [`Gap::error`] in either direction; `None` when it did not end.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        match self.until {
            Some(until) => Some(until - self.from),
            None => None,
        }
    }
}

/// The gaps of a journey, by its place in the header, from the injection's second to the end of the load; of the whole load when nothing was
/// injected. Empty for a journey that does not exist, and without a start of the load on record.
#[must_use]
pub fn gaps(history: &History, journey: usize) -> Vec<Gap> {
    let loaded = history.header.journeys.get(journey).filter(|loaded| loaded.rate > 0);
    let began = history.events.iter().rfind(|event| event.what == What::LoadStarted);
    let Some((loaded, began)) = loaded.zip(began) else {
        return Vec::new();
    };
    let rate = loaded.rate;
    let first = Window::of(history).map_or(0, |window| window.first);
    let error = 1_000_000_u64.div_ceil(u64::from(rate)) + history.end.as_ref().map_or(0, |end| end.max_lag);
    let mut gaps: Vec<Gap> = Vec::new();
    let mut open = false;
    let seconds = history
        .seconds
        .iter()
        .filter(|second| second.journey as usize == journey);
    for second in seconds.filter(|second| second.s >= first) {
        let mut k = first_slot(began.t, rate, second.s);
        for (outcome, count) in runs(second) {
            let from = slot_start(Time(began.t), rate, k).0;
            k += count;
            if outcome == b'g' {
                if let Some(gap) = gaps.last_mut().filter(|_| open) {
                    gap.until = Some(from);
                }
                open = false;
                continue;
            }
            match gaps.last_mut().filter(|_| open) {
                Some(gap) => gap.slots += count,
                None => gaps.push(Gap {
                    from,
                    until: None,
                    slots: count,
                    error,
                }),
            }
            open = true;
        }
    }
    gaps
}

/// The first slot that is dated by a second.
fn first_slot(began: u64, rate: u32, second: u64) -> u64 {
    let after = (second * 1_000_000).saturating_sub(began);
    let k = after * u64::from(rate) / 1_000_000;
    // The last slot that starts at or before the second; the next one unless it starts with the second.
    if slot_start(Time(began), rate, k).0 >= second * 1_000_000 {
        k
    } else {
        k + 1
    }
}

/// The runs of a second's slots; what is no run-length code ends them.
fn runs(second: &Second) -> impl Iterator<Item = (u8, u64)> {
    let mut rest = second.slots.as_str();
    std::iter::from_fn(move || {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count = rest[..digits].parse().ok()?;
        let outcome = *rest.as_bytes().get(digits)?;
        rest = rest.get(digits + 1..)?;
        Some((outcome, count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::sample::{INJECTED, at, healthy};

    fn slots(history: &mut History, after: u64, slots: &str) {
        slots.clone_into(&mut history.at(after).slots);
    }

    #[test]
    fn a_gap_runs_from_its_first_failed_slot_to_the_next_good_one() {
        let mut history = healthy();
        slots(&mut history, 3, "40g10f50g");
        assert_eq!(
            gaps(&history, 0),
            [Gap {
                from: at(INJECTED + 3) + 400_000,
                until: Some(at(INJECTED + 3) + 500_000),
                slots: 10,
                error: 10_000,
            }]
        );
        assert_eq!(gaps(&history, 0)[0].length(), Some(100_000));
    }

    #[test]
    fn a_gap_goes_on_over_seconds_and_whatever_was_not_good_is_in_it() {
        let mut history = healthy();
        slots(&mut history, 3, "99g1f");
        slots(&mut history, 4, "50f49n1u");
        slots(&mut history, 5, "1f99g");
        slots(&mut history, 9, "1g1f98g");
        let found: Vec<_> = gaps(&history, 0).iter().map(|gap| (gap.length(), gap.slots)).collect();
        assert_eq!(found, [(Some(1_020_000), 102), (Some(10_000), 1)]);
    }

    #[test]
    fn a_gap_that_lasts_to_the_end_has_none() {
        let mut history = healthy();
        slots(&mut history, 59, "10g90f");
        assert_eq!(gaps(&history, 0)[0].until, None);
        assert_eq!(gaps(&history, 0)[0].length(), None);
    }

    #[test]
    fn what_was_before_the_injection_is_not_counted_unless_there_is_none() {
        let mut history = healthy();
        history.seconds[2].slots = "50f50g".into();
        assert_eq!(gaps(&history, 0), []);
        history.forget(|what| matches!(what, What::Injected { .. }));
        assert_eq!(gaps(&history, 0).len(), 1);
    }

    #[test]
    fn slots_are_found_whenever_the_load_began_and_lag_widens_the_error() {
        // Slot k starts at 70.4 s + k / 100: the first slot of second 103 is number 3,260.
        let mut history = healthy();
        history.forget(|what| matches!(what, What::LoadStarted));
        history.add(at(70) + 405_000, What::LoadStarted);
        history.end.as_mut().unwrap().max_lag = 700;
        slots(&mut history, 3, "1f99g");
        let gap = gaps(&history, 0)[0];
        assert_eq!((gap.from, gap.error), (at(INJECTED + 3) + 5_000, 10_700));
        for rate in [1, 3, 7, 100, 999, 10_000] {
            for second in [1, 2, 71] {
                let k = first_slot(333_333, rate, second);
                let start = |k| slot_start(Time(333_333), rate, k).0;
                assert!(start(k) >= second * 1_000_000, "{rate} {second}");
                assert!(k == 0 || start(k - 1) < second * 1_000_000, "{rate} {second}");
            }
        }
    }

    #[test]
    fn what_is_not_there_has_no_gaps() {
        let mut history = healthy();
        slots(&mut history, 3, "100f");
        assert_eq!(gaps(&history, 1), []);
        history.forget(|what| matches!(what, What::LoadStarted));
        assert_eq!(gaps(&history, 0), []);
    }
}
