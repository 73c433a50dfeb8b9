//! The blast radius: which nodes may be struck, and how many.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{NodeFacts, Permission};

/// How much of a cluster may be struck at once. A percentage and a number both hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Caps {
    /// At most this many nodes; any number without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", schemars(range(min = 1)))]
    pub nodes: Option<u32>,
    /// At most this share of the workers, 1 to 100; 50 without it.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = 100)))]
    pub percent: u8,
}

impl Default for Caps {
    /// Half of the workers: what is left can run everything once more where a cluster is sized for losing a zone of two. Others allow 66 %
    /// of a cluster (DataDog chaos-controller, `safeMode`).
    fn default() -> Self {
        Self {
            nodes: None,
            percent: 50,
        }
    }
}

/// Nodes that may be struck: only [`Permission::strike`] makes one, and whatever breaks a node asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    nodes: Vec<String>,
}

impl Strike {
    /// The nodes by name, in order, each once.
    #[must_use]
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }
}

/// Why nodes may not be struck.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapError {
    /// None.
    #[error("no node to strike: a fault without targets proves nothing; look at `kubectl get nodes --show-labels`")]
    Nothing,
    /// The cluster has no such node.
    #[error("the cluster has no node `{0}`: look at `kubectl get nodes`")]
    Unknown(String),
    /// Nothing would be left to run the cluster.
    #[error(
        "`{0}` is the only control plane node: without it nothing in the cluster would react, and nothing could be put back; choose workers"
    )]
    OnlyControlPlane(String),
    /// etcd would lose its majority.
    #[error("{struck} of {all} control plane nodes: etcd needs more than half of them; strike at most {most}")]
    Quorum {
        /// To be struck.
        struck: usize,
        /// There are.
        all: usize,
        /// May be struck.
        most: usize,
    },
    /// A node that the selector does not select.
    #[error("`{node}` does not match `nodes: \"{selector}\"`: choose others, or widen it in {file}")]
    Outside {
        /// The node.
        node: String,
        /// The selector.
        selector: String,
        /// Where it is written.
        file: String,
    },
    /// More than the cap.
    #[error(
        "{struck} nodes to strike, at most {most} allowed: ask for fewer, or set `caps: {{ nodes: {struck} }}` in {file}"
    )]
    TooMany {
        /// To be struck.
        struck: usize,
        /// Allowed.
        most: u32,
        /// Where the cap is written.
        file: String,
    },
    /// A larger share than the cap.
    #[error(
        "{struck} of {workers} workers to strike, at most {percent} % ({most}) allowed: ask for fewer, or set `caps: {{ percent: {needed} }}` in {file}"
    )]
    Share {
        /// To be struck.
        struck: usize,
        /// There are.
        workers: usize,
        /// Allowed, in percent.
        percent: u8,
        /// Allowed, in nodes.
        most: usize,
        /// What would allow it.
        needed: usize,
        /// Where the cap is written.
        file: String,
    },
}

pub(super) fn strike(permission: &Permission, targets: &[String], nodes: &[NodeFacts]) -> Result<Strike, CapError> {
    let targets: BTreeSet<&str> = targets.iter().map(String::as_str).collect();
    if targets.is_empty() {
        return Err(CapError::Nothing);
    }
    let struck = targets
        .iter()
        .map(|name| {
            nodes
                .iter()
                .find(|node| node.name == *name)
                .ok_or_else(|| CapError::Unknown((*name).to_owned()))
        })
        .collect::<Result<Vec<&NodeFacts>, _>>()?;
    control_planes(&struck, nodes)?;
    if let Some(node) = struck.iter().find(|node| !permission.nodes.selects(&node.labels)) {
        return Err(CapError::Outside {
            node: node.name.clone(),
            selector: permission.nodes.to_string(),
            file: permission.file(),
        });
    }
    if let Some(most) = permission.caps.nodes.filter(|most| struck.len() > *most as usize) {
        return Err(CapError::TooMany {
            struck: struck.len(),
            most,
            file: permission.file(),
        });
    }
    let workers = nodes.iter().filter(|node| !node.is_control_plane()).count();
    let struck_workers = struck.iter().filter(|node| !node.is_control_plane()).count();
    let percent = permission.caps.percent;
    if struck_workers * 100 > workers * usize::from(percent) {
        return Err(CapError::Share {
            struck: struck_workers,
            workers,
            percent,
            most: workers * usize::from(percent) / 100,
            needed: (struck_workers * 100).div_ceil(workers),
            file: permission.file(),
        });
    }
    Ok(Strike {
        nodes: targets.into_iter().map(str::to_owned).collect(),
    })
}

/// etcd's majority: more than half of its members (etcd.io, FAQ, «What is failure tolerance?»); stacked members live on the nodes.
fn control_planes(struck: &[&NodeFacts], nodes: &[NodeFacts]) -> Result<(), CapError> {
    let all = nodes.iter().filter(|node| node.is_control_plane()).count();
    let of_them: Vec<_> = struck.iter().filter(|node| node.is_control_plane()).collect();
    match of_them.as_slice() {
        [] => Ok(()),
        [only] if all == 1 => Err(CapError::OnlyControlPlane(only.name.clone())),
        of_them if of_them.len() > (all - 1) / 2 => Err(CapError::Quorum {
            struck: of_them.len(),
            all,
            most: (all - 1) / 2,
        }),
        _ => Ok(()),
    }
}
