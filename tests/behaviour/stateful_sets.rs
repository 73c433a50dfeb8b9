//! StatefulSets: names, order, revisions, claims, and lost nodes.
//!
//! Sources: pkg/controller/statefulset/{stateful_set_control,stateful_set_utils,stateful_pod_control}.go and their tests.

use serde_json::{Value, json};
use steadfast::model::fault::Mode;
use steadfast::model::time::Span;
use steadfast::simulation::api::Propagation;

use super::bench::{Bench, SPACE, is_leaving, workload};

/// A StatefulSet with a Service's name, and a claim for each pod when `claims`.
fn set(name: &str, replicas: u32) -> Value {
    let mut object = workload("StatefulSet", name, replicas);
    object["spec"]["serviceName"] = json!(name);
    object
}

fn with_claims(mut object: Value) -> Value {
    object["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    object
}

fn ready(bench: &mut Bench, count: usize) {
    bench.until("all ready", 200, |bench| bench.ready().len() == count);
}

fn image(bench: &mut Bench, name: &str, image: &str) {
    let mut object = bench.get("StatefulSet", name);
    object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    let spec = object["spec"]["template"].clone();
    bench.patch("StatefulSet", name, &json!({"spec": {"template": spec}}));
}

fn images(bench: &Bench) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pods = bench.list("Pod");
    let live = pods.iter().filter(|pod| !is_leaving(pod));
    live.map(|pod| {
        (
            text(&pod["metadata"]["name"]),
            text(&pod["spec"]["containers"][0]["image"]),
        )
    })
    .collect()
}

/// stateful_set_utils.go `updateIdentity`, `initIdentity`, `setPodRevision`.
#[test]
fn pods_have_names_labels_and_hostnames_of_their_own() {
    let mut bench = Bench::kind(1);
    bench.create(set("db", 2));
    ready(&mut bench, 2);
    assert_eq!(bench.names("Pod"), ["db-0", "db-1"]);
    let (pod, set) = (bench.get("Pod", "db-1"), bench.get("StatefulSet", "db"));
    let labels = &pod["metadata"]["labels"];
    assert_eq!(labels["statefulset.kubernetes.io/pod-name"], "db-1");
    assert_eq!(labels["apps.kubernetes.io/pod-index"], "1");
    assert_eq!(labels["controller-revision-hash"], set["status"]["updateRevision"]);
    assert_eq!(
        (&pod["spec"]["hostname"], &pod["spec"]["subdomain"]),
        (&json!("db-1"), &json!("db"))
    );
    assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
}

/// stateful_set_control.go `processReplica`: no pod before its predecessors are Running and Ready.
#[test]
fn in_order_each_pod_waits_for_the_one_before_to_be_ready() {
    let mut bench = Bench::kind(2);
    bench.create(set("db", 3));
    let mut most_waiting = 0;
    for _ in 0..300 {
        bench.world.run_for(Span::millis(20));
        let all = bench.names("Pod").len();
        most_waiting = most_waiting.max(all - bench.ready().len());
    }
    assert_eq!(most_waiting, 1);
    ready(&mut bench, 3);
}

/// `allowsBurst`: podManagementPolicy Parallel makes all at once.
#[test]
fn in_parallel_all_pods_are_made_at_once() {
    let mut bench = Bench::kind(3);
    let mut object = set("db", 5);
    object["spec"]["podManagementPolicy"] = json!("Parallel");
    bench.create(object);
    bench.world.run_for(Span::millis(200));
    assert_eq!(bench.names("Pod").len(), 5);
    assert_eq!(bench.ready().len(), 0);
}

/// `processCondemned`: from the highest ordinal, one after the other is gone.
#[test]
fn scaling_down_takes_the_highest_ordinal_first_and_waits_for_it() {
    let mut bench = Bench::kind(4);
    bench.create(set("db", 4));
    ready(&mut bench, 4);
    bench.patch("StatefulSet", "db", &json!({"spec": {"replicas": 1}}));
    let mut order = Vec::new();
    for _ in 0..600 {
        bench.world.run_for(Span::millis(20));
        let pods = bench.list("Pod");
        let leaving: Vec<String> = pods
            .iter()
            .filter(|pod| is_leaving(pod))
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        assert!(leaving.len() <= 1, "{leaving:?}");
        if let Some(name) = leaving.into_iter().next()
            && order.last() != Some(&name)
        {
            order.push(name);
        }
    }
    assert_eq!(order, ["db-3", "db-2", "db-1"]);
}

/// `getStartOrdinal`: `.spec.ordinals.start`.
#[test]
fn ordinals_begin_where_the_set_says() {
    let mut bench = Bench::kind(5);
    let mut object = set("db", 2);
    object["spec"]["ordinals"] = json!({"start": 5});
    bench.create(object);
    ready(&mut bench, 2);
    assert_eq!(bench.names("Pod"), ["db-5", "db-6"]);
}

/// `updateStatefulSet`: "we terminate the Pod with the largest ordinal that does not match the update revision", and wait for it.
#[test]
fn a_rolling_update_goes_from_the_highest_ordinal_down_one_at_a_time() {
    let mut bench = Bench::kind(6);
    bench.create(set("db", 3));
    ready(&mut bench, 3);
    let before = bench.get("StatefulSet", "db")["status"]["currentRevision"].clone();
    image(&mut bench, "db", "example/app:2");
    let mut order = Vec::new();
    for _ in 0..1_500 {
        bench.world.run_for(Span::millis(20));
        assert!(bench.ready().len() >= 2, "one at a time");
        for (name, image) in images(&bench) {
            if image == "example/app:2" && !order.contains(&name) {
                order.push(name);
            }
        }
    }
    assert_eq!(order, ["db-2", "db-1", "db-0"]);
    let status = bench.get("StatefulSet", "db")["status"].clone();
    // `completeRollingUpdate`
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert_ne!(status["currentRevision"], before);
    assert_eq!(
        (&status["updatedReplicas"], &status["currentReplicas"]),
        (&json!(3), &json!(3))
    );
}

/// `updateMin`: ordinals below the partition keep the current revision, also when their pods are made again
/// (`newVersionedStatefulSetPod`).
#[test]
fn below_the_partition_pods_keep_the_old_revision() {
    let mut bench = Bench::kind(7);
    let mut object = set("db", 3);
    object["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    bench.create(object);
    ready(&mut bench, 3);
    image(&mut bench, "db", "example/app:2");
    bench.run(60);
    let wanted = |names: [&str; 3]| [0, 1, 2].map(|n| (format!("db-{n}"), format!("example/app:{}", names[n])));
    assert_eq!(images(&bench), wanted(["1", "1", "2"]));
    let status = bench.get("StatefulSet", "db")["status"].clone();
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    assert_eq!(
        (&status["currentReplicas"], &status["updatedReplicas"]),
        (&json!(2), &json!(1))
    );
    bench.delete("Pod", "db-0");
    bench.run(60);
    assert_eq!(images(&bench), wanted(["1", "1", "2"]));
    bench.patch(
        "StatefulSet",
        "db",
        &json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}),
    );
    bench.run(120);
    assert_eq!(images(&bench), wanted(["2", "2", "2"]));
}

/// `OnDeleteStatefulSetStrategyType`.
#[test]
fn on_delete_a_pod_changes_when_somebody_deletes_it() {
    let mut bench = Bench::kind(8);
    let mut object = set("db", 2);
    object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    bench.create(object);
    ready(&mut bench, 2);
    image(&mut bench, "db", "example/app:2");
    bench.run(60);
    assert!(images(&bench).iter().all(|(_, image)| image == "example/app:1"));
    bench.delete("Pod", "db-0");
    bench.run(60);
    let now: Vec<String> = images(&bench).into_iter().map(|(_, image)| image).collect();
    assert_eq!(now, ["example/app:2", "example/app:1"]);
}

/// `isRunningAndAvailable`: minReadySeconds.
#[test]
fn min_ready_seconds_pass_between_pods() {
    let mut bench = Bench::kind(9);
    let mut object = set("db", 2);
    object["spec"]["minReadySeconds"] = json!(20);
    bench.create(object);
    bench.until("the first is ready", 30, |bench| bench.ready().len() == 1);
    let took = bench.until("the second is made", 60, |bench| bench.names("Pod").len() == 2);
    assert!((19.5..21.0).contains(&took), "{took}");
}

/// pkg/controller/history/controller_history.go: a revision per template, numbered; an older template's becomes the newest again.
#[test]
fn revisions_are_objects_and_rolling_back_uses_the_old_one() {
    let mut bench = Bench::kind(10);
    bench.create(set("db", 1));
    ready(&mut bench, 1);
    let first = bench.get("StatefulSet", "db")["status"]["updateRevision"].clone();
    image(&mut bench, "db", "example/app:2");
    bench.run(60);
    assert_eq!(bench.names("ControllerRevision").len(), 2);
    image(&mut bench, "db", "example/app:1");
    bench.run(60);
    let all = bench.list("ControllerRevision");
    assert_eq!(all.len(), 2);
    let newest = all.iter().max_by_key(|it| it["revision"].as_u64()).unwrap();
    assert_eq!((&newest["metadata"]["name"], &newest["revision"]), (&first, &json!(3)));
    assert_eq!(newest["data"]["spec"]["template"]["$patch"], "replace");
}

/// `truncateHistory`: revisionHistoryLimit counts those that are not in use.
#[test]
fn old_revisions_are_forgotten() {
    let mut bench = Bench::kind(11);
    let mut object = set("db", 1);
    object["spec"]["revisionHistoryLimit"] = json!(1);
    bench.create(object);
    for version in 2..6 {
        ready(&mut bench, 1);
        image(&mut bench, "db", &format!("example/app:{version}"));
        bench.run(60);
    }
    let mut numbers: Vec<u64> = bench
        .list("ControllerRevision")
        .iter()
        .map(|it| it["revision"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [4, 5]);
}

/// pkg/apis/apps/validation/validation.go `ValidateStatefulSetUpdate`.
#[test]
fn what_may_not_change_is_refused() {
    let mut bench = Bench::kind(12);
    bench.create(set("db", 1));
    let refused = bench
        .try_patch("StatefulSet", "db", &json!({"spec": {"serviceName": "other"}}))
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template'"),
        "{refused}"
    );
}

/// stateful_set_utils.go `getPersistentVolumeClaims`, `updateStorage`: a claim per pod, which outlives it.
#[test]
fn each_pod_has_a_claim_that_outlives_it() {
    let mut bench = Bench::kind(13);
    bench.create(with_claims(set("db", 2)));
    ready(&mut bench, 2);
    assert_eq!(bench.names("PersistentVolumeClaim"), ["data-db-0", "data-db-1"]);
    let pod = bench.get("Pod", "db-1");
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}])
    );
    let volume = bench.get("PersistentVolumeClaim", "data-db-1")["spec"]["volumeName"].clone();
    let node = bench.node_of("db-1");
    bench.delete("Pod", "db-1");
    bench.run(30);
    ready(&mut bench, 2);
    assert_eq!(
        bench.get("PersistentVolumeClaim", "data-db-1")["spec"]["volumeName"],
        volume
    );
    assert_eq!(bench.node_of("db-1"), node, "a node's own volume keeps the pod there");
    bench.delete("StatefulSet", "db");
    bench.run(60);
    assert_eq!(bench.names("Pod").len(), 0);
    assert_eq!(bench.names("PersistentVolumeClaim").len(), 2);
}

/// `persistentVolumeClaimRetentionPolicy` (`UpdatePodClaimForRetentionPolicy`): claims may go with the set or with scaling.
#[test]
fn claims_go_with_the_set_or_with_scaling_when_the_policy_says_so() {
    let mut bench = Bench::kind(14);
    let mut object = with_claims(set("db", 3));
    object["spec"]["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
    bench.create(object);
    ready(&mut bench, 3);
    bench.patch("StatefulSet", "db", &json!({"spec": {"replicas": 1}}));
    bench.until("scaled", 60, |bench| {
        bench.names("PersistentVolumeClaim") == ["data-db-0"]
    });
    assert_eq!(bench.names("Pod"), ["db-0"]);
    bench.delete("StatefulSet", "db");
    bench.until("gone", 60, |bench| bench.names("PersistentVolumeClaim").is_empty());
}

/// garbagecollector.go: pods go after their set.
#[test]
fn deleting_a_set_takes_its_pods_and_revisions_along() {
    let mut bench = Bench::kind(15);
    bench.create(set("db", 2));
    ready(&mut bench, 2);
    bench.delete_in("StatefulSet", "db", Propagation::Foreground);
    bench.run(30);
    assert_eq!(
        ["Pod", "ControllerRevision", "StatefulSet"].map(|kind| bench.names(kind).len()),
        [0, 0, 0]
    );
}

/// A dead node, and nobody does anything: the taint manager deletes the pod after 300 s, its kubelet never confirms it, and a
/// StatefulSet makes no second pod of the name (`isTerminating` in `processReplica`).
#[test]
fn a_pod_on_a_dead_node_stays_terminating_and_is_not_replaced() {
    let (mut bench, _) = on_a_dead_node(16, |_, _| {});
    let took = bench.until("deleted", 500, |bench| is_leaving(&bench.get("Pod", "db-0")));
    assert!((340.0..360.0).contains(&took), "{took}");
    let uid = bench.get("Pod", "db-0")["metadata"]["uid"].clone();
    bench.run(1_800);
    let pod = bench.get("Pod", "db-0");
    assert!(is_leaving(&pod) && pod["metadata"]["uid"] == uid);
    assert_eq!(bench.list("VolumeAttachment").len(), 1);
}

/// Declared out of service, the pod goes with the next round of pod garbage collection (podgc `gcTerminating`), and its volume is
/// detached at once (attachdetach reconciler `hasOutOfServiceTaint`).
#[test]
fn out_of_service_frees_the_pod_and_its_volume_at_once() {
    let (mut bench, node) = on_a_dead_node(17, add_neighbour);
    bench.until("not ready", 100, |bench| {
        !super::bench::is_ready(&bench.get("Pod", "db-0"))
    });
    bench.run(10);
    let mut taints = bench.get("Node", &node)["spec"]["taints"].clone();
    let taint = json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
    taints.as_array_mut().unwrap().push(taint);
    bench.patch("Node", &node, &json!({"spec": {"taints": taints}}));
    // One round of pod garbage collection is 20 s; then detach, attach and mount.
    let took = bench.until("replaced", 120, |bench| bench.ready() == ["db-0"]);
    assert!((1.0..75.0).contains(&took), "{took}");
    assert_ne!(bench.node_of("db-0"), node);
}

/// The node's object deleted: pod garbage collection after its quarantine (podgc `quarantineTime` 40 s), and what was mounted
/// there counts no more (attach_detach_controller.go `nodeDelete`).
#[test]
fn deleting_the_node_object_frees_the_pod_after_the_quarantine() {
    let (mut bench, node) = on_a_dead_node(18, add_neighbour);
    bench.run(5);
    bench.delete("Node", &node);
    let took = bench.until("replaced", 300, |bench| {
        bench.ready() == ["db-0"] && bench.node_of("db-0") != node
    });
    assert!((40.0..110.0).contains(&took), "{took}");
}

/// Deleted by force, the pod is made again at once, but its volume is waited for
/// (reconciler.go `maxWaitForUnmountDuration`, 6 min: ContainerCreating with a Multi-Attach error).
#[test]
fn deleted_by_force_the_pod_waits_for_its_volume_for_six_minutes() {
    let (mut bench, node) = on_a_dead_node(19, add_neighbour);
    bench.until("not ready", 100, |bench| {
        !super::bench::is_ready(&bench.get("Pod", "db-0"))
    });
    bench.run(10);
    let now = steadfast::simulation::api::DeleteOptions {
        grace: Some(0),
        ..Default::default()
    };
    bench.delete_with("Pod", "db-0", &now);
    bench.until("bound elsewhere", 10, |bench| {
        bench
            .object("Pod", "db-0")
            .is_some_and(|pod| pod["spec"]["nodeName"].is_string())
    });
    assert_ne!(bench.node_of("db-0"), node);
    let took = bench.until("ready", 500, |bench| bench.ready() == ["db-0"]);
    // And 2 to 10 s each to detach and attach, up to 3 to mount, up to 15 to pull the image.
    assert!((369.0..401.0).contains(&took), "{took}");
    let volume = bench.get("PersistentVolumeClaim", "data-db-0")["spec"]["volumeName"].clone();
    let errors = bench.events("FailedAttachVolume");
    let wanted = format!(
        "Multi-Attach error for volume {volume} Volume is already exclusively attached to one node and can't be attached to another"
    );
    assert!(errors.contains(&wanted), "{errors:?}");
}

/// A volume of the node itself (rancher.io/local-path on kind): even out of service the pod has nowhere to go.
#[test]
fn a_volume_of_the_dead_node_itself_keeps_the_pod_pending() {
    let mut bench = Bench::kind(20);
    bench.create(with_claims(set("db", 1)));
    ready(&mut bench, 1);
    let node = bench.node_of("db-0");
    bench.fail(Mode::Kill, &node);
    bench.run(70);
    let now = steadfast::simulation::api::DeleteOptions {
        grace: Some(0),
        ..Default::default()
    };
    bench.delete_with("Pod", "db-0", &now);
    bench.run(300);
    let pod = bench.get("Pod", "db-0");
    let why = super::bench::condition(&pod, "PodScheduled").unwrap()["message"]
        .as_str()
        .unwrap();
    // pkg/scheduler/framework/plugins/volumebinding/binder.go `ErrReasonNodeConflict`
    assert!(
        why.contains("3 node(s) didn't match PersistentVolume's node affinity"),
        "{why}"
    );
    assert_eq!(pod["metadata"]["namespace"], SPACE);
}

/// An EBS volume stays in its zone (its PersistentVolume's node affinity): without a node there its pod is Pending.
#[test]
fn a_volume_keeps_its_pod_in_its_zone() {
    let (mut bench, node) = on_a_dead_node(22, |_, _| {});
    bench.run(5);
    bench.delete("Node", &node);
    bench.run(120);
    let pod = bench.get("Pod", "db-0");
    let why = super::bench::condition(&pod, "PodScheduled").unwrap()["message"]
        .as_str()
        .unwrap();
    assert!(
        why.contains("2 node(s) didn't match PersistentVolume's node affinity"),
        "{why}"
    );
}

/// The update waits for the pod that its dead node holds (`updateStatefulSet`: "wait for unavailable Pods on update").
#[test]
fn an_update_stops_at_a_pod_on_a_dead_node_and_goes_on_without_the_node() {
    let mut bench = Bench::kind(21);
    bench.create(set("db", 3));
    ready(&mut bench, 3);
    let node = bench.node_of("db-1");
    bench.fail(Mode::Kill, &node);
    image(&mut bench, "db", "example/app:2");
    bench.run(600);
    let new: Vec<String> = images(&bench)
        .into_iter()
        .filter(|(_, image)| image == "example/app:2")
        .map(|(name, _)| name)
        .collect();
    assert!(!new.contains(&"db-0".to_owned()), "{new:?}");
    assert!(is_leaving(&bench.get("Pod", "db-1")));
    bench.delete("Node", &node);
    bench.run(240);
    assert!(
        images(&bench).iter().all(|(_, image)| image == "example/app:2"),
        "{:?}",
        images(&bench)
    );
    assert_eq!(bench.ready().len(), 3);
}

/// Admission judges a StatefulSet's pods as everybody's; the set waits at the ordinal that is refused.
#[test]
fn a_quota_holds_a_pod_back_until_there_is_room() {
    let mut bench = Bench::kind(23);
    bench.create(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}},
    }));
    bench.create(set("db", 2));
    bench.run(60);
    assert_eq!(bench.ready(), ["db-0"]);
    bench.delete("ResourceQuota", "one");
    bench.until("both", 200, |bench| bench.ready() == ["db-0", "db-1"]);
}

/// A set of one pod with a volume in a zone, whose node has just lost its power; `prepare` acts before.
fn on_a_dead_node(seed: u64, prepare: impl FnOnce(&mut Bench, &str)) -> (Bench, String) {
    let mut bench = Bench::of("eks-workshop", seed);
    bench.create(with_claims(set("db", 1)));
    ready(&mut bench, 1);
    let node = bench.node_of("db-0");
    prepare(&mut bench, &node);
    bench.fail(Mode::Kill, &node);
    (bench, node)
}

/// Puts another node into this node's zone, so that its volumes can be reached from there.
fn add_neighbour(bench: &mut Bench, node: &str) {
    let zone = "topology.kubernetes.io/zone";
    let home = bench.get("Node", node)["metadata"]["labels"][zone].clone();
    let other = bench.names("Node").into_iter().find(|other| other != node).unwrap();
    bench.patch("Node", &other, &json!({"metadata": {"labels": {zone: home}}}));
}
