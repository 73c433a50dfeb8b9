//! The watchdog: a process of its own that restores when the run's process cannot.
//!
//! It is `steadfast watchdog --journal PATH`, in a process group of its own, so that what a terminal or a test runner sends to the test's
//! group does not reach it. It waits until the journal's lock is free, which the kernel sees to however the owner ends, or its deadline has
//! passed, and then undoes what the journal lists. It ends when the journal is closed. What it does is in `<run>.log` beside the journal.

mod find;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::clock;
use super::journal::{JournalError, Open, Replay};
use super::recover::{Recovered, Recovery, one};
use super::restore::{Limits, Registry, Rollback, chain, restore};

pub use find::{BIN, ready_line};

/// How often the watchdog looks at the journal.
const LOOK: Duration = Duration::from_millis(200);
/// How long after the deadline the owner has to have undone everything by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long a watchdog may take to say that it watches.
const START: Duration = Duration::from_secs(20);
/// How long it goes on trying to restore.
const TRIES: Duration = Duration::from_secs(900);
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(5);
/// What it says once it watches.
const WATCHING: &str = "watching";

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// No command.
    #[error(
        "no `steadfast` {version} that knows `{kind}` was found to watch over this run (looked at {looked}): cargo install steadfast --version ={version}, or set {BIN}"
    )]
    NotFound {
        /// The version needed.
        version: &'static str,
        /// The kind of cluster.
        kind: String,
        /// The places, and what was there.
        looked: String,
    },
    /// It cannot be started.
    #[error("the watchdog {} could not be started", .0.display())]
    Start(PathBuf, #[source] io::Error),
    /// It does not watch.
    #[error("the watchdog did not begin to watch within {START:?}: see {}", .0.display())]
    Silent(PathBuf),
}

/// The `steadfast` command of this version that can restore clusters of a kind: the one that [`BIN`] names, or else the first of those
/// beside this program, in the folder above it (a test's program is in `deps/`), and on the `PATH`.
///
/// # Errors
/// When there is none.
pub fn find(kind: &str) -> Result<PathBuf, WatchdogError> {
    find::find(kind)
}

/// Starts a watchdog over a journal, and waits until it watches.
pub(super) async fn start(command: &Path, journal: &Path) -> Result<(), WatchdogError> {
    let log = journal.with_extension("log");
    let failed = |source| WatchdogError::Start(command.to_owned(), source);
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(failed)?;
    let mut watchdog = Command::new(command);
    watchdog
        .args(["watchdog", "--journal"])
        .arg(journal)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(failed)?)
        .stderr(out);
    // In a group of its own: Ctrl-C at a terminal and the end of a test runner's group are not for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut watchdog, 0);
    let mut child = watchdog.spawn().map_err(failed)?;
    let begun = Instant::now();
    while begun.elapsed() < START {
        if std::fs::read_to_string(&log).is_ok_and(|text| text.contains(WATCHING)) {
            // It outlives this process, or ends with the journal; until then somebody has to wait for it, or it stays a zombie.
            let waiter = std::thread::Builder::new().name("steadfast-watchdog".into());
            waiter.spawn(move || child.wait()).map_err(failed)?;
            return Ok(());
        }
        if child.try_wait().map_err(failed)?.is_some() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let _ended = child.kill().and_then(|()| child.wait());
    Err(WatchdogError::Silent(log))
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The run ended by itself, or somebody else restored.
    Closed,
    /// It was restored here.
    Restored,
    /// It could not be.
    Failed,
}

/// Watches over a journal until it is closed. `say` is given what it does, a line at a time.
///
/// # Errors
/// When the journal cannot be read.
pub async fn watch(
    journal: &Path,
    registry: &Registry,
    limits: Limits,
    mut say: impl FnMut(&str),
) -> Result<Watched, JournalError> {
    let mut deadline = Replay::read(journal)?.header.deadline + GRACE;
    say(WATCHING);
    let mut length = 0;
    loop {
        let now = std::fs::metadata(journal).map_or(0, |file| file.len());
        if now == 0 {
            // Removed by somebody.
            return Ok(Watched::Closed);
        }
        if now != length {
            length = now;
            if Replay::read(journal)?.closed {
                return Ok(Watched::Closed);
            }
        }
        match Open::take(journal) {
            Ok(open) => {
                drop(open);
                say("the owner is gone: restoring");
                return Ok(restored(journal, registry, limits, &mut say).await);
            }
            Err(JournalError::Held(_)) => {}
            Err(error) => return Err(error),
        }
        if clock::now() >= deadline {
            say("the deadline has passed and the owner has not undone everything: restoring");
            let mut open = Open::past_deadline(journal)?;
            report(&restore(&mut open, registry, limits).await, &mut say);
            if Replay::read(journal)?.closed {
                return Ok(Watched::Restored);
            }
            deadline = clock::now() + PAUSE;
        }
        sleep(LOOK).await;
    }
}

async fn restored(journal: &Path, registry: &Registry, limits: Limits, say: &mut impl FnMut(&str)) -> Watched {
    let begun = Instant::now();
    loop {
        let failed = match one(journal, registry, limits, Recovery::Undo).await {
            None | Some(Recovered::ByOthers(_)) => return Watched::Closed,
            Some(Recovered::Restored(_, rollback)) => {
                report(&rollback, say);
                if rollback.is_complete() {
                    return Watched::Restored;
                }
                begun.elapsed() > TRIES
            }
            Some(Recovered::Unreadable(_, error)) => {
                say(&chain(&error));
                true
            }
            Some(Recovered::Running(_) | Recovered::Busy(_) | Recovered::Would(_)) => begun.elapsed() > TRIES,
        };
        if failed {
            say("given up: run `steadfast recover`");
            return Watched::Failed;
        }
        sleep(PAUSE).await;
    }
}

fn report(rollback: &Rollback, say: &mut impl FnMut(&str)) {
    for line in &rollback.undone {
        say(&format!("undone: {line}"));
    }
    for line in &rollback.failed {
        say(&format!("NOT UNDONE: {line}"));
    }
}
