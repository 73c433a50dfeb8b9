//! A table of events: each with its cause, what was measured, and the window that the constants allow.

use std::collections::BTreeMap;

use super::scene::Scene;

/// One row.
pub(crate) struct Row {
    pub(crate) event: &'static str,
    /// How it shows. The first time after which it holds is the event's.
    pub(crate) shows: fn(&Scene) -> bool,
    /// The event that causes it; it never comes before it.
    pub(crate) cause: &'static str,
    /// Seconds after the cause that the constants allow, from and to.
    pub(crate) window: (f64, f64),
    /// Seconds that were measured, after `since`.
    pub(crate) measured: &'static [f64],
    /// From which event on they were measured.
    pub(crate) since: &'static str,
}

/// The event that every table starts from.
pub(crate) const FAULT: &str = "fault";

/// How far a measured time may lie outside of the simulated range, in seconds.
const SLACK: f64 = 1.0;

/// Events are dated in microseconds; differences of them in floats are a little off.
const ROUNDING: f64 = 1e-4;

/// When each event was first seen, in seconds after the fault.
pub(crate) type Times = BTreeMap<&'static str, f64>;

/// Drives a scene until all events of a table have shown, or `limit` seconds have passed.
pub(crate) fn watch(scene: &mut Scene, table: &[Row], limit: f64) -> Times {
    let mut times = Times::from([(FAULT, 0.0)]);
    loop {
        for row in table {
            if !times.contains_key(row.event) && (row.shows)(scene) {
                times.insert(row.event, scene.elapsed());
            }
        }
        if times.len() > table.len() || scene.elapsed() > limit {
            return times;
        }
        scene.step();
    }
}

/// Holds what many seeds showed against a table.
pub(crate) fn check(table: &[Row], seeds: &[Times]) {
    assert!(
        !table.is_empty() && !seeds.is_empty(),
        "nothing to hold against the table"
    );
    let mut wrong = Vec::new();
    for row in table {
        let mut range = (f64::MAX, f64::MIN);
        let mut measured_range = (f64::MAX, f64::MIN);
        for (seed, times) in seeds.iter().enumerate() {
            let Some(&at) = times.get(row.event) else {
                wrong.push(format!("seed {seed}: {} never happened: {times:?}", row.event));
                continue;
            };
            let Some(&cause) = times.get(row.cause) else {
                wrong.push(format!("seed {seed}: {} without {}", row.event, row.cause));
                continue;
            };
            let after = at - cause;
            range = (range.0.min(after), range.1.max(after));
            let after = at - times[row.since];
            measured_range = (measured_range.0.min(after), measured_range.1.max(after));
        }
        let line = format!(
            "{}: {:.3} to {:.3} s after {}, allowed {:.3} to {:.3}; {:.3} to {:.3} s after {}, measured {:?}",
            row.event,
            range.0,
            range.1,
            row.cause,
            row.window.0,
            row.window.1,
            measured_range.0,
            measured_range.1,
            row.since,
            row.measured
        );
        println!("{line}");
        if range.0 < row.window.0 - ROUNDING || range.1 > row.window.1 + ROUNDING {
            wrong.push(format!("outside of the window: {line}"));
        }
        if row
            .measured
            .iter()
            .any(|&at| at < measured_range.0 - SLACK || at > measured_range.1 + SLACK)
        {
            wrong.push(format!("not as measured: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every run's share lies within bounds; their mean.
pub(crate) fn shares<R>(
    what: &str,
    runs: &[R],
    allowed: std::ops::RangeInclusive<f64>,
    share: impl Fn(&R) -> f64,
) -> f64 {
    assert!(!runs.is_empty(), "{what}: no runs");
    let all: Vec<f64> = runs.iter().map(share).collect();
    let (least, most) = all
        .iter()
        .fold((f64::MAX, f64::MIN), |(a, b), &it| (a.min(it), b.max(it)));
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    println!("{what}: {least:.4} to {most:.4}, mean {mean:.4}, allowed {allowed:?}");
    assert!(
        *allowed.start() <= least && most <= *allowed.end(),
        "{what}: {least} to {most}, allowed {allowed:?}"
    );
    mean
}

/// What was measured once of a run lies among what the runs show, as far as `slack` allows; their range.
pub(crate) fn among<R>(what: &str, runs: &[R], measured: &[f64], slack: f64, figure: impl Fn(&R) -> f64) -> (f64, f64) {
    assert!(!runs.is_empty(), "{what}: no runs");
    let all: Vec<f64> = runs.iter().map(figure).collect();
    let (least, most) = all
        .iter()
        .fold((f64::MAX, f64::MIN), |(a, b), &it| (a.min(it), b.max(it)));
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    println!("{what}: {least:.4} to {most:.4}, mean {mean:.4}, measured {measured:?}");
    for &it in measured {
        assert!(
            (least - slack..=most + slack).contains(&it),
            "{what}: measured {it}, simulated {least} to {most}"
        );
    }
    (least, most)
}
