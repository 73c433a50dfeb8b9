//! The thread that runs slots.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use super::Clock;
use super::control::{self, Control};
use super::pacer::Due;
use super::state::{Outcome, Shared};
use super::user::{self, Route};

/// Starts slots as they come.
#[derive(Debug)]
pub(super) struct Worker {
    /// By journey; the control probe is the journey behind them.
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) control: Option<Arc<Control>>,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) cap: usize,
}

impl Worker {
    /// Runs until told to end; slots under way are dropped then. Whether none panicked.
    pub(super) async fn run(self, mut slots: mpsc::UnboundedReceiver<Due>, mut end: oneshot::Receiver<()>) -> bool {
        let mut tasks = JoinSet::new();
        let mut sound = true;
        let panicked = |done: Result<(), JoinError>| done.is_err_and(|error| error.is_panic());
        loop {
            tokio::select! {
                biased;
                due = slots.recv() => match due {
                    Some(due) => self.begin(due, &mut tasks),
                    // The load is stopped.
                    None => break,
                },
                Some(done) = tasks.join_next() => sound &= !panicked(done),
                _ = &mut end => break,
            }
        }
        while !tasks.is_empty() {
            tokio::select! {
                biased;
                _ = &mut end => break,
                Some(done) = tasks.join_next() => sound &= !panicked(done),
            }
        }
        sound
    }

    fn begin(&self, due: Due, tasks: &mut JoinSet<()>) {
        let mut state = self.shared.lock();
        let place = state.plan(due.journey, due.planned);
        let Some(route) = self.routes.get(due.journey) else {
            drop(state);
            if let Some(control) = &self.control {
                let (control, shared) = (Arc::clone(control), Arc::clone(&self.shared));
                tasks.spawn(control::run(control, shared, self.clock, due, place));
            }
            return;
        };
        if state.in_flight >= self.cap {
            let why = format!("{} slots were in flight, the load's cap", self.cap);
            state.decide(due.journey, place, due.planned, Outcome::NotSent(why), self.clock.now());
            return;
        }
        state.in_flight += 1;
        drop(state);
        tasks.spawn(user::run(Arc::clone(route), due, place));
    }
}
