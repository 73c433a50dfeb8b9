//! Cluster time from tokio's clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Mutex;
use tokio::time::{Instant, advance, pause, sleep_until};

use super::DriverError;

thread_local! {
    /// Held while a clock of this thread's runtime is aligned.
    static ALIGNING: Arc<Mutex<()>> = Arc::default();
}

/// How cluster time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// tokio's clock is paused and jumps from timer to timer: an hour passes in milliseconds.
    Virtual,
    /// Cluster time follows the clock on the wall.
    Real {
        /// Seconds of cluster time in one second; at least 1.
        speed: u32,
    },
}

/// Cluster time in microseconds against tokio's instants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    base: Instant,
    from: u64,
    speed: u32,
}

impl Clock {
    /// A clock that reads `from` now.
    pub(super) async fn start(from: u64, pace: Pace) -> Result<Self, DriverError> {
        let runtime = Handle::try_current().map_err(|_absent| DriverError::NoRuntime)?;
        let speed = match pace {
            Pace::Real { speed } => speed.max(1),
            Pace::Virtual => {
                if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
                    return Err(DriverError::MultiThread);
                }
                if !is_paused() {
                    pause();
                }
                // One after the other: each moves the clock while it measures.
                let turn = ALIGNING.with(Arc::clone);
                let _turn = turn.lock().await;
                align().await;
                1
            }
        };
        Ok(Self {
            base: Instant::now(),
            from,
            speed,
        })
    }

    pub(super) fn now(&self) -> u64 {
        let real = u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.from.saturating_add(real.saturating_mul(u64::from(self.speed)))
    }

    /// The first instant at which this clock reads `time` or more.
    pub(super) fn instant(&self, time: u64) -> Instant {
        // Ten years ahead is as good as never, and inside what an instant can hold.
        const FAR: u64 = 10 * 365 * 24 * 3_600 * 1_000_000;
        let real = time.saturating_sub(self.from).div_ceil(u64::from(self.speed));
        self.base + Duration::from_micros(real.min(FAR))
    }
}

/// Whether tokio's clock stands still. tokio does not tell, and pausing it twice panics.
#[expect(
    clippy::disallowed_methods,
    reason = "whether tokio's clock moves is seen against one that does"
)]
fn is_paused() -> bool {
    let seen = Instant::now();
    let real = std::time::Instant::now();
    while std::time::Instant::now() <= real {
        std::hint::spin_loop();
    }
    Instant::now() == seen
}

/// Moves the paused clock onto a tick of tokio's timers.
///
/// Timers fire on whole milliseconds since the runtime's start, and a paused clock stays off them by the fraction of a
/// millisecond at which it was paused: every sleep would take one millisecond too long, and none if the clock happened
/// to be paused on a tick. The fraction is not readable, so it is measured: a timer less than the rest of the
/// millisecond away fires one tick later, a timer beyond it two ticks later.
async fn align() {
    const TICK: u64 = 1_000_000;
    if is_within_tick(TICK).await {
        return;
    }
    let (mut within, mut beyond) = (0, TICK);
    while beyond - within > 1 {
        let middle = u64::midpoint(within, beyond);
        if is_within_tick(middle).await {
            within = middle;
        } else {
            beyond = middle;
        }
    }
    advance(Duration::from_nanos(within)).await;
}

async fn is_within_tick(nanos: u64) -> bool {
    let start = Instant::now();
    sleep_until(start + Duration::from_nanos(nanos)).await;
    start.elapsed() <= Duration::from_millis(1)
}
