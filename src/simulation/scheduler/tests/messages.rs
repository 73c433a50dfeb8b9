//! What a refused pod is told.

use serde_json::json;

use super::super::Reason;
use super::build::{Bench, apart, node, pod, requests};
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::template::Effect;

/// pkg/scheduler/framework/types.go `FitError.Error`, preemption/preemption.go `Preempt`.
#[test]
fn reasons_are_sorted_as_text_and_preemption_has_the_last_word() {
    let mut bench = Bench::new([node(0), node(1), node(2).room_for(0)]);
    let alone = pod("front-end", json!({"affinity": apart(&["front-end"])}));
    bench.put(&alone, 0);
    bench.put(&alone, 1);
    let error = bench.find(&alone).expect_err("no node fits");
    assert_eq!(
        error.message,
        "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't match pod anti-affinity rules. \
         preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
    );
    assert_eq!(error.reasons, [(Reason::TooManyPods, 1), (Reason::AntiAffinity, 2)]);
    assert_eq!(error.to_string(), error.message);
}

/// The same: text order puts 10 before 2.
#[test]
fn ten_sorts_before_two() {
    let mut cordoned: Vec<_> = (0..10).map(node).collect();
    for node in &mut cordoned {
        node.unschedulable = true;
    }
    let mut bench = Bench::new(cordoned);
    bench.scheduler.add_node(node(10).taint("k", Effect::NoSchedule));
    bench.scheduler.add_node(node(11).taint("k", Effect::NoExecute));
    assert_eq!(
        bench.refusal(&pod("a", json!({}))),
        "0/12 nodes are available: 10 node(s) were unschedulable, 2 node(s) had untolerated taint(s). \
         preemption: 0/12 nodes are available: 12 Preemption is not helpful for scheduling."
    );
}

/// plugins/noderesources/fit.go `Filter`: all failure reasons of a node are kept.
#[test]
fn one_node_may_lack_several_things() {
    let mut bench = Bench::new([node(0).room_for(1)]);
    bench.put(&pod("a", json!({"containers": requests("2", "2Gi")})), 0);
    assert_eq!(
        bench.refusal(&pod("b", json!({"containers": requests("1", "1Gi")}))),
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. \
         preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    );
    // More than the node ever had cannot be made free.
    assert_eq!(
        bench.refusal(&pod("b", json!({"containers": requests("3", "1Gi")}))),
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. \
         preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
}

/// plugins/interpodaffinity/filtering.go, the three reasons; `plugins/nodeaffinity/node_affinity.go` `ErrReasonPod`;
/// `plugins/nodename/node_name.go` `ErrReason`.
#[test]
fn each_filter_has_its_words() {
    let mut bench = Bench::new([node(0)]);
    bench.put(&pod("hermit", json!({"affinity": apart(&["guest"])})), 0);
    let hosts = json!([super::build::names(&["nobody"], "kubernetes.io/hostname")]);
    for (wanted, words) in [
        (
            pod("guest", json!({})),
            "1 node(s) didn't satisfy existing pods anti-affinity rules.",
        ),
        (
            pod("a", json!({"affinity": apart(&["hermit"])})),
            "1 node(s) didn't match pod anti-affinity rules.",
        ),
        (
            pod(
                "a",
                json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": hosts}}}),
            ),
            "1 node(s) didn't match pod affinity rules.",
        ),
        (
            pod("a", json!({"nodeSelector": {"disk": "ssd"}})),
            "1 node(s) didn't match Pod's node affinity/selector.",
        ),
        (
            pod("a", json!({"nodeName": "n9"})),
            "1 node(s) didn't match the requested node name.",
        ),
    ] {
        let message = bench.refusal(&wanted);
        assert!(
            message.starts_with(&format!("0/1 nodes are available: {words} preemption: ")),
            "{message}"
        );
    }
}

/// `schedule_one.go` `findNodesThatFitPod`: the nodes that node affinity does not name get a status of their own.
#[test]
fn a_daemon_sets_pod_is_told_of_its_node_and_of_the_others() {
    let expected = "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. \
                    preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, \
                    2 Preemption is not helpful for scheduling.";
    let mut bench = Bench::new([node(0), node(1).room_for(0), node(2)]);
    let terms = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
    let daemon =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
    assert_eq!(bench.refusal(&pod("agent", json!({"affinity": daemon}))), expected);
    let shared = pod("agent", json!({}));
    let mut place = |on: u32| {
        bench
            .scheduler
            .place_on(MachineId(on), PodId(9), &"default".into(), &shared, &mut bench.rng)
    };
    assert_eq!(place(1).expect_err("it is full").message, expected);
    assert_eq!(place(2), Ok(MachineId(2)));
}

/// `plugins/nodeaffinity/node_affinity.go` `PreFilter`, `errReasonConflict`.
#[test]
fn names_that_exclude_each_other_conflict() {
    let mut bench = Bench::new([node(0), node(1)]);
    let terms = json!([{"matchFields": [
        {"key": "metadata.name", "operator": "In", "values": ["n0"]},
        {"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
    let torn =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
    assert_eq!(
        bench.refusal(&pod("a", json!({"affinity": torn}))),
        "0/2 nodes are available: pod affinity terms conflict. \
         preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    );
}

/// `default_preemption.go` `PodEligibleToPreemptOthers`, `schedule_one.go` `ErrNoNodesAvailable`.
#[test]
fn special_cases_have_their_words() {
    let mut bench = Bench::new([node(0).room_for(0)]);
    assert_eq!(
        bench.refusal(&pod("a", json!({"preemptionPolicy": "Never"}))),
        "0/1 nodes are available: 1 Too many pods. preemption: not eligible due to preemptionPolicy=Never."
    );
    assert_eq!(
        Bench::new([]).refusal(&pod("a", json!({}))),
        "no nodes available to schedule pods"
    );
}
