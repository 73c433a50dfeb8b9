//! Pods: the state that the containers and conditions add up to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Printer;
use super::columns::{AGE, NAME, column};
use super::look::Look;

pub(super) const PODS: Printer = Printer {
    columns: &[
        NAME,
        column("Ready"),
        column("Status"),
        column("Restarts"),
        AGE,
        column("IP").wide(),
        column("Node").wide(),
        column("Nominated Node").wide(),
        column("Readiness Gates").wide(),
    ],
    cells,
};

/// The condition of a finished pod's row.
pub(super) fn conditions(pod: &Look) -> Option<Value> {
    let (reason, message) = match pod.text("/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// What is counted over the containers.
#[derive(Default)]
struct Counts {
    ready: usize,
    restarts: i64,
    /// When a container last ended to be restarted; microseconds since 1970.
    last: Option<i64>,
}

impl Counts {
    fn restarted(&mut self, container: Look) {
        self.restarts += container.number("/restartCount");
        self.last = self.last.max(container.date("/lastState/terminated/finishedAt"));
    }
}

fn cells(pod: &Look) -> Vec<Value> {
    let sidecars: BTreeSet<&str> = pod
        .items("/spec/initContainers")
        .filter(|container| container.text("/restartPolicy") == "Always")
        .map(|container| container.text("/name"))
        .collect();
    let containers = pod.items("/spec/containers").len() + sidecars.len();
    let (status, counts) = status(*pod, &sidecars);
    let restarts = match counts.last {
        Some(last) if counts.restarts > 0 => format!("{} ({} ago)", counts.restarts, pod.since_date(last)),
        _ => counts.restarts.to_string(),
    };
    let gates = pod.items("/spec/readinessGates");
    let gates = match gates.len() {
        0 => "<none>".to_owned(),
        all => {
            let open = gates.filter(|gate| pod.condition(gate.text("/conditionType"), "True"));
            format!("{}/{all}", open.count())
        }
    };
    vec![
        pod.name(),
        format!("{}/{containers}", counts.ready).into(),
        status.into(),
        restarts.into(),
        pod.age(),
        pod.text_or("/status/podIPs/0/ip", "<none>").into(),
        pod.text_or("/spec/nodeName", "<none>").into(),
        pod.text_or("/status/nominatedNodeName", "<none>").into(),
        gates.into(),
    ]
}

/// `printPod`, down to its order.
fn status(pod: Look, sidecars: &BTreeSet<&str>) -> (String, Counts) {
    let phase = pod.text("/status/phase");
    let mut status = pod.text_or("/status/reason", phase).to_owned();
    let gated =
        |condition: Look| condition.text("/type") == "PodScheduled" && condition.text("/reason") == "SchedulingGated";
    if pod.items("/status/conditions").any(gated) {
        "SchedulingGated".clone_into(&mut status);
    }
    let (mut counts, sidecar_counts, initializing) = init(pod, sidecars);
    if let Some(state) = &initializing {
        status.clone_from(state);
    }
    if initializing.is_none() || pod.condition("Initialized", "True") {
        counts = Counts {
            ready: counts.ready,
            ..sidecar_counts
        };
        running(pod, &mut status, &mut counts);
    }
    if !pod.at("/metadata/deletionTimestamp").is_absent() {
        if pod.text("/status/reason") == "NodeLost" {
            "Unknown".clone_into(&mut status);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut status);
        }
    }
    (status, counts)
}

/// The init containers: all counts, those of the sidecars alone, and how far the pod is when it is not through with them.
fn init(pod: Look, sidecars: &BTreeSet<&str>) -> (Counts, Counts, Option<String>) {
    let (mut counts, mut of_sidecars) = (Counts::default(), Counts::default());
    for (index, container) in pod.items("/status/initContainerStatuses").enumerate() {
        counts.restarted(container);
        let is_sidecar = sidecars.contains(container.text("/name"));
        if is_sidecar {
            of_sidecars.restarted(container);
        }
        let ended = container.at("/state/terminated");
        let waits_for = container.text("/state/waiting/reason");
        if !ended.is_absent() && ended.number("/exitCode") == 0 {
            continue;
        }
        if is_sidecar && container.is_true("/started") {
            counts.ready += usize::from(container.is_true("/ready"));
            continue;
        }
        let state = if !ended.is_absent() {
            format!("Init:{}", end(ended))
        } else if !waits_for.is_empty() && waits_for != "PodInitializing" {
            format!("Init:{waits_for}")
        } else {
            format!("Init:{index}/{}", pod.items("/spec/initContainers").len())
        };
        return (counts, of_sidecars, Some(state));
    }
    (counts, of_sidecars, None)
}

/// The containers proper.
fn running(pod: Look, status: &mut String, counts: &mut Counts) {
    let (mut runs, mut error) = (false, None);
    for container in pod.items("/status/containerStatuses").rev() {
        counts.restarted(container);
        let (waits_for, ended) = (
            container.text("/state/waiting/reason"),
            container.at("/state/terminated"),
        );
        if !waits_for.is_empty() {
            waits_for.clone_into(status);
        } else if !ended.is_absent() {
            *status = end(ended);
            if ended.number("/exitCode") != 0 {
                error = Some(status.clone());
            }
        } else if container.is_true("/ready") && !container.at("/state/running").is_absent() {
            runs = true;
            counts.ready += 1;
        }
    }
    if status == "Completed" {
        if runs && pod.condition("Ready", "True") {
            "Running".clone_into(status);
        } else if let Some(error) = error {
            *status = error;
        } else if runs {
            "NotReady".clone_into(status);
        }
    }
}

/// How a container ended.
fn end(ended: Look) -> String {
    match (ended.text("/reason"), ended.number("/signal")) {
        ("", 0) => format!("ExitCode:{}", ended.number("/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
