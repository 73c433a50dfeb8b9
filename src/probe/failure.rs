//! How a request failed, from the error that reqwest gives: its chain of sources is walked down to what the operating system said.

use std::error::Error;
use std::io::{self, ErrorKind};

use crate::model::history::FailureKind;

/// How far a request's connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// The request goes over a connection that is there, or none is needed yet.
    #[default]
    Connected,
    /// A connection is being made.
    Connecting,
}

/// What came of a request that was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It failed as a user's would.
    As(FailureKind),
    /// This machine could not send it: no port, no file descriptor, no memory. It says nothing about the application.
    NotSent(String),
}

/// Too many open files, in this process (`EMFILE`) and in the system (`ENFILE`): the same numbers on Linux, the BSDs and macOS
/// (include/uapi/asm-generic/errno-base.h). std has no kind for them.
const FILES: [i32; 2] = [24, 23];
/// No buffer space (`ENOBUFS`), on Linux (include/uapi/asm-generic/errno.h).
const BUFFERS: i32 = 105;

/// Reads an error. What no rule knows is a broken connection: a request was under way and no answer came.
pub(super) fn read(error: &(dyn Error + 'static), phase: Phase) -> Failed {
    let mut kind = None;
    let mut next = Some(error);
    while let Some(error) = next {
        // The innermost cause that says anything is the one that counts: hyper wraps what the system said.
        if let Some(said) = error.downcast_ref::<io::Error>().and_then(|error| system(error, phase)) {
            match said {
                Failed::NotSent(_) => return said,
                Failed::As(said) => kind = Some(said),
            }
        } else if let Some(said) = error.downcast_ref::<hyper::Error>().and_then(protocol) {
            kind = Some(said);
        }
        next = error.source();
    }
    Failed::As(kind.unwrap_or(match phase {
        Phase::Connecting => FailureKind::Unreachable,
        Phase::Connected => FailureKind::Reset,
    }))
}

/// A request that was not answered in time.
pub(super) const fn late(phase: Phase) -> FailureKind {
    match phase {
        Phase::Connecting => FailureKind::ConnectTimeout,
        Phase::Connected => FailureKind::ReadTimeout,
    }
}

/// What the operating system said.
fn system(error: &io::Error, phase: Phase) -> Option<Failed> {
    if error
        .raw_os_error()
        .is_some_and(|code| FILES.contains(&code) || cfg!(target_os = "linux") && code == BUFFERS)
    {
        return Some(Failed::NotSent(error.to_string()));
    }
    Some(Failed::As(match error.kind() {
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse | ErrorKind::OutOfMemory | ErrorKind::PermissionDenied => {
            return Some(Failed::NotSent(error.to_string()));
        }
        ErrorKind::ConnectionRefused => FailureKind::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => FailureKind::Unreachable,
        // TCP gave up by itself: SYNs, or what was sent, went unanswered.
        ErrorKind::TimedOut => late(phase),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => FailureKind::Reset,
        // hyper reads chunks and bodies as I/O, and says so when they are not what HTTP/1.1 allows.
        ErrorKind::InvalidData | ErrorKind::InvalidInput => FailureKind::Protocol,
        _ => return None,
    }))
}

/// What hyper said about the bytes that came.
fn protocol(error: &hyper::Error) -> Option<FailureKind> {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        Some(FailureKind::Protocol)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(FailureKind::Reset)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    fn of(kind: ErrorKind, phase: Phase) -> Failed {
        read(&Outer(io::Error::new(kind, Outer(io::Error::other("inside")))), phase)
    }

    #[test]
    fn the_chain_is_walked_to_what_the_system_said() {
        use FailureKind::{ConnectTimeout, Protocol, ReadTimeout, Refused, Reset, Unreachable};
        for (kind, connecting, connected) in [
            (ErrorKind::ConnectionRefused, Refused, Refused),
            (ErrorKind::HostUnreachable, Unreachable, Unreachable),
            (ErrorKind::NetworkUnreachable, Unreachable, Unreachable),
            (ErrorKind::NetworkDown, Unreachable, Unreachable),
            (ErrorKind::TimedOut, ConnectTimeout, ReadTimeout),
            (ErrorKind::ConnectionReset, Reset, Reset),
            (ErrorKind::ConnectionAborted, Reset, Reset),
            (ErrorKind::BrokenPipe, Reset, Reset),
            (ErrorKind::NotConnected, Reset, Reset),
            (ErrorKind::UnexpectedEof, Reset, Reset),
            (ErrorKind::InvalidData, Protocol, Protocol),
            (ErrorKind::InvalidInput, Protocol, Protocol),
            (ErrorKind::Other, Unreachable, Reset),
        ] {
            assert_eq!(
                of(kind, Phase::Connecting),
                Failed::As(connecting),
                "{kind:?} while connecting"
            );
            assert_eq!(
                of(kind, Phase::Connected),
                Failed::As(connected),
                "{kind:?} when connected"
            );
        }
    }

    #[test]
    fn what_this_machine_lacks_is_no_failure_of_the_application() {
        for kind in [
            ErrorKind::AddrNotAvailable,
            ErrorKind::AddrInUse,
            ErrorKind::OutOfMemory,
            ErrorKind::PermissionDenied,
        ] {
            assert!(matches!(of(kind, Phase::Connecting), Failed::NotSent(_)), "{kind:?}");
        }
        for code in FILES {
            let error = Outer(io::Error::from_raw_os_error(code));
            assert!(matches!(read(&error, Phase::Connecting), Failed::NotSent(_)), "{code}");
        }
    }
}
