//! Rolling updates (pkg/controller/deployment/{rolling,recreate,sync}.go, util/deployment_util.go; situations of their tests and of
//! the documentation of Deployments).

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::objects::resources::REPLICA_SETS;

use super::bench::{Bench, condition, is_leaving, workload};

fn strategy(surge: Value, unavailable: Value) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
}

fn web(replicas: u32, strategy: Value) -> Value {
    let mut object = workload("Deployment", "web", replicas);
    object["spec"]["strategy"] = strategy;
    object
}

/// So many ready pods.
fn running(seed: u64, replicas: u32, strategy: Value) -> Bench {
    let mut bench = Bench::kind(seed);
    bench.create(web(replicas, strategy));
    bench.until("ready", 60, is_complete);
    bench
}

fn release(bench: &mut Bench, name: &str) {
    let patch = json!({"spec": {"template": {"metadata": {"labels": {"release": name}}}}});
    bench.patch("Deployment", "web", &patch);
}

/// deployment_util.go `DeploymentComplete`.
fn is_complete(bench: &Bench) -> bool {
    let shown = bench.get("Deployment", "web");
    let (wanted, status) = (&shown["spec"]["replicas"], &shown["status"]);
    status["observedGeneration"] == shown["metadata"]["generation"]
        && ["updatedReplicas", "replicas", "availableReplicas"]
            .iter()
            .all(|field| status[*field] == *wanted)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// What the ReplicaSets went through after a version: wanted pods in all at most, available ones at least, and the steps of
/// each release.
struct Course {
    most: u64,
    least: u64,
    steps: BTreeMap<String, Vec<u64>>,
}

fn course(bench: &Bench, after: u64) -> Course {
    let mut now: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut course = Course {
        most: 0,
        least: u64::MAX,
        steps: BTreeMap::new(),
    };
    for change in bench.world.changes(REPLICA_SETS, 0).unwrap() {
        let set = change.object.body.project();
        let release = set["metadata"]["labels"]["release"]
            .as_str()
            .unwrap_or("one")
            .to_owned();
        let wanted = number(&set["spec"]["replicas"]);
        now.insert(release.clone(), (wanted, number(&set["status"]["availableReplicas"])));
        if change.version <= after {
            continue;
        }
        let steps = course.steps.entry(release).or_default();
        if steps.last() != Some(&wanted) {
            steps.push(wanted);
        }
        course.most = course.most.max(now.values().map(|(wanted, _)| wanted).sum());
        course.least = course.least.min(now.values().map(|(_, available)| available).sum());
    }
    course
}

/// util/deployment_util.go `ResolveFenceposts` (`TestResolveFenceposts`); rolling.go: never more than the surge above, never
/// fewer than the unavailable below, and both bounds are used.
#[rstest]
#[case::the_defaults(10, json!("25%"), json!("25%"), 13, 8)]
#[case::surge_rounds_up_and_unavailable_down(10, json!("39%"), json!("39%"), 14, 7)]
#[case::numbers(6, json!(2), json!(1), 8, 5)]
#[case::no_surge(4, json!(0), json!(1), 4, 3)]
#[case::nothing_unavailable(4, json!(1), json!(0), 5, 4)]
#[case::all_at_once(3, json!("100%"), json!(0), 6, 3)]
#[case::both_round_to_nothing(4, json!("0%"), json!("10%"), 4, 3)]
#[case::a_single_pod(1, json!("50%"), json!("50%"), 2, 1)]
#[case::everything_may_go(4, json!(0), json!("100%"), 4, 0)]
fn the_bounds_of_a_rollout(
    #[case] replicas: u32,
    #[case] surge: Value,
    #[case] unavailable: Value,
    #[case] most: u64,
    #[case] least: u64,
) {
    let mut bench = running(1, replicas, strategy(surge, unavailable));
    let before = bench.world.version();
    release(&mut bench, "two");
    bench.until("rolled", 120, is_complete);
    let course = course(&bench, before);
    assert_eq!((course.most, course.least), (most, least));
    assert_eq!(course.steps["two"].last(), Some(&u64::from(replicas)));
    assert_eq!(course.steps["one"].last(), Some(&0));
}

/// rolling.go `NewRSNewReplicas`: the first step of the new ReplicaSet is the surge (`TestDeploymentController_reconcileNewReplicaSet`).
#[rstest]
#[case(10, json!(2), 2)]
#[case(10, json!("30%"), 3)]
#[case(4, json!(9), 4)]
#[case(4, json!(0), 0)]
fn the_first_step_is_the_surge(#[case] replicas: u32, #[case] surge: Value, #[case] first: u64) {
    let mut bench = running(2, replicas, strategy(surge, json!(1)));
    let before = bench.world.version();
    release(&mut bench, "two");
    bench.until("rolled", 120, is_complete);
    let steps = &course(&bench, before).steps["two"];
    let first_step = steps.iter().find(|&&step| step > 0).unwrap();
    assert_eq!(*first_step, first.max(1).min(u64::from(replicas)));
    assert!(first > 0 || steps[0] == 0, "{steps:?}");
}

/// docs, "Rolling Back to a Previous Revision": a rollout that cannot go on stops by itself and keeps what works.
#[rstest]
#[case::three_with_the_defaults(3, json!("25%"), json!("25%"), 1, 3)]
#[case::ten_with_the_defaults(10, json!("25%"), json!("25%"), 5, 8)]
#[case::no_surge(4, json!(0), json!(1), 1, 3)]
fn a_rollout_of_pods_that_never_start_stops(
    #[case] replicas: u32,
    #[case] surge: Value,
    #[case] unavailable: Value,
    #[case] new: usize,
    #[case] old: usize,
) {
    let mut bench = running(3, replicas, strategy(surge, unavailable));
    let nowhere = json!({"metadata": {"labels": {"release": "two"}}, "spec": {"nodeSelector": {"disk": "none"}}});
    bench.patch("Deployment", "web", &json!({"spec": {"template": nowhere}}));
    bench.run(120);
    let pods = bench.list("Pod");
    let of = |name: &str| {
        pods.iter()
            .filter(|pod| pod["metadata"]["labels"]["release"] == name)
            .count()
    };
    assert_eq!((of("two"), bench.ready().len()), (new, old));
    assert!(!is_complete(&bench));
    // Rolled back, it is whole again, with the ReplicaSet that it had.
    let back = json!({"metadata": {"labels": {"release": null}}, "spec": {"nodeSelector": null}});
    bench.patch("Deployment", "web", &json!({"spec": {"template": back}}));
    bench.until("back", 60, is_complete);
    assert_eq!(bench.list("ReplicaSet").len(), 2);
}

/// rolling.go `cleanupUnhealthyReplicas`: what does not work anyway goes first, whatever the bounds say of what works.
#[test]
fn broken_pods_of_the_old_release_go_first() {
    let mut bench = running(4, 4, strategy(json!(1), json!(0)));
    let nowhere = json!({"metadata": {"labels": {"release": "two"}}, "spec": {"nodeSelector": {"disk": "none"}}});
    bench.patch("Deployment", "web", &json!({"spec": {"template": nowhere}}));
    bench.run(30);
    assert_eq!(bench.ready().len(), 4);
    let before = bench.world.version();
    let good = json!({"metadata": {"labels": {"release": "three"}}, "spec": {"nodeSelector": null}});
    bench.patch("Deployment", "web", &json!({"spec": {"template": good}}));
    bench.until("rolled", 60, is_complete);
    let course = course(&bench, before);
    assert!(course.least >= 4, "{}", course.least);
    assert_eq!(course.steps["two"], [0], "in one step");
}

/// recreate.go `rolloutRecreate`: the new pods come when the last old one is gone.
#[test]
fn recreate_has_never_both_releases() {
    let mut bench = running(5, 3, json!({"type": "Recreate"}));
    release(&mut bench, "two");
    for _ in 0..300 {
        bench.world.run_for(steadfast::model::time::Span::millis(100));
        let pods = bench.list("Pod");
        let new = pods
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["release"] == "two")
            .count();
        assert!(new == 0 || new == pods.len(), "{new} of {}", pods.len());
    }
    assert!(is_complete(&bench));
}

/// docs, "Rollover (aka multiple updates in-flight)": a third release does not wait for the second.
#[test]
fn a_newer_release_takes_over_from_one_under_way() {
    let mut bench = running(6, 8, strategy(json!(2), json!(2)));
    let before = bench.world.version();
    release(&mut bench, "two");
    bench.run(1);
    assert!(!is_complete(&bench));
    release(&mut bench, "three");
    bench.until("rolled", 120, is_complete);
    let course = course(&bench, before);
    assert!(
        course.steps["two"].iter().all(|&step| step < 8),
        "{:?}",
        course.steps["two"]
    );
    assert_eq!(course.steps["three"].last(), Some(&8));
    assert!(
        course.most <= 10 && course.least >= 6,
        "{} {}",
        course.most,
        course.least
    );
}

/// sync.go `isScalingEvent`: another number of replicas is no new release.
#[rstest]
#[case::up(2, 6)]
#[case::down(6, 2)]
#[case::to_nothing(3, 0)]
fn scaling_makes_no_new_replica_set(#[case] from: u32, #[case] to: u32) {
    let mut bench = running(7, from, strategy(json!(1), json!(1)));
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": to}}));
    bench.until("scaled", 60, |bench| {
        bench.list("Pod").len() == to as usize && bench.ready().len() == to as usize
    });
    assert_eq!(bench.list("ReplicaSet").len(), 1);
}

/// docs: "A Deployment's rollout is triggered if and only if the Deployment's Pod template is changed".
#[test]
fn labels_of_the_deployment_itself_roll_nothing() {
    let mut bench = running(8, 3, strategy(json!(1), json!(1)));
    let pods = bench.names("Pod");
    bench.patch(
        "Deployment",
        "web",
        &json!({"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}}),
    );
    bench.run(20);
    assert_eq!(bench.names("Pod"), pods);
    assert_eq!(bench.list("ReplicaSet").len(), 1);
}

/// pkg/api/v1/pod/util.go `IsPodAvailable`: with `minReadySeconds` each step waits that long.
#[test]
fn min_ready_seconds_hold_each_step_back() {
    let mut bench = Bench::kind(9);
    let mut slow = web(3, strategy(json!(1), json!(0)));
    slow["spec"]["minReadySeconds"] = json!(10);
    bench.create(slow);
    bench.until("ready", 60, is_complete);
    release(&mut bench, "two");
    let took = bench.until("rolled", 120, is_complete);
    assert!((30.0..45.0).contains(&took), "three steps of ten seconds: {took}");
}

/// sync.go `getNewReplicaSet`, util/deployment_util.go: hash, owner, revision.
#[test]
fn a_replica_set_carries_hash_owner_and_revision() {
    let mut bench = running(10, 2, strategy(json!(1), json!(1)));
    release(&mut bench, "two");
    bench.until("rolled", 60, is_complete);
    let sets = bench.list("ReplicaSet");
    let deployment = bench.get("Deployment", "web");
    let mut revisions = Vec::new();
    for set in &sets {
        let hash = set["metadata"]["labels"]["pod-template-hash"].as_str().unwrap();
        assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
        assert_eq!(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash);
        assert_eq!(set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"], hash);
        let owner = &set["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["kind"], &owner["controller"]),
            (&json!("Deployment"), &json!(true))
        );
        assert_eq!(owner["uid"], deployment["metadata"]["uid"]);
        revisions.push(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone());
    }
    revisions.sort_by_key(|revision| revision.as_str().unwrap().to_owned());
    assert_eq!(revisions, ["1", "2"]);
    for pod in bench.list("Pod").iter().filter(|pod| !is_leaving(pod)) {
        assert_eq!(pod["metadata"]["labels"]["release"], "two");
    }
}

/// progress.go `syncRolloutStatus`; util/deployment_util.go conditions.
#[test]
fn the_conditions_say_what_a_rollout_does() {
    let mut bench = running(11, 3, strategy(json!(1), json!(1)));
    let says = |bench: &Bench, kind: &str| condition(&bench.get("Deployment", "web"), kind).unwrap()["reason"].clone();
    assert_eq!(says(&bench, "Progressing"), "NewReplicaSetAvailable");
    assert_eq!(says(&bench, "Available"), "MinimumReplicasAvailable");
    release(&mut bench, "two");
    bench.until("under way", 10, |bench| {
        says(bench, "Progressing") == "ReplicaSetUpdated"
    });
    bench.until("rolled", 60, is_complete);
    assert_eq!(says(&bench, "Progressing"), "NewReplicaSetAvailable");
}

/// rolling.go `cleanupUnhealthyReplicas` with a node that is lost: its pods are the ones that do not work.
#[test]
fn a_rollout_goes_round_a_dead_node() {
    let mut bench = running(12, 4, strategy(json!(1), json!(1)));
    let node = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &node);
    bench.until("lost", 60, |bench| bench.ready().len() == 3);
    release(&mut bench, "two");
    let took = bench.until("rolled", 120, is_complete);
    assert!(took < 60.0, "{took}");
    assert!(bench.ready().iter().all(|pod| bench.node_of(pod) != node));
}

/// pkg/apis/apps/validation/validation.go `ValidateRollingUpdateDeployment`.
#[rstest]
#[case::neither_moves(json!(0), json!(0), "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0")]
#[case::more_than_all(json!(1), json!("101%"), "must not be greater than 100%")]
#[case::below_nothing(json!(-1), json!(1), "must be greater than or equal to 0")]
fn a_strategy_that_cannot_be_is_refused(#[case] surge: Value, #[case] unavailable: Value, #[case] why: &str) {
    let mut bench = Bench::kind(13);
    let refused = bench
        .try_create(web(3, strategy(surge, unavailable)))
        .unwrap_err()
        .to_string();
    assert!(refused.contains(why), "{refused}");
}
