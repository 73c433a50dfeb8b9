//! StatefulSets, and the revisions of StatefulSets and DaemonSets.

use std::sync::Arc;

use serde_json::Value;

use super::selector::Selector;
use super::template::PodTemplate;
use crate::model::time::Span;

/// A StatefulSet.
#[derive(Clone, Debug)]
pub struct StatefulSet {
    /// `spec` as the user wrote it, defaults filled in.
    pub spec: Arc<Value>,
    /// Wanted pods.
    pub replicas: u32,
    /// The first ordinal.
    pub start: u32,
    /// Which pods are its own.
    pub selector: Selector,
    /// What they are made from.
    pub template: Arc<PodTemplate>,
    /// The Service that gives them names.
    pub service: Arc<str>,
    /// In which order.
    pub management: Management,
    /// How they are replaced.
    pub update: Update,
    /// How long a pod must be ready to count as available.
    pub min_ready: Span,
    /// What claims each pod has: the part of the name, labels, and specification.
    pub claims: Arc<[ClaimTemplate]>,
    /// Whether claims go with the set.
    pub when_deleted: Retention,
    /// Whether claims go with a pod that scaling takes.
    pub when_scaled: Retention,
    /// Revisions kept besides those in use.
    pub history: u32,
    /// The status.
    pub status: StatefulSetStatus,
}

/// A template of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimTemplate {
    /// Its name, also that of the volume.
    pub name: String,
    /// The object: metadata and specification.
    pub object: Arc<Value>,
}

/// In which order pods are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Management {
    /// One after the other, each when those before it are ready.
    #[default]
    OrderedReady,
    /// All at once.
    Parallel,
}

/// How pods of an older revision are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// When somebody deletes them.
    OnDelete,
    /// From the highest ordinal down to this one.
    Rolling {
        /// The first ordinal that is replaced, counted from the first.
        partition: u32,
    },
}

/// What becomes of claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// They stay.
    #[default]
    Retain,
    /// They go.
    Delete,
}

impl Retention {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}

/// A StatefulSet's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatefulSetStatus {
    /// The generation seen.
    pub observed: u64,
    /// Pods.
    pub replicas: u32,
    /// Ready pods.
    pub ready: u32,
    /// Available pods.
    pub available: u32,
    /// Pods of the current revision.
    pub current: u32,
    /// Pods of the newest revision.
    pub updated: u32,
    /// The revision that all pods had last.
    pub current_revision: Arc<str>,
    /// The newest revision.
    pub update_revision: Arc<str>,
}

/// A ControllerRevision: a template that a StatefulSet or DaemonSet has had.
#[derive(Clone, Debug)]
pub struct ControllerRevision {
    /// The template.
    pub template: Arc<PodTemplate>,
    /// The revision's number.
    pub revision: u64,
}
