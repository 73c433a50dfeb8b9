use k8s_openapi::api::core::v1 as core;
use rstest::rstest;
use serde_json::{Value, json};

use super::{at, meta, typed};
use crate::model::time::{Span, Time};
use crate::simulation::api::Project;
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::container::{ContainerStatus, Ended, State};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::parse;
use crate::simulation::objects::pod::{Phase, Pod};
use crate::simulation::objects::table::Row;

/// A new pod of these containers and other fields.
#[expect(clippy::needless_pass_by_value, reason = "a literal at every call")]
fn new(containers: Value, rest: &[(&str, Value)]) -> Row<Pod> {
    let mut spec = json!({"containers": containers});
    for (key, value) in rest {
        spec[key] = value.clone();
    }
    let (_, body) = parse::pod(&json!({"metadata": {"name": "carts-1-a", "namespace": "shop"}, "spec": spec})).unwrap();
    Row {
        meta: Meta {
            deletion: None,
            ..meta("carts-1-a")
        },
        body,
    }
}

fn containers() -> Value {
    json!([{"name": "carts", "image": "carts:1", "ports": [{"containerPort": 80}]}, {"name": "proxy", "image": "proxy:1"}])
}

pub(super) fn body() -> Pod {
    new(containers(), &[]).body
}

/// A pod that has come as far as running.
pub(super) fn running() -> Row<Pod> {
    let mut pod = new(containers(), &[]);
    pod.body.node = Some(MachineId(1));
    pod.body.node_name = Some("node-1".into());
    pod.body.host_address = Some([10, 0, 0, 1].into());
    pod.body.address = Some([10, 244, 1, 2].into());
    pod.body.phase = Phase::Running;
    pod.body.scheduled = Some(at(6));
    pod.body.started = Some(at(7));
    pod.body.initialized = Some(at(7));
    pod.body.statuses = [ContainerStatus::running(at(9)); 2].into();
    pod.body.ready = Some((true, at(10)));
    pod
}

/// `Type=Status Reason second` of each condition.
fn conditions(pod: &Row<Pod>) -> Vec<String> {
    let status = typed::<core::Pod>(pod).status.unwrap();
    let line = |one: core::PodCondition| {
        let second = one.last_transition_time.unwrap().0.as_second() - super::super::date::EPOCH as i64;
        format!(
            "{}={} {} {second}",
            one.type_,
            one.status,
            one.reason.unwrap_or_default()
        )
    };
    status.conditions.into_iter().flatten().map(line).collect()
}

#[test]
fn a_new_pod_has_what_admission_adds() {
    let pod = new(containers(), &[("priorityClassName", json!("system-cluster-critical"))]);
    let pod: core::Pod = typed(&pod);
    let spec = pod.spec.unwrap();
    assert_eq!(
        (spec.priority, spec.preemption_policy.as_deref()),
        (Some(2_000_000_000), Some("PreemptLowerPriority"))
    );
    assert_eq!((spec.node_name, spec.restart_policy.as_deref()), (None, Some("Always")));
    assert_eq!(spec.termination_grace_period_seconds, Some(30));
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let both = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(toleration);
    assert_eq!(json!(spec.tolerations), json!(both));
    let status = pod.status.unwrap();
    assert_eq!(
        (status.phase.as_deref(), status.qos_class.as_deref()),
        (Some("Pending"), Some("BestEffort"))
    );
    assert_eq!(
        (status.conditions, status.container_statuses, status.start_time),
        (None, None, None)
    );
}

#[rstest]
#[case(json!([{"operator": "Exists"}]), 1)]
#[case(json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]), 2)]
#[case(json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"}]), 3)]
fn admission_leaves_a_pods_own_tolerations(#[case] written: Value, #[case] count: usize) {
    let spec = typed::<core::Pod>(&new(containers(), &[("tolerations", written.clone())]))
        .spec
        .unwrap();
    let tolerations = spec.tolerations.unwrap();
    assert_eq!(tolerations.len(), count);
    assert_eq!(json!(tolerations[0]), written[0]);
}

#[test]
fn a_pod_that_fits_nowhere_says_why() {
    let mut pod = new(containers(), &[]);
    pod.body.unschedulable = Some("0/3 nodes are available: 3 Too many pods.".into());
    pod.body.nominated = Some(MachineId(2));
    pod.body.nominated_name = Some("node-2".into());
    assert_eq!(conditions(&pod), ["PodScheduled=False Unschedulable 5"]);
    let status = typed::<core::Pod>(&pod).status.unwrap();
    assert_eq!(
        status.conditions.unwrap()[0].message.as_deref(),
        Some("0/3 nodes are available: 3 Too many pods.")
    );
    assert_eq!(status.nominated_node_name.as_deref(), Some("node-2"));
}

#[test]
fn a_running_pod_is_ready_at_its_address() {
    let pod = running();
    assert_eq!(
        conditions(&pod),
        [
            "PodReadyToStartContainers=True  9",
            "Initialized=True  7",
            "Ready=True  10",
            "ContainersReady=True  10",
            "PodScheduled=True  6",
        ]
    );
    let pod: core::Pod = typed(&pod);
    assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("node-1"));
    let status = pod.status.unwrap();
    assert_eq!(
        (status.pod_ip.as_deref(), status.host_ip.as_deref()),
        (Some("10.244.1.2"), Some("10.0.0.1"))
    );
    assert_eq!(
        json!([status.pod_ips, status.host_ips]),
        json!([[{"ip": "10.244.1.2"}], [{"ip": "10.0.0.1"}]])
    );
    assert_eq!(json!(status.start_time), json!("2026-01-01T00:00:07Z"));
    let containers = status.container_statuses.unwrap();
    assert_eq!(
        containers.iter().map(|one| &*one.name).collect::<Vec<_>>(),
        ["carts", "proxy"]
    );
    assert_eq!(containers[1].image, "proxy:1");
    assert!(containers.iter().all(|one| one.ready && one.started == Some(true)));
    assert_ne!(containers[0].container_id, containers[1].container_id);
    assert_eq!(
        json!(containers[0].state),
        json!({"running": {"startedAt": "2026-01-01T00:00:09Z"}})
    );
}

#[test]
fn a_pod_whose_node_fell_silent_keeps_its_containers() {
    let mut pod = running();
    pod.body.ready = Some((false, at(50)));
    assert_eq!(conditions(&pod)[2..4], ["Ready=False  50", "ContainersReady=True  9"]);
    assert!(typed::<core::Pod>(&pod).status.unwrap().container_statuses.unwrap()[0].ready);
}

#[rstest]
#[case(State::Creating, json!({"waiting": {"reason": "ContainerCreating"}}))]
#[case(
    State::Ended(Ended::new(137, Time(7_000_000), Time(20_000_000))),
    json!({"terminated": {
        "exitCode": 137, "reason": "Error", "startedAt": "2026-01-01T00:00:07Z", "finishedAt": "2026-01-01T00:00:20Z",
    }})
)]
fn containers_that_do_not_run_say_why(#[case] state: State, #[case] expected: Value) {
    let mut pod = running();
    pod.body.statuses = [ContainerStatus {
        state,
        ..ContainerStatus::NEW
    }; 2]
        .into();
    pod.body.ready = Some((false, at(20)));
    assert_eq!(conditions(&pod)[2], "Ready=False ContainersNotReady 20");
    let status = typed::<core::Pod>(&pod).status.unwrap();
    let message = status.conditions.unwrap()[2].message.clone().unwrap();
    assert_eq!(message, "containers with unready status: [carts proxy]");
    let one = &status.container_statuses.unwrap()[0];
    let mut state = json!(one.state);
    if let Some(ended) = state.get_mut("terminated") {
        assert_eq!(
            ended.as_object_mut().unwrap().remove("containerID"),
            one.container_id.clone().map(Value::from)
        );
    }
    assert_eq!(state, expected);
    assert!(!one.ready);
}

#[rstest]
#[case(10, "10s")]
#[case(40, "40s")]
#[case(160, "2m40s")]
#[case(300, "5m0s")]
fn a_container_that_crashes_says_how_long_it_backs_off(#[case] seconds: u64, #[case] length: &str) {
    let mut pod = running();
    let status = ContainerStatus {
        state: State::BackOff(Span::secs(seconds)),
        last: Some(Ended::new(1, at(9), at(12))),
        restarts: 2,
        ..ContainerStatus::NEW
    };
    pod.body.statuses = [status; 2].into();
    pod.body.ready = Some((false, at(20)));
    let status = typed::<core::Pod>(&pod).status.unwrap();
    let one = status.container_statuses.unwrap().remove(0);
    assert_eq!(one.restart_count, 2);
    assert_eq!(one.last_state.unwrap().terminated.unwrap().exit_code, 1);
    let waiting = one.state.unwrap().waiting.unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    let message = waiting.message.unwrap();
    assert!(message.starts_with(&format!(
        "back-off {length} restarting failed container=carts pod=carts-1-a_shop("
    )));
}

#[test]
fn a_pod_that_was_cleaned_up_names_the_disruption() {
    let mut pod = running();
    pod.body.phase = Phase::Failed;
    pod.body.ready = Some((false, at(50)));
    pod.body.disruption = Some(("DeletionByPodGC", at(60)));
    let all = conditions(&pod);
    assert_eq!(all[0], "DisruptionTarget=True DeletionByPodGC 60");
    assert_eq!(all[3], "Ready=False PodFailed 50");
    let status = typed::<core::Pod>(&pod).status.unwrap();
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert!(!status.container_statuses.unwrap()[0].ready);
}

#[rstest]
#[case(json!({}), "BestEffort")]
#[case(json!({"requests": {"cpu": "100m"}}), "Burstable")]
#[case(json!({"limits": {"cpu": "100m", "memory": "1Gi"}}), "Guaranteed")]
#[case(json!({"limits": {"cpu": "100m", "memory": "1Gi"}, "requests": {"cpu": "50m"}}), "Burstable")]
fn the_quality_of_service_follows_the_resources(#[case] resources: Value, #[case] expected: &str) {
    let limits = resources.get("limits").is_some();
    let pod = new(json!([{"name": "a", "image": "a:1", "resources": resources}]), &[]);
    assert_eq!(pod.project()["status"]["qosClass"], expected);
    assert_eq!(
        pod.project()
            .pointer("/spec/containers/0/resources/requests/memory")
            .is_some(),
        limits
    );
}
