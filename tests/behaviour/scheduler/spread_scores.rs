//! Soft topology spread constraints (podtopologyspread/scoring.go; situations of scoring_test.go). The other plugins score
//! all of these nodes alike: they are empty but for pods without requests, and equally many everywhere.

use rstest::rstest;
use serde_json::{Value, json};

use super::table::{Table, node, pod, with};

fn four() -> Vec<Value> {
    [("a", "one"), ("b", "one"), ("x", "two"), ("y", "two")]
        .into_iter()
        .map(|(name, zone)| node(name, &[("zone", zone), ("node", name)]))
        .collect()
}

fn soft(key: &str, more: &Value) -> Value {
    with(
        json!({
            "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"foo": ""}},
        }),
        more,
    )
}

/// So many pods with the label on each node, and others that make all nodes equally full (at most six).
fn filled(nodes: Vec<Value>, counts: &[(&str, usize)]) -> Table {
    let names: Vec<String> = nodes
        .iter()
        .map(|node| node["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    let mut table = Table::new(nodes);
    for name in names {
        let count = counts.iter().find(|(on, _)| *on == name).map_or(0, |(_, count)| *count);
        for index in 0..6 {
            let labels: &[(&str, &str)] = if index < count { &[("foo", "")] } else { &[("bar", "")] };
            table.put(&pod(labels, json!({})), &name);
        }
    }
    table
}

fn wanting(constraints: &[Value]) -> Value {
    pod(&[("foo", "")], json!({"topologySpreadConstraints": constraints}))
}

/// `TestPodTopologySpreadScore`.
#[rstest]
#[case::no_pods_all_alike(&["node"], &[], &["a", "b", "x", "y"])]
#[case::all_alike(&["node"], &[("a", 1), ("b", 1), ("x", 1), ("y", 1)], &["a", "b", "x", "y"])]
#[case::the_emptiest_node(&["node"], &[("a", 2), ("b", 1), ("y", 3)], &["x"])]
#[case::by_hostname(&["kubernetes.io/hostname"], &[("a", 2), ("b", 1), ("y", 3)], &["x"])]
#[case::the_emptier_zone(&["zone"], &[("a", 2), ("b", 1), ("x", 1)], &["x", "y"])]
#[case::zone_and_node(&["zone", "node"], &[("a", 3), ("x", 1)], &["y"])]
fn fewer_matching_pods_score_higher(
    #[case] keys: &[&str],
    #[case] counts: &[(&str, usize)],
    #[case] expected: &[&str],
) {
    let mut table = filled(four(), counts);
    let constraints: Vec<Value> = keys.iter().map(|key| soft(key, &json!({}))).collect();
    assert_eq!(table.best(&wanting(&constraints)), expected);
}

/// scoring.go `scoreForCount`: every place counts `maxSkew - 1` more, so that with a larger one the same difference weighs less, here
/// less than a preferred node.
#[rstest]
#[case::weighs_as_much_as_the_preference(1, &["a", "b", "x", "y"])]
#[case::weighs_less(5, &["a"])]
fn a_larger_skew_makes_a_difference_weigh_less(#[case] skew: u32, #[case] expected: &[&str]) {
    let mut table = filled(four(), &[("a", 3)]);
    let mut wanted = wanting(&[soft("node", &json!({"maxSkew": skew}))]);
    wanted["spec"]["affinity"] = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 10, "preference": {"matchExpressions": [{"key": "node", "operator": "In", "values": ["a"]}]},
    }]}});
    assert_eq!(table.best(&wanted), expected);
}

/// `TestPodTopologySpreadScore`, "one node doesn't match topology key": it scores nothing, though nobody is there.
#[test]
fn a_node_without_the_label_scores_least() {
    let mut nodes = four();
    nodes[2] = node("x", &[("zone", "two")]);
    let mut table = filled(nodes, &[("a", 2), ("b", 1), ("y", 3)]);
    assert_eq!(table.best(&wanting(&[soft("node", &json!({}))])), ["b"]);
}

/// scoring.go `initPreScoreState`: constraints of one's own replace the default ones, also when they are all hard.
#[test]
fn own_constraints_replace_the_default_spreading() {
    let mut table = filled(four(), &[("a", 3), ("b", 3), ("x", 3)]);
    assert_eq!(table.best(&pod(&[("foo", "")], json!({}))), ["y"], "by default");
    let hard = json!({
        "maxSkew": 5, "topologyKey": "node", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"foo": ""}},
    });
    assert_eq!(table.best(&wanting(&[hard])), ["a", "b", "x", "y"]);
}

/// `TestPodTopologySpreadScore`, the cases of both policies: pods on nodes that do not count do not fill their zone.
#[rstest]
#[case::affinity_honored(json!({"nodeAffinityPolicy": "Honor"}), &["b"])]
#[case::affinity_ignored(json!({"nodeAffinityPolicy": "Ignore"}), &["x"])]
#[case::taints_ignored(json!({"nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore"}), &["b"])]
fn zones_are_filled_by_the_nodes_that_count(#[case] policy: Value, #[case] expected: &[&str]) {
    let mut nodes = four();
    // The pod selects b and x.
    for index in [1, 2] {
        nodes[index]["metadata"]["labels"]["disk"] = json!("ssd");
    }
    // Zone one: three pods on a (not selected), none on b. Zone two: one on x, one on y (not selected).
    let mut table = filled(nodes, &[("a", 3), ("x", 1), ("y", 1)]);
    let mut wanted = wanting(&[soft("zone", &policy)]);
    wanted["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    assert_eq!(table.best(&wanted), expected);
}
