//! Looking at what a fault would reach, through the Kubernetes API.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt as _};
use kube::{Api, ResourceExt as _};

use super::{Budget, Radius, Workload};
use crate::safety::policy::NodeFacts;

/// What nodes carry, by their names.
///
/// # Errors
/// When the cluster's nodes, pods or budgets cannot be listed.
pub async fn look(client: &kube::Client, targets: &[String]) -> Result<Radius, kube::Error> {
    let all = ListParams::default();
    let nodes = Api::<Node>::all(client.clone()).list(&all).await?;
    let workers = nodes
        .iter()
        .filter(|node| !NodeFacts::from(*node).is_control_plane())
        .count();
    let targets: BTreeSet<&str> = targets.iter().map(String::as_str).collect();
    let pods = Api::<Pod>::all(client.clone()).list(&all).await?;
    let is_struck = |pod: &Pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        node.is_some_and(|node| targets.contains(node))
    };
    let mut workloads: BTreeMap<(String, String, String), (usize, usize)> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_alive(pod)) {
        let (kind, name) = owner(pod);
        let counts = workloads
            .entry((pod.namespace().unwrap_or_default(), kind, name))
            .or_default();
        counts.0 += usize::from(is_struck(pod));
        counts.1 += 1;
    }
    let budgets = Api::<PodDisruptionBudget>::all(client.clone()).list(&all).await?;
    let struck: Vec<&Pod> = pods.iter().filter(|pod| is_alive(pod) && is_struck(pod)).collect();
    Ok(Radius {
        nodes: targets.len(),
        workers,
        percent: targets.len() * 100 / workers.max(1),
        workloads: workloads
            .into_iter()
            .filter(|(_, (struck, _))| *struck > 0)
            .map(|((namespace, kind, name), (struck, pods))| Workload {
                namespace,
                kind,
                name,
                struck,
                pods,
            })
            .collect(),
        budgets: budgets.iter().filter_map(|budget| of(budget, &struck)).collect(),
    })
}

fn is_alive(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

/// What brings a pod back. A ReplicaSet of a Deployment is called after it and its pods' template (pkg/controller/deployment/sync.go
/// `getNewReplicaSet`).
fn owner(pod: &Pod) -> (String, String) {
    let Some(owner) = pod
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))
    else {
        return ("Pod".to_owned(), pod.name_any());
    };
    let hash = pod.labels().get("pod-template-hash");
    match hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-')) {
        Some(deployment) if owner.kind == "ReplicaSet" => ("Deployment".to_owned(), deployment.to_owned()),
        _ => (owner.kind.clone(), owner.name.clone()),
    }
}

fn of(budget: &PodDisruptionBudget, struck: &[&Pod]) -> Option<Budget> {
    let selector: Selector = budget.spec.as_ref()?.selector.clone()?.try_into().ok()?;
    let is_its = |pod: &&&Pod| pod.namespace() == budget.namespace() && selector.matches(pod.labels());
    let struck = struck.iter().filter(is_its).count();
    (struck > 0).then(|| Budget {
        namespace: budget.namespace().unwrap_or_default(),
        name: budget.name_any(),
        allowed: budget
            .status
            .as_ref()
            .and_then(|status| status.disruptions_allowed)
            .unwrap_or(0),
        struck,
    })
}
