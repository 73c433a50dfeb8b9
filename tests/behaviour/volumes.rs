//! Claims, volumes, classes and attachments; ConfigMaps and Secrets that pods read.

use serde_json::{Value, json};
use steadfast::model::time::Span;
use steadfast::simulation::api::DeleteOptions;

use super::bench::{Bench, condition, is_leaving};

fn claim(name: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

fn pod(name: &str, claim: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "main", "image": "example/app:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
            "terminationGracePeriodSeconds": 3,
        },
    })
}

fn on(mut pod: Value, node: &str) -> Value {
    pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
    pod
}

fn ready(bench: &mut Bench, name: &str) -> f64 {
    let name = name.to_owned();
    bench.until("ready", 120, |bench| bench.ready().contains(&name))
}

fn workers(bench: &Bench) -> Vec<String> {
    let all = bench.list("Node");
    let workers = all
        .iter()
        .filter(|node| node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"].is_null());
    workers
        .map(|node| node["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn waits_because(bench: &Bench, pod: &str) -> String {
    let pod = bench.get("Pod", pod);
    condition(&pod, "PodScheduled").unwrap()["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn volume(name: &str, size: &str, node: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": "manual",
            "hostPath": {"path": "/data"},
        },
    });
    if let Some(node) = node {
        object["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{
            "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}],
        }]}});
    }
    object
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": provisioner, "volumeBindingMode": mode,
    })
}

/// pv_controller.go `syncUnboundClaim`: WaitForFirstConsumer.
#[test]
fn a_claim_of_the_default_class_waits_for_its_first_pod() {
    let mut bench = Bench::kind(1);
    bench.create(claim("data", "ReadWriteOnce"));
    bench.run(60);
    let it = bench.get("PersistentVolumeClaim", "data");
    // plugin/pkg/admission/storage/storageclass/setdefault
    assert_eq!(it["spec"]["storageClassName"], "standard");
    assert_eq!(it["status"]["phase"], "Pending");
    assert_eq!(
        bench.events("WaitForFirstConsumer"),
        ["waiting for first consumer to be created before binding"]
    );
    bench.create(pod("one", "data"));
    let took = ready(&mut bench, "one");
    assert!(took > 2.0, "its volume is made first: {took}");
    let it = bench.get("PersistentVolumeClaim", "data");
    assert_eq!(
        (&it["status"]["phase"], &it["status"]["capacity"]["storage"]),
        (&json!("Bound"), &json!("1Gi"))
    );
    assert_eq!(
        it["metadata"]["annotations"]["volume.kubernetes.io/selected-node"],
        bench.node_of("one")
    );
    let volume = bench.get("PersistentVolume", it["spec"]["volumeName"].as_str().unwrap());
    assert_eq!(volume["spec"]["claimRef"]["name"], "data");
    assert_eq!(volume["status"]["phase"], "Bound");
}

/// pv_controller.go `provisionClaim`: Immediate needs no pod.
#[test]
fn an_immediate_class_makes_the_volume_at_once() {
    let mut bench = Bench::of("eks-workshop", 2);
    bench.create(class("now", "kubernetes.io/aws-ebs", "Immediate"));
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("now");
    bench.create(it);
    let bound = |bench: &Bench| bench.get("PersistentVolumeClaim", "data")["status"]["phase"] == "Bound";
    let took = bench.until("bound", 20, bound);
    assert!((2.0..6.0).contains(&took), "{took}");
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    // The pod goes where the volume is.
    let volume = bench.list("PersistentVolume").remove(0);
    let term = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
    let node = bench.get("Node", &bench.node_of("one"));
    assert_eq!(term["key"], "topology.kubernetes.io/zone");
    assert_eq!(
        term["values"][0],
        node["metadata"]["labels"]["topology.kubernetes.io/zone"]
    );
}

/// volumebinding/volume_binding.go `PreFilter`.
#[test]
fn a_pod_whose_claim_is_absent_waits_and_says_so() {
    let mut bench = Bench::kind(3);
    bench.create(pod("one", "data"));
    bench.run(5);
    let why = waits_because(&bench, "one");
    assert!(
        why.starts_with("0/5 nodes are available: persistentvolumeclaim \"data\" not found."),
        "{why}"
    );
    bench.create(claim("data", "ReadWriteOnce"));
    bench.run(5);
    bench.until("ready", 60, |bench| bench.ready() == ["one"]);
}

/// The same: "pod has unbound immediate PersistentVolumeClaims".
#[test]
fn a_pod_whose_immediate_claim_nobody_serves_waits() {
    let mut bench = Bench::kind(4);
    bench.create(class("other", "example.com/disk", "Immediate"));
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("other");
    bench.create(it);
    bench.create(pod("one", "data"));
    bench.run(30);
    assert!(waits_because(&bench, "one").contains("pod has unbound immediate PersistentVolumeClaims"));
    assert!(bench.events("ExternalProvisioning")[0].contains("external provisioner 'example.com/disk'"));
}

/// pv_controller.go `syncUnboundClaim`: `FailedBinding`.
#[test]
fn a_claim_without_class_and_volume_stays_pending() {
    let mut bench = Bench::kind(5);
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("");
    bench.create(it);
    bench.run(10);
    assert_eq!(
        bench.events("FailedBinding"),
        ["no persistent volumes available for this claim and no storage class is set"]
    );
}

/// index.go `findBestMatchForClaim`: the smallest volume that is large enough.
#[test]
fn a_claim_takes_the_smallest_volume_that_suits() {
    let mut bench = Bench::kind(6);
    for (name, size) in [("large", "10Gi"), ("middle", "2Gi"), ("small", "500Mi")] {
        bench.create(volume(name, size, None));
    }
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("manual");
    bench.create(it);
    bench.run(5);
    let it = bench.get("PersistentVolumeClaim", "data");
    assert_eq!(
        (&it["spec"]["volumeName"], &it["status"]["capacity"]["storage"]),
        (&json!("middle"), &json!("2Gi"))
    );
    assert_eq!(bench.get("PersistentVolume", "large")["status"]["phase"], "Available");
}

/// binder.go `findMatchingVolumes`: local volumes of a class without provisioner are bound where the pod goes.
#[test]
fn a_local_volume_draws_its_pod_to_its_node() {
    let mut bench = Bench::kind(7);
    bench.create(class("manual", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"));
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("manual");
    bench.create(it);
    bench.create(pod("one", "data"));
    bench.run(5);
    let why = waits_because(&bench, "one");
    assert!(
        why.contains("node(s) didn't find available persistent volumes to bind"),
        "{why}"
    );
    bench.create(volume("local", "5Gi", Some("kind-worker3")));
    bench.until("ready", 60, |bench| bench.ready() == ["one"]);
    assert_eq!(bench.node_of("one"), "kind-worker3");
}

/// pkg/controller/volume/pvcprotection: a claim in use is not removed.
#[test]
fn a_claim_in_use_goes_after_its_last_pod() {
    let mut bench = Bench::kind(8);
    bench.create(claim("data", "ReadWriteOnce"));
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    bench.delete("PersistentVolumeClaim", "data");
    bench.run(60);
    let it = bench.get("PersistentVolumeClaim", "data");
    assert!(is_leaving(&it));
    assert_eq!(it["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    // volume_binding.go: no new pod may use it.
    bench.create(pod("two", "data"));
    bench.run(5);
    assert!(waits_because(&bench, "two").contains("persistentvolumeclaim \"data\" is being deleted"));
    bench.delete("Pod", "two");
    bench.delete("Pod", "one");
    bench.until("gone", 30, |bench| {
        bench.object("PersistentVolumeClaim", "data").is_none()
    });
    // Reclaim policy Delete.
    bench.until("volume gone", 30, |bench| bench.list("PersistentVolume").is_empty());
}

/// pv_controller.go `reclaimVolume`: Retain.
#[test]
fn a_retained_volume_is_released_and_not_taken_again() {
    let mut bench = Bench::kind(9);
    bench.create(volume("kept", "5Gi", None));
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("manual");
    bench.create(it.clone());
    bench.run(5);
    bench.delete("PersistentVolumeClaim", "data");
    bench.run(5);
    assert_eq!(bench.get("PersistentVolume", "kept")["status"]["phase"], "Released");
    bench.create(it);
    bench.run(30);
    assert_eq!(bench.get("PersistentVolumeClaim", "data")["status"]["phase"], "Pending");
}

/// pkg/controller/volume/pvprotection: a bound volume is not removed; `ClaimLost` comes when it is gone.
#[test]
fn a_bound_volume_is_protected() {
    let mut bench = Bench::kind(10);
    bench.create(volume("kept", "5Gi", None));
    let mut it = claim("data", "ReadWriteOnce");
    it["spec"]["storageClassName"] = json!("manual");
    bench.create(it);
    bench.run(5);
    bench.delete("PersistentVolume", "kept");
    bench.run(30);
    assert!(is_leaving(&bench.get("PersistentVolume", "kept")));
    bench.patch("PersistentVolume", "kept", &json!({"metadata": {"finalizers": []}}));
    bench.run(5);
    assert_eq!(bench.get("PersistentVolumeClaim", "data")["status"]["phase"], "Lost");
    assert!(bench.events("ClaimLost")[0].starts_with("Bound claim has lost its PersistentVolume."));
}

/// attachdetach reconciler.go `attachDesiredVolumes`: an attachable volume has a VolumeAttachment before its pod starts.
#[test]
fn containers_wait_until_the_volume_is_attached() {
    let mut bench = Bench::of("eks-workshop", 11);
    bench.create(claim("data", "ReadWriteOnce"));
    bench.create(pod("one", "data"));
    bench.until("attaching", 60, |bench| !bench.list("VolumeAttachment").is_empty());
    let mut attached_at = None;
    for tenths in 0..400 {
        bench.world.run_for(Span::millis(100));
        if attached_at.is_none() && bench.list("VolumeAttachment")[0]["status"]["attached"] == true {
            attached_at = Some(tenths);
        }
        assert!(attached_at.is_some() || bench.ready().is_empty());
    }
    assert!(attached_at.unwrap() >= 15);
    assert_eq!(bench.ready(), ["one"]);
    assert!(bench.events("SuccessfulAttachVolume")[0].starts_with("AttachVolume.Attach succeeded for volume \"pvc-"));
}

/// The same: `reportMultiAttachError` names the pods that use the volume elsewhere.
#[test]
fn a_volume_in_use_on_another_node_is_not_attached_twice() {
    let mut bench = Bench::of("eks-workshop", 12);
    // All nodes in one zone would do; here the volume's terms are lifted.
    bench.create(claim("data", "ReadWriteOnce"));
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    let zone = |bench: &Bench, node: &str| {
        bench.get("Node", node)["metadata"]["labels"]["topology.kubernetes.io/zone"].clone()
    };
    let first = bench.node_of("one");
    let other = workers(&bench).into_iter().find(|node| *node != first).unwrap();
    let home = zone(&bench, &first);
    bench.patch(
        "Node",
        &other,
        &json!({"metadata": {"labels": {"topology.kubernetes.io/zone": home}}}),
    );
    bench.create(on(pod("two", "data"), &other));
    bench.run(200);
    assert_eq!(bench.ready(), ["one"]);
    let pod = bench.get("Pod", "two");
    assert_eq!(
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"],
        "ContainerCreating"
    );
    let messages = bench.events("FailedAttachVolume");
    assert!(
        messages[0].ends_with("Volume is already used by pod(s) one"),
        "{messages:?}"
    );
    // pkg/kubelet/volumemanager/volume_manager.go `podAttachAndMountTimeout`: 2 min 3 s.
    assert!(bench.events("FailedMount")[0].starts_with("Unable to attach or mount volumes: unmounted volumes=[data]"));
    bench.delete("Pod", "one");
    let took = ready(&mut bench, "two");
    // Stop, up to 10 s until the node reports it (`nodeStatusUpdateFrequency`), detach, attach, mount.
    assert!((4.0..60.0).contains(&took), "{took}");
}

/// pkg/volume/util/util.go `IsMultiAttachAllowed`.
#[test]
fn a_volume_for_many_is_attached_to_many_nodes() {
    let mut bench = Bench::of("eks-workshop", 13);
    let mut shared = volume("shared", "5Gi", None);
    shared["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    shared["spec"]["csi"] = json!({"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"});
    shared["spec"].as_object_mut().unwrap().remove("hostPath");
    bench.create(shared);
    let mut it = claim("data", "ReadWriteMany");
    it["spec"]["storageClassName"] = json!("manual");
    bench.create(it);
    for (index, node) in workers(&bench).into_iter().enumerate() {
        bench.create(on(pod(&format!("pod-{index}"), "data"), &node));
    }
    bench.until("ready", 90, |bench| bench.ready().len() == 3);
    assert_eq!(bench.list("VolumeAttachment").len(), 3);
}

/// volumerestrictions/volume_restrictions.go `ErrReasonReadWriteOncePodConflict`.
#[test]
fn a_volume_for_one_pod_admits_no_second_one() {
    let mut bench = Bench::kind(14);
    bench.create(claim("data", "ReadWriteOncePod"));
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    bench.create(pod("two", "data"));
    bench.run(10);
    let why = waits_because(&bench, "two");
    assert!(
        why.contains("ReadWriteOncePod access mode already in-use by another pod"),
        "{why}"
    );
    bench.delete("Pod", "one");
    bench.until("ready", 60, |bench| bench.ready() == ["two"]);
}

/// Two pods of one node share a ReadWriteOnce volume.
#[test]
fn pods_of_one_node_share_a_volume() {
    let mut bench = Bench::kind(15);
    bench.create(claim("data", "ReadWriteOnce"));
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    bench.create(pod("two", "data"));
    ready(&mut bench, "two");
    assert_eq!(bench.node_of("one"), bench.node_of("two"));
}

/// pkg/volume/configmap/configmap.go `SetUpAt`: a missing ConfigMap keeps a pod in ContainerCreating.
#[test]
fn a_pod_waits_for_the_config_map_that_it_mounts() {
    let mut bench = Bench::kind(16);
    let mut it = pod("one", "unused");
    it["spec"]["volumes"] = json!([{"name": "data", "configMap": {"name": "settings"}}]);
    bench.create(it);
    bench.run(30);
    let state = bench.get("Pod", "one")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert_eq!(state, "ContainerCreating");
    assert_eq!(
        bench.events("FailedMount")[0],
        "MountVolume.SetUp failed for volume \"data\" : configmap \"settings\" not found"
    );
    bench
        .create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}));
    // exponential_backoff.go: the next try is at most doubled, 122 s in the end.
    bench.until("ready", 60, |bench| bench.ready() == ["one"]);
}

/// The same for an optional one: it is not waited for.
#[test]
fn an_optional_config_map_is_not_waited_for() {
    let mut bench = Bench::kind(17);
    let mut it = pod("one", "unused");
    it["spec"]["volumes"] = json!([{"name": "data", "configMap": {"name": "settings", "optional": true}}]);
    bench.create(it);
    ready(&mut bench, "one");
}

/// pkg/kubelet/kubelet_pods.go `makeEnvironmentVariables`: CreateContainerConfigError.
#[test]
fn a_container_waits_for_the_secret_in_its_environment() {
    let mut bench = Bench::kind(18);
    let mut it = pod("one", "unused");
    it["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    it["spec"]["containers"][0]["env"] =
        json!([{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]);
    bench.create(it);
    bench.run(30);
    let reason =
        |bench: &Bench| bench.get("Pod", "one")["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert_eq!(reason(&bench), "CreateContainerConfigError");
    assert_eq!(bench.events("Failed"), ["Error: secret \"login\" not found"]);
    let secret =
        |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": data});
    bench.create(secret(json!({"user": "YQ=="})));
    bench.run(15);
    assert_eq!(
        bench.events("Failed"),
        ["Error: couldn't find key password in Secret shop/login"]
    );
    bench.patch("Secret", "login", &json!({"data": {"password": "YQ=="}}));
    bench.until("ready", 30, |bench| bench.ready() == ["one"]);
}

/// pkg/apis/core/validation/validation.go `ValidatePersistentVolumeClaimSpec`.
#[test]
fn wrong_claims_are_refused_in_kubernetes_words() {
    let mut bench = Bench::kind(19);
    let mut it = claim("data", "ReadSometimes");
    it["spec"]["resources"] = json!({});
    let why = bench.try_create(it).unwrap_err().to_string();
    assert!(
        why.contains("spec.accessModes: Unsupported value: \"ReadSometimes\""),
        "{why}"
    );
    assert!(why.contains("spec.resources[storage]: Required value"), "{why}");
    bench.create(claim("data", "ReadWriteOnce"));
    let why = bench
        .try_patch(
            "PersistentVolumeClaim",
            "data",
            &json!({"spec": {"accessModes": ["ReadWriteMany"]}}),
        )
        .unwrap_err()
        .to_string();
    assert!(why.contains("spec is immutable after creation"), "{why}");
}

/// Deleted by force on a healthy node, the pod's volume is detached after the node's next report, not after six minutes.
#[test]
fn on_a_healthy_node_detaching_takes_seconds() {
    let mut bench = Bench::of("eks-workshop", 20);
    bench.create(claim("data", "ReadWriteOnce"));
    bench.create(pod("one", "data"));
    ready(&mut bench, "one");
    let options = DeleteOptions {
        grace: Some(0),
        ..DeleteOptions::default()
    };
    bench.delete_with("Pod", "one", &options);
    let took = bench.until("detached", 60, |bench| bench.list("VolumeAttachment").is_empty());
    assert!((2.0..21.0).contains(&took), "{took}");
}
