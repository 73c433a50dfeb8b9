//! The text of a run that a test approves: exact on the embedded cluster, rounded to 1 s and 0.1 %.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::figures::{by_field, counted, faults, from_documents, length, percent, seconds, span};
use super::{Analysis, JourneyAnalysis, Judgement};
use crate::model::history::Header;

/// The snapshot of a run. Times are seconds from the injection. Names of pods are left out: a pod is named by its app.
#[must_use]
pub fn snapshot(header: &Header, analysis: &Analysis, judgement: &Judgement) -> String {
    let mut text = String::new();
    for line in lines(header, analysis, judgement) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn lines(header: &Header, analysis: &Analysis, judgement: &Judgement) -> Vec<String> {
    let plan = &header.plan;
    let simulation = header
        .simulation
        .as_ref()
        .map(|version| format!(", simulation {version}"))
        .unwrap_or_default();
    let mut lines = vec![
        format!("application: {}", header.application),
        format!(
            "cluster: {}, profile {}, seed {}{simulation}",
            header.cluster, header.profile, header.seed
        ),
        format!("experiment: {}", plan.name),
        format!("fault: {}; observed for {}", faults(plan), length(plan.observe)),
        format!("verdict: {}", judgement.verdict.name()),
    ];
    lines.extend(judgement.reasons.iter().map(|reason| format!("  because {reason}")));
    lines.extend([String::new(), "hypotheses".into()]);
    lines.extend(
        judgement
            .findings
            .iter()
            .map(|finding| format!("  {}", finding.describe())),
    );
    lines.push(String::new());
    nodes(analysis, &mut lines);
    for journey in &analysis.journeys {
        lines.push(String::new());
        self::journey(journey, &mut lines);
    }
    for (what, names) in [
        ("from documents", &from_documents(plan)),
        ("not modelled", &by_field(&header.not_modelled)),
        ("assumed to answer 200", &header.assumed),
    ] {
        if !names.is_empty() {
            lines.extend([String::new(), what.into()]);
            lines.extend(names.iter().map(|name| format!("  {name}")));
        }
    }
    lines
}

fn nodes(analysis: &Analysis, lines: &mut Vec<String>) {
    let nodes = &analysis.nodes;
    lines.push(format!(
        "nodes: {} before, fewest {}, most {}, {} at the end",
        nodes.before, nodes.fewest, nodes.most, nodes.at_end
    ));
    for struck in &nodes.struck {
        let mut apps: BTreeMap<&str, u64> = BTreeMap::new();
        for victim in analysis.victims.iter().filter(|victim| victim.node == struck.node) {
            *apps.entry(&victim.app).or_default() += 1;
        }
        let apps: Vec<String> = apps
            .into_iter()
            .map(|(app, n)| if n == 1 { app.into() } else { format!("{app} x{n}") })
            .collect();
        lines.push(format!(
            "  struck {}: {}",
            struck.node,
            if apps.is_empty() {
                "no pods".into()
            } else {
                apps.join(", ")
            }
        ));
        let impaired = struck.impaired.as_ref();
        let times = [
            ("notice of interruption", struck.noticed),
            ("cordoned", struck.cordoned),
            ("drained", struck.drained),
            (impaired.map_or("", |(_, how)| how), impaired.map(|(t, _)| *t)),
            ("machine lost", struck.machine_lost),
            ("NotReady", struck.not_ready),
            ("deleted", struck.deleted),
            ("machine back", struck.back),
            ("Ready again", struck.ready_again),
        ];
        let mut times: Vec<String> = times
            .into_iter()
            .filter_map(|(what, t)| t.map(|t| format!("{what} {}", seconds(t))))
            .collect();
        if struck.refused > 0 {
            times.push(format!("{} refused", counted(u64::from(struck.refused), "eviction")));
        }
        lines.push(format!(
            "    {}",
            if times.is_empty() {
                "nothing seen".into()
            } else {
                times.join(", ")
            }
        ));
    }
    lines.extend(
        nodes
            .machines
            .iter()
            .map(|(by, n)| format!("  {} started by {by}", counted(u64::from(*n), "machine"))),
    );
    let pods = &analysis.pods;
    if pods.unschedulable > 0 {
        let still = if pods.still_pending > 0 {
            format!(", {} still pending at the end", pods.still_pending)
        } else {
            String::new()
        };
        let waited = seconds(pods.longest_pending);
        lines.push(format!(
            "  {} unschedulable, longest pending {waited}{still}",
            counted(u64::from(pods.unschedulable), "pod")
        ));
        lines.extend(
            pods.reasons
                .iter()
                .map(|(reason, n)| format!("    {}: {reason}", counted(u64::from(*n), "pod"))),
        );
    }
}

fn journey(journey: &JourneyAnalysis, lines: &mut Vec<String>) {
    let availability = journey.availability_ppm().map_or_else(|| "no data".into(), percent);
    lines.push(format!("journey {}", journey.name));
    lines.push(format!("  availability: {availability}"));
    lines.push(format!("  bad seconds: {}", journey.bad_seconds));
    let outages = journey.outages.iter().map(|outage| {
        format!(
            "{} s at {} s{}",
            outage.seconds,
            outage.start,
            if outage.open { " (open)" } else { "" }
        )
    });
    lines.push(format!("  outages: {}", listed(outages)));
    lines.push(format!(
        "  recovered: {}",
        journey
            .recovered_at
            .map_or_else(|| "no".into(), |after| format!("after {after} s"))
    ));
    lines.push(format!("  anomalies: {}", journey.anomalies));
    lines.push(format!(
        "  phases: {}",
        listed(
            journey
                .phases
                .iter()
                .map(|time| format!("{} {} s", time.phase.name(), time.seconds))
        )
    ));
    for times in &journey.milestones {
        let missing = if times.reached < times.victims {
            format!(" ({} of {})", times.reached, times.victims)
        } else {
            String::new()
        };
        lines.push(format!(
            "    {}: {}{missing}",
            times.milestone.name(),
            span(times.first, times.last)
        ));
    }
}

/// A list on one line; at most [`MOST`] of it, and how many more.
fn listed(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.is_empty() {
        return "none".into();
    }
    let more = items.len().saturating_sub(MOST);
    if more > 0 {
        items.truncate(MOST);
        items.push(format!("and {more} more"));
    }
    items.join(", ")
}

/// The most outages that a snapshot lists.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{analyse, judge};
    use crate::model::history::sample::healthy;

    #[test]
    fn a_snapshot_says_all_that_a_test_approves() {
        let mut history = healthy();
        history.set(4, 0).set(5, 0).set(20, 90);
        history.at(6).anomalies = 2;
        history.header.not_modelled = vec!["HorizontalPodAutoscaler/carts: spec".into()];
        let analysis = analyse(&history);
        insta::assert_snapshot!(snapshot(&history.header, &analysis, &judge(&history, &analysis)), @r"
        application: sockshop-demo
        cluster: embedded, profile eks-workshop, seed 7, simulation 2
        experiment: terminate-eks-nodes
        fault: terminate-nodes, 40 % of the nodes; observed for 60 s
        verdict: held

        hypotheses
          checkout: availability at least 90 %: held, 96.5 %

        nodes: 2 before, fewest 1, most 2, 1 at the end
          struck a: carts, front-end
            machine lost 1 s, NotReady 10 s, deleted 12 s

        journey checkout
          availability: 96.5 %
          bad seconds: 3
          outages: 2 s at 4 s, 1 s at 20 s
          recovered: after 6 s
          anomalies: 2
          phases: unnoticed 1 s, detecting 1 s, evicting 1 s
            first error: 4 s
            node NotReady: 10 s

        not modelled
          spec of HorizontalPodAutoscaler/carts
        ");
    }

    #[test]
    fn no_line_ends_in_a_space_even_without_any_data() {
        let mut history = healthy();
        history.events.clear();
        history.seconds.clear();
        let analysis = analyse(&history);
        let text = snapshot(&history.header, &analysis, &judge(&history, &analysis));
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
        assert!(
            text.contains("verdict: inconclusive\n  because no fault was injected"),
            "{text}"
        );
    }
}
