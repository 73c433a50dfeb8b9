//! The owner is killed after every record, and recovered clean.

use std::os::unix::process::ExitStatusExt as _;

use super::rig::{Cluster, NODES};

/// All moments at which a run can be killed: after each record, and between each change and its record.
fn moments() -> Vec<String> {
    let mut moments = vec!["header".to_owned()];
    for (index, node) in NODES.iter().enumerate() {
        let seq = index + 1;
        moments.extend([
            format!("intent {seq}"),
            format!("changed {node}"),
            format!("done {seq}"),
        ]);
    }
    moments.extend([3, 2, 1].map(|seq| format!("undone {seq}")));
    moments.push("closed".to_owned());
    moments
}

/// A cluster whose run was killed at a moment.
fn killed(moment: &str) -> Cluster {
    let cluster = Cluster::new();
    let status = cluster.run(&[("OWN_CLUSTER_DIE", moment)]).status().unwrap();
    assert_eq!(status.signal(), Some(9), "{moment}: it was not killed: {status}");
    cluster
}

#[test]
fn a_run_that_nobody_kills_leaves_everything_as_it_was() {
    let cluster = Cluster::new();
    assert!(cluster.run(&[]).status().unwrap().success());
    assert!(cluster.is_whole() && cluster.is_closed(), "{:?}", cluster.names());
}

#[test]
fn a_run_killed_after_any_record_is_recovered_clean_twice() {
    for moment in moments() {
        let cluster = killed(&moment);
        let is_broken = moment.starts_with("changed") || moment.starts_with("done");
        assert_eq!(
            is_broken,
            is_broken && !cluster.is_whole(),
            "{moment}: {:?}",
            cluster.names()
        );
        for time in 0..2 {
            let output = cluster.recover(&[]).output().unwrap();
            assert!(
                output.status.success(),
                "{moment}: {}",
                String::from_utf8_lossy(&output.stdout)
            );
            assert!(
                cluster.is_whole() && cluster.is_closed(),
                "{moment}, {time}: {:?}",
                cluster.names()
            );
        }
    }
}

#[test]
fn two_recoverers_at_once_restore_once() {
    for moment in ["intent 3", "done 3", "undone 2"] {
        let cluster = killed(moment);
        let mut both: Vec<_> = [0, 1].map(|_| cluster.recover(&[]).spawn().unwrap()).into();
        for recoverer in &mut both {
            assert!(recoverer.wait().unwrap().success(), "{moment}");
        }
        assert!(
            cluster.is_whole() && cluster.is_closed(),
            "{moment}: {:?}",
            cluster.names()
        );
        let text = std::fs::read_to_string(cluster.journal()).unwrap();
        let undone = |seq: u32| text.matches(&format!("\"record\":\"undone\",\"seq\":{seq},")).count();
        assert_eq!([1, 2, 3].map(undone), [1, 1, 1], "{moment}: {text}");
    }
}

#[test]
fn a_dry_run_says_what_would_be_undone_and_changes_nothing() {
    let cluster = killed("done 2");
    let before = (cluster.names(), std::fs::read(cluster.journal()).unwrap());
    let output = cluster.recover(&["--dry-run"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("node-2 is taken down: rename node-2.down to node-2"),
        "{said}"
    );
    assert_eq!((cluster.names(), std::fs::read(cluster.journal()).unwrap()), before);
}

#[test]
fn what_cannot_be_undone_ends_with_a_code_of_its_own() {
    let cluster = killed("done 2");
    // Somebody has lost a node for good.
    std::fs::remove_file(cluster.journal().ancestors().nth(3).unwrap().join("nodes/node-1.down")).unwrap();
    let text = std::fs::read_to_string(cluster.journal()).unwrap();
    // A module that this command does not have gives up at once.
    std::fs::write(
        cluster.journal(),
        text.replace("\"kind\":\"files\"", "\"kind\":\"fails\""),
    )
    .unwrap();
    let output = cluster.recover(&[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("NOT RESTORED") && said.contains("`fails`"), "{said}");
    assert!(!cluster.is_closed());
}

#[test]
fn no_run_begins_on_a_cluster_that_another_has_left_broken() {
    let cluster = killed("done 2");
    let output = cluster.run(&[]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("steadfast recover"), "{said}");
    assert!(cluster.recover(&[]).status().unwrap().success());
    assert!(cluster.run(&[]).status().unwrap().success());
}
