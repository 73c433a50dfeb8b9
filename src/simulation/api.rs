//! What a Kubernetes API server needs of the core: objects read as JSON, a log of changes, and commands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

/// Labels or annotations.
pub type Labels = BTreeMap<String, String>;

/// A resource that the cluster serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "the four are independent of each other")]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// API version, for example `v1`.
    pub version: Cow<'static, str>,
    /// Plural name in paths, for example `deployments`.
    pub plural: Cow<'static, str>,
    /// Kind, for example `Deployment`.
    pub kind: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has a `status` subresource.
    pub status: bool,
    /// Whether the simulation acts on it; otherwise its objects are stored and have no effect.
    pub modelled: bool,
    /// Whether a CustomResourceDefinition made it; its names are the user's and may be those of a kind that is built in.
    pub custom: bool,
}

impl Resource {
    /// A resource that is built in: namespaced, with a `status` subresource, modelled.
    #[must_use]
    pub const fn built_in(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
    ) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
            kind: Cow::Borrowed(kind),
            namespaced: true,
            status: true,
            modelled: true,
            custom: false,
        }
    }

    /// The plural name of a resource that is built in; empty for a custom one.
    #[must_use]
    pub fn own_plural(&self) -> &str {
        if self.custom { "" } else { &self.plural }
    }

    /// Its group and its plural name.
    #[must_use]
    pub fn names(&self) -> (&str, &str) {
        (&self.group, &self.plural)
    }

    /// The plural name with its group, as messages have it: `deployments.apps`.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `v1`, or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// A resource as objects and requests carry it: cheap to clone.
#[derive(Clone, Debug)]
pub enum Served {
    /// One that is always there.
    BuiltIn(&'static Resource),
    /// One that a CustomResourceDefinition made.
    Custom(Arc<Resource>),
}

impl Deref for Served {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        match self {
            Self::BuiltIn(resource) => resource,
            Self::Custom(resource) => resource,
        }
    }
}

impl From<&'static Resource> for Served {
    fn from(resource: &'static Resource) -> Self {
        Self::BuiltIn(resource)
    }
}

impl PartialEq for Served {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Served {}

/// One object at one version: cheap to clone, projected to JSON when read.
#[derive(Clone, Debug)]
pub struct ApiObject {
    /// Its resource.
    pub resource: Served,
    /// Its `metadata.resourceVersion`.
    pub version: u64,
    /// Its namespace, when it has one.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// The rest.
    pub body: Arc<dyn Project>,
}

/// Something that reads as a Kubernetes object.
pub trait Project: std::fmt::Debug + Send + Sync {
    /// The whole object as JSON, `apiVersion`, `kind` and `metadata` included.
    fn project(&self) -> Value;
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct ApiChange {
    /// The version that the change made; every change of the cluster has its own, and they rise.
    pub version: u64,
    /// The object after the change (for a deletion: its last state, at the deletion's version).
    pub object: ApiObject,
    /// The object before the change; `None` when it was created.
    pub before: Option<ApiObject>,
    /// Whether the change removed the object.
    pub deleted: bool,
}

/// The changes after a version are no longer all known: HTTP 410.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The oldest version from which changes are known.
    pub oldest: u64,
}

/// Which part of an object an update writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// `gracePeriodSeconds`.
    pub grace: Option<u64>,
    /// `preconditions.uid`.
    pub uid: Option<String>,
    /// `preconditions.resourceVersion`.
    pub version: Option<String>,
    /// `propagationPolicy`.
    pub propagation: Propagation,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The object goes at once, the garbage collector deletes its dependents afterwards.
    #[default]
    Background,
    /// The object stays until those of its dependents that block its deletion are gone.
    Foreground,
    /// The dependents stay, without this owner.
    Orphan,
}

/// Why a command was refused. The message is the one that Kubernetes gives, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 404.
    #[error("{plural} \"{name}\" not found")]
    NotFound {
        /// Plural name, with its group: `deployments.apps`.
        plural: String,
        /// Object name.
        name: String,
    },
    /// 409, reason AlreadyExists.
    #[error("{plural} \"{name}\" already exists")]
    AlreadyExists {
        /// Plural name, with its group.
        plural: String,
        /// Object name.
        name: String,
    },
    /// 409, reason Conflict.
    #[error("Operation cannot be fulfilled on {plural} \"{name}\": {why}")]
    Conflict {
        /// Plural name, with its group.
        plural: String,
        /// Object name.
        name: String,
        /// What differs.
        why: String,
    },
    /// 422: valid JSON of the kind, but a field's value is not allowed.
    #[error("{kind} \"{name}\" is invalid: {}", causes.iter().map(|(field, why)| format!("{field}: {why}")).collect::<Vec<_>>().join(", "))]
    Invalid {
        /// Kind, with its group.
        kind: String,
        /// Object name.
        name: String,
        /// Field path and what is wrong with it.
        causes: Vec<(String, String)>,
    },
    /// 400: not an object of the kind.
    #[error("{0}")]
    BadRequest(String),
    /// 429, an eviction that a PodDisruptionBudget does not allow now.
    #[error("{message}")]
    TooManyRequests {
        /// What was refused.
        message: String,
        /// `details.retryAfterSeconds` and the header `Retry-After`; 0: neither.
        retry_after: u64,
        /// The message of `details.causes[0]`, whose reason is `DisruptionBudget`.
        cause: String,
    },
    /// 500 without a reason: what the API server itself does not support.
    #[error("{0}")]
    Internal(String),
    /// 403, for example a namespace that is being terminated.
    #[error("{0}")]
    Forbidden(String),
}

/// The commands and reads of an API server. `World` is the implementation.
pub trait ApiStore {
    /// The resources served, in a fixed order.
    fn resources(&self) -> Vec<Served>;
    /// The version of the newest change; at least 1.
    fn version(&self) -> u64;
    /// One object.
    fn get(&self, resource: &Served, namespace: Option<&str>, name: &str) -> Option<ApiObject>;
    /// All objects of a resource, or those of a namespace, ordered by namespace and name.
    fn list(&self, resource: &Served, namespace: Option<&str>) -> Vec<ApiObject>;
    /// The first objects of a list that come after a namespace and name, and how many come after those.
    fn page(
        &self,
        resource: &Served,
        namespace: Option<&str>,
        after: (&str, &str),
        limit: usize,
    ) -> (Vec<ApiObject>, usize) {
        let mut objects = self.list(resource, namespace);
        objects.retain(|it| (it.namespace.as_deref().unwrap_or_default(), &*it.name) > after);
        let left = objects.len().saturating_sub(limit);
        objects.truncate(limit);
        (objects, left)
    }
    /// The changes of a resource after a version, in order.
    ///
    /// # Errors
    /// When the log no longer reaches back so far.
    fn changes(&self, resource: &Served, after: u64) -> Result<Vec<ApiChange>, Expired>;
    /// Creates an object. The namespace of the request is in the object already.
    ///
    /// # Errors
    /// As Kubernetes refuses.
    fn create(&mut self, resource: &Served, object: Value, dry_run: bool) -> Result<ApiObject, ApiError>;
    /// Replaces an object, or its status. A `metadata.resourceVersion` in `object` must be the stored one.
    ///
    /// # Errors
    /// As Kubernetes refuses.
    fn replace(&mut self, resource: &Served, object: Value, part: Part, dry_run: bool) -> Result<ApiObject, ApiError>;
    /// Deletes an object. Returns its last state, and whether it is gone already.
    ///
    /// # Errors
    /// As Kubernetes refuses.
    fn delete(
        &mut self,
        resource: &Served,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(ApiObject, bool), ApiError>;
    /// Evicts a pod: deletes it unless a PodDisruptionBudget forbids it.
    ///
    /// # Errors
    /// As Kubernetes refuses; [`ApiError::TooManyRequests`] when its budget allows no disruption now.
    fn evict(&mut self, namespace: &str, pod: &str, options: &DeleteOptions, dry_run: bool) -> Result<(), ApiError>;
    /// Binds a pod to a node, as a scheduler does.
    ///
    /// # Errors
    /// As Kubernetes refuses.
    fn bind(&mut self, namespace: &str, pod: &str, node: &str, dry_run: bool) -> Result<(), ApiError>;
    /// Completes the last write of an object by who manages its fields (`metadata.managedFields`), which makes no version of its
    /// own.
    fn set_managers(&mut self, resource: &Served, namespace: Option<&str>, name: &str, managers: Option<Arc<Value>>);
    /// The log lines of a pod's container.
    fn pod_log(&self, namespace: &str, pod: &str) -> Option<Vec<String>>;
}

/// `MergePatch` of RFC 7396, section 2.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
