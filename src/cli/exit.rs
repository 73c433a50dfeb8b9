//! What the shell learns: documented codes, stable within a major version.

use std::process::ExitCode;

use crate::experiment::Report;
use crate::model::experiment::Verdict;

/// How a command ended. Ctrl-C ends a run as the shell does, with 130: an embedded cluster needs no healing. A cluster that was only
/// served (`steadfast up`) is ended that way, so that it is no failure there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every verdict is the expected one.
    Expected = 0,
    /// Violated instead of held, or held instead of violated.
    Unexpected = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A run proves nothing.
    Inconclusive = 3,
    /// A run was broken off.
    Aborted = 4,
    /// What a run changed could not be put back.
    RollbackIncomplete = 5,
    /// A manifest or model cannot be used, or the cluster refused it, or it did not become ready.
    Input = 6,
    /// The results cannot be written.
    Output = 7,
}

/// The codes as `--help` lists them.
pub const HELP: &str = "\
Exit codes:
    0  every verdict is as expected; `up` was ended with Ctrl-C or SIGTERM
    1  an unexpected verdict: violated instead of held, or held instead of violated
    2  the command line makes no sense
    3  inconclusive: the run proves nothing
    4  aborted
    5  rollback incomplete
    6  the input cannot be used: a manifest, a model, refused by the cluster, not ready
    7  the output cannot be written
  130  interrupted with Ctrl-C";

impl Exit {
    /// The code of runs: of several, the one that proves least.
    #[must_use]
    pub fn of(reports: &[&Report]) -> Self {
        let code = |report: &&Report| match report.verdict() {
            Verdict::Held | Verdict::Violated if report.is_as_expected() => Self::Expected,
            Verdict::Held | Verdict::Violated => Self::Unexpected,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Aborted => Self::Aborted,
            Verdict::RollbackIncomplete => Self::RollbackIncomplete,
        };
        reports
            .iter()
            .map(code)
            .max_by_key(|code| *code as u8)
            .unwrap_or(Self::Inconclusive)
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::sample::healthy;

    #[test]
    fn a_code_never_passes_what_proves_nothing() {
        let held = Report::new(healthy());
        let mut history = healthy();
        history.header.plan.expected = Verdict::Violated;
        let unexpected = Report::new(history);
        let mut history = healthy();
        history.events.clear();
        let inconclusive = Report::new(history);
        assert_eq!(Exit::of(&[&held]), Exit::Expected);
        assert_eq!(Exit::of(&[&held, &unexpected]), Exit::Unexpected);
        assert_eq!(Exit::of(&[&unexpected, &inconclusive, &held]), Exit::Inconclusive);
        assert_eq!(Exit::of(&[]), Exit::Inconclusive, "nothing run proves nothing");
    }
}
