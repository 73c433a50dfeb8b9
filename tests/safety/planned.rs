//! `steadfast plan`, on the embedded cluster.

use std::process::Command;

use serde_json::Value;

fn plan(words: &[&str]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("steadfast"));
    let output = command.args(["plan", "--quiet"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_plan_names_targets_radius_and_duration_in_80_columns() {
    let text = plan(&[
        "--profile",
        "kind",
        "--manifest",
        "fixtures/sockshop/sockshop-demo.yaml",
        "--percent",
        "40",
    ]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(
        text.contains("terminate-nodes: ") && text.contains("blast radius: "),
        "{text}"
    );
    assert!(
        text.contains("its only replica") && text.contains("duration: at least 11 min 15 s"),
        "{text}"
    );
}

#[test]
fn a_plan_in_json_says_the_same_and_names_the_nodes_that_the_run_would_strike() {
    let words = [
        "--profile",
        "kind",
        "--manifest",
        "fixtures/sockshop/sockshop-demo.yaml",
        "--count",
        "2",
    ];
    let plan: Value = serde_json::from_str(&plan(&[&words[..], &["--json"]].concat())).unwrap();
    assert_eq!(plan["radius"]["nodes"], 2);
    assert_eq!(plan["faults"][0]["nodes"].as_array().unwrap().len(), 2);
    let workloads = plan["radius"]["workloads"].as_array().unwrap();
    assert!(
        workloads.iter().any(|it| it["kind"] == "Deployment" && it["pods"] == 1),
        "{workloads:?}"
    );
    assert!(
        workloads
            .iter()
            .any(|it| it["kind"] == "DaemonSet" && it["name"] == "kube-proxy" && it["struck"] == 2),
        "{workloads:?}"
    );
}
