//! Limit ranges (plugin/pkg/admission/limitranger/admission.go; situations of `admission_test.go`).

use rstest::rstest;
use serde_json::{Value, json};

use super::super::bench::{Bench, workload};
use super::pod;

fn range(items: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "bounds"}, "spec": {"limits": items}})
}

fn bound(kind: &str, what: &str, amounts: Value) -> Value {
    json!([{"type": kind, what: amounts}])
}

/// `PodValidateLimitFunc`, `minConstraint`, `maxConstraint`, `limitRequestRatioConstraint`; `TestPodLimitFunc`.
#[rstest]
#[case::at_the_minimum(bound("Container", "min", json!({"cpu": "100m"})), json!({"requests": {"cpu": "100m"}}), None)]
#[case::below_the_minimum(bound("Container", "min", json!({"cpu": "100m"})), json!({"requests": {"cpu": "50m"}}),
    Some("minimum cpu usage per Container is 100m, but request is 50m"))]
#[case::limit_below_the_minimum(bound("Container", "min", json!({"memory": "1Gi"})), json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}),
    Some("minimum memory usage per Container is 1Gi, but limit is 512Mi"))]
#[case::at_the_maximum(bound("Container", "max", json!({"memory": "1Gi"})), json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}), None)]
#[case::above_the_maximum(bound("Container", "max", json!({"memory": "1Gi"})), json!({"limits": {"memory": "1536Mi"}}),
    Some("maximum memory usage per Container is 1Gi, but limit is 1536Mi"))]
#[case::request_above_the_maximum(bound("Container", "max", json!({"cpu": "1"})), json!({"requests": {"cpu": "1500m"}, "limits": {"cpu": "1"}}),
    Some("maximum cpu usage per Container is 1, but request is 1500m"))]
#[case::within_the_ratio(bound("Container", "maxLimitRequestRatio", json!({"cpu": "2"})), json!({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}), None)]
#[case::beyond_the_ratio(bound("Container", "maxLimitRequestRatio", json!({"cpu": "2"})), json!({"requests": {"cpu": "300m"}, "limits": {"cpu": "1"}}),
    Some("cpu max limit to request ratio per Container is 2, but provided ratio is 3.333333"))]
#[case::ratio_without_a_limit(bound("Container", "maxLimitRequestRatio", json!({"cpu": "2"})), json!({"requests": {"cpu": "300m"}}),
    Some("cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"))]
#[case::pod_minimum_unasked(bound("Pod", "min", json!({"cpu": "1"})), json!({}),
    Some("minimum cpu usage per Pod is 1.  No request is specified"))]
#[case::pod_maximum_without_a_limit(bound("Pod", "max", json!({"cpu": "1"})), json!({"requests": {"cpu": "1"}}),
    Some("maximum cpu usage per Pod is 1.  No limit is specified"))]
#[case::pod_above_the_maximum(bound("Pod", "max", json!({"memory": "1Gi"})), json!({"limits": {"memory": "2Gi"}}),
    Some("maximum memory usage per Pod is 1Gi, but limit is 2Gi"))]
#[case::several_faults(bound("Container", "min", json!({"cpu": "1", "memory": "1Gi"})), json!({"requests": {"cpu": "1m", "memory": "1Mi"}}),
    Some("[minimum cpu usage per Container is 1, but request is 1m, minimum memory usage per Container is 1Gi, but request is 1Mi]"))]
fn bounds(#[case] items: Value, #[case] resources: Value, #[case] fault: Option<&str>) {
    let mut bench = Bench::kind(1);
    bench.create(range(items));
    let outcome = bench
        .try_create(pod("one", resources))
        .map_err(|error| error.to_string());
    let expected = fault.map(|fault| format!("pods \"one\" is forbidden: {fault}"));
    assert_eq!(outcome.err(), expected);
}

/// `mergeContainerResources`, pkg/apis/core/v1/defaults.go `SetDefaults_LimitRangeItem`.
#[rstest]
#[case::default_request_and_limit(json!([{"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}}]),
    json!({}), json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}), "cpu request for container main; cpu limit for container main")]
#[case::a_default_limit_is_the_default_request(json!([{"type": "Container", "default": {"memory": "512Mi"}}]),
    json!({}), json!({"requests": {"memory": "512Mi"}, "limits": {"memory": "512Mi"}}), "memory request for container main; memory limit for container main")]
#[case::a_maximum_is_the_default_limit(json!([{"type": "Container", "max": {"cpu": "1"}}]),
    json!({}), json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}), "cpu request for container main; cpu limit for container main")]
#[case::a_minimum_is_the_default_request(json!([{"type": "Container", "min": {"cpu": "50m"}}]),
    json!({}), json!({"requests": {"cpu": "50m"}, "limits": {}}), "cpu request for container main")]
#[case::a_limit_of_its_own_is_its_request(json!([{"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m", "memory": "1Gi"}}]),
    json!({"limits": {"cpu": "2"}}), json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}),
    "memory request for container main; memory limit for container main")]
fn defaults(#[case] items: Value, #[case] written: Value, #[case] expected: Value, #[case] words: &str) {
    let mut bench = Bench::kind(2);
    bench.create(range(items));
    bench.create(pod("one", written));
    let shown = bench.get("Pod", "one");
    let resources = &shown["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"], expected["requests"]);
    assert_eq!(
        resources.get("limits").cloned().unwrap_or(json!({})),
        expected["limits"]
    );
    assert_eq!(
        shown["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        format!("LimitRanger plugin set: {words}")
    );
}

/// The defaults count where the scheduler counts: four workers of eight cores hold two such pods each.
#[test]
fn pods_of_workloads_get_the_defaults_and_the_scheduler_counts_them() {
    let mut bench = Bench::kind(3);
    bench.create(range(
        json!([{"type": "Container", "defaultRequest": {"cpu": "3500m"}, "default": {"cpu": "4"}}]),
    ));
    bench.create(workload("Deployment", "web", 9));
    bench.run(30);
    let bound = bench
        .list("Pod")
        .iter()
        .filter(|pod| !pod["spec"]["nodeName"].is_null())
        .count();
    assert_eq!(bound, 8);
    let refused = bench.events("FailedScheduling");
    assert!(refused[0].contains("4 Insufficient cpu"), "{refused:?}");
}

/// A LimitRange acts on pods that come after it.
#[test]
fn what_runs_already_stays_as_it_is() {
    let mut bench = Bench::kind(4);
    bench.create(pod("early", json!({})));
    bench.create(range(json!([{"type": "Container", "min": {"cpu": "1"}}])));
    bench.create(pod("late", json!({})));
    let request = |name: &str| bench.get("Pod", name)["spec"]["containers"][0]["resources"]["requests"]["cpu"].clone();
    assert_eq!((request("early"), request("late")), (Value::Null, json!("1")));
}
