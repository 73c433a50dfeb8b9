//! Resource quotas (k8s.io/apiserver pkg/admission/plugin/resourcequota/controller.go; situations of its tests in
//! pkg/admission/plugin/resourcequota/admission_test.go and of pkg/quota/v1/evaluator/core).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::super::bench::{Bench, condition, workload};
use super::pod;

fn quota(hard: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": hard}})
}

fn used(bench: &Bench) -> Value {
    bench.get("ResourceQuota", "quota")["status"]["used"].clone()
}

/// `CheckRequest`: a first pod fits, a second one exceeds; the message has what exceeds, and nothing else.
#[rstest]
#[case::pods(json!({"pods": "1"}), json!({}), "requested: pods=1, used: pods=1, limited: pods=1")]
#[case::objects(json!({"count/pods": "1"}), json!({}), "requested: count/pods=1, used: count/pods=1, limited: count/pods=1")]
#[case::requested_cpu(json!({"requests.cpu": "1", "pods": "9"}), json!({"requests": {"cpu": "600m"}}),
    "requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1")]
#[case::cpu_is_requested_cpu(json!({"cpu": "1"}), json!({"requests": {"cpu": "600m"}}), "requested: cpu=600m, used: cpu=600m, limited: cpu=1")]
#[case::limits(json!({"limits.memory": "1536Mi"}), json!({"limits": {"memory": "1Gi"}}),
    "requested: limits.memory=1Gi, used: limits.memory=1Gi, limited: limits.memory=1536Mi")]
#[case::two_at_once(json!({"requests.cpu": "1", "requests.memory": "1Gi"}), json!({"requests": {"cpu": "1", "memory": "1Gi"}}),
    "requested: requests.cpu=1,requests.memory=1Gi, used: requests.cpu=1,requests.memory=1Gi, limited: requests.cpu=1,requests.memory=1Gi")]
#[case::an_extended_resource(json!({"requests.example.com/gpu": "1"}), json!({"requests": {"example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}),
    "requested: requests.example.com/gpu=1, used: requests.example.com/gpu=1, limited: requests.example.com/gpu=1")]
fn what_exceeds_is_refused(#[case] hard: Value, #[case] resources: Value, #[case] words: &str) {
    let mut bench = Bench::kind(1);
    bench.create(quota(hard));
    bench.create(pod("one", resources.clone()));
    let refused = bench.try_create(pod("two", resources)).unwrap_err().to_string();
    assert_eq!(
        refused,
        format!("pods \"two\" is forbidden: exceeded quota: quota, {words}")
    );
}

/// pkg/quota/v1/evaluator/core/pods.go `Constraints`: CPU and memory that are counted must be named.
#[test]
fn what_is_counted_must_be_named() {
    let mut bench = Bench::kind(1);
    bench.create(quota(json!({"requests.cpu": "1", "limits.memory": "1Gi", "pods": "9"})));
    let refused = bench.try_create(pod("one", json!({}))).unwrap_err().to_string();
    assert_eq!(
        refused,
        "pods \"one\" is forbidden: failed quota: quota: must specify limits.memory for: main; requests.cpu for: main"
    );
}

/// pkg/quota/v1/evaluator/core/pods.go `podMatchesScopeFunc`; pods_test.go `TestPodEvaluatorMatchingScopes`.
#[rstest]
#[case::best_effort(json!({"scopes": ["BestEffort"]}), json!({}), json!({}), true)]
#[case::not_best_effort(json!({"scopes": ["NotBestEffort"]}), json!({}), json!({}), false)]
#[case::burstable_is_not_best_effort(json!({"scopes": ["NotBestEffort"]}), json!({"requests": {"cpu": "1"}}), json!({}), true)]
#[case::terminating(json!({"scopes": ["Terminating"]}), json!({}), json!({"activeDeadlineSeconds": 60}), true)]
#[case::not_terminating(json!({"scopes": ["NotTerminating"]}), json!({}), json!({"activeDeadlineSeconds": 60}), false)]
#[case::of_a_class(json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]}}),
    json!({}), json!({"priorityClassName": "system-node-critical"}), true)]
#[case::of_another_class(json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}}),
    json!({}), json!({"priorityClassName": "system-node-critical"}), false)]
#[case::of_any_class(json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}}),
    json!({}), json!({}), false)]
fn a_quota_with_scopes_counts_the_pods_that_match_all(
    #[case] scope: Value,
    #[case] resources: Value,
    #[case] spec: Value,
    #[case] counts: bool,
) {
    let mut bench = Bench::kind(1);
    let mut object = quota(json!({"pods": "0"}));
    for (key, value) in scope.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    bench.create(object);
    let mut wanted = pod("one", resources);
    for (key, value) in spec.as_object().unwrap() {
        wanted["spec"][key] = value.clone();
    }
    assert_eq!(bench.try_create(wanted).is_err(), counts);
}

fn service(kind: &str, ports: usize) -> Value {
    let ports: Vec<Value> = (0..ports)
        .map(|n| json!({"name": format!("p{n}"), "port": 80 + n}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": kind, "selector": {"app": "web"}, "ports": ports},
    })
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

/// pkg/quota/v1/evaluator/core/services.go, registry.go, generic object counts.
#[rstest]
#[case::services(json!({"services": "0"}), service("ClusterIP", 1), "services \"web\" is forbidden: exceeded quota: quota, requested: services=1, used: services=0, limited: services=0")]
#[case::node_ports(json!({"services.nodeports": "1"}), service("NodePort", 2), "requested: services.nodeports=2")]
#[case::load_balancers(json!({"services.loadbalancers": "0"}), service("LoadBalancer", 1), "requested: services.loadbalancers=1")]
#[case::config_maps(json!({"configmaps": "0"}), map("settings"), "configmaps \"settings\" is forbidden: exceeded quota: quota, requested: configmaps=1")]
#[case::any_kind_by_count(json!({"count/deployments.apps": "0"}), workload("Deployment", "web", 1),
    "deployments.apps \"web\" is forbidden: exceeded quota: quota, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0")]
fn objects_count(#[case] hard: Value, #[case] object: Value, #[case] words: &str) {
    let mut bench = Bench::kind(1);
    bench.create(quota(hard));
    let refused = bench.try_create(object).unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}");
}

/// pkg/controller/resourcequota: the status counts what is there, from the quota's creation on.
#[test]
fn the_status_follows_what_is_there() {
    let mut bench = Bench::kind(2);
    bench.create(pod("one", json!({"requests": {"cpu": "100m", "memory": "64Mi"}})));
    bench.create(map("settings"));
    bench.create(quota(
        json!({"pods": "5", "requests.cpu": "1", "requests.memory": "1Gi", "configmaps": "9"}),
    ));
    assert_eq!(
        used(&bench),
        json!({"pods": "1", "requests.cpu": "100m", "requests.memory": "64Mi", "configmaps": "1"})
    );
    bench.create(pod("two", json!({"requests": {"cpu": "900m", "memory": "64Mi"}})));
    assert_eq!(used(&bench)["requests.cpu"], "1");
    bench.delete("ConfigMap", "settings");
    bench.delete("Pod", "one");
    bench.run(10);
    assert_eq!(
        used(&bench),
        json!({"pods": "1", "requests.cpu": "900m", "requests.memory": "64Mi", "configmaps": "0"})
    );
    // What a user writes into the quota's specification acts at once; the status stays the controller's.
    bench.patch(
        "ResourceQuota",
        "quota",
        &json!({"spec": {"hard": {"pods": "1"}}, "status": {"used": {"pods": "0"}}}),
    );
    assert_eq!(used(&bench)["pods"], "1");
    assert!(
        bench
            .try_create(pod("three", json!({"requests": {"cpu": "0", "memory": "0"}})))
            .is_err()
    );
    bench.delete("ResourceQuota", "quota");
    bench.create(pod("three", json!({})));
}

/// pkg/controller/replicaset/replica_set.go `slowStartBatch`, `calculateStatus`; deployment/progress.go `getReplicaFailures`.
#[test]
fn a_replica_set_that_may_not_create_more_says_so_and_goes_on_when_it_may() {
    let mut bench = Bench::kind(3);
    bench.create(quota(json!({"pods": "3"})));
    bench.create(workload("Deployment", "web", 5));
    bench.run(10);
    assert_eq!(bench.list("Pod").len(), 3);
    let set = &bench.list("ReplicaSet")[0];
    let failure = condition(set, "ReplicaFailure").unwrap();
    assert_eq!(
        (&failure["status"], &failure["reason"]),
        (&json!("True"), &json!("FailedCreate"))
    );
    let message = failure["message"].as_str().unwrap();
    assert!(message.starts_with("pods \"web-"), "{message}");
    assert!(
        message.ends_with("exceeded quota: quota, requested: pods=1, used: pods=3, limited: pods=3"),
        "{message}"
    );
    assert!(bench.events("FailedCreate")[0].starts_with("Error creating: pods \"web-"));
    assert!(condition(&bench.get("Deployment", "web"), "ReplicaFailure").is_some());
    bench.patch("ResourceQuota", "quota", &json!({"spec": {"hard": {"pods": "9"}}}));
    // The pause has grown to some seconds by now, and does not know of the quota.
    bench.until("five pods", 60, |bench| bench.list("Pod").len() == 5);
    bench.run(5);
    assert!(condition(&bench.list("ReplicaSet")[0], "ReplicaFailure").is_none());
    assert!(condition(&bench.get("Deployment", "web"), "ReplicaFailure").is_none());
}

/// pkg/quota/v1/evaluator/core/pods.go `QuotaV1Pod`: a pod that is stuck on a dead node past its grace period is not charged,
/// so that its replacement may be created; counted every five minutes (`--resource-quota-sync-period`).
#[test]
fn a_pod_stuck_on_a_dead_node_does_not_hold_its_replacement_back_for_long() {
    let mut bench = Bench::kind(4);
    bench.create(quota(json!({"pods": "1"})));
    bench.create(workload("Deployment", "web", 1));
    bench.until("ready", 30, |bench| bench.ready().len() == 1);
    let node = bench.node_of(&bench.names("Pod")[0]);
    bench.fail(Mode::Kill, &node);
    let took = bench.until("replaced", 1_200, |bench| {
        bench.list("Pod").len() == 2 && bench.ready().len() == 1
    });
    // Deleted after 340 to 356 s; a full count at most 300 s later; then the ReplicaSet's pause.
    assert!((340.0..1_150.0).contains(&took), "{took}");
}

/// docs, "Resource Quotas": the surge of a rolling update is refused, its replacements are not.
#[test]
fn a_workload_within_its_quota_rolls_without_a_surge() {
    let mut bench = Bench::kind(5);
    bench.create(quota(json!({"pods": "4"})));
    bench.create(workload("Deployment", "web", 4));
    bench.until("ready", 30, |bench| bench.ready().len() == 4);
    bench.patch(
        "Deployment",
        "web",
        &json!({"spec": {"template": {"metadata": {"labels": {"release": "two"}}}}}),
    );
    // maxUnavailable 25 %: one old pod goes first, and the new one takes its place in the quota.
    bench.until("rolled", 300, |bench| {
        let shown = bench.get("Deployment", "web");
        shown["status"]["updatedReplicas"] == 4
            && shown["status"]["availableReplicas"] == 4
            && bench.list("Pod").len() == 4
    });
}
