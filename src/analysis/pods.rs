//! Pods that waited for a node, and services whose endpoints went away.

use std::collections::{BTreeMap, BTreeSet};

use super::window::Window;
use crate::model::history::{History, What};

/// Pods that the scheduler found no node for, in the observation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// How many.
    pub unschedulable: u32,
    /// The longest time that one of them waited, in microseconds: from its creation (or the injection, when that was
    /// later) until it had a node or was gone, or to the end of the observation.
    pub longest_pending: u64,
    /// Pods that were waiting at the end of the observation.
    pub still_pending: u32,
    /// How many pods had each reason.
    pub reasons: BTreeMap<String, u32>,
}

/// The endpoints of a service in the observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFacts {
    /// The service.
    pub service: String,
    /// Ready endpoints when the fault struck.
    pub before: u32,
    /// The fewest since.
    pub fewest: u32,
    /// How long it had none, in microseconds.
    pub empty: u64,
}

/// One pod's way to a node.
#[derive(Default)]
struct Waiting<'a> {
    created: Option<u64>,
    ended: Option<u64>,
    reasons: BTreeSet<&'a str>,
}

/// Counts pods that were found unschedulable in the observation.
pub(super) fn pending(history: &History, window: Option<Window>) -> PodFacts {
    let Some(window) = window else {
        return PodFacts::default();
    };
    let mut pods: BTreeMap<&str, Waiting<'_>> = BTreeMap::new();
    for event in &history.events {
        match &event.what {
            What::PodUnschedulable { pod, reason, .. } if window.holds(event.t) => {
                pods.entry(pod).or_default().reasons.insert(reason);
            }
            What::PodCreated { pod, .. } => pods.entry(pod).or_default().created = Some(event.t),
            What::PodScheduled { pod, .. } | What::PodGone { pod, .. } if window.holds(event.t) => {
                let ended = &mut pods.entry(pod).or_default().ended;
                *ended = Some(ended.map_or(event.t, |first: u64| first.min(event.t)));
            }
            _ => {}
        }
    }
    let mut facts = PodFacts::default();
    let end = window.observed.unwrap_or_else(|| window.end.saturating_mul(1_000_000));
    for waiting in pods.values().filter(|waiting| !waiting.reasons.is_empty()) {
        facts.unschedulable += 1;
        facts.still_pending += u32::from(waiting.ended.is_none());
        let since = waiting.created.unwrap_or(window.injected).max(window.injected);
        facts.longest_pending = facts
            .longest_pending
            .max(waiting.ended.unwrap_or(end).saturating_sub(since));
        for reason in &waiting.reasons {
            *facts.reasons.entry((*reason).to_owned()).or_default() += 1;
        }
    }
    facts
}

/// The endpoints of each service that changed. Of several changes at one time, the fewest endpoints count as the fewest, and
/// the most as those that the service had from then on.
pub(super) fn endpoints(history: &History, window: Option<Window>) -> Vec<EndpointFacts> {
    let Some(window) = window else { return Vec::new() };
    let mut services: BTreeMap<&str, BTreeMap<u64, (usize, usize)>> = BTreeMap::new();
    for event in &history.events {
        if let What::Endpoints { service, ready } = &event.what
            && window.observed.is_none_or(|observed| event.t <= observed)
        {
            let (fewest, most) = services
                .entry(service)
                .or_default()
                .entry(event.t)
                .or_insert((ready.len(), ready.len()));
            (*fewest, *most) = ((*fewest).min(ready.len()), (*most).max(ready.len()));
        }
    }
    let end = window.observed.unwrap_or_else(|| window.end.saturating_mul(1_000_000));
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let facts = |(service, changes): (&str, BTreeMap<u64, (usize, usize)>)| {
        let before = changes
            .range(..window.injected)
            .next_back()
            .map_or(0, |(_, (_, most))| *most);
        let mut facts = EndpointFacts {
            service: service.to_owned(),
            before: count(before),
            fewest: count(before),
            empty: 0,
        };
        let (mut now, mut since) = (before, window.injected);
        let mut empty =
            |now: usize, from: u64, to: u64| facts.empty += if now == 0 { to.saturating_sub(from) } else { 0 };
        for (&t, &(fewest, most)) in changes.range(window.injected..) {
            empty(now, since, t);
            facts.fewest = facts.fewest.min(count(fewest));
            (now, since) = (most, t);
        }
        empty(now, since, end);
        changes.range(window.injected..).next().map(|_| facts)
    };
    services.into_iter().filter_map(facts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyse;
    use crate::model::history::sample::{at, healthy};

    fn endpoints(service: &str, ready: &[&str]) -> What {
        What::Endpoints {
            service: service.into(),
            ready: ready.iter().map(|pod| (*pod).to_owned()).collect(),
        }
    }

    #[test]
    fn a_pod_waits_from_its_creation_until_it_has_a_node_or_the_end() {
        let (pod, app) = (|n: u32| format!("carts-{n}"), || "carts".to_owned());
        let reason = |text: &str| text.to_owned();
        let mut history = healthy();
        for n in [2, 3, 4] {
            history.add(
                at(113),
                What::PodCreated {
                    pod: pod(n),
                    app: app(),
                },
            );
        }
        history.add(
            at(114),
            What::PodUnschedulable {
                pod: pod(2),
                app: app(),
                reason: reason("Too many pods"),
            },
        );
        history.add(
            at(115),
            What::PodUnschedulable {
                pod: pod(3),
                app: app(),
                reason: reason("Too many pods"),
            },
        );
        history.add(
            at(116),
            What::PodUnschedulable {
                pod: pod(3),
                app: app(),
                reason: reason("anti-affinity"),
            },
        );
        history.add(
            at(120),
            What::PodScheduled {
                pod: pod(2),
                app: app(),
                node: "b".into(),
            },
        );
        history.add(
            at(120),
            What::PodScheduled {
                pod: pod(4),
                app: app(),
                node: "b".into(),
            },
        );
        let facts = analyse(&history).pods;
        assert_eq!(
            (facts.unschedulable, facts.still_pending, facts.longest_pending),
            (2, 1, at(47))
        );
        assert_eq!(
            facts.reasons,
            BTreeMap::from([(reason("Too many pods"), 2), (reason("anti-affinity"), 1)])
        );
        history.add(
            at(123),
            What::PodScheduled {
                pod: pod(3),
                app: app(),
                node: "b".into(),
            },
        );
        assert_eq!(analyse(&history).pods.longest_pending, at(10));
    }

    #[test]
    fn a_service_without_endpoints_is_empty_until_it_has_one_again() {
        let mut history = healthy();
        history
            .add(at(50), endpoints("carts", &["carts-1", "carts-0"]))
            .add(at(50), endpoints("user", &["user-1"]));
        history
            .add(at(110), endpoints("carts", &[]))
            .add(at(125), endpoints("carts", &["carts-2"]));
        history.add(at(155), endpoints("carts", &[]));
        let carts = EndpointFacts {
            service: "carts".into(),
            before: 2,
            fewest: 0,
            empty: at(20),
        };
        assert_eq!(analyse(&history).endpoints, [carts], "user did not change");
    }
}
