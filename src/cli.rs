//! The `steadfast` command.
//!
//! * [`args`] reads the command line, [`settings`] makes of it what an experiment needs.
//! * [`up`] serves a cluster to kubectl and other clients.
//! * [`serve_model`] stands in for one service of an application.
//! * [`story`] tells the workshop's story; [`single`] runs one experiment on a manifest.
//! * `plan` says what a run would do, `recover` puts back what one on a real cluster has left (feature
//!   `real`).
//! * [`schema`] prints the schemas of the files that users write.
//! * [`output`] writes the files, [`progress`] says what is going on, [`exit`] is what the shell learns.

pub mod args;
mod end;
pub mod error;
pub mod exit;
pub mod output;
#[cfg(feature = "real")]
pub mod plan;
pub mod progress;
#[cfg(feature = "real")]
pub mod recover;
pub mod schema;
pub mod serve_model;
pub mod settings;
pub mod single;
pub mod story;
pub mod up;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Run, Task};
use error::CliError;
use exit::Exit;
use output::Output;
use progress::Progress;
use settings::Settings;

/// Runs the command.
#[must_use]
pub fn main() -> ExitCode {
    main_with(&own_modules())
}

/// The modules of this crate's own real clusters.
fn own_modules() -> Modules {
    let modules = Modules::new();
    #[cfg(feature = "kind")]
    let modules = crate::cluster::kind::restoring(modules);
    modules
}

/// The modules that can put back what a run on a real cluster has left.
#[cfg(feature = "real")]
pub type Modules = crate::safety::restore::Registry;

/// The modules of real clusters: none without the feature `real`.
#[cfg(not(feature = "real"))]
#[derive(Debug, Default)]
pub struct Modules;

#[cfg(not(feature = "real"))]
impl Modules {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// Runs the command with modules for other kinds of clusters than it has itself: what `main` is for a command of one's own that can
/// `recover` and watch over one's own kind of cluster (see `examples/own_cluster.rs`).
#[must_use]
pub fn main_with(modules: &Modules) -> ExitCode {
    match Args::try_parse() {
        Ok(args) => run(args, modules),
        Err(error) => refuse(&error),
    }
}

/// Help, a version or bad usage. Where it cannot be printed, the code still says it.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from)
}

#[cfg_attr(
    not(feature = "real"),
    expect(unused_variables, reason = "nothing real, nothing to put back")
)]
fn run(args: Args, modules: &Modules) -> ExitCode {
    let done = match args.task() {
        Task::Run(args) => experiment(&args).map(ExitCode::from),
        Task::Up(args) => up::run(&args).map(ExitCode::from),
        Task::ServeModel(args) => serve_model::run(&args),
        #[cfg(feature = "real")]
        Task::Plan(args) => plan::run(&args).map(ExitCode::from),
        #[cfg(feature = "real")]
        Task::Recover(args) => recover::run(args, modules).map(ExitCode::from),
        #[cfg(feature = "real")]
        Task::Watchdog(args) => recover::watch(&args, modules).map(ExitCode::from),
        Task::Schema(of) => print(&schema::text(of)).map(|()| Exit::Expected.into()),
    };
    done.unwrap_or_else(|error| {
        // Where stderr is gone, too, the code still says it.
        let _ = match &error {
            CliError::Usage(usage) => usage.print(),
            error => writeln!(anstream::stderr(), "error: {}", crate::error::chain(error)),
        };
        error.exit().into()
    })
}

fn experiment(args: &Run) -> Result<Exit, CliError> {
    let settings = Settings::new(args)?;
    let progress = Progress::new(args.quiet);
    let started = output::wall_clock();
    if let Some(manifest) = &args.manifest {
        let output = Output::prepare(&args.output, &single::names(manifest))?;
        single::run(args, manifest, &settings, &output, &progress, started)
    } else {
        let output = Output::prepare(&args.output, &story::NAMES)?;
        story::run(args, &settings, &output, &progress, started)
    }
}

/// A runtime for one cluster: its clock is the cluster's.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(CliError::Runtime)
}

/// Prints a report, its marks coloured where the terminal and its user like colours.
fn print(text: &str) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    let printed = out
        .write_all(crate::report::terminal::coloured(text).as_bytes())
        .and_then(|()| out.flush());
    match printed {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(CliError::Print),
    }
}
