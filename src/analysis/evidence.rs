//! Whether a run proves anything: what speaks for it, and what is lacking.
//!
//! No data is never health. Each check either finds its evidence and says so, or says what is lacking; one thing that is
//! lacking makes the run inconclusive.

mod control;
mod failure;

use std::collections::BTreeMap;

use super::figures::{count, counted, failure_kind, length, millis, seconds};
use super::outages::WINDOW;
use super::verdict::{Finding, Measured, Outcome};
use super::window::Window;
use super::{Analysis, JourneyAnalysis};
use crate::model::experiment::Claim;
use crate::model::fault::{Fault, PodFailure};
use crate::model::history::{FailureKind, History, Victim, What};

/// The largest lag of a slot behind its planned start at which the load still counts as on schedule: 100 ms, in microseconds.
pub const MAX_LAG: u64 = 100_000;

/// The fewest planned slots of a hypothesis' journey that say anything.
pub const MIN_SLOTS: u64 = 100;

/// The share of the slots its rate asks for that a journey must have planned: 99 %, in parts in a million.
const PLANNED_PPM: u32 = 990_000;

/// What a check found: the evidence, or what is lacking.
type Check = Result<String, String>;

/// All checks of a run.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// What speaks for the run.
    pub found: Vec<String>,
    /// What is lacking.
    pub lacking: Vec<String>,
}

impl Evidence {
    /// Makes every check.
    pub fn of(history: &History, analysis: &Analysis, findings: &[Finding]) -> Self {
        let mut evidence = Self::default();
        evidence.lacking.extend(
            analysis
                .contradictions
                .iter()
                .map(|text| format!("the history contradicts itself: {text}")),
        );
        evidence.lacking.extend(undescribed(history));
        if findings.is_empty() {
            evidence.lacking.push("the experiment has no hypothesis".into());
        }
        let Some(window) = analysis.window else {
            evidence.lacking.push("no fault was injected".into());
            evidence.lacking.extend(no_steady_state(history));
            return evidence;
        };
        evidence.add(steady_state(history, window));
        for check in injections(history, analysis, window) {
            evidence.add(check);
        }
        for node in &analysis.nodes.struck {
            evidence.add(failure::failure(node));
        }
        evidence.add(observation(history, window));
        evidence.add(schedule(history, analysis));
        if let Some(check) = control::control(history, window) {
            evidence.add(check);
        }
        let mut seen: Vec<&str> = Vec::new();
        for finding in findings {
            let name = finding.hypothesis.journey.as_str();
            if !seen.contains(&name) {
                seen.push(name);
                evidence.add(data(history, analysis, window, name));
            }
            evidence.lacking.extend(unseen(finding, window));
        }
        evidence
    }

    fn add(&mut self, check: Check) {
        match check {
            Ok(found) => self.found.push(found),
            Err(lacking) => self.lacking.push(lacking),
        }
    }
}

/// Why nothing was injected, as far as the history says.
fn no_steady_state(history: &History) -> Option<String> {
    let seconds = history.events.iter().find_map(|event| match event.what {
        What::SteadyState { seconds, met: false } => Some(seconds),
        _ => None,
    })?;
    let mut failures: BTreeMap<(u32, u32, FailureKind), u64> = BTreeMap::new();
    for second in &history.seconds {
        for it in &second.failures {
            *failures.entry((second.journey, it.step, it.kind)).or_default() += u64::from(it.count);
        }
    }
    // Of equally many the first.
    let most = failures.into_iter().rev().max_by_key(|(_, count)| *count);
    let most = most.and_then(|((journey, step, kind), count)| {
        let journey = &history.header.journeys.get(journey as usize)?.name;
        let (failed, kind, step) = (counted(count, "visit"), failure_kind(kind), step + 1);
        Some(format!("; {failed} of {journey} failed at step {step}: {kind}"))
    });
    let most = most.unwrap_or_default();
    Some(format!(
        "no steady state: there were no {seconds} seconds in a row in which every slot was good{most}"
    ))
}

/// What images do that nobody has described is not known, so a run with them shows nothing.
fn undescribed(history: &History) -> Option<String> {
    let images = &history.header.undescribed;
    (!images.is_empty()).then(|| {
        format!(
            "what {} do is not described: {}; describe them in the model, or allow the default with .assume_default_model()",
            counted(images.len() as u64, "image"),
            images.join(", ")
        )
    })
}

/// The last steady-state check before the injection was met. Of several at one time each must be.
fn steady_state(history: &History, window: Window) -> Check {
    let checks = history.events.iter().filter_map(|event| match event.what {
        What::SteadyState { seconds, met } if event.t <= window.injected => Some((event.t, seconds, met)),
        _ => None,
    });
    let last = checks.max_by_key(|&(t, seconds, met)| (t, !met, seconds));
    match last {
        None => Err("the steady state before the injection was not checked".into()),
        Some((_, 0, _)) => Err("the steady state before the injection was checked over no time".into()),
        Some((_, over, false)) => Err(format!(
            "the steady state was not met in the {} before the injection",
            counted(u64::from(over), "second")
        )),
        Some((_, over, true)) => Ok(format!(
            "steady state met in the {} before the injection",
            counted(u64::from(over), "second")
        )),
    }
}

/// Each fault struck nodes, and pods on them; or it deleted pods.
fn injections(history: &History, analysis: &Analysis, window: Window) -> Vec<Check> {
    let plan = &history.header.plan;
    if plan.more_faults.is_empty() && plan.fault.mode().is_some() {
        let (nodes, pods) = (analysis.nodes.struck.len(), analysis.victims.len());
        return vec![injection(plan.fault.name(), nodes, pods, window.injected)];
    }
    let mut names: Vec<&str> = plan.faults().map(Fault::name).collect();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let strikes: Vec<_> = history
                .events
                .iter()
                .filter(|event| window.holds(event.t))
                .filter_map(|event| match &event.what {
                    What::Injected { fault, nodes, pods } if fault == name => Some((event.t, nodes, pods)),
                    _ => None,
                })
                .collect();
            let Some(first) = strikes.iter().map(|(t, ..)| *t).min() else {
                return Err(format!("{name} did not strike in the observation"));
            };
            let planned = plan.faults().filter(|fault| fault.name() == name).count();
            if strikes.len() < planned {
                return Err(format!("{name} struck {} of {planned} times", strikes.len()));
            }
            let victims: Vec<&Victim> = strikes.iter().flat_map(|(_, _, pods)| pods.iter()).collect();
            if name == PodFailure::NAME {
                return failure::deletion(history, window, &victims, first);
            }
            let nodes = strikes.iter().map(|(_, nodes, _)| nodes.len()).sum();
            injection(name, nodes, victims.len(), first)
        })
        .collect()
}

/// A fault struck nodes, and pods on them.
fn injection(name: &str, nodes: usize, pods: usize, t: u64) -> Check {
    let (nodes, pods) = (nodes as u64, pods as u64);
    match (nodes, pods) {
        (0, _) => Err(format!("{name} struck no node")),
        (_, 0) => Err(format!(
            "{name} struck {}, but no pod ran there",
            counted(nodes, "node")
        )),
        _ => Ok(format!(
            "{name} struck {} with {} at {} of cluster time",
            counted(nodes, "node"),
            counted(pods, "pod"),
            seconds(t)
        )),
    }
}

/// The observation was as long as planned.
fn observation(history: &History, window: Window) -> Check {
    // What strikes later is observed for less time.
    let plan = &history.header.plan;
    let later = plan.faults().map(Fault::after).min().unwrap_or_default();
    let planned = plan.observe.saturating_sub(later);
    match window.length() {
        None => Err("the end of the observation is not on record".into()),
        Some(0) => Err("nothing was observed after the injection".into()),
        Some(observed) if u128::from(observed) < planned.as_micros() => Err(format!(
            "observed {} of {} planned",
            length(std::time::Duration::from_micros(observed)),
            length(planned)
        )),
        Some(observed) => Ok(format!("observed {} after the injection", seconds(observed))),
    }
}

/// The load kept its schedule.
fn schedule(history: &History, analysis: &Analysis) -> Check {
    if let Some(journey) = analysis.journeys.iter().find(|journey| journey.slots.not_sent > 0) {
        return Err(format!(
            "the load did not keep its schedule: {} of {} not sent",
            counted(journey.slots.not_sent, "slot"),
            journey.name
        ));
    }
    match history.end.as_ref().map(|end| (end.max_lag, end.lag)) {
        // The two are one figure; a history that says less in one place proves no less lag.
        Some((lag, all)) if lag.max(all.map_or(0, |all| all.max)) > MAX_LAG => Err(format!(
            "the load did not keep its schedule: up to {} behind, {} allowed",
            millis(lag.max(all.map_or(0, |all| all.max))),
            millis(MAX_LAG)
        )),
        Some((lag, None)) => Ok(format!("every slot was sent, at most {} behind its time", millis(lag))),
        Some((lag, Some(all))) => Ok(format!(
            "every slot was sent, at most {} behind its time, 99.9 % within {}",
            millis(lag),
            millis(all.p999)
        )),
        None => Err("whether the load kept its schedule is not on record".into()),
    }
}

/// A hypothesis' journey has enough data: each whole second, and the slots that its rate asks for.
fn data(history: &History, analysis: &Analysis, window: Window, name: &str) -> Check {
    let at = history.header.journeys.iter().position(|journey| journey.name == name);
    let Some((loaded, journey)) = at.map(|at| (&history.header.journeys[at], &analysis.journeys[at])) else {
        return Err(format!("{name}: the load has no such journey"));
    };
    let JourneyAnalysis { slots, seconds, .. } = journey;
    if slots.planned < MIN_SLOTS {
        return Err(format!(
            "{name}: {} after the injection, at least {MIN_SLOTS} are needed",
            counted(slots.planned, "slot")
        ));
    }
    let whole = window.whole.saturating_sub(window.first);
    let empty = seconds
        .iter()
        .take(window.index(window.whole))
        .filter(|tally| tally.planned == 0)
        .count();
    if empty > 0 {
        return Err(format!(
            "{name}: no data in {} of {whole}",
            counted(empty as u64, "second")
        ));
    }
    let asked = u64::from(loaded.rate) * whole;
    if asked > 0 && !super::availability::at_least(slots.planned, asked, PLANNED_PPM) {
        return Err(format!(
            "{name}: {} planned, its rate asks for {}",
            counted(slots.planned, "slot"),
            count(asked)
        ));
    }
    Ok(format!(
        "{name}: {} after the injection",
        counted(slots.planned, "slot")
    ))
}

/// Why the observation was too short for a claim, though as long as planned.
fn unseen(finding: &Finding, window: Window) -> Option<String> {
    let name = &finding.hypothesis.journey;
    match (&finding.hypothesis.claim, &finding.measured) {
        (Claim::RecoversWithin { within, .. }, _) => {
            let observed = window.whole.saturating_sub(window.first);
            let needed = within.as_micros().div_ceil(1_000_000) + WINDOW as u128;
            let fits = u128::from(observed) >= needed;
            (!fits).then(|| {
                format!(
                    "{name}: no window of {WINDOW} s from {} on fits into an observation of {observed} s",
                    length(*within)
                )
            })
        }
        (Claim::LongestOutage { .. }, Measured::LongestOutage { open: true, .. })
            if finding.outcome == Outcome::Held =>
        {
            Some(format!(
                "{name}: its last outage may not have been over at the end of the observation"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
