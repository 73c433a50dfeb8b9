//! The watchdog restores when nobody else can.

use super::rig::{Broken, Cluster, until};

const WATCHED: (&str, &str) = ("OWN_CLUSTER_WATCHDOG", "found");

#[test]
fn a_watchdog_restores_after_sigkill() {
    for body in ["wait", "block"] {
        let cluster = Cluster::new();
        let run = Broken::start(&cluster, &[WATCHED, ("OWN_CLUSTER_THEN", body)]);
        run.signal("-KILL");
        run.end();
        until("the watchdog restores", || cluster.is_whole() && cluster.is_closed());
        assert!(cluster.log().contains("the owner is gone"), "{}", cluster.log());
    }
}

#[test]
fn a_watchdog_restores_a_run_that_hangs_past_its_deadline() {
    let cluster = Cluster::new();
    let run = Broken::start(
        &cluster,
        &[WATCHED, ("OWN_CLUSTER_THEN", "block"), ("OWN_CLUSTER_DEADLINE", "2")],
    );
    until("the watchdog restores", || cluster.is_whole() && cluster.is_closed());
    assert!(cluster.log().contains("the deadline has passed"), "{}", cluster.log());
    drop(run);
}

#[test]
fn a_watchdog_ends_by_itself_when_its_run_does() {
    let cluster = Cluster::new();
    let run = Broken::start(&cluster, &[WATCHED]);
    assert_eq!(run.end().0, Some(0));
    assert!(cluster.is_whole() && cluster.is_closed());
    assert!(!cluster.log().contains("restoring"), "{}", cluster.log());
    let journal = cluster.journal().display().to_string();
    until("the watchdog is gone", || {
        !command_lines().iter().any(|line| line.contains(&journal))
    });
}

#[test]
fn without_a_watchdog_that_knows_the_cluster_nothing_is_broken() {
    let cluster = Cluster::new();
    let steadfast = assert_cmd::cargo::cargo_bin!("steadfast");
    let output = cluster
        .run(&[WATCHED])
        .env("STEADFAST_BIN", steadfast)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && said.contains("cargo install steadfast --version ="),
        "{said}"
    );
    assert!(!said.contains("broken") && cluster.is_whole(), "{said}");
    assert!(cluster.state().journals().unwrap().is_empty());
}

fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("cmdline")).ok())
        .collect()
}
