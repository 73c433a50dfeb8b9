//! What a service makes of the end of its calls: the rules that every interpreter of a model shares.

use super::application::{Reaction, RetryOn};
use super::time::{Span, Time};

/// The least status of a failed call.
const ERROR: u16 = 400;

/// The least status that says that the server failed.
const SERVER_ERROR: u16 = 500;

/// What to do about a call that came to a status, or to `None`: no answer. Nothing: it went well.
pub(crate) const fn reaction(unreachable: Reaction, error: Reaction, status: Option<u16>) -> Option<Reaction> {
    match status {
        Some(status) if status < ERROR => None,
        Some(_) => Some(error),
        None => Some(unreachable),
    }
}

/// Whether a call that came to this is made again, after `tries` tries again of at most `times`.
pub(crate) fn again(on: RetryOn, times: u8, tries: u8, status: Option<u16>) -> bool {
    let failed = status.is_none_or(|status| on == RetryOn::ServerError && status >= SERVER_ERROR);
    failed && tries < times
}

/// How a request goes on after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// With the next step.
    GoOn,
    /// It ends with this status and an error's body.
    Answer(u16),
    /// It breaks off with the whole process.
    Crash,
}

/// How a request goes on after a call that came to this status, or to none.
pub(crate) const fn then(reaction: Reaction, status: Option<u16>) -> Then {
    match (reaction, status) {
        (Reaction::Answer(status) | Reaction::RelayAs(status), _) | (Reaction::Relay, Some(status)) => {
            Then::Answer(status)
        }
        (Reaction::Relay, None) => Then::Answer(500),
        (Reaction::Ignore, _) => Then::GoOn,
        (Reaction::Crash, _) => Then::Crash,
    }
}

/// The circuit breaker of one route in one process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Circuit {
    /// Calls are made; so many failed in a row.
    Closed(u32),
    /// No call is made before this time.
    Open(Time),
    /// A trial call is under way.
    Trial,
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed(0)
    }
}

impl Circuit {
    /// Whether a call may be made now. After an open breaker's time the first one that asks is the trial.
    #[inline]
    pub(crate) fn may_call(&mut self, now: Time) -> bool {
        match *self {
            Self::Closed(_) => true,
            Self::Open(until) if now >= until => {
                *self = Self::Trial;
                true
            }
            Self::Open(_) | Self::Trial => false,
        }
    }

    /// Counts a call's end: `failures` in a row open it for `open`.
    #[inline]
    pub(crate) fn called(&mut self, now: Time, failures: u32, open: Span, failed: bool) {
        *self = match *self {
            Self::Closed(_) | Self::Trial if !failed => Self::Closed(0),
            Self::Closed(before) if before + 1 < failures => Self::Closed(before + 1),
            Self::Closed(_) | Self::Trial => Self::Open(now + open),
            // A call from before it opened.
            Self::Open(until) => Self::Open(until),
        };
    }
}
