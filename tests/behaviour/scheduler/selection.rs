//! Which nodes a pod may go to: node affinity, taints, cordons.

use rstest::rstest;
use serde_json::{Value, json};

use super::table::{Table, node, pod, with};

fn required(terms: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
}

/// nodeaffinity/node_affinity_test.go `TestNodeAffinity`; k8s.io/component-helpers scheduling/corev1/nodeaffinity.
#[rstest]
#[case::no_wish(json!({}), &["big", "small", "plain"])]
#[case::selector(json!({"nodeSelector": {"disk": "ssd"}}), &["big"])]
#[case::selector_of_two_labels(json!({"nodeSelector": {"disk": "ssd", "cores": "8"}}), &[])]
#[case::is_in(required(json!([expression("disk", "In", &["ssd", "tape"])])), &["big"])]
#[case::is_not_in_or_absent(required(json!([expression("disk", "NotIn", &["ssd"])])), &["small", "plain"])]
#[case::exists(required(json!([expression("disk", "Exists", &[])])), &["big", "small"])]
#[case::is_absent(required(json!([expression("disk", "DoesNotExist", &[])])), &["plain"])]
#[case::greater(required(json!([expression("cores", "Gt", &["8"])])), &["big"])]
#[case::less(required(json!([expression("cores", "Lt", &["16"])])), &["small"])]
#[case::greater_of_no_number(required(json!([expression("disk", "Gt", &["1"])])), &[])]
#[case::terms_are_alternatives(required(json!([expression("disk", "In", &["ssd"]), expression("disk", "DoesNotExist", &[])])), &["big", "plain"])]
#[case::expressions_hold_together(required(json!([{"matchExpressions": [
    {"key": "disk", "operator": "Exists"}, {"key": "cores", "operator": "Lt", "values": ["16"]}]}])), &["small"])]
#[case::an_empty_term_selects_nothing(required(json!([{}])), &[])]
#[case::by_name(required(json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["plain"]}]}])), &["plain"])]
#[case::by_name_and_label(required(json!([{
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["plain"]}],
    "matchExpressions": [{"key": "disk", "operator": "Exists"}]}])), &[])]
#[case::selector_and_affinity(
    with(required(json!([expression("disk", "Exists", &[])])), &json!({"nodeSelector": {"cores": "8"}})), &["small"])]
fn node_affinity(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut table = Table::new([
        node("big", &[("disk", "ssd"), ("cores", "16")]),
        node("small", &[("disk", "hdd"), ("cores", "8")]),
        node("plain", &[]),
    ]);
    assert_eq!(table.fitting(&pod(&[], spec)), expected);
}

/// nodeaffinity/node_affinity_test.go `TestNodeAffinityPriority`: the weights of the terms that hold add up.
#[rstest]
#[case::one_term(json!([{"weight": 2, "preference": expression("disk", "In", &["ssd"])}]), &["big"])]
#[case::the_heavier_wins(json!([
    {"weight": 2, "preference": expression("disk", "In", &["ssd"])},
    {"weight": 5, "preference": expression("disk", "In", &["hdd"])}]), &["small"])]
#[case::weights_add_up(json!([
    {"weight": 4, "preference": expression("disk", "In", &["ssd"])},
    {"weight": 4, "preference": expression("cores", "Gt", &["8"])},
    {"weight": 5, "preference": expression("disk", "In", &["hdd"])}]), &["big"])]
#[case::an_empty_preference_prefers_nothing(json!([{"weight": 9, "preference": {}}]), &["big", "plain", "small"])]
fn preferred_node_affinity(#[case] preferred: Value, #[case] expected: &[&str]) {
    let mut table = Table::new([
        node("big", &[("disk", "ssd"), ("cores", "16")]),
        node("small", &[("disk", "hdd"), ("cores", "8")]),
        node("plain", &[]),
    ]);
    let spec = json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}});
    assert_eq!(table.best(&pod(&[], spec)), expected);
}

fn tainted(effect: &str) -> Value {
    let taint = json!({"key": "dedicated", "value": "user1", "effect": effect});
    with(node("tainted", &[]), &json!({"spec": {"taints": [taint]}}))
}

/// tainttoleration/taint_toleration_test.go `TestTaintTolerationFilter`; k8s.io/api core/v1 toleration.go `ToleratesTaint`.
#[rstest]
#[case::without("NoSchedule", json!([]), false)]
#[case::equal("NoSchedule", json!([{"key": "dedicated", "operator": "Equal", "value": "user1", "effect": "NoSchedule"}]), true)]
#[case::another_value("NoSchedule", json!([{"key": "dedicated", "operator": "Equal", "value": "user2", "effect": "NoSchedule"}]), false)]
#[case::exists("NoSchedule", json!([{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]), true)]
#[case::another_effect("NoSchedule", json!([{"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}]), false)]
#[case::every_effect("NoExecute", json!([{"key": "dedicated", "operator": "Equal", "value": "user1"}]), true)]
#[case::every_key("NoExecute", json!([{"operator": "Exists"}]), true)]
#[case::soft_taints_do_not_bind("PreferNoSchedule", json!([]), true)]
fn taints(#[case] effect: &str, #[case] tolerations: Value, #[case] fits: bool) {
    let mut table = Table::new([tainted(effect)]);
    let found = table.fitting(&pod(&[], json!({"tolerations": tolerations})));
    assert_eq!(found.len(), usize::from(fits));
}

/// tainttoleration/taint_toleration_test.go `TestTaintTolerationScore`: fewer soft taints that it does not tolerate.
#[rstest]
#[case::away_from_the_tainted(json!([]), &["free"])]
#[case::tolerated(json!([{"key": "dedicated", "operator": "Exists", "effect": "PreferNoSchedule"}]), &["free", "tainted"])]
#[case::tolerated_for_another_effect(json!([{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]), &["free"])]
fn soft_taints(#[case] tolerations: Value, #[case] expected: &[&str]) {
    let mut table = Table::new([node("free", &[]), tainted("PreferNoSchedule")]);
    assert_eq!(table.best(&pod(&[], json!({"tolerations": tolerations}))), expected);
}

/// `nodeunschedulable/node_unschedulable_test.go` `TestNodeUnschedulable`.
#[rstest]
#[case::cordoned(json!([]), false)]
#[case::tolerated(json!([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]), true)]
fn cordons(#[case] tolerations: Value, #[case] fits: bool) {
    let mut table = Table::new([with(node("a", &[]), &json!({"spec": {"unschedulable": true}}))]);
    let found = table.fitting(&pod(&[], json!({"tolerations": tolerations})));
    assert_eq!(found.len(), usize::from(fits));
}
