//! Taint eviction (pkg/controller/tainteviction/taint_eviction.go; situations of `taint_eviction_test.go`).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::bench::{Bench, condition, is_leaving, workload};

const NODE: &str = "kind-worker2";

/// A pod that goes to the node and stays there; it takes its grace period to end.
fn pod(name: &str, tolerations: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [{"name": "main", "image": "example/app:1"}], "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"kubernetes.io/hostname": NODE}, "tolerations": tolerations,
        },
    })
}

fn taint(key: &str, effect: &str) -> Value {
    json!({"key": key, "value": "yes", "effect": effect})
}

fn set_taints(bench: &mut Bench, taints: Value) {
    bench.patch("Node", NODE, &json!({"spec": {"taints": taints}}));
}

fn tolerates(key: &str, seconds: Option<u32>) -> Value {
    let mut toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute"});
    if let Some(seconds) = seconds {
        toleration["tolerationSeconds"] = json!(seconds);
    }
    toleration
}

/// A pod that runs on the node.
fn running(tolerations: Value) -> Bench {
    let mut bench = Bench::kind(1);
    bench.create(pod("one", tolerations));
    bench.until("ready", 30, |bench| bench.ready() == ["one"]);
    bench
}

fn is_evicted(bench: &Bench) -> bool {
    bench.object("Pod", "one").is_none_or(|pod| is_leaving(&pod))
}

/// `TestCreatePod`, `TestUpdateNode`: how long a pod stays after the taints come.
#[rstest]
#[case::not_tolerated(json!([]), json!([taint("a", "NoExecute")]), Some(0))]
#[case::tolerated_for_ever(json!([tolerates("a", None)]), json!([taint("a", "NoExecute")]), None)]
#[case::tolerated_for_a_time(json!([tolerates("a", Some(30))]), json!([taint("a", "NoExecute")]), Some(30))]
#[case::tolerated_for_no_time(json!([tolerates("a", Some(0))]), json!([taint("a", "NoExecute")]), Some(0))]
#[case::another_key(json!([tolerates("b", None)]), json!([taint("a", "NoExecute")]), Some(0))]
#[case::another_value(json!([{"key": "a", "operator": "Equal", "value": "no", "effect": "NoExecute"}]), json!([taint("a", "NoExecute")]), Some(0))]
#[case::only_one_of_two_tolerated(json!([tolerates("a", None)]), json!([taint("a", "NoExecute"), taint("b", "NoExecute")]), Some(0))]
#[case::the_shortest_of_two(json!([tolerates("a", Some(60)), tolerates("b", Some(20))]), json!([taint("a", "NoExecute"), taint("b", "NoExecute")]), Some(20))]
#[case::for_ever_and_for_a_time(json!([tolerates("a", None), tolerates("b", Some(20))]), json!([taint("a", "NoExecute"), taint("b", "NoExecute")]), Some(20))]
#[case::no_schedule_evicts_nobody(json!([]), json!([taint("a", "NoSchedule")]), None)]
#[case::prefer_no_schedule_evicts_nobody(json!([]), json!([taint("a", "PreferNoSchedule")]), None)]
#[case::every_taint_tolerated(json!([{"operator": "Exists"}]), json!([taint("a", "NoExecute"), taint("b", "NoExecute")]), None)]
fn a_pod_stays_as_long_as_it_tolerates(
    #[case] tolerations: Value,
    #[case] taints: Value,
    #[case] seconds: Option<u32>,
) {
    let mut bench = running(tolerations);
    set_taints(&mut bench, taints);
    match seconds {
        None => {
            bench.run(600);
            assert!(!is_evicted(&bench));
        }
        Some(seconds) => {
            let took = bench.until("evicted", 100, is_evicted);
            let seconds = f64::from(seconds);
            assert!((seconds..=seconds + 0.2).contains(&took), "{took}");
        }
    }
}

/// k8s.io/component-helpers scheduling/corev1 `GetMatchingTolerations`: of one taint the first toleration that matches counts.
#[rstest]
#[case::for_ever_first(json!([tolerates("a", None), tolerates("a", Some(20))]), None)]
#[case::a_time_first(json!([tolerates("a", Some(20)), tolerates("a", None)]), Some(20.0))]
fn the_first_toleration_of_a_taint_counts(#[case] tolerations: Value, #[case] seconds: Option<f64>) {
    let mut bench = running(tolerations);
    set_taints(&mut bench, json!([taint("a", "NoExecute")]));
    if let Some(seconds) = seconds {
        let took = bench.until("evicted", 60, is_evicted);
        assert!((seconds..=seconds + 0.2).contains(&took), "{took}");
    } else {
        bench.run(60);
        assert!(!is_evicted(&bench));
    }
}

/// `TestUpdateNode`, "Taint removed"; `cancelWorkWithEvent`.
#[test]
fn when_the_taint_goes_in_time_the_pod_stays() {
    let mut bench = running(json!([tolerates("a", Some(30))]));
    set_taints(&mut bench, json!([taint("a", "NoExecute")]));
    bench.run(20);
    set_taints(&mut bench, json!([]));
    bench.run(120);
    assert!(!is_evicted(&bench));
    assert_eq!(
        bench.events("TaintManagerEviction"),
        ["Cancelling deletion of Pod shop/one"]
    );
    // The time runs anew with a new taint.
    set_taints(&mut bench, json!([taint("a", "NoExecute")]));
    let took = bench.until("evicted", 60, is_evicted);
    assert!((30.0..=30.2).contains(&took), "{took}");
}

/// `processPodOnNode`: the time counts from the first taint; a second one that is tolerated for less does not shorten it, and
/// one that is not tolerated ends it.
#[test]
fn a_second_taint_does_not_shorten_the_time_unless_it_is_not_tolerated() {
    let tolerations = json!([tolerates("a", Some(60)), tolerates("b", Some(5))]);
    let mut bench = running(tolerations);
    set_taints(&mut bench, json!([taint("a", "NoExecute")]));
    bench.run(10);
    set_taints(&mut bench, json!([taint("a", "NoExecute"), taint("b", "NoExecute")]));
    bench.run(20);
    assert!(!is_evicted(&bench));
    set_taints(&mut bench, json!([taint("a", "NoExecute"), taint("c", "NoExecute")]));
    let took = bench.until("evicted", 5, is_evicted);
    assert!(took <= 0.2, "{took}");
}

/// `TestCreatePod`, "schedule on tainted Node": a pod that names its node comes past the scheduler and is evicted at once.
#[test]
fn a_pod_put_onto_a_tainted_node_is_evicted() {
    let mut bench = Bench::kind(2);
    set_taints(&mut bench, json!([taint("a", "NoExecute")]));
    for (name, tolerations) in [("one", json!([])), ("two", json!([tolerates("a", None)]))] {
        let mut pod = pod(name, tolerations);
        pod["spec"]["nodeName"] = json!(NODE);
        bench.create(pod);
    }
    bench.run(30);
    assert_eq!(bench.names("Pod"), ["two"]);
    assert_eq!(
        bench.events("TaintManagerEviction"),
        ["Marking for deletion Pod shop/one"]
    );
}

/// docs, "Taint based Evictions"; plugin/pkg/admission/defaulttolerationseconds/admission.go: 300 s, and DaemonSets for ever.
#[test]
fn admission_gives_every_pod_five_minutes_on_a_lost_node() {
    let mut bench = Bench::kind(3);
    bench.create(pod("one", json!([])));
    bench.create(pod(
        "two",
        json!([tolerates("node.kubernetes.io/unreachable", Some(30))]),
    ));
    bench.until("ready", 30, |bench| bench.ready().len() == 2);
    let seconds = |name: &str| {
        let shown = bench.get("Pod", name);
        let all = shown["spec"]["tolerations"].as_array().unwrap();
        let mut of: Vec<(String, u64)> = all
            .iter()
            .map(|it| {
                (
                    it["key"].as_str().unwrap().to_owned(),
                    it["tolerationSeconds"].as_u64().unwrap(),
                )
            })
            .collect();
        of.sort();
        of
    };
    let key = |name: &str| format!("node.kubernetes.io/{name}");
    assert_eq!(seconds("one"), [(key("not-ready"), 300), (key("unreachable"), 300)]);
    assert_eq!(seconds("two"), [(key("not-ready"), 300), (key("unreachable"), 30)]);
    bench.fail(Mode::Kill, NODE);
    let lost = bench.until("lost", 60, |bench| {
        condition(&bench.get("Node", NODE), "Ready").unwrap()["status"] == "Unknown"
    });
    let leaving = |bench: &Bench, name: &str| is_leaving(&bench.get("Pod", name));
    let two = lost + bench.until("two", 60, |bench| leaving(bench, "two"));
    let one = two + bench.until("one", 400, |bench| leaving(bench, "one"));
    assert!(
        (29.9..31.0).contains(&(two - lost)) && (299.9..301.0).contains(&(one - lost)),
        "{lost} {two} {one}"
    );
    let disrupted = bench.get("Pod", "one");
    let disrupted = condition(&disrupted, "DisruptionTarget").unwrap();
    assert_eq!(disrupted["reason"], "DeletionByTaintManager");
    // Nobody is there to end it.
    bench.run(600);
    assert!(leaving(&bench, "one"));
}

/// pkg/controller/daemon/util/daemonset_util.go `AddOrUpdateDaemonPodTolerations`.
#[test]
fn pods_of_daemon_sets_stay_on_a_lost_node_for_ever() {
    let mut bench = Bench::kind(4);
    let mut agent = workload("DaemonSet", "agent", 0);
    agent["spec"].as_object_mut().unwrap().remove("replicas");
    bench.create(agent);
    bench.until("ready", 30, |bench| bench.ready().len() == 4);
    bench.fail(Mode::Kill, NODE);
    bench.run(900);
    assert_eq!(bench.list("Pod").len(), 4);
    assert!(bench.list("Pod").iter().all(|pod| !is_leaving(pod)));
}

/// docs: a Deployment's pod on a tainted node is replaced elsewhere.
#[test]
fn what_is_evicted_is_replaced_where_it_is_tolerated() {
    let mut bench = Bench::kind(5);
    bench.create(workload("Deployment", "web", 4));
    bench.until("ready", 30, |bench| bench.ready().len() == 4);
    assert!(
        bench.ready().iter().any(|pod| bench.node_of(pod) == NODE),
        "spread over all nodes"
    );
    set_taints(&mut bench, json!([taint("maintenance", "NoExecute")]));
    bench.run(30);
    assert_eq!(bench.ready().len(), 4);
    assert!(bench.ready().iter().all(|pod| bench.node_of(pod) != NODE));
}
