//! Object metadata.

use std::sync::Arc;

use serde_json::Value;

use crate::model::time::{Span, Time};
use crate::simulation::api::Labels;

/// What every object carries.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Name.
    pub name: Arc<str>,
    /// Namespace; empty for objects without one.
    pub namespace: Arc<str>,
    /// A number unique in the cluster, shown as a UUID.
    pub uid: u64,
    /// The version of the last change.
    pub version: u64,
    /// Counts changes of the specification.
    pub generation: u64,
    /// When it was created.
    pub created: Time,
    /// Labels.
    pub labels: Arc<Labels>,
    /// Annotations.
    pub annotations: Arc<Labels>,
    /// The controller that owns it.
    pub owner: Option<Owner>,
    /// Other owners, as the user wrote them; `None` for none.
    pub references: Option<Arc<[Reference]>>,
    /// Set once it is being deleted.
    pub deletion: Option<Deletion>,
    /// `generateName`, when it has one.
    pub generate_name: Option<Arc<str>>,
    /// `managedFields`, as they are written.
    pub managed: Option<Arc<Value>>,
    /// Finalizers that the user set.
    pub finalizers: Vec<String>,
}

/// The controlling owner.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `apps/v1` and the like.
    pub api_version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: u64,
    /// Its row in its table.
    pub row: u32,
}

/// An owner as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `apiVersion`.
    pub api_version: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its uid as written.
    pub uid: Arc<str>,
    /// `controller`.
    pub controller: Option<bool>,
    /// `blockOwnerDeletion`.
    pub blocks: Option<bool>,
}

/// A deletion under way.
#[derive(Clone, Copy, Debug)]
pub struct Deletion {
    /// When it was asked for.
    pub at: Time,
    /// The grace period.
    pub grace: Span,
}

/// A uid as Kubernetes writes it: the number in the form of a version 4 UUID.
#[must_use]
pub fn uid_text(uid: u64) -> String {
    // Spread the counter over the digits so that uids do not look alike; the map is one to one (odd multiplier).
    let high = uid.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        (high >> 4) & 0xfff,
        high & 0xf,
        uid
    )
}

/// The number of a uid that [`uid_text`] wrote.
#[must_use]
pub fn uid_number(text: &str) -> Option<u64> {
    let (_, digits) = text.rsplit_once('-')?;
    let uid = u64::from_str_radix(digits, 16).ok()?;
    (uid_text(uid) == text).then_some(uid)
}
