//! Putting back: what a cluster's module gives, and what is done with it.

mod registry;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use super::identity::Identity;
use super::journal::{JournalError, Open};

pub use registry::Registry;
use registry::Undoer;

/// How the changes of one kind of cluster are undone. A cluster's module implements it; the safety core knows no cluster.
///
/// Everything here is called again after a crash, in another process, and perhaps by two processes at once: what is undone already, or was
/// never made, is no error.
pub trait Restorer: Sized + Send + Sync + 'static {
    /// The kind of cluster, as journals name it: `kind`, `eks`.
    const KIND: &'static str;
    /// A change as data: enough to undo it without what the process knew that made it.
    type Change: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What can go wrong.
    type Error: Error + Send + Sync + 'static;

    /// Reaches the cluster, from what the journal knows of it. It must refuse a cluster whose UID is another.
    ///
    /// # Errors
    /// When it cannot be reached.
    fn connect(cluster: &Identity) -> impl Future<Output = Result<Self, Self::Error>> + Send;

    /// Undoes a change, or sees to it that somebody does: idempotent.
    ///
    /// # Errors
    /// When it cannot be undone now. It is tried again.
    fn undo(&self, change: &Self::Change) -> impl Future<Output = Result<Undone, Self::Error>> + Send;

    /// Looks whether things are as they were. May wait until they are; it is given up on when the time is over.
    ///
    /// # Errors
    /// When they are not. The change is undone again.
    fn verify(&self, change: &Self::Change) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// A change in words, for people who have to decide.
    fn describe(change: &Self::Change) -> Description;
}

/// A change in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What is changed: `the container of node kind-worker2 is killed`.
    pub what: String,
    /// How it is undone: `docker start kind-worker2`.
    pub undo: String,
}

/// How a change was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undone {
    /// It was put back now.
    PutBack,
    /// Nothing was to be done: it had been put back, or never been made.
    AlreadyBack,
    /// By somebody else, such as an auto scaling group.
    Left {
        /// By whom.
        to: String,
    },
}

/// How long undoing may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One call of a restorer: to connect, to undo one change, to verify one.
    pub each: Duration,
    /// All of it. What is not undone then is left to `steadfast recover`.
    pub all: Duration,
}

impl Default for Limits {
    /// A minute for each, five for all: a kind node is Ready about 20 s after its container is started; a node that has to be replaced
    /// takes minutes.
    fn default() -> Self {
        Self {
            each: Duration::from_secs(60),
            all: Duration::from_secs(300),
        }
    }
}

/// The time between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of the changes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollback {
    /// What was undone, in words, in the order in which it was.
    pub undone: Vec<String>,
    /// What was not, in words, and why.
    pub failed: Vec<String>,
}

impl Rollback {
    /// Whether everything is back. If not, the verdict is [`RollbackIncomplete`](crate::model::experiment::Verdict::RollbackIncomplete).
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// One that failed as a whole.
    pub(super) fn failure(why: String) -> Self {
        Self {
            undone: Vec::new(),
            failed: vec![why],
        }
    }
}

/// Why a change is not undone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Module(#[source] Box<dyn Error + Send + Sync>),
    #[error("the journal's data is not a change of this module")]
    Data(#[source] serde_json::Error),
    #[error("not finished within {0:?}")]
    TimeOut(Duration),
    #[error("no module of this steadfast undoes changes of `{0}`: use the steadfast that has it")]
    NoModule(String),
    #[error("the journal failed")]
    Journal(#[from] JournalError),
}

/// Undoes what a journal lists, the last change first, and closes it when all is back. What fails is tried again as long as there is time;
/// it keeps nothing else from being undone.
pub(super) async fn restore(journal: &mut Open, registry: &Registry, limits: Limits) -> Rollback {
    let deadline = Instant::now() + limits.all;
    let mut rollback = Rollback::default();
    if let Err(trouble) = undo_all(journal, registry, limits, deadline, &mut rollback).await {
        rollback.failed.push(chain(&trouble));
    }
    rollback
}

async fn undo_all(
    journal: &mut Open,
    registry: &Registry,
    limits: Limits,
    deadline: Instant,
    rollback: &mut Rollback,
) -> Result<(), Trouble> {
    if journal.replay().closed {
        return Ok(());
    }
    if journal.replay().open().next().is_none() {
        return Ok(journal.close()?);
    }
    let undoer = connect(journal, registry, limits, deadline).await?;
    loop {
        // Undone first, all of them, and then looked at: a node is Ready only once its network is back, too.
        let mut troubles = Vec::new();
        let mut to_verify = Vec::new();
        let open: Vec<_> = journal.replay().open().cloned().collect();
        for entry in open {
            match within(limits.each, undoer.undo(&entry.change)).await {
                Ok(how) => to_verify.push((entry, how)),
                Err(trouble) => troubles.push((entry.description, trouble)),
            }
        }
        for (entry, how) in to_verify {
            match within(limits.each, undoer.verify(&entry.change)).await {
                Ok(()) => {
                    journal.undone(entry.seq, how)?;
                    rollback.undone.push(entry.description.undo);
                }
                Err(trouble) => troubles.push((entry.description, trouble)),
            }
        }
        if troubles.is_empty() {
            return Ok(journal.close()?);
        }
        if Instant::now() + PAUSE >= deadline {
            let line = |(words, trouble): (Description, Trouble)| {
                format!("{}; to undo it: {}: {}", words.what, words.undo, chain(&trouble))
            };
            rollback.failed.extend(troubles.into_iter().map(line));
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

async fn connect(
    journal: &Open,
    registry: &Registry,
    limits: Limits,
    deadline: Instant,
) -> Result<Box<dyn Undoer>, Trouble> {
    let cluster = &journal.replay().header.cluster;
    loop {
        match within(limits.each, registry.connect(cluster)).await {
            Ok(undoer) => return Ok(undoer),
            Err(Trouble::NoModule(kind)) => return Err(Trouble::NoModule(kind)),
            Err(trouble) if Instant::now() + PAUSE >= deadline => return Err(trouble),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, work).await.unwrap_or(Err(Trouble::TimeOut(limit)))
}

/// An error and its causes in one line, outermost first.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
