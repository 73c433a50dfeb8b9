//! What a pod needs of its node that its template does not say: that its volumes can be there.

use std::sync::Arc;

use crate::simulation::objects::selector::Requirement;

/// Terms of which one must hold, each a list of requirements that all must (`NodeSelector`).
pub type NodeTerms = Vec<Vec<Requirement>>;

/// Needs of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The node affinity of each of its bound volumes; all must hold (plugins/volumebinding/volume_binding.go `Filter`).
    pub volumes: Vec<NodeTerms>,
    /// Why no node will do at all, as a plugin's `PreFilter` says it, for example
    /// `pod has unbound immediate PersistentVolumeClaims`.
    pub refused: Option<Arc<str>>,
}

/// None.
pub(super) static NONE: Needs = Needs {
    volumes: Vec::new(),
    refused: None,
};
