//! Finding a kind cluster, or making it.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config};

use super::change::Hands;
use super::engine::{Engine, EngineError, run};
use super::{Images, KindError, REPLACED_AFTER, ready};
use crate::safety::Identity;

/// The name of the cluster that is used, unless another is given.
pub const NAME: &str = "steadfast";
/// The configuration that the cluster is made from, unless another is given: one control plane, eight workers in three zones.
pub const CONFIG: &str = include_str!("../../../kind-config.yaml");

/// The image of the stand-ins that scripts/stand-in-image builds.
pub const STAND_IN: &str = concat!("steadfast/stand-in:", env!("CARGO_PKG_VERSION"));

/// The ConfigMap in `kube-system` that says who made the cluster.
const MARK: &str = "steadfast";
/// Making a cluster; measured: 24 to 32 s for five nodes, on a slow machine some minutes.
const CREATE: Duration = Duration::from_secs(15 * 60);
/// Commands of kind that only look.
const LOOK: Duration = Duration::from_secs(60);
/// Nodes of a new cluster become Ready within this time; `kind create --wait` waits for the control plane only.
const NODES: Duration = Duration::from_secs(300);

/// A kind cluster that is yet to be found or made.
#[derive(Clone, Debug)]
#[must_use = "a cluster does nothing until it is started: .start().await"]
pub struct Builder {
    pub(super) name: String,
    config: Option<PathBuf>,
    node_image: Option<String>,
    create: bool,
    pub(super) seed: u64,
    pub(super) replaced_after: Duration,
    pub(super) images: Images,
    pub(super) stand_in: String,
    pub(super) watchdog: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            config: None,
            node_image: None,
            create: true,
            seed: 0,
            replaced_after: REPLACED_AFTER,
            images: Images::default(),
            stand_in: STAND_IN.to_owned(),
            watchdog: true,
        }
    }
}

impl Builder {
    /// The cluster's name; [`NAME`] by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A configuration of one's own for a cluster that has to be made; [`CONFIG`] by default.
    pub fn config(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// The node image of a cluster that has to be made; kind's own choice by default.
    pub fn node_image(mut self, image: impl Into<String>) -> Self {
        self.node_image = Some(image.into());
        self
    }

    /// Which images applications run with; stand-ins by default.
    pub const fn images(mut self, images: Images) -> Self {
        self.images = images;
        self
    }

    /// The image of the stand-ins; [`STAND_IN`] by default.
    pub fn stand_in(mut self, image: impl Into<String>) -> Self {
        self.stand_in = image.into();
        self
    }

    /// Without a watchdog: when this process is killed, nobody puts the cluster back until somebody runs `steadfast recover`. With one, the
    /// `steadfast` command of this version has to be installed.
    pub const fn without_watchdog(mut self) -> Self {
        self.watchdog = false;
        self
    }

    /// The cluster has to be there: none is made.
    pub const fn existing(mut self) -> Self {
        self.create = false;
        self
    }

    /// The seed of a fault's choice of victims; 0 by default.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A terminated node is replaced so long after it was lost; [`REPLACED_AFTER`] by default.
    pub const fn replaced_after(mut self, after: Duration) -> Self {
        self.replaced_after = after;
        self
    }

    /// Finds the cluster, or makes it.
    pub(super) async fn find(&self) -> Result<Found, KindError> {
        let engine = Engine::find().await?;
        let made = if clusters().await?.contains(&self.name) {
            false
        } else if self.create {
            self.create().await?;
            true
        } else {
            return Err(KindError::Missing {
                cluster: self.name.clone(),
            });
        };
        let found = Found::of(engine, &self.name).await?;
        if made {
            found.hands.mark().await?;
            found.hands.until_all_ready().await?;
        }
        Ok(found)
    }

    async fn create(&self) -> Result<(), KindError> {
        // kind merges a new cluster into a kubeconfig; it is given one that nobody uses, since clients ask kind for theirs.
        let folder = std::env::temp_dir().join(format!("steadfast-kind-{}-{}", self.name, std::process::id()));
        let file = |source| KindError::File {
            path: folder.clone(),
            source,
        };
        std::fs::create_dir_all(&folder).map_err(file)?;
        let config = self.config.clone().unwrap_or_else(|| folder.join("kind-config.yaml"));
        let made = async {
            if self.config.is_none() {
                std::fs::write(&config, CONFIG).map_err(file)?;
            }
            let (config, kubeconfig) = (
                config.display().to_string(),
                folder.join("kubeconfig").display().to_string(),
            );
            let mut args = vec![
                "create",
                "cluster",
                "--name",
                &self.name,
                "--config",
                &config,
                "--kubeconfig",
                &kubeconfig,
                "--wait",
                "5m",
            ];
            if let Some(image) = &self.node_image {
                args.extend(["--image", image]);
            }
            let create = run("kind", &args, None, CREATE).await;
            create.map(drop).map_err(|source| KindError::Kind {
                what: "create",
                cluster: self.name.clone(),
                source,
            })
        };
        let made = made.await;
        let _left = std::fs::remove_dir_all(&folder);
        made
    }
}

/// A cluster that was found.
pub(super) struct Found {
    pub(super) hands: Hands,
    pub(super) identity: Identity,
    pub(super) config: Config,
}

impl Found {
    async fn of(engine: Engine, cluster: &str) -> Result<Self, KindError> {
        let config = config(cluster).await?;
        let client = kube::Client::try_from(config.clone())?;
        let (context, server) = (format!("kind-{cluster}"), config.cluster_url.to_string());
        let identity = Identity::ask(&client, "kind", &context, &server).await?;
        let identity = identity.detail("cluster", cluster).detail("engine", engine.command());
        let hands = Hands {
            engine,
            client,
            cluster: cluster.to_owned(),
        };
        Ok(Self {
            hands,
            identity,
            config,
        })
    }
}

/// The names of the kind clusters of this machine.
async fn clusters() -> Result<Vec<String>, KindError> {
    let said = run("kind", &["get", "clusters"], None, LOOK)
        .await
        .map_err(|error| match error {
            EngineError::Start { .. } => KindError::NoKind(error),
            source => KindError::Kind {
                what: "look for",
                cluster: "any".to_owned(),
                source,
            },
        })?;
    Ok(said.lines().map(|line| line.trim().to_owned()).collect())
}

/// How to reach a cluster's API.
async fn config(cluster: &str) -> Result<Config, KindError> {
    let said = run("kind", &["get", "kubeconfig", "--name", cluster], None, LOOK).await;
    let said = said.map_err(|source| KindError::Kind {
        what: "give the kubeconfig of",
        cluster: cluster.to_owned(),
        source,
    })?;
    let unread = |source| KindError::Kubeconfig {
        cluster: cluster.to_owned(),
        source,
    };
    let kubeconfig = Kubeconfig::from_yaml(&said).map_err(unread)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unread)
}

impl Hands {
    /// The hands of a cluster that a journal names.
    pub(super) async fn of(cluster: &Identity) -> Result<Self, KindError> {
        let detail = |name: &str| cluster.details.get(name).cloned().unwrap_or_default();
        Ok(Found::of(Engine::named(detail("engine")), &detail("cluster"))
            .await?
            .hands)
    }

    /// The same cluster by a client of this runtime's.
    pub(super) async fn anew(&self) -> Result<Self, KindError> {
        Ok(Found::of(self.engine.clone(), &self.cluster).await?.hands)
    }

    fn marks(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), "kube-system")
    }

    /// Marks the cluster as ours.
    async fn mark(&self) -> Result<(), KindError> {
        let mark = ConfigMap {
            metadata: ObjectMeta {
                name: Some(MARK.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some([("made-by".to_owned(), format!("steadfast {}", env!("CARGO_PKG_VERSION")))].into()),
            ..ConfigMap::default()
        };
        match self.marks().create(&PostParams::default(), &mark).await {
            // Two processes that found no cluster: one of them made it.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Whether steadfast made the cluster.
    pub(super) async fn is_ours(&self) -> Result<bool, KindError> {
        Ok(self.marks().get_opt(MARK).await?.is_some())
    }

    async fn until_all_ready(&self) -> Result<(), KindError> {
        let nodes = self.engine.nodes(&self.cluster).await?;
        let ready = nodes
            .iter()
            .map(|node| ready::until_ready(&self.client, &node.name, NODES));
        join_all(ready).await.into_iter().collect()
    }
}
