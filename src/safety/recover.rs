//! Recovery: what a process that was killed has left is undone by another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::identity::{Identity, Owner};
use super::journal::{JournalError, Open, Replay};
use super::restore::{Description, Limits, Registry, Rollback, chain, restore};
use super::run_id::RunId;
use super::state::State;

/// A run whose journal is not closed.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its journal.
    pub path: PathBuf,
    /// The run.
    pub run: RunId,
    /// The experiment's name.
    pub experiment: String,
    /// The cluster that it changed.
    pub cluster: Identity,
    /// The process that did.
    pub owner: Owner,
    /// What is to be undone, the last change first.
    pub to_undo: Vec<Description>,
}

/// What became of a journal.
#[derive(Debug)]
pub enum Recovered {
    /// Its run goes on: nothing was touched.
    Running(Found),
    /// Somebody else is restoring it, and did not get done while it was waited for.
    Busy(Found),
    /// It would be restored (a dry run).
    Would(Found),
    /// It was restored, as far as the rollback says.
    Restored(Found, Rollback),
    /// Somebody else has restored it meanwhile.
    ByOthers(Found),
    /// It cannot be read.
    Unreadable(PathBuf, JournalError),
}

impl Recovered {
    /// Whether something may still be broken that nobody is working on.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        match self {
            Self::Restored(_, rollback) => !rollback.is_complete(),
            Self::Unreadable(..) | Self::Busy(_) => true,
            Self::Running(_) | Self::Would(_) | Self::ByOthers(_) => false,
        }
    }
}

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It is only looked at.
    DryRun,
    /// It is undone.
    Undo,
}

/// How often a lock that somebody else has is tried.
const POLL: Duration = Duration::from_millis(100);

/// Looks at all journals that are not closed, and undoes what is left in those whose owner is gone. Safe to run twice, at the same time as
/// another, and beside watchdogs: each journal is restored by one process at a time, and by nobody while its run goes on.
///
/// # Errors
/// When the folder of journals cannot be read.
pub async fn recover(
    state: &State,
    registry: &Registry,
    limits: Limits,
    recovery: Recovery,
) -> std::io::Result<Vec<Recovered>> {
    let mut all = Vec::new();
    for path in state.journals()? {
        if let Some(recovered) = one(&path, registry, limits, recovery).await {
            all.push(recovered);
        }
    }
    Ok(all)
}

/// One journal; `None` when it was closed already.
pub(super) async fn one(path: &Path, registry: &Registry, limits: Limits, recovery: Recovery) -> Option<Recovered> {
    let replay = match Replay::read(path) {
        Ok(replay) => replay,
        Err(error) => return Some(Recovered::Unreadable(path.to_owned(), error)),
    };
    if replay.closed {
        return None;
    }
    let found = Found::of(path, &replay);
    let until = Instant::now() + limits.all;
    let mut open = loop {
        match Open::take(path) {
            Ok(open) => break open,
            Err(JournalError::Held(_)) if found.owner.is_alive() == Some(true) => {
                return Some(Recovered::Running(found));
            }
            // Another recoverer, or a watchdog.
            Err(JournalError::Held(_)) if Instant::now() < until => sleep(POLL).await,
            Err(JournalError::Held(_)) => return Some(Recovered::Busy(found)),
            Err(error) => return Some(Recovered::Unreadable(path.to_owned(), error)),
        }
    };
    if open.replay().closed {
        return Some(Recovered::ByOthers(found));
    }
    let found = Found::of(path, open.replay());
    if recovery == Recovery::DryRun {
        return Some(Recovered::Would(found));
    }
    let rollback = restore(&mut open, registry, limits).await;
    Some(Recovered::Restored(found, rollback))
}

impl Found {
    fn of(path: &Path, replay: &Replay) -> Self {
        Self {
            path: path.to_owned(),
            run: replay.header.run.clone(),
            experiment: replay.header.experiment.clone(),
            cluster: replay.header.cluster.clone(),
            owner: replay.header.owner.clone(),
            to_undo: replay.open().map(|entry| entry.description.clone()).collect(),
        }
    }

    fn title(&self) -> String {
        format!("{} `{}` on {}", self.run, self.experiment, self.cluster.context)
    }
}

/// For the terminal: a line for each journal, and one for each change below it.
#[must_use]
pub fn text(all: &[Recovered]) -> String {
    if all.is_empty() {
        return "nothing to recover\n".to_owned();
    }
    let mut lines = Vec::new();
    for recovered in all {
        match recovered {
            Recovered::Running(found) => {
                lines.push(format!("{}: running, by {}; left alone", found.title(), found.owner));
            }
            Recovered::Busy(found) => {
                lines.push(format!(
                    "{}: another process is restoring it; look again later",
                    found.title()
                ));
            }
            Recovered::ByOthers(found) => {
                lines.push(format!("{}: restored by another process", found.title()));
            }
            Recovered::Would(found) => {
                lines.push(format!("{}: its {} is gone; would undo", found.title(), found.owner));
                lines.extend(
                    found
                        .to_undo
                        .iter()
                        .map(|change| format!("  {}: {}", change.what, change.undo)),
                );
            }
            Recovered::Restored(found, rollback) => {
                let word = if rollback.is_complete() {
                    "restored"
                } else {
                    "NOT RESTORED"
                };
                lines.push(format!("{}: {word}", found.title()));
                lines.extend(rollback.undone.iter().map(|line| format!("  undone: {line}")));
                lines.extend(rollback.failed.iter().map(|line| format!("  NOT UNDONE: {line}")));
                if !rollback.is_complete() {
                    lines.push(format!(
                        "  run `steadfast recover` again; the changes are in {}",
                        found.path.display()
                    ));
                }
            }
            Recovered::Unreadable(_, error) => lines.push(format!("NOT RECOVERED: {}", chain(error))),
        }
    }
    lines.push(String::new());
    lines.join("\n")
}
