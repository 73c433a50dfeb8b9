//! A `steadfast up` of one test, and its clients.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long any answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Names the `kubectl` to test with, instead of the one on the path.
const KUBECTL: &str = "STEADFAST_KUBECTL";

/// A cluster that is up until this is dropped.
pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) folder: TempDir,
    address: SocketAddr,
    /// What it said until it was up.
    pub(crate) greeting: String,
}

/// What a command left.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A `steadfast` command in a folder of its own.
pub(crate) fn steadfast(folder: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("steadfast"));
    command.args(words).current_dir(folder.path());
    command
}

impl Up {
    pub(crate) fn start(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = steadfast(&folder, &[&["up", "--quiet"], words].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("kubectl get nodes") {
            let more = lines.read_line(&mut greeting).unwrap();
            assert!(more > 0, "steadfast up ended: {greeting}");
        }
        let url = greeting
            .split_whitespace()
            .find_map(|word| word.strip_prefix("https://"));
        let address = url.unwrap().parse().unwrap();
        Self {
            child,
            folder,
            address,
            greeting,
        }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("target/steadfast/kubeconfig")
    }

    fn config(&self) -> Value {
        serde_yaml::from_str(&std::fs::read_to_string(self.kubeconfig()).unwrap()).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        self.config()["users"][0]["user"]["token"].as_str().unwrap().to_owned()
    }

    /// A file of this test, by its path as text.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Sends a signal to the command.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// A connection without anything on it.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A TLS connection that trusts the kubeconfig's authority and nobody else.
    pub(crate) fn tls(&self) -> Stream {
        let base64 = self.config()["clusters"][0]["cluster"]["certificate-authority-data"].clone();
        let pem: k8s_openapi::ByteString = serde_json::from_value(base64).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem.0).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::from(self.address.ip());
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), self.connect())
    }

    /// Sends the head of a request, and what follows, on a connection of its own; gives all that is answered.
    pub(crate) fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = self.tls();
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n{body}",
            headers.concat()
        );
        // A server that has heard enough may hang up.
        let _sent = stream.write_all(request.as_bytes());
        answer(&mut stream)
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token())
    }

    /// Asks with the token.
    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), &[("Authorization", &self.bearer())], "")
    }

    pub(crate) fn command(&self, kubectl: &str, words: &[&str]) -> Command {
        let mut command = Command::new(kubectl);
        command
            .args(words)
            .env("KUBECONFIG", self.kubeconfig())
            // kubectl keeps what it has discovered; not what another test's cluster had.
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path());
        command
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a command that goes on; it ends when this is dropped.
pub(crate) struct Lines {
    child: Child,
    printed: mpsc::Receiver<String>,
    seen: String,
}

impl Lines {
    pub(crate) fn of(mut child: Child) -> Self {
        let (to, printed) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        // Reads on its own, so that a line that does not come can be given up on.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            printed,
            seen: String::new(),
        }
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        let line = self.printed.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("no more lines after\n{}", self.seen));
        self.seen.push_str(&line);
        self.seen.push('\n');
        line
    }

    /// The next line that is right.
    #[track_caller]
    pub(crate) fn find(&mut self, is_right: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next();
            if is_right(&line) {
                return line;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that comes before the server hangs up.
pub(crate) fn answer(stream: &mut Stream) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer in {PATIENCE:?}"),
            // Hung up without a farewell.
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The `kubectl` there is. Without one a test of it proves nothing: it says so on stderr, past the test runner's capture, and fails where
/// `CI` is set.
pub(crate) fn kubectl(test: &str) -> Option<String> {
    let kubectl = std::env::var(KUBECTL).unwrap_or_else(|_| "kubectl".to_owned());
    if Command::new(&kubectl).args(["version", "--client"]).output().is_ok() {
        return Some(kubectl);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{kubectl} not found: install it, this test needs it"
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {kubectl} not found");
    None
}
