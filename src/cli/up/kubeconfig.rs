//! The kubeconfig as a file that is there as long as the cluster is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::cli::error::CliError;

/// The first line, by which a file is known to be one of ours.
const MARK: &str = "# Written by `steadfast up`, and removed when it ends.\n";

/// How long a server that is still there may take to be seen.
const ALIVE: Duration = Duration::from_millis(500);

/// A place where a kubeconfig may be written.
#[derive(Debug)]
pub struct Place(PathBuf);

/// A written kubeconfig, removed when this is dropped.
#[derive(Debug)]
#[must_use = "the file is removed when this is dropped"]
pub struct Kubeconfig {
    path: PathBuf,
    text: String,
}

impl Place {
    /// Looks at a place before there is anything to write.
    ///
    /// # Errors
    /// When there is a file that is not ours, or belongs to a cluster that is still up, or nothing can be written there.
    pub fn find(path: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::Output {
            path: path.to_owned(),
            source,
        };
        let refused = |why| CliError::Kubeconfig {
            path: path.to_owned(),
            why,
        };
        match fs::read_to_string(path) {
            Ok(text) if !text.starts_with(MARK) => {
                return Err(refused("there is a file that `steadfast up` has not written"));
            }
            Ok(text) if is_up(&text) => return Err(refused("it belongs to a cluster that is still up")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        Ok(Self(std::path::absolute(path).map_err(failed)?))
    }

    /// Writes the file, for its owner's eyes only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(self, kubeconfig: &str) -> Result<Kubeconfig, CliError> {
        let Self(path) = self;
        let text = format!("{MARK}{kubeconfig}");
        // A file of an earlier cluster goes first: a new one begins with the right permissions.
        let written = remove(&path)
            .and_then(|()| private(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => Ok(Kubeconfig { path, text }),
            Err(source) => Err(CliError::Output { path, source }),
        }
    }
}

impl Kubeconfig {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // What somebody has put in its place stays.
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = remove(&self.path);
        }
    }
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Whether the server of a kubeconfig answers.
fn is_up(text: &str) -> bool {
    let server = serde_yaml::from_str::<Value>(text).ok().and_then(|config| {
        let url = config["clusters"][0]["cluster"]["server"].as_str()?;
        url.strip_prefix("https://")?.parse::<SocketAddr>().ok()
    });
    server.is_some_and(|address| TcpStream::connect_timeout(&address, ALIVE).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_is_there_as_long_as_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kubeconfig");
        let written = Place::find(&path).unwrap().write("apiVersion: v1\n").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("apiVersion: v1\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(written);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_somebody_else_is_neither_overwritten_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "apiVersion: v1\n").unwrap();
        assert!(matches!(Place::find(&path), Err(CliError::Kubeconfig { .. })));

        let path = folder.path().join("ours");
        let written = Place::find(&path).unwrap().write("").unwrap();
        fs::write(&path, "precious").unwrap();
        drop(written);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn what_a_killed_command_left_is_overwritten_unless_its_cluster_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = format!("{MARK}clusters: [{{cluster: {{server: 'https://{address}'}}}}]\n");
        fs::write(&path, &text).unwrap();
        assert!(matches!(Place::find(&path), Err(CliError::Kubeconfig { .. })));
        drop(listener);
        drop(Place::find(&path).unwrap().write("new").unwrap());
        assert!(!path.exists());
    }
}
