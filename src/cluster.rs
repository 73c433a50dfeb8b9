//! The clusters on which an experiment runs, behind one handle.

pub mod embedded;
mod injecting;
#[cfg(feature = "kind")]
pub mod kind;
#[cfg(feature = "kind")]
mod observing;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use kube::Api;
use kube::api::DynamicObject;
use kube::discovery::ApiResource;
use serde_json::Value;

use crate::model::application::Application;
use crate::model::experiment::Plan;
#[cfg(feature = "cli")]
use crate::model::fault::Candidate;
use crate::model::fault::{Fault, Rounding, SelectError};
use crate::model::history::History;
use crate::model::journey::Journey;
use crate::model::profile::ProfileError;
use crate::simulation::faults::ScopeId;
use crate::simulation::network::InstallError;
#[cfg(feature = "cli")]
use crate::simulation::world::World;
use embedded::Embedded;
use embedded::driver::DriverError;

pub use injecting::ActiveFault;

/// The variable that chooses the cluster: `embedded` (default) or `kind`.
pub const CLUSTER: &str = "STEADFAST_CLUSTER";
/// The variable that chooses an embedded cluster's profile: `eks-workshop` (default) or `kind`.
pub const PROFILE: &str = "STEADFAST_PROFILE";
/// The variable that chooses an embedded cluster's seed: a whole number, 0 by default.
pub const SEED: &str = "STEADFAST_SEED";

/// What is waited for is looked at this often.
const TICK: Duration = Duration::from_secs(1);

/// The clusters that this build has.
#[cfg(feature = "kind")]
const KINDS: &str = "embedded or kind";
#[cfg(not(feature = "kind"))]
const KINDS: &str = "embedded, the only cluster of this build (kind needs the feature `kind`)";

/// Why there is no cluster, or it did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The variable names a cluster that this version does not have.
    #[error("{CLUSTER}={0}: expected {KINDS}")]
    Unknown(String),
    /// The seed is no number.
    #[error("{SEED}={0}: expected a whole number from 0 to 18446744073709551615")]
    Seed(String),
    /// No such profile.
    #[error("no such profile")]
    Profile(#[from] ProfileError),
    /// The embedded cluster cannot run here.
    #[error("the embedded cluster cannot run")]
    Driver(#[from] DriverError),
    /// The model or a journey makes no sense.
    #[error("the application model makes no sense")]
    Model(#[from] InstallError),
    /// A fault's targets could not be chosen.
    #[error("the fault has no targets")]
    Targets(#[from] SelectError),
    /// The cluster's nodes could not be listed.
    #[error("the cluster's nodes could not be listed")]
    Nodes(#[source] Box<kube::Error>),
    /// What only an embedded cluster can do.
    #[error("only an embedded cluster can be looked into: this one is real")]
    NotEmbedded,
    /// The kind cluster.
    #[cfg(feature = "kind")]
    #[error("the kind cluster cannot be used")]
    Kind(#[from] kind::KindError),
    /// The cluster's own workloads did not start.
    #[error("the cluster's own workloads are not ready after {0} s of cluster time")]
    NotReady(u64),
}

/// A cluster. Clones are handles to the same one.
#[derive(Clone)]
pub struct Cluster {
    backend: Backend,
}

/// What stands behind a handle.
#[derive(Clone)]
enum Backend {
    Embedded(Embedded),
    #[cfg(feature = "kind")]
    Kind(kind::Handle),
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("kind", &self.cluster_kind())
            .field("profile", &self.profile())
            .finish_non_exhaustive()
    }
}

#[cfg_attr(
    not(feature = "kind"),
    expect(
        clippy::unused_async,
        unused_variables,
        reason = "what a real cluster waits for and needs, a simulated one does not"
    )
)]
impl Cluster {
    /// The cluster that the environment asks for: [`CLUSTER`], [`PROFILE`], [`SEED`]. Without them an embedded cluster of the
    /// profile `eks-workshop` with seed 0.
    ///
    /// # Errors
    /// When a variable has a value that means nothing, or the cluster cannot be had.
    pub async fn from_env() -> Result<Self, ClusterError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let seed = match variable(SEED) {
            Some(seed) => Some(seed.parse().map_err(|_| ClusterError::Seed(seed))?),
            None => None,
        };
        match variable(CLUSTER).as_deref() {
            None | Some("embedded") => {
                let mut cluster = Self::embedded();
                if let Some(name) = variable(PROFILE) {
                    cluster = cluster.profile(&name)?;
                }
                cluster.seed(seed.unwrap_or(0)).start().await
            }
            #[cfg(feature = "kind")]
            Some("kind") => kind::Builder::from_env()?.seed(seed.unwrap_or(0)).start().await,
            Some(other) => Err(ClusterError::Unknown(other.to_owned())),
        }
    }

    /// An embedded cluster, to be configured and started.
    pub fn embedded() -> embedded::Builder {
        embedded::Builder::default()
    }

    /// A kind cluster, to be found or made.
    #[cfg(feature = "kind")]
    pub fn kind() -> kind::Builder {
        kind::Builder::default()
    }

    pub(crate) const fn new(embedded: Embedded) -> Self {
        Self {
            backend: Backend::Embedded(embedded),
        }
    }

    /// A client of its Kubernetes API.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        match &self.backend {
            Backend::Embedded(it) => it.client(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.client(),
        }
    }

    /// Serves its Kubernetes API on a loopback port, for `kubectl` and other clients: see [`embedded::serve`]. Only an embedded cluster can:
    /// a real one is served already.
    #[cfg(feature = "serve")]
    pub fn serve(&self) -> embedded::serve::Serve {
        embedded::serve::Serve::new(self.embedded_one().cloned())
    }

    /// What it is: `embedded` or `kind`.
    #[must_use]
    pub const fn cluster_kind(&self) -> &'static str {
        match &self.backend {
            Backend::Embedded(_) => "embedded",
            #[cfg(feature = "kind")]
            Backend::Kind(_) => "kind",
        }
    }

    /// The embedded cluster that it is.
    #[cfg_attr(
        not(feature = "kind"),
        expect(clippy::unnecessary_wraps, reason = "there is no other in this build")
    )]
    const fn embedded_one(&self) -> Option<&Embedded> {
        match &self.backend {
            Backend::Embedded(it) => Some(it),
            #[cfg(feature = "kind")]
            Backend::Kind(_) => None,
        }
    }

    /// The name of its profile.
    #[must_use]
    pub fn profile(&self) -> String {
        match &self.backend {
            Backend::Embedded(it) => it.profile().name.clone(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.profile(),
        }
    }

    /// Its seed: the source of all its chance, and of a fault's choice of victims.
    #[must_use]
    pub fn seed(&self) -> u64 {
        match &self.backend {
            Backend::Embedded(it) => it.seed(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.seed(),
        }
    }

    /// How a fault's percentage of the nodes is rounded here.
    pub(crate) fn rounding(&self) -> Rounding {
        match &self.backend {
            Backend::Embedded(it) => it.profile().terminate.rounding,
            #[cfg(feature = "kind")]
            Backend::Kind(_) => Rounding::Floor,
        }
    }

    /// The time since the cluster began; of a real one since this handle was made.
    ///
    /// # Errors
    /// When the simulation has panicked.
    pub fn now(&self) -> Result<Duration, ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.now(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.now()),
        }
    }

    /// Waits for the next whole second of cluster time, so that what follows does not depend on how fast a watch was. On a real cluster
    /// nothing is gained by it.
    pub(crate) async fn settle(&self) {
        if let Some(embedded) = self.embedded_one() {
            embedded.settle().await;
        }
    }

    /// Says what the images of a namespace do. Where real containers run, they do what they do.
    pub(crate) fn describe(&self, namespace: &str, model: &Application, assume: bool) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.describe(namespace, model, assume),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.describe(namespace, model, assume)?),
        }
    }

    /// Makes ready what an application needs before it is applied. A simulated cluster needs nothing.
    pub(crate) async fn prepare(&self, namespaces: &BTreeSet<&str>, model: &Application) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(_) => Ok(()),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.prepare(namespaces, model).await?),
        }
    }

    /// An object is about to be put: a real cluster writes it down, so that it can be taken away again.
    pub(crate) async fn will_put(
        &self,
        api: &Api<DynamicObject>,
        resource: &ApiResource,
        name: &str,
    ) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(_) => Ok(()),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.will_put(api, resource, name).await?),
        }
    }

    /// An object as it is put on this cluster: where stand-ins run in place of images, they are in it.
    pub(crate) fn adapted<'a>(&self, namespace: &str, object: &'a Value) -> Cow<'a, Value> {
        match &self.backend {
            Backend::Embedded(_) => Cow::Borrowed(object),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.adapted(namespace, object),
        }
    }

    /// Waits for something to look at: a second of cluster time; on a real cluster less, when something changes before.
    pub(crate) async fn tick(&self) {
        match &self.backend {
            Backend::Embedded(_) => tokio::time::sleep(TICK).await,
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.changed(TICK).await,
        }
    }

    /// Describes an application whose pods run already.
    pub(crate) fn describe_present(
        &self,
        namespace: &str,
        model: &Application,
        assume: bool,
    ) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.describe_present(namespace, model, assume),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.describe(namespace, model, assume)?),
        }
    }

    /// Whether the cluster acts on objects of this kind, so that they become ready some day.
    pub(crate) fn models(&self, api_version: &str, kind: &str) -> bool {
        self.embedded_one().is_none_or(|it| it.models(api_version, kind))
    }

    /// Notes for the history what was passed over when something was applied.
    pub(crate) fn note_not_modelled(&self, lines: Vec<String>) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.note_not_modelled(lines),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => {
                it.note_not_modelled(lines);
                Ok(())
            }
        }
    }

    /// What has been asked of it so far and has no effect there, as a run's report lists it: fields, whole kinds, and what was left
    /// out of manifests.
    ///
    /// # Errors
    /// When the simulation has panicked.
    pub fn not_modelled(&self) -> Result<Vec<String>, ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.not_modelled(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.not_modelled()),
        }
    }

    pub(crate) async fn start_load(&self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.start_load(namespace, journeys),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.start_load(namespace, journeys).await?),
        }
    }

    pub(crate) fn is_steady(&self, seconds: u32) -> Result<bool, ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.is_steady(seconds),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.is_steady(seconds)),
        }
    }

    pub(crate) fn note_steady_state(&self, seconds: u32, met: bool) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.note_steady_state(seconds, met),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => {
                it.note_steady_state(seconds, met);
                Ok(())
            }
        }
    }

    /// Begins a fault on the nodes chosen for it by [`Cluster::targets`].
    pub(crate) async fn begin(&self, fault: &Fault, nodes: Vec<String>) -> Result<ScopeId, ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.begin(fault, nodes),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.begin(fault, nodes).await?),
        }
    }

    /// Ends a fault. On a real cluster what can come back has when this returns; in a simulation it begins to.
    pub(crate) async fn heal(&self, scope: ScopeId) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => {
                it.heal(scope)?;
                // What was sent on its way happens before the caller goes on.
                tokio::task::yield_now().await;
                Ok(())
            }
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.heal(scope).await?),
        }
    }

    /// Ends a fault where nobody can wait for it.
    pub(crate) fn heal_now(&self, scope: ScopeId) {
        match &self.backend {
            Backend::Embedded(it) => {
                // A cluster that has failed cannot be healed, and has said so already.
                let _failed = it.heal(scope);
            }
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.heal_now(scope),
        }
    }

    /// The nodes that a fault would take now, on an embedded cluster.
    #[cfg(feature = "cli")]
    pub(crate) fn candidates(&self) -> Result<Vec<Candidate>, ClusterError> {
        self.embedded_one().map_or_else(|| Ok(Vec::new()), Embedded::candidates)
    }

    /// A cluster that goes on from this one's state in real time, so many times as fast. The two have no more to do with each other.
    #[cfg(feature = "cli")]
    pub(crate) async fn continued(world: Box<World>, speed: u32) -> Result<Self, ClusterError> {
        Ok(Self::new(Embedded::continued(world, speed).await?))
    }

    /// The whole state of an embedded cluster.
    #[cfg(feature = "cli")]
    pub(crate) fn world(&self) -> Result<Box<World>, ClusterError> {
        let embedded = self.embedded_one().ok_or(ClusterError::NotEmbedded)?;
        Ok(embedded.world()?)
    }

    /// No slot starts from now on.
    pub(crate) fn stop_load(&self) -> Result<(), ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.stop_load(),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => {
                it.stop_load();
                Ok(())
            }
        }
    }

    /// Waits until the slots under way have ended, for at most this long.
    pub(crate) async fn drain(&self, at_most: Duration) {
        match &self.backend {
            Backend::Embedded(_) => tokio::time::sleep(at_most).await,
            #[cfg(feature = "kind")]
            Backend::Kind(it) => it.drain(at_most).await,
        }
    }

    /// Ends a run. A real cluster is put back first, and looked at: whatever is not as it was before makes the run's rollback incomplete.
    pub(crate) async fn finish(&self, plan: &Plan, application: &str) -> Result<History, ClusterError> {
        match &self.backend {
            Backend::Embedded(it) => it.finish(plan, application),
            #[cfg(feature = "kind")]
            Backend::Kind(it) => Ok(it.finish(plan, application).await?),
        }
    }
}
