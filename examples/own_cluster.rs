//! A cluster of one's own, put back by the safety core: here a folder, whose "nodes" are files.
//!
//! It shows what a cluster's module gives ([`Restorer`]), how a run changes something ([`scope`]), and how a command of one's own can
//! `recover` and be the watchdog: without `run` it is the `steadfast` command with one module more.
//!
//! ```sh
//! cargo run --features real --example own_cluster -- run FOLDER      # breaks three files and puts them back
//! STEADFAST_BIN=target/debug/examples/own_cluster ...                # whom runs start as their watchdog
//! cargo run --features real --example own_cluster -- recover         # puts back what a killed run has left
//! ```
//!
//! The tests of the safety core drive it too, and kill it: `tests/safety.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steadfast::safety::hold::hold;
use steadfast::safety::journal::{self, Record};
use steadfast::safety::policy;
use steadfast::safety::scope::{ChangeError, Options, ScopeError, Watchdog};
use steadfast::safety::{Description, Identity, Registry, Restorer, Scope, Undone, scope};

/// The folder.
struct Files {
    folder: PathBuf,
}

/// A file that is renamed from `NAME` to `NAME.down`.
#[derive(Serialize, Deserialize)]
struct Down {
    name: String,
}

impl Restorer for Files {
    const KIND: &'static str = "files";
    type Change = Down;
    type Error = io::Error;

    async fn connect(cluster: &Identity) -> io::Result<Self> {
        let folder = cluster.details.get("folder").ok_or(io::ErrorKind::NotFound)?.into();
        Ok(Self { folder })
    }

    async fn undo(&self, change: &Down) -> io::Result<Undone> {
        match std::fs::rename(down(&self.folder, change), self.folder.join(&change.name)) {
            Ok(()) => Ok(Undone::PutBack),
            // Put back already, or never taken down.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Undone::AlreadyBack),
            Err(error) => Err(error),
        }
    }

    async fn verify(&self, change: &Down) -> io::Result<()> {
        std::fs::metadata(self.folder.join(&change.name)).map(drop)
    }

    fn describe(change: &Down) -> Description {
        Description {
            what: format!("{} is taken down", change.name),
            undo: format!("rename {0}.down to {0}", change.name),
        }
    }
}

fn down(folder: &Path, change: &Down) -> PathBuf {
    folder.join(format!("{}.down", change.name))
}

impl Files {
    /// Takes a file down.
    async fn fail(&self, scope: &Scope<Self>, name: &str) -> Result<(), ChangeError<io::Error>> {
        let change = Down { name: name.to_owned() };
        let (from, to) = (self.folder.join(name), down(&self.folder, &change));
        let name = name.to_owned();
        scope
            .change(change, async move {
                std::fs::rename(from, to)?;
                die_if(&format!("changed {name}"));
                Ok(())
            })
            .await
    }
}

/// The nodes.
const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

async fn run(folder: PathBuf) -> Result<bool, ScopeError> {
    let identity = Identity {
        kind: Files::KIND.to_owned(),
        context: "files".to_owned(),
        server: format!("file://{}", folder.display()),
        uid: folder.display().to_string(),
        details: [("folder".to_owned(), folder.display().to_string())].into(),
    };
    let mut options = Options::new("own cluster")?;
    if variable("OWN_CLUSTER_WATCHDOG") == "nobody" {
        options.watchdog = Watchdog::Nobody;
    }
    if let Ok(seconds) = variable("OWN_CLUSTER_DEADLINE").parse() {
        options.deadline = Duration::from_secs(seconds);
    }
    // The folder is this program's own: it was named on the command line for this.
    let permission = policy::own(identity);
    let body = async |scope: Scope<Files>| {
        let files = Files { folder: folder.clone() };
        for node in NODES {
            if let Err(error) = files.fail(&scope, node).await {
                say(&format!("{node}: {error}"));
            }
        }
        say("broken");
        if variable("OWN_CLUSTER_ASKS") == "yes" {
            // Until the tests have looked: the end of the line, or of them.
            let _heard = std::io::stdin().read_line(&mut String::new());
        }
        match variable("OWN_CLUSTER_THEN").as_str() {
            "panic" => panic!("the body panics"),
            "wait" => std::future::pending().await,
            #[expect(clippy::disallowed_methods, reason = "a body that blocks its runtime")]
            "block" => std::thread::sleep(Duration::from_secs(3600)),
            _ => {}
        }
    };
    if variable("OWN_CLUSTER_HELD") == "yes" {
        // As somebody does who keeps a cluster in a variable.
        let held = hold::<Files>(&permission, options).await?;
        let scope = held.scope().clone();
        let files = Files { folder: folder.clone() };
        let first = Down {
            name: NODES[0].to_owned(),
        };
        // One that is put back before the end: not by the end again.
        if let Ok(place) = scope.intend::<io::Error>(&first) {
            let (up, down) = (files.folder.join(&first.name), down(&files.folder, &first));
            if std::fs::rename(&up, &down).is_ok() {
                scope.made(place);
                if std::fs::rename(&down, &up).is_ok() && scope.put_back::<io::Error>(place).is_ok() {
                    say("put back");
                }
            }
        }
        body(scope).await;
        if variable("OWN_CLUSTER_THEN") == "forget" {
            drop(held);
            return Ok(true);
        }
        return Ok(held.end().await.is_complete());
    }
    let scoped = scope(&permission, options, body);
    if variable("OWN_CLUSTER_THEN") == "drop" {
        // Broken off from outside, as by `tokio::time::timeout`.
        let _dropped = tokio::time::timeout(Duration::from_secs(1), scoped).await;
        return Ok(true);
    }
    let ended = scoped.await?;
    say(&format!("{:?}", ended.body));
    Ok(ended.rollback.is_complete())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "an example speaks")]
fn say(line: &str) {
    println!("{line}");
}

/// Ends this process as no process can prevent, where the tests want it.
fn die_if(here: &str) {
    if variable("OWN_CLUSTER_DIE") == here {
        let _ = Command::new("kill")
            .args(["-KILL", &std::process::id().to_string()])
            .status();
        std::thread::park();
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == "run" => {}
        _ => return steadfast::cli::main_with(&Registry::new().with::<Files>()),
    }
    journal::on_record(|record| {
        die_if(&match record {
            Record::Header(_) => "header".to_owned(),
            Record::Intent { seq, .. } => format!("intent {seq}"),
            Record::Done { seq, .. } => format!("done {seq}"),
            Record::Undone { seq, .. } => format!("undone {seq}"),
            Record::Closed { .. } => "closed".to_owned(),
        });
    });
    let folder = words.next().map(PathBuf::from).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run(folder))) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            say(&steadfast::safety::chain(&error));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
