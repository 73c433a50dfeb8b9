//! A real Kubernetes in containers: kind (`kind.sigs.k8s.io`).
//!
//! Nodes are containers here, so they really die: their machine is killed, stopped, paused, cut off or removed by the container engine, and
//! what Kubernetes makes of it is watched. Whatever is done to the cluster stands in a journal before it is done, and is put back.

mod change;
mod creating;
mod deploying;
pub mod engine;
mod healing;
mod images;
mod joining;
mod load;
mod ready;
mod session;
mod stand_ins;
mod striking;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::observing::Observer;
use crate::model::history::What;
use crate::probe::ProbeError;
use crate::safety::audit::Inventory;
use crate::safety::identity::IdentityError;
use crate::safety::lease::LeaseError;
use crate::safety::policy::{CapError, NamespaceError, PolicyError};
use crate::safety::scope::{ChangeError, ScopeError};
use crate::safety::{self, Permission, chain};
use crate::simulation::network::{InstallError, Network};
use change::Hands;
use engine::EngineError;
use striking::Scope;

pub(crate) use session::Handle;

pub use creating::{Builder, CONFIG, NAME, STAND_IN};
pub use deploying::Images;
pub use session::{CONFIG_VARIABLE, IMAGE_VARIABLE, IMAGES_VARIABLE, NAME_VARIABLE};
pub use striking::REPLACED_AFTER;

/// A drained node's pods have to be gone within this time: twice the longest usual grace period.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// Why a kind cluster could not be had, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// The container engine.
    #[error("the container engine failed")]
    Engine(#[from] EngineError),
    /// The cluster's API.
    #[error("the cluster's API failed")]
    Api(#[from] kube::Error),
    /// The command `kind` cannot be had.
    #[error(
        "no `kind` command: install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation) and put it on the PATH"
    )]
    NoKind(#[source] EngineError),
    /// `kind` failed.
    #[error("kind could not {what} the cluster `{cluster}`")]
    Kind {
        /// `create`, `delete`, `look at`.
        what: &'static str,
        /// The cluster.
        cluster: String,
        /// What it said.
        #[source]
        source: EngineError,
    },
    /// A file cannot be read or written.
    #[error("{path} cannot be used", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such cluster, and none is to be made.
    #[error("there is no kind cluster `{cluster}`: make it with `scripts/kind-up`, or let it be made")]
    Missing {
        /// Its name.
        cluster: String,
    },
    /// The kubeconfig that kind gives does not read.
    #[error("the kubeconfig of the kind cluster `{cluster}` does not read")]
    Kubeconfig {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// A node has no container.
    #[error("node {node} has no container: the cluster was changed by somebody else")]
    NoContainer {
        /// The node.
        node: String,
    },
    /// No control plane runs.
    #[error("no control plane of the kind cluster `{cluster}` runs")]
    NoControlPlane {
        /// The cluster.
        cluster: String,
    },
    /// A fault was to strike a control plane.
    #[error("node {node} is no worker: control planes are never struck")]
    NotAWorker {
        /// The node.
        node: String,
    },
    /// A fault was to strike a node that does not run.
    #[error(
        "node {node} does not run (its container is {state}): `steadfast recover` puts back what an earlier run left"
    )]
    NotRunning {
        /// The node.
        node: String,
        /// The state of its container.
        state: String,
    },
    /// What was done to a node did not show.
    #[error("node {node} was to fail, but its container is {state}")]
    NotStruck {
        /// The node.
        node: String,
        /// The state of its container.
        state: String,
    },
    /// A fault without targets.
    #[error("the fault has no targets")]
    NoTargets,
    /// No pods to delete.
    #[error(
        "no pod in namespace `{namespace}` fits the failure: look at `kubectl get pods --namespace {namespace} --show-labels`"
    )]
    NoPods {
        /// The namespace.
        namespace: String,
    },
    /// A container did not come up.
    #[error("the container of node {node} had not booted after {after_s} s: look at its log")]
    NotBooted {
        /// The node.
        node: String,
        /// The limit, in seconds.
        after_s: u64,
    },
    /// A node did not become Ready.
    #[error("node {node} was not Ready after {after_s} s: look at `kubectl describe node {node}`")]
    NotReady {
        /// The node.
        node: String,
        /// The limit, in seconds.
        after_s: u64,
    },
    /// A namespace was not gone.
    #[error("namespace {namespace} was not gone after {after_s} s: look at what its finalizers wait for")]
    NotGone {
        /// The namespace.
        namespace: String,
        /// The limit, in seconds.
        after_s: u64,
    },
    /// A watch ended.
    #[error("the cluster could not be watched: {0}")]
    Watch(String),
    /// Who the cluster is.
    #[error("the cluster does not say who it is")]
    Identity(#[from] IdentityError),
    /// Nobody allowed it.
    #[error("the cluster was not made by steadfast, so that it has to be allowed by name")]
    Policy(#[source] PolicyError),
    /// The lease.
    #[error("the cluster is not free")]
    Lease(#[source] LeaseError),
    /// The journal, the watchdog.
    #[error("nothing is changed, since it could not be put back")]
    Scope(#[source] ScopeError),
    /// A change that must not be made.
    #[error("a change was not made")]
    Change(#[source] Box<ChangeError<Self>>),
    /// A change that was undone could not be recorded as undone.
    #[error("what was undone could not be recorded: {0}")]
    Recorded(String),
    /// The blast radius.
    #[error("the fault may not strike these nodes")]
    Cap(#[source] CapError),
    /// A namespace that is not allowed.
    #[error("the namespace may not be used")]
    Namespace(#[source] NamespaceError),
    /// A variable means nothing.
    #[error("STEADFAST_IMAGES={0}: expected stand-in or original")]
    Images(String),
    /// No image of the stand-ins.
    #[error(
        "the engine has no image {image}: build it with scripts/stand-in-image, or run the application's own images (STEADFAST_IMAGES=original)"
    )]
    NoStandIn {
        /// Its name.
        image: String,
    },
    /// A namespace belongs to somebody else.
    #[error("the namespace {namespace} is there already: delete it, or test what runs in it with App::existing")]
    Occupied {
        /// The namespace.
        namespace: String,
    },
    /// An object belongs to somebody else.
    #[error(
        "{kind} {name} is there already, and a test changes nothing that it has not made: delete it, or leave it out of the manifest"
    )]
    Exists {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The model makes no sense.
    #[error("the application's model makes no sense")]
    Model(#[from] InstallError),
    /// There is no load.
    #[error("no load runs")]
    NoLoad,
    /// Journeys that enter by different Services.
    #[error("journey `{journey}` enters by another Service than the first one: on a real cluster a load has one entry")]
    Entries {
        /// The journey.
        journey: String,
    },
    /// The entry cannot be reached.
    #[error("Service {service} has no node port: journeys enter a kind cluster by a Service of type NodePort")]
    NoNodePort {
        /// The Service.
        service: String,
    },
    /// The entry cannot be reached.
    #[error(
        "no port of this machine leads to port {port} of the control plane: map it in the cluster's configuration (extraPortMappings)"
    )]
    NotMapped {
        /// The node port.
        port: u16,
    },
    /// The prober.
    #[error("the load cannot be run")]
    Probe(#[from] ProbeError),
}

/// The registry with what puts kind clusters back: for `recover` and watchdogs.
#[must_use]
pub fn restoring(registry: safety::Registry) -> safety::Registry {
    registry.with::<Hands>()
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A kind cluster that is in use.
pub(crate) struct Running {
    hands: Hands,
    permission: Permission,
    /// Where its changes are recorded.
    scope: safety::Scope<Hands>,
    observer: Observer,
    seed: u64,
    /// When cluster time was 0.
    zero: Instant,
    replaced_after: Duration,
    images: Images,
    /// The stand-ins' image.
    stand_in: String,
    scopes: Mutex<Vec<Scope>>,
    /// What went wrong while nobody waited for it.
    failures: Mutex<Vec<String>>,
    /// Every name that a node has had.
    names: Mutex<BTreeSet<String>>,
    /// The namespace of the load.
    loaded: Mutex<String>,
    load: Mutex<Option<load::Loaded>>,
    /// Namespaces that this run has made.
    namespaces: Mutex<BTreeSet<String>>,
    /// The models of its applications.
    network: Mutex<Network>,
    replaced: Mutex<stand_ins::Replaced>,
    /// Kinds that the cluster does not serve.
    passed_over: Mutex<BTreeSet<String>>,
    /// What there was before the run.
    before: Mutex<Option<Inventory>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("cluster", &self.hands.cluster)
            .finish_non_exhaustive()
    }
}

impl Running {
    fn scopes(&self) -> MutexGuard<'_, Vec<Scope>> {
        locked(&self.scopes)
    }

    fn note(&self, what: What) {
        let now = self.observer.now();
        self.observer.record().note(now, what);
    }

    /// Says in the history that watches were broken off: what they missed, they saw late.
    fn note_trouble(&self) {
        let (times, last) = self.observer.trouble();
        if let Some(last) = last {
            self.note(What::Note {
                text: format!("watches of the cluster failed {times} times, last with: {last}"),
            });
        }
    }

    fn failed(&self, error: &KindError) {
        locked(&self.failures).push(chain(error));
    }

    fn names(&self) -> BTreeSet<String> {
        let mut names = locked(&self.names);
        names.extend(self.observer.record().nodes.names().map(str::to_owned));
        names.clone()
    }

    fn loaded(&self) -> String {
        locked(&self.loaded).clone()
    }
}
