use std::error::Error as _;

use proptest::prelude::*;

use super::*;
use crate::model::history::sample::{at, healthy, second};
use crate::model::history::{Failure, FailureKind, Victim, What};

fn text(history: &History) -> String {
    String::from_utf8(history.to_bytes()).unwrap()
}

fn read(text: &str) -> Result<History, FileError> {
    History::from_bytes(text.as_bytes())
}

/// The healthy history's lines with one of them replaced; lines count from 1.
fn with_line(line: usize, by: &str) -> String {
    let text = text(&healthy());
    let mut lines: Vec<&str> = text.lines().collect();
    lines[line - 1] = by;
    lines.join("\n") + "\n"
}

#[test]
fn what_was_written_reads_the_same_and_twice_gives_the_same_bytes() {
    let history = healthy();
    assert_eq!(read(&text(&history)).unwrap(), history);
    assert_eq!(history.to_bytes(), history.clone().to_bytes());
}

#[test]
fn events_and_seconds_are_merged_by_time_with_events_first_and_the_end_last() {
    let text = text(&healthy());
    let kinds: Vec<_> = text.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(
        kinds[..5],
        ["header", "event", "event", "event", "second"],
        "the load starts at second 70, its event comes first"
    );
    assert_eq!(
        kinds[kinds.len() - 2..],
        ["event", "end"],
        "the observation ends after its last second"
    );
    let injected = text
        .lines()
        .position(|line| line.contains("\"event\":\"injected\""))
        .unwrap();
    assert!(text.lines().nth(injected + 1).unwrap().contains("\"s\":100"));
    assert!(text.lines().nth(injected - 2).unwrap().contains("\"s\":99"));
}

#[test]
fn the_fields_of_a_record_may_stand_in_any_order() {
    let text = text(&healthy());
    let moved = |kind: &str, line: &str| match line.strip_prefix(&format!("{{\"record\":\"{kind}\",")) {
        Some(rest) => format!(
            "{},\"record\":\"{kind}\"}}\n",
            rest.strip_suffix('}').map(|rest| format!("{{{rest}")).unwrap()
        ),
        None => format!("{line}\n"),
    };
    for kind in ["event", "second", "end"] {
        let other: String = text.lines().map(|line| moved(kind, line)).collect();
        assert_ne!(other, text);
        assert_eq!(read(&other).unwrap(), healthy());
    }
}

#[test]
fn a_missing_end_is_a_history_that_was_cut_off() {
    let mut history = healthy();
    history.end = None;
    assert_eq!(read(&text(&history)).unwrap(), history);
}

#[test]
fn a_last_line_cut_in_the_middle_is_dropped_but_only_the_last() {
    let whole = text(&healthy());
    let read = read(whole.trim_end().trim_end_matches('}')).unwrap();
    assert_eq!((read.end, read.seconds.len()), (None, healthy().seconds.len()));
    let error = self::read(&with_line(9, "{\"record\":\"second\",\"s\":")).unwrap_err();
    assert!(matches!(error, FileError::NotJson { line: 9, .. }), "{error}");
}

#[test]
fn a_file_without_a_header_is_no_history() {
    for no_header in [
        "",
        "\n",
        "[]\n",
        "{}\n",
        "{\"record\":\"observed\"}\n",
        "{\"record\":\"end\",\"t\":1,\"max_lag\":0,\"hops\":0}\n",
    ] {
        assert!(matches!(read(no_header), Err(FileError::NoHeader)), "{no_header}");
    }
    assert!(matches!(read("nonsense"), Err(FileError::NotJson { line: 1, .. })));
    assert!(matches!(
        read("{\"record\":\"header\",\"format\":1}\n"),
        Err(FileError::NotARecord { line: 1, .. })
    ));
}

#[test]
fn another_format_is_refused_before_its_header_is_understood() {
    let error = read("{\"record\":\"header\",\"format\":2,\"of\":\"the future\"}\n").unwrap_err();
    assert!(matches!(error, FileError::Format { found: 2 }));
    assert_eq!(
        error.to_string(),
        "line 1: expected a history of format 1, found format 2; read it with the version of steadfast that wrote it"
    );
}

#[test]
fn a_line_that_is_no_record_is_named_with_its_cause() {
    let error = read(&with_line(7, "{\"record\":\"second\",\"s\":true}")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 7: expected a record: an event, a second or the end"
    );
    assert!(error.source().unwrap().to_string().contains("boolean `true`"));
    assert!(matches!(
        read(&with_line(7, "{\"record\":\"rumour\"}")),
        Err(FileError::NotARecord { line: 7, .. })
    ));
    assert!(matches!(
        read(&with_line(7, "")),
        Err(FileError::NotJson { line: 7, .. })
    ));
}

#[test]
fn a_second_header_is_refused() {
    let text = text(&healthy());
    let header = text.lines().next().unwrap();
    assert!(matches!(
        read(&with_line(4, header)),
        Err(FileError::SecondHeader { line: 4 })
    ));
}

#[test]
fn records_of_a_kind_come_in_order() {
    let mut history = healthy();
    history.events.swap(5, 6);
    let error = read(&text(&history)).unwrap_err();
    assert!(matches!(error, FileError::Order { .. }));
    assert!(
        error
            .to_string()
            .ends_with("expected an event not before the last one at 110000000 us, found one at 101000000 us"),
        "{error}"
    );
    let mut history = healthy();
    history.seconds.insert(3, second(72, 50));
    let error = read(&text(&history)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("(second 72, journey 0), found second 72, journey 0"),
        "{error}"
    );
}

#[test]
fn a_second_may_be_written_after_later_events() {
    let text = text(&healthy());
    let mut lines: Vec<&str> = text.lines().collect();
    let last_second = lines
        .iter()
        .rposition(|line| line.contains("\"record\":\"second\""))
        .unwrap();
    lines.swap(last_second, last_second + 1);
    assert_eq!(read(&(lines.join("\n") + "\n")).unwrap(), healthy());
}

#[test]
fn nothing_may_follow_the_end() {
    let lines = text(&healthy()).lines().count();
    let error = read(&(text(&healthy()) + "\n")).unwrap_err();
    assert!(
        matches!(error, FileError::Trailing { line, end } if line == lines + 1 && end == lines),
        "{error}"
    );
}

#[test]
fn a_file_is_written_and_read_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    healthy().write(&path).unwrap();
    assert_eq!(History::read(&path).unwrap(), healthy());
    let error = History::read(folder.path().join("none.jsonl")).unwrap_err();
    assert!(error.to_string().contains("none.jsonl"), "{error}");
}

/// Any kind of event that has something to lose on the way to a file.
fn what() -> impl Strategy<Value = What> {
    let name = "[a-zé\"\\\\ ]{0,6}";
    prop_oneof![
        Just(What::LoadStarted),
        Just(What::Observed),
        name.prop_map(|text| What::Note { text }),
        (name, name).prop_map(|(node, by)| What::NodeDeleted { node, by }),
        (any::<u32>(), any::<bool>()).prop_map(|(seconds, met)| What::SteadyState { seconds, met }),
        (name, proptest::collection::vec(name, 0..3)).prop_map(|(service, ready)| What::Endpoints { service, ready }),
        (name, name).prop_map(|(fault, pod)| What::Injected {
            fault,
            nodes: vec![pod.clone()],
            pods: vec![Victim {
                pod,
                app: String::new(),
                node: "n".into()
            }]
        }),
    ]
}

fn any_second() -> impl Strategy<Value = Second> {
    let kind = prop_oneof![Just(FailureKind::Dns), any::<u16>().prop_map(FailureKind::Status)];
    let failure = (any::<u32>(), kind, any::<u32>(), any::<u64>());
    let failures = proptest::collection::vec(
        failure.prop_map(|(step, kind, count, first)| Failure {
            step,
            kind,
            count,
            first,
        }),
        0..3,
    );
    (
        any::<u32>(),
        any::<u32>(),
        0..3_u32,
        proptest::collection::vec((0..68_u16, any::<u32>()), 0..4),
        failures,
    )
        .prop_map(|(planned, good, anomalies, latency, failures)| Second {
            planned,
            good,
            slots: "3g".into(),
            latency,
            anomalies,
            failures,
            ..Second::default()
        })
}

proptest! {
    #[test]
    fn every_history_reads_as_it_was_written(
        events in proptest::collection::vec((0_u64..200, what()), 0..20),
        seconds in proptest::collection::btree_map((0_u64..200, 0_u32..2), any_second(), 0..20),
        seed: u64,
        ended: bool,
    ) {
        let mut history = healthy();
        history.header.seed = seed;
        history.end = history.end.filter(|_| ended);
        history.events = events.into_iter().map(|(s, what)| Event { t: at(s) / 2, what }).collect();
        history.events.sort_by_key(|event| event.t);
        history.seconds = seconds.into_iter().map(|((s, journey), second)| Second { s, journey, ..second }).collect();
        prop_assert_eq!(History::from_bytes(&history.to_bytes()).unwrap(), history);
    }
}

/// A run of the usual size: 600 s of two journeys with failures, and some hundred events.
fn usual() -> History {
    let mut history = healthy();
    history.header.journeys.push(history.header.journeys[0].clone());
    history.seconds = (0..600)
        .flat_map(|s| {
            [0, 1].map(|journey| Second {
                journey,
                ..second(s, 50)
            })
        })
        .collect();
    let name = |n: u64| format!("front-end-6d5f9b7c4d-{n:05}");
    for n in 0..600 {
        history.add(
            at(n),
            What::PodReady {
                pod: name(n),
                app: "front-end".into(),
            },
        );
    }
    history
        .forget(|what| matches!(what, What::Observed))
        .add(at(600), What::Observed);
    history
}

#[test]
#[ignore = "a measurement: run it with --release --nocapture"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn the_time_a_usual_history_takes() {
    let history = usual();
    let bytes = history.to_bytes();
    let time = |what: &str, run: &dyn Fn()| {
        let start = std::time::Instant::now();
        (0..20).for_each(|_| run());
        println!("{what}: {:?} for {} bytes", start.elapsed() / 20, bytes.len());
    };
    time("written", &|| assert_eq!(history.to_bytes().len(), bytes.len()));
    time("read", &|| {
        assert_eq!(
            History::from_bytes(&bytes).unwrap().seconds.len(),
            history.seconds.len()
        );
    });
    time("analysed", &|| {
        assert_eq!(crate::analysis::analyse(&history).journeys.len(), 2);
    });
}
