//! What ends a process, and what is done before it does.
//!
//! One thread of the process listens for all scopes, with a runtime of its own: a test that blocks its thread is interrupted as well.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// A scope, as signals see it.
pub(super) trait Interruptible: Send + Sync {
    /// Begins to undo; the receiver says when that has ended.
    fn interrupt(self: Arc<Self>, name: &'static str) -> watch::Receiver<bool>;
    /// Whether there is nothing left to undo.
    fn has_ended(&self) -> bool;
    /// What could not be undone.
    fn failures(&self) -> Vec<String>;
}

static SCOPES: Mutex<Vec<Arc<dyn Interruptible>>> = Mutex::new(Vec::new());

/// What is said while the changes are undone.
const UNDOING: &str = "steadfast: undoing what this run changed; once more ends at once and leaves it to the watchdog and `steadfast recover`";

/// Words for the person at the terminal, where the test may not return any more.
pub(super) fn say(line: &str) {
    // The process is about to end, and nobody else will say it. `eprintln!` panics where stderr is gone, as after a hang-up.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Has a scope undone when the process is told to end.
pub(super) fn watch(scope: Arc<dyn Interruptible>) -> io::Result<()> {
    listening()?;
    let mut scopes = SCOPES.lock().unwrap_or_else(PoisonError::into_inner);
    scopes.retain(|other| !other.has_ended());
    scopes.push(scope);
    Ok(())
}

#[cfg(unix)]
fn listening() -> io::Result<()> {
    static LISTENING: Mutex<bool> = Mutex::new(false);
    let mut listening = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    if *listening {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Caught from now on, not from when the thread first runs.
    let signals = {
        let _within = runtime.enter();
        unix::Ends::new()?
    };
    let thread = std::thread::Builder::new().name("steadfast-signals".into());
    thread.spawn(move || runtime.block_on(unix::listen(signals)))?;
    *listening = true;
    Ok(())
}

#[cfg(not(unix))]
fn listening() -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "signals are handled on Unix only: use Signals::Leave",
    ))
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::PoisonError;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{SCOPES, UNDOING, say};

    pub(super) struct Ends {
        interrupt: Signal,
        terminate: Signal,
        hang_up: Signal,
    }

    impl Ends {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        }

        /// Its name, and the code with which shells report a process that it ended: 128 and its number.
        async fn next(&mut self) -> (&'static str, i32) {
            tokio::select! {
                _ = self.interrupt.recv() => ("Ctrl-C", 130),
                _ = self.terminate.recv() => ("SIGTERM", 143),
                _ = self.hang_up.recv() => ("SIGHUP", 129),
            }
        }
    }

    pub(super) async fn listen(mut signals: Ends) {
        let (name, code) = signals.next().await;
        let mut scopes = SCOPES.lock().unwrap_or_else(PoisonError::into_inner).clone();
        scopes.retain(|scope| !scope.has_ended());
        if scopes.is_empty() {
            end(code);
        }
        say(UNDOING);
        let undone = async {
            for scope in &scopes {
                let mut ended = scope.clone().interrupt(name);
                drop(ended.wait_for(|ended| *ended).await);
            }
        };
        // All begin before any is waited for.
        for scope in &scopes {
            let _begun = scope.clone().interrupt(name);
        }
        tokio::select! {
            () = undone => {
                for line in scopes.iter().flat_map(|scope| scope.failures()) {
                    say(&format!("steadfast: NOT UNDONE: {line}"));
                }
                end(code);
            }
            (_, code) = signals.next() => {
                say("steadfast: ended before everything was undone; run `steadfast recover`");
                end(code);
            }
        }
    }

    #[expect(
        clippy::exit,
        reason = "the process was told to end, and tokio's handler keeps it from ending by itself"
    )]
    fn end(code: i32) -> ! {
        std::process::exit(code)
    }
}
