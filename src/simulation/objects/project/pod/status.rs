//! A pod's status, as kubelet, scheduler and controllers write it.

use serde_json::{Value, json};

use super::super::{Object, date, put, texts};
use crate::model::time::Time;
use crate::simulation::objects::meta::{Meta, uid_text};
use crate::simulation::objects::pod::{Container, Phase, Pod};

/// The first pause before a container is started again. Source: pkg/kubelet/kubelet.go `backOffPeriod`.
const BACK_OFF_SECONDS: u64 = 10;
/// The longest. Source: the same, `MaxCrashLoopBackOff`.
const LONGEST_BACK_OFF_SECONDS: u64 = 300;

/// Source: pkg/registry/core/pod/strategy.go `applySchedulingGatedCondition`.
const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

pub(super) fn status(meta: &Meta, pod: &Pod, spec: &Object) -> Object {
    let mut all = Object::new();
    put(&mut all, "phase", pod.phase.name());
    put(&mut all, "qosClass", quality(spec));
    let conditions = conditions(meta, pod);
    if !conditions.is_empty() {
        put(&mut all, "conditions", conditions);
    }
    if let Some(name) = &pod.nominated_name {
        put(&mut all, "nominatedNodeName", &**name);
    }
    if let Some(started) = pod.started {
        put(&mut all, "startTime", date::seconds(started));
        if let Some(address) = pod.host_address {
            let address = address.to_string();
            put(&mut all, "hostIPs", vec![texts(&[("ip", &address)])]);
            put(&mut all, "hostIP", address);
        }
    }
    if let Some(address) = pod.address {
        let address = address.to_string();
        put(&mut all, "podIPs", vec![texts(&[("ip", &address)])]);
        put(&mut all, "podIP", address);
    }
    if pod.container != Container::None {
        let containers: Vec<Value> = pod
            .template
            .containers
            .iter()
            .enumerate()
            .map(|(index, container)| container_status(meta, pod, index, &container.name, &container.image))
            .collect();
        put(&mut all, "containerStatuses", containers);
    }
    all
}

fn condition(kind: &str, holds: bool, since: Time) -> Object {
    let mut all = Object::new();
    put(&mut all, "type", kind);
    put(&mut all, "status", if holds { "True" } else { "False" });
    put(&mut all, "lastTransitionTime", date::seconds(since));
    all
}

fn because(mut condition: Object, reason: &str, message: &str) -> Value {
    put(&mut condition, "reason", reason);
    put(&mut condition, "message", message);
    condition.into()
}

fn conditions(meta: &Meta, pod: &Pod) -> Vec<Value> {
    let mut all = Vec::with_capacity(6);
    if let Some((reason, since)) = pod.disruption {
        all.push(because(
            condition("DisruptionTarget", true, since),
            reason,
            disruption_message(reason),
        ));
    }
    if let Some(started) = pod.started {
        let sandbox = pod.phase != Phase::Failed && pod.address.is_some();
        let running_since = match pod.container {
            Container::Running(since) | Container::Terminated(_, since) => since,
            _ => started,
        };
        let (ready, since) = pod.ready.unwrap_or((false, started));
        // A container that runs is ready (probes are not modelled); where its pod is not, its node fell silent, and the
        // node lifecycle controller writes the pod's condition alone (pkg/controller/util/node MarkPodsNotReady).
        let running = matches!(pod.container, Container::Running(_)) && pod.phase == Phase::Running;
        all.push(
            condition(
                "PodReadyToStartContainers",
                sandbox,
                if sandbox { running_since } else { since },
            )
            .into(),
        );
        all.push(condition("Initialized", true, started).into());
        for (kind, holds, since) in [
            ("Ready", ready, since),
            (
                "ContainersReady",
                ready || running,
                if ready { since } else { running_since },
            ),
        ] {
            let condition = condition(kind, holds, since);
            all.push(match () {
                () if holds || running => condition.into(),
                () if pod.phase == Phase::Failed => {
                    let mut condition = condition;
                    put(&mut condition, "reason", "PodFailed");
                    condition.into()
                }
                () => because(condition, "ContainersNotReady", &unready(pod)),
            });
        }
    }
    match (pod.scheduled, &pod.unschedulable) {
        (Some(since), _) => all.push(condition("PodScheduled", true, since).into()),
        (None, Some(why)) => {
            all.push(because(
                condition("PodScheduled", false, meta.created),
                "Unschedulable",
                why,
            ));
        }
        (None, None) if !pod.template.gates().is_empty() => all.push(because(
            condition("PodScheduled", false, meta.created),
            "SchedulingGated",
            GATED,
        )),
        (None, None) => {}
    }
    all
}

fn unready(pod: &Pod) -> String {
    let names: Vec<&str> = pod
        .template
        .containers
        .iter()
        .map(|container| container.name.as_str())
        .collect();
    format!("containers with unready status: [{}]", names.join(" "))
}

/// The message that comes with each reason. Sources: `pkg/controller/podgc/gc_controller.go`,
/// `pkg/controller/tainteviction/taint_eviction.go`, pkg/scheduler/framework/preemption, pkg/registry/core/pod/storage/eviction.go.
fn disruption_message(reason: &str) -> &'static str {
    match reason {
        "DeletionByPodGC" => "PodGC: node no longer exists",
        "DeletionByTaintManager" => "Taint manager: deleting due to NoExecute taint",
        "EvictionByEvictionAPI" => "Eviction API: evicting",
        "PreemptionByScheduler" => "default-scheduler: preempting to accommodate a higher priority pod",
        _ => "Pod was terminated in response to imminent node shutdown.",
    }
}

fn container_status(meta: &Meta, pod: &Pod, index: usize, name: &str, image: &str) -> Value {
    let running = matches!(pod.container, Container::Running(_)) && pod.phase == Phase::Running;
    let mut all = Object::new();
    put(&mut all, "name", name);
    put(&mut all, "image", image);
    put(&mut all, "restartCount", pod.restarts);
    put(&mut all, "ready", running);
    put(&mut all, "started", running);
    put(&mut all, "lastState", Object::new());
    let ran = matches!(
        pod.container,
        Container::Running(_) | Container::Terminated(..) | Container::BackOff
    );
    put(&mut all, "imageID", if ran { image } else { "" });
    // Another one after each restart, as with a real runtime.
    let id = || format!("containerd://{:024x}{:032x}{:08x}", meta.uid, index, pod.restarts);
    if ran {
        put(&mut all, "containerID", id());
    }
    let state = match pod.container {
        Container::None | Container::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        Container::NoConfig => json!({"waiting": {"reason": "CreateContainerConfigError"}}),
        Container::BackOff => json!({"waiting": {"reason": "CrashLoopBackOff", "message": back_off(meta, pod, name)}}),
        Container::Running(since) => json!({"running": {"startedAt": date::seconds(since)}}),
        Container::Terminated(code, at) => json!({"terminated": {
            "exitCode": code,
            "reason": if code == 0 { "Completed" } else { "Error" },
            "startedAt": date::seconds(pod.started.unwrap_or(at)),
            "finishedAt": date::seconds(at),
            "containerID": id(),
        }}),
    };
    put(&mut all, "state", state);
    all.into()
}

fn back_off(meta: &Meta, pod: &Pod, name: &str) -> String {
    let doubled = BACK_OFF_SECONDS << pod.restarts.saturating_sub(1).min(16);
    let seconds = doubled.min(LONGEST_BACK_OFF_SECONDS);
    let length = if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m{}s", seconds / 60, seconds % 60)
    };
    let (pod, namespace) = (&meta.name, &meta.namespace);
    format!(
        "back-off {length} restarting failed container={name} pod={pod}_{namespace}({})",
        uid_text(meta.uid)
    )
}

/// `qosClass`. Source: pkg/apis/core/v1/helper/qos/qos.go `ComputePodQOS`.
fn quality(spec: &Object) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for container in spec.get("containers").and_then(Value::as_array).into_iter().flatten() {
        let of = |list: &str, name: &str| {
            container
                .get("resources")
                .and_then(|all| all.get(list))
                .and_then(|all| all.get(name))
        };
        for name in ["cpu", "memory"] {
            let (request, limit) = (of("requests", name), of("limits", name));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
