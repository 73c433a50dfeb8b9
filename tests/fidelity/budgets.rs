//! PodDisruptionBudgets and the eviction API, as pkg/controller/disruption/disruption.go and
//! pkg/registry/core/pod/storage/eviction.go have them.

use serde_json::{Value, json};
use steadfast::app::manifest::Manifest;
use steadfast::model::history::What;
use steadfast::model::time::Span;
use steadfast::simulation::api::{ApiError, ApiStore as _, DeleteOptions, Part};
use steadfast::simulation::objects::resources::{DISRUPTION_BUDGETS, PODS};
use steadfast::simulation::world::World;
use steadfast::survey::Stage;

use super::scene::{KIND, SPACE, deployment, pods};
use super::shop::apply;

fn budget(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "name": name, "namespace": SPACE }, "spec": spec,
    })
}

fn web(spec: Value) -> Value {
    let mut spec = spec;
    if spec["selector"].is_null() {
        spec["selector"] = json!({ "matchLabels": { "app": "web" } });
    }
    spec
}

/// A kind cluster with so many ready pods of `web`.
fn cluster(replicas: u32) -> World {
    let mut world = Stage::new(KIND.clone(), 1).world().clone();
    let text = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {SPACE} }}\n{}",
        deployment("web", replicas, "{}")
    );
    apply(&mut world, &Manifest::parse(&text, "web").unwrap());
    world.run_for(Span::secs(30));
    assert!(pods(&world, "web").iter().all(|pod| pod.body.is_ready()));
    world
}

fn guard(world: &mut World, spec: Value) {
    world
        .create(DISRUPTION_BUDGETS, budget("web", &web(spec)), false)
        .unwrap();
    world.run_for(Span::secs(1));
}

fn status(world: &World) -> Value {
    world
        .get(DISRUPTION_BUDGETS, Some(SPACE), "web")
        .unwrap()
        .body
        .project()["status"]
        .clone()
}

fn numbers(world: &World) -> [u64; 4] {
    let status = status(world);
    ["expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"]
        .map(|field| status[field].as_u64().unwrap())
}

fn name(world: &World, index: usize) -> String {
    pods(world, "web")[index].meta.name.to_string()
}

fn evict(world: &mut World, pod: &str) -> Result<(), ApiError> {
    world.evict(SPACE, pod, &DeleteOptions::default(), false)
}

fn cause(refused: Result<(), ApiError>) -> (String, u64) {
    match refused.unwrap_err() {
        ApiError::TooManyRequests {
            message,
            retry_after,
            cause,
        } => {
            assert_eq!(
                message,
                "Cannot evict pod as it would violate the pod's disruption budget."
            );
            (cause, retry_after)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_budgets_status_counts_as_the_disruption_controller_does() {
    // Replicas, the bound, and expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed.
    for (replicas, spec, expected) in [
        (3, json!({ "minAvailable": 2 }), [3, 2, 3, 1]),
        (3, json!({ "minAvailable": 3 }), [3, 3, 3, 0]),
        (3, json!({ "minAvailable": 5 }), [3, 5, 3, 0]),
        (3, json!({ "minAvailable": 0 }), [3, 0, 3, 3]),
        // Both percentages are rounded up (GetScaledValueFromIntOrPercent with roundUp).
        (3, json!({ "minAvailable": "50%" }), [3, 2, 3, 1]),
        (5, json!({ "minAvailable": "41%" }), [5, 3, 5, 2]),
        (3, json!({ "maxUnavailable": "50%" }), [3, 1, 3, 2]),
        (3, json!({ "maxUnavailable": 1 }), [3, 2, 3, 1]),
        (3, json!({ "maxUnavailable": 0 }), [3, 3, 3, 0]),
        (1, json!({ "maxUnavailable": "1%" }), [1, 0, 1, 1]),
        (1, json!({ "minAvailable": "1%" }), [1, 1, 1, 0]),
        // Neither bound: nothing is expected and nothing allowed.
        (3, json!({}), [0, 0, 3, 0]),
        // Of no pods nothing may go, even where none need be healthy (expectedCount <= 0).
        (0, json!({ "minAvailable": 0 }), [0, 0, 0, 0]),
        (
            2,
            json!({ "minAvailable": 1, "selector": { "matchLabels": { "app": "other" } } }),
            [0, 1, 0, 0],
        ),
        // An empty selector is every pod of the namespace.
        (2, json!({ "minAvailable": 1, "selector": {} }), [2, 1, 2, 1]),
    ] {
        let mut world = cluster(replicas);
        guard(&mut world, spec.clone());
        assert_eq!(numbers(&world), expected, "{replicas} with {spec}");
        let allowed = expected[3] > 0;
        let condition = status(&world)["conditions"][0].clone();
        assert_eq!(condition["type"], "DisruptionAllowed");
        assert_eq!(condition["status"], if allowed { "True" } else { "False" }, "{spec}");
        assert_eq!(
            condition["reason"],
            if allowed { "SufficientPods" } else { "InsufficientPods" }
        );
        assert_eq!(status(&world)["observedGeneration"], 1);
    }
}

#[test]
fn an_eviction_is_let_through_counted_at_once_and_refused_when_the_budget_is_used_up() {
    let mut world = cluster(3);
    guard(&mut world, json!({ "minAvailable": 2 }));
    let (first, second) = (name(&world, 0), name(&world, 1));
    let row = world.store().pods.find(SPACE, &first).unwrap();
    assert_eq!(world.disruptions_allowed(row), Some(1));
    evict(&mut world, &first).unwrap();
    // Before the controller has looked again.
    assert_eq!(numbers(&world), [3, 2, 3, 0]);
    assert!(status(&world)["disruptedPods"][&first].is_string());
    let pod = world.get(PODS, Some(SPACE), &first).unwrap().body.project();
    assert!(pod["metadata"]["deletionTimestamp"].is_string());
    let target = &pod["status"]["conditions"][0];
    assert_eq!(
        (
            target["type"].as_str(),
            target["reason"].as_str(),
            target["message"].as_str()
        ),
        (
            Some("DisruptionTarget"),
            Some("EvictionByEvictionAPI"),
            Some("Eviction API: evicting")
        )
    );
    let (why, wait) = cause(evict(&mut world, &second));
    assert_eq!(
        (why.as_str(), wait),
        ("The disruption budget web does not allow evicting pods currently", 0)
    );
    world.run_for(Span::millis(100));
    let (why, _) = cause(evict(&mut world, &second));
    assert_eq!(
        why,
        "The disruption budget web needs 2 healthy pods and has 2 currently"
    );
    assert!(status(&world)["disruptedPods"].is_null());
    // The replacement is Ready a few seconds later, and then the next may go.
    world.run_for(Span::secs(10));
    assert_eq!(numbers(&world), [3, 2, 3, 1]);
    evict(&mut world, &second).unwrap();
    let causes: Vec<&str> = world
        .transitions()
        .iter()
        .filter_map(|event| match &event.what {
            What::PodDeleted { cause, app, .. } if app == "web" => Some(cause.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(causes, ["eviction", "eviction"]);
}

#[test]
fn a_budget_that_the_controller_has_not_seen_refuses_with_a_time_to_wait() {
    let mut world = cluster(3);
    let first = name(&world, 0);
    world
        .create(
            DISRUPTION_BUDGETS,
            budget("web", &web(json!({ "minAvailable": 1 }))),
            false,
        )
        .unwrap();
    assert_eq!(
        cause(evict(&mut world, &first)),
        (
            "The disruption budget web is still being processed by the server.".to_owned(),
            10
        )
    );
    // The same after a change of its specification.
    world.run_for(Span::secs(1));
    let mut changed = world
        .get(DISRUPTION_BUDGETS, Some(SPACE), "web")
        .unwrap()
        .body
        .project();
    changed["spec"]["minAvailable"] = json!(2);
    world.replace(DISRUPTION_BUDGETS, changed, Part::Main, false).unwrap();
    assert_eq!(cause(evict(&mut world, &first)).1, 10);
    world.run_for(Span::secs(1));
    assert_eq!(status(&world)["observedGeneration"], 2);
    evict(&mut world, &first).unwrap();
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_happen() {
    let mut world = cluster(1);
    let first = name(&world, 0);
    world.evict(SPACE, &first, &DeleteOptions::default(), true).unwrap();
    assert!(pods(&world, "web")[0].meta.deletion.is_none());
    guard(&mut world, json!({ "minAvailable": 1 }));
    let (why, _) = cause(world.evict(SPACE, &first, &DeleteOptions::default(), true));
    assert_eq!(
        why,
        "The disruption budget web needs 1 healthy pods and has 1 currently"
    );
}

#[test]
fn two_budgets_of_one_pod_cannot_be_evicted_by_and_no_budget_is_no_limit() {
    let mut world = cluster(2);
    guard(&mut world, json!({ "minAvailable": 0 }));
    world
        .create(
            DISRUPTION_BUDGETS,
            budget("all", &json!({ "minAvailable": 0, "selector": {} })),
            false,
        )
        .unwrap();
    world.run_for(Span::secs(1));
    let first = name(&world, 0);
    assert_eq!(
        evict(&mut world, &first).unwrap_err(),
        ApiError::Internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                .to_owned()
        )
    );
    for name in ["web", "all"] {
        world
            .delete(DISRUPTION_BUDGETS, Some(SPACE), name, &DeleteOptions::default())
            .unwrap();
    }
    evict(&mut world, &first).unwrap();
    assert!(matches!(evict(&mut world, "nobody"), Err(ApiError::NotFound { .. })));
}

#[test]
fn preconditions_of_an_eviction_are_checked() {
    let mut world = cluster(1);
    let first = name(&world, 0);
    for options in [
        DeleteOptions {
            uid: Some("other".to_owned()),
            ..DeleteOptions::default()
        },
        DeleteOptions {
            version: Some("1".to_owned()),
            ..DeleteOptions::default()
        },
    ] {
        let refused = world.evict(SPACE, &first, &options, false).unwrap_err();
        assert!(matches!(refused, ApiError::Conflict { .. }), "{refused:?}");
    }
    assert!(pods(&world, "web")[0].meta.deletion.is_none());
}

/// The victim's node dies: its pod is not Ready any more, but stays.
fn with_a_dead_pod(policy: Option<&str>, spec: Value) -> (World, String) {
    let mut world = cluster(3);
    let mut spec = spec;
    if let Some(policy) = policy {
        spec["unhealthyPodEvictionPolicy"] = json!(policy);
    }
    guard(&mut world, spec);
    let node = pods(&world, "web")[0].body.node_name.clone().unwrap().to_string();
    world.inject(steadfast::model::fault::Mode::Kill, &[node]);
    world.run_for(Span::secs(60));
    let dead = pods(&world, "web")
        .into_iter()
        .find(|pod| !pod.body.is_ready())
        .unwrap();
    let dead = dead.meta.name.to_string();
    (world, dead)
}

#[test]
fn a_pod_that_is_not_ready_may_be_evicted_as_the_policy_says() {
    // Default IfHealthyBudget: while the application has what it needs, the unready pod may go without being counted.
    let (mut world, dead) = with_a_dead_pod(None, json!({ "minAvailable": 1 }));
    let before = numbers(&world);
    evict(&mut world, &dead).unwrap();
    assert_eq!(numbers(&world), before);
    // When it has not, the budget decides.
    let (mut world, dead) = with_a_dead_pod(None, json!({ "minAvailable": 3 }));
    assert_eq!(
        cause(evict(&mut world, &dead)).0,
        "The disruption budget web needs 3 healthy pods and has 2 currently"
    );
    // AlwaysAllow: whatever the budget says.
    let (mut world, dead) = with_a_dead_pod(Some("AlwaysAllow"), json!({ "minAvailable": 3 }));
    evict(&mut world, &dead).unwrap();
}

#[test]
fn a_percentage_of_a_daemon_sets_pods_cannot_be_made_out() {
    // disruption.go getScaleController: "%s does not implement the scale subresource"; failSafe: nothing may go.
    let mut world = cluster(1);
    let mut object = budget(
        "kindnet",
        &json!({ "maxUnavailable": "50%", "selector": { "matchLabels": { "k8s-app": "kindnet" } } }),
    );
    object["metadata"]["namespace"] = json!("kube-system");
    world.create(DISRUPTION_BUDGETS, object, false).unwrap();
    world.run_for(Span::secs(1));
    let shown = world
        .get(DISRUPTION_BUDGETS, Some("kube-system"), "kindnet")
        .unwrap()
        .body
        .project();
    assert_eq!(shown["status"]["conditions"][0]["reason"], "SyncFailed");
    assert_eq!(
        shown["status"]["conditions"][0]["message"],
        "daemonsets.apps does not implement the scale subresource"
    );
    assert_eq!(shown["status"]["disruptionsAllowed"], 0);
}

#[test]
fn what_a_budget_may_not_say_is_refused() {
    let mut world = cluster(1);
    for (spec, why) in [
        (
            json!({ "minAvailable": 1, "maxUnavailable": 1 }),
            "minAvailable and maxUnavailable cannot be both set",
        ),
        (json!({ "minAvailable": -1 }), "must be greater than or equal to 0"),
        (json!({ "maxUnavailable": "101%" }), "must not be greater than 100%"),
        (json!({ "maxUnavailable": "half" }), "a valid percent string"),
        (json!({ "unhealthyPodEvictionPolicy": "Never" }), "Unsupported value"),
    ] {
        let refused = world
            .create(DISRUPTION_BUDGETS, budget("web", &web(spec.clone())), false)
            .unwrap_err();
        assert!(
            matches!(refused, ApiError::Invalid { .. }) && refused.to_string().contains(why),
            "{spec}: {refused}"
        );
    }
    assert!(
        world
            .not_modelled()
            .iter()
            .all(|entry| !entry.contains("PodDisruptionBudget"))
    );
}
