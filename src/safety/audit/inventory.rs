//! Taking the inventory through the Kubernetes API.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume, PodTemplateSpec};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::{Inventory, NodeState, Properties};
use crate::safety::lease;
use crate::safety::run_id::LABEL;

/// Annotations of nodes that kubelets and controllers write when they like: kubelet and attach-detach controller (pkg/volume/util
/// `ControllerManagedAttachAnnotation`), the ttl controller (k8s.io/api/core/v1 `ObjectTTLAnnotationKey`), CSI (pkg/volume/csi/nodeinfomanager
/// `annotationKeyNodeID`), kubeadm's socket.
const BY_CONTROLLERS: [&str; 4] = [
    "volumes.kubernetes.io/controller-managed-attach-detach",
    "node.alpha.kubernetes.io/ttl",
    "csi.volume.kubernetes.io/nodeid",
    "kubeadm.alpha.kubernetes.io/cri-socket",
];

/// Takes the inventory of a cluster: all nodes, namespaces and PersistentVolumes, what runs workloads in these namespaces, and what is left of
/// runs of steadfast, by their label.
///
/// # Errors
/// When something cannot be listed: what was not looked at cannot be said to be as it was.
pub async fn take(client: &kube::Client, namespaces: &[String]) -> Result<Inventory, kube::Error> {
    let mut inventory = Inventory::default();
    let all = ListParams::default();
    for node in Api::<Node>::all(client.clone()).list(&all).await? {
        inventory.nodes.insert(node.name_any(), state(&node));
    }
    for namespace in Api::<Namespace>::all(client.clone()).list(&all).await? {
        let phase = namespace
            .status
            .as_ref()
            .and_then(|status| status.phase.clone())
            .unwrap_or_default();
        inventory.add(
            format!("namespace {}", namespace.name_any()),
            properties([("phase", phase)]),
        );
    }
    for volume in Api::<PersistentVolume>::all(client.clone()).list(&all).await? {
        inventory.add(format!("persistent volume {}", volume.name_any()), Properties::new());
    }
    for namespace in namespaces {
        for it in list::<Deployment>(client, namespace).await? {
            inventory.add(title("deployment", &it), workload(it.spec.replicas, &it.spec.template));
        }
        for it in list::<StatefulSet>(client, namespace).await? {
            inventory.add(
                title("stateful set", &it),
                workload(it.spec.replicas, &it.spec.template),
            );
        }
        for it in list::<DaemonSet>(client, namespace).await? {
            inventory.add(title("daemon set", &it), workload(None, &it.spec.template));
        }
    }
    let ours = ListParams::default().labels(LABEL);
    for it in Api::<Lease>::all(client.clone()).list(&ours).await? {
        // The cluster's lease stays, for the next run.
        if it.name_any() != lease::NAME {
            inventory.add(title("lease", &it), Properties::new());
        }
    }
    Ok(inventory)
}

async fn list<K>(client: &kube::Client, namespace: &str) -> Result<Vec<K>, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    Ok(api.list(&ListParams::default()).await?.items)
}

fn title<K: Resource<DynamicType = ()>>(kind: &str, object: &K) -> String {
    format!(
        "{kind} {}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

fn properties<const N: usize>(all: [(&str, String); N]) -> Properties {
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn workload(replicas: Option<i32>, template: &PodTemplateSpec) -> Properties {
    let mut all = Properties::new();
    if let Some(replicas) = replicas {
        all.insert("replicas".to_owned(), replicas.to_string());
    }
    let containers = template.spec.as_ref().map(|spec| spec.containers.as_slice());
    for container in containers.unwrap_or_default() {
        all.insert(
            format!("image of {}", container.name),
            container.image.clone().unwrap_or_default(),
        );
    }
    all
}

fn state(node: &Node) -> NodeState {
    let spec = node.spec.clone().unwrap_or_default();
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    let mut annotations = node.annotations().clone();
    annotations.retain(|key, _| !BY_CONTROLLERS.contains(&key.as_str()));
    NodeState {
        ready: conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True"),
        cordoned: spec.unschedulable.unwrap_or(false),
        taints: spec
            .taints
            .unwrap_or_default()
            .into_iter()
            // What `kubectl cordon` comes with (pkg/controller/nodelifecycle, `TaintNodeUnschedulable`) is said once.
            .filter(|taint| taint.key != "node.kubernetes.io/unschedulable")
            .map(|taint| format!("{}={}:{}", taint.key, taint.value.unwrap_or_default(), taint.effect))
            .collect(),
        labels: node.labels().clone(),
        annotations,
    }
}
