//! Maintenance of nodes.

use super::{Shell, WEB, table};

#[test]
fn a_node_is_cordoned_drained_and_taken_into_service_again() {
    let Some(shell) = Shell::new("drain", &["--speed", "20", "--nodes", "4"]) else {
        return;
    };
    shell.apply(WEB, "");
    shell.ok("rollout status deployment/web --timeout=60s");
    let node = shell.ok("get pods -l app=web -o jsonpath={.items[0].spec.nodeName}");
    assert_eq!(shell.ok(&format!("cordon {node}")), format!("node/{node} cordoned\n"));
    let status = |text: &str| table(text)[1][1].to_owned();
    assert_eq!(
        status(&shell.ok(&format!("get node {node}"))),
        "Ready,SchedulingDisabled"
    );

    let done = shell.run(&format!(
        "drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=60s"
    ));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains("evicting pod default/web-"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    assert!(
        done.stdout.contains(&format!("node/{node} drained")) || done.stdout.contains(&format!("node/{node} evicted"))
    );
    let left = shell.ok(&format!(
        "get pods -A --field-selector spec.nodeName={node} -o jsonpath={{.items[*].metadata.ownerReferences[0].kind}}"
    ));
    assert!(left.split(' ').all(|owner| owner == "DaemonSet"), "{left}");
    shell.ok("rollout status deployment/web --timeout=60s");

    assert_eq!(
        shell.ok(&format!("uncordon {node}")),
        format!("node/{node} uncordoned\n")
    );
    assert_eq!(status(&shell.ok(&format!("get node {node}"))), "Ready");
}

#[test]
fn a_disruption_budget_holds_a_drain_up() {
    let Some(shell) = Shell::new("drain with a budget", &["--speed", "20"]) else {
        return;
    };
    let budget = "
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
";
    shell.apply(&format!("{WEB}{budget}"), "");
    shell.ok("rollout status deployment/web --timeout=60s");
    shell.until("get pdb web -o jsonpath={.status.currentHealthy}", |healthy| {
        healthy == "3"
    });
    let node = shell.ok("get pods -l app=web -o jsonpath={.items[0].spec.nodeName}");
    let held = shell.refused(&format!(
        "drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=3s"
    ));
    assert!(
        held.contains("Cannot evict pod as it would violate the pod's disruption budget"),
        "{held}"
    );
    assert_eq!(shell.ok("get deployment web -o jsonpath={.status.readyReplicas}"), "3");
}
