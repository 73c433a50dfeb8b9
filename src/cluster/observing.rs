//! What a watched cluster does, as the events of a history.
//!
//! A real cluster writes no history; this module makes one of what watches of its nodes, pods and EndpointSlices bring. The
//! [`Record`] is a pure function of the objects in the order in which they came; [`Observer`] feeds one from a client. Events are dated
//! by when they were seen: Kubernetes' own times have whole seconds.

mod endpoints;
pub(crate) mod nodes;
pub(crate) mod pods;
mod watching;

use std::collections::BTreeMap;

use crate::model::history::{Event, What};
use endpoints::Slices;
use nodes::Nodes;
use pods::Pods;

#[cfg(test)]
pub(crate) use watching::Clock;
pub(crate) use watching::Observer;

/// What has been seen of a cluster, and what is recorded of it.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) nodes: Nodes,
    pub(crate) pods: Pods,
    pub(crate) slices: Slices,
    /// Who is about to delete a node.
    deleters: BTreeMap<String, String>,
    /// What is about to be deleted by the fault: namespace and pod.
    condemned: Vec<(String, String)>,
    recording: bool,
    events: Vec<Event>,
}

impl Record {
    /// Records from now on; the nodes and endpoints that there are come first, as a run's history begins with them.
    pub(crate) fn begin(&mut self, t: u64) {
        self.recording = true;
        self.events.clear();
        let present: Vec<What> = self.nodes.present().chain(self.slices.present()).collect();
        self.note_all(t, present);
    }

    /// Ends the recording; its events come out, in the order of their times.
    pub(crate) fn end(&mut self) -> Vec<Event> {
        self.recording = false;
        let mut events = std::mem::take(&mut self.events);
        // Stable: what came first stays first.
        events.sort_by_key(|event| event.t);
        events
    }

    /// Adds an event.
    pub(crate) fn note(&mut self, t: u64, what: What) {
        if self.recording {
            self.events.push(Event { t, what });
        }
    }

    fn note_all(&mut self, t: u64, all: impl IntoIterator<Item = What>) {
        for what in all {
            self.note(t, what);
        }
    }

    /// Says who is about to delete a node's object: the watch cannot tell.
    pub(crate) fn will_delete_node(&mut self, node: &str, by: &str) {
        self.deleters.insert(node.to_owned(), by.to_owned());
    }

    /// Says that a fault is about to delete a pod.
    pub(crate) fn will_delete_pod(&mut self, namespace: &str, pod: &str) {
        self.condemned.push((namespace.to_owned(), pod.to_owned()));
    }
}

#[cfg(test)]
mod tests;
