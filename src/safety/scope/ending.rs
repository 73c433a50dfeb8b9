//! The end of a scope: once, on a thread of its own, whoever asks for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::super::identity::Identity;
use super::super::journal::{Header, Journal, Seq};
use super::super::lease::Lease;
use super::super::restore::{Limits, Registry, Restorer, Rollback, Undone, chain, restore};
use super::super::run_id::RunId;
use super::signals::{Interruptible, say};
use super::{ChangeError, JournalError};

/// How long a change that is under way may take to come to its end before undoing begins.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// What of a scope outlives its future.
pub(in crate::safety) struct Ending<R: Restorer> {
    header: Header,
    path: PathBuf,
    registry: Registry,
    limits: Limits,
    stage: Mutex<Stage<R>>,
    /// Told when a change has ended, and when all is undone.
    moved: Condvar,
    ended: watch::Sender<bool>,
    signal: watch::Sender<Option<&'static str>>,
}

enum Stage<R: Restorer> {
    Open {
        journal: Journal<R::Change>,
        under_way: u32,
        lease: Option<Lease>,
    },
    /// No more changes; those under way may end.
    Ending {
        journal: Option<Journal<R::Change>>,
        under_way: u32,
    },
    Ended(Rollback),
}

impl<R: Restorer> Ending<R> {
    pub(super) fn new(journal: Journal<R::Change>, registry: Registry, limits: Limits, lease: Option<Lease>) -> Self {
        Self {
            header: journal.header().clone(),
            path: journal.path().to_owned(),
            registry,
            limits,
            stage: Mutex::new(Stage::Open {
                journal,
                under_way: 0,
                lease,
            }),
            moved: Condvar::new(),
            ended: watch::Sender::new(false),
            signal: watch::Sender::new(None),
        }
    }

    pub(super) const fn run(&self) -> &RunId {
        &self.header.run
    }

    pub(super) const fn cluster(&self) -> &Identity {
        &self.header.cluster
    }

    pub(super) fn journal(&self) -> &Path {
        &self.path
    }

    fn stage(&self) -> MutexGuard<'_, Stage<R>> {
        // A panic in between leaves nothing half done that undoing would not find in the file.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an intent, unless the scope is ending.
    pub(super) fn intend<E>(self: &Arc<Self>, change: &R::Change) -> Result<UnderWay<R>, ChangeError<E>> {
        let mut stage = self.stage();
        let Stage::Open { journal, under_way, .. } = &mut *stage else {
            return Err(ChangeError::Ending);
        };
        let seq = journal
            .intend(change, R::describe(change))
            .map_err(ChangeError::Journal)?;
        *under_way += 1;
        Ok(UnderWay {
            ending: Arc::clone(self),
            seq,
        })
    }

    /// Records an intent whose change takes as long as it takes.
    pub(in crate::safety) fn intend_only<E>(&self, change: &R::Change) -> Result<Seq, ChangeError<E>> {
        match &mut *self.stage() {
            Stage::Open { journal, .. } => journal
                .intend(change, R::describe(change))
                .map_err(ChangeError::Journal),
            _ => Err(ChangeError::Ending),
        }
    }

    /// Records that a change was made.
    pub(in crate::safety) fn made(&self, seq: Seq) {
        if let Stage::Open { journal, .. }
        | Stage::Ending {
            journal: Some(journal), ..
        } = &mut *self.stage()
        {
            // A record that cannot be written keeps nothing from being undone.
            let _recorded = journal.done(seq);
        }
    }

    /// Records that a change has been undone. At the end everything is undone anyway.
    pub(in crate::safety) fn undone(&self, seq: Seq, how: Undone) -> Result<(), JournalError> {
        match &mut *self.stage() {
            Stage::Open { journal, .. } => journal.undone(seq, how),
            _ => Ok(()),
        }
    }

    /// Resolves when the process is told to end.
    pub(super) async fn interrupted(&self) -> &'static str {
        let mut signal = self.signal.subscribe();
        match signal.wait_for(Option::is_some).await.map(|name| *name) {
            Ok(Some(name)) => name,
            // Its sender is in `self`.
            _ => std::future::pending().await,
        }
    }

    /// Begins to undo, if that has not begun.
    fn begin(self: &Arc<Self>) {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Open { .. }) {
            return;
        }
        let before = std::mem::replace(
            &mut *stage,
            Stage::Ending {
                journal: None,
                under_way: 0,
            },
        );
        let Stage::Open {
            journal,
            under_way,
            lease,
        } = before
        else {
            return;
        };
        *stage = Stage::Ending {
            journal: Some(journal),
            under_way,
        };
        drop(stage);
        let ending = Arc::clone(self);
        let thread = std::thread::Builder::new().name("steadfast-undo".into());
        let spawned = thread.spawn(move || {
            let undo = std::panic::AssertUnwindSafe(|| ending.undo());
            let rollback = std::panic::catch_unwind(undo)
                .unwrap_or_else(|_| Rollback::failure("undoing panicked; run `steadfast recover`".into()));
            // The next experiment may begin only now.
            drop(lease);
            ending.finish(rollback);
        });
        if let Err(error) = spawned {
            self.finish(Rollback::failure(format!(
                "no thread to undo on: {error}; run `steadfast recover`"
            )));
        }
    }

    /// On a thread of its own.
    fn undo(&self) -> Rollback {
        let mut stage = self.stage();
        let is_under_way = |stage: &mut Stage<R>| matches!(stage, Stage::Ending { under_way, .. } if *under_way > 0);
        let waited = self.moved.wait_timeout_while(stage, UNDER_WAY, is_under_way);
        stage = waited.unwrap_or_else(PoisonError::into_inner).0;
        let Stage::Ending { journal, .. } = &mut *stage else {
            return Rollback::default();
        };
        let Some(journal) = journal.take() else {
            return Rollback::default();
        };
        drop(stage);
        let restored = journal.reopen().map_err(|error| chain(&error)).and_then(|mut open| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| format!("no runtime to undo on: {error}"))?;
            Ok(runtime.block_on(restore(&mut open, &self.registry, self.limits)))
        });
        restored.unwrap_or_else(|why| Rollback::failure(format!("{why}; run `steadfast recover`")))
    }

    fn finish(&self, rollback: Rollback) {
        *self.stage() = Stage::Ended(rollback);
        self.moved.notify_all();
        self.ended.send_replace(true);
    }

    fn rollback(&self) -> Option<Rollback> {
        match &*self.stage() {
            Stage::Ended(rollback) => Some(rollback.clone()),
            _ => None,
        }
    }

    /// Undoes, or waits until it is undone.
    pub(in crate::safety) async fn end(self: &Arc<Self>) -> Rollback {
        self.begin();
        let mut ended = self.ended.subscribe();
        // Its sender is here.
        drop(ended.wait_for(|ended| *ended).await);
        self.rollback().unwrap_or_default()
    }

    /// The same for somebody who cannot await: a drop. Bounded.
    pub(super) fn end_blocking(self: &Arc<Self>) {
        self.begin();
        let stage = self.stage();
        let limit = UNDER_WAY + self.limits.all + self.limits.each;
        let is_open = |stage: &mut Stage<R>| !matches!(stage, Stage::Ended(_));
        let waited = self.moved.wait_timeout_while(stage, limit, is_open);
        let (stage, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &*stage {
            Stage::Ended(rollback) => {
                for line in &rollback.failed {
                    say(&format!("steadfast: NOT UNDONE: {line}"));
                }
            }
            _ => say(&format!(
                "steadfast: run {} is still not undone; run `steadfast recover`",
                self.header.run
            )),
        }
    }
}

impl<R: Restorer> Interruptible for Ending<R> {
    fn interrupt(self: Arc<Self>, name: &'static str) -> watch::Receiver<bool> {
        self.begin();
        self.signal.send_replace(Some(name));
        self.ended.subscribe()
    }

    fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    fn failures(&self) -> Vec<String> {
        self.rollback().map(|rollback| rollback.failed).unwrap_or_default()
    }
}

/// A change between its intent and its end.
pub(super) struct UnderWay<R: Restorer> {
    ending: Arc<Ending<R>>,
    seq: Seq,
}

impl<R: Restorer> UnderWay<R> {
    /// It was made.
    pub(super) fn done(self) -> Result<(), JournalError> {
        match &mut *self.ending.stage() {
            Stage::Open { journal, .. }
            | Stage::Ending {
                journal: Some(journal), ..
            } => journal.done(self.seq),
            _ => Ok(()),
        }
    }
}

impl<R: Restorer> Drop for UnderWay<R> {
    fn drop(&mut self) {
        if let Stage::Open { under_way, .. } | Stage::Ending { under_way, .. } = &mut *self.ending.stage() {
            *under_way = under_way.saturating_sub(1);
        }
        self.ending.moved.notify_all();
    }
}
