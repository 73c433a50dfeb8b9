//! Startup, readiness and liveness probes. Source: pkg/kubelet/prober/worker.go `doProbe`, `run`; prober_manager.go
//! `UpdatePodStatus`; `pkg/probe/*`; pkg/kubelet/kuberuntime/kuberuntime_manager.go `computePodActions`, `doBackOff`.

use rstest::rstest;
use serde_json::{Value, json};

use super::scene::{Scene, about, within};

/// A web server that listens so long after its start.
fn web(listens: &str) -> String {
    format!(
        "
  web:
    images: [web]
    start: {{ from: {listens}, to: {listens} }}
    shutdown: {{ from: 1s, to: 1s }}
    routes:
      - request: GET /health
      - {{ request: GET /slow, work: {{ from: 2s, to: 2s }} }}
      - {{ request: GET /broken, answer: 500 }}
      - {{ request: GET /moved, answer: 302 }}
"
    )
}

fn get(path: &str, more: &Value) -> Value {
    let mut probe = json!({"httpGet": {"path": path, "port": 80}});
    probe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    probe
}

fn container(probes: Value) -> Value {
    let mut one = json!({"name": "main", "image": "web:1", "ports": [{"name": "http", "containerPort": 80}]});
    one.as_object_mut().unwrap().extend(probes.as_object().unwrap().clone());
    one
}

fn pod(probes: Value) -> Value {
    json!({"containers": [container(probes)]})
}

/// Seconds from the kubelet's report of the running container until the pod is Ready.
fn ready_after(scene: &mut Scene) -> f64 {
    let runs = scene.until("runs", 10.0, |scene| scene.runs("main"));
    scene.until("ready", 120.0, Scene::ready) - runs
}

// `UpdatePodStatus`: a readiness probe runs at once when the kubelet sees its container run, and ticks from then on.
// `doProbe`: not before initialDelaySeconds; the result counts from successThreshold in a row on.
#[rstest]
#[case::listens_at_once("0s", json!({}), 0.0)]
#[case::the_default_period_is_ten_seconds("5s", json!({}), 10.0)]
#[case::the_first_tick_after_it_listens("5s", json!({"periodSeconds": 3}), 6.0)]
#[case::a_period_of_one_second("5s", json!({"periodSeconds": 1}), 5.0)]
#[case::an_initial_delay("0s", json!({"periodSeconds": 5, "initialDelaySeconds": 7}), 10.0)]
#[case::an_initial_delay_that_a_tick_meets("0s", json!({"periodSeconds": 5, "initialDelaySeconds": 5}), 5.0)]
#[case::three_successes("0s", json!({"periodSeconds": 5, "successThreshold": 3}), 10.0)]
#[case::two_successes_after_it_listens("12s", json!({"periodSeconds": 5, "successThreshold": 2}), 20.0)]
#[case::zero_counts_as_the_default("5s", json!({"periodSeconds": 0}), 10.0)]
fn a_pod_is_ready_at_the_tick_of_its_readiness_probe(
    #[case] listens: &str,
    #[case] probe: Value,
    #[case] expected: f64,
) {
    let mut scene = Scene::new(&web(listens));
    scene.pod(pod(json!({"readinessProbe": get("/health", &probe)})));
    about(ready_after(&mut scene), expected);
    assert!(scene.listens());
}

#[test]
fn without_a_readiness_probe_a_pod_is_ready_before_it_serves() {
    let mut scene = Scene::new(&web("5s"));
    scene.pod(pod(json!({})));
    about(ready_after(&mut scene), 0.0);
    assert!(!scene.listens());
}

// pkg/probe/http/http.go `DoHTTPProbe`: 200 to 399 is a success; prober.go: the words of the events.
#[rstest]
#[case::well("/health", true, "")]
#[case::a_redirect_is_well("/moved", true, "")]
#[case::an_error("/broken", false, "Readiness probe failed: HTTP probe failed with statuscode: 500")]
#[case::nobody_answers_that("/nothing", false, "Readiness probe failed: HTTP probe failed with statuscode: 404")]
#[case::too_slow(
    "/slow",
    false,
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
)]
fn a_readiness_probe_sees_what_the_route_answers(#[case] path: &str, #[case] ready: bool, #[case] said: &str) {
    let mut scene = Scene::new(&web("0s"));
    scene.pod(pod(json!({"readinessProbe": get(path, &json!({"periodSeconds": 2}))})));
    scene.run(30.0);
    assert_eq!(scene.ready(), ready);
    assert_eq!(scene.container("main")["ready"], ready);
    assert!(scene.runs("main"), "a readiness probe ends nothing");
    let events = scene.events("Unhealthy");
    assert!(
        said.is_empty() && events.is_empty() || events.iter().any(|text| text.contains(said)),
        "{events:?}"
    );
    if !ready {
        assert_eq!(scene.condition("Ready")["reason"], "ContainersNotReady");
    }
}

#[test]
fn a_longer_timeout_bears_a_slow_route() {
    let mut scene = Scene::new(&web("0s"));
    scene.pod(pod(
        json!({"readinessProbe": get("/slow", &json!({"timeoutSeconds": 3}))}),
    ));
    about(ready_after(&mut scene), 2.0);
}

#[rstest]
#[case::tcp_by_number(json!({"tcpSocket": {"port": 80}}), true)]
#[case::tcp_by_name(json!({"tcpSocket": {"port": "http"}}), true)]
#[case::a_command_in_a_running_process(json!({"exec": {"command": ["true"]}}), true)]
#[case::grpc_without_a_health_service(json!({"grpc": {"port": 80}}), false)]
fn other_probes_connect_run_or_ask(#[case] mut probe: Value, #[case] ready: bool) {
    probe["periodSeconds"] = json!(1);
    let mut scene = Scene::new(&web("2s"));
    scene.pod(pod(json!({"readinessProbe": probe})));
    scene.run(20.0);
    assert_eq!(scene.ready(), ready);
}

// What commands come to is the model's to say.
#[rstest]
#[case::while_it_runs("running", 0.0)]
#[case::once_it_listens("listening", 4.0)]
#[case::as_a_route_answers("{ route: GET /health }", 4.0)]
fn a_command_comes_to_what_the_model_says(#[case] exec: &str, #[case] expected: f64) {
    let mut scene = Scene::new(&format!("{}    exec: {exec}\n", web("4s")));
    let probe = json!({"exec": {"command": ["check"]}, "periodSeconds": 1});
    scene.pod(pod(json!({"readinessProbe": probe})));
    about(ready_after(&mut scene), expected);
}

#[rstest]
#[case("{ exit: 1 }")]
#[case("{ route: GET /broken }")]
fn a_command_that_fails_keeps_a_pod_from_being_ready(#[case] exec: &str) {
    let mut scene = Scene::new(&format!("{}    exec: {exec}\n", web("0s")));
    scene.pod(pod(
        json!({"readinessProbe": {"exec": {"command": ["check"]}, "periodSeconds": 1}}),
    ));
    scene.run(30.0);
    assert!(!scene.ready());
}

#[test]
fn a_health_service_of_the_model_answers_a_grpc_probe() {
    let health = "      - request: POST /grpc.health.v1.Health/Check\n";
    let mut scene = Scene::new(&format!("{}{health}", web("1s")));
    scene.pod(pod(
        json!({"readinessProbe": {"grpc": {"port": 80}, "periodSeconds": 1}}),
    ));
    about(ready_after(&mut scene), 1.0);
}

/// A web server whose health depends on a database.
const BACKED: &str = "
  web:
    images: [web]
    start: { from: 0s, to: 0s }
    routes:
      - { request: GET /health, steps: [{ call: { to: db, request: GET /, timeout: 500ms, unreachable: { answer: 503 } } }] }
  db:
    images: [db]
    start: { from: 0s, to: 0s }
    routes: [{ request: GET / }]
";

// failureThreshold 3: the third failure in a row makes it not ready; one success makes it ready again.
#[test]
fn a_route_whose_backend_is_down_fails_the_probe() {
    let mut scene = Scene::new(BACKED);
    let service = json!({"metadata": {"name": "db"}, "spec": {"selector": {"app": "db"}, "ports": [{"port": 80}]}});
    scene.create("Service", service);
    let db = json!({"metadata": {"name": "db", "labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "db:1"}]}});
    scene.create("Pod", db.clone());
    scene.run(10.0);
    scene.pod(pod(
        json!({"readinessProbe": get("/health", &json!({"periodSeconds": 2}))}),
    ));
    scene.until("ready", 20.0, Scene::ready);
    scene.delete("Pod", "db", None);
    let gone = scene.until("db gone", 20.0, |scene| scene.object("Pod", "db").is_none());
    let unready = scene.until("not ready", 20.0, |scene| !scene.ready());
    within(unready - gone, 3.5, 6.6);
    assert!(
        scene
            .events("Unhealthy")
            .iter()
            .any(|text| text.ends_with("statuscode: 503"))
    );
    scene.create("Pod", db);
    scene.until("ready again", 20.0, Scene::ready);
    assert_eq!(scene.restarts("main"), 0);
}

// `doProbe`: other probes wait until the container has started.
#[test]
fn a_startup_probe_holds_the_others_back() {
    let mut scene = Scene::new(&web("12s"));
    scene.pod(pod(json!({
        "startupProbe": get("/health", &json!({"periodSeconds": 5, "failureThreshold": 30})),
        "livenessProbe": get("/broken", &json!({"periodSeconds": 1, "failureThreshold": 1})),
    })));
    let taken = scene.until("taken on", 5.0, |scene| scene.status()["startTime"].is_string());
    let started = scene.until("started", 60.0, |scene| scene.container("main")["started"] == true);
    // The worker ticks from the moment the kubelet took the pod on: pkg/kubelet/kubelet.go `SyncPod`, `AddPod`.
    about(started - taken, 15.0);
    assert!(scene.ready());
    assert_eq!(scene.restarts("main"), 0);
    scene.until("killed by its liveness probe", 20.0, |scene| {
        scene.restarts("main") == 1
    });
}

#[test]
fn a_container_that_does_not_start_in_time_is_started_again() {
    let mut scene = Scene::new(&web("60s"));
    scene.pod(pod(
        json!({"startupProbe": get("/health", &json!({"periodSeconds": 2, "failureThreshold": 3}))}),
    ));
    let runs = scene.until("runs", 5.0, |scene| scene.runs("main"));
    assert_eq!(scene.container("main")["started"], false);
    let again = scene.until("again", 30.0, |scene| scene.restarts("main") == 1);
    // Three ticks, the first within two seconds; a second to end, and up to half a second to start.
    within(again - runs, 4.0 + 1.0, 6.0 + 1.6);
    let last = &scene.container("main")["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(0), &json!("Completed")));
    assert_eq!(
        scene.events("Killing"),
        ["Container main failed startup probe, will be restarted"]
    );
}

// kuberuntime_container.go `setTerminationGracePeriod`: the probe's own grace period wins; SIGKILL at its end.
#[rstest]
#[case::the_pods_is_long_enough(json!({}), "10s", 10.0, 0)]
#[case::the_probes_own(json!({"terminationGracePeriodSeconds": 3}), "10s", 3.0, 137)]
#[case::two_seconds_at_least(json!({"terminationGracePeriodSeconds": 1}), "10s", 2.0, 137)]
fn a_liveness_probe_ends_a_container_within_the_grace_period(
    #[case] more: Value,
    #[case] shutdown: &str,
    #[case] takes: f64,
    #[case] code: i64,
) {
    let text = web("0s").replace("from: 1s, to: 1s", &format!("from: {shutdown}, to: {shutdown}"));
    let mut scene = Scene::new(&text);
    let mut probe = get("/broken", &json!({"periodSeconds": 1, "failureThreshold": 2}));
    probe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scene.pod(pod(json!({"livenessProbe": probe})));
    let killing = scene.until("killing", 20.0, |scene| !scene.events("Killing").is_empty());
    let again = scene.until("again", 30.0, |scene| scene.restarts("main") == 1);
    within(again - killing, takes + 0.1, takes + 0.6);
    assert_eq!(scene.container("main")["lastState"]["terminated"]["exitCode"], code);
}

// `computePodActions`: with restartPolicy Never a container that is ended by its probe is not started again.
#[test]
fn with_never_a_failed_liveness_probe_fails_the_pod() {
    let mut scene = Scene::new(&web("0s"));
    let mut spec = pod(json!({"livenessProbe": get("/broken", &json!({"periodSeconds": 1, "failureThreshold": 1}))}));
    spec["restartPolicy"] = json!("Never");
    let text = web("0s").replace("from: 1s, to: 1s", "from: 60s, to: 60s");
    scene.describe(&text);
    spec["terminationGracePeriodSeconds"] = json!(5);
    scene.pod(spec);
    scene.until("failed", 30.0, |scene| scene.phase() == "Failed");
    assert_eq!(scene.container("main")["state"]["terminated"]["exitCode"], 137);
    assert_eq!(scene.events("Killing"), ["Container main failed liveness probe"]);
}

// `doBackOff` counts from the end of the container before the one that is ended now: 10 s, 20 s, ... are reached only when
// they are longer than a container lives.
#[test]
fn a_liveness_probe_that_always_fails_ends_in_a_crash_loop() {
    let mut scene = Scene::new(&web("0s"));
    scene.pod(pod(
        json!({"livenessProbe": get("/broken", &json!({"periodSeconds": 5, "failureThreshold": 3}))}),
    ));
    let mut starts = vec![scene.until("runs", 10.0, |scene| scene.runs("main"))];
    let mut waited = Vec::new();
    for restarts in 1..=6 {
        let mut looped = false;
        while scene.restarts("main") < restarts || !scene.runs("main") {
            looped |= scene.state("main") == "CrashLoopBackOff";
            scene.run(0.05);
            assert!(scene.now() < 1_500.0);
        }
        starts.push(scene.now());
        waited.push(looped);
    }
    // It lives for 15 s: no wait for the first one's 10 s; at 20 s and more it waits.
    assert_eq!(waited, [false, false, false, true, true, true], "{starts:?}");
    let gap = |index: usize| starts[index] - starts[index - 1];
    within(gap(1), 10.0, 18.0);
    for (index, back_off) in [(4, 20.0), (5, 40.0), (6, 80.0)] {
        within(gap(index) - gap(1), back_off - 5.0, back_off + 5.0);
    }
    assert!(scene.events("BackOff")[0].starts_with("Back-off restarting failed container main in pod it_shop("));
}

// worker.go `run`: a kubelet that has just started spreads the first runs over a period.
#[test]
fn the_probes_of_a_kubelet_that_has_just_started_do_not_run_in_step() {
    let spread = |age: f64| {
        let mut scene = Scene::aged(age, "");
        scene.describe(&web("5s"));
        scene.pod(pod(
            json!({"startupProbe": get("/health", &json!({"periodSeconds": 30}))}),
        ));
        let taken = scene.until("taken on", 5.0, |scene| scene.status()["startTime"].is_string());
        scene.until("started", 90.0, |scene| scene.container("main")["started"] == true) - taken
    };
    about(spread(60.0), 30.0);
    let early = spread(0.0);
    assert!((early - 30.0).abs() > 0.2, "{early}");
    within(early, 5.0, 36.0);
}

#[test]
fn a_probe_may_ask_another_container_of_its_pod() {
    let mut scene = Scene::new(&format!(
        "{}  side:\n    images: [side]\n    start: {{ from: 0s, to: 0s }}\n",
        web("6s")
    ));
    let side = json!({
        "name": "side", "image": "side:1", "ports": [{"containerPort": 9}],
        "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
    });
    scene.pod(json!({"containers": [container(json!({})), side]}));
    let runs = scene.until("runs", 10.0, |scene| scene.runs("side"));
    assert!(!scene.ready());
    let message = scene.condition("ContainersReady")["message"].clone();
    assert_eq!(message, "containers with unready status: [side]");
    within(scene.until("ready", 20.0, Scene::ready) - runs, 4.5, 6.1);
}

#[test]
fn an_image_that_nobody_described_is_well_once_it_runs_and_an_assumed_one_answers() {
    let mut scene = Scene::new("");
    let probe = json!({"readinessProbe": get("/anything", &json!({}))});
    scene.pod(pod(probe.clone()));
    scene.until("ready", 10.0, Scene::ready);
    scene.delete("Pod", "it", Some(0));
    scene.world.assume_default_model(super::scene::SPACE);
    scene.run(5.0);
    scene.pod(pod(probe));
    scene.until("ready", 10.0, Scene::ready);
}

#[test]
fn a_new_description_is_seen_by_probes_that_rest() {
    let mut scene = Scene::new(&web("0s"));
    scene.pod(pod(
        json!({"readinessProbe": get("/health", &json!({"periodSeconds": 5, "failureThreshold": 2}))}),
    ));
    scene.until("ready", 10.0, Scene::ready);
    scene.run(60.0);
    let told = scene.now();
    scene.describe(&web("0s").replace("- request: GET /health", "- { request: GET /health, answer: 500 }"));
    let unready = scene.until("not ready", 30.0, |scene| !scene.ready());
    within(unready - told, 5.0, 10.1);
}

// worker.go `run`: what triggers a worker that still waits for its part of the period is kept (`manualTriggerCh` holds one), so that
// it looks twice when it wakes; prober_manager.go `UpdatePodStatus`.
#[test]
fn a_worker_that_was_triggered_while_it_waited_looks_twice_when_it_wakes() {
    let [once, twice] = [1, 2].map(|successes| {
        let mut scene = Scene::aged(5.0, &web("0s"));
        let probe = get("/health", &json!({"periodSeconds": 30, "successThreshold": successes}));
        scene.pod(pod(json!({"readinessProbe": probe})));
        ready_after(&mut scene)
    });
    assert!((1.0..30.0).contains(&once), "it waited for {once} s");
    assert!((twice - once).abs() < 0.1, "{once} {twice}");
}
