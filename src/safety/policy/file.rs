//! `steadfast.yaml`: the clusters that may be broken.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::caps::Caps;
use super::selector::NodeSelector;
use super::{CONTROL_PLANE, Permission};
use crate::safety::identity::Identity;

/// The name of the file.
pub const FILE: &str = "steadfast.yaml";
/// The variable that names the file, wherever it is.
pub const CONFIG: &str = "STEADFAST_CONFIG";

/// The clusters that may be broken.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Policy {
    /// One entry for each.
    pub clusters: Vec<Allowed>,
    /// Where it was read.
    #[serde(skip)]
    path: Option<PathBuf>,
}

/// A cluster that may be broken: known by all three of context, server and UID.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Allowed {
    /// The kubeconfig's context.
    pub context: String,
    /// The URL of the API server, as the kubeconfig has it.
    pub server: String,
    /// The UID of the namespace `kube-system`: `kubectl get namespace kube-system -o jsonpath={.metadata.uid}`.
    pub uid: String,
    /// The namespaces that may be deployed to, and whose pods may be struck.
    pub namespaces: Vec<String>,
    /// The nodes that may be struck, as a label selector.
    #[cfg_attr(feature = "cli", schemars(with = "String"))]
    pub nodes: NodeSelector,
    /// How many of them at once.
    #[serde(default)]
    pub caps: Caps,
}

/// Why a cluster may not be broken.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("{} cannot be read: {CONFIG} names it, or it is the nearest {FILE}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it must be.
    #[error("{} is no list of clusters; expected\n\n{EXAMPLE}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_yaml::Error,
    },
    /// A cap makes no sense.
    #[error("{}: caps of `{context}`: expected `percent` of 1 to 100 and `nodes` of at least 1", path.display())]
    Caps {
        /// The file.
        path: PathBuf,
        /// The cluster.
        context: String,
    },
    /// There is no entry for the cluster.
    #[error(
        "the cluster `{context}` is not one that may be broken. If it is meant to be, write in {place}\n\n{snippet}"
    )]
    NotAllowed {
        /// The context.
        context: String,
        /// Where.
        place: String,
        /// What.
        snippet: String,
    },
    /// There is one of this name, but it is another cluster.
    #[error("`{}` is another cluster than the one that {} allows: its {} is {}, expected {}. If this one is meant, write\n\n{}", .0.context, .0.place, .0.what, .0.is, .0.expected, .0.snippet)]
    AnotherCluster(Box<Another>),
}

/// A cluster that has the context of one that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Another {
    /// The context.
    pub context: String,
    /// Where the other is allowed.
    pub place: String,
    /// What differs.
    pub what: &'static str,
    /// Its own.
    pub is: String,
    /// Of the one that is allowed.
    pub expected: String,
    /// What to write if this one is meant.
    pub snippet: String,
}

/// What a file looks like.
const EXAMPLE: &str = "clusters:
  - context: staging
    server: https://10.0.0.1:6443
    uid: 0b2c2d5e-8f2f-4c55-9b5b-7d3a3f0c9a11  # kubectl get namespace kube-system -o jsonpath={.metadata.uid}
    namespaces: [shop]
    nodes: steadfast.dev/may-fail=true
    caps: { nodes: 3, percent: 50 }
";

impl Policy {
    /// The file that [`CONFIG`] names, or the nearest [`FILE`] from the current folder upwards; without either, a list that allows nothing.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn find() -> Result<Self, PolicyError> {
        let named = std::env::var_os(CONFIG)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from);
        let here = || std::env::current_dir().unwrap_or_default();
        match named.or_else(|| upwards(&here())) {
            Some(path) => Self::read(&path),
            None => Ok(Self::default()),
        }
    }

    /// This file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path).map_err(|source| PolicyError::Io {
            path: path.clone(),
            source,
        })?;
        let mut policy: Self = serde_yaml::from_str(&text).map_err(|source| PolicyError::Yaml {
            path: path.clone(),
            source,
        })?;
        let is_wrong = |caps: &Caps| !(1..=100).contains(&caps.percent) || caps.nodes == Some(0);
        if let Some(entry) = policy.clusters.iter().find(|entry| is_wrong(&entry.caps)) {
            return Err(PolicyError::Caps {
                path,
                context: entry.context.clone(),
            });
        }
        policy.path = Some(path);
        Ok(policy)
    }

    /// The permission for a cluster, if the list has it.
    ///
    /// # Errors
    /// When it has not; the message holds what to write, and where.
    pub fn permit(&self, cluster: &Identity) -> Result<Permission, PolicyError> {
        let place = self.path.as_ref().map_or_else(
            || format!("a file `{FILE}` in your project's folder"),
            |path| path.display().to_string(),
        );
        let is_it = |entry: &&Allowed| entry.context == cluster.context && differs(entry, cluster).is_none();
        if let Some(entry) = self.clusters.iter().find(is_it) {
            return Ok(Permission {
                cluster: cluster.clone(),
                namespaces: Some(entry.namespaces.clone()),
                nodes: entry.nodes.clone(),
                caps: entry.caps,
                file: self.path.clone(),
            });
        }
        let of_its_name = self.clusters.iter().find(|entry| entry.context == cluster.context);
        let context = cluster.context.clone();
        let snippet = snippet(cluster);
        match of_its_name.and_then(|entry| differs(entry, cluster)) {
            Some((what, expected, is)) => Err(PolicyError::AnotherCluster(Box::new(Another {
                context,
                place,
                what,
                is: is.to_owned(),
                expected: expected.to_owned(),
                snippet,
            }))),
            None => Err(PolicyError::NotAllowed {
                context,
                place,
                snippet,
            }),
        }
    }
}

/// What of a cluster is not as the entry has it, with the entry's and its own.
fn differs<'a>(entry: &'a Allowed, cluster: &'a Identity) -> Option<(&'static str, &'a str, &'a str)> {
    if entry.uid != cluster.uid {
        return Some(("kube-system UID", &entry.uid, &cluster.uid));
    }
    (entry.server != cluster.server).then_some(("server", entry.server.as_str(), cluster.server.as_str()))
}

/// The entry that would allow a cluster.
fn snippet(cluster: &Identity) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    format!(
        "clusters:\n  - context: {}\n    server: {}\n    uid: {}\n    namespaces: [default]  # those that experiments may use\n    \
         nodes: \"!{CONTROL_PLANE}\"  # those that may be struck\n    caps: {{ nodes: 1, percent: 50 }}\n",
        quoted(&cluster.context),
        quoted(&cluster.server),
        quoted(&cluster.uid),
    )
}

fn upwards(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .map(|folder| folder.join(FILE))
        .find(|path| path.is_file())
}
