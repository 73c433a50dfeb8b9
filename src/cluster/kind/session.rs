//! The use of a kind cluster, from its first handle to its last.
//!
//! While a cluster is in use its lease is held, so that the next test waits; what is done to it stands in a journal, and is undone when the
//! last handle goes, when the process is told to end, and by a watchdog when it is killed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::change::{Change, Hands};
use super::creating::Found;
use super::{Builder, Images, KindError, Running, locked};
use crate::cluster::observing::Observer;
use crate::cluster::{Backend, Cluster, ClusterError};
use crate::model::fault::Fault;
use crate::model::history::What;
use crate::safety::Identity;
use crate::safety::audit::{self, Expected, Inventory};
use crate::safety::hold::{Hold, hold};
use crate::safety::journal::Seq;
use crate::safety::lease::{self, Connector, Lease};
use crate::safety::policy::{self, NodeFacts, Policy};
use crate::safety::restore::{Description, Limits, Restorer, Undone};
use crate::safety::run_id::LABEL;
use crate::safety::scope::{self, ChangeError, Watchdog};
use crate::simulation::faults::ScopeId;
use crate::simulation::network::Network;

/// The variable that names the kind cluster; [`super::NAME`] by default.
pub const NAME_VARIABLE: &str = "STEADFAST_KIND_NAME";
/// The variable that names the configuration of a cluster that has to be made.
pub const CONFIG_VARIABLE: &str = "STEADFAST_KIND_CONFIG";
/// The variable that names the node image of a cluster that has to be made.
pub const IMAGE_VARIABLE: &str = "STEADFAST_KIND_IMAGE";
/// The variable that says which images an application runs with: `stand-in` (default) or `original`.
pub const IMAGES_VARIABLE: &str = "STEADFAST_IMAGES";

/// An application is deployed, observed and taken away again in this time, or its run is over.
const LONGEST: Duration = Duration::from_secs(2 * 3600);
/// Undoing: a node that joins anew takes a minute or two, where images have to be copied.
const LIMITS: Limits = Limits {
    each: Duration::from_secs(300),
    all: Duration::from_secs(900),
};

impl Restorer for Hands {
    const KIND: &'static str = "kind";
    type Change = Change;
    type Error = KindError;

    async fn connect(cluster: &Identity) -> Result<Self, KindError> {
        Self::of(cluster).await
    }

    async fn undo(&self, change: &Change) -> Result<Undone, KindError> {
        self.put_back(change).await?;
        Ok(Undone::PutBack)
    }

    async fn verify(&self, change: &Change) -> Result<(), KindError> {
        self.settle(change).await
    }

    fn describe(change: &Change) -> Description {
        change.describe()
    }
}

impl Builder {
    /// As the environment says: [`NAME_VARIABLE`], [`CONFIG_VARIABLE`], [`IMAGE_VARIABLE`], [`IMAGES_VARIABLE`].
    ///
    /// # Errors
    /// When a variable has a value that means nothing.
    pub fn from_env() -> Result<Self, ClusterError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut builder = Self::default();
        if let Some(name) = variable(NAME_VARIABLE) {
            builder = builder.name(name);
        }
        if let Some(path) = variable(CONFIG_VARIABLE) {
            builder = builder.config(path);
        }
        if let Some(image) = variable(IMAGE_VARIABLE) {
            builder = builder.node_image(image);
        }
        match variable(IMAGES_VARIABLE).as_deref() {
            None | Some("stand-in") => {}
            Some("original") => builder = builder.images(Images::Original),
            Some(other) => return Err(KindError::Images(other.to_owned()).into()),
        }
        Ok(builder)
    }

    /// Finds the cluster or makes it, waits for its lease, and begins to watch it.
    ///
    /// # Errors
    /// When there is no engine, no `kind`, no cluster, one that nobody allowed, or one that others use for too long.
    pub async fn start(self) -> Result<Cluster, ClusterError> {
        let Found {
            hands,
            identity,
            config,
        } = self.find().await?;
        let permission = if hands.is_ours().await? {
            policy::own(identity)
        } else {
            let policy = Policy::find().map_err(KindError::Policy)?;
            policy.permit(&identity).map_err(KindError::Policy)?
        };
        // A test's name is its thread's.
        let who = std::thread::current().name().unwrap_or("an experiment").to_owned();
        let mut options = scope::Options::new(who).map_err(KindError::Scope)?;
        options.deadline = LONGEST;
        options.limits = LIMITS;
        options.watchdog = if self.watchdog {
            Watchdog::Found
        } else {
            Watchdog::Nobody
        };
        let connector = Connector::config(config);
        let lease = Lease::acquire(connector, &options.run, lease::Options::default()).await;
        options.lease = Some(lease.map_err(KindError::Lease)?);
        let hold = hold::<Hands>(&permission, options).await.map_err(KindError::Scope)?;
        let zero = now();
        let clock = Arc::new(move || {
            let passed = now().saturating_duration_since(zero);
            u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
        });
        let observer = Observer::start(&hands.client, clock).await;
        let running = Arc::new(Running {
            hands,
            permission,
            scope: hold.scope().clone(),
            observer,
            seed: self.seed,
            zero,
            replaced_after: self.replaced_after,
            images: self.images,
            stand_in: self.stand_in,
            scopes: Mutex::default(),
            failures: Mutex::default(),
            names: Mutex::default(),
            loaded: Mutex::default(),
            load: Mutex::default(),
            namespaces: Mutex::default(),
            network: Mutex::new(Network::new(self.seed)),
            replaced: Mutex::default(),
            passed_over: Mutex::default(),
            before: Mutex::default(),
        });
        Ok(Cluster {
            backend: Backend::Kind(Handle(Arc::new(Session { running, hold }))),
        })
    }
}

/// What a clock says that nobody pauses.
#[expect(
    clippy::disallowed_methods,
    reason = "containers live in real time, whatever tokio's clock shows"
)]
fn now() -> Instant {
    Instant::now()
}

/// A handle; clones lead to the same cluster.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Session>);

struct Session {
    running: Arc<Running>,
    /// Undoes everything when it goes.
    hold: Hold<Hands>,
}

impl Drop for Session {
    fn drop(&mut self) {
        // What is still on its way must not work against the undoing.
        self.running.abort_all();
        drop(locked(&self.running.load).take());
        let _: &Hold<Hands> = &self.hold;
    }
}

impl Handle {
    pub(super) fn running(&self) -> &Arc<Running> {
        &self.0.running
    }

    pub(crate) fn client(&self) -> kube::Client {
        self.0.running.hands.client.clone()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0.running.seed
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.0.running.observer.now())
    }

    pub(crate) async fn begin(&self, fault: &Fault, nodes: Vec<String>) -> Result<ScopeId, KindError> {
        let number = self.0.running.begin(fault, nodes).await?;
        Ok(ScopeId(number as u32))
    }

    pub(crate) async fn heal(&self, scope: ScopeId) -> Result<(), KindError> {
        self.0.running.heal(scope.0 as usize).await
    }

    /// Ends a fault where nobody can wait for it: on a thread of its own, while the caller blocks.
    pub(crate) fn heal_now(&self, scope: ScopeId) {
        let running = self.0.running.clone();
        let healing = std::thread::Builder::new()
            .name("steadfast-heal".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let Ok(runtime) = runtime else { return };
                if let Err(error) = runtime.block_on(running.heal_elsewhere(scope.0 as usize)) {
                    running.failed(&error);
                }
            });
        // What is not healed here is when the last handle goes.
        let _healed = healing.map(std::thread::JoinHandle::join);
    }
}

impl Running {
    /// Writes down what is about to be done.
    pub(super) fn intend(&self, change: &Change) -> Result<Seq, KindError> {
        self.scope
            .intend(change)
            .map_err(|error| KindError::Change(Box::new(error)))
    }

    pub(super) fn done(&self, place: Seq) {
        self.scope.made(place);
    }

    pub(super) fn undone(&self, place: Seq) -> Result<(), KindError> {
        self.scope
            .put_back(place)
            .map_err(|error: ChangeError<KindError>| KindError::Recorded(error.to_string()))
    }

    /// Asks whether these nodes may be struck, all at once.
    pub(super) async fn permit(&self, targets: &[String]) -> Result<(), KindError> {
        let nodes = self.hands.nodes().list(&kube::api::ListParams::default()).await?;
        let facts: Vec<NodeFacts> = nodes.iter().map(NodeFacts::from).collect();
        self.permission
            .strike(targets, &facts)
            .map(drop)
            .map_err(KindError::Cap)
    }

    pub(super) fn may_use(&self, namespace: &str) -> Result<(), KindError> {
        self.permission.namespace(namespace).map_err(KindError::Namespace)
    }

    /// The labels of everything that this run makes.
    pub(super) fn labels(&self) -> serde_json::Value {
        serde_json::json!({LABEL: self.scope.run().as_str()})
    }

    async fn inventory(&self) -> Result<Inventory, KindError> {
        let namespaces: Vec<String> = locked(&self.namespaces).iter().cloned().collect();
        let mut inventory = audit::take(&self.hands.client, &namespaces).await?;
        for container in self.hands.engine.nodes(&self.hands.cluster).await? {
            let networks = container.networks.keys().cloned().collect::<Vec<_>>().join(",");
            // By its role: a replaced node has another name.
            let title = format!("container {}", container.name);
            inventory.add(
                title,
                [("state".to_owned(), container.state), ("networks".to_owned(), networks)].into(),
            );
        }
        Ok(inventory)
    }

    /// Looks at the cluster before anything is done to it.
    pub(super) async fn before(&self) -> Result<(), KindError> {
        let inventory = self.inventory().await?;
        *locked(&self.before) = Some(inventory);
        Ok(())
    }

    /// What is not as it was before the run, and what could not be put back; a line each.
    pub(super) async fn left_behind(&self) -> Vec<String> {
        let mut left = std::mem::take(&mut *locked(&self.failures));
        let Some(mut before) = locked(&self.before).take() else {
            return left;
        };
        match self.inventory().await {
            Ok(mut after) => {
                let replaced: BTreeSet<String> = self.replaced_nodes();
                // A replacement's container comes for the one that is gone.
                let gone: Vec<String> = replaced.iter().map(|node| format!("container {node}")).collect();
                before.things.retain(|name, _| !gone.contains(name));
                let new: BTreeSet<String> = self
                    .replacements()
                    .into_iter()
                    .map(|node| format!("container {node}"))
                    .collect();
                after.things.retain(|name, _| !new.contains(name));
                left.extend(before.leaks(&after, &Expected { replaced }));
            }
            Err(error) => left.push(format!(
                "the cluster could not be looked at after the run: {}",
                super::chain(&error)
            )),
        }
        for line in &left {
            self.note(What::Note {
                text: format!("left behind: {line}"),
            });
        }
        left
    }
}
