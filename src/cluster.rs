//! The clusters on which an experiment runs, behind one handle.

pub mod embedded;
mod injecting;

use std::time::Duration;

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

/// The variable that chooses the cluster: `embedded` (default).
pub const CLUSTER: &str = "STEADFAST_CLUSTER";
/// The variable that chooses an embedded cluster's profile: `eks-workshop` (default) or `kind`.
pub const PROFILE: &str = "STEADFAST_PROFILE";
/// The variable that chooses an embedded cluster's seed: a whole number, 0 by default.
pub const SEED: &str = "STEADFAST_SEED";

/// Why there is no cluster, or it did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The variable names a cluster that this version does not have.
    #[error("{CLUSTER}={0}: expected embedded, the only cluster of this version")]
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
    /// The cluster's own workloads did not start.
    #[error("the cluster's own workloads are not ready after {0} s of cluster time")]
    NotReady(u64),
}

/// A cluster. Clones are handles to the same one.
#[derive(Clone)]
pub struct Cluster {
    backend: Embedded,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("kind", &self.kind())
            .field("profile", &self.profile())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster that the environment asks for: [`CLUSTER`], [`PROFILE`], [`SEED`]. Without them an embedded cluster of the
    /// profile `eks-workshop` with seed 0.
    ///
    /// # Errors
    /// When a variable has a value that means nothing, or the cluster cannot be had.
    pub async fn from_env() -> Result<Self, ClusterError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(other) = variable(CLUSTER).filter(|kind| kind != "embedded") {
            return Err(ClusterError::Unknown(other));
        }
        let mut cluster = Self::embedded();
        if let Some(name) = variable(PROFILE) {
            cluster = cluster.profile(&name)?;
        }
        if let Some(seed) = variable(SEED) {
            cluster = cluster.seed(seed.parse().map_err(|_| ClusterError::Seed(seed))?);
        }
        cluster.start().await
    }

    /// An embedded cluster, to be configured and started.
    pub fn embedded() -> embedded::Builder {
        embedded::Builder::default()
    }

    pub(crate) const fn new(backend: Embedded) -> Self {
        Self { backend }
    }

    /// A client of its Kubernetes API.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        self.backend.client()
    }

    /// Serves its Kubernetes API on a loopback port, for `kubectl` and other clients: see [`embedded::serve`].
    #[cfg(feature = "serve")]
    pub fn serve(&self) -> embedded::serve::Serve {
        embedded::serve::Serve::new(self.backend.clone())
    }

    /// What it is: `embedded`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        "embedded"
    }

    /// The name of its profile.
    #[must_use]
    pub fn profile(&self) -> String {
        self.backend.profile().name.clone()
    }

    /// Its seed: the source of all its chance, and of a fault's choice of victims.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.backend.seed()
    }

    /// How a fault's percentage of the nodes is rounded here.
    pub(crate) fn rounding(&self) -> Rounding {
        self.backend.profile().terminate.rounding
    }

    /// The time since the cluster began.
    ///
    /// # Errors
    /// When the simulation has panicked.
    pub fn now(&self) -> Result<Duration, ClusterError> {
        self.backend.now()
    }

    /// Waits for the next whole second of cluster time, so that what follows does not depend on how fast a watch was.
    pub(crate) async fn settle(&self) {
        self.backend.settle().await;
    }

    pub(crate) fn describe(&self, namespace: &str, model: &Application, assume: bool) -> Result<(), ClusterError> {
        self.backend.describe(namespace, model, assume)
    }

    /// Describes an application whose pods run already.
    pub(crate) fn describe_present(
        &self,
        namespace: &str,
        model: &Application,
        assume: bool,
    ) -> Result<(), ClusterError> {
        self.backend.describe_present(namespace, model, assume)
    }

    /// Whether the cluster acts on objects of this kind, so that they become ready some day.
    pub(crate) fn models(&self, api_version: &str, kind: &str) -> bool {
        self.backend.models(api_version, kind)
    }

    /// Notes for the history what was passed over when something was applied.
    pub(crate) fn note_not_modelled(&self, lines: Vec<String>) -> Result<(), ClusterError> {
        self.backend.note_not_modelled(lines)
    }

    /// What has been asked of it so far and has no effect there, as a run's report lists it: fields, whole kinds, and what was left
    /// out of manifests.
    ///
    /// # Errors
    /// When the simulation has panicked.
    pub fn not_modelled(&self) -> Result<Vec<String>, ClusterError> {
        self.backend.not_modelled()
    }

    pub(crate) fn start_load(&self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), ClusterError> {
        self.backend.start_load(namespace, journeys)
    }

    pub(crate) fn is_steady(&self, seconds: u32) -> Result<bool, ClusterError> {
        self.backend.is_steady(seconds)
    }

    pub(crate) fn note_steady_state(&self, seconds: u32, met: bool) -> Result<(), ClusterError> {
        self.backend.note_steady_state(seconds, met)
    }

    /// Begins faults on the nodes chosen for each by [`Cluster::targets`].
    pub(crate) fn begin(&self, faults: &[Fault], nodes: Vec<Vec<String>>) -> Result<Vec<ScopeId>, ClusterError> {
        faults
            .iter()
            .zip(nodes)
            .map(|(fault, nodes)| self.backend.begin(fault, nodes))
            .collect()
    }

    pub(crate) fn heal(&self, scope: ScopeId) -> Result<(), ClusterError> {
        self.backend.heal(scope)
    }

    /// The nodes that a fault would take now.
    #[cfg(feature = "cli")]
    pub(crate) fn candidates(&self) -> Result<Vec<Candidate>, ClusterError> {
        self.backend.candidates()
    }

    /// A cluster that goes on from this one's state in real time, so many times as fast. The two have no more to do with each other.
    #[cfg(feature = "cli")]
    pub(crate) async fn continued(world: Box<World>, speed: u32) -> Result<Self, ClusterError> {
        Ok(Self::new(Embedded::continued(world, speed).await?))
    }

    /// Its whole state.
    #[cfg(feature = "cli")]
    pub(crate) fn world(&self) -> Result<Box<World>, ClusterError> {
        Ok(self.backend.world()?)
    }

    pub(crate) fn stop_load(&self) -> Result<(), ClusterError> {
        self.backend.stop_load()
    }

    pub(crate) fn finish(&self, plan: &Plan, application: &str) -> Result<History, ClusterError> {
        self.backend.finish(plan, application)
    }
}
