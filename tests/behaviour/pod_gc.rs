//! Pod garbage collection (pkg/controller/podgc/gc_controller.go; situations of `gc_controller_test.go`).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::bench::{Bench, is_leaving, workload};

const NODE: &str = "kind-worker3";
/// Source: the file above, `gcCheckPeriod`.
const PERIOD: f64 = 20.0;
/// Source: the same, `quarantineTime`.
const QUARANTINE: f64 = 40.0;

fn pod(name: &str, node: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [{"name": "main", "image": "example/app:1"}], "terminationGracePeriodSeconds": 1,
            "nodeSelector": node,
        },
    })
}

fn on_node(seed: u64) -> Bench {
    let mut bench = Bench::kind(seed);
    bench.create(pod("one", json!({"kubernetes.io/hostname": NODE})));
    bench.until("ready", 30, |bench| bench.ready() == ["one"]);
    bench
}

/// `gcOrphaned`, `discoverDeletedNodes`: noticed at a round, left alone for the quarantine, collected at a later round.
#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
#[case(4)]
#[case(5)]
fn a_pod_without_a_node_is_collected_after_its_quarantine(#[case] seed: u64) {
    let mut bench = on_node(seed);
    bench.delete("Node", NODE);
    assert!(bench.object("Node", NODE).is_none());
    let took = bench.until("collected", 120, |bench| bench.object("Pod", "one").is_none());
    assert!((QUARANTINE..=QUARANTINE + PERIOD + 1.0).contains(&took), "{took}");
}

/// `TestGCOrphaned`, "nodes present in lister": pods whose node is there, ready or not, are not this controller's.
#[test]
fn a_pod_on_a_lost_node_is_not_collected() {
    let mut bench = on_node(6);
    bench.fail(Mode::Kill, NODE);
    bench.run(300);
    assert!(!is_leaving(&bench.get("Pod", "one")));
}

/// `TestGCOrphaned`, "no nodes, one running pod": an unscheduled pod has no node to miss.
#[test]
fn a_pending_pod_is_not_collected() {
    let mut bench = Bench::kind(7);
    bench.create(pod("one", json!({"disk": "none"})));
    bench.run(300);
    assert_eq!(bench.get("Pod", "one")["status"]["phase"], "Pending");
}

/// `gcOrphaned` → `markFailedAndDeletePodWithCondition`: the pod is Failed with a DisruptionTarget condition before it goes.
#[test]
fn a_collected_pod_was_failed_first() {
    use steadfast::simulation::api::ApiStore as _;
    let mut bench = on_node(8);
    bench.delete("Node", NODE);
    let before = bench.world.version();
    bench.until("collected", 120, |bench| bench.object("Pod", "one").is_none());
    let pods = steadfast::simulation::objects::resources::PODS;
    let changes = bench.world.changes(pods, before).unwrap();
    let states: Vec<Value> = changes
        .iter()
        .map(|change| change.object.body.project())
        .filter(|pod| pod["metadata"]["name"] == "one")
        .collect();
    let failed = states
        .iter()
        .find(|pod| pod["status"]["phase"] == "Failed")
        .expect("a Failed state");
    let target = super::bench::condition(failed, "DisruptionTarget").unwrap();
    assert_eq!(target["reason"], "DeletionByPodGC");
    assert_eq!(target["message"], "PodGC: node no longer exists");
}

/// `gcOrphaned` deletes with a grace period of zero: there is no kubelet to wait for.
#[test]
fn a_collected_pod_goes_at_once_whatever_its_grace_period() {
    let mut bench = Bench::kind(9);
    let mut slow = pod("one", json!({"kubernetes.io/hostname": NODE}));
    slow["spec"]["terminationGracePeriodSeconds"] = json!(600);
    bench.create(slow);
    bench.until("ready", 30, |bench| bench.ready() == ["one"]);
    bench.fail(Mode::Kill, NODE);
    bench.delete("Node", NODE);
    let took = bench.until("collected", 120, |bench| bench.object("Pod", "one").is_none());
    assert!(took <= QUARANTINE + PERIOD + 1.0, "{took}");
}

/// `TestGCOrphaned`, "some nodes missing": only the pods of the missing one.
#[test]
fn pods_of_other_nodes_stay() {
    let mut bench = Bench::kind(10);
    bench.create(workload("Deployment", "web", 4));
    bench.until("ready", 30, |bench| bench.ready().len() == 4);
    let others: Vec<String> = bench
        .ready()
        .into_iter()
        .filter(|pod| bench.node_of(pod) != NODE)
        .collect();
    assert_eq!(others.len(), 3);
    bench.delete("Node", NODE);
    bench.run(120);
    let ready = bench.ready();
    assert!(others.iter().all(|pod| ready.contains(pod)), "{others:?} {ready:?}");
    assert_eq!(ready.len(), 4, "and the lost one is replaced");
}

/// `gcOrphaned` counts a pod by the node that it names, whether or not one of that name was ever there.
#[test]
fn a_pod_that_names_a_node_that_never_was_is_collected() {
    let mut bench = Bench::kind(11);
    let mut lost = pod("one", Value::Null);
    lost["spec"]["nodeName"] = json!("nowhere");
    bench.create(lost);
    let took = bench.until("collected", 120, |bench| bench.object("Pod", "one").is_none());
    assert!((QUARANTINE..=QUARANTINE + PERIOD + 1.0).contains(&took), "{took}");
}

/// `gcUnscheduledTerminating` has nothing to do here: a pod without a node goes when it is deleted.
#[test]
fn a_pending_pod_that_is_deleted_goes_at_once() {
    let mut bench = Bench::kind(12);
    bench.create(pod("one", json!({"disk": "none"})));
    bench.run(5);
    bench.delete("Pod", "one");
    assert!(bench.object("Pod", "one").is_none());
}
