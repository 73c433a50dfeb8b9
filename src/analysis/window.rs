//! The observation: from the injection to its end.

use crate::model::history::{History, What};

/// The longest observation that is analysed, in seconds (over 11 days). Longer ones are cut there and judged inconclusive.
pub const LONGEST: u64 = 1_000_000;

/// The observation of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the fault was injected: microseconds of cluster time.
    pub injected: u64,
    /// When the observation ended: microseconds of cluster time. `None` when the history does not say.
    pub observed: Option<u64>,
    /// The second of cluster time in which the fault was injected. It counts whole, slots before the injection included.
    pub first: u64,
    /// The first second of cluster time that was not observed whole.
    pub whole: u64,
    /// The first second of cluster time in which nothing was observed: [`Window::whole`], or the one after it.
    pub end: u64,
}

impl Window {
    /// The observation of a history; `None` when no fault was injected. Without the event `observed` it reaches to the
    /// last second on record.
    #[must_use]
    pub fn of(history: &History) -> Option<Self> {
        let injected = history
            .events
            .iter()
            .filter(|event| matches!(event.what, What::Injected { .. }))
            .map(|event| event.t)
            .min()?;
        let ends = history
            .events
            .iter()
            .filter(|event| matches!(event.what, What::Observed) && event.t >= injected);
        let observed = ends.map(|event| event.t).min();
        let first = injected / 1_000_000;
        let latest = first.saturating_add(LONGEST);
        let (whole, end) = observed.map_or_else(
            || {
                let last = history
                    .seconds
                    .iter()
                    .map(|second| second.s.saturating_add(1))
                    .max()
                    .unwrap_or(first)
                    .max(first);
                (last, last)
            },
            |observed| (observed / 1_000_000, observed.div_ceil(1_000_000)),
        );
        Some(Self {
            injected,
            observed,
            first,
            whole: whole.min(latest),
            end: end.min(latest),
        })
    }

    /// The length observed in microseconds; `None` when the end is not on record.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.observed.map(|observed| observed.saturating_sub(self.injected))
    }

    /// Whether an event of this time happened in the observation.
    #[must_use]
    pub fn holds(&self, t: u64) -> bool {
        t >= self.injected && self.observed.is_none_or(|observed| t <= observed)
    }

    /// The place of a second of cluster time among those since the injection; 0 for earlier ones.
    #[must_use]
    pub fn index(&self, second: u64) -> usize {
        usize::try_from(second.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Microseconds from the injection to `t`; 0 when `t` is earlier.
    #[must_use]
    pub const fn since(&self, t: u64) -> u64 {
        t.saturating_sub(self.injected)
    }
}

/// Where the events of a history cannot all be true.
pub(super) fn contradictions(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    let count = |is: fn(&What) -> bool| history.events.iter().filter(|event| is(&event.what)).count();
    let injected = count(|what| matches!(what, What::Injected { .. }));
    let plan = &history.header.plan;
    let planned = plan.faults().count();
    // A stagger makes one of each victim.
    let staggered = plan.faults().any(|fault| !fault.stagger().is_zero());
    if injected > planned && !staggered {
        let expected = if planned == 1 {
            "one".into()
        } else {
            planned.to_string()
        };
        found.push(format!("{injected} injections are on record, expected {expected}"));
    }
    let observed = count(|what| matches!(what, What::Observed));
    if observed > 1 {
        found.push(format!(
            "{observed} ends of the observation are on record, expected one"
        ));
    }
    if let Some(Window {
        injected,
        observed: Some(observed),
        ..
    }) = Window::of(history)
        && (observed - injected) / 1_000_000 >= LONGEST
    {
        found.push(format!(
            "the observation is longer than {LONGEST} s, the most that is analysed"
        ));
    }
    let events = history.events.windows(2).filter(|pair| pair[0].t > pair[1].t).count();
    if events > 0 {
        found.push(format!("{events} events are out of the order of time"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy};

    #[test]
    fn the_observation_counts_the_second_of_the_injection_from_its_start_and_ends_where_it_was_ended() {
        let mut history = healthy();
        let window = Window::of(&history).unwrap();
        assert_eq!(
            (window.first, window.whole, window.end),
            (INJECTED, INJECTED + OBSERVED, INJECTED + OBSERVED)
        );
        for event in &mut history.events {
            match event.what {
                What::Injected { .. } => event.t += 999_999,
                What::Observed => event.t += 1,
                _ => {}
            }
        }
        let window = Window::of(&history).unwrap();
        assert_eq!(
            (window.first, window.whole, window.end),
            (INJECTED, INJECTED + OBSERVED, INJECTED + OBSERVED + 1)
        );
        assert_eq!(window.length(), Some(OBSERVED * 1_000_000 - 999_998));
    }

    #[test]
    fn without_an_injection_nothing_was_observed() {
        let mut history = healthy();
        history.forget(|what| matches!(what, What::Injected { .. }));
        assert_eq!(Window::of(&history), None);
    }

    #[test]
    fn without_an_end_the_observation_reaches_to_the_last_second_on_record() {
        let mut history = healthy();
        history.forget(|what| matches!(what, What::Observed));
        history.seconds.truncate(40);
        let window = Window::of(&history).unwrap();
        assert_eq!((window.observed, window.whole, window.end), (None, 110, 110));
    }

    #[test]
    fn a_history_without_limits_is_cut() {
        let mut history = healthy();
        history
            .forget(|what| matches!(what, What::Observed))
            .add(u64::MAX, What::Observed);
        assert_eq!(Window::of(&history).unwrap().end, INJECTED + LONGEST);
        assert_eq!(contradictions(&history).len(), 1);
    }

    #[test]
    fn two_injections_two_ends_and_a_step_back_in_time_are_contradictions() {
        let mut history = healthy();
        assert_eq!(contradictions(&history), Vec::<String>::new());
        let again = history
            .events
            .iter()
            .find(|event| matches!(event.what, What::Injected { .. }))
            .unwrap()
            .what
            .clone();
        history.add(at(130), again).add(at(170), What::Observed);
        history.events.swap(0, 3);
        assert_eq!(contradictions(&history).len(), 3);
    }
}
