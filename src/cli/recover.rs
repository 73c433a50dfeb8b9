//! `steadfast recover` and `steadfast watchdog`: putting back what a run that was killed has left.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::exit::Exit;
use super::print;
use crate::safety::recover::{Recovered, Recovery, recover, text};
use crate::safety::restore::{Limits, Registry};
use crate::safety::state::State;
use crate::safety::watchdog::{self, Watched};

/// The options of `steadfast recover`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Recover {
    /// Say what would be undone, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The options of `steadfast watchdog`.
#[derive(Clone, Debug, clap::Args)]
pub struct Watchdog {
    /// The journal to watch over
    #[arg(long, value_name = "PATH", required_unless_present = "check")]
    pub journal: Option<PathBuf>,
    /// Print the version and the kinds of clusters that can be restored
    #[arg(long)]
    pub check: bool,
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::Runtime)
}

/// Undoes what runs that were killed have left.
///
/// # Errors
/// When the journals cannot be read.
pub fn run(args: Recover, registry: &Registry) -> Result<Exit, CliError> {
    let state = State::from_env().map_err(CliError::State)?;
    let recovery = if args.dry_run { Recovery::DryRun } else { Recovery::Undo };
    let recovered = runtime()?
        .block_on(recover(&state, registry, Limits::default(), recovery))
        .map_err(|source| CliError::Journals(state.runs(), source))?;
    print(&text(&recovered))?;
    let is_incomplete = recovered.iter().any(Recovered::is_incomplete);
    Ok(if is_incomplete {
        Exit::RollbackIncomplete
    } else {
        Exit::Expected
    })
}

/// Watches over a journal.
///
/// # Errors
/// When it cannot be read.
pub fn watch(args: &Watchdog, registry: &Registry) -> Result<Exit, CliError> {
    match &args.journal {
        Some(journal) if !args.check => watch_over(journal, registry),
        _ => print(&(watchdog::ready_line(registry) + "\n")).map(|()| Exit::Expected),
    }
}

fn watch_over(journal: &Path, registry: &Registry) -> Result<Exit, CliError> {
    let watched = runtime()?.block_on(async {
        // The terminal may be closed meanwhile.
        #[cfg(unix)]
        let _caught =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map_err(CliError::Signals)?;
        let say = |line: &str| {
            // Its log; where that is gone, it restores all the same.
            let _ = writeln!(std::io::stdout(), "{line}");
        };
        watchdog::watch(journal, registry, Limits::default(), say)
            .await
            .map_err(CliError::Journal)
    })?;
    Ok(match watched {
        Watched::Closed | Watched::Restored => Exit::Expected,
        Watched::Failed => Exit::RollbackIncomplete,
    })
}
