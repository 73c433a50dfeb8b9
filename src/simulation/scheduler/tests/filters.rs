//! Which nodes a pod fits.

use rstest::rstest;
use serde_json::{Value, json};

use super::build::{Bench, apart, names, node, pod, requests};
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::template::Effect;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

#[expect(clippy::needless_pass_by_value, reason = "the cases read better")]
fn required(terms: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

/// plugins/nodename, nodeaffinity and component-helpers nodeaffinity.go: three nodes, disks ssd, hdd and none,
/// cores 2, 8 and none.
#[rstest]
#[case::no_wish(json!({}), &[0, 1, 2])]
#[case::node_name(json!({"nodeName": "n1"}), &[1])]
#[case::node_selector(json!({"nodeSelector": {"disk": "ssd"}}), &[0])]
#[case::node_selector_all_of(json!({"nodeSelector": {"disk": "ssd", "cores": "8"}}), &[])]
#[case::in_values(required(json!([{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd", "hdd"]}]}])), &[0, 1])]
#[case::not_in_or_absent(required(json!([{"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}])), &[1, 2])]
#[case::exists(required(json!([{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}])), &[0, 1])]
#[case::absent(required(json!([{"matchExpressions": [{"key": "disk", "operator": "DoesNotExist"}]}])), &[2])]
#[case::above(required(json!([{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["2"]}]}])), &[1])]
#[case::below(required(json!([{"matchExpressions": [{"key": "cores", "operator": "Lt", "values": ["8"]}]}])), &[0])]
#[case::expressions_and(required(json!([{"matchExpressions": [
    {"key": "disk", "operator": "Exists"}, {"key": "cores", "operator": "Gt", "values": ["2"]}]}])), &[1])]
#[case::terms_or(required(json!([
    {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]},
    {"matchExpressions": [{"key": "disk", "operator": "DoesNotExist"}]}])), &[0, 2])]
#[case::empty_term_selects_nothing(required(json!([{}])), &[])]
#[case::field(required(json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}])), &[2])]
#[case::not_field(required(json!([{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n2"]}]}])), &[0, 1])]
fn node_selection(#[case] fields: Value, #[case] expected: &[u32]) {
    let mut bench = Bench::new([
        node(0).label("disk", "ssd").label("cores", "2"),
        node(1).label("disk", "hdd").label("cores", "8"),
        node(2),
    ]);
    let wanted = pod("a", fields);
    assert_eq!(bench.fitting(&wanted), expected);
    assert!(bench.find(&wanted).ok().into_iter().all(|on| expected.contains(&on)));
    assert_eq!(bench.find(&wanted).is_ok(), !expected.is_empty());
}

/// `plugins/tainttoleration/taint_toleration.go`, `plugins/nodeunschedulable/node_unschedulable.go`.
#[rstest]
#[case::none(json!({}), &[0, 3])]
#[case::one_effect(json!({"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]}), &[0, 1, 3])]
#[case::all_effects(json!({"tolerations": [{"key": "k", "operator": "Exists"}]}), &[0, 1, 2, 3])]
#[case::cordon(json!({"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}), &[0, 3, 4])]
#[case::everything(json!({"tolerations": [{"operator": "Exists"}]}), &[0, 1, 2, 3, 4])]
fn taints(#[case] fields: Value, #[case] expected: &[u32]) {
    let mut cordoned = node(4);
    cordoned.unschedulable = true;
    let mut bench = Bench::new([
        node(0),
        node(1).taint("k", Effect::NoSchedule),
        node(2).taint("k", Effect::NoExecute),
        node(3).taint("k", Effect::PreferNoSchedule),
        cordoned,
    ]);
    assert_eq!(bench.fitting(&pod("a", fields)), expected);
}

/// plugins/noderesources/fit.go `fitsRequest`.
#[test]
fn a_node_takes_what_is_free_and_no_more() {
    let mut bench = Bench::new([node(0)]);
    bench.put(&pod("a", json!({"containers": requests("1500m", "1Gi")})), 0);
    assert_eq!(
        bench.fitting(&pod("b", json!({"containers": requests("500m", "1Gi")}))),
        [0]
    );
    assert!(
        bench
            .fitting(&pod("b", json!({"containers": requests("501m", "1Gi")})))
            .is_empty()
    );
    assert!(
        bench
            .fitting(&pod("b", json!({"containers": requests("500m", "1025Mi")})))
            .is_empty()
    );
    // A pod without requests always fits, even an overcommitted node.
    bench.put(&pod("a", json!({"containers": requests("1500m", "2Gi")})), 0);
    assert_eq!(bench.fitting(&pod("b", json!({}))), [0]);
}

/// plugins/noderesources/fit.go `fitsRequest`, Too many pods.
#[test]
fn a_node_takes_so_many_pods_whatever_they_request() {
    let mut bench = Bench::new([node(0).room_for(2)]);
    let small = pod("a", json!({}));
    assert_eq!(bench.run(&small), Ok(0));
    assert_eq!(bench.run(&small), Ok(0));
    assert!(bench.find(&small).is_err());
}

/// plugins/interpodaffinity/filtering.go `satisfyPodAntiAffinity`, `satisfyExistingPodsAntiAffinity`.
#[test]
fn required_anti_affinity_holds_in_both_directions() {
    let mut bench = Bench::new([node(0), node(1)]);
    // The workshop's rule: queue-master keeps away from shipping, which says nothing of queue-master.
    let master = pod(
        "queue-master",
        json!({"affinity": apart(&["queue-master", "shipping"])}),
    );
    let shipping = pod("shipping", json!({"affinity": apart(&["shipping"])}));
    let first = bench.put(&master, 0);
    assert_eq!(bench.fitting(&master), [1], "its own term");
    assert_eq!(bench.fitting(&shipping), [1], "the other's term");
    bench.scheduler.remove_pod(first);
    assert_eq!(bench.fitting(&shipping), [0, 1], "gone with its pod");
    bench.put(&shipping, 1);
    assert_eq!(bench.fitting(&master), [0], "an existing pod that its own term matches");
}

/// filtering.go, `topologyPair`: all nodes with an equal value of the key are one place; without the key, none.
#[test]
fn anti_affinity_is_per_topology_domain() {
    let mut bench = Bench::new([node(0).zone("a"), node(1).zone("a"), node(2).zone("b"), node(3)]);
    let terms = json!([names(&["a"], ZONE)]);
    let alone = pod(
        "a",
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}),
    );
    bench.put(&alone, 0);
    assert_eq!(bench.fitting(&alone), [2, 3]);
    assert_eq!(bench.fitting(&pod("other", json!({}))), [0, 1, 2, 3]);
}

/// filtering.go `updateWithAntiAffinityTerms` through pkg/scheduler framework `AffinityTerm.Matches`.
#[test]
fn a_term_means_its_pods_own_namespace_unless_it_names_others() {
    let mut bench = Bench::new([node(0)]);
    let own = pod("a", json!({"affinity": apart(&["a"])}));
    let mut term = names(&["a"], HOST);
    term["namespaces"] = json!(["other"]);
    let afar = pod(
        "b",
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}),
    );
    bench.put_in("other", &own, 0);
    assert_eq!(bench.fitting(&own), [0], "neither's term reaches the other namespace");
    assert!(bench.fitting(&afar).is_empty(), "a term that names it does");
    assert!(bench.find_in("other", &own).is_err());
    // Symmetry across namespaces.
    let mut bench = Bench::new([node(0)]);
    bench.put(&afar, 0);
    assert!(bench.find_in("other", &pod("a", json!({}))).is_err());
    assert!(bench.find_in("third", &pod("a", json!({}))).is_ok());
}

/// filtering.go `satisfyPodAffinity`.
#[test]
fn required_affinity_needs_a_match_of_all_terms_in_each_domain() {
    let terms = json!([names(&["cache"], ZONE), {"labelSelector": {"matchExpressions": [
        {"key": "name", "operator": "Exists"}]}, "topologyKey": ZONE}]);
    let wanted = pod(
        "web",
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}),
    );
    let mut bench = Bench::new([node(0).zone("a"), node(1).zone("a"), node(2).zone("b"), node(3)]);
    bench.put(&pod("web", json!({})), 2);
    assert!(bench.fitting(&wanted).is_empty(), "one pod must match both terms");
    bench.put(&pod("cache", json!({})), 1);
    assert_eq!(bench.fitting(&wanted), [0, 1], "not the node without the label");
}

/// filtering.go `satisfyPodAffinity`: "This pod may be the first pod in a series that have affinity to themselves."
#[test]
fn the_first_pod_of_a_series_may_go_where_the_label_is() {
    let terms = json!([names(&["a"], ZONE)]);
    let together = pod(
        "a",
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}),
    );
    let mut bench = Bench::new([node(0).zone("a"), node(1).zone("b"), node(2)]);
    assert_eq!(bench.fitting(&together), [0, 1]);
    bench.put(&together, 1);
    assert_eq!(bench.fitting(&together), [1], "only the first");
    let other = pod(
        "b",
        json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [names(&["c"], ZONE)]}}}),
    );
    assert!(bench.fitting(&other).is_empty(), "it must match itself");
}

/// pkg/scheduler/backend/cache/cache.go `RemoveNode`: pods outlive their node.
#[test]
fn pods_of_a_removed_node_count_nowhere_until_it_comes_back() {
    let mut bench = Bench::new([node(0).zone("a"), node(1).zone("a")]);
    let terms = json!([names(&["a"], ZONE)]);
    let alone = pod(
        "a",
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}),
    );
    bench.put(&alone, 0);
    assert!(bench.find(&alone).is_err());
    bench.scheduler.remove_node(MachineId(0));
    assert_eq!(bench.find(&alone), Ok(1));
    bench.scheduler.add_node(node(0).zone("a"));
    assert!(bench.find(&alone).is_err());
    // And a change of labels moves its pods with it.
    bench.scheduler.update_node(node(0).zone("b"));
    assert_eq!(bench.fitting(&alone), [1]);
}

/// pkg/scheduler/framework/runtime/framework.go `addGENominatedPods`, `schedule_one.go` `evaluateNominatedNode`.
#[test]
fn room_made_for_a_pod_is_kept_from_those_of_no_higher_priority() {
    let mut bench = Bench::new([node(0).room_for(1), node(1).room_for(0)]);
    let waiting = pod("a", json!({"priority": 5}));
    let nominated = crate::simulation::fabric::PodId(99);
    bench
        .scheduler
        .nominate(nominated, &"default".into(), &waiting, MachineId(0));
    assert!(bench.find(&pod("b", json!({"priority": 5}))).is_err());
    assert_eq!(bench.find(&pod("b", json!({"priority": 6}))), Ok(0));
    let place = |bench: &mut Bench| {
        bench
            .scheduler
            .place(nominated, &"default".into(), &waiting, &mut bench.rng)
    };
    assert_eq!(
        place(&mut bench),
        Ok(MachineId(0)),
        "its own nomination does not stand in its way"
    );
    bench.scheduler.withdraw(nominated);
    assert_eq!(bench.find(&pod("b", json!({}))), Ok(0));
}
