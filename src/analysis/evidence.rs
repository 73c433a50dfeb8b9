//! Whether a run proves anything: what speaks for it, and what is lacking.
//!
//! No data is never health. Each check either finds its evidence and says so, or says what is lacking; one thing that is
//! lacking makes the run inconclusive.

use std::collections::BTreeMap;

use super::figures::{count, counted, failure_kind, length, millis, seconds};
use super::nodes::StruckNode;
use super::outages::WINDOW;
use super::verdict::{Finding, Measured, Outcome};
use super::window::Window;
use super::{Analysis, JourneyAnalysis};
use crate::model::experiment::Claim;
use crate::model::fault::Mode;
use crate::model::history::{FailureKind, History, What};

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
        evidence.add(injection(analysis, window));
        for node in &analysis.nodes.struck {
            evidence.add(failure(analysis.mode, node));
        }
        evidence.add(observation(history, window));
        evidence.add(schedule(history, analysis));
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

/// The fault struck nodes, and pods on them.
fn injection(analysis: &Analysis, window: Window) -> Check {
    let (nodes, pods) = (analysis.nodes.struck.len() as u64, analysis.victims.len() as u64);
    let mode = analysis.mode.name();
    match (nodes, pods) {
        (0, _) => Err(format!("{mode} struck no node")),
        (_, 0) => Err(format!(
            "{mode} struck {}, but no pod ran there",
            counted(nodes, "node")
        )),
        _ => Ok(format!(
            "{mode} struck {} with {} at {} of cluster time",
            counted(nodes, "node"),
            counted(pods, "pod"),
            seconds(window.injected)
        )),
    }
}

/// The fault was seen to happen to a node. A machine that stops must have been seen from below Kubernetes *and* by it.
fn failure(mode: Mode, node: &StruckNode) -> Check {
    let name = &node.node;
    match mode {
        Mode::Terminate | Mode::Kill => {
            let lost = node
                .machine_lost
                .ok_or_else(|| format!("node {name}: its machine was not seen to stop"))?;
            if node.not_ready.is_none() && node.deleted.is_none() {
                return Err(format!(
                    "node {name}: Kubernetes did not see it fail (neither NotReady nor deleted)"
                ));
            }
            let not_ready = node
                .not_ready
                .map(|t| format!(", NotReady after {}", seconds(t)))
                .unwrap_or_default();
            let deleted = node.deleted.zip(node.deleted_by.as_ref());
            let deleted = deleted
                .map(|(t, by)| format!(", deleted by {by} after {}", seconds(t)))
                .unwrap_or_default();
            Ok(format!(
                "node {name}: machine stopped after {}{not_ready}{deleted}",
                seconds(lost)
            ))
        }
        Mode::Delete => match (node.deleted, node.deleted_by.as_deref()) {
            (Some(t), Some("fault")) => Ok(format!("node {name}: deleted by the fault after {}", seconds(t))),
            (_, Some(by)) => Err(format!("node {name}: its object was deleted by {by}, not by the fault")),
            _ => Err(format!("node {name}: its object was not deleted")),
        },
    }
}

/// The observation was as long as planned.
fn observation(history: &History, window: Window) -> Check {
    let planned = history.header.plan.observe;
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
    match history.end.as_ref().map(|end| end.max_lag) {
        Some(lag) if lag > MAX_LAG => Err(format!(
            "the load did not keep its schedule: up to {} behind, {} allowed",
            millis(lag),
            millis(MAX_LAG)
        )),
        Some(lag) => Ok(format!("every slot was sent, at most {} behind its time", millis(lag))),
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
