//! A preview for the terminal.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Preview, Times, Workload};

/// The width of a line.
const WIDTH: usize = 80;

pub(super) fn text(preview: &Preview) -> String {
    let mut out = String::new();
    let mut line = |indent: usize, text: &str| wrap(&mut out, indent, text);
    line(
        0,
        &format!(
            "plan `{}` on {}: nothing is changed by this",
            preview.experiment, preview.cluster
        ),
    );
    line(0, "");
    for fault in &preview.faults {
        line(0, &format!("{}: {}", fault.fault, fault.nodes.join(", ")));
        for undo in &fault.undo {
            line(2, &format!("undo: {undo}"));
        }
    }
    let radius = &preview.radius;
    line(0, "");
    line(
        0,
        &format!(
            "blast radius: {} of {} workers ({} %)",
            radius.nodes, radius.workers, radius.percent
        ),
    );
    for workload in &radius.workloads {
        line(2, &reach(workload));
    }
    for budget in &radius.budgets {
        line(
            2,
            &format!(
                "budget {}/{}: {} of its pods, {} may be disrupted (only evictions ask it)",
                budget.namespace, budget.name, budget.struck, budget.allowed
            ),
        );
    }
    let single = radius.workloads.iter().filter(|it| it.is_single()).count();
    let dark = radius
        .workloads
        .iter()
        .filter(|it| it.goes_dark() && it.kind != "DaemonSet")
        .count();
    line(0, &format!("single replicas: {single}; without any pod left: {dark}"));
    line(0, "");
    line(0, &format!("duration: {}", times(preview.duration)));
    out
}

fn reach(workload: &Workload) -> String {
    let Workload {
        namespace,
        kind,
        name,
        struck,
        pods,
    } = workload;
    let note = match () {
        () if kind == "Pod" => ": nothing brings it back",
        () if workload.is_single() => ": its only replica",
        () if workload.goes_dark() && kind != "DaemonSet" => ": all of its replicas",
        () => "",
    };
    format!("{namespace}/{name} ({kind}): {struck} of {pods} pods{note}")
}

fn times(times: Times) -> String {
    let Times {
        steady,
        observe,
        drain,
        undo,
    } = times;
    let mut text = format!(
        "at least {}: steady state {}, observation {}, drain {}",
        length(steady + observe + drain),
        length(steady),
        length(observe),
        length(drain)
    );
    if !undo.is_zero() {
        let _ = write!(text, "; then undoing, at most {}", length(undo));
    }
    text
}

fn length(length: Duration) -> String {
    match (length.as_secs() / 60, length.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// A line, broken between words where it is too long; what follows stands two further in.
fn wrap(out: &mut String, indent: usize, text: &str) {
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
