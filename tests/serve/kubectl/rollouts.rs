//! What `kubectl rollout` says of Deployments and DaemonSets (k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go).

use super::{Shell, WEB};

#[test]
fn a_roll_out_that_exceeds_its_progress_deadline_fails() {
    let Some(shell) = Shell::new("deadline", &["--speed", "20"]) else {
        return;
    };
    let web = WEB.replace("replicas: 3", "replicas: 3\n  progressDeadlineSeconds: 30");
    shell.apply(&web, "");
    shell.ok("rollout status deployment/web --timeout=60s");
    shell.ok(r#"patch deployment web -p {"spec":{"template":{"spec":{"nodeSelector":{"role":"none"}}}}}"#);
    let refused = shell.refused("rollout status deployment/web --timeout=60s");
    assert!(
        refused.contains("deployment \"web\" exceeded its progress deadline"),
        "{refused}"
    );
    let reason = "get deployment web -o jsonpath={.status.conditions[?(@.type==\"Progressing\")].reason}";
    assert_eq!(shell.ok(reason), "ProgressDeadlineExceeded");
}

const AGENT: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: 'example/agent:1'}]
      terminationGracePeriodSeconds: 1
";

#[test]
fn a_daemon_set_rolls_out_and_back() {
    let Some(shell) = Shell::new("daemon set", &["--speed", "20"]) else {
        return;
    };
    shell.apply(AGENT, "");
    let done = "daemon set \"agent\" successfully rolled out\n";
    assert!(shell.ok("rollout status ds/agent --timeout=60s").ends_with(done));
    shell.ok("set image ds/agent agent=example/agent:2");
    let said = shell.ok("rollout status ds/agent --timeout=60s");
    assert!(
        said.contains("out of") && said.contains("new pods have been updated") && said.ends_with(done),
        "{said}"
    );
    let history = shell.ok("rollout history ds/agent");
    let revisions: Vec<&str> = history
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(revisions.ends_with(&["1", "2"]), "{history}");
    shell.ok("rollout undo ds/agent");
    shell.ok("rollout status ds/agent --timeout=60s");
    let images = shell.ok("get pods -l app=agent -o jsonpath={.items[*].spec.containers[*].image}");
    assert!(images.split(' ').all(|image| image == "example/agent:1"), "{images}");
}
