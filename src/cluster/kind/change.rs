//! What is done to a kind cluster, as data: each change with its undo.
//!
//! A change is written to the journal before it is made. Its undo looks at what is there, not at what was done: it can be run when the
//! change was never made, was made halfway, or was undone already.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, DynamicObject, EvictParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::KindError;
use super::engine::Engine;
use super::joining::{Recipe, join};
use crate::safety::restore::Description;

/// The network that kind connects its nodes to: `pkg/cluster/internal/providers/docker/provider.go` `fixedNetworkName`.
pub(crate) const NETWORK: &str = "kind";

/// A node that restarts or comes back has to be Ready within this time; measured: 2.4 to 10.4 s.
const BACK_WITHIN: Duration = Duration::from_secs(120);

/// One change to a kind cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A node's container is stopped, at once or as its init does it.
    PowerOff { node: String, graceful: bool },
    /// A node's container is shut down and started again.
    Restart { node: String },
    /// A node's container is paused.
    Pause { node: String },
    /// A node's container is taken off the network.
    Disconnect { node: String },
    /// A node's kubelet is stopped.
    StopKubelet { node: String },
    /// A node is cordoned, which it was not before.
    Cordon { node: String },
    /// A node's object is deleted while its container runs on.
    DeleteObject { node: String, was: Marks },
    /// A node's container is removed; with its object, or later by what stands in for the cloud. A new node takes its place.
    Remove {
        node: String,
        replacement: String,
        recipe: Recipe,
    },
    /// A pod is deleted; its controller makes another.
    DeletePod {
        namespace: String,
        pod: String,
        /// Seconds to end in; `None`: its own.
        grace: Option<u64>,
    },
    /// A namespace is made.
    CreateNamespace { namespace: String },
    /// An object outside of those namespaces is made.
    CreateObject {
        api_version: String,
        kind: String,
        plural: String,
        namespace: Option<String>,
        name: String,
    },
}

impl Change {
    /// The node that it strikes.
    pub(crate) fn node(&self) -> Option<&str> {
        match self {
            Self::PowerOff { node, .. }
            | Self::Restart { node }
            | Self::Pause { node }
            | Self::Disconnect { node }
            | Self::StopKubelet { node }
            | Self::Cordon { node }
            | Self::DeleteObject { node, .. }
            | Self::Remove { node, .. } => Some(node),
            Self::DeletePod { .. } | Self::CreateNamespace { .. } | Self::CreateObject { .. } => None,
        }
    }

    /// What it does, and how it is undone.
    pub(crate) fn describe(&self) -> Description {
        let (what, undo) = match self {
            Self::PowerOff { node, graceful: false } => (
                format!("kill the container of {node}"),
                format!("start it; {node} is Ready"),
            ),
            Self::PowerOff { node, graceful: true } => (
                format!("stop the container of {node}"),
                format!("start it; {node} is Ready"),
            ),
            Self::Restart { node } => (
                format!("restart the container of {node}"),
                format!("start it; {node} is Ready"),
            ),
            Self::Pause { node } => (
                format!("pause the container of {node}"),
                format!("resume it; {node} is Ready"),
            ),
            Self::Disconnect { node } => (
                format!("cut {node} off the network"),
                format!("connect it; {node} is Ready"),
            ),
            Self::StopKubelet { node } => (
                format!("stop the kubelet of {node}"),
                format!("start it; {node} is Ready"),
            ),
            Self::Cordon { node } => (format!("cordon {node}"), "uncordon it".to_owned()),
            Self::DeleteObject { node, .. } => (
                format!("delete the node object of {node}"),
                format!("restart its kubelet; {node} is Ready with its labels and taints"),
            ),
            Self::Remove { node, replacement, .. } => (
                format!("remove the container of {node}"),
                format!("join {replacement} in its place; it is Ready with its labels and taints"),
            ),
            Self::DeletePod { namespace, pod, .. } => (
                format!("delete pod {namespace}/{pod}"),
                "its controller makes another".to_owned(),
            ),
            Self::CreateNamespace { namespace } => (
                format!("make namespace {namespace}"),
                "delete it with all that is in it".to_owned(),
            ),
            Self::CreateObject { kind, name, .. } => (format!("make {kind} {name}"), "delete it".to_owned()),
        };
        Description { what, undo }
    }

    /// How a machine comes back when it is undone, as a history names it.
    pub(crate) const fn returns(&self) -> Option<&'static str> {
        match self {
            Self::PowerOff { .. } => Some("powered-on"),
            Self::Pause { .. } => Some("resumed"),
            Self::Disconnect { .. } => Some("reconnected"),
            Self::StopKubelet { .. } | Self::DeleteObject { .. } => Some("kubelet-started"),
            // A reboot was back before; the others do not come back as what they were.
            Self::Restart { .. }
            | Self::Cordon { .. }
            | Self::Remove { .. }
            | Self::DeletePod { .. }
            | Self::CreateNamespace { .. }
            | Self::CreateObject { .. } => None,
        }
    }
}

/// What people wrote onto a node's object, to be put back onto a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) taints: Vec<Value>,
    pub(crate) cordoned: bool,
}

/// Taints that controllers put on and take away: pkg/controller/nodelifecycle/node_lifecycle_controller.go and k8s.io/api
/// `core/v1/well_known_taints.go`.
const CONTROLLERS_TAINTS: &str = "node.kubernetes.io/";

/// Annotations that the node's own components write anew: kubeadm, the volume controller, the network plugin.
const WRITTEN_ANEW: [&str; 3] = [
    "kubeadm.alpha.kubernetes.io/",
    "volumes.kubernetes.io/",
    "node.alpha.kubernetes.io/",
];

impl Marks {
    /// The marks of a node's object, without what its own components write.
    pub(crate) fn of(node: &Node) -> Self {
        let spec = node.spec.as_ref();
        let taints = spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        Self {
            labels: node.labels().clone(),
            annotations: node
                .annotations()
                .iter()
                .filter(|(key, _)| !WRITTEN_ANEW.iter().any(|prefix| key.starts_with(prefix)))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            taints: taints
                .iter()
                .filter(|taint| !taint.key.starts_with(CONTROLLERS_TAINTS))
                .filter_map(|taint| serde_json::to_value(taint).ok())
                .collect(),
            cordoned: spec.and_then(|spec| spec.unschedulable).unwrap_or_default(),
        }
    }

    /// Puts them onto a node of another name: its host name stays its own.
    pub(crate) fn for_another(mut self) -> Self {
        self.labels.remove("kubernetes.io/hostname");
        self
    }

    async fn put_onto(&self, nodes: &Api<Node>, name: &str) -> Result<(), kube::Error> {
        let mut patch = json!({"metadata": {"labels": self.labels, "annotations": self.annotations}});
        if !self.taints.is_empty() {
            patch["spec"]["taints"] = json!(self.taints);
        }
        if self.cordoned {
            patch["spec"]["unschedulable"] = json!(true);
        }
        nodes
            .patch(name, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .map(drop)
    }
}

/// What a change needs to be made and undone.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) engine: Engine,
    pub(crate) client: kube::Client,
    pub(crate) cluster: String,
}

/// Whether an answer says that there is no such object.
pub(crate) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

impl Hands {
    pub(crate) fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    /// Makes a change.
    pub(crate) async fn make(&self, change: &Change) -> Result<(), KindError> {
        let engine = &self.engine;
        match change {
            Change::PowerOff { node, graceful: false } => engine.kill(node).await?,
            Change::PowerOff { node, graceful: true } => engine.stop(node).await?,
            Change::Restart { node } => {
                engine.stop(node).await?;
                engine.start(node).await?;
            }
            Change::Pause { node } => engine.pause(node).await?,
            Change::Disconnect { node } => engine.disconnect(NETWORK, node).await?,
            Change::StopKubelet { node } => {
                engine.exec(node, &["systemctl", "stop", "kubelet"]).await?;
            }
            Change::Cordon { node } => self.set_cordon(node, true).await?,
            Change::DeleteObject { node, .. } => self.delete_object(node).await?,
            Change::Remove { node, .. } => engine.remove(node).await?,
            Change::DeletePod { namespace, pod, grace } => {
                let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
                let grace = grace.map(|seconds| seconds.min(u64::from(u32::MAX)) as u32);
                let how = DeleteParams {
                    grace_period_seconds: grace,
                    ..DeleteParams::default()
                };
                match pods.delete(pod, &how).await {
                    Err(error) if !is_absent(&error) => return Err(error.into()),
                    _ => {}
                }
            }
            Change::CreateNamespace { .. } | Change::CreateObject { .. } => {}
        }
        Ok(())
    }

    /// The first half of an undo: puts back what was done, as far as it was and has not been put back.
    pub(crate) async fn put_back(&self, change: &Change) -> Result<(), KindError> {
        match change {
            Change::PowerOff { node, .. } | Change::Restart { node } => self.power_on(node).await,
            Change::Pause { node } => {
                if self.container(node).await?.state == "paused" {
                    self.engine.unpause(node).await?;
                }
                Ok(())
            }
            Change::Disconnect { node } => {
                if !self.container(node).await?.networks.contains_key(NETWORK) {
                    self.engine.connect(NETWORK, node).await?;
                }
                Ok(())
            }
            Change::StopKubelet { node } => Ok(self
                .engine
                .exec(node, &["systemctl", "start", "kubelet"])
                .await
                .map(drop)?),
            Change::Cordon { node } => match self.set_cordon(node, false).await {
                // What became of the node is another change's.
                Err(KindError::Api(error)) if is_absent(&error) => Ok(()),
                other => other,
            },
            Change::DeleteObject { node, .. } => {
                if self.nodes().get_opt(node).await?.is_none() {
                    // A kubelet registers when it starts, never again: measured, no return in 120 s.
                    self.engine.exec(node, &["systemctl", "restart", "kubelet"]).await?;
                }
                Ok(())
            }
            Change::Remove {
                node,
                replacement,
                recipe,
            } => {
                self.engine.remove(node).await?;
                self.delete_object(node).await?;
                join(self, replacement, recipe).await
            }
            Change::DeletePod { .. } => Ok(()),
            Change::CreateNamespace { namespace } => self.delete_namespace(namespace).await,
            Change::CreateObject {
                api_version,
                kind,
                plural,
                namespace,
                name,
            } => {
                let resource = ApiResource {
                    group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
                    version: api_version.rsplit('/').next().unwrap_or_default().to_owned(),
                    api_version: api_version.clone(),
                    kind: kind.clone(),
                    plural: plural.clone(),
                };
                let api: Api<DynamicObject> = match namespace {
                    Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
                    None => Api::all_with(self.client.clone(), &resource),
                };
                match api.delete(name, &DeleteParams::default()).await {
                    Err(error) if !is_absent(&error) => Err(error.into()),
                    _ => Ok(()),
                }
            }
        }
    }

    /// The second half of an undo: waits until what was put back works again, and carries its marks.
    pub(crate) async fn settle(&self, change: &Change) -> Result<(), KindError> {
        match change {
            Change::PowerOff { node, .. }
            | Change::Restart { node }
            | Change::Pause { node }
            | Change::Disconnect { node }
            | Change::StopKubelet { node } => self.until_ready(node).await,
            Change::DeleteObject { node, was } => {
                self.until_ready(node).await?;
                Ok(was.put_onto(&self.nodes(), node).await?)
            }
            Change::Remove {
                replacement, recipe, ..
            } => {
                self.until_ready(replacement).await?;
                Ok(recipe.marks.put_onto(&self.nodes(), replacement).await?)
            }
            Change::Cordon { .. }
            | Change::DeletePod { .. }
            | Change::CreateNamespace { .. }
            | Change::CreateObject { .. } => Ok(()),
        }
    }

    async fn container(&self, node: &str) -> Result<super::engine::Container, KindError> {
        let found = self.engine.inspect(node).await?;
        found.ok_or_else(|| KindError::NoContainer { node: node.to_owned() })
    }

    async fn power_on(&self, node: &str) -> Result<(), KindError> {
        if !self.container(node).await?.is_running() {
            self.engine.start(node).await?;
        }
        Ok(())
    }

    pub(crate) async fn set_cordon(&self, node: &str, cordoned: bool) -> Result<(), KindError> {
        // null takes the field away, as `kubectl uncordon` does it.
        let value = if cordoned { json!(true) } else { Value::Null };
        let patch = Patch::Merge(json!({"spec": {"unschedulable": value}}));
        self.nodes().patch(node, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub(crate) async fn delete_object(&self, node: &str) -> Result<(), KindError> {
        match self.nodes().delete(node, &DeleteParams::default()).await {
            Err(error) if !is_absent(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Asks for the eviction of a pod: `Ok(None)` when it was granted or the pod is gone, else what the budget said.
    pub(crate) async fn evict(&self, namespace: &str, pod: &str) -> Result<Option<String>, KindError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        match pods.evict(pod, &EvictParams::default()).await {
            Ok(_) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            // A budget refuses with 429: pkg/registry/core/pod/storage/eviction.go `createTooManyRequestsError`.
            Err(kube::Error::Api(status)) if status.code == 429 => Ok(Some(status.message)),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_namespace(&self, namespace: &str) -> Result<(), KindError> {
        use k8s_openapi::api::core::v1::Namespace;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.delete(namespace, &DeleteParams::default()).await {
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let gone = kube::runtime::wait::await_condition(namespaces, namespace, |it: Option<&Namespace>| it.is_none());
        match tokio::time::timeout(BACK_WITHIN, gone).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(KindError::NotGone {
                namespace: namespace.to_owned(),
                after_s: BACK_WITHIN.as_secs(),
            }),
        }
    }

    /// Waits until a node is Ready with a lease renewed after now: its condition may be an old one.
    pub(crate) async fn until_ready(&self, node: &str) -> Result<(), KindError> {
        super::ready::until_ready(&self.client, node, BACK_WITHIN).await
    }
}
