//! A real `kubectl`, by the shapes of what it prints.

mod changing;
mod nodes;
mod reading;
mod rollouts;
mod watching;

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::rig::{Done, Lines, PATIENCE, Up, kubectl};

/// Three replicas of something that no model describes.
const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'nginx:1.28', ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

/// A cluster and the `kubectl` to use it with.
struct Shell {
    up: Up,
    kubectl: String,
}

impl Shell {
    /// `None` where there is no kubectl, after saying so.
    fn new(test: &str, words: &[&str]) -> Option<Self> {
        let kubectl = kubectl(test)?;
        Some(Self {
            up: Up::start(words),
            kubectl,
        })
    }

    fn run(&self, line: &str) -> Done {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.up.command(&self.kubectl, &words).output().unwrap().into()
    }

    /// What a command prints that must succeed.
    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.code, Some(0), "kubectl {line}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    /// What a command complains of that must fail.
    #[track_caller]
    fn refused(&self, line: &str) -> String {
        let done = self.run(line);
        assert_ne!(done.code, Some(0), "kubectl {line}: {}{}", done.stdout, done.stderr);
        done.stderr
    }

    /// Whether this kubectl is of `1.minor` or newer.
    fn is_at_least(&self, minor: u32) -> bool {
        let version: serde_json::Value = serde_json::from_str(&self.ok("version --client -o json")).unwrap();
        let ours = version["clientVersion"]["minor"].as_str().unwrap();
        ours.trim_end_matches('+').parse::<u32>().unwrap() >= minor
    }

    /// A command that goes on, such as a watch, and its lines.
    fn follow(&self, line: &str) -> Lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let child = self.up.command(&self.kubectl, &words).stdout(Stdio::piped()).spawn();
        Lines::of(child.unwrap())
    }

    /// Asks again until the answer is as it should be.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "a command of another process takes real time")]
    fn until(&self, line: &str, right: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let answer = self.ok(line);
            if right(&answer) {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "kubectl {line} still says\n{answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Applies a manifest from a file.
    #[track_caller]
    fn apply(&self, manifest: &str, options: &str) -> String {
        let path = self.up.file("manifest.yaml", manifest);
        self.ok(&format!("apply {options} -f {path}"))
    }
}

/// The cells of a printed table: columns are set apart by at least three spaces, and no cell holds two.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

/// The rows of a printed table, its header first.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(cells).collect()
}
