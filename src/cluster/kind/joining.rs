//! A new worker for a lost one: a container as kind makes them, joined with kubeadm.

use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::KindError;
use super::change::{Hands, Marks, NETWORK};
use super::engine::{CLUSTER_LABEL, Container, EngineError, ROLE_LABEL};

/// How long a container's init may take: kind waits 30 s (`createContainerWithWaitUntilSystemdReachesMultiUserSystem`).
const BOOT: Duration = Duration::from_secs(60);
/// How long `kubeadm join` may take; measured: some seconds.
const JOIN: Duration = Duration::from_secs(180);
/// A token that joins one node lives this long.
const TOKEN_TTL: &str = "10m";

/// What a worker is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// The node image.
    pub(crate) image: String,
    /// Environment that kind gave it: proxies, DNS.
    pub(crate) env: Vec<String>,
    /// What its object carried.
    pub(crate) marks: Marks,
}

impl Recipe {
    /// The recipe of a worker like this one.
    pub(crate) fn of(container: &Container, marks: Marks) -> Self {
        // The image brings its own; kind adds these alone: `commonArgs`, `runArgsForNode`.
        let kinds = |entry: &&String| {
            let key = entry.split('=').next().unwrap_or_default().to_uppercase();
            key.ends_with("_PROXY") || key.starts_with("KIND_")
        };
        Self {
            image: container.image.clone(),
            env: container.env.iter().filter(kinds).cloned().collect(),
            marks: marks.for_another(),
        }
    }
}

/// Makes a worker of this name and joins it. What of it is there already is kept or begun anew, so that it can be run again after
/// it was cut off.
pub(crate) async fn join(hands: &Hands, name: &str, recipe: &Recipe) -> Result<(), KindError> {
    let engine = &hands.engine;
    if engine.inspect(name).await?.is_some() {
        if hands.nodes().get_opt(name).await?.is_some() {
            return Ok(());
        }
        engine.remove(name).await?;
    }
    let nodes = engine.nodes(&hands.cluster).await?;
    let control_plane = nodes
        .iter()
        .find(|node| node.role() == "control-plane" && node.is_running());
    let control_plane = control_plane.ok_or_else(|| KindError::NoControlPlane {
        cluster: hands.cluster.clone(),
    })?;
    run_container(hands, name, recipe).await?;
    until_booted(hands, name).await?;
    let ticket = Ticket::ask(hands, &control_plane.name).await?;
    let container = engine
        .inspect(name)
        .await?
        .ok_or_else(|| KindError::NoContainer { node: name.to_owned() })?;
    let config = ticket.configuration(hands, name, &container, recipe);
    let write = ["cp", "/dev/stdin", "/kind/kubeadm.conf"];
    engine.feed(name, &write, config.as_bytes(), BOOT).await?;
    let peer = nodes
        .iter()
        .find(|node| node.role() == "worker" && node.is_running())
        .unwrap_or(control_plane);
    hands.copy_images(&peer.name, name).await?;
    engine
        .feed(name, &["kubeadm", "join", "--config", "/kind/kubeadm.conf"], b"", JOIN)
        .await?;
    Ok(())
}

/// As kind runs its nodes: `pkg/cluster/internal/providers/docker/provision.go` `commonArgs`, `runArgsForNode`.
async fn run_container(hands: &Hands, name: &str, recipe: &Recipe) -> Result<(), EngineError> {
    let cluster = format!("{CLUSTER_LABEL}={}", hands.cluster);
    let role = format!("{ROLE_LABEL}=worker");
    let mut args = vec![
        "run",
        "--name",
        name,
        "--hostname",
        name,
        "--detach",
        "--tty",
        "--label",
        &cluster,
        "--label",
        &role,
        "--net",
        NETWORK,
        "--restart=on-failure:1",
        "--init=false",
        "--cgroupns=private",
        "--privileged",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "apparmor=unconfined",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/run",
        "--volume",
        "/var",
        "--volume",
        "/lib/modules:/lib/modules:ro",
    ];
    for entry in &recipe.env {
        args.extend(["--env", entry]);
    }
    args.push(&recipe.image);
    hands.engine.run(&args).await.map(drop)
}

/// Until its init has come so far that commands can be run in it: kind reads the same words
/// (`pkg/cluster/internal/providers/common/cgroups.go` `NodeReachedCgroupsReadyRegexp`).
async fn until_booted(hands: &Hands, name: &str) -> Result<(), KindError> {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut logs = tokio::process::Command::new(hands.engine.command())
        .args(["logs", "--follow", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| EngineError::Start {
            command: format!("{} logs {name}", hands.engine.command()),
            source,
        })?;
    let late = || KindError::NotBooted {
        node: name.to_owned(),
        after_s: BOOT.as_secs(),
    };
    let Some(output) = logs.stdout.take() else {
        return Err(late());
    };
    let read = async {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("detected cgroup v1")
                || line.contains("Reached target") && line.contains("Multi-User System")
            {
                return true;
            }
        }
        false
    };
    if tokio::time::timeout(BOOT, read).await == Ok(true) {
        Ok(())
    } else {
        Err(late())
    }
}

/// What admits one node.
struct Ticket {
    endpoint: String,
    token: String,
    hash: String,
    version: String,
}

impl Ticket {
    /// A fresh token of a control plane.
    async fn ask(hands: &Hands, control_plane: &str) -> Result<Self, KindError> {
        let command = ["kubeadm", "token", "create", "--ttl", TOKEN_TTL, "--print-join-command"];
        let said = hands.engine.exec(control_plane, &command).await?;
        let version = hands.engine.exec(control_plane, &["cat", "/kind/version"]).await?;
        Self::parse(&said, version).ok_or_else(|| {
            EngineError::Strange {
                command: command.join(" "),
                said,
            }
            .into()
        })
    }

    /// Reads `kubeadm join HOST:PORT --token T --discovery-token-ca-cert-hash sha256:H`.
    fn parse(said: &str, version: String) -> Option<Self> {
        let words: Vec<&str> = said.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|it| *it == word)?;
            words.get(at + 1).map(|it| (*it).to_owned())
        };
        Some(Self {
            endpoint: after("join")?,
            token: after("--token")?,
            hash: after("--discovery-token-ca-cert-hash")?,
            version,
        })
    }

    /// The join's configuration, as kind writes it: `pkg/cluster/internal/kubeadm/config.go`, `ConfigTemplateBetaV4` from 1.36 on.
    fn configuration(&self, hands: &Hands, name: &str, container: &Container, recipe: &Recipe) -> String {
        let address = container.address().map(|it| it.to_string()).unwrap_or_default();
        let provider = format!("kind://{}/{}/{name}", hands.engine.command(), hands.cluster);
        let labels: Vec<String> = recipe
            .marks
            .labels
            .iter()
            .filter(|(key, _)| kubelet_may_set(key))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let args = [
            ("node-ip", address),
            ("provider-id", provider),
            ("node-labels", labels.join(",")),
        ];
        let args = args.iter().filter(|(_, value)| !value.is_empty());
        let (version, args): (&str, serde_json::Value) = if self.is_at_least_1_31() {
            let list = args
                .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
                .collect();
            ("kubeadm.k8s.io/v1beta4", serde_json::Value::Array(list))
        } else {
            let map = args
                .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                .collect();
            ("kubeadm.k8s.io/v1beta3", serde_json::Value::Object(map))
        };
        // JSON is YAML.
        serde_json::json!({
            "apiVersion": version,
            "kind": "JoinConfiguration",
            "nodeRegistration": {
                "criSocket": "unix:///run/containerd/containerd.sock",
                "kubeletExtraArgs": args,
                // kind's own patch: nodes share the machine's kernel, and its checks do not fit containers.
                "ignorePreflightErrors": ["all"],
            },
            "discovery": {"bootstrapToken": {
                "apiServerEndpoint": self.endpoint,
                "token": self.token,
                "caCertHashes": [self.hash],
            }},
        })
        .to_string()
    }

    /// kubeadm knows v1beta4 from 1.31 on: cmd/kubeadm/app/apis/kubeadm/v1beta4/doc.go.
    fn is_at_least_1_31(&self) -> bool {
        let mut parts = self.version.trim().trim_start_matches('v').split('.');
        let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok());
        (next(), next()) >= (Some(1), Some(31))
    }
}

/// Labels of Kubernetes' own that a kubelet may give to its node: staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go
/// `IsKubeletLabel`. Others of them an admission plugin refuses.
fn kubelet_may_set(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return true;
    };
    let of_kubernetes = prefix == "kubernetes.io"
        || prefix == "k8s.io"
        || prefix.ends_with(".kubernetes.io")
        || prefix.ends_with(".k8s.io");
    // The others it knows by itself: host name, architecture, system.
    !of_kubernetes || key.starts_with("topology.kubernetes.io/") || prefix.ends_with("node.kubernetes.io")
}

/// A name for a new worker: after those that there are, as kind counts them (`pkg/cluster/internal/providers/common/namer.go`).
pub(crate) fn next_name<'a>(cluster: &str, taken: impl Iterator<Item = &'a str>) -> String {
    let prefix = format!("{cluster}-worker");
    let numbers = taken.filter_map(|name| {
        let rest = name.strip_prefix(&prefix)?;
        if rest.is_empty() {
            Some(1)
        } else {
            rest.parse::<u32>().ok()
        }
    });
    format!("{prefix}{}", numbers.max().unwrap_or(0).max(1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_workers_name_comes_after_all_others() {
        let next = |taken: &[&str]| next_name("shop", taken.iter().copied());
        assert_eq!(next(&[]), "shop-worker2");
        assert_eq!(next(&["shop-control-plane", "shop-worker"]), "shop-worker2");
        assert_eq!(
            next(&["shop-worker", "shop-worker9", "shop-worker10", "other-worker77"]),
            "shop-worker11"
        );
    }

    #[test]
    fn what_kubeadm_prints_is_read_whatever_the_order() {
        let said = "kubeadm join shop-control-plane:6443 --token abc.def --discovery-token-ca-cert-hash sha256:12 ";
        let ticket = Ticket::parse(said, "v1.36.1".into()).expect("it reads");
        assert_eq!(
            (ticket.endpoint.as_str(), ticket.token.as_str()),
            ("shop-control-plane:6443", "abc.def")
        );
        assert_eq!(ticket.hash, "sha256:12");
        assert!(Ticket::parse("error: no", String::new()).is_none());
    }

    #[test]
    fn the_configurations_version_follows_kubernetes() {
        let is_new = |version: &str| {
            Ticket {
                endpoint: String::new(),
                token: String::new(),
                hash: String::new(),
                version: version.into(),
            }
            .is_at_least_1_31()
        };
        assert!(is_new("v1.36.1\n") && is_new("v1.31.0"));
        assert!(!is_new("v1.30.9") && !is_new("nonsense"));
    }

    #[test]
    fn a_kubelet_sets_only_labels_that_it_may() {
        assert!(kubelet_may_set("steadfast.dev/run") && kubelet_may_set("plain"));
        assert!(kubelet_may_set("topology.kubernetes.io/zone"));
        assert!(!kubelet_may_set("kubernetes.io/hostname") && !kubelet_may_set("node-role.kubernetes.io/worker"));
    }
}
