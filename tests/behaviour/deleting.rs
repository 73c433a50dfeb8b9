//! Deletion: finalizers, propagation, owners, namespaces.

use serde_json::{Value, json};
use steadfast::model::fault::Mode;
use steadfast::simulation::api::Propagation;

use super::bench::{Bench, SPACE, is_leaving, workload};

fn map(name: &str, metadata: &Value) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    for (key, value) in metadata.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    object
}

/// A reference to an object on the bench.
fn owner(bench: &Bench, kind: &str, name: &str, blocks: bool) -> Value {
    let object = bench.get(kind, name);
    json!({
        "apiVersion": object["apiVersion"], "kind": kind, "name": name,
        "uid": object["metadata"]["uid"], "blockOwnerDeletion": blocks,
    })
}

/// k8s.io/apiserver pkg/registry/generic/registry/store.go `updateForGracefulDeletionAndFinalizers`.
#[test]
fn an_object_with_a_finalizer_stays_until_the_finalizer_goes() {
    let mut bench = Bench::kind(1);
    bench.create(map("settings", &json!({"finalizers": ["example.com/hold"]})));
    bench.delete("ConfigMap", "settings");
    bench.run(60);
    assert!(is_leaving(&bench.get("ConfigMap", "settings")));
    // k8s.io/apimachinery pkg/api/validation/objectmeta.go `ValidateNoNewFinalizers`
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    let refused = bench.try_patch("ConfigMap", "settings", &more).unwrap_err().to_string();
    assert!(
        refused.contains("no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/more\"}"),
        "{refused}"
    );
    bench.patch("ConfigMap", "settings", &json!({"metadata": {"finalizers": null}}));
    assert!(bench.object("ConfigMap", "settings").is_none());
}

/// A pod's processes end at their time; its object waits for the finalizer.
#[test]
fn a_pod_with_a_finalizer_ends_but_stays_listed() {
    let mut bench = Bench::kind(2);
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "finalizers": ["example.com/hold"]}});
    pod["spec"] =
        json!({"containers": [{"name": "main", "image": "example/app:1"}], "terminationGracePeriodSeconds": 3});
    bench.create(pod);
    bench.until("ready", 30, |bench| bench.ready().len() == 1);
    bench.delete("Pod", "one");
    bench.run(30);
    assert_eq!(bench.get("Pod", "one")["metadata"]["deletionGracePeriodSeconds"], 0);
    bench.patch("Pod", "one", &json!({"metadata": {"finalizers": []}}));
    assert!(bench.object("Pod", "one").is_none());
}

/// pkg/controller/garbagecollector/garbagecollector.go `processDeletingDependentsItem`: the owner goes last.
#[test]
fn in_the_foreground_pods_go_before_the_replica_set_and_that_before_the_deployment() {
    let mut bench = Bench::kind(3);
    bench.create(workload("Deployment", "web", 3));
    bench.until("ready", 30, |bench| bench.ready().len() == 3);
    bench.delete_in("Deployment", "web", Propagation::Foreground);
    let deployment = bench.get("Deployment", "web");
    assert_eq!(deployment["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert!(is_leaving(&deployment));
    let count = |bench: &Bench| ["Pod", "ReplicaSet", "Deployment"].map(|kind| bench.names(kind).len());
    let mut seen = Vec::new();
    for _ in 0..300 {
        bench.world.run_for(steadfast::model::time::Span::millis(20));
        let [pods, sets, deployments] = count(&bench);
        assert!(sets == 1 || pods == 0, "{pods} pods without their ReplicaSet");
        assert!(deployments == 1 || sets == 0, "a ReplicaSet without its Deployment");
        seen.push([pods, sets, deployments]);
    }
    assert_eq!(seen.last(), Some(&[0, 0, 0]));
    assert!(seen.iter().any(|&[pods, sets, _]| pods < 3 && sets == 1));
}

/// The same: on a dead node nobody ends the pod, so that its owners wait for ever.
#[test]
fn in_the_foreground_a_pod_on_a_dead_node_holds_its_owners() {
    let mut bench = Bench::kind(4);
    bench.create(workload("Deployment", "web", 1));
    bench.until("ready", 30, |bench| bench.ready().len() == 1);
    let node = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &node);
    bench.run(10);
    bench.delete_in("Deployment", "web", Propagation::Foreground);
    bench.run(600);
    assert_eq!(
        ["Pod", "ReplicaSet", "Deployment"].map(|kind| bench.names(kind).len()),
        [1, 1, 1]
    );
}

/// `orphanDependents`: the owner's reference goes from its dependents.
#[test]
fn orphans_stay_without_their_owner() {
    let mut bench = Bench::kind(5);
    bench.create(workload("Deployment", "web", 2));
    bench.until("ready", 30, |bench| bench.ready().len() == 2);
    bench.delete_in("Deployment", "web", Propagation::Orphan);
    bench.run(60);
    assert!(bench.object("Deployment", "web").is_none());
    let sets = bench.list("ReplicaSet");
    assert_eq!((sets.len(), bench.ready().len()), (1, 2));
    assert!(sets[0]["metadata"]["ownerReferences"].is_null());
}

/// `attemptToDeleteItem`: what only an absent owner owns is deleted, what another one owns loses the reference.
#[test]
fn owners_that_the_user_names_take_their_dependents_along() {
    let mut bench = Bench::kind(6);
    for name in ["first", "second"] {
        bench.create(map(name, &json!({})));
    }
    let (first, second) = (
        owner(&bench, "ConfigMap", "first", false),
        owner(&bench, "ConfigMap", "second", false),
    );
    bench.create(map("of-first", &json!({"ownerReferences": [first]})));
    bench.create(map("of-both", &json!({"ownerReferences": [first, second]})));
    bench.delete("ConfigMap", "first");
    bench.run(5);
    let left: Vec<String> = bench
        .names("ConfigMap")
        .into_iter()
        .filter(|name| name != "kube-root-ca.crt")
        .collect();
    assert_eq!(left, ["of-both", "second"]);
    assert_eq!(
        bench.get("ConfigMap", "of-both")["metadata"]["ownerReferences"],
        json!([second])
    );
}

/// The same: one that is made for an owner which is gone already does not live long.
#[test]
fn a_dependent_of_an_absent_owner_is_collected() {
    let mut bench = Bench::kind(7);
    bench.create(map("first", &json!({})));
    let first = owner(&bench, "ConfigMap", "first", false);
    bench.delete("ConfigMap", "first");
    bench.create(map("late", &json!({"ownerReferences": [first]})));
    bench.run(5);
    assert!(bench.object("ConfigMap", "late").is_none());
}

/// `blockingDependents`: only those with `blockOwnerDeletion` are waited for.
#[test]
fn in_the_foreground_only_dependents_that_block_are_waited_for() {
    let mut bench = Bench::kind(8);
    for (name, blocks) in [("waits", true), ("goes", false)] {
        bench.create(map(name, &json!({})));
        let reference = owner(&bench, "ConfigMap", name, blocks);
        bench.create(map(
            &format!("of-{name}"),
            &json!({"ownerReferences": [reference], "finalizers": ["example.com/hold"]}),
        ));
        bench.delete_in("ConfigMap", name, Propagation::Foreground);
    }
    bench.run(5);
    assert!(bench.object("ConfigMap", "goes").is_none());
    assert!(is_leaving(&bench.get("ConfigMap", "waits")) && is_leaving(&bench.get("ConfigMap", "of-waits")));
    bench.patch("ConfigMap", "of-waits", &json!({"metadata": {"finalizers": []}}));
    bench.run(5);
    assert!(bench.object("ConfigMap", "waits").is_none());
}

/// k8s.io/apimachinery pkg/api/validation/objectmeta.go `ValidateOwnerReferences`.
#[test]
fn two_controllers_of_one_object_are_refused() {
    let mut bench = Bench::kind(9);
    let one = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1", "controller": true});
    let refused = bench
        .try_create(map("x", &json!({"ownerReferences": [one, one]})))
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("Only one reference can have Controller set to true"),
        "{refused}"
    );
}

/// pkg/controller/namespace/deletion/namespaced_resources_deleter.go `deleteAllContent`: pods first (OrderedNamespaceDeletion),
/// at the earliest after `namespaceDeletionGracePeriod`, 5 s.
#[test]
fn a_namespace_ends_when_its_last_object_has_gone() {
    let mut bench = Bench::kind(10);
    bench.create(workload("Deployment", "web", 2));
    bench.until("ready", 30, |bench| bench.ready().len() == 2);
    bench.delete("Namespace", SPACE);
    bench.run(4);
    assert_eq!(bench.get("Namespace", SPACE)["status"]["phase"], "Terminating");
    assert_eq!(bench.ready().len(), 2);
    // plugin/pkg/admission/namespace/lifecycle/admission.go
    let refused = bench.try_create(map("late", &json!({}))).unwrap_err().to_string();
    assert_eq!(
        refused,
        "configmaps \"late\" is forbidden: unable to create new content in namespace shop because it is being terminated"
    );
    let mut seen = false;
    for _ in 0..100 {
        bench.world.run_for(steadfast::model::time::Span::millis(20));
        let pods = bench.list("Pod");
        if pods.iter().any(is_leaving) {
            seen = true;
            assert!(pods.iter().all(is_leaving), "no pod is made again");
            assert_eq!(bench.names("Deployment").len(), 1, "pods go before all others");
        }
    }
    assert!(seen);
    let took = bench.until("gone", 60, |bench| bench.object("Namespace", SPACE).is_none());
    assert!(took < 10.0, "{took}");
    assert_eq!(
        ["Pod", "ReplicaSet", "Deployment"].map(|kind| bench.names(kind).len()),
        [0, 0, 0]
    );
}

/// The same: a pod on a dead node keeps the namespace Terminating.
#[test]
fn a_namespace_with_a_pod_on_a_dead_node_does_not_end() {
    let mut bench = Bench::kind(11);
    bench.create(workload("Deployment", "web", 1));
    bench.until("ready", 30, |bench| bench.ready().len() == 1);
    let pod = bench.ready()[0].clone();
    let node = bench.node_of(&pod);
    bench.fail(Mode::Kill, &node);
    bench.delete("Namespace", SPACE);
    bench.run(900);
    assert_eq!(bench.get("Namespace", SPACE)["status"]["phase"], "Terminating");
    assert_eq!(bench.names("Deployment").len(), 1);
    bench.delete("Node", &node);
    // Pod garbage collection takes the pod after its quarantine; the controller looks at least every minute.
    let took = bench.until("gone", 200, |bench| bench.object("Namespace", SPACE).is_none());
    assert!(took >= 40.0, "{took}");
}

/// An object with a finalizer holds its namespace.
#[test]
fn a_namespace_waits_for_finalizers() {
    let mut bench = Bench::kind(12);
    bench.create(map("held", &json!({"finalizers": ["example.com/hold"]})));
    bench.delete("Namespace", SPACE);
    bench.run(120);
    assert_eq!(bench.get("Namespace", SPACE)["status"]["phase"], "Terminating");
    bench.patch("ConfigMap", "held", &json!({"metadata": {"finalizers": []}}));
    bench.run(20);
    assert!(bench.object("Namespace", SPACE).is_none());
}
