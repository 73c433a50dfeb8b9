//! DaemonSets: updates node by node, with surge, on deletion, and while nodes are lost.
//!
//! Sources: pkg/controller/daemon/{update,daemon_controller}.go and their tests; pkg/apis/apps/validation/validation.go.

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::model::fault::Mode;

use super::bench::{Bench, is_leaving, is_ready, template};

/// A DaemonSet `agent` on all workers, updated so.
fn agent(strategy: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": template("agent"),
            "updateStrategy": strategy,
        },
    })
}

fn rolling(unavailable: Value, surge: Value) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}})
}

/// All of them Ready; how many there are.
fn running(bench: &mut Bench, object: Value) -> usize {
    bench.create(object);
    bench.until("ready", 60, |bench| {
        let status = &bench.get("DaemonSet", "agent")["status"];
        status["numberAvailable"].as_u64() > Some(1) && status["numberAvailable"] == status["desiredNumberScheduled"]
    });
    bench.list("Pod").len()
}

fn image(bench: &mut Bench, image: &str) {
    let mut template = bench.get("DaemonSet", "agent")["spec"]["template"].clone();
    template["spec"]["containers"][0]["image"] = json!(image);
    bench.patch("DaemonSet", "agent", &json!({"spec": {"template": template}}));
}

fn count(bench: &Bench, field: &str) -> u64 {
    bench.get("DaemonSet", "agent")["status"][field].as_u64().unwrap_or(0)
}

fn is_rolled(bench: &Bench) -> bool {
    let object = bench.get("DaemonSet", "agent");
    let status = &object["status"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && status["updatedNumberScheduled"] == status["desiredNumberScheduled"]
        && status["numberAvailable"] == status["desiredNumberScheduled"]
}

fn live(bench: &Bench) -> Vec<Value> {
    let mut pods = bench.list("Pod");
    pods.retain(|pod| !is_leaving(pod));
    pods
}

fn is_new(pod: &Value) -> bool {
    pod["spec"]["containers"][0]["image"] == "example/app:2"
}

/// `rollingUpdate` without surge: never more than maxUnavailable nodes without an available pod, 1 unless it says otherwise
/// (pkg/apis/apps/v1/defaults.go `SetDefaults_DaemonSet`); a percentage is rounded up (`UnavailableCount`).
#[rstest]
#[case::by_default(json!(null), 1)]
#[case::two(rolling(json!(2), json!(0)), 2)]
#[case::a_quarter_and_more(rolling(json!("30%"), json!(0)), 2)]
fn an_update_takes_so_many_nodes_at_once(#[case] strategy: Value, #[case] most: usize) {
    let mut bench = Bench::kind(1);
    let mut object = agent(strategy);
    object["spec"]["template"]["spec"]["tolerations"] = json!([]);
    let all = running(&mut bench, object);
    assert_eq!(all, 4, "the workers");
    image(&mut bench, "example/app:2");
    let mut fewest = all;
    for _ in 0..1200 {
        bench.world.run_for(steadfast::model::time::Span::millis(50));
        fewest = fewest.min(bench.ready().len());
        assert!(live(&bench).len() <= all);
    }
    assert!(is_rolled(&bench));
    assert_eq!(fewest, all - most);
    assert!(live(&bench).iter().all(is_new));
}

/// `rollingUpdate` with surge: the new pod first; the old one goes when it is available, and no more than maxSurge at once.
#[test]
fn an_update_with_surge_never_leaves_a_node_alone() {
    let mut bench = Bench::kind(2);
    let all = running(&mut bench, agent(rolling(json!(0), json!(1))));
    image(&mut bench, "example/app:2");
    let mut most = all;
    for _ in 0..1200 {
        bench.world.run_for(steadfast::model::time::Span::millis(50));
        assert!(bench.ready().len() >= all, "{}", bench.ready().len());
        most = most.max(live(&bench).len());
    }
    assert!(is_rolled(&bench));
    assert_eq!(most, all + 1);
    assert!(live(&bench).iter().all(is_new));
}

/// `updateDaemonSet`: OnDelete replaces nothing; what somebody deletes comes back with the new template.
#[test]
fn on_delete_waits_for_somebody_to_delete() {
    let mut bench = Bench::kind(3);
    let all = running(&mut bench, agent(json!({"type": "OnDelete"})));
    image(&mut bench, "example/app:2");
    bench.run(60);
    assert_eq!(
        (
            live(&bench).iter().filter(|pod| is_new(pod)).count(),
            count(&bench, "updatedNumberScheduled")
        ),
        (0, 0)
    );
    let first = bench.ready()[0].clone();
    bench.delete("Pod", &first);
    bench.until("replaced", 60, |bench| bench.ready().len() == all);
    assert_eq!(live(&bench).iter().filter(|pod| is_new(pod)).count(), 1);
    bench.until("counted", 5, |bench| count(bench, "updatedNumberScheduled") == 1);
}

/// update.go `snapshot`, `constructHistory`, `cleanupHistory`: a revision for each template, with the hash that its pods carry;
/// going back makes the old one the newest.
#[test]
fn each_template_has_a_revision() {
    let mut bench = Bench::kind(4);
    let mut object = agent(rolling(json!("100%"), json!(0)));
    object["spec"]["revisionHistoryLimit"] = json!(1);
    running(&mut bench, object);
    let revisions = |bench: &Bench| {
        let mut all: Vec<u64> = bench
            .list("ControllerRevision")
            .iter()
            .map(|it| it["revision"].as_u64().unwrap())
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(revisions(&bench), [1]);
    let only = bench.list("ControllerRevision").remove(0);
    let hash = &only["metadata"]["labels"]["controller-revision-hash"];
    assert_eq!(only["metadata"]["name"], format!("agent-{}", hash.as_str().unwrap()));
    assert_eq!(only["metadata"]["ownerReferences"][0]["kind"], "DaemonSet");
    assert!(
        live(&bench)
            .iter()
            .all(|pod| pod["metadata"]["labels"]["controller-revision-hash"] == *hash)
    );
    image(&mut bench, "example/app:2");
    bench.run(60);
    assert_eq!(revisions(&bench), [1, 2]);
    image(&mut bench, "example/app:1");
    bench.run(60);
    assert_eq!(revisions(&bench), [2, 3], "the first is the third");
    image(&mut bench, "example/app:3");
    bench.run(60);
    assert_eq!(revisions(&bench), [3, 4], "one that nothing uses stays");
}

/// `rollingUpdate`: a lost node's old pod is replaced at once and counts as missing, as does its node while the pod is being deleted: with
/// maxUnavailable 1 nothing else moves until the node or its pod has gone.
#[test]
fn a_lost_node_takes_the_place_of_an_update() {
    let mut bench = Bench::kind(5);
    let all = running(&mut bench, agent(rolling(json!(1), json!(0))));
    let lost = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &lost);
    bench.until("not ready", 60, |bench| bench.ready().len() == all - 1);
    image(&mut bench, "example/app:2");
    bench.run(120);
    assert_eq!(bench.ready().len(), all - 1);
    assert!(live(&bench).iter().all(|pod| !is_new(pod)), "nothing else was touched");
    let stuck = bench.list("Pod").into_iter().find(is_leaving).unwrap();
    assert_eq!(stuck["spec"]["nodeName"], lost);
    bench.delete("Node", &lost);
    bench.until("rolled", 200, is_rolled);
    assert!(live(&bench).iter().all(|pod| is_new(pod) && is_ready(pod)));
}

/// The same with maxUnavailable 2: the update goes on round the lost node.
#[test]
fn an_update_goes_round_a_lost_node_where_two_may_be_missing() {
    let mut bench = Bench::kind(6);
    let all = running(&mut bench, agent(rolling(json!(2), json!(0))));
    let lost = bench.node_of(&bench.ready()[0]);
    bench.fail(Mode::Kill, &lost);
    bench.until("not ready", 60, |bench| bench.ready().len() == all - 1);
    image(&mut bench, "example/app:2");
    bench.until("the others", 120, |bench| {
        live(bench).iter().filter(|pod| is_new(pod) && is_ready(pod)).count() == all - 1
    });
}

/// `podsShouldBeOnNode`: a node that no longer matches loses its pod; one that a NoSchedule taint keeps others from keeps it.
#[test]
fn a_node_that_no_longer_fits_loses_its_pod() {
    let mut bench = Bench::kind(7);
    let mut object = agent(json!(null));
    object["spec"]["template"]["spec"]["nodeSelector"] = json!({"role": "edge"});
    let nodes: Vec<String> = bench
        .names("Node")
        .into_iter()
        .filter(|name| name.contains("worker"))
        .collect();
    for node in &nodes[..2] {
        bench.patch("Node", node, &json!({"metadata": {"labels": {"role": "edge"}}}));
    }
    assert_eq!(running(&mut bench, object), 2);
    let taint = json!({"spec": {"taints": [{"key": "keep", "value": "off", "effect": "NoSchedule"}]}});
    bench.patch("Node", &nodes[0], &taint);
    bench.run(60);
    assert_eq!((bench.ready().len(), count(&bench, "numberMisscheduled")), (2, 1));
    assert_eq!(count(&bench, "desiredNumberScheduled"), 1);
    bench.patch("Node", &nodes[1], &json!({"metadata": {"labels": {"role": "core"}}}));
    bench.until("gone", 60, |bench| bench.list("Pod").len() == 1);
    assert_eq!(bench.node_of(&bench.ready()[0]), nodes[0]);
}

/// `updateDaemonSetStatus`, pkg/api/v1/pod/util.go `IsPodAvailable`: a new pod counts once it has been ready for `minReadySeconds`.
#[test]
fn each_step_waits_for_min_ready_seconds() {
    let mut bench = Bench::kind(8);
    let mut object = agent(rolling(json!(1), json!(0)));
    object["spec"]["minReadySeconds"] = json!(20);
    let all = running(&mut bench, object);
    image(&mut bench, "example/app:2");
    let took = bench.until("rolled", 400, is_rolled);
    assert!(took >= 20.0 * all as f64, "{took}");
}

/// `ValidateRollingUpdateDaemonSet`, `ValidateDaemonSetSpecUpdate`.
#[rstest]
#[case::both(rolling(json!(1), json!(1)), "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero")]
#[case::neither(rolling(json!(0), json!(0)), "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0")]
#[case::too_many(rolling(json!("120%"), json!(0)), "maxUnavailable: Invalid value: \"120%\": must not be greater than 100%")]
fn a_strategy_that_cannot_be_is_refused(#[case] strategy: Value, #[case] why: &str) {
    let mut bench = Bench::kind(9);
    let refused = bench.try_create(agent(strategy)).unwrap_err().to_string();
    assert!(refused.contains(why), "{refused}");
}

/// pkg/apis/apps/validation/validation.go `ValidateDaemonSetSpecUpdate`, `ValidateReplicaSetUpdate`, `ValidateDeploymentUpdate`:
/// `ValidateImmutableField` of the selector.
#[rstest]
#[case("DaemonSet")]
#[case("ReplicaSet")]
#[case("Deployment")]
fn a_selector_may_not_change(#[case] kind: &str) {
    let mut bench = Bench::kind(10);
    let mut object = agent(json!(null));
    object["kind"] = json!(kind);
    object["spec"].as_object_mut().unwrap().remove("updateStrategy");
    bench.create(object);
    let change = json!({"spec": {
        "selector": {"matchLabels": {"app": "agent", "tier": "edge"}},
        "template": {"metadata": {"labels": {"app": "agent", "tier": "edge"}}},
    }});
    let refused = bench.try_patch(kind, "agent", &change).unwrap_err().to_string();
    assert!(
        refused.contains("spec.selector: Invalid value:") && refused.contains("field is immutable"),
        "{refused}"
    );
}

/// pkg/registry/apps/{daemonset,replicaset}/strategy.go `PrepareForUpdate`: the generation counts changes of the specification.
#[rstest]
#[case("DaemonSet")]
#[case("ReplicaSet")]
fn a_label_alone_is_no_new_generation(#[case] kind: &str) {
    let mut bench = Bench::kind(11);
    let mut object = agent(json!(null));
    object["kind"] = json!(kind);
    object["spec"].as_object_mut().unwrap().remove("updateStrategy");
    bench.create(object);
    bench.patch(kind, "agent", &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(bench.get(kind, "agent")["metadata"]["generation"], 1);
    bench.patch(kind, "agent", &json!({"spec": {"minReadySeconds": 3}}));
    assert_eq!(bench.get(kind, "agent")["metadata"]["generation"], 2);
}
