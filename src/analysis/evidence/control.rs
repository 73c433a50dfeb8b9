//! Whether the load's own network was well: the control probe.

use super::{Check, Window, counted};
use crate::model::history::{ControlRecord, History};

/// Slots are dated by their start and may fail up to a time-out later; checks that failed so many seconds before or after a journey's
/// slots failed together with them.
const TOGETHER: u64 = 1;

/// What the control probe says of the observation; `None` without one.
pub(super) fn control(history: &History, window: Window) -> Option<Check> {
    let control = history.end.as_ref()?.control.as_ref()?;
    Some(judged(history, window, control))
}

fn judged(history: &History, window: Window, control: &ControlRecord) -> Check {
    if control.good == 0 {
        return Err(format!(
            "the control probe had no good check of {}: what it looks at must answer throughout",
            control.planned
        ));
    }
    let bad: Vec<u64> = control
        .bad
        .iter()
        .copied()
        .filter(|s| (window.first..window.end).contains(s))
        .collect();
    let near = |s: u64| bad.iter().any(|bad| bad.abs_diff(s) <= TOGETHER);
    let together = |journey: usize| {
        let seconds = history.seconds.iter();
        seconds
            .filter(|second| second.journey as usize == journey && (window.first..window.end).contains(&second.s))
            .filter(|second| second.good < second.planned && near(second.s))
            .count()
    };
    let names = history.header.journeys.iter().enumerate();
    let worst = names
        .map(|(journey, loaded)| (together(journey), &loaded.name))
        .max_by_key(|(seconds, _)| *seconds)
        .filter(|(seconds, _)| *seconds > 0);
    match worst {
        Some((seconds, name)) => Err(format!(
            "the control probe failed together with {name} in {}: the probe cannot tell a broken application from a broken network of its own",
            counted(seconds as u64, "second")
        )),
        None if bad.is_empty() => Ok("the control probe was good throughout".into()),
        None => Ok(format!(
            "the control probe failed in {}, none of them with a journey",
            counted(bad.len() as u64, "second")
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::{analyse, judge};
    use crate::model::experiment::Verdict;
    use crate::model::history::sample::{INJECTED, healthy};
    use crate::model::history::{ControlRecord, History, Lag};

    fn with(good: u64, bad: &[u64]) -> History {
        let mut history = healthy();
        history.end.as_mut().unwrap().control = Some(ControlRecord {
            planned: 900,
            good,
            bad: bad.to_vec(),
        });
        history
    }

    #[test]
    fn a_control_probe_that_is_good_throughout_is_evidence() {
        let history = with(900, &[]);
        let judgement = judge(&history, &analyse(&history));
        assert_eq!(judgement.verdict, Verdict::Held);
        assert!(
            judgement
                .evidence
                .iter()
                .any(|line| line == "the control probe was good throughout"),
            "{:?}",
            judgement.evidence
        );
    }

    #[test]
    fn a_control_probe_that_fails_with_a_journey_makes_the_run_inconclusive() {
        let mut history = with(890, &[INJECTED + 10]);
        history.set(11, 80);
        let judgement = judge(&history, &analyse(&history));
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
        assert_eq!(
            judgement.reasons,
            [
                "the control probe failed together with checkout in 1 second: the probe cannot tell a broken application from a broken \
                 network of its own"
            ]
        );
    }

    #[test]
    fn a_control_probe_that_fails_alone_or_outside_the_observation_says_nothing_of_the_journeys() {
        for bad in [INJECTED + 20, INJECTED - 1] {
            let mut history = with(890, &[bad]);
            history.set(11, 80);
            assert_eq!(judge(&history, &analyse(&history)).verdict, Verdict::Held, "{bad}");
        }
    }

    #[test]
    fn a_control_probe_without_a_good_check_is_none() {
        let history = with(0, &[]);
        assert_eq!(judge(&history, &analyse(&history)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_measured_lag_is_judged_as_the_largest_is() {
        let mut history = healthy();
        let end = history.end.as_mut().unwrap();
        (end.max_lag, end.lag) = (
            9_000,
            Some(Lag {
                p999: 2_000,
                max: 9_000,
                ..Lag::default()
            }),
        );
        let judgement = judge(&history, &analyse(&history));
        assert!(
            judgement
                .evidence
                .iter()
                .any(|line| line == "every slot was sent, at most 9 ms behind its time, 99.9 % within 2 ms"),
            "{:?}",
            judgement.evidence
        );
        history.end.as_mut().unwrap().lag.as_mut().unwrap().max = 100_001;
        assert_eq!(judge(&history, &analyse(&history)).verdict, Verdict::Inconclusive);
    }
}
