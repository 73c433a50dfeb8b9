//! A real `kubectl`.

use super::rig::{Done, Up, kubectl};

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

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.code, Some(0), "kubectl {line}: {}{}", done.stdout, done.stderr);
        done.stdout
    }
}

#[test]
fn get_lists_what_there_is() {
    let Some(shell) = Shell::new("get", &["--nodes", "4"]) else {
        return;
    };
    let nodes = shell.ok("get nodes");
    assert!(nodes.starts_with("NAME "), "{nodes}");
    assert_eq!(nodes.lines().count(), 5, "{nodes}");
    let pods = shell.ok("get pods -A");
    assert!(pods.contains("coredns-"), "{pods}");
}
