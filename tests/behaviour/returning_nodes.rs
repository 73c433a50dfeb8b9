//! StatefulSets whose node comes back, and what their pods' stores still know then.
//!
//! Sources: pkg/kubelet/kubelet.go `HandlePodCleanups` (a deleted pod goes when its kubelet is back), pkg/kubelet/pod_workers.go;
//! pkg/controller/statefulset/stateful_set_control.go `processReplica` (no second pod of a name).

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::application::Application;
use steadfast::model::experiment::{Afterwards, Plan};
use steadfast::model::fault::{Mode, NodeFailure};
use steadfast::model::history::Second;
use steadfast::simulation::faults::ScopeId;

use super::bench::{Bench, SPACE, is_leaving, workload};

/// A StatefulSet `db` of one pod with a claim, which it mounts or not.
fn set(mounts: bool) -> Value {
    let mut object = workload("StatefulSet", "db", 1);
    object["spec"]["serviceName"] = json!("db");
    object["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    if mounts {
        let container = &mut object["spec"]["template"]["spec"]["containers"][0];
        container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    }
    object
}

fn uid(bench: &Bench) -> Value {
    bench.get("Pod", "db-0")["metadata"]["uid"].clone()
}

fn volume(bench: &Bench) -> Value {
    bench.get("PersistentVolumeClaim", "data-db-0")["spec"]["volumeName"].clone()
}

/// The set on a node that has just lost its power, and what brings that back.
fn on_a_dead_node(seed: u64) -> (Bench, ScopeId) {
    let mut bench = Bench::kind(seed);
    bench.create(set(true));
    bench.until("ready", 60, |bench| bench.ready() == ["db-0"]);
    let node = bench.node_of("db-0");
    let scope = bench.world.inject(Mode::Kill, &[node]);
    (bench, scope)
}

/// Before its toleration has run out (300 s, plugin/pkg/admission/defaulttolerationseconds) the pod is restarted in place.
#[test]
fn a_node_back_before_the_eviction_restarts_its_pod_in_place() {
    let (mut bench, scope) = on_a_dead_node(1);
    let (before, kept) = (uid(&bench), volume(&bench));
    bench.run(120);
    assert!(bench.ready().is_empty());
    bench.world.heal(scope);
    bench.until("ready", 120, |bench| bench.ready() == ["db-0"]);
    bench.run(600);
    let pod = bench.get("Pod", "db-0");
    assert_eq!((uid(&bench), volume(&bench)), (before, kept));
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 1);
    assert!(!is_leaving(&pod), "its eviction was called off");
}

/// After it the pod hangs in Terminating; it goes when its kubelet is back, and the replacement finds the same claim.
#[test]
fn a_node_back_after_the_eviction_lets_its_pod_go_and_the_replacement_come() {
    let (mut bench, scope) = on_a_dead_node(2);
    let (before, kept) = (uid(&bench), volume(&bench));
    bench.run(900);
    assert!(is_leaving(&bench.get("Pod", "db-0")) && uid(&bench) == before);
    bench.world.heal(scope);
    bench.until("replaced", 240, |bench| bench.ready() == ["db-0"]);
    assert_ne!(uid(&bench), before);
    assert_eq!(volume(&bench), kept);
    let pod = bench.get("Pod", "db-0");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    let claim = &pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"];
    assert_eq!(claim, "data-db-0");
}

/// A shop whose visitors put something into the store, wait for a minute, and look whether it is there.
const MODEL: &str = "
version: 1
name: it
services:
  front:
    images: [example/front]
    routes:
      - request: POST /items
        answer: 201
        steps: [{ call: { to: db, request: POST /items, unreachable: { answer: 503 } } }]
      - { request: GET /wait, work: 60s }
      - request: GET /items
        steps: [{ call: { to: db, request: GET /items, relay_count: true, unreachable: { answer: 503 } } }]
  db:
    images: [example/app]
    store: true
    routes:
      - { request: POST /items, answer: 201, steps: [{ store: add }] }
      - { request: GET /items, steps: [{ store: count }] }
journeys:
  keep:
    entry: front
    rate: 1
    timeout: 90s
    items: 1
    steps:
      - { request: POST /items, expect: { status: 201 } }
      - { request: GET /wait }
      - { request: GET /items, expect: { status: 200 } }
";

/// docs/model.md, `store`: what is on a claim is there again for the pod that takes another's place; what is in memory is gone with
/// its process.
#[rstest]
#[case::on_a_claim(true, 0)]
#[case::in_memory(false, 11)]
fn a_store_lives_in_the_claim_that_its_pod_mounts(#[case] mounts: bool, #[case] lost: u32) {
    let mut bench = Bench::kind(3);
    let app = Application::from_yaml(MODEL).unwrap();
    bench.world.describe(SPACE, &app).unwrap();
    bench.create(set(mounts));
    let mut front = workload("Deployment", "front", 1);
    front["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example/front:1");
    bench.create(front);
    for name in ["front", "db"] {
        bench.create(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
        }));
    }
    bench.until("ready", 60, |bench| bench.ready().len() == 2);
    bench.run(10);
    let journeys: Vec<_> = app.journeys.clone().into_iter().collect();
    bench.world.start_load(SPACE, &journeys).unwrap();
    bench.run(10);
    let before = uid(&bench);
    bench.world.stop_load();
    bench.delete("Pod", "db-0");
    bench.until("replaced", 45, |bench| bench.ready().len() == 2 && uid(bench) != before);
    bench.run(120);
    let plan = Plan {
        name: "store".into(),
        hypotheses: Vec::new(),
        fault: NodeFailure::kill().count(1).into(),
        more_faults: Vec::new(),
        afterwards: Afterwards::default(),
        observe: std::time::Duration::ZERO,
        expected: steadfast::Verdict::Held,
    };
    let history = bench.world.finish(&plan, "it", "embedded");
    let sum = |figure: fn(&Second) -> u32| history.seconds.iter().map(figure).sum::<u32>();
    assert_eq!((sum(|it| it.good), sum(|it| it.anomalies)), (11, lost));
}
