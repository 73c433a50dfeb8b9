//! Deployments with several ReplicaSets: scaling in proportion, pausing, forgetting, and losing nodes on the way.
//!
//! Sources: pkg/controller/deployment/{sync,rolling}.go and util/deployment_util.go.

use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::bench::{Bench, condition, is_leaving, workload};

fn image(bench: &mut Bench, image: &str) {
    let mut template = bench.get("Deployment", "web")["spec"]["template"].clone();
    template["spec"]["containers"][0]["image"] = json!(image);
    bench.patch("Deployment", "web", &json!({"spec": {"template": template}}));
}

/// The sizes of the ReplicaSets by revision.
fn sizes(bench: &Bench) -> Vec<u64> {
    let mut all: Vec<(u64, u64)> = bench
        .list("ReplicaSet")
        .iter()
        .map(|set| (revision(set), size(set)))
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, size)| size).collect()
}

fn revision(set: &Value) -> u64 {
    let text = set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
    text.unwrap().parse().unwrap()
}

fn size(set: &Value) -> u64 {
    set["spec"]["replicas"].as_u64().unwrap()
}

/// A Deployment of ten in the middle of a roll-out whose new pods never start: they select a node that is not there.
fn half_way(seed: u64) -> Bench {
    let mut bench = Bench::kind(seed);
    let mut object = workload("Deployment", "web", 10);
    object["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    bench.create(object);
    bench.until("ready", 60, |bench| bench.ready().len() == 10);
    let mut template = bench.get("Deployment", "web")["spec"]["template"].clone();
    template["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "nowhere"});
    bench.patch("Deployment", "web", &json!({"spec": {"template": template}}));
    bench.run(30);
    // The example of Kubernetes' documentation, "Proportional scaling": 8 old and 5 new ones.
    assert_eq!(sizes(&bench), [8, 5]);
    bench
}

/// The documentation's example: scaled from 10 to 15, three of the five go to the larger set and two to the smaller.
#[test]
fn growing_in_a_roll_out_is_shared_in_proportion() {
    let mut bench = half_way(1);
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 15}}));
    bench.until("scaled", 10, |bench| sizes(bench) == [11, 7]);
}

/// `getReplicaSetFraction`: shrinking takes from both.
#[test]
fn shrinking_in_a_roll_out_is_shared_in_proportion() {
    let mut bench = half_way(2);
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 5}}));
    // 13 become 8: 8 * 8/13 = 4.9, 5 * 8/13 = 3.1. The roll-out goes on from there.
    let mut seen = Vec::new();
    for _ in 0..400 {
        bench.world.run_for(steadfast::model::time::Span::millis(2));
        seen.push(sizes(&bench));
    }
    assert!(seen.contains(&vec![5, 3]), "{:?}", seen.last());
}

/// `scale` with nothing wanted: every set goes to zero.
#[test]
fn scaling_to_zero_takes_every_set() {
    let mut bench = half_way(3);
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 0}}));
    bench.until("scaled", 10, |bench| sizes(bench) == [0, 0]);
}

/// deployment_controller.go `syncDeployment`: a paused Deployment is scaled, not rolled out.
#[test]
fn a_paused_deployment_scales_but_does_not_roll_out() {
    let mut bench = Bench::kind(4);
    bench.create(workload("Deployment", "web", 2));
    bench.until("ready", 60, |bench| bench.ready().len() == 2);
    bench.patch("Deployment", "web", &json!({"spec": {"paused": true}}));
    image(&mut bench, "example/app:2");
    bench.run(60);
    assert_eq!(sizes(&bench), [2]);
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 4}}));
    bench.until("scaled", 30, |bench| bench.ready().len() == 4);
    assert_eq!(sizes(&bench), [4]);
    bench.patch("Deployment", "web", &json!({"spec": {"paused": false}}));
    bench.until("rolled out", 120, |bench| sizes(bench) == [0, 4]);
}

/// `cleanupDeployment`: of the old ones without pods so many stay.
#[test]
fn old_replica_sets_are_forgotten_when_the_roll_out_is_complete() {
    let mut bench = Bench::kind(5);
    let mut object = workload("Deployment", "web", 1);
    object["spec"]["revisionHistoryLimit"] = json!(2);
    bench.create(object);
    for version in 2..7 {
        bench.run(30);
        image(&mut bench, &format!("example/app:{version}"));
    }
    bench.run(60);
    let mut revisions: Vec<u64> = bench.list("ReplicaSet").iter().map(revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [4, 5, 6]);
}

/// rolling.go `reconcileOldReplicaSets`, `cleanupUnhealthyReplicas`: a node lost in a roll-out does not stop it, and without the
/// node's pods no more than maxUnavailable are taken besides.
#[test]
fn a_roll_out_goes_on_while_a_node_dies() {
    let mut bench = Bench::kind(6);
    bench.create(workload("Deployment", "web", 8));
    bench.until("ready", 60, |bench| bench.ready().len() == 8);
    image(&mut bench, "example/app:2");
    bench.run(1);
    let node = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &node);
    bench.run(500);
    let pods = bench.list("Pod");
    let live: Vec<&Value> = pods.iter().filter(|pod| !is_leaving(pod)).collect();
    assert_eq!((live.len(), bench.ready().len()), (8, 8));
    assert!(
        live.iter()
            .all(|pod| pod["spec"]["containers"][0]["image"] == "example/app:2")
    );
}

/// The `Progressing` condition: status, reason and message.
fn progress(bench: &Bench) -> [String; 3] {
    let object = bench.get("Deployment", "web");
    let it = condition(&object, "Progressing").unwrap();
    ["status", "reason", "message"].map(|field| it[field].as_str().unwrap().to_owned())
}

/// A template that no node has room for.
fn to_nowhere(bench: &mut Bench) {
    let mut template = bench.get("Deployment", "web")["spec"]["template"].clone();
    template["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "nowhere"});
    bench.patch("Deployment", "web", &json!({"spec": {"template": template}}));
}

fn newest(bench: &Bench) -> String {
    let sets = bench.list("ReplicaSet");
    let newest = sets.iter().max_by_key(|set| revision(set)).unwrap();
    newest["metadata"]["name"].as_str().unwrap().to_owned()
}

/// progress.go `syncRolloutStatus`; sync.go `getNewReplicaSet` (NewReplicaSetCreated).
#[test]
fn a_roll_out_says_how_it_goes() {
    let mut bench = Bench::kind(7);
    bench.create(workload("Deployment", "web", 2));
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..6_000 {
        bench.world.run_for(steadfast::model::time::Span::millis(2));
        let object = bench.get("Deployment", "web");
        let reason = condition(&object, "Progressing").map(|it| it["reason"].as_str().unwrap().to_owned());
        seen.extend(reason.filter(|reason| seen.last() != Some(reason)));
    }
    assert_eq!(
        seen,
        ["NewReplicaSetCreated", "ReplicaSetUpdated", "NewReplicaSetAvailable"]
    );
    let set = newest(&bench);
    assert_eq!(
        progress(&bench),
        [
            "True".to_owned(),
            "NewReplicaSetAvailable".to_owned(),
            format!("ReplicaSet \"{set}\" has successfully progressed.")
        ]
    );
}

/// pkg/apis/apps/v1/defaults.go: 600 s; deployment_util.go `DeploymentTimedOut`, from the last progress on, looked at a second later
/// (`requeueStuckDeployment`).
#[rstest::rstest]
#[case::by_default(json!(null), 600.0)]
#[case::as_written(json!(45), 45.0)]
fn a_roll_out_without_progress_exceeds_its_deadline(#[case] deadline: Value, #[case] seconds: f64) {
    let mut bench = Bench::kind(8);
    let mut object = workload("Deployment", "web", 4);
    object["spec"]["progressDeadlineSeconds"] = deadline;
    bench.create(object);
    bench.until("ready", 60, |bench| bench.ready().len() == 4);
    bench.run(1_000);
    assert_eq!(progress(&bench)[1], "NewReplicaSetAvailable", "nothing to wait for");
    to_nowhere(&mut bench);
    let took = bench.until("exceeded", 1_000, |bench| {
        progress(bench)[1] == "ProgressDeadlineExceeded"
    });
    assert!((seconds..seconds + 4.0).contains(&took), "{took}");
    let set = newest(&bench);
    let [status, _, message] = progress(&bench);
    assert_eq!(
        (status.as_str(), message),
        ("False", format!("ReplicaSet \"{set}\" has timed out progressing."))
    );
    // What gets on after all is progress again.
    bench.patch(
        "Deployment",
        "web",
        &json!({"spec": {"template": {"spec": {"nodeSelector": null}}}}),
    );
    bench.until("rolled back", 60, |bench| progress(bench)[0] == "True");
}

/// The same while nodes die: pods lost after the roll-out are not its business (`isCompleteDeployment`), those lost in it are.
#[test]
fn only_a_roll_out_under_way_has_a_deadline() {
    let mut bench = Bench::kind(9);
    let mut object = workload("Deployment", "web", 2);
    object["spec"]["progressDeadlineSeconds"] = json!(60);
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"role": "web"});
    let node = bench.names("Node").pop().unwrap();
    bench.patch("Node", &node, &json!({"metadata": {"labels": {"role": "web"}}}));
    bench.create(object);
    bench.until("ready", 60, |bench| bench.ready().len() == 2);
    bench.fail(Mode::Kill, &node);
    bench.run(300);
    assert!(bench.ready().is_empty());
    assert_eq!(progress(&bench)[1], "NewReplicaSetAvailable");
    image(&mut bench, "example/app:2");
    bench.until("exceeded", 100, |bench| {
        progress(bench)[1] == "ProgressDeadlineExceeded"
    });
}

/// sync.go `checkPausedConditions`: the time of a paused roll-out does not run, and runs anew afterwards; one without a deadline has no
/// condition (`HasProgressDeadline`).
#[test]
fn a_paused_roll_out_has_time() {
    let mut bench = Bench::kind(10);
    let mut object = workload("Deployment", "web", 2);
    object["spec"]["progressDeadlineSeconds"] = json!(60);
    bench.create(object);
    bench.until("ready", 60, |bench| bench.ready().len() == 2);
    to_nowhere(&mut bench);
    bench.run(30);
    bench.patch("Deployment", "web", &json!({"spec": {"paused": true}}));
    bench.run(300);
    assert_eq!(
        progress(&bench),
        ["Unknown", "DeploymentPaused", "Deployment is paused"]
    );
    bench.patch("Deployment", "web", &json!({"spec": {"paused": false}}));
    let took = bench.until("exceeded", 100, |bench| {
        progress(bench)[1] == "ProgressDeadlineExceeded"
    });
    assert!((60.0..64.0).contains(&took), "{took}");
    bench.patch(
        "Deployment",
        "web",
        &json!({"spec": {"progressDeadlineSeconds": i32::MAX}}),
    );
    bench.run(5);
    assert!(condition(&bench.get("Deployment", "web"), "Progressing").is_none());
}
