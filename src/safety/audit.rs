//! The leak audit: what a cluster looked like before a run, compared with what it looks like after it.
//!
//! Pods come and go under other names in every run; what makes them does not. So the inventory holds nodes, what runs workloads, namespaces,
//! volumes, and what the cluster's module adds of its own: containers, networks, instances.

mod inventory;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use inventory::take;

/// What a cluster consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The nodes by name.
    pub nodes: BTreeMap<String, NodeState>,
    /// Everything else by what it is called, such as `deployment sock-shop/front-end`, with its properties.
    pub things: BTreeMap<String, Properties>,
}

/// What of a thing must be as it was: names and values.
pub type Properties = BTreeMap<String, String>;

/// What of a node must be as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Whether its condition Ready is True.
    pub ready: bool,
    /// Whether it is cordoned.
    pub cordoned: bool,
    /// `key=value:Effect`.
    pub taints: BTreeSet<String>,
    /// Its labels.
    pub labels: Properties,
    /// Its annotations, those aside that kubelets and controllers write by themselves.
    pub annotations: Properties,
}

/// Differences that the fault itself announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Nodes that are replaced, by their old names: for each of them, one new node may have come.
    pub replaced: BTreeSet<String>,
}

impl Inventory {
    /// With something that the cluster's module knows of, such as `container kind-worker2`.
    pub fn add(&mut self, name: impl Into<String>, properties: Properties) {
        self.things.insert(name.into(), properties);
    }

    /// What is not as it was, a line each; none when nothing leaked. Lines make the verdict
    /// [`RollbackIncomplete`](crate::model::experiment::Verdict::RollbackIncomplete).
    #[must_use]
    pub fn leaks(&self, after: &Self, expected: &Expected) -> Vec<String> {
        let mut lines = Vec::new();
        let mut new: Vec<_> = after
            .nodes
            .iter()
            .filter(|(name, _)| !self.nodes.contains_key(*name))
            .collect();
        for (name, before) in &self.nodes {
            match after.nodes.get(name) {
                Some(now) => before.compare(&format!("node {name}"), now, &mut lines),
                None if expected.replaced.contains(name) => {
                    // Its role is what a replacement must have; which of the new nodes it is cannot be told.
                    let Some(index) = new
                        .iter()
                        .position(|(_, now)| now.is_control_plane() == before.is_control_plane())
                    else {
                        lines.push(format!("node {name}: gone, and not replaced"));
                        continue;
                    };
                    let (replacement, now) = new.remove(index);
                    let title = format!("node {replacement}, which replaces {name}");
                    before.without_names().compare(&title, &now.without_names(), &mut lines);
                }
                None => lines.push(format!("node {name}: gone")),
            }
        }
        lines.extend(
            new.into_iter()
                .map(|(name, _)| format!("node {name}: was not there before")),
        );
        for (name, before) in &self.things {
            match after.things.get(name) {
                None => lines.push(format!("{name}: gone")),
                Some(now) => compare(name, before, now, &mut lines),
            }
        }
        let is_new = |name: &&String| !self.things.contains_key(*name);
        lines.extend(
            after
                .things
                .keys()
                .filter(is_new)
                .map(|name| format!("{name}: was not there before")),
        );
        lines
    }
}

/// Labels that are a node's own: its name and what follows from where it is (kubernetes.io, Well-Known Labels).
const OWN: [&str; 6] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.k8s.aws/zone-id",
];

impl NodeState {
    fn is_control_plane(&self) -> bool {
        self.labels.contains_key(super::policy::CONTROL_PLANE)
    }

    /// What a replacement must have as well.
    fn without_names(&self) -> Self {
        let mut node = self.clone();
        node.labels.retain(|key, _| !OWN.contains(&key.as_str()));
        node.annotations.clear();
        node
    }

    fn compare(&self, title: &str, now: &Self, lines: &mut Vec<String>) {
        if self.ready && !now.ready {
            lines.push(format!("{title}: was Ready, is not"));
        }
        match (self.cordoned, now.cordoned) {
            (false, true) => lines.push(format!("{title}: is cordoned, was not (kubectl uncordon)")),
            (true, false) => lines.push(format!("{title}: was cordoned, is not")),
            _ => {}
        }
        lines.extend(
            self.taints
                .difference(&now.taints)
                .map(|taint| format!("{title}: taint {taint}: gone")),
        );
        lines.extend(
            now.taints
                .difference(&self.taints)
                .map(|taint| format!("{title}: taint {taint}: was not there before")),
        );
        compare(&format!("{title}: label"), &self.labels, &now.labels, lines);
        compare(
            &format!("{title}: annotation"),
            &self.annotations,
            &now.annotations,
            lines,
        );
    }
}

fn compare(title: &str, before: &Properties, now: &Properties, lines: &mut Vec<String>) {
    for (key, value) in before {
        match now.get(key) {
            Some(other) if other == value => {}
            Some(other) => lines.push(format!("{title} {key}: {other}, was {value}")),
            None => lines.push(format!("{title} {key}: gone, was {value}")),
        }
    }
    let is_new = |(key, _): &(&String, &String)| !before.contains_key(*key);
    lines.extend(
        now.iter()
            .filter(is_new)
            .map(|(key, value)| format!("{title} {key}: {value}, was not there before")),
    );
}

#[cfg(test)]
mod tests;
