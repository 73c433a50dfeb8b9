//! Objects that are kept as the user wrote them, and events.

use std::sync::Arc;

use serde_json::Value;

use crate::model::time::Time;
use crate::simulation::api::Served;

/// An object of a kind that the simulation stores without acting on it (or whose text is all there is, as a ConfigMap's):
/// everything but `apiVersion`, `kind` and `metadata`.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The rest of the object.
    pub rest: Arc<Value>,
    /// Its resource.
    pub resource: Served,
}

/// An Event.
#[derive(Clone, Debug)]
pub struct Event {
    /// `Pod`, `Node`, `Deployment` ...
    pub kind: &'static str,
    /// The object's namespace.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
    /// The object's uid.
    pub uid: u64,
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// Reason, for example `FailedScheduling`.
    pub reason: &'static str,
    /// Message.
    pub message: Arc<str>,
    /// The component that says so.
    pub component: &'static str,
    /// How often.
    pub count: u32,
    /// First time.
    pub first: Time,
    /// Last time.
    pub last: Time,
}
