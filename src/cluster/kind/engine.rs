//! The container engine, by its command: docker, or what speaks like it (podman, nerdctl).
//!
//! kind itself drives its engines by their commands (kubernetes-sigs/kind, `pkg/cluster/internal/providers`), so whatever kind can
//! use can be used here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The label that names a node's cluster: kind, `pkg/cluster/internal/providers/docker/constants.go` `clusterLabelKey`.
pub(crate) const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
/// The label that names a node's role, `control-plane` or `worker`: the same file, `nodeRoleLabelKey`.
pub(crate) const ROLE_LABEL: &str = "io.x-k8s.kind.role";
/// kind's own choice of an engine: `pkg/cmd/kind` reads `KIND_EXPERIMENTAL_PROVIDER`.
pub(crate) const PROVIDER: &str = "KIND_EXPERIMENTAL_PROVIDER";
/// The engines that kind supports, in the order in which it looks for them: `pkg/cluster/provider.go` `DetectNodeProvider`.
pub(crate) const ENGINES: [&str; 3] = ["docker", "podman", "nerdctl"];

/// No command takes as long; a node's join, which does, has a limit of its own.
const LIMIT: Duration = Duration::from_secs(60);

/// Why the engine did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no engine.
    #[error(
        "no container engine: {tried}; install docker, podman or nerdctl, or start its daemon (`steadfast doctor` tells more)"
    )]
    None {
        /// What was tried, and how each failed.
        tried: String,
    },
    /// The command could not be started.
    #[error("`{command}` cannot be started: is it on the PATH?")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The command failed.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The command line.
        command: String,
        /// Its last words.
        said: String,
    },
    /// The command did not end.
    #[error("`{command}` had not ended after {after_s} s")]
    Late {
        /// The command line.
        command: String,
        /// The limit, in seconds.
        after_s: u64,
    },
    /// The command said what was not expected.
    #[error("`{command}` said what was not expected: {said}")]
    Strange {
        /// The command line.
        command: String,
        /// What does not read.
        said: String,
    },
}

impl EngineError {
    /// Whether a container, network or image does not exist.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Failed { said, .. } if said.to_lowercase().contains("no such"))
    }
}

/// A container, as the engine describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `running`, `exited`, `paused`, `created`, `restarting`, `removing`, `dead`.
    pub(crate) state: String,
    pub(crate) image: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) env: Vec<String>,
    /// The address on each network that it is connected to.
    pub(crate) networks: BTreeMap<String, Option<IpAddr>>,
    /// When it was last started: it changes when it is started anew.
    pub(crate) started: String,
}

impl Container {
    /// Its role in its kind cluster.
    pub(crate) fn role(&self) -> &str {
        self.labels.get(ROLE_LABEL).map_or("", String::as_str)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// Its address on the network that it has one on.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.networks.values().find_map(|address| *address)
    }
}

/// The part of `inspect` that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    state: State,
    config: Config,
    network_settings: NetworkSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    #[serde(default)]
    started_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(default)]
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Deserialize)]
struct Network {
    #[serde(rename = "IPAddress", default)]
    address: String,
}

impl From<Inspected> for Container {
    fn from(it: Inspected) -> Self {
        let networks = it.network_settings.networks.unwrap_or_default();
        Self {
            id: it.id,
            // docker and nerdctl write it with a slash.
            name: it.name.trim_start_matches('/').to_owned(),
            state: it.state.status,
            image: it.config.image,
            labels: it.config.labels.unwrap_or_default(),
            env: it.config.env.unwrap_or_default(),
            networks: networks
                .into_iter()
                .map(|(name, network)| (name, network.address.parse().ok()))
                .collect(),
            started: it.state.started_at,
        }
    }
}

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    command: String,
}

impl Engine {
    /// The engine that kind would use: the one that `KIND_EXPERIMENTAL_PROVIDER` names, else the first that answers.
    ///
    /// # Errors
    /// When none does.
    pub async fn find() -> Result<Self, EngineError> {
        let named = std::env::var(PROVIDER).ok().filter(|name| !name.is_empty());
        let candidates = named.map_or_else(|| ENGINES.map(str::to_owned).to_vec(), |name| vec![name]);
        let mut tried = Vec::new();
        for command in candidates {
            let engine = Self { command };
            match engine.answers().await {
                Ok(()) => return Ok(engine),
                Err(error) => tried.push(error.to_string()),
            }
        }
        Err(EngineError::None {
            tried: tried.join("; "),
        })
    }

    /// The engine of this command.
    #[must_use]
    pub fn named(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
        }
    }

    /// Its command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Whether its daemon answers.
    ///
    /// # Errors
    /// When the command is missing, or its daemon does not run.
    pub async fn answers(&self) -> Result<(), EngineError> {
        self.run(&["info", "--format", "{{.ID}}"])
            .await
            .map(drop)
            .or_else(|error| match error {
                // podman's information has no such field.
                EngineError::Failed { said, .. } if said.contains("can't evaluate field") => Ok(()),
                other => Err(other),
            })
    }

    /// Runs a command; what it printed comes out, without the white space around it.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<String, EngineError> {
        run(&self.command, args, None, LIMIT).await
    }

    /// The nodes of a kind cluster, in the order of their names, load balancers left out.
    pub(crate) async fn nodes(&self, cluster: &str) -> Result<Vec<Container>, EngineError> {
        let filter = format!("label={CLUSTER_LABEL}={cluster}");
        let names = self
            .run(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
            .await?;
        let names: Vec<&str> = names.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
        let mut nodes = self.inspect_all(&names).await?;
        nodes.retain(|node| matches!(node.role(), "control-plane" | "worker"));
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    async fn inspect_all(&self, names: &[&str]) -> Result<Vec<Container>, EngineError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let args: Vec<&str> = ["container", "inspect"].iter().chain(names).copied().collect();
        let said = self.run(&args).await?;
        let all: Vec<Inspected> = serde_json::from_str(&said).map_err(|error| EngineError::Strange {
            command: line(&self.command, &args),
            said: error.to_string(),
        })?;
        Ok(all.into_iter().map(Container::from).collect())
    }

    /// A container, if it exists.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<Container>, EngineError> {
        match self.inspect_all(&[name]).await {
            Ok(all) => Ok(all.into_iter().next()),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Power cut: SIGKILL to everything in it.
    pub(crate) async fn kill(&self, name: &str) -> Result<(), EngineError> {
        self.run(&["kill", name]).await.map(drop)
    }

    /// Shut down, as its init does it.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), EngineError> {
        self.run(&["stop", name]).await.map(drop)
    }

    pub(crate) async fn start(&self, name: &str) -> Result<(), EngineError> {
        self.run(&["start", name]).await.map(drop)
    }

    pub(crate) async fn pause(&self, name: &str) -> Result<(), EngineError> {
        self.run(&["pause", name]).await.map(drop)
    }

    pub(crate) async fn unpause(&self, name: &str) -> Result<(), EngineError> {
        self.run(&["unpause", name]).await.map(drop)
    }

    /// Removes a container with its volumes, running or not; one that is gone already is no error.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        match self.run(&["rm", "--force", "--volumes", name]).await {
            Err(error) if !error.is_absent() => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) async fn disconnect(&self, network: &str, name: &str) -> Result<(), EngineError> {
        self.run(&["network", "disconnect", network, name]).await.map(drop)
    }

    pub(crate) async fn connect(&self, network: &str, name: &str) -> Result<(), EngineError> {
        self.run(&["network", "connect", network, name]).await.map(drop)
    }

    /// The port of this machine that leads to a container's, if one does.
    pub(crate) async fn mapped(&self, name: &str, port: u16) -> Result<Option<u16>, EngineError> {
        match self.run(&["port", name, &format!("{port}/tcp")]).await {
            // `127.0.0.1:30001`, a line for each address.
            Ok(said) => Ok(said
                .lines()
                .find_map(|line| line.rsplit(':').next()?.trim().parse().ok())),
            Err(EngineError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs a command in a container.
    pub(crate) async fn exec(&self, name: &str, command: &[&str]) -> Result<String, EngineError> {
        let args: Vec<&str> = ["exec", name].iter().chain(command).copied().collect();
        self.run(&args).await
    }

    /// Runs a command in a container with an input, and a limit of its own.
    pub(crate) async fn feed(
        &self,
        name: &str,
        command: &[&str],
        input: &[u8],
        limit: Duration,
    ) -> Result<String, EngineError> {
        let args: Vec<&str> = ["exec", "--interactive", name].iter().chain(command).copied().collect();
        run(&self.command, &args, Some(input), limit).await
    }
}

fn line(command: &str, args: &[&str]) -> String {
    std::iter::once(command)
        .chain(args.iter().copied())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a program to its end; what it printed comes out, without the white space around it.
pub(crate) async fn run(
    program: &str,
    args: &[&str],
    input: Option<&[u8]>,
    limit: Duration,
) -> Result<String, EngineError> {
    let start = |source| EngineError::Start {
        command: line(program, args),
        source,
    };
    let mut child = Command::new(program)
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(start)?;
    let stdin = child.stdin.take();
    let fed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that has read enough closes its end.
            let _closed = stdin.write_all(input).await;
        }
    };
    let done = async { tokio::join!(fed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(limit, done)
        .await
        .map_err(|_| EngineError::Late {
            command: line(program, args),
            after_s: limit.as_secs(),
        })?
        .map_err(start)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(EngineError::Failed {
        command: line(program, args),
        said: last_words(&output),
    })
}

/// What a program said at its end: the last lines of its errors, or of its output.
pub(crate) fn last_words(output: &std::process::Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = if errors.trim().is_empty() {
        String::from_utf8_lossy(&output.stdout)
    } else {
        errors
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(4)..].join("; ");
    if last.is_empty() {
        output.status.to_string()
    } else {
        last
    }
}
