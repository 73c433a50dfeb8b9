//! The files of a run: histories and summaries, which the seed decides, and `run.json`, which the day decides.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use crate::experiment::Report;
use crate::report::summary::Summary;

/// The name of the run's own record.
pub const RUN: &str = "run.json";

/// The version of `run.json`.
const FORMAT: u32 = 1;

/// A folder that was found writable before the run.
#[derive(Clone, Debug)]
pub struct Output {
    folder: PathBuf,
}

/// What is outside of the history: when, how long, by which version and command.
#[derive(Clone, Debug, Serialize)]
struct Record<'a> {
    format: u32,
    version: &'static str,
    command: String,
    started: Timestamp,
    duration_s: f64,
    exit: u8,
    files: &'a [PathBuf],
}

/// The time on the wall.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads it, for the run's own record"
)]
pub fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// The command as it was typed, to be typed again.
#[must_use]
pub fn command() -> String {
    let quoted = |word: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let words = std::env::args_os()
        .skip(1)
        .map(|word| quoted(word.to_string_lossy().into_owned()));
    std::iter::once("steadfast".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The two files of a run.
#[must_use]
pub fn files(run: &str) -> [String; 2] {
    [format!("{run}.history.jsonl"), format!("{run}.summary.json")]
}

impl Output {
    /// Makes the folder and checks that these files can be written in it: nobody waits for a run whose results are lost.
    ///
    /// # Errors
    /// When they cannot.
    pub fn prepare(folder: &Path, names: &[impl AsRef<str>]) -> Result<Self, CliError> {
        let output = Self {
            folder: folder.to_owned(),
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::Output { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        for name in names.iter().map(AsRef::as_ref).chain([RUN]) {
            let path = folder.join(name);
            if path.is_dir() {
                return Err(failed(&path)(io::ErrorKind::IsADirectory.into()));
            }
            let part = part(&path);
            fs::write(&part, "").map_err(failed(&path))?;
            fs::remove_file(&part).map_err(failed(&path))?;
        }
        Ok(output)
    }

    /// Writes history and summary of a run.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn run(&self, run: &str, report: &Report) -> Result<Vec<PathBuf>, CliError> {
        let [history, summary] = files(run);
        let history = self.write(&history, &report.history().to_bytes())?;
        let summary = self.json(&summary, &Summary::new(&report.view(), command()))?;
        Ok(vec![history, summary])
    }

    /// Writes anything as indented JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json(&self, name: &str, value: &impl Serialize) -> Result<PathBuf, CliError> {
        let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Output {
            path: self.folder.join(name),
            source: error.into(),
        })?;
        self.write(name, (text + "\n").as_bytes())
    }

    /// Writes the run's own record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&self, started: Timestamp, exit: Exit, files: &[PathBuf]) -> Result<PathBuf, CliError> {
        let record = Record {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            command: command(),
            started,
            duration_s: (wall_clock() - started).total(jiff::Unit::Second).unwrap_or(0.0),
            exit: exit.code(),
            files,
        };
        self.json(RUN, &record)
    }

    /// A file appears whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        let path = self.folder.join(name);
        let part = part(&path);
        fs::write(&part, bytes)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|source| CliError::Output {
                path: path.clone(),
                source,
            })?;
        Ok(path)
    }
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
