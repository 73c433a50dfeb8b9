//! Pod affinity and anti-affinity (interpodaffinity/filtering.go and scoring.go; situations of their test tables).

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::simulation::api::Labels;

use super::table::{Table, node, pod, with};

fn zones() -> Vec<Value> {
    [("a", "one"), ("b", "one"), ("x", "two")]
        .into_iter()
        .map(|(name, zone)| node(name, &[("zone", zone)]))
        .collect()
}

fn term(label: &str, key: &str, more: &Value) -> Value {
    with(
        json!({"labelSelector": {"matchLabels": {"app": label}}, "topologyKey": key}),
        more,
    )
}

fn beside(terms: &[Value]) -> Value {
    json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})
}

fn apart(terms: &[Value]) -> Value {
    json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}})
}

/// filtering_test.go `TestRequiredAffinitySingleNode`, `TestRequiredAffinityMultipleNodes`.
#[rstest]
#[case::beside_in_its_zone(beside(&[term("db", "zone", &json!({}))]), &["a", "b"])]
#[case::beside_on_its_node(beside(&[term("db", "kubernetes.io/hostname", &json!({}))]), &["a"])]
#[case::nobody_to_be_beside(beside(&[term("other", "zone", &json!({}))]), &[])]
#[case::all_terms_must_hold(beside(&[term("db", "zone", &json!({})), term("other", "zone", &json!({}))]), &[])]
#[case::a_key_that_no_node_has(beside(&[term("db", "rack", &json!({}))]), &[])]
#[case::apart_by_zone(apart(&[term("db", "zone", &json!({}))]), &["x"])]
#[case::apart_by_node(apart(&[term("db", "kubernetes.io/hostname", &json!({}))]), &["b", "x"])]
#[case::apart_by_a_key_that_no_node_has(apart(&[term("db", "rack", &json!({}))]), &["a", "b", "x"])]
#[case::beside_its_own_kind_the_first_goes_anywhere(beside(&[term("web", "zone", &json!({}))]), &["a", "b", "x"])]
fn required_terms(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(zones());
    table.put(&pod(&[("app", "db")], json!({})), "a");
    assert_eq!(table.fitting(&pod(&[("app", "web")], spec)), expected);
}

/// filtering.go `satisfyExistingPodsAntiAffinity`: anti-affinity is symmetric.
#[test]
fn a_pod_stays_away_from_those_that_stay_away_from_it() {
    let mut table = Table::new(zones());
    table.put(&pod(&[("app", "shy")], apart(&[term("web", "zone", &json!({}))])), "a");
    assert_eq!(table.fitting(&pod(&[("app", "web")], json!({}))), ["x"]);
    assert_eq!(table.fitting(&pod(&[("app", "other")], json!({}))), ["a", "b", "x"]);
}

/// framework/types.go `getNamespacesFromPodAffinityTerm` and `AffinityTerm.Matches`: the named namespaces, those whose labels
/// match, and the pod's own when neither is written.
#[rstest]
#[case::own_by_default(json!({}), &[])]
#[case::named(json!({"namespaces": ["data"]}), &["a", "b"])]
#[case::by_labels(json!({"namespaceSelector": {"matchLabels": {"team": "data"}}}), &["a", "b"])]
#[case::by_other_labels(json!({"namespaceSelector": {"matchLabels": {"team": "web"}}}), &[])]
#[case::all_by_an_empty_selector(json!({"namespaceSelector": {}}), &["a", "b"])]
#[case::named_or_by_labels(json!({"namespaces": ["other"], "namespaceSelector": {"matchLabels": {"team": "data"}}}), &["a", "b"])]
fn terms_reach_into_other_namespaces(#[case] more: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(zones());
    let labels = Labels::from([("team".to_owned(), "data".to_owned())]);
    table.scheduler.set_namespace(&"data".into(), &Arc::new(labels));
    let db = with(
        pod(&[("app", "db")], json!({})),
        &json!({"metadata": {"namespace": "data"}}),
    );
    table.put(&db, "a");
    let wanted = pod(&[("app", "web")], beside(&[term("db", "zone", &more)]));
    assert_eq!(table.fitting(&wanted), expected);
}

/// plugin.go `GetNamespaceLabelsSnapshot`: the labels are those of now.
#[test]
fn a_namespace_that_gets_labels_is_seen_by_terms_that_are_there_already() {
    let mut table = Table::new(zones());
    let db = with(
        pod(&[("app", "db")], json!({})),
        &json!({"metadata": {"namespace": "data"}}),
    );
    table.put(&db, "a");
    let by_labels = json!({"namespaceSelector": {"matchLabels": {"team": "data"}}});
    let wanted = pod(&[("app", "web")], apart(&[term("db", "zone", &by_labels)]));
    assert_eq!(table.fitting(&wanted), ["a", "b", "x"]);
    let labels = Labels::from([("team".to_owned(), "data".to_owned())]);
    table.scheduler.set_namespace(&"data".into(), &Arc::new(labels));
    assert_eq!(table.fitting(&wanted), ["x"]);
    table.scheduler.set_namespace(&"data".into(), &Arc::default());
    assert_eq!(table.fitting(&wanted), ["a", "b", "x"]);
}

/// pkg/registry/core/pod/strategy.go `applyMatchLabelKeysAndMismatchLabelKeys` (KEP-3633): pods of the own release alone,
/// or of other tenants alone.
#[rstest]
#[case::match_own_value(apart(&[term("web", "zone", &json!({"matchLabelKeys": ["release"]}))]), &["x"])]
#[case::mismatch_own_value(apart(&[term("web", "zone", &json!({"mismatchLabelKeys": ["release"]}))]), &["a", "b"])]
#[case::keys_that_the_pod_lacks(apart(&[term("web", "zone", &json!({"matchLabelKeys": ["tenant"]}))]), &[])]
#[case::in_affinity(beside(&[term("web", "zone", &json!({"matchLabelKeys": ["release"]}))]), &["a", "b"])]
fn label_keys_compare_with_the_pods_own_labels(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(zones());
    table.put(&pod(&[("app", "web"), ("release", "new")], json!({})), "a");
    table.put(&pod(&[("app", "web"), ("release", "old")], json!({})), "x");
    let wanted = pod(&[("app", "web"), ("release", "new")], spec);
    assert_eq!(table.fitting(&wanted), expected);
}

fn preferring(kind: &str, weight: i32, label: &str) -> Value {
    let term = json!({"weight": weight, "podAffinityTerm": term(label, "zone", &json!({}))});
    json!({"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}})
}

/// scoring_test.go `TestPreferredAffinity`. Pods lie on all nodes alike, so that nothing else differs.
#[rstest]
#[case::towards(preferring("podAffinity", 5, "db"), &["a", "b"])]
#[case::away(preferring("podAntiAffinity", 5, "db"), &["x"])]
#[case::nobody_there(preferring("podAffinity", 5, "nobody"), &["a", "b", "x"])]
fn preferred_terms_draw_and_repel(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(zones());
    table.put(&pod(&[("app", "db")], json!({})), "a");
    table.put(&pod(&[("app", "filler")], json!({})), "b");
    table.put(&pod(&[("app", "filler")], json!({})), "x");
    assert_eq!(table.best(&pod(&[("app", "web")], spec)), expected);
}

/// scoring.go `processExistingPod`: preferred terms, and required affinity by `HardPodAffinityWeight`, are symmetric.
#[rstest]
#[case::preferred(preferring("podAffinity", 5, "web"), &["a", "b"])]
#[case::preferred_apart(preferring("podAntiAffinity", 5, "web"), &["x"])]
#[case::required(beside(&[term("web", "zone", &json!({}))]), &["a", "b"])]
fn the_wishes_of_those_that_are_there_count(#[case] spec: Value, #[case] expected: &[&str]) {
    let mut table = Table::new(zones());
    table.put(&pod(&[("app", "host")], spec), "a");
    table.put(&pod(&[("app", "filler")], json!({})), "b");
    table.put(&pod(&[("app", "filler")], json!({})), "x");
    assert_eq!(table.best(&pod(&[("app", "web")], json!({}))), expected);
}
