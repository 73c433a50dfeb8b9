//! One experiment on a manifest.

use steadfast::model::history::History;

use super::{Shell, fixture, too_wide};

#[test]
fn a_manifest_is_deployed_and_judged() {
    let shell = Shell::new();
    let manifest = fixture("sockshop/sockshop-demo.yaml");
    let words = [
        "run",
        "--manifest",
        &manifest,
        "--observe",
        "3m",
        "--expect",
        "violated",
    ];
    let done = shell.steadfast(&words);
    done.code(0);
    assert!(done.stdout.contains("violated, as expected"), "{}", done.stdout);
    assert_eq!(too_wide(&done.stdout), [""; 0]);
    let history = History::from_bytes(&shell.written("sockshop-demo.history.jsonl")).unwrap();
    assert_eq!(history.header.journeys.len(), 2);
    shell.written("sockshop-demo.summary.json");
    shell.written("run.json");
}

#[test]
fn an_unexpected_verdict_is_1() {
    let shell = Shell::new();
    let manifest = fixture("sockshop/sockshop-demo.yaml");
    let done = shell.steadfast(&["--manifest", &manifest, "--observe", "2m", "--quiet"]);
    done.code(1);
    assert!(done.stdout.contains("violated, expected held"), "{}", done.stdout);
    shell.written("run.json");
}

#[test]
fn every_way_to_name_targets_works() {
    let shell = Shell::new();
    let manifest = fixture("sockshop/sockshop-demo.yaml");
    for (target, struck) in [
        (&["--count", "1"][..], "1 node"),
        (&["--percent", "100", "--fault", "kill-nodes"], "3 nodes"),
        (
            &["--label", "kubernetes.io/os=linux", "--fault", "delete-nodes"],
            "3 nodes",
        ),
        (
            &[
                "--count",
                "2",
                "--fault",
                "freeze-nodes",
                "--return-after",
                "20s",
                "--stagger",
                "5s",
            ],
            "2 nodes",
        ),
    ] {
        let mut words = vec!["--manifest", &manifest, "--observe", "75s", "--rate", "2", "--quiet"];
        words.extend(target);
        let done = shell.steadfast(&words);
        assert!(
            done.stdout.contains(struck),
            "{target:?}\n{}{}",
            done.stdout,
            done.stderr
        );
    }
}

/// A Deployment and a Service of an image that no model knows.
const UNKNOWN_IMAGE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.org/web:1, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

/// A visitor of it.
const VISITOR: &str = "
version: 1
name: web
services: {}
journeys:
  visit: {entry: web, rate: 2, timeout: 5s, steps: [{request: GET /, expect: {status: 200}}]}
";

#[test]
fn an_image_that_is_not_described_proves_nothing_unless_the_command_line_assumes_what_it_does() {
    let shell = Shell::new();
    let (manifest, model) = (
        shell.file("web.yaml", UNKNOWN_IMAGE),
        shell.file("visitor.yaml", VISITOR),
    );
    let mut words = vec![
        "run",
        "--manifest",
        &manifest,
        "--model",
        &model,
        "--observe",
        "2m",
        "--quiet",
    ];
    let done = shell.steadfast(&words);
    done.code(3);
    let one_line = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for reason in ["no steady state", "of visit failed at step 1: status 404"] {
        assert!(one_line.contains(reason), "`{reason}` is not in\n{}", done.stdout);
    }
    words.push("--assume-default-model");
    let done = shell.steadfast(&words);
    assert!(
        done.stdout.contains("assumed to answer 200: example.org/web:1"),
        "{}{}",
        done.stdout,
        done.stderr
    );
}
