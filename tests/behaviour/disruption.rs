//! Disruption: budgets, evictions, and what budgets do not bind (pkg/controller/disruption/disruption.go,
//! pkg/registry/core/pod/storage/eviction.go; situations of their tests and of the documentation).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::simulation::api::{ApiError, ApiStore as _, DeleteOptions};

use super::bench::{Bench, SPACE, condition, is_leaving, workload};

fn budget(name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

/// So many ready pods `web`.
fn running(replicas: u32) -> Bench {
    let mut bench = Bench::kind(1);
    bench.create(workload("Deployment", "web", replicas));
    bench.until("ready", 60, |bench| bench.ready().len() == replicas as usize);
    bench
}

fn guard(bench: &mut Bench, spec: Value) {
    bench.create(budget("guard", spec));
    bench.run(1);
}

fn status(bench: &Bench) -> Value {
    bench.get("PodDisruptionBudget", "guard")["status"].clone()
}

fn evict(bench: &mut Bench, pod: &str) -> Result<(), ApiError> {
    bench.world.evict(SPACE, pod, &DeleteOptions::default(), false)
}

/// disruption.go `getExpectedPodCount`, `updatePdbStatus`; disruption_test.go `TestIntegerMaxUnavailable`,
/// `TestTotalUnmanagedPods` and their neighbours. Percentages are rounded up.
#[rstest]
#[case::at_least_a_number(3, json!({"minAvailable": 2}), 3, 2, 1)]
#[case::at_least_more_than_there_are(3, json!({"minAvailable": 5}), 3, 5, 0)]
#[case::at_least_a_share(3, json!({"minAvailable": "50%"}), 3, 2, 1)]
#[case::at_least_all(4, json!({"minAvailable": "100%"}), 4, 4, 0)]
#[case::at_least_none(3, json!({"minAvailable": 0}), 3, 0, 3)]
#[case::at_most_one(4, json!({"maxUnavailable": 1}), 4, 3, 1)]
#[case::at_most_a_share(3, json!({"maxUnavailable": "50%"}), 3, 1, 2)]
#[case::at_most_none(3, json!({"maxUnavailable": 0}), 3, 3, 0)]
#[case::at_most_all(3, json!({"maxUnavailable": "100%"}), 3, 0, 3)]
fn what_a_budget_allows(
    #[case] replicas: u32,
    #[case] spec: Value,
    #[case] expected: u64,
    #[case] desired: u64,
    #[case] allowed: u64,
) {
    let mut bench = running(replicas);
    guard(&mut bench, spec);
    let status = status(&bench);
    assert_eq!(status["expectedPods"], expected);
    assert_eq!(status["desiredHealthy"], desired);
    assert_eq!(status["currentHealthy"], u64::from(replicas));
    assert_eq!(status["disruptionsAllowed"], allowed);
    let condition = condition(&json!({"status": status}), "DisruptionAllowed")
        .unwrap()
        .clone();
    assert_eq!(condition["status"], if allowed > 0 { "True" } else { "False" });
}

/// eviction.go `checkAndDecrement`: counted at once; allowed again when the replacement is ready.
#[test]
fn evictions_use_a_budget_up_until_replacements_are_ready() {
    let mut bench = running(3);
    guard(&mut bench, json!({"minAvailable": 2}));
    let pods = bench.ready();
    evict(&mut bench, &pods[0]).unwrap();
    assert_eq!(status(&bench)["disruptionsAllowed"], 0);
    let refused = evict(&mut bench, &pods[1]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    bench.until("replaced", 60, |bench| status(bench)["disruptionsAllowed"] == 1);
    assert!(!bench.ready().contains(&pods[0]));
    evict(&mut bench, &pods[1]).unwrap();
}

/// eviction.go `canIgnorePDB`: a pod that is not running anywhere may always be evicted.
#[test]
fn a_pending_pod_may_be_evicted() {
    let mut bench = Bench::kind(2);
    let mut web = workload("Deployment", "web", 1);
    web["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "none"});
    bench.create(web);
    guard(&mut bench, json!({"minAvailable": 1}));
    bench.run(5);
    let pod = bench.names("Pod")[0].clone();
    evict(&mut bench, &pod).unwrap();
    assert!(bench.object("Pod", &pod).is_none());
}

/// eviction.go: "This pod has more than one PodDisruptionBudget".
#[test]
fn a_pod_of_two_budgets_cannot_be_evicted() {
    let mut bench = running(3);
    guard(&mut bench, json!({"minAvailable": 1}));
    bench.create(budget("second", json!({"minAvailable": 1})));
    bench.run(1);
    let pod = bench.ready()[0].clone();
    let refused = evict(&mut bench, &pod).unwrap_err().to_string();
    assert!(refused.contains("more than one PodDisruptionBudget"), "{refused}");
}

/// policy/v1 types.go `PodDisruptionBudgetSpec.Selector`: an empty selector selects all of the namespace, a missing one nobody.
#[rstest]
#[case::empty(json!({}), 0)]
#[case::missing(Value::Null, 3)]
#[case::of_others(json!({"matchLabels": {"app": "other"}}), 3)]
fn whom_a_budget_guards(#[case] selector: Value, #[case] may_go: usize) {
    let mut bench = running(3);
    guard(&mut bench, json!({"minAvailable": 3, "selector": selector}));
    let gone = bench
        .ready()
        .iter()
        .filter(|pod| evict(&mut bench, pod).is_ok())
        .count();
    assert_eq!(gone, may_go);
}

/// disruption.go `getExpectedScale`: pods of nobody have no scale to take a share of; a number needs none.
#[rstest]
#[case::a_number(json!({"minAvailable": 1}), true)]
#[case::a_share(json!({"minAvailable": "50%"}), false)]
#[case::unavailable(json!({"maxUnavailable": 1}), false)]
fn naked_pods_can_only_be_counted(#[case] spec: Value, #[case] counts: bool) {
    let mut bench = Bench::kind(3);
    for name in ["one", "two"] {
        let mut pod = super::bench::template("web");
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(name);
        bench.create(pod);
    }
    bench.until("ready", 30, |bench| bench.ready().len() == 2);
    guard(&mut bench, spec);
    assert_eq!(status(&bench)["expectedPods"], if counts { 2 } else { 0 });
    assert_eq!(evict(&mut bench, "one").is_ok(), counts);
}

/// docs, "Disruptions": a budget binds evictions alone. Deleting, a NoExecute taint and a rolling update go their way.
#[test]
fn a_budget_does_not_bind_what_is_no_eviction() {
    let mut bench = running(4);
    guard(&mut bench, json!({"maxUnavailable": 0}));
    let pods = bench.ready();
    assert!(evict(&mut bench, &pods[0]).is_err());
    bench.delete("Pod", &pods[0]);
    assert!(is_leaving(&bench.get("Pod", &pods[0])));
    bench.until("again", 60, |bench| bench.ready().len() == 4);
    let node = bench.node_of(&bench.ready()[0]);
    bench.patch(
        "Node",
        &node,
        &json!({"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}),
    );
    bench.until("moved", 60, |bench| {
        bench.ready().len() == 4 && bench.ready().iter().all(|pod| bench.node_of(pod) != node)
    });
    let release = json!({"spec": {"template": {"metadata": {"labels": {"release": "two"}}}}});
    bench.patch("Deployment", "web", &release);
    bench.until("rolled", 60, |bench| {
        bench.get("Deployment", "web")["status"]["updatedReplicas"] == 4 && bench.ready().len() == 4
    });
}

/// defaultpreemption/default_preemption.go `filterPodsWithPDBViolation`, in a whole cluster: of two equal victims the one
/// whose budget allows no disruption is spared, and it goes all the same when there is no other.
#[test]
fn preemption_spares_whom_a_budget_protects_as_long_as_it_can() {
    let mut bench = Bench::kind(4);
    let hungry = |name: &str, replicas: u32| {
        let mut object = workload("Deployment", name, replicas);
        object["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "7"}});
        object
    };
    bench.create(hungry("web", 2));
    bench.create(hungry("free", 2));
    bench.until("full", 60, |bench| bench.ready().len() == 4);
    guard(&mut bench, json!({"maxUnavailable": 0}));
    bench.create(json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gold"}, "value": 9}));
    let left = |bench: &Bench, name: &str| bench.ready().iter().filter(|pod| pod.starts_with(name)).count();
    for (round, (web, free)) in [(2, 1), (2, 0), (1, 0)].into_iter().enumerate() {
        let mut gold = hungry(&format!("gold{round}"), 1);
        gold["spec"]["template"]["spec"]["priorityClassName"] = json!("gold");
        bench.create(gold);
        bench.until("gold", 60, |bench| left(bench, "gold") == round + 1);
        assert_eq!(
            (left(&bench, "web"), left(&bench, "free")),
            (web, free),
            "round {round}"
        );
    }
}
