//! Containers that end, and pods that are to go. Source: pkg/kubelet/kuberuntime/kuberuntime_container.go `killContainer`,
//! `executePreStopHook`; kuberuntime_manager.go `doBackOff`; client-go util/flowcontrol/backoff.go; pkg/kubelet/kubelet_pods.go
//! `getPhase`.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{Scene, about, within};

fn task(runs: &str, exit: u8) -> String {
    format!(
        "  task:\n    images: [task]\n    start: {{ from: 0s, to: 0s }}\n    runs: {{ from: {runs}, to: {runs} }}\n    exit: {exit}\n"
    )
}

fn server(shutdown: &str) -> String {
    format!(
        "  web:\n    images: [web]\n    start: {{ from: 0s, to: 0s }}\n    shutdown: {{ from: {shutdown}, to: {shutdown} }}\n    \
         routes: [{{ request: GET / }}, {{ request: GET /drain, work: {{ from: 3s, to: 3s }} }}]\n"
    )
}

// `getPhase`, `ShouldContainerBeRestarted`.
#[rstest]
#[case("Always", 0, "Running", true, "Completed")]
#[case("Always", 1, "Running", true, "Error")]
#[case("OnFailure", 0, "Succeeded", false, "Completed")]
#[case("OnFailure", 1, "Running", true, "Error")]
#[case("Never", 0, "Succeeded", false, "Completed")]
#[case("Never", 1, "Failed", false, "Error")]
fn what_becomes_of_a_pod_whose_container_ends(
    #[case] policy: &str,
    #[case] exit: u8,
    #[case] phase: &str,
    #[case] again: bool,
    #[case] reason: &str,
) {
    let mut scene = Scene::new(&task("2s", exit));
    scene.pod(json!({"restartPolicy": policy, "containers": [{"name": "main", "image": "task"}]}));
    scene.run(9.0);
    assert_eq!(scene.phase(), phase);
    assert_eq!(scene.restarts("main") > 0, again);
    let status = scene.container("main");
    let ended = if again {
        &status["lastState"]["terminated"]
    } else {
        &status["state"]["terminated"]
    };
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(exit), &json!(reason)));
}

// The pod's phase waits for the last of its containers; one failure is enough.
#[rstest]
#[case(0, "Succeeded")]
#[case(4, "Failed")]
fn all_main_containers_decide_about_the_phase(#[case] exit: u8, #[case] phase: &str) {
    let two = format!(
        "{}  other:\n    images: [other]\n    start: {{ from: 0s, to: 0s }}\n    runs: {{ from: 8s, to: 8s }}\n",
        task("1s", exit)
    );
    let mut scene = Scene::new(&two);
    let containers = json!([{"name": "main", "image": "task"}, {"name": "other", "image": "other"}]);
    scene.pod(json!({"restartPolicy": "Never", "containers": containers}));
    scene.run(6.0);
    assert_eq!(
        (scene.phase(), scene.state("other")),
        ("Running".into(), "Running".into())
    );
    scene.run(8.0);
    assert_eq!(scene.phase(), phase);
}

#[test]
fn a_pod_that_has_ended_holds_no_resources_and_no_endpoint() {
    let mut scene = Scene::new(&task("2s", 0));
    scene.create(
        "Service",
        json!({"metadata": {"name": "it"}, "spec": {"selector": {"app": "it"}, "ports": [{"port": 80}]}}),
    );
    let node = "kind-worker";
    let big = |name: &str| {
        json!({"metadata": {"name": name, "labels": {"app": "it"}}, "spec": {
            "restartPolicy": "Never", "nodeSelector": {"kubernetes.io/hostname": node},
            "containers": [{"name": "main", "image": "task", "resources": {"requests": {"cpu": "7"}}}],
        }})
    };
    scene.create("Pod", big("it"));
    scene.create("Pod", big("next"));
    scene.run(1.0);
    scene.until("done", 10.0, |scene| scene.phase() == "Succeeded");
    scene.run(2.0);
    let next = scene.object("Pod", "next").unwrap();
    assert_eq!(next["spec"]["nodeName"], node);
    scene.run(10.0);
    assert_eq!(scene.endpoints(), []);
}

// doBackOff: at once after the first end, then 10 s, doubling, 300 s at most.
#[test]
fn the_back_off_of_a_crashing_container_doubles_from_ten_to_three_hundred_seconds() {
    let mut scene = Scene::new(&task("1s", 1));
    scene.pod(json!({"containers": [{"name": "main", "image": "task"}]}));
    let mut last = scene.until("runs", 5.0, |scene| scene.runs("main"));
    for (index, back_off) in [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
        .into_iter()
        .enumerate()
    {
        let restarts = index as u64 + 1;
        let start = scene.until("again", 320.0, |scene| {
            scene.restarts("main") == restarts && scene.runs("main")
        });
        // It runs for a second; up to one until the kubelet sees the end; up to 1.3 for the start and its report.
        within(start - last, back_off + 1.5, back_off + 1.0 + 1.0 + 1.35);
        last = start;
    }
}

// backoff.go `hasExpired`: after twice the longest back-off it begins anew.
#[rstest]
#[case("9m", "CrashLoopBackOff")]
#[case("11m", "Error")]
fn a_long_life_ends_the_back_off(#[case] runs: &str, #[case] state: &str) {
    let mut scene = Scene::new(&task("1s", 1));
    scene.pod(json!({"containers": [{"name": "main", "image": "task"}]}));
    scene.until("loops", 20.0, |scene| scene.state("main") == "CrashLoopBackOff");
    scene.describe(&task(runs, 1));
    scene.until("again", 20.0, |scene| scene.runs("main"));
    scene.until("ended", 700.0, |scene| !scene.runs("main"));
    assert_eq!(scene.state("main"), state);
}

/// Seconds from the deletion of the pod until its object is gone.
fn gone_after(scene: &mut Scene, grace: Option<u64>) -> f64 {
    scene.until("ready", 10.0, Scene::ready);
    scene.run(3.0);
    let asked = scene.now();
    scene.delete("Pod", "it", grace);
    scene.until("gone", 100.0, |scene| scene.object("Pod", "it").is_none()) - asked
}

// SIGTERM, the grace period, SIGKILL; the hook before SIGTERM is part of it; two seconds at least are left after the hook
// (`minimumGracePeriodInSeconds`).
#[rstest]
#[case::it_ends_by_itself("1s", json!({}), 30, None, 1.0)]
#[case::it_is_killed_at_the_end_of_its_grace("60s", json!({}), 4, None, 4.0)]
#[case::a_shorter_grace_of_the_deletion("60s", json!({}), 30, Some(3), 3.0)]
#[case::two_seconds_at_least("60s", json!({}), 30, Some(1), 2.0)]
#[case::a_hook_comes_first("1s", json!({"sleep": {"seconds": 5}}), 30, None, 6.0)]
#[case::a_command_that_sleeps("1s", json!({"exec": {"command": ["/bin/sh", "-c", "sleep 5"]}}), 30, None, 6.0)]
#[case::a_request_takes_as_long_as_its_route("1s", json!({"httpGet": {"path": "/drain", "port": 80}}), 30, None, 4.0)]
#[case::a_hook_uses_the_grace_up("60s", json!({"sleep": {"seconds": 5}}), 9, None, 9.0)]
#[case::after_a_hook_two_seconds_are_left("60s", json!({"sleep": {"seconds": 5}}), 5, None, 7.0)]
#[case::a_hook_that_is_too_long("60s", json!({"exec": {"command": ["sleep", "90"]}}), 6, None, 8.0)]
fn a_pod_goes_within_its_grace_period(
    #[case] shutdown: &str,
    #[case] hook: Value,
    #[case] grace: u64,
    #[case] asked: Option<u64>,
    #[case] expected: f64,
) {
    let mut scene = Scene::new(&server(shutdown));
    let mut main = json!({"name": "main", "image": "web"});
    if hook != json!({}) {
        main["lifecycle"] = json!({"preStop": hook});
    }
    scene.pod(json!({"terminationGracePeriodSeconds": grace, "containers": [main]}));
    // The watch, and the removal of the object: 0.06 s and 0.3 s at most.
    within(gone_after(&mut scene, asked), expected, expected + 0.4);
}

#[test]
fn with_no_grace_the_object_goes_at_once() {
    let mut scene = Scene::new(&server("20s"));
    scene.pod(json!({"containers": [{"name": "main", "image": "web"}]}));
    about(gone_after(&mut scene, Some(0)), 0.0);
}

// k8s.io/endpointslice: terminating endpoints go on serving while they are ready.
#[test]
fn a_pod_that_is_to_go_serves_on_while_its_hook_runs() {
    let mut scene = Scene::new(&server("1s"));
    scene.create(
        "Service",
        json!({"metadata": {"name": "it"}, "spec": {"selector": {"app": "it"}, "ports": [{"port": 80}]}}),
    );
    let probe = json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1});
    let main = json!({"name": "main", "image": "web", "readinessProbe": probe, "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}});
    scene.pod(json!({"containers": [main]}));
    scene.until("ready", 10.0, Scene::ready);
    scene.run(3.0);
    assert_eq!(scene.endpoints(), [(true, true, false)]);
    scene.delete("Pod", "it", None);
    scene.run(1.0);
    assert_eq!(scene.endpoints(), [(false, true, true)]);
    scene.run(3.9);
    assert!(scene.listens() && scene.endpoints() == [(false, true, true)]);
    scene.run(2.5);
    assert_eq!(scene.endpoints(), []);
}

// `doProbe`: once the deletion is asked for, a liveness probe ends nothing any more.
#[test]
fn a_liveness_probe_ends_no_container_of_a_pod_that_is_to_go() {
    let mut scene = Scene::new(&server("1s"));
    let probe = json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 1});
    let main = json!({"name": "main", "image": "web", "livenessProbe": probe, "lifecycle": {"preStop": {"sleep": {"seconds": 9}}}});
    scene.pod(json!({"containers": [main]}));
    scene.until("ready", 10.0, Scene::ready);
    scene.delete("Pod", "it", None);
    scene.run(0.5);
    scene.describe(&server("1s").replace("{ request: GET / }", "{ request: GET /, answer: 500 }"));
    scene.run(5.0);
    assert_eq!(scene.events("Killing"), [""; 0]);
    assert!(scene.listens());
}
