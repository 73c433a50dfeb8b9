//! Containers of the start, sidecars and main containers. Source: pkg/kubelet/kuberuntime/kuberuntime_container.go
//! `computeInitContainerActions`; kuberuntime_manager.go `SyncPod`; pkg/kubelet/status/generate.go; pkg/kubelet/kubelet_pods.go
//! `getPhase`; k8s.io/component-helpers resource/helpers.go.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{Scene, about, within};

/// Tasks of two and three seconds, one that fails, servers, and a sidecar that takes its time.
const IMAGES: &str = "
  two:
    images: [two]
    start: { from: 0s, to: 0s }
    runs: { from: 2s, to: 2s }
  three:
    images: [three]
    start: { from: 0s, to: 0s }
    runs: { from: 3s, to: 3s }
  bad:
    images: [bad]
    start: { from: 0s, to: 0s }
    runs: { from: 1s, to: 1s }
    exit: 3
  web:
    images: [web]
    start: { from: 0s, to: 0s }
    shutdown: { from: 1s, to: 1s }
    routes: [{ request: GET / }]
  proxy:
    images: [proxy]
    start: { from: 7s, to: 7s }
    shutdown: { from: 2s, to: 2s }
    routes: [{ request: GET / }]
";

fn one(name: &str, image: &str) -> Value {
    json!({"name": name, "image": image})
}

fn sidecar(name: &str, image: &str, more: Value) -> Value {
    let mut it = one(name, image);
    it["restartPolicy"] = json!("Always");
    it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    it
}

#[test]
fn containers_of_the_start_run_one_after_the_other_before_the_main_ones() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({"initContainers": [one("a", "two"), one("b", "three")], "containers": [one("main", "web")]}));
    let a = scene.until("a runs", 5.0, |scene| scene.runs("a"));
    assert_eq!(scene.phase(), "Pending");
    assert_eq!(
        (scene.state("b"), scene.state("main")),
        ("PodInitializing".into(), "PodInitializing".into())
    );
    let initialized = scene.condition("Initialized");
    assert_eq!(
        (&initialized["status"], &initialized["reason"]),
        (&json!("False"), &json!("ContainersNotInitialized"))
    );
    assert_eq!(initialized["message"], "containers with incomplete status: [a b]");
    let b = scene.until("b runs", 10.0, |scene| scene.runs("b"));
    assert_eq!(scene.state("a"), "Completed");
    // Two seconds of work, up to one until the kubelet sees the end, and the next start.
    within(b - a, 2.0, 3.7);
    let main = scene.until("main runs", 10.0, |scene| scene.runs("main"));
    within(main - b, 3.0, 4.7);
    assert_eq!(scene.phase(), "Running");
    assert!(scene.holds("Initialized") && scene.ready());
    assert_eq!(scene.container("a")["ready"], true);
}

#[test]
fn a_failed_container_of_the_start_is_tried_again_with_back_off() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({"initContainers": [one("a", "bad")], "containers": [one("main", "web")]}));
    scene.until("first", 5.0, |scene| scene.runs("a"));
    scene.until("second", 10.0, |scene| scene.restarts("a") == 1 && scene.runs("a"));
    scene.until("loops", 10.0, |scene| scene.state("a") == "CrashLoopBackOff");
    let message = scene.container("a")["state"]["waiting"]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("back-off 10s restarting failed container=a pod=it_shop("),
        "{message}"
    );
    assert_eq!(scene.container("a")["lastState"]["terminated"]["exitCode"], 3);
    assert_eq!(
        (scene.phase(), scene.state("main")),
        ("Pending".into(), "PodInitializing".into())
    );
}

#[test]
fn with_never_a_failed_container_of_the_start_fails_the_pod() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({
        "restartPolicy": "Never", "initContainers": [one("a", "bad")], "containers": [one("main", "web")],
    }));
    scene.until("failed", 10.0, |scene| scene.phase() == "Failed");
    assert_eq!((scene.restarts("a"), scene.state("a")), (0, "Error".into()));
    assert_eq!(scene.condition("Ready")["reason"], "PodFailed");
}

#[test]
fn a_sidecar_goes_on_and_the_next_container_waits_only_for_its_startup_probe() {
    let probe = json!({"startupProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 30}});
    for (more, least, most) in [(json!({}), 0.0, 0.6), (probe, 6.0, 8.6)] {
        let mut scene = Scene::new(IMAGES);
        scene.pod(json!({"initContainers": [sidecar("side", "proxy", more)], "containers": [one("main", "web")]}));
        let side = scene.until("sidecar runs", 5.0, |scene| scene.runs("side"));
        let main = scene.until("main runs", 20.0, |scene| scene.runs("main"));
        within(main - side, least, most);
        assert!(scene.runs("side") && scene.phase() == "Running");
    }
}

#[test]
fn a_sidecar_that_is_not_ready_keeps_its_pod_from_being_ready() {
    let mut scene = Scene::new(IMAGES);
    let probe = json!({"readinessProbe": {"httpGet": {"path": "/nothing", "port": 80}}});
    scene.pod(json!({"initContainers": [sidecar("side", "proxy", probe)], "containers": [one("main", "web")]}));
    scene.run(30.0);
    assert!(scene.runs("main") && !scene.ready());
    assert_eq!(
        scene.condition("Ready")["message"],
        "containers with unready status: [side]"
    );
}

#[test]
fn main_containers_are_started_in_their_order() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({"containers": [one("a", "web"), one("b", "web"), one("c", "web")]}));
    scene.until("a runs", 5.0, |scene| scene.runs("a"));
    assert!(!scene.runs("c"));
    assert_eq!(scene.phase(), "Pending");
    scene.until("c runs", 5.0, |scene| scene.runs("c"));
    let since = |name: &str| {
        scene.container(name)["state"]["running"]["startedAt"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(since("a") <= since("b") && since("b") <= since("c"));
    assert!(scene.ready());
}

// SyncPod: `startContainer` returns after the hook.
#[test]
fn a_hook_after_the_start_holds_the_next_container_back() {
    let mut scene = Scene::new(IMAGES);
    let mut first = one("a", "web");
    first["lifecycle"] = json!({"postStart": {"exec": {"command": ["sleep", "4"]}}});
    scene.pod(json!({"containers": [first, one("b", "web")]}));
    let taken = scene.until("taken on", 5.0, |scene| scene.status()["startTime"].is_string());
    let b = scene.until("b runs", 10.0, |scene| scene.runs("b"));
    within(b - taken, 0.6 + 4.0, 1.2 + 4.0 + 0.8);
}

// kuberuntime_termination_order.go: the main containers first, then the sidecars from the last to the first.
#[test]
fn sidecars_end_after_the_main_containers_in_the_reverse_order() {
    let mut scene = Scene::new(IMAGES);
    let init = json!([
        sidecar("first", "proxy", json!({})),
        sidecar("second", "proxy", json!({}))
    ]);
    scene.pod(json!({"initContainers": init, "containers": [one("main", "web")]}));
    scene.until("ready", 30.0, Scene::ready);
    scene.run(10.0);
    let asked = scene.now();
    scene.delete("Pod", "it", None);
    scene.until("main ended", 10.0, |scene| !scene.listens());
    within(scene.now() - asked, 1.0, 1.2);
    let gone = scene.until("gone", 20.0, |scene| scene.object("Pod", "it").is_none());
    // One second, two and two, the notice and the removal.
    within(gone - asked, 5.0, 5.5);
}

#[test]
fn a_sidecar_does_not_keep_a_pod_alive_whose_work_is_done() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({
        "restartPolicy": "Never", "initContainers": [sidecar("side", "web", json!({}))], "containers": [one("main", "two")],
    }));
    scene.until("done", 15.0, |scene| scene.phase() == "Succeeded");
    assert_eq!(
        (scene.state("main"), scene.state("side")),
        ("Completed".into(), "Completed".into())
    );
    assert_eq!(scene.condition("Ready")["reason"], "PodCompleted");
}

#[test]
fn a_sidecar_that_ends_starts_again_whatever_the_pods_policy() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({
        "restartPolicy": "Never", "initContainers": [sidecar("side", "two", json!({}))], "containers": [one("main", "web")],
    }));
    scene.until("again", 15.0, |scene| scene.restarts("side") == 1);
    assert!(scene.runs("main"));
    assert_eq!(scene.phase(), "Running");
}

// `AggregateContainerRequests`: what runs together adds up; what the start needs counts when it is more.
#[rstest]
#[case::main_containers_add_up(&[], &[], &["1", "2"], "0", 3_000)]
#[case::a_start_that_needs_less(&["2"], &[], &["1", "2"], "0", 3_000)]
#[case::a_start_that_needs_more(&["5", "4"], &[], &["1", "2"], "0", 5_000)]
#[case::sidecars_add_to_the_main_ones(&[], &["1"], &["1", "2"], "0", 4_000)]
#[case::a_start_beside_a_sidecar(&["5"], &["1"], &["1"], "0", 6_000)]
#[case::the_overhead_comes_on_top(&["5"], &[], &["1"], "250m", 5_250)]
fn a_pod_requests_what_it_needs_at_most(
    #[case] init: &[&str],
    #[case] sidecars: &[&str],
    #[case] main: &[&str],
    #[case] overhead: &str,
    #[case] expected: u64,
) {
    let with = |name: String, cpu: &str, policy: Value| json!({"name": name, "image": "web", "restartPolicy": policy, "resources": {"requests": {"cpu": cpu}}});
    let mut start: Vec<Value> = Vec::new();
    for (index, cpu) in sidecars.iter().enumerate() {
        start.push(with(format!("s{index}"), cpu, json!("Always")));
    }
    for (index, cpu) in init.iter().enumerate() {
        start.push(with(format!("i{index}"), cpu, Value::Null));
    }
    let main: Vec<Value> = main
        .iter()
        .enumerate()
        .map(|(index, cpu)| with(format!("m{index}"), cpu, Value::Null))
        .collect();
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({"initContainers": start, "containers": main, "overhead": {"cpu": overhead}}));
    let store = scene.world.store();
    let pod = store
        .pods
        .find(super::scene::SPACE, "it")
        .and_then(|row| store.pod(row))
        .unwrap();
    assert_eq!(pod.body.template.requests.cpu_milli, expected);
}

// A container of the start that nobody described has no known end; an assumed one is done at once.
#[test]
fn an_assumed_container_of_the_start_is_done_at_once() {
    let spec = json!({"initContainers": [one("a", "migrate")], "containers": [one("main", "server")]});
    let mut scene = Scene::new("");
    scene.pod(spec.clone());
    scene.run(60.0);
    assert_eq!((scene.phase(), scene.state("a")), ("Pending".into(), "Running".into()));
    scene.delete("Pod", "it", Some(0));
    scene.world.assume_default_model(super::scene::SPACE);
    scene.run(5.0);
    scene.pod(spec);
    let made = scene.now();
    let ready = scene.until("ready", 10.0, Scene::ready);
    within(ready - made, 0.6, 3.5);
}

#[test]
fn a_pod_stays_within_its_own_deadline() {
    let mut scene = Scene::new(IMAGES);
    scene.pod(json!({"activeDeadlineSeconds": 20, "containers": [one("main", "web")]}));
    let taken = scene.until("taken on", 5.0, |scene| scene.status()["startTime"].is_string());
    let failed = scene.until("failed", 40.0, |scene| scene.phase() == "Failed");
    // pkg/kubelet/active_deadline.go; the container takes a second to end.
    about(failed - taken, 21.0);
    assert_eq!(scene.status()["reason"], "DeadlineExceeded");
    assert_eq!(
        scene.status()["message"],
        "Pod was active on the node longer than the specified deadline"
    );
}
