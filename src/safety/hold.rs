//! A scope without a body: it lasts as long as somebody holds it.
//!
//! A test holds a cluster in a variable and not in a closure. Whatever ends that variable (the end of the test, its failure, a panic, a
//! dropped future) ends the scope; so do Ctrl-C, SIGTERM, a lost lease and the deadline.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::journal::Seq;
use super::lease::Lease;
use super::policy::Permission;
use super::restore::{Restorer, Rollback, Undone};
use super::scope::{ChangeError, Options, Scope, ScopeError, Undoing, open};

/// A scope that is held. Dropping it undoes what is not undone, and blocks until that is done.
#[derive(Debug)]
#[must_use = "whoever lets it go ends the run"]
pub struct Hold<R: Restorer> {
    scope: Scope<R>,
    undoing: Undoing<R>,
    /// Ends the scope when the lease is lost or the time is over.
    watch: JoinHandle<()>,
}

/// Begins a scope.
///
/// # Errors
/// When nothing may be changed.
pub async fn hold<R: Restorer>(permission: &Permission, options: Options) -> Result<Hold<R>, ScopeError> {
    let deadline = options.deadline;
    let lost = options.lease.as_ref().map(Lease::lost);
    let shared = open::<R>(permission, options).await?;
    let ending = Arc::clone(&shared);
    let watch = tokio::spawn(async move {
        let lost = async {
            match lost {
                Some(mut lost) => drop(lost.reason().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lost => {}
            () = tokio::time::sleep(deadline) => {}
        }
        let _undone = ending.end().await;
    });
    Ok(Hold {
        scope: Scope::over(Arc::clone(&shared)),
        undoing: Undoing(shared),
        watch,
    })
}

impl<R: Restorer> Hold<R> {
    /// The scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope<R> {
        &self.scope
    }

    /// Undoes what is not undone, and ends the run. Later calls find it ended.
    pub async fn end(&self) -> Rollback {
        self.undoing.0.end().await
    }
}

impl<R: Restorer> Drop for Hold<R> {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl<R: Restorer> Scope<R> {
    /// Records that a change is about to be made, for one that takes long or is undone before the end; [`Scope::made`] and
    /// [`Scope::put_back`] say so.
    ///
    /// # Errors
    /// When it must not be made: the run is ending, or it could not be recorded.
    pub fn intend<E>(&self, change: &R::Change) -> Result<Seq, ChangeError<E>> {
        self.shared().intend_only(change)
    }

    /// Records that a change was made. One that cannot be recorded is undone all the same.
    pub fn made(&self, seq: Seq) {
        self.shared().made(seq);
    }

    /// Records that a change has been undone: it is nothing to undo at the end.
    ///
    /// # Errors
    /// When it is not on the disk; it will then be undone again, which does nothing.
    pub fn put_back<E>(&self, seq: Seq) -> Result<(), ChangeError<E>> {
        self.shared().undone(seq, Undone::PutBack).map_err(ChangeError::Journal)
    }
}
