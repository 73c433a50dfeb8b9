//! Deployments with several ReplicaSets: scaling in proportion, pausing, forgetting, and losing nodes on the way.
//!
//! Sources: pkg/controller/deployment/{sync,rolling}.go and util/deployment_util.go.

use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::bench::{Bench, is_leaving, workload};

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
