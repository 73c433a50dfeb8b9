//! A folder as a cluster, and the processes that break it and put it back: `examples/own_cluster.rs`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use steadfast::safety::State;
use steadfast::safety::journal::Replay;
use tempfile::TempDir;

/// How long anything may take on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

pub(crate) struct Cluster {
    folder: TempDir,
}

/// The example, which is built with the tests.
pub(crate) fn command() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let command = test.ancestors().nth(2).unwrap().join("examples/own_cluster");
    assert!(
        command.exists(),
        "{} is not built: cargo build --all-features --example own_cluster",
        command.display()
    );
    command
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("nodes")).unwrap();
        for node in NODES {
            std::fs::write(folder.path().join("nodes").join(node), node).unwrap();
        }
        Self { folder }
    }

    fn nodes(&self) -> PathBuf {
        self.folder.path().join("nodes")
    }

    pub(crate) fn state(&self) -> State {
        State::at(self.folder.path().join("state"))
    }

    fn process(&self) -> Command {
        let mut process = Command::new(command());
        process
            .env("STEADFAST_STATE", self.folder.path().join("state"))
            .env("STEADFAST_BIN", command())
            .stdin(Stdio::null());
        process
    }

    /// A run that is killed by itself where `die` says, if it says anything, without a watchdog.
    pub(crate) fn run(&self, set: &[(&str, &str)]) -> Command {
        let mut process = self.process();
        process
            .arg("run")
            .arg(self.nodes())
            .env("OWN_CLUSTER_WATCHDOG", "nobody");
        process.envs(set.iter().copied());
        process
    }

    pub(crate) fn recover(&self, words: &[&str]) -> Command {
        let mut process = self.process();
        process.arg("recover").args(words);
        process
    }

    /// Whether all nodes are up and nothing else is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.names() == NODES
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.nodes()).unwrap();
        let mut names: Vec<_> = entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    /// The one journal.
    pub(crate) fn journal(&self) -> PathBuf {
        let journals = self.state().journals().unwrap();
        assert_eq!(journals.len(), 1, "{journals:?}");
        journals[0].clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        Replay::read(&self.journal()).unwrap().closed
    }

    /// What the watchdog has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.journal().with_extension("log")).unwrap_or_default()
    }
}

/// A run that has broken all nodes and goes on.
pub(crate) struct Broken {
    pub(crate) child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Broken {
    pub(crate) fn start(cluster: &Cluster, set: &[(&str, &str)]) -> Self {
        let mut run = cluster.run(set);
        run.env("OWN_CLUSTER_ASKS", "yes").stdin(Stdio::piped());
        let mut child = run.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while line.trim_end() != "broken" {
            line.clear();
            assert!(
                lines.read_line(&mut line).unwrap() > 0,
                "the run ended before it had broken anything"
            );
        }
        assert_eq!(cluster.names(), NODES.map(|node| format!("{node}.down")));
        // It may go on.
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        Self { child, lines }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// The code of its end.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "other processes live by the clock on the wall")]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
