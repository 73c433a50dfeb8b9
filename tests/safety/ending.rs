//! Whatever ends a run, its changes are undone.

use super::rig::{Broken, Cluster};

#[test]
fn ctrl_c_and_sigterm_undo_and_end_the_process_as_shells_expect() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        for body in ["wait", "block"] {
            let cluster = Cluster::new();
            let run = Broken::start(&cluster, &[("OWN_CLUSTER_THEN", body)]);
            run.signal(signal);
            assert_eq!(run.end().0, Some(code), "{signal} {body}");
            assert!(
                cluster.is_whole() && cluster.is_closed(),
                "{signal} {body}: {:?}",
                cluster.names()
            );
        }
    }
}

#[test]
fn a_panic_in_the_body_undoes_and_goes_on() {
    let cluster = Cluster::new();
    let run = Broken::start(&cluster, &[("OWN_CLUSTER_THEN", "panic")]);
    assert_eq!(run.end().0, Some(101));
    assert!(cluster.is_whole() && cluster.is_closed(), "{:?}", cluster.names());
}

#[test]
fn a_dropped_future_undoes_before_the_drop_returns() {
    let cluster = Cluster::new();
    let run = Broken::start(&cluster, &[("OWN_CLUSTER_THEN", "drop")]);
    assert_eq!(run.end().0, Some(0));
    assert!(cluster.is_whole() && cluster.is_closed(), "{:?}", cluster.names());
}

#[test]
fn what_ends_a_held_scope_undoes() {
    let ends = [
        ("", None, 0),
        ("forget", None, 0),
        ("panic", None, 101),
        ("wait", Some("-TERM"), 143),
        ("block", Some("-INT"), 130),
    ];
    for (then, signal, code) in ends {
        let cluster = Cluster::new();
        let run = Broken::start(&cluster, &[("OWN_CLUSTER_HELD", "yes"), ("OWN_CLUSTER_THEN", then)]);
        if let Some(signal) = signal {
            run.signal(signal);
        }
        assert_eq!(run.end().0, Some(code), "{then}");
        assert!(
            cluster.is_whole() && cluster.is_closed(),
            "{then}: {:?}",
            cluster.names()
        );
        // Four changes, each undone once: the first before the end.
        let text = std::fs::read_to_string(cluster.journal()).unwrap();
        let count = |record: &str| text.matches(&format!("\"record\":\"{record}\"")).count();
        assert_eq!((count("intent"), count("undone")), (4, 4), "{then}: {text}");
    }
}

#[test]
fn the_deadline_ends_what_is_held() {
    let cluster = Cluster::new();
    let set = [
        ("OWN_CLUSTER_HELD", "yes"),
        ("OWN_CLUSTER_THEN", "wait"),
        ("OWN_CLUSTER_DEADLINE", "2"),
    ];
    let run = Broken::start(&cluster, &set);
    super::rig::until("it is undone", || cluster.is_whole() && cluster.is_closed());
    drop(run);
}

#[test]
fn the_deadline_ends_a_body_that_waits() {
    let cluster = Cluster::new();
    let run = Broken::start(&cluster, &[("OWN_CLUSTER_THEN", "wait"), ("OWN_CLUSTER_DEADLINE", "2")]);
    let (code, said) = run.end();
    assert_eq!((code, said.trim()), (Some(0), "Err(Deadline)"));
    assert!(cluster.is_whole() && cluster.is_closed(), "{:?}", cluster.names());
}

#[test]
fn recover_leaves_a_living_run_alone() {
    let cluster = Cluster::new();
    let run = Broken::start(&cluster, &[("OWN_CLUSTER_THEN", "wait")]);
    let output = cluster.recover(&[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("running, by process"),
        "{said}"
    );
    assert!(!cluster.is_whole(), "it was not left alone");
    run.signal("-TERM");
    run.end();
    assert!(cluster.is_whole());
}
