//! Where journals are kept.

use std::io;
use std::path::{Path, PathBuf};

use super::run_id::RunId;

/// The variable that says where journals are kept.
pub const STATE: &str = "STEADFAST_STATE";

/// The folder of journals: `$STEADFAST_STATE`, or `$XDG_STATE_HOME/steadfast`, or `~/.local/state/steadfast` (XDG Base Directory
/// Specification 0.8: state that should outlive restarts). Journals are `runs/<run id>.jsonl` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(PathBuf);

/// There is no place for journals.
#[derive(Debug, thiserror::Error)]
#[error("no folder for journals: set STEADFAST_STATE to a folder that outlives this process, or HOME")]
pub struct NoState;

impl State {
    /// The folder that the environment names.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_env() -> Result<Self, NoState> {
        Self::from_variables(|name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
    }

    fn from_variables(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, NoState> {
        // The specification: relative paths are invalid and to be ignored.
        let xdg = || {
            variable("XDG_STATE_HOME")
                .filter(|path| path.is_absolute())
                .map(|path| path.join("steadfast"))
        };
        let home = || variable("HOME").map(|path| path.join(".local/state/steadfast"));
        variable(STATE).or_else(xdg).or_else(home).map(Self).ok_or(NoState)
    }

    /// This folder.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder of the runs' journals.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// The journal of a run.
    #[must_use]
    pub fn journal(&self, run: &RunId) -> PathBuf {
        self.runs().join(format!("{run}.jsonl"))
    }

    /// All journals, the oldest run first; none when there is no folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn journals(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(self.runs()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut journals = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        journals.retain(|path| is_journal(path));
        journals.sort_unstable();
        Ok(journals)
    }
}

/// Whether a path is called as a journal is.
fn is_journal(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_suffix(".jsonl"))
        .is_some_and(|id| id.parse::<RunId>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_folder() {
        let state = |set: &[(&str, &str)]| {
            let set: Vec<(String, PathBuf)> = set
                .iter()
                .map(|(name, path)| ((*name).to_owned(), path.into()))
                .collect();
            State::from_variables(|name| set.iter().find(|(it, _)| it == name).map(|(_, path)| path.clone())).ok()
        };
        let all = [("STEADFAST_STATE", "/a"), ("XDG_STATE_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(state(&all), Some(State::at("/a")));
        assert_eq!(state(&all[1..]), Some(State::at("/b/steadfast")));
        assert_eq!(
            state(&[("XDG_STATE_HOME", "b"), ("HOME", "/c")]),
            Some(State::at("/c/.local/state/steadfast"))
        );
        assert_eq!(state(&[]), None);
    }

    #[test]
    fn only_journals_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(folder.path());
        assert!(state.journals().unwrap().is_empty());
        std::fs::create_dir(state.runs()).unwrap();
        let id = "sf-0000000001zzzzzzzzzy";
        for name in [
            format!("{id}.jsonl"),
            format!(".{id}.new"),
            format!("{id}.log"),
            "notes.jsonl".into(),
        ] {
            std::fs::write(state.runs().join(name), "").unwrap();
        }
        assert_eq!(state.journals().unwrap(), [state.journal(&id.parse().unwrap())]);
    }
}
