//! What the Cluster Autoscaler is told.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{NodeInfo, Scheduler};
use super::build::{Bench, GIB, apart, node, pod, requests};
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::{Effect, PodTemplate};

type Pending = Vec<(Arc<str>, Arc<PodTemplate>)>;

fn times(template: &Arc<PodTemplate>, count: usize) -> Pending {
    vec![("default".into(), Arc::clone(template)); count]
}

fn sized(cpu_milli: u64, memory: u64, pods: u32) -> NodeInfo {
    NodeInfo {
        allocatable: Amount { cpu_milli, memory },
        ..node(0).room_for(pods)
    }
}

fn wants(cpu: &str, memory: &str) -> Arc<PodTemplate> {
    pod("estimatee", json!({"containers": requests(cpu, memory)}))
}

/// `cluster-autoscaler/estimator/binpacking_estimator_test.go` `TestBinpackingEstimate`, its cases without host ports
/// and hard spreading.
#[test]
fn bin_packing_as_upstream() {
    const MI: u64 = 1 << 20;
    for (name, node, pending, at_most, nodes, scheduled) in [
        (
            "simple",
            sized(350 * 3 - 50, 2_000 * MI, 10),
            times(&wants("350m", "1000Mi"), 10),
            99,
            5,
            10,
        ),
        (
            "pods per node",
            sized(10_000, 20_000 * MI, 10),
            times(&wants("10m", "100Mi"), 20),
            99,
            2,
            20,
        ),
        (
            "limit",
            sized(1_000, 5_000 * MI, 10),
            times(&wants("500m", "1000Mi"), 20),
            5,
            5,
            10,
        ),
    ] {
        let estimate = Scheduler::new().estimate(&pending, &node, &[], at_most);
        assert_eq!((estimate.nodes, estimate.scheduled.len()), (nodes, scheduled), "{name}");
    }
    // "decreasing ordered pods are processed first"
    let mut pending = times(&wants("50m", "1000Mi"), 10);
    pending.extend(times(&wants("500m", "1000Mi"), 10));
    let estimate = Scheduler::new().estimate(&pending, &sized(1_000, 5_000 * MI, 10), &[], 5);
    assert_eq!(estimate.scheduled, (10..20).collect::<Vec<_>>());
}

/// The shop with three replicas: names, and whom each keeps away from (the workshop's manifest).
fn shop() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("front-end", &["front-end"]),
        ("catalogue", &["catalogue", "catalogue-db"]),
        ("catalogue-db", &[]),
        ("carts", &["carts", "carts-db"]),
        ("carts-db", &[]),
        ("orders", &["orders", "orders-db"]),
        ("orders-db", &[]),
        ("payment", &["payment"]),
        ("shipping", &["shipping"]),
        ("queue-master", &["queue-master", "shipping"]),
        ("rabbitmq", &["rabbitmq", "shipping"]),
        ("user", &["user", "user-db"]),
        ("user-db", &[]),
    ]
}

fn shop_pods(replicas: usize) -> Pending {
    let mut pending = Pending::new();
    for (name, from) in shop() {
        let affinity: Value = if from.is_empty() { json!({}) } else { apart(from) };
        let mut fields = json!({"affinity": affinity, "nodeSelector": {"kubernetes.io/os": "linux"}});
        if name == "front-end" {
            fields["containers"] = requests("100m", "100Mi");
        }
        pending.extend(times(&pod(name, fields), replicas));
    }
    pending
}

fn small(n: u32) -> NodeInfo {
    NodeInfo {
        allocatable: Amount {
            cpu_milli: 1_930,
            memory: GIB + GIB / 2,
        },
        ..node(n)
    }
    .label("kubernetes.io/os", "linux")
}

fn daemons() -> Pending {
    (0..5)
        .map(|n| ("kube-system".into(), pod(&format!("daemon-{n}"), json!({}))))
        .collect()
}

/// The workshop: t3.small nodes carry 11 pods, 5 of them DaemonSets'; 39 shop pods and 3 of the system need 7 such nodes,
/// and anti-affinity alone 6. First-fit in the manifest's order asks for one more than the pods' number would need.
#[test]
fn the_workshops_shop_with_three_replicas_needs_at_least_seven_fresh_nodes() {
    let mut pending = shop_pods(3);
    pending.extend(times(&pod("coredns", json!({})), 2));
    pending.extend(times(&pod("autoscaler", json!({})), 1));
    let estimate = Scheduler::new().estimate(&pending, &small(0), &daemons(), 100);
    assert_eq!(estimate.scheduled.len(), 42);
    assert_eq!(estimate.nodes, 8);
    assert_eq!(
        Scheduler::new()
            .estimate(&pending, &small(0).room_for(110), &daemons(), 100)
            .nodes,
        6
    );
    let limited = Scheduler::new().estimate(&pending, &small(0), &daemons(), 6);
    assert_eq!(limited.nodes, 6);
    assert!(limited.scheduled.len() <= 36, "six slots each");
}

/// What is promised is kept: the pods of the estimate do fit that many nodes.
#[test]
fn the_shop_fits_the_nodes_that_were_estimated() {
    let pending = shop_pods(3);
    let estimate = Scheduler::new().estimate(&pending, &small(0), &daemons(), 100);
    let mut bench = Bench::new((0..estimate.nodes).map(|n| small(n).room_for(6)));
    let left = pending
        .iter()
        .filter(|(_, template)| bench.run(template).is_err())
        .count();
    assert!(
        left <= 3,
        "spreading packs less tightly than the estimate, but not by much: {left}"
    );
}

/// The caller may imagine nodes of its own, of any number (`core/static_autoscaler.go`, upcoming nodes).
#[test]
fn an_estimate_leaves_the_nodes_that_are_there_alone() {
    let mut bench = Bench::new([]);
    for n in 0..3 {
        bench.scheduler.add_node(NodeInfo {
            machine: MachineId(u32::MAX - n),
            ..node(n)
        });
    }
    let alone = pod("a", json!({"affinity": apart(&["a"])}));
    assert_eq!(bench.scheduler.estimate(&times(&alone, 5), &node(9), &[], 10).nodes, 5);
    let there: Vec<u32> = (0..3).map(|_| bench.run(&alone).expect("a node")).collect();
    assert_eq!(bench.scheduler.node_count(), 3);
    assert!(there.iter().all(|&on| on > u32::MAX - 3), "{there:?}");
}

/// `binpacking_estimator.go` `tryToScheduleOnNewNodes`: a group that fits no new node is left out, whatever its place in
/// the order, and costs no node.
#[test]
fn pods_that_fit_no_new_node_are_left_out() {
    let mut pending = times(&wants("3", "1Mi"), 2);
    pending.extend(times(&wants("1", "1Mi"), 4));
    pending.extend(times(&pod("a", json!({"nodeSelector": {"disk": "ssd"}})), 1));
    let estimate = Scheduler::new().estimate(&pending, &node(0), &[], 10);
    assert_eq!((estimate.nodes, estimate.scheduled), (2, vec![2, 3, 4, 5]));
    let tainted = node(0).taint("k", Effect::NoSchedule);
    assert_eq!(Scheduler::new().estimate(&pending, &tainted, &[], 10).nodes, 0);
}

/// `binpacking_estimator.go` `Estimate`: Fork and Revert.
#[test]
fn an_estimate_changes_nothing() {
    let mut bench = Bench::new((0..3).map(small));
    let pending = shop_pods(3);
    for (_, template) in &pending {
        let _ = bench.run(template);
    }
    let mut untouched = bench.clone();
    bench.scheduler.estimate(&pending, &small(0).zone("new"), &daemons(), 9);
    let on = bench.scheduler.pods_on(MachineId(0)).to_vec();
    bench.scheduler.could_move(MachineId(0), &on);
    for n in 0..3 {
        bench.scheduler.remove_pod(PodId(n));
        untouched.scheduler.remove_pod(PodId(n));
    }
    for (_, template) in &pending {
        assert_eq!(bench.find(template), untouched.find(template));
    }
}

/// cluster-autoscaler/simulator/cluster.go `RemovalSimulator`.
#[test]
fn a_nodes_pods_could_move_when_all_fit_elsewhere_together() {
    let mut bench = Bench::new([node(0), node(1), node(2)]);
    let alone = pod("a", json!({"affinity": apart(&["a"])}));
    let pods = vec![
        bench.put(&alone, 0),
        bench.put(&pod("b", json!({"containers": requests("1", "1Mi")})), 0),
    ];
    bench.put(&alone, 1);
    assert!(bench.scheduler.could_move(MachineId(0), &pods));
    bench.put(&alone, 2);
    assert!(
        !bench.scheduler.could_move(MachineId(0), &pods),
        "nowhere for the first"
    );
    assert!(bench.scheduler.could_move(MachineId(0), &pods[1..]));
    // Each fits, but not both.
    let mut bench = Bench::new([node(0), node(1)]);
    let big = pod("b", json!({"containers": requests("1100m", "1Mi")}));
    let pods = vec![bench.put(&big, 0), bench.put(&big, 0)];
    assert!(bench.scheduler.could_move(MachineId(0), &pods[..1]));
    assert!(!bench.scheduler.could_move(MachineId(0), &pods));
    assert!(!bench.scheduler.could_move(MachineId(1), &pods), "they are not there");
}
