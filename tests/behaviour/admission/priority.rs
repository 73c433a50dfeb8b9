//! Priority classes (plugin/pkg/admission/priority/admission.go; situations of `admission_test.go`).

use rstest::rstest;
use serde_json::{Value, json};

use super::super::bench::{Bench, condition, workload};
use super::pod;

fn class(name: &str, value: i64, more: Value) -> Value {
    let mut object = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// `TestPodAdmission`: gold is 7, quiet is 5 and never preempts, usual is 3 and the default.
#[rstest]
#[case::of_its_class(json!({"priorityClassName": "gold"}), 7, "PreemptLowerPriority", "gold")]
#[case::never_preempting(json!({"priorityClassName": "quiet"}), 5, "Never", "quiet")]
#[case::the_global_default(json!({}), 3, "PreemptLowerPriority", "usual")]
#[case::of_the_system(json!({"priorityClassName": "system-node-critical"}), 2_000_001_000, "PreemptLowerPriority", "system-node-critical")]
#[case::the_right_value_may_be_written(json!({"priorityClassName": "gold", "priority": 7}), 7, "PreemptLowerPriority", "gold")]
fn a_pod_has_the_priority_of_its_class(
    #[case] spec: Value,
    #[case] value: i64,
    #[case] policy: &str,
    #[case] name: &str,
) {
    let mut bench = Bench::kind(1);
    bench.create(class("gold", 7, json!({})));
    bench.create(class("quiet", 5, json!({"preemptionPolicy": "Never"})));
    bench.create(class("usual", 3, json!({"globalDefault": true})));
    let mut wanted = pod("one", json!({}));
    for (key, value) in spec.as_object().unwrap() {
        wanted["spec"][key] = value.clone();
    }
    bench.create(wanted);
    let shown = &bench.get("Pod", "one")["spec"];
    assert_eq!(shown["priority"], value);
    assert_eq!(shown["preemptionPolicy"], policy);
    assert_eq!(shown["priorityClassName"], name);
}

#[rstest]
#[case::unknown(json!({"priorityClassName": "silver"}), "no PriorityClass with name silver was found")]
#[case::a_value_without_a_class(json!({"priority": 9}),
    "the integer value of priority (9) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name")]
#[case::another_value(json!({"priorityClassName": "gold", "priority": 9}),
    "the integer value of priority (9) must not be provided in pod spec; priority admission controller computed 7 from the given PriorityClass name")]
#[case::another_policy(json!({"priorityClassName": "gold", "preemptionPolicy": "Never"}),
    "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name")]
fn a_pod_with_a_wrong_priority_is_refused(#[case] spec: Value, #[case] why: &str) {
    let mut bench = Bench::kind(1);
    bench.create(class("gold", 7, json!({})));
    let mut wanted = pod("one", json!({}));
    for (key, value) in spec.as_object().unwrap() {
        wanted["spec"][key] = value.clone();
    }
    let refused = bench.try_create(wanted).unwrap_err().to_string();
    assert_eq!(refused, format!("pods \"one\" is forbidden: {why}"));
}

/// `validatePriorityClass`; pkg/apis/scheduling/validation/validation.go `ValidatePriorityClass`.
#[rstest]
#[case::too_high(class("high", 1_000_000_001, json!({})), "maximum allowed value of a user defined priority is 1000000000")]
#[case::a_name_of_the_system(class("system-mine", 1, json!({})), "priority class names with 'system-' prefix are reserved for system use only")]
#[case::a_second_default(class("second", 1, json!({"globalDefault": true})), "PriorityClass usual is already marked as default. Only one default can exist")]
#[case::an_unknown_policy(class("odd", 1, json!({"preemptionPolicy": "Sometimes"})), "Unsupported value: \"Sometimes\"")]
fn a_wrong_class_is_refused(#[case] object: Value, #[case] why: &str) {
    let mut bench = Bench::kind(1);
    bench.create(class("usual", 3, json!({"globalDefault": true})));
    let refused = bench.try_create(object).unwrap_err().to_string();
    assert!(refused.contains(why), "{refused}");
}

/// A workload of an unknown class is accepted; its ReplicaSet fails until the class is there (docs: "If the priority class is
/// not found, the Pod is rejected").
#[test]
fn a_workload_waits_for_its_class() {
    let mut bench = Bench::kind(5);
    let mut web = workload("Deployment", "web", 2);
    web["spec"]["template"]["spec"]["priorityClassName"] = json!("gold");
    bench.create(web);
    bench.run(5);
    assert!(bench.list("Pod").is_empty());
    let failed = bench.events("FailedCreate");
    assert!(
        failed[0].contains("no PriorityClass with name gold was found"),
        "{failed:?}"
    );
    let shown = bench.get("Deployment", "web");
    assert_eq!(condition(&shown, "ReplicaFailure").unwrap()["reason"], "FailedCreate");
    bench.create(class("gold", 7, json!({})));
    // After so many refusals the pause is a few seconds long.
    bench.until("pods", 30, |bench| bench.ready().len() == 2);
    assert!(bench.list("Pod").iter().all(|pod| pod["spec"]["priority"] == 7));
    assert!(condition(&bench.get("Deployment", "web"), "ReplicaFailure").is_none());
}

/// The whole way: a class, a full cluster, a pod of it, and a victim (docs: "Pod Priority and Preemption").
#[test]
fn a_pod_of_a_higher_class_pushes_another_out() {
    let mut bench = Bench::kind(6);
    bench.create(class("gold", 1_000, json!({})));
    let mut low = workload("Deployment", "low", 4);
    low["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "7"}});
    bench.create(low);
    bench.until("low", 60, |bench| bench.ready().len() == 4);
    let mut high = pod("high", json!({"requests": {"cpu": "4"}}));
    high["spec"]["priorityClassName"] = json!("gold");
    bench.create(high);
    bench.until("high", 60, |bench| bench.ready().contains(&"high".to_owned()));
    assert_eq!(bench.ready().len(), 4, "three of the others stay");
    let preempted = bench
        .list("Pod")
        .iter()
        .filter(|pod| pod["spec"]["nodeName"].is_null())
        .count();
    assert_eq!(preempted, 1, "the victim's replacement waits");
}
