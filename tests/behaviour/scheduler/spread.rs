//! Hard topology spread constraints (podtopologyspread/filtering.go; situations of filtering_test.go).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::simulation::scheduler::Leaving;

use super::table::{Table, node, pod, with};

/// Two zones of two nodes: a and b, x and y, each its own `node`.
fn four() -> Vec<Value> {
    [("a", "one"), ("b", "one"), ("x", "two"), ("y", "two")]
        .into_iter()
        .map(|(name, zone)| node(name, &[("zone", zone), ("node", name)]))
        .collect()
}

/// A constraint on pods with the label `foo`.
fn hard(skew: u32, key: &str) -> Value {
    over(skew, key, "foo")
}

fn over(skew: u32, key: &str, label: &str) -> Value {
    json!({
        "maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchExpressions": [{"key": label, "operator": "Exists"}]},
    })
}

fn constrained(labels: &[(&str, &str)], constraints: &[Value]) -> Value {
    pod(labels, json!({"topologySpreadConstraints": constraints}))
}

/// Pods with the label `foo`, so many on each node.
fn spread(nodes: Vec<Value>, counts: &[(&str, usize)]) -> Table {
    let mut table = Table::new(nodes);
    for &(name, count) in counts {
        for _ in 0..count {
            table.put(&pod(&[("foo", "")], json!({})), name);
        }
    }
    table
}

/// `TestSingleConstraint`.
#[rstest]
#[case::no_pods_yet(hard(1, "zone"), &[], &["a", "b", "x", "y"])]
#[case::even_zones(hard(1, "zone"), &[("a", 2), ("b", 1), ("y", 3)], &["a", "b", "x", "y"])]
#[case::the_emptier_zone_alone(hard(1, "zone"), &[("a", 2), ("y", 1)], &["x", "y"])]
#[case::the_emptiest_node_alone(hard(1, "node"), &[("a", 2), ("b", 1), ("y", 3)], &["x"])]
#[case::skew_of_two(hard(2, "node"), &[("a", 2), ("b", 1), ("y", 3)], &["b", "x"])]
#[case::skew_of_three(hard(3, "node"), &[("a", 2), ("b", 1), ("y", 3)], &["a", "b", "x"])]
fn a_place_may_be_fuller_than_the_emptiest_by_the_skew(
    #[case] constraint: Value,
    #[case] counts: &[(&str, usize)],
    #[case] expected: &[&str],
) {
    let mut table = spread(four(), counts);
    assert_eq!(table.fitting(&constrained(&[("foo", "")], &[constraint])), expected);
}

/// `TestSingleConstraint`, "but pod doesn't match itself", "existing pods do not match null selector"; common.go
/// `countPodsMatchSelector`.
#[rstest]
#[case::itself_does_not_count(hard(1, "node"), &[("bar", "")], &["b", "x"])]
#[case::null_selector_counts_nobody(json!({"maxSkew": 1, "topologyKey": "node", "whenUnsatisfiable": "DoNotSchedule"}), &[("foo", "")], &["a", "b", "x", "y"])]
#[case::empty_selector_counts_nobody_but_itself(json!({"maxSkew": 1, "topologyKey": "node", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}), &[("foo", "")], &["a", "b", "x", "y"])]
#[case::soft_constraints_do_not_bind(json!({"maxSkew": 1, "topologyKey": "node", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"foo": ""}}}), &[("foo", "")], &["a", "b", "x", "y"])]
fn only_what_the_selector_means_counts(
    #[case] constraint: Value,
    #[case] own: &[(&str, &str)],
    #[case] expected: &[&str],
) {
    let mut table = spread(four(), &[("a", 2), ("b", 1), ("y", 3)]);
    assert_eq!(table.fitting(&constrained(own, &[constraint])), expected);
}

/// `TestSingleConstraint`, "existing pods in a different namespace do not count".
#[test]
fn pods_of_another_namespace_do_not_count() {
    let mut table = spread(four(), &[("y", 1)]);
    let elsewhere = with(
        pod(&[("foo", "")], json!({})),
        &json!({"metadata": {"namespace": "other"}}),
    );
    for on in ["a", "b", "x"] {
        table.put(&elsewhere, on);
        table.put(&elsewhere, on);
    }
    assert_eq!(
        table.fitting(&constrained(&[("foo", "")], &[hard(1, "node")])),
        ["a", "b", "x"]
    );
}

/// `TestSingleConstraint`, "terminating Pods should be excluded" (common.go: "Bypass terminating Pod").
#[test]
fn pods_that_are_being_deleted_do_not_count() {
    let mut table = Table::new(four());
    let leaving = table.put(&pod(&[("foo", "")], json!({})), "a");
    table.put(&pod(&[("foo", "")], json!({})), "x");
    let wanted = constrained(&[("foo", "")], &[hard(1, "node")]);
    assert_eq!(table.fitting(&wanted), ["b", "y"]);
    table.scheduler.set_leaving(leaving, Leaving::Deleted);
    assert_eq!(table.fitting(&wanted), ["a", "b", "y"]);
}

/// `TestSingleConstraint`, "absence of label 'zone' on node-b", "all nodes don't have label 'rack'".
#[test]
fn a_node_without_the_label_takes_no_such_pod_and_its_pods_do_not_count() {
    let mut nodes = four();
    nodes[1] = node("b", &[("node", "b")]);
    let mut table = spread(nodes, &[("a", 1), ("b", 5), ("x", 2)]);
    assert_eq!(table.fitting(&constrained(&[("foo", "")], &[hard(1, "zone")])), ["a"]);
    let refused = table
        .place(&constrained(&[("foo", "")], &[hard(1, "rack")]))
        .unwrap_err();
    // plugin.go `ErrReasonNodeLabelNotMatch`: unresolvable, so preemption looks nowhere.
    assert_eq!(
        refused.message,
        "0/4 nodes are available: 4 node(s) didn't match pod topology spread constraints (missing required label). \
         preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    );
}

/// `TestSingleConstraint`, the four cases of minDomains; filtering.go `minMatchNum`.
#[rstest]
#[case::too_few_nodes(2, "node", 4, &[("a", 2), ("b", 2), ("x", 1)], &["x"])]
#[case::enough_nodes(2, "node", 2, &[("a", 2), ("b", 2), ("x", 1)], &["a", "b", "x"])]
#[case::too_few_zones(2, "zone", 3, &[("a", 1), ("b", 1), ("x", 1)], &["x"])]
#[case::enough_zones(2, "zone", 2, &[("a", 1), ("b", 1), ("x", 1)], &["a", "b", "x"])]
fn with_fewer_places_than_min_domains_the_emptiest_counts_as_empty(
    #[case] skew: u32,
    #[case] key: &str,
    #[case] domains: u32,
    #[case] counts: &[(&str, usize)],
    #[case] expected: &[&str],
) {
    let mut table = spread(four()[..3].to_vec(), counts);
    let constraint = with(hard(skew, key), &json!({"minDomains": domains}));
    assert_eq!(table.fitting(&constrained(&[("foo", "")], &[constraint])), expected);
}

/// `TestSingleConstraint`, the cases of NodeAffinityPolicy; common.go `matchNodeInclusionPolicies`. Node y is the only
/// empty one; the pod does not select it.
#[rstest]
#[case::by_default(json!({}), &["a", "b", "x"])]
#[case::honored(json!({"nodeAffinityPolicy": "Honor"}), &["a", "b", "x"])]
#[case::ignored(json!({"nodeAffinityPolicy": "Ignore"}), &[])]
fn nodes_that_the_pod_does_not_select_count_when_the_policy_says_so(#[case] policy: Value, #[case] expected: &[&str]) {
    let mut nodes = four();
    for node in &mut nodes[..3] {
        node["metadata"]["labels"]["disk"] = json!("ssd");
    }
    let mut table = spread(nodes, &[("a", 1), ("b", 1), ("x", 1)]);
    let mut wanted = constrained(&[("foo", "")], &[with(hard(1, "node"), &policy)]);
    wanted["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    assert_eq!(table.fitting(&wanted), expected);
    // Node affinity says the same as a node selector.
    let term = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]});
    wanted["spec"]["nodeSelector"] = Value::Null;
    wanted["spec"]["affinity"] =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}});
    assert_eq!(table.fitting(&wanted), expected);
}

/// `TestSingleConstraint`, the cases of NodeTaintsPolicy.
#[rstest]
#[case::by_default(json!({}), json!([]), &[])]
#[case::ignored(json!({"nodeTaintsPolicy": "Ignore"}), json!([]), &[])]
#[case::honored(json!({"nodeTaintsPolicy": "Honor"}), json!([]), &["a", "b", "x"])]
#[case::honored_and_tolerated(json!({"nodeTaintsPolicy": "Honor"}), json!([{"operator": "Exists"}]), &["y"])]
fn tainted_nodes_count_unless_the_policy_honors_taints(
    #[case] policy: Value,
    #[case] tolerations: Value,
    #[case] expected: &[&str],
) {
    let mut nodes = four();
    nodes[3]["spec"] = json!({"taints": [{"key": "dedicated", "effect": "NoSchedule"}]});
    let mut table = spread(nodes, &[("a", 1), ("b", 1), ("x", 1)]);
    let mut wanted = constrained(&[("foo", "")], &[with(hard(1, "node"), &policy)]);
    wanted["spec"]["tolerations"] = tolerations;
    assert_eq!(table.fitting(&wanted), expected);
}

/// `TestMultipleConstraints`.
#[rstest]
#[case::both_fit_on_the_emptiest(&[hard(1, "zone"), hard(1, "node")], &[("a", 2), ("b", 1), ("y", 3)], &["x"])]
#[case::no_node_fits_both(&[hard(1, "zone"), hard(1, "node")], &[("a", 2), ("b", 1), ("y", 4)], &[])]
#[case::two_on_one_key_the_stricter_rules(&[hard(2, "zone"), hard(1, "zone")], &[("a", 2), ("x", 1)], &["x", "y"])]
fn all_constraints_must_hold(
    #[case] constraints: &[Value],
    #[case] counts: &[(&str, usize)],
    #[case] expected: &[&str],
) {
    let mut table = spread(four(), counts);
    assert_eq!(table.fitting(&constrained(&[("foo", "")], constraints)), expected);
}

/// `TestMultipleConstraints`, "Constraints hold different labelSelectors, spreads = [1/0, 1/0/0/1]" and its siblings.
#[rstest]
#[case(&[("a", "foo"), ("a", "bar"), ("y", "bar")], &["x"])]
#[case(&[("a", "foo"), ("x", "bar"), ("y", "bar")], &[])]
#[case(&[("a", "foo"), ("b", "foo"), ("x", "foo"), ("y", "foo"), ("b", "bar"), ("x", "bar")], &["a", "y"])]
fn each_constraint_counts_its_own_pods(#[case] there: &[(&str, &str)], #[case] expected: &[&str]) {
    let mut table = Table::new(four());
    for &(on, label) in there {
        table.put(&pod(&[(label, "")], json!({})), on);
    }
    let wanted = constrained(
        &[("foo", ""), ("bar", "")],
        &[over(1, "zone", "foo"), over(1, "node", "bar")],
    );
    assert_eq!(table.fitting(&wanted), expected);
}

/// common.go `filterTopologySpreadConstraints`: matchLabelKeys; the case for which they were made is the roll-out: an old
/// ReplicaSet's pods do not hold the new one's back (KEP-3243).
#[rstest]
#[case::without(json!({}), &["b", "x", "y"])]
#[case::own_revision_alone(json!({"matchLabelKeys": ["pod-template-hash"]}), &["a", "x", "y"])]
#[case::a_key_that_the_pod_lacks_is_ignored(json!({"matchLabelKeys": ["release"]}), &["b", "x", "y"])]
fn match_label_keys_narrow_the_selector(#[case] keys: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(four());
    table.put(&pod(&[("foo", ""), ("pod-template-hash", "old")], json!({})), "a");
    table.put(&pod(&[("bar", ""), ("pod-template-hash", "new")], json!({})), "b");
    let mut constraint = with(hard(1, "node"), &keys);
    if keys
        .get("matchLabelKeys")
        .is_some_and(|keys| keys[0] == "pod-template-hash")
    {
        table.put(&pod(&[("foo", ""), ("pod-template-hash", "new")], json!({})), "b");
        constraint["labelSelector"] = json!({"matchLabels": {"foo": ""}});
    }
    let wanted = constrained(&[("foo", ""), ("pod-template-hash", "new")], &[constraint]);
    assert_eq!(table.fitting(&wanted), expected);
}

/// filtering.go `updateWithPod`: the pods of a node that is gone do not count, and its place is none.
#[test]
fn a_zone_whose_last_node_is_gone_is_no_place() {
    let mut table = spread(four()[..3].to_vec(), &[("a", 1), ("b", 1)]);
    let wanted = constrained(&[("foo", "")], &[hard(1, "zone")]);
    assert_eq!(table.fitting(&wanted), ["x"]);
    table.scheduler.remove_node(steadfast::simulation::fabric::MachineId(2));
    // Zone two is gone: the only zone is the emptiest.
    assert_eq!(table.fitting(&wanted), ["a", "b"]);
}
