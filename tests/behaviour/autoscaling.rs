//! HorizontalPodAutoscalers on a load that the application model gives.
//!
//! Sources: pkg/controller/podautoscaler/{horizontal,replica_calculator}.go and config/v1alpha1/defaults.go.

use serde_json::{Value, json};
use steadfast::model::application::Application;
use steadfast::model::fault::Mode;
use steadfast::model::journey::Journey;

use super::bench::{Bench, SPACE, condition, workload};

/// A request takes 10 ms of CPU time: 40 requests a second take 0.4 cores.
const MODEL: &str = "
version: 1
name: shop
services:
  web:
    images: [example/app]
    start: { from: 1s, to: 2s }
    routes:
      - request: GET /
        work: { from: 1ms, to: 3ms }
        cpu: 10ms
journeys:
  visit:
    entry: web
    rate: 40
    timeout: 3s
    steps: [{ request: GET /, expect: { status: 200 } }]
";

fn journeys(rate: u32) -> Vec<(String, Journey)> {
    let model = Application::from_yaml(&MODEL.replace("rate: 40", &format!("rate: {rate}"))).unwrap();
    model.journeys.into_iter().collect()
}

/// A Deployment `web` whose pods request 200m, ready, and an autoscaler with this specification.
fn scaled(seed: u64, replicas: u32, spec: &Value) -> Bench {
    let mut bench = Bench::kind(seed);
    bench
        .world
        .describe(SPACE, &Application::from_yaml(MODEL).unwrap())
        .unwrap();
    bench.create(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }));
    let mut object = workload("Deployment", "web", replicas);
    object["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "200m"}});
    bench.create(object);
    bench.until("ready", 60, |bench| bench.ready().len() == replicas as usize);
    bench.run(10);
    let mut object = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    bench.create(object);
    bench
}

fn cpu(percent: u32) -> Value {
    json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}])
}

fn replicas(bench: &Bench) -> u64 {
    bench.get("Deployment", "web")["spec"]["replicas"].as_u64().unwrap()
}

fn reason(bench: &Bench, kind: &str) -> String {
    let it = bench.get("HorizontalPodAutoscaler", "web");
    condition(&it, kind).map_or_else(String::new, |it| it["reason"].as_str().unwrap().to_owned())
}

/// `GetResourceReplicas`: 0.4 cores on requests of 0.2 at a target of 50 % want four pods.
#[test]
fn under_load_there_are_as_many_pods_as_the_target_wants() {
    let mut bench = scaled(1, 1, &json!({"maxReplicas": 10, "metrics": cpu(50)}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    let took = bench.until("scaled up", 120, |bench| replicas(bench) == 4);
    // Two scrapes 15 s apart, then the next sync (15 s).
    assert!((15.0..60.0).contains(&took), "{took}");
    bench.run(120);
    assert_eq!((replicas(&bench), bench.ready().len()), (4, 4));
    let it = bench.get("HorizontalPodAutoscaler", "web");
    let metric = &it["status"]["currentMetrics"][0]["resource"]["current"];
    assert!(
        (48..=52).contains(&metric["averageUtilization"].as_u64().unwrap()),
        "{metric}"
    );
    assert_eq!(
        (&it["status"]["currentReplicas"], &it["status"]["desiredReplicas"]),
        (&json!(4), &json!(4))
    );
    assert_eq!(
        bench.events("SuccessfulRescale"),
        ["New size: 4; reason: cpu resource utilization (percentage of request) above target"]
    );
    assert_eq!(reason(&bench, "ScalingActive"), "ValidMetricFound");
}

/// `--horizontal-pod-autoscaler-downscale-stabilization` 5 min: the highest recommendation of that time holds.
#[test]
fn after_the_load_the_pods_go_five_minutes_later() {
    let mut bench = scaled(2, 1, &json!({"maxReplicas": 10, "metrics": cpu(50)}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    bench.until("scaled up", 120, |bench| replicas(bench) == 4);
    bench.run(60);
    bench.world.stop_load();
    bench.run(120);
    assert_eq!(
        (replicas(&bench), reason(&bench, "AbleToScale").as_str()),
        (4, "ScaleDownStabilized")
    );
    let took = 120.0 + bench.until("scaled down", 400, |bench| replicas(bench) < 4);
    assert!((290.0..350.0).contains(&took), "{took}");
    bench.run(60);
    assert_eq!(
        (replicas(&bench), reason(&bench, "ScalingLimited").as_str()),
        (1, "TooFewReplicas")
    );
}

/// `calculateScaleUpLimit`: at most a doubling, or four, in one step; and never above maxReplicas.
#[test]
fn a_step_at_most_doubles_and_ends_at_the_most() {
    let mut bench = scaled(3, 3, &json!({"maxReplicas": 7, "metrics": cpu(5)}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    let mut sizes = vec![replicas(&bench)];
    for _ in 0..1_500 {
        bench.world.run_for(steadfast::model::time::Span::millis(100));
        let now = replicas(&bench);
        if sizes.last() != Some(&now) {
            sizes.push(now);
        }
    }
    assert_eq!(sizes, [3, 6, 7]);
    assert_eq!(reason(&bench, "ScalingLimited"), "TooManyReplicas");
}

/// `Tolerances`: within 10 % of the target nothing changes.
#[test]
fn near_the_target_nothing_changes() {
    // 40 requests a second on two pods: 100 % of the requests each.
    for (target, wanted) in [(92, 2), (89, 3)] {
        let mut bench = scaled(4, 2, &json!({"maxReplicas": 10, "metrics": cpu(target)}));
        bench.world.start_load(SPACE, &journeys(40)).unwrap();
        bench.run(120);
        assert_eq!(replicas(&bench), wanted, "target {target}");
    }
}

/// `GetRawResourceReplicas`: an average value needs no requests.
#[test]
fn an_average_value_counts_cores_per_pod() {
    let metrics = json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "80m"}}}]);
    let mut bench = scaled(5, 1, &json!({"maxReplicas": 10, "metrics": metrics}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    // The first step ends at four (`scaleUpLimitMinimum`).
    bench.until("scaled up", 200, |bench| replicas(bench) == 5);
    bench.run(60);
    assert_eq!(replicas(&bench), 5);
}

/// `calculatePodRequests`: without a request there is no utilization.
#[test]
fn without_requests_nothing_is_scaled_and_the_condition_says_why() {
    let mut bench = scaled(6, 1, &json!({"maxReplicas": 10, "metrics": cpu(50)}));
    let mut template = bench.get("Deployment", "web")["spec"]["template"].clone();
    template["spec"]["containers"][0]["resources"] = json!(null);
    bench.patch("Deployment", "web", &json!({"spec": {"template": template}}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    bench.run(120);
    assert_eq!(
        (replicas(&bench), reason(&bench, "ScalingActive").as_str()),
        (1, "FailedGetResourceMetric")
    );
    assert!(
        bench.events("FailedGetResourceMetric")[0].contains("missing request for cpu in container main of Pod web-")
    );
}

/// `reconcileAutoscaler`: bounds come before metrics.
#[test]
fn the_bounds_hold_without_metrics() {
    let mut bench = scaled(7, 2, &json!({"minReplicas": 3, "maxReplicas": 5, "metrics": cpu(50)}));
    bench.until("at least", 20, |bench| replicas(bench) == 3);
    assert_eq!(
        bench.events("SuccessfulRescale"),
        ["New size: 3; reason: Current number of replicas below Spec.MinReplicas"]
    );
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 9}}));
    bench.until("at most", 20, |bench| replicas(bench) == 5);
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 0}}));
    bench.run(60);
    assert_eq!(
        (replicas(&bench), reason(&bench, "ScalingActive").as_str()),
        (0, "ScalingDisabled")
    );
}

/// `scaleTargetRef` of nothing.
#[test]
fn an_absent_target_is_said() {
    let mut bench = scaled(8, 1, &json!({"maxReplicas": 5, "metrics": cpu(50)}));
    bench.delete("Deployment", "web");
    bench.run(40);
    assert_eq!(reason(&bench, "AbleToScale"), "FailedGetScale");
}

/// `stabilizeRecommendationWithBehaviors`, `calculateScaleDownLimitWithBehaviors`: a behaviour of one's own.
#[test]
fn a_behaviour_sets_window_and_pace() {
    let behavior = json!({"scaleDown": {
        "stabilizationWindowSeconds": 30, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }});
    let mut bench = scaled(
        9,
        1,
        &json!({"maxReplicas": 10, "metrics": cpu(50), "behavior": behavior}),
    );
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    bench.until("scaled up", 200, |bench| replicas(bench) == 4);
    bench.run(60);
    bench.world.stop_load();
    let first = bench.until("one fewer", 120, |bench| replicas(bench) == 3);
    assert!((30.0..80.0).contains(&first), "{first}");
    let second = bench.until("two fewer", 120, |bench| replicas(bench) == 2);
    assert!((59.0..77.0).contains(&second), "{second}");
}

/// `selectPolicy: Disabled`.
#[test]
fn a_disabled_direction_does_not_move() {
    let behavior = json!({"scaleUp": {"selectPolicy": "Disabled"}});
    let mut bench = scaled(
        10,
        1,
        &json!({"maxReplicas": 10, "metrics": cpu(50), "behavior": behavior}),
    );
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    bench.run(180);
    assert_eq!(
        (replicas(&bench), reason(&bench, "ScalingLimited").as_str()),
        (1, "ScaleUpLimit")
    );
}

/// A metric that the cluster does not have.
#[test]
fn other_metrics_are_not_found_and_listed() {
    let metrics = json!([{"type": "Pods", "pods": {
        "metric": {"name": "requests"}, "target": {"type": "AverageValue", "averageValue": "10"},
    }}]);
    let mut bench = scaled(11, 1, &json!({"maxReplicas": 10, "metrics": metrics}));
    bench.run(40);
    assert_eq!(reason(&bench, "ScalingActive"), "FailedGetResourceMetric");
    assert!(
        bench
            .world
            .not_modelled()
            .contains(&"HorizontalPodAutoscaler/web: spec.metrics[].pods".to_owned()),
        "{:?}",
        bench.world.not_modelled()
    );
}

/// `groupPods`: a pod on a lost node gives no metrics; while the rest is above its target the missing one counts as idle, and
/// nothing shrinks for it.
#[test]
fn losing_a_node_under_load_does_not_scale_down() {
    let mut bench = scaled(12, 1, &json!({"maxReplicas": 10, "metrics": cpu(50)}));
    bench.world.start_load(SPACE, &journeys(40)).unwrap();
    bench.until("scaled up", 120, |bench| replicas(bench) == 4);
    bench.run(60);
    let node = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &node);
    for _ in 0..30 {
        bench.run(10);
        assert!(replicas(&bench) >= 4, "{}", replicas(&bench));
    }
}

/// pkg/apis/autoscaling/validation/validation.go.
#[test]
fn a_wrong_autoscaler_is_refused() {
    let mut bench = Bench::kind(13);
    let object = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"minReplicas": 5, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    });
    let why = bench.try_create(object).unwrap_err().to_string();
    assert!(
        why.contains("spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"),
        "{why}"
    );
}
