//! Faults as data: which nodes or pods, how they fail, when, and for how long.

mod mode;
mod pods;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::random::Stream;
pub use mode::Mode;
pub use pods::{PodFailure, PodSelection, Unnamed};

/// One fault of an experiment. A failure of nodes reads and writes as it always did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fault {
    /// Nodes fail.
    Nodes(NodeFailure),
    /// Pods are deleted.
    Pods(PodFailure),
}

impl From<NodeFailure> for Fault {
    fn from(failure: NodeFailure) -> Self {
        Self::Nodes(failure)
    }
}

impl From<PodFailure> for Fault {
    fn from(failure: PodFailure) -> Self {
        Self::Pods(failure)
    }
}

impl Fault {
    /// The name in commands and reports: `terminate-nodes`, `delete-pods`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nodes(failure) => failure.mode.name(),
            Self::Pods(_) => PodFailure::NAME,
        }
    }

    /// How nodes fail, when they do.
    #[must_use]
    pub const fn mode(&self) -> Option<Mode> {
        match self {
            Self::Nodes(failure) => Some(failure.mode),
            Self::Pods(_) => None,
        }
    }

    /// How long after the injection it strikes.
    #[must_use]
    pub fn after(&self) -> Duration {
        match self {
            Self::Nodes(failure) => failure.after,
            Self::Pods(failure) => failure.after,
        }
        .unwrap_or_default()
    }

    /// The time between two of its victims; zero: all at once.
    #[must_use]
    pub fn stagger(&self) -> Duration {
        match self {
            Self::Nodes(failure) => failure.stagger,
            Self::Pods(failure) => failure.stagger,
        }
        .unwrap_or_default()
    }
}

/// Which nodes fail, of those that run workloads (no control plane).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// This share of the nodes, 1 to 100, chosen by the seed; the profile says how it is rounded.
    Percent(u8),
    /// This many nodes, at least 1, chosen by the seed.
    Count(u32),
    /// The node of this name.
    Name(String),
    /// Every node that carries this label.
    Label(String, String),
    /// Every node in this zone (label `topology.kubernetes.io/zone`).
    Zone(String),
}

/// A node failure: mode, selection and seed. Made by [`NodeFailure::terminate`] and its siblings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFailure {
    /// How.
    pub mode: Mode,
    /// Which.
    pub selection: Selection,
    /// The seed of the choice; without one the cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How long after it was struck each node comes back.
    #[serde(default, with = "super::units::text_option", skip_serializing_if = "Option::is_none")]
    pub return_after: Option<Duration>,
    /// The time between two of its victims.
    #[serde(default, with = "super::units::text_option", skip_serializing_if = "Option::is_none")]
    pub stagger: Option<Duration>,
    /// How long after the injection it strikes.
    #[serde(default, with = "super::units::text_option", skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
}

/// A mode that still lacks its targets; it is not yet a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a node failure needs its targets: .percent(40), .count(2), .name(..), .label(.., ..) or .zone(..)"]
pub struct Untargeted(Mode);

impl NodeFailure {
    /// Instances are terminated, as by AWS FIS `aws:eks:terminate-nodegroup-instances`.
    pub const fn terminate() -> Untargeted {
        Untargeted(Mode::Terminate)
    }

    /// Power cut.
    pub const fn kill() -> Untargeted {
        Untargeted(Mode::Kill)
    }

    /// The node object is deleted, the machine lives.
    pub const fn delete() -> Untargeted {
        Untargeted(Mode::Delete)
    }

    /// The machine is shut down; with [`NodeFailure::return_after`] it starts again.
    pub const fn stop() -> Untargeted {
        Untargeted(Mode::Stop)
    }

    /// The machine is paused.
    pub const fn freeze() -> Untargeted {
        Untargeted(Mode::Freeze)
    }

    /// The machine's network is cut.
    pub const fn isolate() -> Untargeted {
        Untargeted(Mode::Isolate)
    }

    /// The kubelet stops, containers go on.
    pub const fn stop_kubelet() -> Untargeted {
        Untargeted(Mode::KubeletStop)
    }

    /// The node object is deleted, and the machine is gone.
    pub const fn remove() -> Untargeted {
        Untargeted(Mode::Remove)
    }

    /// The node is cordoned and its pods are evicted, as `kubectl drain` does.
    pub const fn drain() -> Untargeted {
        Untargeted(Mode::Drain)
    }

    /// The machine shuts down and starts again.
    pub const fn reboot() -> Untargeted {
        Untargeted(Mode::Reboot)
    }

    /// A spot instance is interrupted: two minutes' notice, then it is terminated.
    pub const fn interrupt() -> Untargeted {
        Untargeted(Mode::Interrupt)
    }

    /// A mode known at run time only.
    pub const fn mode(mode: Mode) -> Untargeted {
        Untargeted(mode)
    }

    /// Chooses the victims with this seed instead of the cluster's.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Each node comes back this long after it was struck: a killed or stopped machine is powered on, a frozen one resumed, an isolated
    /// one connected, a kubelet started, a drained node uncordoned; a machine whose node object was deleted is restarted, since only
    /// a new kubelet registers. Refused for modes that cannot return ([`Mode::can_return`]).
    #[must_use]
    pub const fn return_after(mut self, length: Duration) -> Self {
        self.return_after = Some(length);
        self
    }

    /// Strikes one node after the other, this far apart, in the order of their names.
    #[must_use]
    pub const fn stagger(mut self, between: Duration) -> Self {
        self.stagger = Some(between);
        self
    }

    /// Strikes this long after the injection.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = Some(delay);
        self
    }
}

impl Untargeted {
    /// A share of the nodes in percent, 1 to 100. Another number is refused when the experiment starts.
    #[must_use]
    pub const fn percent(self, percent: u8) -> NodeFailure {
        self.select(Selection::Percent(percent))
    }

    /// This many nodes.
    #[must_use]
    pub const fn count(self, count: u32) -> NodeFailure {
        self.select(Selection::Count(count))
    }

    /// The node of this name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> NodeFailure {
        self.select(Selection::Name(name.into()))
    }

    /// Every node with this label.
    #[must_use]
    pub fn label(self, key: impl Into<String>, value: impl Into<String>) -> NodeFailure {
        self.select(Selection::Label(key.into(), value.into()))
    }

    /// Every node of a zone.
    #[must_use]
    pub fn zone(self, zone: impl Into<String>) -> NodeFailure {
        self.select(Selection::Zone(zone.into()))
    }

    const fn select(self, selection: Selection) -> NodeFailure {
        NodeFailure {
            mode: self.0,
            selection,
            seed: None,
            return_after: None,
            stagger: None,
            after: None,
        }
    }
}

/// How a percentage becomes a number of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Down: 40 % of 8 is 3, of 3 is 1. How FIS rounds is not documented; its `PERCENT(n)` targets are documented as rounding down.
    #[default]
    Floor,
    /// To the nearest: 40 % of 7 is 3.
    Nearest,
}

/// A node as the choice sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Why no victims could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A percentage outside 1..=100.
    #[error("{0} percent of the nodes: expected 1 to 100")]
    Percent(u8),
    /// More nodes asked for than there are.
    #[error("{wanted} nodes to fail, but the cluster has {have} that run workloads: ask for fewer")]
    TooMany {
        /// Asked for.
        wanted: u32,
        /// There are.
        have: usize,
    },
    /// Nothing matched. Zero targets are refused: a fault that hits nothing proves nothing.
    #[error("no node matches {0}: a fault without targets proves nothing; look at `kubectl get nodes --show-labels`")]
    Nothing(String),
    /// A time to return for what cannot.
    #[error(
        "{} cannot return after a time: its scaling group replaces it, or it ends by itself; leave .return_after(..) out",
        .0.name()
    )]
    CannotReturn(Mode),
}

/// The victims of several faults, each fault's by name in order. What a later fault is free to choose (a share or a number) it chooses
/// among the nodes that no fault before it has; the share is of all. Faults of pods have no nodes.
///
/// # Errors
/// As [`choose`], and when a fault is to return that cannot.
pub fn choose_all<'a>(
    faults: impl IntoIterator<Item = &'a Fault>,
    candidates: &[Candidate],
    rounding: Rounding,
    seed: u64,
) -> Result<Vec<Vec<String>>, SelectError> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut all = Vec::new();
    for fault in faults {
        let Fault::Nodes(failure) = fault else {
            all.push(Vec::new());
            continue;
        };
        if failure.return_after.is_some() && !failure.mode.can_return() {
            return Err(SelectError::CannotReturn(failure.mode));
        }
        let nodes = choose_free(failure, candidates, &taken, rounding, seed)?;
        taken.extend(nodes.iter().cloned());
        all.push(nodes);
    }
    Ok(all)
}

/// The victims, by name in order, of `candidates` (which need not be sorted).
///
/// # Errors
/// When the selection is out of range or matches no node.
pub fn choose(
    fault: &NodeFailure,
    candidates: &[Candidate],
    rounding: Rounding,
    seed: u64,
) -> Result<Vec<String>, SelectError> {
    choose_free(fault, candidates, &BTreeSet::new(), rounding, seed)
}

fn choose_free(
    fault: &NodeFailure,
    candidates: &[Candidate],
    taken: &BTreeSet<String>,
    rounding: Rounding,
    seed: u64,
) -> Result<Vec<String>, SelectError> {
    let mut names: Vec<&str> = candidates.iter().map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    let wanted = match &fault.selection {
        Selection::Percent(percent) => {
            if !(1..=100).contains(percent) {
                return Err(SelectError::Percent(*percent));
            }
            let hundredths = names.len() * usize::from(*percent);
            match rounding {
                Rounding::Floor => hundredths / 100,
                Rounding::Nearest => (hundredths + 50) / 100,
            }
        }
        Selection::Count(count) => {
            if *count as usize > names.len() {
                return Err(SelectError::TooMany {
                    wanted: *count,
                    have: names.len(),
                });
            }
            *count as usize
        }
        Selection::Name(name) => return matching(candidates, &format!("the name `{name}`"), |node| node.name == *name),
        Selection::Label(key, value) => {
            return matching(candidates, &format!("the label `{key}={value}`"), |node| {
                node.labels.get(key) == Some(value)
            });
        }
        Selection::Zone(zone) => {
            return matching(candidates, &format!("the zone `{zone}`"), |node| {
                node.labels.get(ZONE) == Some(zone)
            });
        }
    };
    if wanted == 0 {
        return Err(SelectError::Nothing(format!(
            "{:?} of {} nodes",
            fault.selection,
            names.len()
        )));
    }
    names.retain(|name| !taken.contains(*name));
    if wanted > names.len() {
        return Err(SelectError::TooMany {
            wanted: wanted as u32,
            have: names.len(),
        });
    }
    Stream::new(fault.seed.unwrap_or(seed), "fault/victims").shuffle(&mut names);
    names.truncate(wanted);
    names.sort_unstable();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The label that names a node's zone (kubernetes.io, well-known labels).
pub const ZONE: &str = "topology.kubernetes.io/zone";

fn matching(
    candidates: &[Candidate],
    what: &str,
    test: impl Fn(&Candidate) -> bool,
) -> Result<Vec<String>, SelectError> {
    let mut names: Vec<String> = candidates
        .iter()
        .filter(|node| test(node))
        .map(|node| node.name.clone())
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        Err(SelectError::Nothing(what.to_owned()))
    } else {
        Ok(names)
    }
}
