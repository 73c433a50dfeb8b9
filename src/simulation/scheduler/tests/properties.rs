//! What holds of every sequence of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Leaving, PodInfo, Scheduler};
use super::build::{node, pod, requests};
use crate::model::random::Stream;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::template::{AffinityTerm, PodTemplate};

#[derive(Clone, Debug)]
enum Event {
    Place(usize),
    RemovePod(u32),
    Leave(u32),
    RemoveNode(u32),
    AddNode(u32, usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..8_usize).prop_map(Event::Place),
        1 => (0..80_u32).prop_map(Event::RemovePod),
        1 => (0..80_u32).prop_map(Event::Leave),
        1 => (0..6_u32).prop_map(Event::RemoveNode),
        2 => (0..6_u32, 0..3_usize).prop_map(|(n, zone)| Event::AddNode(n, zone)),
    ]
}

fn templates() -> Vec<Arc<PodTemplate>> {
    let apart = |from: &[&str], key: &str| -> Value {
        json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [super::build::names(from, key)]}})
    };
    let (host, zone) = ("kubernetes.io/hostname", "topology.kubernetes.io/zone");
    vec![
        pod("a", json!({"affinity": apart(&["a"], host)})),
        pod("b", json!({"affinity": apart(&["a", "c"], host)})),
        pod("c", json!({"affinity": apart(&["d"], zone)})),
        pod("d", json!({})),
        pod("e", json!({"containers": requests("700m", "300Mi")})),
        pod("f", json!({"containers": requests("300m", "900Mi"), "priority": 5})),
        pod("g", json!({"affinity": apart(&["g"], zone), "priority": 9})),
        pod(
            "h",
            json!({"priority": 3, "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 7, "podAffinityTerm": super::build::names(&["a", "h"], zone)}]}}}),
        ),
    ]
}

/// The pods and nodes as the test keeps them.
#[derive(Default)]
struct Mirror {
    zones: BTreeMap<u32, usize>,
    pods: BTreeMap<u32, (Arc<PodTemplate>, u32)>,
}

const ZONES: [&str; 3] = ["x", "y", "z"];

impl Mirror {
    fn domain(&self, term: &AffinityTerm, on: u32) -> Option<String> {
        let zone = self.zones.get(&on)?;
        Some(if term.topology == "kubernetes.io/hostname" {
            format!("n{on}")
        } else {
            ZONES[*zone].to_owned()
        })
    }

    /// Whether a pod may go to a node, by walking over all pods.
    fn allows(&self, template: &PodTemplate, on: u32) -> bool {
        let here: Vec<_> = self.pods.values().filter(|(_, at)| *at == on).collect();
        let (mut cpu, mut memory) = (template.requests.cpu_milli, template.requests.memory);
        for (other, _) in &here {
            cpu += other.requests.cpu_milli;
            memory += other.requests.memory;
        }
        let info = node(on);
        let conflict = |terms: &[AffinityTerm], matched: &PodTemplate, at: u32| {
            let same = |term: &&AffinityTerm| {
                self.domain(term, at).is_some() && self.domain(term, at) == self.domain(term, on)
            };
            terms
                .iter()
                .filter(same)
                .any(|term| term.selector.matches(&matched.labels))
        };
        self.zones.contains_key(&on)
            && here.len() < 4
            && (template.requests.cpu_milli == 0 || cpu <= info.allocatable.cpu_milli)
            && (template.requests.memory == 0 || memory <= info.allocatable.memory)
            && !self.pods.values().any(|(other, at)| {
                conflict(&template.anti_affinity, other, *at) || conflict(&other.anti_affinity, template, *at)
            })
    }
}

/// Runs the events, and checks every placement and refusal against the mirror; returns what happened.
fn run(events: &[Event]) -> Vec<String> {
    let templates = templates();
    let mut scheduler = Scheduler::new();
    let mut rng = Stream::new(7, "scheduler");
    let mut mirror = Mirror::default();
    let mut log = Vec::new();
    let default: Arc<str> = "default".into();
    for (event, next) in events.iter().zip(0..) {
        match *event {
            Event::Place(kind) => {
                let template = &templates[kind];
                let before = scheduler.clone();
                let placed = scheduler.place(PodId(next), &default, template, &mut rng);
                match &placed {
                    Ok(machine) => {
                        assert!(
                            mirror.allows(template, machine.0),
                            "{event:?} must not go to {machine:?}"
                        );
                        mirror.pods.insert(next, (Arc::clone(template), machine.0));
                        scheduler.add_pod(&PodInfo {
                            pod: PodId(next),
                            namespace: Arc::clone(&default),
                            template: Arc::clone(template),
                            machine: *machine,
                            started: None,
                        });
                    }
                    Err(why) => {
                        assert!(
                            mirror.zones.keys().all(|&on| !mirror.allows(template, on)),
                            "{event:?} fits: {why}"
                        );
                        if let Some(preemption) = &why.preemption {
                            let mut after = before;
                            for victim in &preemption.victims {
                                let lower = mirror.pods[&victim.0].0.priority < template.priority;
                                assert!(lower && after.pods_on(preemption.machine).contains(victim));
                                after.remove_pod(*victim);
                            }
                            assert!(
                                after.fits(&default, template, preemption.machine),
                                "preemption makes room"
                            );
                        }
                    }
                }
                log.push(format!("{placed:?}"));
            }
            Event::RemovePod(pod) => {
                mirror.pods.remove(&pod);
                scheduler.remove_pod(PodId(pod));
            }
            Event::Leave(pod) => scheduler.set_leaving(PodId(pod), Leaving::Deleted),
            Event::RemoveNode(on) => {
                mirror.zones.remove(&on);
                scheduler.remove_node(MachineId(on));
            }
            Event::AddNode(on, zone) => {
                mirror.zones.insert(on, zone);
                scheduler.add_node(node(on).zone(ZONES[zone]).room_for(4));
            }
        }
        let requested: u64 = mirror
            .zones
            .keys()
            .filter_map(|&on| scheduler.requested_on(MachineId(on)))
            .map(|sum| sum.cpu_milli)
            .sum();
        let present = mirror.pods.values().filter(|(_, at)| mirror.zones.contains_key(at));
        assert_eq!(
            requested,
            present.map(|(template, _)| template.requests.cpu_milli).sum::<u64>()
        );
    }
    log
}

proptest! {
    /// The filters of plugins/noderesources/fit.go and plugins/interpodaffinity/filtering.go hold of every placement,
    /// and of no node when a pod is refused; equal inputs give equal results.
    #[test]
    fn placements_and_refusals_are_right_and_reproducible(events in prop::collection::vec(event(), 1..80)) {
        let log = run(&events);
        prop_assert_eq!(log, run(&events));
    }
}
