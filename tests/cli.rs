//! The command as a shell sees it: exit codes, messages, files.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli {
    mod refusals;
    mod runs;
    mod serve_model;
    mod story;

    use std::path::{Path, PathBuf};
    use std::process::Output;

    use assert_cmd::Command;
    use tempfile::TempDir;

    /// A folder of one test, where its files go.
    pub(crate) struct Shell {
        pub(crate) folder: TempDir,
    }

    /// What a command left.
    pub(crate) struct Done {
        pub(crate) code: Option<i32>,
        pub(crate) stdout: String,
        pub(crate) stderr: String,
    }

    impl Shell {
        pub(crate) fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
            }
        }

        pub(crate) fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Writes a file and gives its path as text.
        pub(crate) fn file(&self, name: &str, text: &str) -> String {
            let path = self.path(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        }

        /// Runs the command in the folder; its files go to `target/steadfast` there.
        pub(crate) fn steadfast(&self, words: &[&str]) -> Done {
            let Output { status, stdout, stderr } = Command::new(assert_cmd::cargo::cargo_bin!("steadfast"))
                .args(words)
                .current_dir(self.folder.path())
                .env_remove("NO_COLOR")
                .env_remove("CLICOLOR_FORCE")
                .output()
                .unwrap();
            Done {
                code: status.code(),
                stdout: String::from_utf8(stdout).unwrap(),
                stderr: String::from_utf8(stderr).unwrap(),
            }
        }

        /// A file of the default output folder.
        pub(crate) fn written(&self, name: &str) -> Vec<u8> {
            let path = self.path("target/steadfast").join(name);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        }
    }

    impl Done {
        /// Panics with all that was said unless the code is this one.
        #[track_caller]
        pub(crate) fn code(&self, code: i32) -> &Self {
            assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
            self
        }

        /// Panics unless stderr has this.
        #[track_caller]
        pub(crate) fn says(&self, fragment: &str) -> &Self {
            let one_line = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(one_line.contains(fragment), "`{fragment}` is not in\n{}", self.stderr);
            self
        }
    }

    /// A file of the fixtures.
    pub(crate) fn fixture(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        path.display().to_string()
    }

    /// The lines of a report that a terminal would break.
    pub(crate) fn too_wide(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.chars().count() > 80).collect()
    }
}
