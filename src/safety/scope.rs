//! A run's changes as a scope: whatever ends it, they are undone.
//!
//! The body returns, fails, panics, is dropped, loses its lease, runs past its deadline, or the process is told to end (Ctrl-C, SIGTERM,
//! SIGHUP): in every case the changes are undone, on a thread with a runtime of its own, so that a body that blocks its runtime cannot
//! keep them from it. When the process is killed, the watchdog undoes them, or `steadfast recover`.

mod ending;
mod signals;

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use super::clock;
use super::identity::{Identity, Owner};
use super::journal::{FORMAT, Header, Journal, JournalError, Replay};
use super::lease::Lease;
use super::policy::Permission;
use super::restore::{Limits, Registry, Restorer, Rollback};
use super::run_id::RunId;
use super::state::State;
use super::watchdog::{self, WatchdogError};
use ending::Ending;

/// How a run is kept safe.
#[derive(Debug)]
pub struct Options {
    /// The experiment's name.
    pub experiment: String,
    /// The run's id: the one that its lease has.
    pub run: RunId,
    /// Where the journal goes.
    pub state: State,
    /// From now on; then the run is over, and the watchdog restores.
    pub deadline: Duration,
    /// How long undoing may take.
    pub limits: Limits,
    /// Who restores when this process is killed.
    pub watchdog: Watchdog,
    /// What becomes of the process when it is told to end.
    pub signals: Signals,
    /// The cluster's lease: released once all is undone. Losing it ends the run.
    pub lease: Option<Lease>,
}

/// Who restores when this process is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watchdog {
    /// A process of the `steadfast` command, found as [`watchdog::find`] says.
    Found,
    /// A process of this command.
    At(PathBuf),
    /// Nobody, until somebody runs `steadfast recover`.
    Nobody,
}

/// What becomes of the process when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Everything is undone, then the process ends as the shell expects: with 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    EndProcess,
    /// The caller handles signals, and drops the scope.
    Leave,
}

impl Options {
    /// A run that may take an hour, with a watchdog, in the folder that the environment names.
    ///
    /// # Errors
    /// When there is no folder for journals, or no chance for an id.
    pub fn new(experiment: impl Into<String>) -> Result<Self, ScopeError> {
        Ok(Self {
            experiment: experiment.into(),
            run: RunId::new().map_err(ScopeError::Chance)?,
            state: State::from_env().map_err(ScopeError::State)?,
            deadline: Duration::from_secs(3600),
            limits: Limits::default(),
            watchdog: Watchdog::Found,
            signals: Signals::EndProcess,
            lease: None,
        })
    }
}

/// Why nothing can be changed.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// No folder for journals.
    #[error("changes cannot be journaled")]
    State(#[source] super::state::NoState),
    /// No chance.
    #[error("the system gives no random bytes for a run's id")]
    Chance(#[source] getrandom::Error),
    /// The journal.
    #[error("changes cannot be journaled")]
    Journal(#[from] JournalError),
    /// The folder of journals.
    #[error("the journals in {} cannot be listed", .0.display())]
    Journals(PathBuf, #[source] std::io::Error),
    /// Somebody was killed before, and the cluster is as they left it.
    #[error("run {run} has left changes on this cluster ({}): run `steadfast recover` first, or wait for its watchdog", path.display())]
    Unrecovered {
        /// The run.
        run: RunId,
        /// Its journal.
        path: PathBuf,
    },
    /// The watchdog.
    #[error("nobody would restore if this process were killed")]
    Watchdog(#[from] WatchdogError),
    /// Signals.
    #[error("Ctrl-C and SIGTERM would not be seen")]
    Signals(#[source] std::io::Error),
    /// The permission is for another module's cluster.
    #[error("changes of `{module}` on a cluster of `{cluster}`: give the permission of the cluster that is changed")]
    Kind {
        /// The restorer's.
        module: &'static str,
        /// The permission's.
        cluster: String,
    },
}

/// Why a change was not made, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// It was not made: the run is ending.
    #[error("the run is ending: nothing more is changed")]
    Ending,
    /// It was not made: it could not be recorded.
    #[error("the change could not be recorded, so that it was not made")]
    Journal(#[source] JournalError),
    /// It failed; whatever it did is undone with the rest.
    #[error("the change failed")]
    Failed(#[source] E),
}

/// Why a body was broken off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenOff {
    /// By a signal.
    #[error("interrupted by {0}")]
    Signal(&'static str),
    /// The lease was lost: another experiment may run on the cluster.
    #[error("the cluster's lease was lost: {0}")]
    LeaseLost(String),
    /// The time was over.
    #[error("the run's deadline has passed")]
    Deadline,
}

/// What became of a run.
#[derive(Debug)]
#[must_use = "a rollback that is not complete is a failed run"]
pub struct Ended<T> {
    /// What the body returned, or why it was broken off.
    pub body: Result<T, BrokenOff>,
    /// What became of the changes.
    pub rollback: Rollback,
}

/// A run that may change its cluster. Clones are handles to the same one.
pub struct Scope<R: Restorer> {
    shared: Arc<Ending<R>>,
}

impl<R: Restorer> Clone for Scope<R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<R: Restorer> std::fmt::Debug for Scope<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("run", &self.run())
            .finish_non_exhaustive()
    }
}

impl<R: Restorer> Scope<R> {
    pub(super) const fn over(shared: Arc<Ending<R>>) -> Self {
        Self { shared }
    }

    pub(super) const fn shared(&self) -> &Arc<Ending<R>> {
        &self.shared
    }

    /// The run's id, for the label [`LABEL`](super::run_id::LABEL) of everything that it makes.
    #[must_use]
    pub fn run(&self) -> &RunId {
        self.shared.run()
    }

    /// The cluster that may be changed.
    #[must_use]
    pub fn cluster(&self) -> &Identity {
        self.shared.cluster()
    }

    /// Where its changes are recorded.
    #[must_use]
    pub fn journal(&self) -> &Path {
        self.shared.journal()
    }

    /// Makes a change: its intent is on the disk before `act` is begun.
    ///
    /// # Errors
    /// When it was not made, or failed. What failed in part is undone with the rest.
    pub async fn change<T, E>(
        &self,
        change: R::Change,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ChangeError<E>> {
        let under_way = self.shared.intend(&change)?;
        let made = act.await.map_err(ChangeError::Failed)?;
        // A record that cannot be written keeps nothing from being undone.
        let _recorded = under_way.done();
        Ok(made)
    }
}

/// Runs a body that may change the cluster that the permission is for, and undoes its changes whatever happens. A panic of the body goes on
/// once they are undone.
///
/// # Errors
/// When nothing may be changed: the body was not run.
///
/// # Panics
/// When the body does.
pub async fn scope<R, T, F>(
    permission: &Permission,
    options: Options,
    body: impl FnOnce(Scope<R>) -> F,
) -> Result<Ended<T>, ScopeError>
where
    R: Restorer,
    F: Future<Output = T>,
{
    let deadline = options.deadline;
    let lost = options.lease.as_ref().map(Lease::lost);
    let shared = open::<R>(permission, options).await?;
    // From here on, dropping this future undoes.
    let undoing = Undoing(Arc::clone(&shared));
    let scope = Scope {
        shared: Arc::clone(&shared),
    };
    let ended = {
        let body = AssertUnwindSafe(async { body(scope).await }).catch_unwind();
        let signal = shared.interrupted();
        let lost = async {
            match lost {
                Some(mut lost) => lost.reason().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            name = signal => Err(BrokenOff::Signal(name)),
            why = lost => Err(BrokenOff::LeaseLost(why)),
            () = tokio::time::sleep(deadline) => Err(BrokenOff::Deadline),
            ended = body => Ok(ended),
        }
    };
    let rollback = shared.end().await;
    drop(undoing);
    match ended {
        Ok(Ok(value)) => Ok(Ended {
            body: Ok(value),
            rollback,
        }),
        Ok(Err(panic)) => {
            for line in &rollback.failed {
                signals::say(&format!("steadfast: NOT UNDONE: {line}"));
            }
            resume_unwind(panic)
        }
        Err(why) => {
            if matches!(why, BrokenOff::Signal(_)) {
                // The process ends any moment; until then this test shall not seem to have failed.
                std::future::pending::<()>().await;
            }
            Ok(Ended {
                body: Err(why),
                rollback,
            })
        }
    }
}

/// Undoes when it is dropped, unless that has been done.
pub(super) struct Undoing<R: Restorer>(pub(super) Arc<Ending<R>>);

impl<R: Restorer> std::fmt::Debug for Undoing<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Undoing")
    }
}

impl<R: Restorer> Drop for Undoing<R> {
    fn drop(&mut self) {
        self.0.end_blocking();
    }
}

pub(super) async fn open<R: Restorer>(permission: &Permission, options: Options) -> Result<Arc<Ending<R>>, ScopeError> {
    let cluster = permission.cluster();
    if cluster.kind != R::KIND {
        return Err(ScopeError::Kind {
            module: R::KIND,
            cluster: cluster.kind.clone(),
        });
    }
    refuse_broken(&options.state, cluster)?;
    let opened = clock::now();
    let header = Header {
        format: FORMAT,
        run: options.run,
        experiment: options.experiment,
        cluster: cluster.clone(),
        owner: Owner::this(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        opened,
        deadline: opened + options.deadline,
    };
    let command = match options.watchdog {
        Watchdog::Found => Some(watchdog::find(R::KIND)?),
        Watchdog::At(path) => Some(path),
        Watchdog::Nobody => None,
    };
    let journal = Journal::create(&options.state, header)?;
    let path = journal.path().to_owned();
    let registry = Registry::new().with::<R>();
    let ending = Arc::new(Ending::new(journal, registry, options.limits, options.lease));
    if let Some(command) = command
        && let Err(error) = watchdog::start(&command, &path).await
    {
        let _closed = ending.end().await;
        return Err(error.into());
    }
    if options.signals == Signals::EndProcess {
        signals::watch(Arc::clone(&ending) as Arc<dyn signals::Interruptible>).map_err(ScopeError::Signals)?;
    }
    Ok(ending)
}

/// A cluster that somebody else has left broken is no place for an experiment.
fn refuse_broken(state: &State, cluster: &Identity) -> Result<(), ScopeError> {
    let journals = state
        .journals()
        .map_err(|source| ScopeError::Journals(state.runs(), source))?;
    for path in journals {
        // A journal that cannot be read is `recover`'s affair; it may be of any cluster.
        let Ok(replay) = Replay::read(&path) else { continue };
        let is_dead = || super::journal::Open::take(&path).is_ok();
        if !replay.closed && replay.header.cluster.uid == cluster.uid && is_dead() {
            let run = replay.header.run;
            return Err(ScopeError::Unrecovered { run, path });
        }
    }
    Ok(())
}
