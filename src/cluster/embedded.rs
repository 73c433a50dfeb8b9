//! The embedded cluster: the simulation behind a Kubernetes API, inside the test process.

pub mod driver;
pub(crate) mod face;
#[cfg(feature = "serve")]
pub mod serve;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;

use super::{Cluster, ClusterError};
use crate::model::application::Application;
use crate::model::experiment::Plan;
use crate::model::fault::Fault;
use crate::model::history::History;
use crate::model::journey::Journey;
use crate::model::profile::Profile;
use crate::model::time::Time;
use crate::simulation::faults::ScopeId;
use crate::simulation::objects::resources;
use crate::simulation::world::World;
use driver::{Driver, DriverError, Live, Pace};
use face::Face;

/// How long the cluster's own workloads may take to start.
const START: Duration = Duration::from_secs(300);

impl Live for World {
    fn advance(&mut self, now: u64) {
        self.run_until(Time(now));
    }

    fn next_event(&self) -> Option<u64> {
        let next = self.next_cluster_event();
        (next != Time::NEVER).then_some(next.0)
    }

    fn loaded(&self) -> bool {
        self.load_from().is_some()
    }
}

/// An embedded cluster that is yet to be started.
#[derive(Clone, Debug)]
#[must_use = "a cluster does nothing until it is started: .start().await"]
pub struct Builder {
    profile: Result<Profile, String>,
    seed: u64,
    pace: Pace,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            profile: Profile::built_in("eks-workshop").map_err(|error| error.to_string()),
            seed: 0,
            pace: Pace::Virtual,
        }
    }
}

impl Builder {
    /// A built-in profile: `eks-workshop` (default) or `kind`.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn profile(mut self, name: &str) -> Result<Self, ClusterError> {
        self.profile = Ok(Profile::built_in(name)?);
        Ok(self)
    }

    /// A profile of one's own.
    pub fn custom_profile(mut self, profile: Profile) -> Self {
        self.profile = Ok(profile);
        self
    }

    /// The seed of all chance; 0 by default.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The nodes that run workloads at the start, instead of the profile's number.
    pub fn nodes(mut self, count: u32) -> Self {
        if let Ok(profile) = &mut self.profile {
            profile.nodes.count = count;
        }
        self
    }

    /// Without a Cluster Autoscaler: pods that do not fit stay Pending. The auto scaling group still replaces lost instances.
    pub fn without_autoscaler(mut self) -> Self {
        if let Ok(profile) = &mut self.profile {
            profile.without_autoscaler();
        }
        self
    }

    /// Cluster time follows the clock on the wall, for tests that also wait for real sockets.
    pub const fn real_time(self) -> Self {
        self.speed(1)
    }

    /// Cluster time follows the clock on the wall, so many times as fast: with 60, a minute passes in a second. 0 counts as 1.
    pub const fn speed(mut self, speed: u32) -> Self {
        self.pace = Pace::Real { speed };
        self
    }

    /// Starts it and waits until its own workloads are ready. In virtual time (the default) this pauses tokio's clock; in real time the
    /// cluster's start is skipped, and time begins to pass once it is ready.
    ///
    /// # Errors
    /// Outside of a tokio runtime, or in virtual time on a runtime of several threads.
    pub async fn start(self) -> Result<Cluster, ClusterError> {
        let profile = Arc::new(match self.profile {
            Ok(profile) => profile,
            Err(name) => return Err(ClusterError::Unknown(name)),
        });
        // In a box: a world is too large to be carried through futures.
        let mut world = Box::new(World::new(profile, self.seed));
        if self.pace != Pace::Virtual {
            start(&mut world)?;
        }
        let embedded = Embedded::over(world, self.pace).await?;
        if self.pace == Pace::Virtual {
            embedded.until_ready().await?;
            embedded.settle().await;
        }
        Ok(Cluster::new(embedded))
    }
}

/// Lets a world's time pass until what runs in it is ready.
fn start(world: &mut World) -> Result<(), ClusterError> {
    for _ in 0..START.as_secs() {
        let next = (world.now().second() + 1) * 1_000_000;
        world.run_until(Time(next));
        let store = world.store();
        let mut deployments = store.deployments.iter().map(|(_, row)| &row.body);
        let mut daemon_sets = store.daemon_sets.iter().map(|(_, row)| &row.body.status);
        if deployments.all(|it| it.status.available == it.replicas) && daemon_sets.all(|it| it.ready == it.desired) {
            return Ok(());
        }
    }
    Err(ClusterError::NotReady(START.as_secs()))
}

/// A running embedded cluster.
#[derive(Clone)]
pub(crate) struct Embedded {
    client: kube::Client,
    driver: Driver<World>,
    profile: Arc<Profile>,
    seed: u64,
    #[cfg(feature = "serve")]
    pace: Pace,
}

impl Embedded {
    /// Begins to drive a world.
    async fn over(world: Box<World>, pace: Pace) -> Result<Self, DriverError> {
        let (profile, seed, from) = (Arc::new(world.profile().clone()), world.seed(), world.now().0);
        let driver = Box::pin(Driver::start(*world, from, pace)).await?;
        Ok(Self {
            client: Face::new(driver.clone())?.client(),
            driver,
            profile,
            seed,
            #[cfg(feature = "serve")]
            pace,
        })
    }

    /// A world that has run before, in real time once it is ready.
    #[cfg(feature = "cli")]
    pub(crate) async fn continued(mut world: Box<World>, speed: u32) -> Result<Self, ClusterError> {
        start(&mut world)?;
        Ok(Self::over(world, Pace::Real { speed }).await?)
    }

    /// The world as it is now.
    #[cfg(feature = "cli")]
    pub(crate) fn world(&self) -> Result<Box<World>, DriverError> {
        self.driver.with(|world| Box::new(world.clone()))
    }

    #[cfg(feature = "serve")]
    pub(crate) const fn pace(&self) -> Pace {
        self.pace
    }

    #[cfg(feature = "serve")]
    pub(crate) fn driver(&self) -> Driver<World> {
        self.driver.clone()
    }

    pub(crate) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn now(&self) -> Result<Duration, ClusterError> {
        Ok(self.driver.with(|world| world.now().since(Time::ZERO).duration())?)
    }

    pub(crate) async fn settle(&self) {
        let rest = 1_000_000 - self.driver.now() % 1_000_000;
        if rest < 1_000_000 {
            tokio::time::sleep_until(self.driver.after(Duration::from_micros(rest))).await;
        }
    }

    /// Waits for the Deployments of `kube-system`.
    async fn until_ready(&self) -> Result<(), ClusterError> {
        let api: Api<Deployment> = Api::namespaced(self.client(), "kube-system");
        for _ in 0..START.as_secs() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let all = api
                .list(&ListParams::default())
                .await
                .map_err(|_| DriverError::Panicked)?;
            let available = |it: &Deployment| it.status.as_ref().and_then(|status| status.available_replicas);
            if all.iter().all(|it| available(it) == it.spec.replicas) {
                return Ok(());
            }
        }
        Err(ClusterError::NotReady(START.as_secs()))
    }

    pub(crate) fn describe(&self, namespace: &str, model: &Application, assume: bool) -> Result<(), ClusterError> {
        self.driver.with(|world| {
            if assume {
                world.describe_and_assume(namespace, model)?;
            } else {
                world.describe(namespace, model)?;
            }
            Ok(())
        })?
    }

    pub(crate) fn describe_present(
        &self,
        namespace: &str,
        model: &Application,
        assume: bool,
    ) -> Result<(), ClusterError> {
        self.describe(namespace, model, assume)?;
        Ok(self.driver.with(|world| world.describe_present(namespace))?)
    }

    #[expect(clippy::unused_self, reason = "a question to the cluster, whatever cluster it is")]
    pub(crate) fn models(&self, api_version: &str, kind: &str) -> bool {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        resources::find(group, version, kind).is_some_and(|resource| resource.modelled)
    }

    pub(crate) fn not_modelled(&self) -> Result<Vec<String>, ClusterError> {
        Ok(self.driver.with(|world| world.not_modelled())?)
    }

    pub(crate) fn note_not_modelled(&self, lines: Vec<String>) -> Result<(), ClusterError> {
        Ok(self.driver.with(|world| world.note_not_modelled(lines))?)
    }

    pub(crate) fn start_load(&self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), ClusterError> {
        Ok(self.driver.with(|world| world.start_load(namespace, journeys))??)
    }

    pub(crate) fn is_steady(&self, seconds: u32) -> Result<bool, ClusterError> {
        Ok(self.driver.with(|world| world.is_steady(seconds))?)
    }

    pub(crate) fn note_steady_state(&self, seconds: u32, met: bool) -> Result<(), ClusterError> {
        Ok(self.driver.with(|world| world.note_steady_state(seconds, met))?)
    }

    pub(crate) fn begin(&self, fault: &Fault, nodes: Vec<String>) -> Result<ScopeId, ClusterError> {
        Ok(self.driver.with(|world| world.begin(fault, nodes))?)
    }

    pub(crate) fn heal(&self, scope: ScopeId) -> Result<(), ClusterError> {
        Ok(self.driver.with(|world| world.heal(scope))?)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn candidates(&self) -> Result<Vec<crate::model::fault::Candidate>, ClusterError> {
        Ok(self.driver.with(|world| world.candidates())?)
    }

    pub(crate) fn stop_load(&self) -> Result<(), ClusterError> {
        Ok(self.driver.with(World::stop_load)?)
    }

    pub(crate) fn finish(&self, plan: &Plan, application: &str) -> Result<History, ClusterError> {
        Ok(self.driver.with(|world| world.finish(plan, application, "embedded"))?)
    }
}
