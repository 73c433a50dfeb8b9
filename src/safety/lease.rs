//! One experiment per cluster at a time, across threads, processes and machines: a Lease in the cluster itself.
//!
//! The rules are those of Kubernetes' own leader election (k8s.io/client-go/tools/leaderelection/leaderelection.go, `tryAcquireOrRenew`):
//! a lease is taken when nobody holds it, or when the taker has watched it for the holder's own `leaseDurationSeconds` without seeing it
//! change, by the taker's clock alone; every write names the `resourceVersion` that it replaces.

mod record;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1 as coordination;
use kube::Api;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::identity::Owner;
use super::restore::chain;
use super::run_id::RunId;
use record::{Seen, Step};

/// The Lease's name.
pub const NAME: &str = "steadfast";
/// The namespace that it is in, unless another is set.
pub const NAMESPACE: &str = "kube-system";

/// How a lease is had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The Lease's namespace.
    pub namespace: String,
    /// How long to wait for it while others hold it.
    pub wait: Duration,
    /// How long it is good for without being renewed. Core clients default to 15 s (leaderelection.go, `LeaseDuration`). Whole seconds.
    pub duration: Duration,
    /// For how long renewing is tried before the lease counts as lost. Core clients default to 10 s (`RenewDeadline`).
    pub renew_deadline: Duration,
    /// The time between two tries. Core clients default to 2 s (`RetryPeriod`).
    pub retry: Duration,
}

impl Default for Options {
    /// In `kube-system`, for an hour at most, with the times of Kubernetes' core clients.
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            wait: Duration::from_secs(3600),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error(
        "the cluster is in use: {holder} has held its lease {namespace}/{NAME} during {waited:?}; wait for it, or allow more time"
    )]
    Busy {
        /// Who: run, process, machine.
        holder: String,
        /// The Lease's namespace.
        namespace: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The API failed until the time was over.
    #[error(
        "the cluster's lease {namespace}/{NAME} could not be had within {waited:?}: {why}; may you get, create and update leases there?"
    )]
    Api {
        /// The Lease's namespace.
        namespace: String,
        /// How long it was tried.
        waited: Duration,
        /// The last failure.
        why: String,
    },
    /// The times do not fit together (leaderelection.go, `NewLeaderElector`).
    #[error(
        "a lease of {0:?}, renewed within {1:?}, tried each {2:?}: expected whole seconds, more than the second, and that more than 1.2 times the third"
    )]
    Times(Duration, Duration, Duration),
    /// There is no thread or runtime to renew it on.
    #[error("nothing to renew the lease on")]
    Thread(#[source] std::io::Error),
    /// The thread that renews it ended.
    #[error("the thread that renews the lease ended before the lease was had")]
    Ended,
}

/// A way to a cluster's API that works on any runtime: the lease is renewed on one of its own, so that a test that blocks its runtime does
/// not lose it.
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn() -> BoxFuture<'static, Result<kube::Client, kube::Error>> + Send + Sync>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// A new client of this configuration each time.
    #[must_use]
    pub fn config(config: kube::Config) -> Self {
        Self(Arc::new(move || {
            let config = config.clone();
            Box::pin(async move { kube::Client::try_from(config) })
        }))
    }

    /// This client. It works as long as the runtime does that it was made on.
    #[must_use]
    pub fn client(client: kube::Client) -> Self {
        Self(Arc::new(move || {
            let client = client.clone();
            Box::pin(async move { Ok(client) })
        }))
    }

    async fn connect(&self) -> Result<kube::Client, kube::Error> {
        (self.0)().await
    }
}

/// The right to run the one experiment on a cluster. It is renewed in the background and given back when this is dropped.
#[derive(Debug)]
#[must_use = "the lease is given back when this is dropped"]
pub struct Lease {
    stop: Option<oneshot::Sender<()>>,
    lost: Lost,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Says when a lease was lost.
#[derive(Clone, Debug)]
pub struct Lost(watch::Receiver<Option<String>>);

impl Lost {
    /// Resolves when it was lost, with the reason; never otherwise.
    pub async fn reason(&mut self) -> String {
        match self.0.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            // Given back.
            _ => std::future::pending().await,
        }
    }

    /// The reason, when it was lost.
    #[must_use]
    pub fn is(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

/// How long giving back may keep its owner waiting.
const RELEASE: Duration = Duration::from_secs(5);

impl Lease {
    /// Waits for the cluster's lease and takes it for a run.
    ///
    /// # Errors
    /// When others hold it for too long, or the API fails for so long.
    pub async fn acquire(connector: Connector, run: &RunId, options: Options) -> Result<Self, LeaseError> {
        let Options {
            duration,
            renew_deadline,
            retry,
            ..
        } = options;
        // leaderelection.go: `JitterFactor`.
        if duration.subsec_nanos() != 0 || duration <= renew_deadline || renew_deadline <= retry.mul_f64(1.2) {
            return Err(LeaseError::Times(duration, renew_deadline, retry));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(LeaseError::Thread)?;
        let (had, having) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let (losing, lost) = watch::channel(None);
        let keeper = Keeper {
            connector,
            identity: identity(run),
            run: run.clone(),
            options,
        };
        let thread = std::thread::Builder::new()
            .name("steadfast-lease".into())
            .spawn(move || runtime.block_on(keeper.keep(had, stopped, losing)))
            .map_err(LeaseError::Thread)?;
        // Dropped here, it gives up waiting.
        let lease = Self {
            stop: Some(stop),
            lost: Lost(lost),
            thread: Some(thread),
        };
        having.await.unwrap_or(Err(LeaseError::Ended))?;
        Ok(lease)
    }

    /// Says when it was lost: whatever is being done to the cluster must end then.
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// Gives it back, and returns once the next one can have it.
    pub async fn release(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // Joining would block the runtime that an in-process cluster may need for the answer.
            let deadline = Instant::now() + RELEASE;
            while !thread.is_finished() && Instant::now() < deadline {
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The thread sees that its sender is gone and gives the lease back; if the process ends first, the lease expires.
        self.stop.take();
    }
}

/// As it stands in the Lease: run, process, machine.
fn identity(run: &RunId) -> String {
    let Owner { host, pid, .. } = Owner::this();
    format!("{run}/{pid}@{host}")
}

/// What acquires, renews and releases, on a thread of its own.
struct Keeper {
    connector: Connector,
    identity: String,
    run: RunId,
    options: Options,
}

type Had = oneshot::Sender<Result<(), LeaseError>>;

impl Keeper {
    async fn keep(self, had: Had, mut stopped: oneshot::Receiver<()>, losing: watch::Sender<Option<String>>) {
        let mut seen = Seen::default();
        let acquired = tokio::select! {
            biased;
            _ = &mut stopped => return,
            acquired = self.acquire(&mut seen) => acquired,
        };
        let api = match acquired {
            Ok(api) => api,
            Err(error) => {
                let _gone = had.send(Err(error));
                return;
            }
        };
        if had.send(Ok(())).is_ok() {
            tokio::select! {
                biased;
                _ = &mut stopped => {}
                why = self.renew(&api, &mut seen) => {
                    losing.send_replace(Some(why));
                    return;
                }
            }
        }
        self.release(&api, &seen).await;
    }

    async fn acquire(&self, seen: &mut Seen) -> Result<Api<coordination::Lease>, LeaseError> {
        let begun = Instant::now();
        let mut trouble = String::new();
        loop {
            let step = match timeout(self.options.renew_deadline, self.connector.connect()).await {
                Err(_) => Err("no connection in time".to_owned()),
                Ok(Err(error)) => Err(chain(&error)),
                Ok(Ok(client)) => {
                    let api: Api<coordination::Lease> = Api::namespaced(client, &self.options.namespace);
                    match self.step(&api, seen).await {
                        Ok(Step::Held) => return Ok(api),
                        step => step,
                    }
                }
            };
            match step {
                Ok(Step::Busy(holder)) => {
                    if trouble != holder {
                        tracing::info!(%holder, "waiting for the cluster's lease");
                    }
                    trouble.clone_from(&holder);
                    self.or_too_late(begun, |waited| LeaseError::Busy {
                        holder,
                        namespace: self.options.namespace.clone(),
                        waited,
                    })?;
                }
                Ok(Step::Held | Step::Again) => {}
                Err(why) => self.or_too_late(begun, |waited| LeaseError::Api {
                    namespace: self.options.namespace.clone(),
                    waited,
                    why,
                })?,
            }
            sleep(self.options.retry).await;
        }
    }

    fn or_too_late(&self, begun: Instant, error: impl FnOnce(Duration) -> LeaseError) -> Result<(), LeaseError> {
        if begun.elapsed() + self.options.retry > self.options.wait {
            Err(error(self.options.wait))
        } else {
            Ok(())
        }
    }

    /// Renews until that fails for too long: returns why.
    async fn renew(&self, api: &Api<coordination::Lease>, seen: &mut Seen) -> String {
        let mut renewed = Instant::now();
        loop {
            sleep(self.options.retry).await;
            let why = match self.step(api, seen).await {
                Ok(Step::Held) => {
                    renewed = Instant::now();
                    continue;
                }
                // Ours expired, by somebody's clock.
                Ok(Step::Busy(holder)) => return format!("{holder} has taken it"),
                Ok(Step::Again) => "others keep writing it".to_owned(),
                Err(why) => why,
            };
            if renewed.elapsed() >= self.options.renew_deadline {
                return format!("it could not be renewed for {:?}: {why}", self.options.renew_deadline);
            }
        }
    }

    /// One try, bounded.
    async fn step(&self, api: &Api<coordination::Lease>, seen: &mut Seen) -> Result<Step, String> {
        let seconds = i32::try_from(self.options.duration.as_secs()).unwrap_or(i32::MAX);
        let step = record::try_acquire_or_renew(api, seen, &self.identity, &self.run, seconds);
        match timeout(self.options.renew_deadline, step).await {
            Ok(step) => step.map_err(|error| chain(&error)),
            Err(_) => Err(format!("no answer within {:?}", self.options.renew_deadline)),
        }
    }

    async fn release(&self, api: &Api<coordination::Lease>, seen: &Seen) {
        // What cannot be given back expires.
        let _given_up = timeout(RELEASE, record::release(api, seen, &self.identity)).await;
    }
}
