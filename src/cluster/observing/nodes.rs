//! Nodes: there, Ready, cordoned, gone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;

use super::Record;
use crate::model::history::What;

/// `topology.kubernetes.io/zone` of k8s.io/api `core/v1/well_known_labels.go`.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The nodes as they were last seen, by name.
pub(crate) type Nodes = Seen;

#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<String, NodeSeen>);

/// A node as it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeSeen {
    uid: String,
    zone: String,
    /// The status of its Ready condition: `True`, `False`, `Unknown`; `None` before its kubelet has said anything.
    pub(crate) ready: Option<String>,
    pub(crate) cordoned: bool,
    /// Keys of its taints, with their effects.
    pub(crate) taints: Vec<(String, String)>,
}

impl NodeSeen {
    fn of(node: &Node) -> Self {
        let status = node.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let spec = node.spec.as_ref();
        let taints = spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        Self {
            uid: node.uid().unwrap_or_default(),
            zone: node.labels().get(ZONE).cloned().unwrap_or_default(),
            ready: conditions
                .iter()
                .find(|condition| condition.type_ == "Ready")
                .map(|condition| condition.status.clone()),
            cordoned: spec.and_then(|spec| spec.unschedulable).unwrap_or_default(),
            taints: taints
                .iter()
                .map(|taint| (taint.key.clone(), taint.effect.clone()))
                .collect(),
        }
    }

    /// Whether its Ready condition is True.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.as_deref() == Some("True")
    }
}

impl Seen {
    /// A node as it was last seen.
    pub(crate) fn get(&self, name: &str) -> Option<&NodeSeen> {
        self.0.get(name)
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The nodes that there are, as a history begins.
    pub(super) fn present(&self) -> impl Iterator<Item = What> {
        self.0.iter().flat_map(|(name, node)| {
            let added = What::NodeAdded {
                node: name.clone(),
                zone: node.zone.clone(),
            };
            [added, readiness(name, node.ready.as_deref().unwrap_or("Unknown"))]
        })
    }
}

fn readiness(node: &str, status: &str) -> What {
    let (node, status) = (node.to_owned(), status.to_owned());
    if status == "True" {
        What::NodeReady { node }
    } else {
        What::NodeNotReady { node, status }
    }
}

impl Record {
    /// A node as it is now.
    pub(crate) fn node(&mut self, t: u64, node: &Node) {
        let (name, now) = (node.name_any(), NodeSeen::of(node));
        if self.nodes.0.get(&name).is_some_and(|before| before.uid != now.uid) {
            self.node_gone(t, &name);
        }
        let before = self.nodes.0.insert(name.clone(), now.clone());
        let new = before.is_none();
        let before = before.unwrap_or_default();
        if new {
            self.note(
                t,
                What::NodeAdded {
                    node: name.clone(),
                    zone: now.zone.clone(),
                },
            );
        }
        if let Some(status) = now.ready.as_deref().filter(|_| now.ready != before.ready) {
            // A new node is not Ready at first, which is no loss; Unknown after False is none that is new.
            let news = status == "True" || before.ready.as_deref() == Some("True");
            if news {
                self.note(t, readiness(&name, status));
            }
        }
        match (before.cordoned, now.cordoned) {
            (false, true) => self.note(t, What::NodeCordoned { node: name }),
            (true, false) => self.note(t, What::NodeUncordoned { node: name }),
            _ => {}
        }
    }

    /// A node's object is gone.
    pub(crate) fn node_gone(&mut self, t: u64, name: &str) {
        if self.nodes.0.remove(name).is_none() {
            return;
        }
        let by = self.deleters.remove(name).unwrap_or_else(|| "another".to_owned());
        self.note(
            t,
            What::NodeDeleted {
                node: name.to_owned(),
                by,
            },
        );
    }
}
