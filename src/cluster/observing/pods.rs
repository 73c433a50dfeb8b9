//! Pods: made, bound, started, Ready, ended, gone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::Record;
use crate::model::history::{Victim, What};

/// The pods as they were last seen, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Pods(BTreeMap<(String, String), PodSeen>);

/// A pod as it was last seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodSeen {
    uid: String,
    /// The workload that owns it.
    pub(crate) app: String,
    pub(crate) node: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) ready: bool,
    pub(crate) deleting: bool,
    pub(crate) finished: bool,
    /// The ids of its running containers, when all of them run.
    running: Option<Vec<String>>,
    /// Restarts of its containers that ended by themselves.
    crashes: BTreeMap<String, i32>,
    reason: Option<String>,
    deleted_by: Option<&'static str>,
}

impl PodSeen {
    fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let is = |name: &str, value: &str| {
            conditions
                .iter()
                .find(|condition| condition.type_ == name && condition.status == value)
        };
        let containers = status
            .and_then(|status| status.container_statuses.as_deref())
            .unwrap_or_default();
        let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
        Self {
            uid: pod.uid().unwrap_or_default(),
            app: app_of(pod),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            labels: pod.labels().clone(),
            ready: is("Ready", "True").is_some(),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            finished: matches!(phase, "Succeeded" | "Failed"),
            running: running(containers).filter(|_| phase == "Running"),
            crashes: containers.iter().map(|it| (it.name.clone(), crashes(it))).collect(),
            reason: is("PodScheduled", "False")
                .filter(|condition| condition.reason.as_deref() == Some("Unschedulable"))
                .and_then(|condition| condition.message.clone()),
            deleted_by: is("DisruptionTarget", "True").and_then(|condition| deleter(condition.reason.as_deref()?)),
        }
    }
}

/// The workload that owns a pod: a ReplicaSet's Deployment, else the owner itself, else the pod.
fn app_of(pod: &Pod) -> String {
    let Some(owner) = pod
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))
    else {
        return pod.name_any();
    };
    // A ReplicaSet is named after its Deployment and the hash of its template: pkg/controller/deployment/sync.go `getNewReplicaSet`.
    let hash = pod.labels().get("pod-template-hash").map(|hash| format!("-{hash}"));
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(&hash));
    deployment
        .filter(|_| owner.kind == "ReplicaSet")
        .unwrap_or(&owner.name)
        .to_owned()
}

/// The ids of the containers, when all of them run.
fn running(containers: &[ContainerStatus]) -> Option<Vec<String>> {
    let runs = |it: &ContainerStatus| it.state.as_ref().is_some_and(|state| state.running.is_some());
    (!containers.is_empty() && containers.iter().all(runs)).then(|| {
        containers
            .iter()
            .map(|it| it.container_id.clone().unwrap_or_default())
            .collect()
    })
}

/// How often a container ended by itself, as far as its status tells: a container that was lost with its machine has the reason
/// `Unknown` (containerd, internal/cri/server/helpers.go `unknownExitReason`; kubelet `ContainerStatusUnknown`).
fn crashes(container: &ContainerStatus) -> i32 {
    let last = container
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let with_machine = last
        .and_then(|last| last.reason.as_deref())
        .is_some_and(|reason| matches!(reason, "Unknown" | "ContainerStatusUnknown"));
    if with_machine { 0 } else { container.restart_count }
}

/// Who deletes a pod, by the reason of its condition DisruptionTarget: the constants of k8s.io/api `core/v1/types.go`
/// (`PodReasonPreemptionByScheduler`), pkg/controller/tainteviction, pkg/controller/podgc, pkg/registry/core/pod/storage/eviction.go.
fn deleter(reason: &str) -> Option<&'static str> {
    match reason {
        "DeletionByTaintManager" => Some("taint-manager"),
        "DeletionByPodGC" => Some("pod-gc"),
        "EvictionByEvictionAPI" => Some("eviction"),
        "PreemptionByScheduler" => Some("preempted"),
        "TerminationByKubelet" => Some("kubelet"),
        _ => None,
    }
}

impl Pods {
    /// The pods that run on these nodes, as victims of a fault, by node and name.
    pub(crate) fn on(&self, nodes: &[String]) -> Vec<Victim> {
        let mut all: Vec<Victim> = self
            .0
            .iter()
            .filter(|(_, pod)| !pod.finished && pod.node.as_ref().is_some_and(|node| nodes.contains(node)))
            .map(|((_, name), pod)| victim(name, pod))
            .collect();
        all.sort_by(|a, b| (&a.node, &a.pod).cmp(&(&b.node, &b.pod)));
        all
    }

    /// The pods of a namespace with their names.
    pub(crate) fn of(&self, namespace: &str) -> impl Iterator<Item = (&str, &PodSeen)> {
        self.0
            .iter()
            .filter(move |((of, _), _)| of == namespace)
            .map(|((_, name), pod)| (name.as_str(), pod))
    }

    /// All pods, by namespace and name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &PodSeen)> {
        self.0
            .iter()
            .map(|((namespace, name), pod)| (namespace.as_str(), name.as_str(), pod))
    }

    pub(super) fn keys(&self) -> BTreeSet<(String, String)> {
        self.0.keys().cloned().collect()
    }
}

/// A pod as a fault's victim.
pub(crate) fn victim(name: &str, pod: &PodSeen) -> Victim {
    Victim {
        pod: name.to_owned(),
        app: pod.app.clone(),
        node: pod.node.clone().unwrap_or_default(),
    }
}

impl Record {
    /// A pod as it is now.
    pub(crate) fn pod(&mut self, t: u64, pod: &Pod) {
        let key = (pod.namespace().unwrap_or_default(), pod.name_any());
        let now = PodSeen::of(pod);
        if self.pods.0.get(&key).is_some_and(|before| before.uid != now.uid) {
            self.pod_gone(t, &key.0, &key.1);
        }
        let before = self.pods.0.insert(key.clone(), now.clone());
        let new = before.is_none();
        let before = before.unwrap_or_default();
        let (namespace, name) = key;
        let (pod, app) = (|| name.clone(), || now.app.clone());
        let mut news = Vec::new();
        if new {
            news.push(What::PodCreated { pod: pod(), app: app() });
        }
        if let Some(reason) = now.reason.clone().filter(|_| now.reason != before.reason) {
            news.push(What::PodUnschedulable {
                pod: pod(),
                app: app(),
                reason,
            });
        }
        if let Some(node) = now.node.clone().filter(|_| before.node.is_none()) {
            news.push(What::PodScheduled {
                pod: pod(),
                app: app(),
                node,
            });
        }
        if !new
            && now
                .crashes
                .iter()
                .any(|(name, count)| before.crashes.get(name).is_some_and(|was| count > was))
        {
            news.push(What::PodCrashed { pod: pod(), app: app() });
        }
        if now.running.is_some() && now.running != before.running {
            news.push(What::PodStarted { pod: pod(), app: app() });
        }
        match (before.ready, now.ready) {
            (false, true) => news.push(What::PodReady { pod: pod(), app: app() }),
            (true, false) => news.push(What::PodNotReady { pod: pod(), app: app() }),
            _ => {}
        }
        if now.deleting && !before.deleting {
            let cause = self.cause(&namespace, &name, &now);
            news.push(What::PodDeleted {
                pod: pod(),
                app: app(),
                cause,
            });
        }
        self.note_all(t, news);
    }

    /// Who deletes a pod: `other` is a controller, or a user.
    fn cause(&mut self, namespace: &str, name: &str, pod: &PodSeen) -> String {
        let condemned = self.condemned.iter().position(|(of, it)| of == namespace && it == name);
        match (pod.deleted_by, condemned) {
            (_, Some(at)) => {
                self.condemned.swap_remove(at);
                "fault".to_owned()
            }
            (Some(by), None) => by.to_owned(),
            (None, None) => "other".to_owned(),
        }
    }

    /// A pod's object is gone.
    pub(crate) fn pod_gone(&mut self, t: u64, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let Some(seen) = self.pods.0.remove(&key) else { return };
        let app = seen.app.clone();
        if !seen.deleting {
            // With no grace it went at once.
            let cause = self.cause(namespace, name, &seen);
            self.note(
                t,
                What::PodDeleted {
                    pod: key.1.clone(),
                    app: app.clone(),
                    cause,
                },
            );
        }
        self.note(t, What::PodGone { pod: key.1, app });
    }
}
