//! The nodes: how many there were, and what became of those that were struck.

use std::collections::{BTreeMap, BTreeSet};

use super::window::Window;
use crate::model::fault::{Fault, Mode, PodFailure};
use crate::model::history::{History, What};

/// The nodes of a run, counted as node objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// When the fault struck.
    pub before: u32,
    /// The fewest in the observation.
    pub fewest: u32,
    /// The most in the observation.
    pub most: u32,
    /// At its end.
    pub at_end: u32,
    /// Those that were struck, by name in order.
    pub struck: Vec<StruckNode>,
    /// Machines started in the observation, by who started them.
    pub machines: BTreeMap<String, u32>,
}

/// What became of a struck node. Times are microseconds since the injection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StruckNode {
    /// Its name.
    pub node: String,
    /// How it was to fail; `None` when the history does not say.
    pub mode: Option<Mode>,
    /// When it was struck.
    pub struck: u64,
    /// When it was frozen, isolated or lost its kubelet, and which.
    pub impaired: Option<(u64, String)>,
    /// When its machine worked again.
    pub back: Option<u64>,
    /// When its Ready condition became True after that.
    pub ready_again: Option<u64>,
    /// When a spot instance was told of its interruption.
    pub noticed: Option<u64>,
    /// When a drain cordoned it.
    pub cordoned: Option<u64>,
    /// When a drain had no pod left to evict.
    pub drained: Option<u64>,
    /// Its pods that were evicted.
    pub evicted: u32,
    /// Its pods whose eviction a budget refused at first.
    pub refused: u32,
    /// When its machine stopped.
    pub machine_lost: Option<u64>,
    /// When its Ready condition became Unknown or False.
    pub not_ready: Option<u64>,
    /// When its object was deleted.
    pub deleted: Option<u64>,
    /// Who deleted it.
    pub deleted_by: Option<String>,
}

/// The facts in the observation.
pub(super) fn facts(history: &History, window: Option<Window>) -> NodeFacts {
    let Some(window) = window else {
        return NodeFacts::default();
    };
    let mut facts = NodeFacts {
        struck: struck(history, window),
        ..NodeFacts::default()
    };
    // How the number of nodes changed at each time: what happens at one time counts together.
    let mut changes: BTreeMap<u64, i64> = BTreeMap::new();
    let mut before: i64 = 0;
    for event in &history.events {
        match &event.what {
            What::NodeAdded { .. } if event.t <= window.injected => before += 1,
            What::NodeDeleted { .. } if event.t < window.injected => before -= 1,
            What::NodeAdded { .. } if window.holds(event.t) => *changes.entry(event.t).or_default() += 1,
            What::NodeDeleted { .. } if window.holds(event.t) => *changes.entry(event.t).or_default() -= 1,
            What::MachineStarted { by, .. } if window.holds(event.t) => {
                *facts.machines.entry(by.clone()).or_default() += 1;
            }
            _ => {}
        }
    }
    let counts: Vec<i64> = std::iter::once(before)
        .chain(changes.values().scan(before, |now, change| {
            *now += change;
            Some(*now)
        }))
        .collect();
    let whole = |count: Option<&i64>| count.map_or(0, |&count| u32::try_from(count).unwrap_or(0));
    facts.before = whole(Some(&before));
    facts.fewest = whole(counts.iter().min());
    facts.most = whole(counts.iter().max());
    facts.at_end = whole(counts.last());
    facts
}

fn struck(history: &History, window: Window) -> Vec<StruckNode> {
    let plan = &history.header.plan;
    let only = plan.more_faults.is_empty().then(|| plan.fault.mode()).flatten();
    let mut nodes: BTreeMap<&str, (u64, Option<Mode>, BTreeSet<&str>)> = BTreeMap::new();
    for event in history.events.iter().filter(|event| window.holds(event.t)) {
        let What::Injected {
            fault,
            nodes: names,
            pods,
        } = &event.what
        else {
            continue;
        };
        // Where pods are deleted their nodes are not struck.
        if fault == PodFailure::NAME
            || matches!((&plan.fault, only), (Fault::Pods(_), None)) && plan.more_faults.is_empty()
        {
            continue;
        }
        let mode = only.or_else(|| Mode::ALL.into_iter().find(|mode| mode.name() == fault));
        for name in names {
            let on: BTreeSet<&str> = pods
                .iter()
                .filter(|pod| pod.node == *name)
                .map(|pod| pod.pod.as_str())
                .collect();
            nodes.entry(name).or_insert((window.since(event.t), mode, on));
        }
    }
    let follow = |(node, (struck, mode, pods)): (&str, (u64, Option<Mode>, BTreeSet<&str>))| {
        let mut fate = StruckNode {
            node: node.to_owned(),
            mode,
            struck,
            ..StruckNode::default()
        };
        for event in history.events.iter().filter(|event| window.holds(event.t)) {
            let t = window.since(event.t);
            if t >= struck {
                fate.see(t, &event.what, &pods);
            }
        }
        fate
    };
    nodes.into_iter().map(follow).collect()
}

impl StruckNode {
    fn see(&mut self, t: u64, what: &What, pods: &BTreeSet<&str>) {
        let first = |time: &mut Option<u64>| *time = Some(time.map_or(t, |first| first.min(t)));
        match what {
            What::MachineLost { node } if *node == self.node => first(&mut self.machine_lost),
            What::NodeNotReady { node, .. } if *node == self.node => first(&mut self.not_ready),
            What::MachineImpaired { node, how } if *node == self.node && self.impaired.is_none() => {
                self.impaired = Some((t, how.clone()));
            }
            What::MachineBack { node, .. } if *node == self.node => first(&mut self.back),
            What::NodeReady { node } if *node == self.node && self.back.is_some() => first(&mut self.ready_again),
            What::InterruptionNotice { node } if *node == self.node => first(&mut self.noticed),
            What::NodeCordoned { node } if *node == self.node => first(&mut self.cordoned),
            What::NodeDrained { node } if *node == self.node => first(&mut self.drained),
            What::EvictionRefused { pod, .. } if pods.contains(pod.as_str()) => self.refused += 1,
            What::PodDeleted { pod, cause, .. } if cause == "eviction" && pods.contains(pod.as_str()) => {
                self.evicted += 1;
            }
            What::NodeDeleted { node, by }
                if *node == self.node
                    && self
                        .deleted
                        .is_none_or(|before| (t, Some(by)) < (before, self.deleted_by.as_ref())) =>
            {
                (self.deleted, self.deleted_by) = (Some(t), Some(by.clone()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyse;
    use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy};

    fn added(node: &str) -> What {
        What::NodeAdded {
            node: node.into(),
            zone: "z".into(),
        }
    }

    #[test]
    fn nodes_are_counted_before_at_least_at_most_and_at_the_end() {
        let mut history = healthy();
        let started = |by: &str| What::MachineStarted {
            machine: "m".into(),
            by: by.into(),
        };
        history.add(at(10), added("old")).add(
            at(20),
            What::NodeDeleted {
                node: "old".into(),
                by: "user".into(),
            },
        );
        history.add(at(150), added("c")).add(at(151), added("d"));
        history.add(
            at(155),
            What::NodeDeleted {
                node: "d".into(),
                by: "cluster-autoscaler".into(),
            },
        );
        history
            .add(at(120), started("auto-scaling-group"))
            .add(at(121), started("auto-scaling-group"))
            .add(at(99), started("cluster-autoscaler"));
        let facts = analyse(&history).nodes;
        assert_eq!((facts.before, facts.fewest, facts.most, facts.at_end), (2, 1, 3, 2));
        assert_eq!(facts.machines, BTreeMap::from([("auto-scaling-group".to_owned(), 2)]));
    }

    #[test]
    fn what_happens_at_one_time_counts_together() {
        let mut history = healthy();
        history.add(at(112), added("c"));
        let facts = analyse(&history).nodes;
        assert_eq!((facts.fewest, facts.most), (2, 2));
    }

    #[test]
    fn a_struck_node_is_followed_to_the_end_of_the_observation_and_not_beyond() {
        let mut history = healthy();
        history.forget(|what| matches!(what, What::NodeDeleted { .. }));
        history.add(
            at(105),
            What::NodeNotReady {
                node: "b".into(),
                status: "Unknown".into(),
            },
        );
        history.add(
            at(INJECTED + OBSERVED + 1),
            What::NodeDeleted {
                node: "a".into(),
                by: "user".into(),
            },
        );
        let facts = analyse(&history).nodes;
        let a = StruckNode {
            node: "a".into(),
            mode: Some(Mode::Terminate),
            machine_lost: Some(at(1)),
            not_ready: Some(at(10)),
            ..StruckNode::default()
        };
        assert_eq!(facts.struck, [a]);
        assert_eq!(facts.at_end, 2);
    }

    #[test]
    fn the_first_deletion_says_who_deleted_the_node() {
        let mut history = healthy();
        history.add(
            at(130),
            What::NodeDeleted {
                node: "a".into(),
                by: "fault".into(),
            },
        );
        let struck = &analyse(&history).nodes.struck[0];
        assert_eq!(
            (struck.deleted, struck.deleted_by.as_deref()),
            (Some(at(12)), Some("cloud-controller"))
        );
    }
}
