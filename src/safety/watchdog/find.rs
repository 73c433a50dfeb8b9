//! Finding the command that watches.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::WatchdogError;
use crate::safety::restore::Registry;

/// The variable that names the `steadfast` command.
pub const BIN: &str = "STEADFAST_BIN";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `steadfast watchdog --check` prints: its version, and the kinds of clusters that it can restore.
#[must_use]
pub fn ready_line(registry: &Registry) -> String {
    let kinds: Vec<_> = registry.kinds().collect();
    format!("steadfast watchdog {VERSION}: {}", kinds.join(" "))
}

pub(super) fn find(kind: &str) -> Result<PathBuf, WatchdogError> {
    let named = std::env::var_os(BIN).filter(|path| !path.is_empty()).map(PathBuf::from);
    let here = std::env::current_exe().ok();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    among(&candidates(named, here.as_deref(), &on_path), kind)
}

/// Where it may be, in order.
fn candidates(named: Option<PathBuf>, here: Option<&Path>, path: &[PathBuf]) -> Vec<PathBuf> {
    // What is named is meant.
    if let Some(named) = named {
        return vec![named];
    }
    let name = format!("steadfast{}", std::env::consts::EXE_SUFFIX);
    let beside = here.into_iter().flat_map(Path::ancestors).skip(1).take(2);
    beside
        .map(Path::to_owned)
        .chain(path.iter().cloned())
        .map(|folder| folder.join(&name))
        .collect()
}

fn among(candidates: &[PathBuf], kind: &str) -> Result<PathBuf, WatchdogError> {
    let mut looked = Vec::new();
    for candidate in candidates {
        let what = match ask(candidate) {
            Ok(line) if fits(&line, kind) => return Ok(candidate.clone()),
            Ok(line) => line,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "nothing there".to_owned(),
            Err(error) => error.to_string(),
        };
        looked.push(format!("{}: {what}", candidate.display()));
    }
    Err(WatchdogError::NotFound {
        version: VERSION,
        kind: kind.to_owned(),
        looked: looked.join("; "),
    })
}

fn fits(line: &str, kind: &str) -> bool {
    let rest = line
        .strip_prefix("steadfast watchdog ")
        .and_then(|rest| rest.strip_prefix(VERSION));
    rest.and_then(|rest| rest.strip_prefix(": "))
        .is_some_and(|kinds| kinds.split(' ').any(|it| it == kind))
}

fn ask(command: &Path) -> std::io::Result<String> {
    let output = Command::new(command)
        .args(["watchdog", "--check"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if line.is_empty() {
        Ok("a command that knows no watchdog".to_owned())
    } else {
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_fits_by_version_and_kind() {
        let line = |kinds: &str| format!("steadfast watchdog {VERSION}: {kinds}");
        assert!(fits(&line("eks kind"), "kind"));
        assert!(!fits(&line("eks kindly"), "kind"));
        assert!(!fits(&line(""), "kind"));
        assert!(!fits("steadfast watchdog 99.0.0: kind", "kind"));
        assert!(!fits(&format!("steadfast watchdog {VERSION}1: kind"), "kind"));
    }

    #[test]
    fn it_is_looked_for_where_it_is_named_or_else_beside_the_test_and_on_the_path() {
        let here = Path::new("/t/target/debug/deps/safety-0");
        let found = candidates(None, Some(here), &["/usr/bin".into()]);
        let name = format!("steadfast{}", std::env::consts::EXE_SUFFIX);
        assert_eq!(
            found,
            [
                Path::new("/t/target/debug/deps").join(&name),
                Path::new("/t/target/debug").join(&name),
                Path::new("/usr/bin").join(&name)
            ]
        );
        assert_eq!(candidates(Some("/x".into()), Some(here), &[]), [PathBuf::from("/x")]);
    }

    #[test]
    fn what_was_looked_at_and_how_to_install_it_is_said() {
        let error = among(&["/nowhere/steadfast".into()], "kind").unwrap_err().to_string();
        assert!(
            error.contains("/nowhere/steadfast: nothing there")
                && error.contains("cargo install steadfast --version ="),
            "{error}"
        );
    }
}
