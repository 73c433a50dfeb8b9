//! What a pod that fits nowhere is told (pkg/scheduler/framework/types.go `FitError.Error`, and the plugins' reasons).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::random::Stream;
use steadfast::simulation::fabric::PodId;
use steadfast::simulation::scheduler::Needs;

use super::table::{Table, namespace, node, pod, requests, template, with};

const NOT_HELPFUL: &str = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
const NO_VICTIMS: &str = " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

fn spread() -> Value {
    json!({"topologySpreadConstraints": [{
        "maxSkew": 1, "minDomains": 2, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }]})
}

fn labelled(key: &str) -> Value {
    json!({"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key})
}

/// One node with a pod `web` on it that holds host port 80, half the storage and one GPU.
#[rstest]
#[case::node_name(json!({"nodeName": "b"}), "1 node(s) didn't match the requested node name.", NOT_HELPFUL)]
#[case::node_selector(json!({"nodeSelector": {"disk": "ssd"}}), "1 node(s) didn't match Pod's node affinity/selector.", NOT_HELPFUL)]
#[case::ports(json!({"containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 1, "hostPort": 80}]}]}),
    "1 node(s) didn't have free ports for the requested pod ports.", NO_VICTIMS)]
#[case::cpu_for_now(json!({"containers": requests(json!({"cpu": "4"}))}), "1 Insufficient cpu.", NO_VICTIMS)]
#[case::cpu_for_ever(json!({"containers": requests(json!({"cpu": "5"}))}), "1 Insufficient cpu.", NOT_HELPFUL)]
#[case::storage(json!({"containers": requests(json!({"ephemeral-storage": "6Gi"}))}), "1 Insufficient ephemeral-storage.", NO_VICTIMS)]
#[case::extended(json!({"containers": requests(json!({"example.com/gpu": "1"}))}), "1 Insufficient example.com/gpu.", NO_VICTIMS)]
#[case::extended_unknown(json!({"containers": requests(json!({"example.com/fpga": "1"}))}), "1 Insufficient example.com/fpga.", NOT_HELPFUL)]
#[case::several_at_once(json!({"containers": requests(json!({"cpu": "4", "memory": "8Gi", "example.com/gpu": "1"}))}),
    "1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Insufficient memory.", NO_VICTIMS)]
#[case::spread(spread(), "1 node(s) didn't match pod topology spread constraints.", NO_VICTIMS)]
#[case::affinity(json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
    with(labelled("zone"), &json!({}))]}}}), "1 node(s) didn't match pod affinity rules.", NOT_HELPFUL)]
#[case::anti_affinity(json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
    labelled("kubernetes.io/hostname")]}}}), "1 node(s) didn't match pod anti-affinity rules.", NO_VICTIMS)]
fn each_plugin_has_its_words(#[case] spec: Value, #[case] words: &str, #[case] preemption: &str) {
    let more = json!({"status": {"allocatable": {"ephemeral-storage": "10Gi", "example.com/gpu": "1"}}});
    let mut table = Table::new([with(node("a", &[]), &more)]);
    let amounts = json!({"cpu": "1", "memory": "1Gi", "ephemeral-storage": "5Gi", "example.com/gpu": "1"});
    let mut there = pod(&[("app", "web")], json!({"containers": requests(amounts)}));
    there["spec"]["containers"][0]["ports"] = json!([{"containerPort": 1, "hostPort": 80}]);
    table.put(&there, "a");
    let refused = table.place(&pod(&[("app", "web")], spec)).unwrap_err();
    assert_eq!(refused.message, format!("0/1 nodes are available: {words}{preemption}"));
}

/// `schedule_one.go` `ErrNoNodesAvailable`.
#[test]
fn without_nodes_it_says_so() {
    let refused = Table::new([]).place(&pod(&[], json!({}))).unwrap_err();
    assert_eq!(refused.message, "no nodes available to schedule pods");
}

/// dynamicresources/dynamicresources.go `PostFilter` comes before preemption and adds its words to every refusal, since
/// `DynamicResourceAllocation` is on by default (pkg/features/kube_features.go, 1.34).
#[test]
fn since_1_34_dynamic_resources_have_their_say() {
    let mut table = Table::new([node("a", &[])]);
    table.scheduler.set_dynamic_resources(true);
    let refused = table
        .place(&pod(&[], json!({"nodeSelector": {"disk": "ssd"}})))
        .unwrap_err();
    assert_eq!(
        refused.message,
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
         preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
}

/// volumebinding/binder.go `ErrReasonNodeConflict`; volumebinding/volume_binding.go `PreFilter`.
#[test]
fn volumes_name_their_nodes() {
    let mut table = Table::new([node("a", &[("zone", "one")]), node("b", &[("zone", "two")])]);
    let wanted = pod(&[], json!({}));
    let mut rng = Stream::new(1, "volumes");
    let requirement = steadfast::simulation::objects::selector::Requirement::new;
    let one = requirement("zone", "In", &["one".to_owned()]).unwrap();
    let three = requirement("zone", "In", &["three".to_owned()]).unwrap();
    let needs = |volumes| Needs {
        volumes,
        ..Needs::default()
    };
    let (space, template) = (namespace(&wanted), template(&wanted));
    let mut place = |needs: &Needs| {
        table
            .scheduler
            .place_with(PodId(1), &space, &template, needs, &mut rng)
            .map(|machine| machine.0)
            .map_err(|refused| refused.message)
    };
    assert_eq!(place(&needs(vec![vec![vec![one.clone()]]])), Ok(0));
    assert_eq!(
        place(&needs(vec![vec![vec![one]], vec![vec![three]]])),
        Err(
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. \
             preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
                .to_owned()
        )
    );
    let unbound = Needs {
        refused: Some("pod has unbound immediate PersistentVolumeClaims".into()),
        ..Needs::default()
    };
    assert_eq!(
        place(&unbound),
        Err(
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. \
             preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
                .to_owned()
        )
    );
}
