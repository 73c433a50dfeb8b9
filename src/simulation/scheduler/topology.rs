//! Topology domains: which value each node has of each label that some affinity term names.

use std::collections::BTreeMap;

use crate::simulation::api::Labels;

/// The domain of a node without the label.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A topology key, by order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u32);

/// Every node is a domain of its own.
pub(super) const NODE: Key = Key(0);
/// The zone. Source: k8s.io/api core/v1 `well_known_labels.go` `LabelTopologyZone`.
pub(super) const ZONE: Key = Key(1);

/// The label of [`ZONE`].
pub(super) const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label that every kubelet sets to its node's name. Source: the same, `LabelHostname`.
pub(super) const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

#[derive(Clone, Debug)]
struct Column {
    label: String,
    values: BTreeMap<String, u32>,
    /// By slot.
    domains: Vec<u32>,
    /// How many nodes each domain has.
    nodes: Vec<u32>,
    /// How many nodes have the label.
    labelled: usize,
}

/// The domains of all nodes.
#[derive(Clone, Debug)]
pub(super) struct Topologies(Vec<Column>);

impl Default for Topologies {
    fn default() -> Self {
        let column = |label: &str| Column {
            label: label.to_owned(),
            values: BTreeMap::new(),
            domains: Vec::new(),
            nodes: Vec::new(),
            labelled: 0,
        };
        // The first label cannot exist, so no term can mean it.
        Self(vec![column(""), column(ZONE_LABEL)])
    }
}

impl Topologies {
    /// The key of a label. `nodes` are the present ones, needed when the label is new.
    pub(super) fn key<'a>(&mut self, label: &str, nodes: impl Iterator<Item = (u32, &'a Labels)>) -> Key {
        if let Some(index) = self.0.iter().position(|column| column.label == label) {
            return Key(index as u32);
        }
        let mut column = Column {
            label: label.to_owned(),
            values: BTreeMap::new(),
            domains: Vec::new(),
            nodes: Vec::new(),
            labelled: 0,
        };
        for (slot, labels) in nodes {
            column.set(slot, labels);
        }
        self.0.push(column);
        Key(self.0.len() as u32 - 1)
    }

    /// Sets the domains of a node.
    pub(super) fn set(&mut self, slot: u32, labels: &Labels) {
        for column in &mut self.0[1..] {
            column.set(slot, labels);
        }
    }

    /// Forgets a node.
    pub(super) fn unset(&mut self, slot: u32) {
        for column in &mut self.0[1..] {
            column.assign(slot, NOWHERE);
        }
    }

    /// How many nodes have the label of a key but [`NODE`].
    pub(super) fn labelled(&self, key: Key) -> usize {
        self.0[key.0 as usize].labelled
    }

    /// How many nodes each domain of a key but [`NODE`] has.
    pub(super) fn nodes(&self, key: Key) -> &[u32] {
        &self.0[key.0 as usize].nodes
    }

    /// The domain of a node.
    #[inline]
    pub(super) fn domain(&self, key: Key, slot: u32) -> u32 {
        if key == NODE {
            return slot;
        }
        self.0[key.0 as usize]
            .domains
            .get(slot as usize)
            .copied()
            .unwrap_or(NOWHERE)
    }

    /// The domains by slot; `None` for [`NODE`], where they are the slots.
    pub(super) fn column(&self, key: Key) -> Option<&[u32]> {
        (key != NODE).then(|| self.0[key.0 as usize].domains.as_slice())
    }

    /// One more than the largest domain of a key but [`NODE`].
    pub(super) fn domains(&self, key: Key) -> usize {
        self.0[key.0 as usize].values.len()
    }
}

impl Column {
    fn set(&mut self, slot: u32, labels: &Labels) {
        let domain = match labels.get(&self.label) {
            None => NOWHERE,
            Some(value) => {
                if let Some(&domain) = self.values.get(value) {
                    domain
                } else {
                    let domain = self.values.len() as u32;
                    self.values.insert(value.clone(), domain);
                    domain
                }
            }
        };
        self.assign(slot, domain);
    }

    fn assign(&mut self, slot: u32, domain: u32) {
        if self.domains.len() <= slot as usize {
            self.domains.resize(slot as usize + 1, NOWHERE);
        }
        let old = std::mem::replace(&mut self.domains[slot as usize], domain);
        if let Some(nodes) = self.nodes.get_mut(old as usize) {
            *nodes -= 1;
            self.labelled -= 1;
        }
        if domain != NOWHERE {
            if self.nodes.len() <= domain as usize {
                self.nodes.resize(domain as usize + 1, 0);
            }
            self.nodes[domain as usize] += 1;
            self.labelled += 1;
        }
    }
}
