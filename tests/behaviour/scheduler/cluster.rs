//! The scheduler in a whole cluster: what it waits for, and what wakes it.

use serde_json::{Value, json};
use steadfast::simulation::api::{ApiStore as _, Part};
use steadfast::simulation::objects::resources::{NODES, PODS};

use super::super::bench::{Bench, condition, workload};

fn pod(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example/app:1"}], "terminationGracePeriodSeconds": 1},
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

fn is_bound(bench: &Bench, name: &str) -> bool {
    !bench.get("Pod", name)["spec"]["nodeName"].is_null()
}

/// schedulinggates/scheduling_gates.go `PreEnqueue`; pkg/registry/core/pod/strategy.go `applySchedulingGatedCondition`.
#[test]
fn a_gated_pod_waits_until_its_last_gate_is_gone() {
    let mut bench = Bench::kind(1);
    bench.create(pod(
        "one",
        &json!({"schedulingGates": [{"name": "example.com/a"}, {"name": "example.com/b"}]}),
    ));
    bench.run(60);
    let shown = bench.get("Pod", "one");
    let scheduled = condition(&shown, "PodScheduled").unwrap();
    assert_eq!(scheduled["reason"], "SchedulingGated");
    assert_eq!(
        scheduled["message"],
        "Scheduling is blocked due to non-empty scheduling gates"
    );
    assert!(bench.events("FailedScheduling").is_empty());
    bench.patch(
        "Pod",
        "one",
        &json!({"spec": {"schedulingGates": [{"name": "example.com/b"}]}}),
    );
    bench.run(60);
    assert!(!is_bound(&bench, "one"));
    bench.patch("Pod", "one", &json!({"spec": {"schedulingGates": null}}));
    bench.until("ready", 10, |bench| bench.ready() == ["one"]);
}

/// pkg/apis/core/validation/validation.go `validateSchedulingGatesUpdate`, `validateNodeSelectorMutation`.
#[test]
fn gates_only_go_and_a_gated_pods_selector_only_grows() {
    let mut bench = Bench::kind(1);
    bench.create(pod(
        "one",
        &json!({"schedulingGates": [{"name": "example.com/a"}], "nodeSelector": {"kubernetes.io/os": "linux"}}),
    ));
    let refusal = |bench: &mut Bench, patch: Value| bench.try_patch("Pod", "one", &patch).unwrap_err().to_string();
    let more = json!({"spec": {"schedulingGates": [{"name": "example.com/a"}, {"name": "example.com/b"}]}});
    assert!(
        refusal(&mut bench, more).contains("only deletion is allowed, but found new scheduling gate 'example.com/b'")
    );
    let other = json!({"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}});
    assert!(refusal(&mut bench, other).contains("only additions to spec.nodeSelector are allowed"));
    let narrower = json!({"spec": {"nodeSelector": {"kubernetes.io/hostname": "kind-worker3"}}});
    bench.patch("Pod", "one", &narrower);
    bench.patch("Pod", "one", &json!({"spec": {"schedulingGates": null}}));
    bench.until("bound", 10, |bench| is_bound(bench, "one"));
    assert_eq!(bench.node_of("one"), "kind-worker3");
    let late = json!({"spec": {"nodeSelector": {"disk": "ssd"}}});
    assert!(refusal(&mut bench, late).contains("pod updates may not change fields"));
}

/// pkg/scheduler/eventhandlers.go `responsibleForPod`: another scheduler's pods are left alone, without a word.
#[test]
fn a_pod_of_another_scheduler_stays_pending() {
    let mut bench = Bench::kind(2);
    bench.create(pod("one", &json!({"schedulerName": "my-scheduler"})));
    bench.run(120);
    let shown = bench.get("Pod", "one");
    assert_eq!(shown["status"]["phase"], "Pending");
    assert_eq!(condition(&shown, "PodScheduled"), None);
    assert!(bench.events("FailedScheduling").is_empty());
}

/// noderesources/fit.go `isSchedulableAfterNodeChange`; docs, "Advertise Extended Resources for a Node".
#[test]
fn a_node_that_advertises_a_resource_takes_the_pod_that_waits_for_it() {
    let mut bench = Bench::kind(3);
    let resources = json!({"requests": {"example.com/dongle": "2"}, "limits": {"example.com/dongle": "2"}});
    let containers = json!([{"name": "main", "image": "example/app:1", "resources": resources}]);
    bench.create(pod("one", &json!({"containers": containers})));
    bench.run(10);
    assert!(bench.events("FailedScheduling")[0].contains("4 Insufficient example.com/dongle"));
    let mut node = bench.get("Node", "kind-worker2");
    node["status"]["capacity"]["example.com/dongle"] = json!("4");
    bench.world.replace(NODES, node, Part::Status, false).unwrap();
    bench.until("bound", 30, |bench| is_bound(bench, "one"));
    assert_eq!(bench.node_of("one"), "kind-worker2");
    let allocatable = &bench.get("Node", "kind-worker2")["status"]["allocatable"];
    assert_eq!(allocatable["example.com/dongle"], "4");
    // Two are taken.
    bench.create(pod("two", &json!({"containers": containers})));
    bench.create(pod("three", &json!({"containers": containers})));
    bench.run(20);
    assert!(is_bound(&bench, "two") && !is_bound(&bench, "three"));
}

/// `nodeports/node_ports.go` `isSchedulableAfterPodDeleted`.
#[test]
fn a_host_port_is_had_once_a_node_and_is_free_when_its_pod_is_gone() {
    let mut bench = Bench::kind(4);
    let mut web = workload("Deployment", "web", 5);
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
    bench.create(web);
    bench.until("four", 60, |bench| bench.ready().len() == 4);
    bench.run(10);
    let refused = bench.events("FailedScheduling");
    assert!(
        refused[0].contains("4 node(s) didn't have free ports for the requested pod ports"),
        "{refused:?}"
    );
    let waiting: Vec<String> = bench
        .names("Pod")
        .into_iter()
        .filter(|pod| !is_bound(&bench, pod))
        .collect();
    let first = bench.ready()[0].clone();
    bench.patch("Deployment", "web", &json!({"spec": {"replicas": 4}}));
    bench.run(5);
    assert_eq!(bench.ready().len(), 4, "the one that waits goes first");
    assert!(waiting.iter().all(|pod| bench.object("Pod", pod).is_none()));
    bench.delete("Pod", &first);
    bench.until("four again", 60, |bench| {
        bench.ready().len() == 4 && bench.object("Pod", &first).is_none()
    });
}

/// podtopologyspread/plugin.go `isSchedulableAfterPodChange`: a pod elsewhere makes the emptiest place fuller.
#[test]
fn a_spread_pod_that_waits_goes_on_when_the_emptiest_place_fills() {
    let mut bench = Bench::kind(5);
    for node in ["kind-worker", "kind-worker2"] {
        bench.patch("Node", node, &json!({"metadata": {"labels": {"rack": node}}}));
    }
    let spread = json!([{
        "maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"team": "a"}},
    }]);
    let labelled = |name: &str, node: Option<&str>| {
        let mut pod = pod(name, &json!({"topologySpreadConstraints": spread}));
        pod["metadata"]["labels"] = json!({"team": "a"});
        if let Some(node) = node {
            pod["spec"]["nodeSelector"] = json!({"rack": node});
            // Both racks count, though only one is selected.
            pod["spec"]["topologySpreadConstraints"][0]["nodeAffinityPolicy"] = json!("Ignore");
        }
        pod
    };
    bench.create(labelled("one", Some("kind-worker")));
    bench.run(5);
    bench.create(labelled("two", Some("kind-worker")));
    bench.run(10);
    assert!(is_bound(&bench, "one") && !is_bound(&bench, "two"));
    bench.create(labelled("three", None));
    bench.until("two", 30, |bench| is_bound(bench, "two"));
    assert_eq!(bench.node_of("three"), "kind-worker2");
}

/// interpodaffinity with namespaceSelector: `kubernetes.io/metadata.name` is a label of every namespace
/// (pkg/apis/core/v1/defaults.go `SetDefaults_Namespace`).
#[test]
fn affinity_finds_a_namespace_by_its_name_label() {
    let mut bench = Bench::kind(6);
    let term = json!({
        "labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}}, "topologyKey": "kubernetes.io/hostname",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    });
    let affinity = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    let tolerations = json!([{"operator": "Exists"}]);
    bench.create(pod("one", &json!({"affinity": affinity, "tolerations": tolerations})));
    bench.until("bound", 20, |bench| is_bound(bench, "one"));
    let on = bench.node_of("one");
    let beside = bench.world.list(PODS, Some("kube-system"));
    let beside: Vec<Value> = beside.iter().map(|pod| pod.body.project()).collect();
    assert!(
        beside
            .iter()
            .any(|pod| pod["metadata"]["labels"]["k8s-app"] == "kube-dns" && pod["spec"]["nodeName"] == on.as_str())
    );
}

/// pkg/scheduler/backend/queue/scheduling_queue.go: back-off from one second to ten, doubled at each failure.
#[test]
fn a_node_that_is_uncordoned_takes_the_waiting_pod_within_the_longest_back_off() {
    let mut bench = Bench::kind(7);
    let nodes = ["kind-worker", "kind-worker2", "kind-worker3", "kind-worker4"];
    for node in nodes {
        bench.patch("Node", node, &json!({"spec": {"unschedulable": true}}));
    }
    bench.create(pod("one", &json!({})));
    bench.run(120);
    assert!(!is_bound(&bench, "one"));
    bench.patch("Node", nodes[2], &json!({"spec": {"unschedulable": null}}));
    let took = bench.until("bound", 20, |bench| is_bound(bench, "one"));
    assert!(took <= 10.5, "{took}");
    assert_eq!(bench.node_of("one"), nodes[2]);
}

/// pkg/apis/core/validation/validation.go `validateTopologySpreadConstraints`, `validateSchedulingGates`.
#[test]
fn wrong_wishes_are_refused() {
    let mut bench = Bench::kind(8);
    let spread = |constraint: Value| json!({"topologySpreadConstraints": [constraint]});
    let base = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}});
    let with = |key: &str, value: Value| {
        let mut constraint = base.clone();
        constraint[key] = value;
        spread(constraint)
    };
    for (spec, why) in [
        (
            with("maxSkew", json!(0)),
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            with("topologyKey", json!("")),
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
        ),
        (
            with("whenUnsatisfiable", json!("Never")),
            "supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
        ),
        (
            with("nodeTaintsPolicy", json!("Maybe")),
            "supported values: \"Honor\", \"Ignore\"",
        ),
        (
            with("minDomains", json!(0)),
            "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero",
        ),
        (
            json!({"topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]}),
            "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ),
        (
            json!({"topologySpreadConstraints": [base, base]}),
            "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{zone, DoNotSchedule}\"",
        ),
        (
            json!({"schedulingGates": [{"name": "a"}, {"name": "a"}]}),
            "spec.schedulingGates[1]: Duplicate value: \"a\"",
        ),
    ] {
        let refused = bench.try_create(pod("one", &spec)).unwrap_err().to_string();
        assert!(refused.contains(why), "{why}\nnot in: {refused}");
    }
}
