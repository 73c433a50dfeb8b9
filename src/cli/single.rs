//! One experiment on a manifest.

use std::path::Path;

use jiff::Timestamp;

use super::args::Run;
use super::error::CliError;
use super::exit::Exit;
use super::output::{self, Output};
use super::progress::Progress;
use super::settings::Settings;
use super::{print, runtime};
use crate::app::{App, AppError, Undeployed};
use crate::experiment::Report;
use crate::model::experiment::Verdict;
use crate::report::terminal;
use crate::sockshop::SockShop;

/// The name of a manifest's run: the file's without extension.
fn name(manifest: &Path) -> String {
    manifest
        .file_stem()
        .map_or_else(|| "application".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The files that a run of this manifest writes.
#[must_use]
pub fn names(manifest: &Path) -> [String; 2] {
    output::files(&name(manifest))
}

/// Runs it, writes its files and prints its report.
///
/// # Errors
/// When there is no verdict, or it cannot be written.
pub fn run(
    args: &Run,
    manifest: &Path,
    settings: &Settings,
    output: &Output,
    progress: &Progress,
    started: Timestamp,
) -> Result<Exit, CliError> {
    let application = application(args, manifest)?;
    let expected = args.expect.unwrap_or(Verdict::Held);
    let report = runtime()?.block_on(experiment(application, settings, expected, *progress))?;
    let exit = Exit::of(&[&report]);
    let written = output.run(&name(manifest), &report).and_then(|files| {
        let record = output.record(started, exit, &files)?;
        Ok([files, vec![record]].concat())
    });
    let mut text = terminal::render(&[report.view()]);
    for file in written.iter().flatten() {
        text.extend(["\nwritten: ", &file.display().to_string()]);
    }
    text.push('\n');
    // What could not be written is at least shown.
    print(&text)?;
    written.map(|_| exit)
}

pub(super) fn application(args: &Run, manifest: &Path) -> Result<Undeployed, CliError> {
    let mut application = App::from_manifest(manifest)?;
    application = match &args.model {
        Some(file) => application.model_file(file)?,
        // Nothing is described, and the default journey is made.
        None if args.assume_default_model => application,
        None => application.model(SockShop::model().map_err(|source| AppError::Model {
            origin: "the sock shop's model".to_owned(),
            source,
        })?),
    };
    if let Some(file) = &args.journey {
        application = application.journeys_file(file)?;
    }
    if args.assume_default_model {
        application = application.assume_default_model();
    }
    Ok(application)
}

async fn experiment(
    application: Undeployed,
    settings: &Settings,
    expected: Verdict,
    progress: Progress,
) -> Result<Report, CliError> {
    let going = progress.phase("starting the cluster and deploying the manifest");
    let cluster = settings.cluster(settings.seed).await?;
    let app = application.deploy(&cluster).await?;
    drop(going);
    let experiment = settings.experiment(&app, expected)?;
    let _going = progress.phase("running the experiment");
    Ok(experiment.run(&cluster).await?)
}
