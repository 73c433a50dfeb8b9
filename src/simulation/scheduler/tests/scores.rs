//! Which of several fitting nodes a pod prefers.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::place::feasible_nodes_to_find;
use super::super::score::{balanced_allocation, least_allocated};
use super::super::{Leaving, NodeInfo};
use super::build::{Bench, GIB, names, node, pod, pod_with, requests};
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::Effect;

/// Where ten placements without booking go.
fn choices(bench: &mut Bench, wanted: Value) -> Vec<u32> {
    // Without labels there is no spreading.
    let wanted = pod_with(&[], wanted);
    let mut all: Vec<u32> = (0..20).map(|_| bench.find(&wanted).expect("a node")).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// `plugins/tainttoleration/taint_toleration.go` `Score`.
#[test]
fn untolerated_soft_taints_repel() {
    let mut bench = Bench::new([node(0).taint("k", Effect::PreferNoSchedule), node(1)]);
    assert_eq!(choices(&mut bench, json!({})), [1]);
    let tolerant = json!({"tolerations": [{"key": "k", "operator": "Exists"}]});
    assert_eq!(choices(&mut bench, tolerant), [0, 1]);
}

/// `plugins/nodeaffinity/node_affinity.go` `Score`: the sum of the weights counts.
#[test]
fn preferred_node_affinity_attracts_by_weight() {
    let mut bench = Bench::new([node(0).label("disk", "ssd"), node(1).label("gpu", "yes"), node(2)]);
    let term = |key: &str, weight: u32| json!({"weight": weight, "preference": {"matchExpressions": [{"key": key, "operator": "Exists"}]}});
    let prefers = |terms: Value| json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}});
    assert_eq!(choices(&mut bench, prefers(json!([term("disk", 10)]))), [0]);
    assert_eq!(
        choices(&mut bench, prefers(json!([term("disk", 10), term("gpu", 11)]))),
        [1]
    );
    assert_eq!(
        choices(&mut bench, prefers(json!([term("disk", 10), term("gpu", 10)]))),
        [0, 1]
    );
}

/// `plugins/noderesources/least_allocated.go` `leastRequestedScore`, with its test's figures:
/// 4000m and 10000 bytes, 3000m and 5000 bytes wanted: (25 + 50) / 2 = 37.
#[test]
fn free_resources_score() {
    let mut bench = Bench::new([]);
    let wanted = pod("a", json!({"containers": requests("3000m", "5000")}));
    let query = bench.scheduler.query(None, &"default".into(), &wanted);
    let room = |cpu_milli, memory| super::super::node::Room {
        allocatable: Amount { cpu_milli, memory },
        ..Default::default()
    };
    assert_eq!(least_allocated(&query, &room(4_000, 10_000)), 37);
    assert_eq!(least_allocated(&query, &room(6_000, 10_000)), 50);
    // What does not fit counts nothing (leastRequestedScore), what is not there not at all.
    assert_eq!(least_allocated(&query, &room(2_000, 10_000)), 25);
    assert_eq!(least_allocated(&query, &room(0, 10_000)), 50);
}

/// The same as a whole, with the requests that scoring assumes (`pkg/scheduler/util/pod_resources.go`).
#[test]
fn emptier_nodes_attract() {
    let mut bench = Bench::new([node(0), node(1), node(2)]);
    bench.put(&pod("a", json!({})), 0);
    bench.put(&pod("a", json!({"containers": requests("500m", "512Mi")})), 1);
    assert_eq!(choices(&mut bench, json!({})), [2]);
    bench.put(&pod("a", json!({"containers": requests("500m", "512Mi")})), 2);
    assert_eq!(choices(&mut bench, json!({})), [0]);
}

/// `plugins/noderesources/balanced_allocation.go` `balancedResourceScorer`: 75 when nothing changes, up to 100 when the
/// balance improves, down to 50 when it worsens.
#[rstest]
#[case::keeps((0, 0), ("1", "1Gi"), 75)]
#[case::worsens((0, 0), ("1", "0"), 62)]
#[case::improves((1_000, 0), ("0", "1Gi"), 87)]
#[case::capped((2_000, 0), ("1", "2Gi"), 100)]
fn balance_of_cpu_and_memory(#[case] used: (u64, u64), #[case] wanted: (&str, &str), #[case] expected: i64) {
    let mut bench = Bench::new([]);
    let wanted = pod("a", json!({"containers": requests(wanted.0, wanted.1)}));
    let query = bench.scheduler.query(None, &"default".into(), &wanted);
    let room = super::super::node::Room {
        allocatable: Amount {
            cpu_milli: 2_000,
            memory: 2 * GIB,
        },
        requested: Amount {
            cpu_milli: used.0,
            memory: used.1,
        },
        ..Default::default()
    };
    assert_eq!(balanced_allocation(&query, &room), expected);
}

/// plugins/interpodaffinity/scoring.go `processExistingPod`, all four directions.
#[test]
fn preferred_affinity_attracts_and_repels_from_both_sides() {
    const HOST: &str = "kubernetes.io/hostname";
    let soft = |kind: &str, name: &str| {
        json!({"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": names(&[name], HOST)}]}}})
    };
    let hard =
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [names(&["b"], HOST)]}}});
    for (existing, incoming, expected) in [
        (json!({}), soft("podAffinity", "a"), vec![0]),
        (json!({}), soft("podAntiAffinity", "a"), vec![1, 2]),
        (soft("podAffinity", "b"), json!({}), vec![0]),
        (soft("podAntiAffinity", "b"), json!({}), vec![1, 2]),
        // Required affinity of an existing pod attracts by hardPodAffinityWeight.
        (hard, json!({}), vec![0]),
    ] {
        let mut bench = Bench::new((0..3).map(node));
        bench.put(&pod("a", existing), 0);
        let incoming = pod("b", incoming);
        let mut seen: Vec<u32> = (0..30).map(|_| bench.find(&incoming).expect("a node")).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, expected);
    }
}

fn zoned(zones: &[&str]) -> Vec<NodeInfo> {
    zones.iter().zip(0..).map(|(zone, n)| node(n).zone(zone)).collect()
}

/// plugins/podtopologyspread/plugin.go `systemDefaultConstraints`, hostname.
#[test]
fn replicas_spread_over_nodes() {
    let mut bench = Bench::new((0..6).map(node));
    let replica = pod("a", json!({}));
    let mut seen: Vec<u32> = (0..6).map(|_| bench.run(&replica).expect("a node")).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
}

/// The same, zone: nodes that are fuller but in an empty zone win.
#[test]
fn replicas_spread_over_zones() {
    let mut bench = Bench::new(zoned(&["a", "a", "a", "a", "b"]));
    let other = pod("other", json!({}));
    bench.put(&other, 4);
    let replica = pod("a", json!({}));
    bench.put(&replica, 0);
    assert_eq!(bench.run(&replica), Ok(4));
    // And among the nodes of a zone, the one without a replica.
    for _ in 0..10 {
        assert_ne!(bench.find(&replica), Ok(0));
    }
}

/// plugins/podtopologyspread/common.go `matchNodeInclusionPolicies`, `NodeAffinityPolicy` Honor: pods on nodes that the
/// pod does not select do not make a zone fuller.
#[test]
fn only_selected_nodes_count_for_spreading_over_zones() {
    let ssd = |n, zone| node(n).zone(zone).label("disk", "ssd");
    let mut bench = Bench::new([ssd(0, "a"), node(1).zone("a"), ssd(2, "b")]);
    let replica = pod("a", json!({}));
    for _ in 0..5 {
        bench.put(&replica, 1);
    }
    bench.put(&pod("other", json!({})), 2);
    assert_eq!(
        bench.find(&pod("a", json!({"nodeSelector": {"disk": "ssd"}}))),
        Ok(0),
        "zone a looks empty"
    );
    // A selector that selects every node sees them.
    bench.scheduler.remove_node(MachineId(1));
    bench.scheduler.add_node(ssd(1, "a"));
    assert_eq!(bench.find(&pod("a", json!({"nodeSelector": {"disk": "ssd"}}))), Ok(2));
}

/// plugins/helper/spread.go `DefaultSelector`: other workloads, namespaces and revisions do not count.
#[test]
fn only_pods_of_the_same_workload_count_for_spreading() {
    let mut bench = Bench::new(zoned(&["a", "b"]));
    let replica = pod_with(&[("name", "a"), ("pod-template-hash", "1")], json!({}));
    let revised = pod_with(&[("name", "a"), ("pod-template-hash", "2")], json!({}));
    bench.put(&replica, 0);
    bench.put(&pod("b", json!({})), 1);
    bench.put_in("other", &replica, 1);
    bench.put(&revised, 1);
    for _ in 0..10 {
        assert_eq!(bench.find(&replica), Ok(1));
    }
}

/// plugins/podtopologyspread/common.go `countPodsMatchSelector`: "Bypass terminating Pod".
#[test]
fn leaving_pods_do_not_count_for_spreading() {
    let mut bench = Bench::new(zoned(&["a", "b"]));
    let replica = pod("a", json!({}));
    let leaving = bench.put(&replica, 0);
    // Makes the other node a little fuller.
    bench.put(&pod("b", json!({})), 1);
    bench.put(&pod("b", json!({})), 1);
    assert_eq!(bench.find(&replica), Ok(1));
    bench.scheduler.set_leaving(leaving, Leaving::Deleted);
    assert_eq!(bench.find(&replica), Ok(0));
}

/// `schedule_one.go` `nodeScoreHeap`: equals are chosen at random.
#[test]
fn equals_are_chosen_evenly() {
    let mut bench = Bench::new((0..3).map(node));
    let mut times = [0; 3];
    for _ in 0..3_000 {
        times[bench.find(&pod("a", json!({}))).expect("a node") as usize] += 1;
    }
    assert!(times.iter().all(|times| (850..1_150).contains(times)), "{times:?}");
}

/// `schedule_one.go` `numFeasibleNodesToFind`, the cases of `schedule_one_test.go` `Test_numFeasibleNodesToFind`.
#[rstest]
#[case(10, 10)]
#[case(99, 99)]
#[case(100, 100)]
#[case(1_000, 420)]
#[case(5_000, 500)]
#[case(6_000, 300)]
fn enough_feasible_nodes(#[case] all: usize, #[case] expected: usize) {
    assert_eq!(feasible_nodes_to_find(all), expected);
}

/// `schedule_one.go` `nextStartNodeIndex`: "all the nodes have a chance to be searched";
/// `backend/cache/node_tree.go` `list`: zone by zone in turn.
#[test]
fn the_search_goes_on_where_it_ended() {
    let zones = ["a", "b", "c"];
    // 300 nodes, the nodes of zone a first: 144 are enough, so each search covers all zones evenly.
    let mut bench = Bench::new((0..300).map(|n| node(n).zone(zones[n as usize / 100])));
    let order = bench.scheduler.nodes.order();
    assert_eq!(order[..4], [0, 100, 200, 1]);
    let wanted = pod_with(&[], json!({}));
    let seen: Vec<u32> = (0..300).map(|_| bench.run(&wanted).expect("a node")).collect();
    let mut nodes = seen.clone();
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(
        nodes.len(),
        300,
        "least allocated and a rotating start reach every node"
    );
    assert_eq!(bench.scheduler.start, 300 * feasible_nodes_to_find(300) % 300);
}
