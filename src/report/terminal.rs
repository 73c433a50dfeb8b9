//! One run, or two side by side, for people: at most 80 columns.

use super::RunView;
use super::table::{Row, WIDTH, layout, wrap};
use crate::analysis::figures::{by_field, claim, counted, faults, from_documents, length, millis, percent, seconds};
use crate::analysis::{JourneyAnalysis, Outcome, Phase};
use crate::model::experiment::Hypothesis;

/// The mark of a hypothesis that held.
const HELD: char = '✓';
/// The mark of a hypothesis that was violated.
const VIOLATED: char = '✗';
/// The mark of a hypothesis without a measure.
const UNKNOWN: char = '?';

/// The runs in pairs side by side (the last one alone when their number is odd), then what each of them rests on. Plain
/// text without colours; what both runs of a pair share stands above the table once.
#[must_use]
pub fn render(runs: &[RunView<'_>]) -> String {
    let mut lines = Vec::new();
    for pair in runs.chunks(2) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(table(pair));
        for run in pair {
            lines.push(String::new());
            lines.extend(grounds(run));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// One run, or the first two side by side, without what they rest on.
#[must_use]
pub fn side_by_side(runs: &[RunView<'_>]) -> String {
    let mut lines = table(&runs[..runs.len().min(2)]);
    lines.push(String::new());
    lines.join("\n")
}

/// The table of one or two runs.
fn table(pair: &[RunView<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let (shared, own): (Vec<Row>, Vec<Row>) = plan(pair)
        .into_iter()
        .partition(|row| row.cells.iter().all(|cell| *cell == row.cells[0]));
    let shared: Vec<Row> = shared
        .into_iter()
        .map(|row| Row::new(row.label, row.cells.into_iter().take(1)))
        .collect();
    if !shared.is_empty() {
        lines.extend(layout(&shared, 1));
        lines.push(String::new());
    }
    lines.extend(layout(
        &[Row::new("", pair.iter().map(|run| run.header.application.clone()))],
        pair.len(),
    ));
    lines.push("─".repeat(WIDTH));
    lines.extend(layout(&own, pair.len()));
    lines.extend(layout(&rows(pair), pair.len()));
    lines
}

/// A rendered report with its marks in plain ANSI colours: held green, violated red.
#[must_use]
pub fn coloured(report: &str) -> String {
    let mut text = String::with_capacity(report.len() + 64);
    for letter in report.chars() {
        let colour = match letter {
            HELD => "32",
            VIOLATED => "31",
            _ => {
                text.push(letter);
                continue;
            }
        };
        text.extend(["\u{1b}[", colour, "m"]);
        text.push(letter);
        text.push_str("\u{1b}[0m");
    }
    text
}

/// What was planned, and on what.
fn plan(runs: &[RunView<'_>]) -> Vec<Row> {
    let row = |label: &str, cell: fn(&RunView<'_>) -> String| Row::new(label, runs.iter().map(cell));
    vec![
        row("experiment", |run| run.header.plan.name.clone()),
        row("fault", |run| faults(&run.header.plan)),
        row("observed for", |run| length(run.header.plan.observe)),
        row("cluster", |run| {
            format!(
                "{}, {}, seed {}",
                run.header.cluster, run.header.profile, run.header.seed
            )
        }),
    ]
}

/// What was measured.
fn rows(runs: &[RunView<'_>]) -> Vec<Row> {
    let row = |label: &str, cell: fn(&RunView<'_>) -> String| Row::new(label, runs.iter().map(cell));
    let mut rows = vec![
        row("verdict", verdict),
        row("nodes: before, fewest, most", |run| {
            let nodes = &run.analysis.nodes;
            format!("{}, {}, {}", nodes.before, nodes.fewest, nodes.most)
        }),
        row("struck", |run| {
            let (nodes, pods) = (
                run.analysis.nodes.struck.len() as u64,
                run.analysis.victims.len() as u64,
            );
            format!("{}, {}", counted(nodes, "node"), counted(pods, "pod"))
        }),
        row("unschedulable", |run| match &run.analysis.pods {
            pods if pods.unschedulable == 0 => "no pod".into(),
            pods => format!(
                "{}, up to {}",
                counted(u64::from(pods.unschedulable), "pod"),
                seconds(pods.longest_pending)
            ),
        }),
    ];
    for name in union(runs, |run| {
        run.analysis
            .journeys
            .iter()
            .map(|journey| journey.name.as_str())
            .collect()
    }) {
        rows.push(Row::new("", []));
        journey(name, runs, &mut rows);
    }
    let hypotheses = union(runs, |run| run.header.plan.hypotheses.iter().collect());
    let mut about: Vec<&str> = Vec::new();
    for hypothesis in &hypotheses {
        if !about.contains(&hypothesis.journey.as_str()) {
            about.push(&hypothesis.journey);
        }
    }
    for name in about {
        rows.push(Row::new("", []));
        rows.push(Row::new(format!("hypotheses on {name}"), []));
        for hypothesis in hypotheses.iter().filter(|hypothesis| hypothesis.journey == name) {
            rows.push(Row::new(
                format!("  {}", claim(&hypothesis.claim)),
                runs.iter().map(|run| mark(run, hypothesis)),
            ));
        }
    }
    rows
}

/// Everything that one of the runs has, in the order of the first that has it.
fn union<'a, T: PartialEq>(runs: &[RunView<'a>], of: impl Fn(&RunView<'a>) -> Vec<T>) -> Vec<T> {
    let mut all = Vec::new();
    for one in runs.iter().flat_map(of) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn verdict(run: &RunView<'_>) -> String {
    let (found, expected) = (run.judgement.verdict, run.header.plan.expected);
    if found == expected {
        format!("{}, as expected", found.name())
    } else {
        format!("{}, expected {}", found.name(), expected.name())
    }
}

fn mark(run: &RunView<'_>, hypothesis: &Hypothesis) -> String {
    let Some(finding) = run
        .judgement
        .findings
        .iter()
        .find(|finding| finding.hypothesis == *hypothesis)
    else {
        return "-".into();
    };
    let mark = match finding.outcome {
        Outcome::Held => HELD,
        Outcome::Violated => VIOLATED,
        Outcome::Unknown => UNKNOWN,
    };
    format!("{mark} {}", finding.measured.describe())
}

fn journey(name: &str, runs: &[RunView<'_>], rows: &mut Vec<Row>) {
    let find = |run: &RunView<'_>| run.analysis.journeys.iter().position(|journey| journey.name == name);
    rows.push(Row::new(format!("journey {name}"), []));
    let victims = runs
        .iter()
        .map(|run| find(run).map_or_else(|| "-".into(), |at| victims(run, at)));
    rows.push(Row::new("  victims on its path", victims));
    let mut row = |label: &str, cell: &dyn Fn(&JourneyAnalysis) -> String| {
        let cells = runs
            .iter()
            .map(|run| find(run).map_or_else(|| "-".into(), |at| cell(&run.analysis.journeys[at])));
        rows.push(Row::new(label, cells));
    };
    let availability = |journey: &JourneyAnalysis| journey.availability_ppm().map_or_else(|| "no data".into(), percent);
    let after = |after: u64| format!("{} s", crate::analysis::figures::count(after));
    row("  availability", &availability);
    row("  longest outage", &|journey| {
        if journey.outages.is_empty() {
            "none".into()
        } else {
            after(journey.longest_outage())
        }
    });
    row("  recovered after", &|journey| {
        journey.recovered_at.map_or_else(|| "never".into(), after)
    });
    row("  bad seconds", &|journey| after(journey.bad_seconds));
    for phase in Phase::ALL {
        let seconds = |journey: &JourneyAnalysis| {
            journey
                .phases
                .iter()
                .find(|time| time.phase == phase)
                .map_or(0, |time| time.seconds)
        };
        let any = runs
            .iter()
            .filter_map(|run| find(run).map(|at| seconds(&run.analysis.journeys[at])))
            .any(|seconds| seconds > 0);
        if any {
            row(&format!("    {}", phase.name()), &|journey| after(seconds(journey)));
        }
    }
    row("  latency p99 at most", &|journey| {
        journey.latency.p99.map_or_else(|| "-".into(), millis)
    });
    row("  consistency anomalies", &|journey| {
        crate::analysis::figures::count(journey.anomalies)
    });
}

/// The apps on a journey's path that lost pods, in the order of the path: `carts, orders x2`.
fn victims(run: &RunView<'_>, journey: usize) -> String {
    let path = run
        .header
        .journeys
        .get(journey)
        .map_or(&[][..], |journey| &journey.path);
    let lost = path.iter().filter_map(|app| {
        let pods = run.analysis.victims.iter().filter(|victim| victim.app == *app).count();
        match pods {
            0 => None,
            1 => Some(app.clone()),
            pods => Some(format!("{app} x{pods}")),
        }
    });
    let lost: Vec<String> = lost.collect();
    if lost.is_empty() {
        "none".into()
    } else {
        lost.join(", ")
    }
}

/// What a run rests on: reasons, evidence, and what was not modelled or assumed.
fn grounds(run: &RunView<'_>) -> Vec<String> {
    let mut lines = wrap(
        &format!("{}: {}", run.header.application, run.judgement.verdict.name()),
        WIDTH,
        2,
    );
    let mut list = |lead: &str, texts: &[String]| {
        lines.extend(texts.iter().flat_map(|text| wrap(&format!("  {lead}{text}"), WIDTH, 4)));
    };
    list("because ", &run.judgement.reasons);
    list("- ", &run.judgement.evidence);
    list("- ", &from_documents(&run.header.plan));
    list("- not modelled: ", &by_field(&run.header.not_modelled));
    list("- assumed to answer 200: ", &run.header.assumed);
    lines
}

#[cfg(test)]
mod tests;
