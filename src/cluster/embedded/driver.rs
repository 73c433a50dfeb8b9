//! Moves a world along as tokio's clock moves, and tells watchers when it changed.

mod clock;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::simulation::api::ApiStore;
use clock::Clock;
pub(crate) use clock::Pace;

/// While load runs, the world is moved at least this often, so that its counts can be read as they grow.
const LOADED_STEP: u64 = 100_000;

/// A world that has time: what the driver needs of a simulation.
pub(crate) trait Live: ApiStore + Send {
    /// Runs every event up to `now`, in microseconds of cluster time. Never called with an earlier time than before.
    fn advance(&mut self, now: u64);
    /// When the next event is due, in microseconds of cluster time; `None` when nothing is planned.
    fn next_event(&self) -> Option<u64>;
    /// Whether load is running.
    fn loaded(&self) -> bool;
}

/// Why a world cannot be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// There is no tokio runtime to drive it.
    #[error("no tokio runtime here: start the embedded cluster inside a #[tokio::test]")]
    NoRuntime,
    /// The runtime has several threads; tokio cannot pause its clock there.
    #[error(
        "the embedded cluster runs in virtual time, which needs a current-thread runtime: use a plain #[tokio::test] \
         instead of flavor = \"multi_thread\", or ask for real time"
    )]
    MultiThread,
    /// An earlier step of the simulation panicked, so its state means nothing any more.
    #[error("the simulation has panicked: see the panic's message above")]
    Panicked,
}

/// A handle to a running world. Clones share it; when the last one is dropped the world is, too.
pub(crate) struct Driver<W>(Arc<Shared<W>>);

impl<W> Clone for Driver<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<W> {
    running: Mutex<Running<W>>,
    clock: Clock,
    changed: watch::Sender<u64>,
    planned: Arc<Notify>,
}

struct Running<W> {
    world: W,
    /// The cluster time up to which the world has run.
    reached: u64,
}

impl<W: Live + 'static> Driver<W> {
    /// Starts to drive `world`, whose cluster time is now `from` microseconds, by a task of the present runtime.
    ///
    /// # Errors
    /// Outside of a tokio runtime; and with [`Pace::Virtual`] on a runtime of several threads.
    pub(crate) async fn start(world: W, from: u64, pace: Pace) -> Result<Self, DriverError> {
        let clock = Clock::start(from, pace).await?;
        let planned = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            changed: watch::Sender::new(world.version()),
            running: Mutex::new(Running { world, reached: from }),
            clock,
            planned: Arc::clone(&planned),
        });
        let driven = Arc::downgrade(&shared);
        tokio::spawn(async move {
            loop {
                let wake = match driven.upgrade() {
                    Some(shared) => shared.step(),
                    None => return,
                };
                match wake {
                    Ok(Some(at)) => tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = planned.notified() => {}
                    },
                    Ok(None) => planned.notified().await,
                    Err(_panicked) => return,
                }
            }
        });
        Ok(Self(shared))
    }

    /// Brings the world to the present, lets `act` read or command it, and tells the watchers of any change.
    ///
    /// # Errors
    /// When the simulation has panicked before.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut W) -> R) -> Result<R, DriverError> {
        let _alarm = Alarm(&self.0.changed);
        let mut running = self.0.present()?;
        let before = (running.world.next_event(), running.world.loaded());
        let answer = act(&mut running.world);
        let after = (running.world.next_event(), running.world.loaded());
        self.0.publish(&running);
        drop(running);
        if before != after {
            self.0.planned.notify_one();
        }
        Ok(answer)
    }

    /// Receives the world's version whenever it has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The present cluster time in microseconds.
    pub(crate) fn now(&self) -> u64 {
        self.0.clock.now()
    }

    /// The moment of tokio's clock after `length` more of cluster time.
    pub(crate) fn after(&self, length: Duration) -> Instant {
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        self.0.clock.instant(self.now().saturating_add(micros))
    }
}

impl<W: Live> Shared<W> {
    /// The world at the present time.
    fn present(&self) -> Result<MutexGuard<'_, Running<W>>, DriverError> {
        let mut running = self.running.lock().map_err(|_poisoned| DriverError::Panicked)?;
        // Read under the lock: whoever comes later sees a later time.
        let now = self.clock.now().max(running.reached);
        running.reached = now;
        running.world.advance(now);
        Ok(running)
    }

    /// Moves the world to the present; returns when to come back.
    fn step(&self) -> Result<Option<Instant>, DriverError> {
        let _alarm = Alarm(&self.changed);
        let running = self.present()?;
        self.publish(&running);
        let event = running.world.next_event();
        let load = running
            .world
            .loaded()
            .then(|| running.reached.saturating_add(LOADED_STEP));
        let next = [event, load].into_iter().flatten().min();
        // Never now again: a world that leaves an event undone would stop tokio's clock for good.
        Ok(next.map(|at| self.clock.instant(at.max(running.reached.saturating_add(1)))))
    }

    fn publish(&self, running: &Running<W>) {
        let version = running.world.version();
        self.changed
            .send_if_modified(|known| std::mem::replace(known, version) != version);
    }
}

impl<W> Drop for Shared<W> {
    fn drop(&mut self) {
        // Lets the driving task see that nobody is left.
        self.planned.notify_one();
    }
}

/// Wakes the watchers when the simulation panics: they would wait for a change that never comes.
struct Alarm<'a>(&'a watch::Sender<u64>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.send_modify(|_version| {});
        }
    }
}

#[cfg(test)]
mod tests;
