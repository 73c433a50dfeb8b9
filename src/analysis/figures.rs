//! How figures and plans are written in reports: one way for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::experiment::{Claim, Plan};
use crate::model::fault::{Fault, Mode, NodeFailure, PodFailure, PodSelection, Selection};
use crate::model::history::FailureKind;
use crate::model::units;

/// A share with one decimal, rounded down: 999,999 ppm are `99.9 %`, since `100.0 %` says that nothing failed.
#[must_use]
pub fn percent(ppm: u32) -> String {
    format!("{}.{} %", ppm / 10_000, ppm / 1_000 % 10)
}

/// A limit with all its decimals and no more: `99 %`, `99.95 %`.
#[must_use]
pub fn limit(ppm: u32) -> String {
    let decimals = format!("{:04}", ppm % 10_000);
    match decimals.trim_end_matches('0') {
        "" => format!("{} %", ppm / 10_000),
        decimals => format!("{}.{decimals} %", ppm / 10_000),
    }
}

/// Microseconds as whole seconds, rounded to the nearest: `47 s`.
#[must_use]
pub fn seconds(micros: u64) -> String {
    format!("{} s", count(micros.saturating_add(500_000) / 1_000_000))
}

/// From the first to the last time in whole seconds: `47 s`, or `47..61 s`.
#[must_use]
pub fn span(first: u64, last: u64) -> String {
    let (from, to) = (seconds(first), seconds(last));
    if from == to {
        from
    } else {
        format!("{}..{to}", from.trim_end_matches(" s"))
    }
}

/// Microseconds as milliseconds, rounded up: `12 ms`.
#[must_use]
pub fn millis(micros: u64) -> String {
    format!("{} ms", count(micros.div_ceil(1_000)))
}

/// A whole number with commas: `12,000`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 node`, `2 nodes`.
#[must_use]
pub fn counted(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A planned length of time: whole seconds as `60 s`, others as data files have them, `2500ms`.
#[must_use]
pub fn length(length: Duration) -> String {
    if length.subsec_nanos() == 0 {
        format!("{} s", count(length.as_secs()))
    } else {
        units::text::format(length)
    }
}

/// How a request failed: `status 404`, `connect time-out`.
#[must_use]
pub fn failure_kind(kind: FailureKind) -> String {
    match kind {
        FailureKind::Dns => "name not resolved".into(),
        FailureKind::Refused => "connection refused".into(),
        FailureKind::Unreachable => "no route to host".into(),
        FailureKind::ConnectTimeout => "connect time-out".into(),
        FailureKind::ReadTimeout => "read time-out".into(),
        FailureKind::Reset => "connection reset".into(),
        FailureKind::Status(status) => format!("status {status}"),
        FailureKind::Content => "unexpected content".into(),
        FailureKind::WrongService => "answered by another service".into(),
        FailureKind::Protocol => "no HTTP answer".into(),
    }
}

/// A fault: `terminate-nodes, 40 % of the nodes`.
#[must_use]
pub fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Nodes(failure) => nodes(failure),
        Fault::Pods(failure) => pods(failure),
    }
}

/// All faults of a plan: `freeze-nodes, 1 node; drain-nodes, 1 node, 30 s later`.
#[must_use]
pub fn faults(plan: &Plan) -> String {
    let all: Vec<String> = plan.faults().map(fault).collect();
    all.join("; ")
}

/// What of a plan's faults rests on documents alone, one sentence each.
#[must_use]
pub fn from_documents(plan: &Plan) -> Vec<String> {
    let mut modes: Vec<Mode> = plan.faults().filter_map(Fault::mode).collect();
    modes.sort_unstable();
    modes.dedup();
    let line = |mode: Mode| {
        mode.from_documents()
            .map(|what| format!("{}: from documents, not measured: {what}", mode.name()))
    };
    modes.into_iter().filter_map(line).collect()
}

fn nodes(failure: &NodeFailure) -> String {
    let nodes = match &failure.selection {
        Selection::Percent(percent) => format!("{percent} % of the nodes"),
        Selection::Count(nodes) => counted(u64::from(*nodes), "node"),
        Selection::Name(name) => format!("node {name}"),
        Selection::Label(key, value) => format!("nodes with {key}={value}"),
        Selection::Zone(zone) => format!("nodes in zone {zone}"),
    };
    let mut text = format!("{}, {nodes}", failure.mode.name());
    if let Some(length) = failure.return_after {
        text.extend([", back after ", &self::length(length)]);
    }
    timed(&mut text, failure.after, failure.stagger, failure.seed);
    text
}

fn pods(failure: &PodFailure) -> String {
    let of = match &failure.selection {
        PodSelection::App(app) => format!("of {app}"),
        PodSelection::Label(key, value) => format!("with {key}={value}"),
    };
    let number = match failure.count {
        Some(count) => counted(u64::from(count), "pod"),
        None => "all pods".into(),
    };
    let mut text = format!("{}, {number} {of}", PodFailure::NAME);
    if let Some(namespace) = &failure.namespace {
        text.extend([" in ", namespace]);
    }
    if let Some(grace) = failure.grace {
        text.extend([", grace ", &count(grace), " s"]);
    }
    timed(&mut text, failure.after, failure.stagger, failure.seed);
    text
}

fn timed(text: &mut String, after: Option<Duration>, stagger: Option<Duration>, seed: Option<u64>) {
    for part in [
        after.map(|after| format!(", {} later", length(after))),
        stagger.map(|stagger| format!(", {} apart", length(stagger))),
        seed.map(|seed| format!(", chosen with seed {seed}")),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(&part);
    }
}

/// A claim: `availability at least 90 %`.
#[must_use]
pub fn claim(claim: &Claim) -> String {
    match claim {
        Claim::Availability { at_least_ppm } => format!("availability at least {}", limit(*at_least_ppm)),
        Claim::RecoversWithin {
            within,
            at_least_ppm: super::outages::GOOD_PPM,
        } => format!("recovers within {}", length(*within)),
        Claim::RecoversWithin { within, at_least_ppm } => {
            format!("recovers within {} to {}", length(*within), limit(*at_least_ppm))
        }
        Claim::LongestOutage { at_most } => format!("no outage longer than {}", length(*at_most)),
    }
}

/// Fields of objects (`Deployment/carts: spec.x`) with the objects of each field together: `spec.x of Deployment/carts, orders`.
#[must_use]
pub fn by_field(entries: &[String]) -> Vec<String> {
    let mut fields: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for entry in entries {
        let (object, field) = entry.split_once(": ").unwrap_or((entry, ""));
        let (kind, name) = object.split_once('/').unwrap_or((object, ""));
        fields.entry((field, kind)).or_default().push(name);
    }
    let line = |((field, kind), names): ((&str, &str), Vec<&str>)| format!("{field} of {kind}/{}", names.join(", "));
    fields.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(
            [percent(999_999), percent(1_000_000), percent(0), percent(4_567)],
            ["99.9 %", "100.0 %", "0.0 %", "0.4 %"]
        );
    }

    #[test]
    fn limits_keep_their_decimals() {
        assert_eq!(
            [limit(900_000), limit(999_500), limit(1), limit(1_000_000)],
            ["90 %", "99.95 %", "0.0001 %", "100 %"]
        );
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest_and_lags_up() {
        assert_eq!(
            [seconds(499_999), seconds(500_000), seconds(u64::MAX)],
            ["0 s", "1 s", "18,446,744,073,709 s"]
        );
        assert_eq!(
            [span(1_000_000, 1_400_000), span(1_000_000, 1_600_000)],
            ["1 s", "1..2 s"]
        );
        assert_eq!([millis(0), millis(1), millis(100_001)], ["0 ms", "1 ms", "101 ms"]);
    }

    #[test]
    fn numbers_have_commas_and_things_a_plural() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([counted(1, "node"), counted(0, "node")], ["1 node", "0 nodes"]);
    }

    #[test]
    fn plans_read_as_they_were_written() {
        assert_eq!(
            fault(&NodeFailure::terminate().percent(40).into()),
            "terminate-nodes, 40 % of the nodes"
        );
        assert_eq!(
            fault(&NodeFailure::kill().zone("eu-1").seed(3).into()),
            "kill-nodes, nodes in zone eu-1, chosen with seed 3"
        );
        let seconds = Duration::from_secs;
        let drained = NodeFailure::drain()
            .count(2)
            .return_after(seconds(60))
            .after(seconds(30))
            .stagger(seconds(5));
        assert_eq!(
            fault(&drained.into()),
            "drain-nodes, 2 nodes, back after 60 s, 30 s later, 5 s apart"
        );
        assert_eq!(
            fault(&PodFailure::delete().app("carts").count(1).grace(seconds(0)).into()),
            "delete-pods, 1 pod of carts, grace 0 s"
        );
        let within = Duration::from_millis(2_500);
        assert_eq!(
            claim(&Claim::RecoversWithin {
                within,
                at_least_ppm: 990_000
            }),
            "recovers within 2500ms"
        );
        assert_eq!(
            claim(&Claim::RecoversWithin {
                within,
                at_least_ppm: 999_000
            }),
            "recovers within 2500ms to 99.9 %"
        );
    }
}
