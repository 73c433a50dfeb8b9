//! A pod's status, as kubelet, scheduler and controllers write it.

use serde_json::{Value, json};

use super::super::{Object, date, put, texts};
use crate::model::time::{Span, Time};
use crate::simulation::objects::container::{ContainerStatus, Ended, State};
use crate::simulation::objects::meta::{Meta, uid_text};
use crate::simulation::objects::pod::{Phase, Pod};
use crate::simulation::objects::template::{Container, Role};

/// Source: pkg/registry/core/pod/strategy.go `applySchedulingGatedCondition`.
const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

pub(super) fn status(meta: &Meta, pod: &Pod, spec: &Object) -> Object {
    let mut all = Object::new();
    put(&mut all, "phase", pod.phase.name());
    if let Some((reason, message)) = pod.why {
        put(&mut all, "reason", reason);
        put(&mut all, "message", message);
    }
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
    if !pod.statuses.is_empty() {
        let (init, main): (Vec<usize>, Vec<usize>) =
            (0..pod.statuses.len()).partition(|&place| pod.template.role(place) != Role::Main);
        for (list, places) in [("initContainerStatuses", init), ("containerStatuses", main)] {
            if !places.is_empty() {
                let containers: Vec<Value> = places.into_iter().map(|place| container(meta, pod, place)).collect();
                put(&mut all, list, containers);
            }
        }
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
        lifecycle(pod, started, &mut all);
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

/// The conditions that the kubelet writes (pkg/kubelet/status/generate.go).
fn lifecycle(pod: &Pod, started: Time, all: &mut Vec<Value>) {
    let sandbox = !pod.is_finished() && pod.address.is_some();
    let running_since = pod.statuses.iter().filter_map(|status| match status.state {
        State::Running(since) => Some(since),
        State::Ended(ended) => Some(ended.at),
        _ => None,
    });
    let (running_since, first) = (running_since.clone().max().unwrap_or(started), running_since.min());
    let (ready, since) = pod.ready.unwrap_or((false, started));
    all.push(
        condition(
            "PodReadyToStartContainers",
            sandbox,
            if sandbox { first.unwrap_or(started) } else { since },
        )
        .into(),
    );
    let ended = match pod.phase {
        Phase::Succeeded => Some("PodCompleted"),
        Phase::Failed => Some("PodFailed"),
        Phase::Pending | Phase::Running => None,
    };
    all.push(match (pod.initialized, ended) {
        (Some(since), reason) => {
            let mut condition = condition("Initialized", true, since);
            if reason == Some("PodCompleted") {
                put(&mut condition, "reason", "PodCompleted");
            }
            condition.into()
        }
        (None, Some(reason)) => reason_alone(condition("Initialized", false, started), reason),
        (None, None) => because(
            condition("Initialized", false, started),
            "ContainersNotInitialized",
            &format!("containers with incomplete status: [{}]", names(pod, is_incomplete)),
        ),
    });
    // Where containers are ready and the pod is not, its node fell silent: the node lifecycle controller writes the pod's
    // condition alone (pkg/controller/util/node MarkPodsNotReady).
    let running = pod.phase == Phase::Running && names(pod, is_unready).is_empty();
    for (kind, holds, since) in [
        ("Ready", ready, since),
        (
            "ContainersReady",
            ready || running,
            if ready || !running { since } else { running_since },
        ),
    ] {
        let condition = condition(kind, holds, since);
        all.push(match ended {
            _ if holds || running => condition.into(),
            Some(reason) => reason_alone(condition, reason),
            None => because(
                condition,
                "ContainersNotReady",
                &format!("containers with unready status: [{}]", names(pod, is_unready)),
            ),
        });
    }
}

fn reason_alone(mut condition: Object, reason: &str) -> Value {
    put(&mut condition, "reason", reason);
    condition.into()
}

/// The names of the containers of which something holds.
fn names(pod: &Pod, holds: fn(Role, Option<&ContainerStatus>) -> bool) -> String {
    let names: Vec<&str> = pod
        .template
        .all()
        .enumerate()
        .filter(|&(place, _)| holds(pod.template.role(place), pod.statuses.get(place)))
        .map(|(_, container)| container.name.as_str())
        .collect();
    names.join(" ")
}

fn is_unready(role: Role, status: Option<&ContainerStatus>) -> bool {
    role != Role::Init && status.is_none_or(|status| !status.ready)
}

fn is_incomplete(role: Role, status: Option<&ContainerStatus>) -> bool {
    match role {
        Role::Main => false,
        Role::Sidecar => status.is_none_or(|status| !status.started),
        Role::Init => status.is_none_or(|status| status.ended().is_none_or(|ended| ended.code != 0)),
    }
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

fn container(meta: &Meta, pod: &Pod, place: usize) -> Value {
    let (status, one) = (pod.statuses[place], pod.template.container(place));
    let (name, image) = one.map_or(("", ""), |one: &Container| (one.name.as_str(), &*one.image));
    let mut all = Object::new();
    put(&mut all, "name", name);
    put(&mut all, "image", image);
    put(&mut all, "restartCount", status.restarts);
    // A pod that has ended has no container that runs, whatever its kubelet last said.
    put(&mut all, "ready", status.ready && !(pod.is_finished() && status.runs()));
    put(&mut all, "started", status.started && !pod.is_finished());
    // Another one after each restart, as with a real runtime.
    let id = |restarts: u32| format!("containerd://{:024x}{place:032x}{restarts:08x}", meta.uid);
    let last = status
        .last
        .map(|last| terminated(last, &id(status.restarts.saturating_sub(1))));
    put(&mut all, "lastState", last.unwrap_or_else(|| Object::new().into()));
    let ran = !matches!(status.state, State::Creating | State::NoConfig) || status.last.is_some();
    put(&mut all, "imageID", if ran { image } else { "" });
    if ran {
        put(&mut all, "containerID", id(status.restarts));
    }
    let state = match status.state {
        State::Creating
            if pod.initialized.is_none() || !pod.template.init.is_empty() && pod.template.role(place) == Role::Main =>
        {
            json!({"waiting": {"reason": "PodInitializing"}})
        }
        State::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        State::NoConfig => json!({"waiting": {"reason": "CreateContainerConfigError"}}),
        State::BackOff(length) => {
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": back_off(meta, length, name)}})
        }
        State::Running(since) => json!({"running": {"startedAt": date::seconds(since)}}),
        State::Ended(ended) => terminated(ended, &id(status.restarts)),
    };
    put(&mut all, "state", state);
    all.into()
}

fn terminated(ended: Ended, id: &str) -> Value {
    json!({"terminated": {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": date::seconds(ended.from),
        "finishedAt": date::seconds(ended.at),
        "containerID": id,
    }})
}

fn back_off(meta: &Meta, length: Span, name: &str) -> String {
    let seconds = length.0 / 1_000_000;
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
