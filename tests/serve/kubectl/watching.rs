//! Watches.

use super::{Shell, WEB, cells};

#[test]
fn a_watch_of_nodes_sees_one_lost() {
    let words = [
        "--fault",
        "kill-nodes",
        "--count",
        "1",
        "--after",
        "2m",
        "--speed",
        "40",
    ];
    let Some(shell) = Shell::new("get nodes -w", &words) else {
        return;
    };
    let mut lines = shell.follow("get nodes -w");
    assert_eq!(cells(&lines.next()), ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]);
    let lost = lines.find(|line| cells(line).get(1) == Some(&"NotReady"));
    assert_eq!(cells(&lost).len(), 5, "{lost}");
}

#[test]
fn a_watch_of_pods_sees_them_come_and_go() {
    let Some(shell) = Shell::new("get pods -w", &["--speed", "10"]) else {
        return;
    };
    let mut lines = shell.follow("get pods -w -o wide");
    shell.apply(WEB, "");
    assert_eq!(cells(&lines.next())[..3], ["NAME", "READY", "STATUS"]);
    for _ in 0..3 {
        let running = lines.find(|line| cells(line).get(1..3) == Some(&["1/1", "Running"]));
        assert!(running.starts_with("web-"), "{running}");
    }
    shell.ok("delete deployment web --wait=false");
    lines.find(|line| cells(line).get(2) == Some(&"Terminating"));
}

#[test]
fn rollout_status_waits_until_all_is_rolled_out() {
    let Some(shell) = Shell::new("rollout status", &["--speed", "5"]) else {
        return;
    };
    shell.apply(WEB, "");
    let said = shell.ok("rollout status deployment/web --timeout=60s");
    assert!(said.contains("deployment \"web\" successfully rolled out"), "{said}");
    let ready = shell.ok("get deployment web -o jsonpath={.status.readyReplicas}");
    assert_eq!(ready, "3");
}

#[test]
fn wait_waits_for_conditions_and_ends() {
    let Some(shell) = Shell::new("wait", &["--speed", "10"]) else {
        return;
    };
    assert!(
        shell
            .ok("wait --for=condition=Ready node --all --timeout=60s")
            .contains("condition met")
    );
    shell.apply(WEB, "");
    shell.ok("wait --for=condition=Available deployment/web --timeout=60s");
    assert!(
        shell
            .ok("wait --for=condition=Ready pod -l app=web --timeout=60s")
            .lines()
            .count()
            == 3
    );
    shell.ok("delete deployment web --wait=false");
    // Older ones complain of what is gone already.
    if shell.is_at_least(24) {
        shell.ok("wait --for=delete deployment/web --timeout=60s");
    }
    let late = shell.refused("wait --for=condition=Ready=False node --all --timeout=1s");
    assert!(late.contains("timed out waiting for the condition"), "{late}");
}
