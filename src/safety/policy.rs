//! Which clusters may be broken, and how much of them.
//!
//! Nothing real is broken that is not allowed by name, in a file that the user writes: `steadfast.yaml`, looked for from the current folder
//! upwards, or named by the variable [`CONFIG`]. A cluster that steadfast made itself needs no entry.
//!
//! What may be done is a value: a [`Permission`] can only be had by [`Policy::permit`] or [`own`], and a [`Strike`] only by
//! [`Permission::strike`]. Functions that break something ask for them.

mod caps;
mod file;
mod selector;

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;

use super::identity::Identity;

pub use caps::{CapError, Caps, Strike};
pub use file::{Allowed, Another, CONFIG, FILE, Policy, PolicyError};
pub use selector::{NodeSelector, SelectorError};

/// The label of control plane nodes (kubeadm, `constants.LabelNodeRoleControlPlane`).
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A node, as far as it matters whether it may be struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl NodeFacts {
    /// Whether it runs the control plane.
    #[must_use]
    pub fn is_control_plane(&self) -> bool {
        self.labels.contains_key(CONTROL_PLANE)
    }
}

impl From<&Node> for NodeFacts {
    fn from(node: &Node) -> Self {
        Self {
            name: node.name_any(),
            labels: node.labels().clone(),
        }
    }
}

/// The right to break something on one cluster. It can only be had by the check of an allow-list, or of the module that made the cluster.
#[derive(Clone, Debug)]
pub struct Permission {
    cluster: Identity,
    /// None: everywhere.
    namespaces: Option<Vec<String>>,
    nodes: NodeSelector,
    caps: Caps,
    /// Where limits are changed.
    file: Option<PathBuf>,
}

/// The permission for a cluster that steadfast made itself. Its module calls it, once it has seen its own mark on the cluster: nobody else may
/// say so. All its workers may be struck.
#[must_use]
pub fn own(cluster: Identity) -> Permission {
    Permission {
        cluster,
        namespaces: None,
        nodes: NodeSelector::workers(),
        caps: Caps {
            nodes: None,
            percent: 100,
        },
        file: None,
    }
}

/// Why a namespace may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the namespace `{namespace}` of `{context}` is not allowed: add it to `namespaces: [{allowed}]` of this cluster in {file}"
)]
pub struct NamespaceError {
    namespace: String,
    context: String,
    allowed: String,
    file: String,
}

impl Permission {
    /// The cluster that it is for.
    #[must_use]
    pub const fn cluster(&self) -> &Identity {
        &self.cluster
    }

    /// How much may be broken.
    #[must_use]
    pub const fn caps(&self) -> Caps {
        self.caps
    }

    /// Which nodes may be struck.
    #[must_use]
    pub const fn nodes(&self) -> &NodeSelector {
        &self.nodes
    }

    /// Whether a namespace may be deployed to and its pods struck.
    ///
    /// # Errors
    /// When it is not one of those allowed.
    pub fn namespace(&self, namespace: &str) -> Result<(), NamespaceError> {
        match &self.namespaces {
            Some(allowed) if !allowed.iter().any(|it| it == namespace) => Err(NamespaceError {
                namespace: namespace.to_owned(),
                context: self.cluster.context.clone(),
                allowed: allowed.join(", "),
                file: self.file(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether these nodes may be struck, all at once.
    ///
    /// # Errors
    /// When there are none, one may not be struck, or there are too many.
    pub fn strike(&self, targets: &[String], nodes: &[NodeFacts]) -> Result<Strike, CapError> {
        caps::strike(self, targets, nodes)
    }

    fn file(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| FILE.to_owned(), |path| path.display().to_string())
    }
}

#[cfg(test)]
mod tests;
