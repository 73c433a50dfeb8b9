//! Default preemption: whom a pod of higher priority pushes out
//! (pkg/scheduler/framework/preemption/preemption.go, `plugins/defaultpreemption/default_preemption.go`).

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::query::Query;
use super::reason::{Reason, Tally, Verdict};
use super::{Booked, Leaving, Scheduler};
use crate::model::random::Stream;
use crate::model::time::Time;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::selector::Selector;

/// Source: pkg/scheduler/apis/config/v1/defaults.go `SetDefaults_DefaultPreemptionArgs`, `MinCandidateNodesPercentage`.
const LEAST_PERCENT: usize = 10;
/// Source: the same, `MinCandidateNodesAbsolute`.
const LEAST_NODES: usize = 100;

/// Where a pod may go once others are deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// The node to nominate.
    pub machine: MachineId,
    /// The pods to delete, the most important first.
    pub victims: Vec<PodId>,
}

/// A PodDisruptionBudget as preemption sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Which pods it protects; an empty selector protects none here.
    pub selector: Selector,
    /// `status.disruptionsAllowed`.
    pub allowed: i32,
    /// Pods that it has allowed to go already: `status.disruptedPods`.
    pub disrupted: BTreeSet<PodId>,
}

type Victims = Vec<(PodId, Booked)>;

struct Candidate {
    machine: MachineId,
    victims: Victims,
    /// How many of them a budget does not allow.
    violations: usize,
}

impl Scheduler {
    /// The best candidate, or why there is none in Kubernetes' words (preemption.go `Preempt`).
    pub(super) fn preemption(
        &mut self,
        pod: PodId,
        query: &Query<'_>,
        verdicts: &[(u32, Verdict)],
        rng: &mut Stream,
    ) -> Result<Preemption, String> {
        if !query.template.preempts {
            return Err("not eligible due to preemptionPolicy=Never.".to_owned());
        }
        if self.awaits_victims(pod, query, verdicts) {
            return Err("not eligible due to a terminating pod on the nominated node.".to_owned());
        }
        let potential: Vec<u32> = verdicts
            .iter()
            .filter(|(_, verdict)| verdict.is_resolvable())
            .map(|&(slot, _)| slot)
            .collect();
        let mut tally = Tally::new(query.template.scalars());
        let mut candidates = Vec::new();
        let mut seen = potential.len();
        if self.priorities.range(..query.priority).next().is_none() {
            // Nobody in the cluster is of lower priority.
            tally.add_many(Reason::NoVictims, potential.len() as u32);
        } else if !potential.is_empty() {
            let enough = (potential.len() * LEAST_PERCENT / 100)
                .max(LEAST_NODES)
                .min(potential.len());
            let offset = rng.index(potential.len());
            seen = 0;
            for &slot in potential[offset..].iter().chain(&potential[..offset]) {
                match self.dry_run(query, slot) {
                    Ok(candidate) => candidates.extend(candidate),
                    Err(verdict) => {
                        tally.add(verdict);
                        seen += 1;
                    }
                }
                if candidates.len() == enough {
                    break;
                }
            }
        }
        if let Some(candidate) = best(candidates) {
            Ok(Preemption {
                machine: candidate.machine,
                victims: candidate.victims.into_iter().map(|(victim, _)| victim).collect(),
            })
        } else {
            tally.add_many(Reason::NotHelpful, (self.nodes.len() - seen) as u32);
            Err(tally.message(self.nodes.len()))
        }
    }

    /// Whether the pod has preempted others already that have not gone yet
    /// (`default_preemption.go` `PodEligibleToPreemptOthers`).
    fn awaits_victims(&self, pod: PodId, query: &Query<'_>, verdicts: &[(u32, Verdict)]) -> bool {
        let Some(slot) = self
            .nominated
            .get(&pod)
            .and_then(|booked| self.nodes.slot(booked.machine))
        else {
            return false;
        };
        let hopeless = verdicts
            .iter()
            .any(|&(other, verdict)| other == slot && !verdict.is_resolvable());
        !hopeless
            && self
                .nodes
                .pods(slot)
                .iter()
                .filter_map(|&other| self.booked(other))
                .any(|booked| booked.template.priority < query.priority && booked.leaving == Some(Leaving::Preempted))
    }

    /// The fewest pods to push off a node (`default_preemption.go` `SelectVictimsOnNode`); the node is as before afterwards.
    fn dry_run(&mut self, query: &Query<'_>, slot: u32) -> Result<Option<Candidate>, Verdict> {
        let Some(machine) = self.nodes.info(slot).map(|info| info.machine) else {
            return Ok(None);
        };
        let mut lower: Victims = self
            .nodes
            .pods(slot)
            .iter()
            .filter_map(|&pod| self.booked(pod).map(|booked| (pod, booked.clone())))
            .filter(|(_, booked)| booked.template.priority < query.priority)
            .collect();
        if lower.is_empty() {
            return Err(Verdict::unresolvable(Reason::NoVictims));
        }
        for (_, booked) in &lower {
            self.count(slot, booked, -1);
        }
        let verdict = self.judge(query, slot);
        if !verdict.fits() {
            for (_, booked) in &lower {
                self.count(slot, booked, 1);
            }
            return Err(verdict);
        }
        // Higher priority, then longer running, first (pkg/scheduler/util/utils.go `MoreImportantPod`).
        lower.sort_by_key(importance);
        // Those that a budget does not allow are spared first.
        let mut victims = Vec::new();
        let mut violations = 0;
        let (violating, others) = self.protected(lower);
        for (protected, pods) in [(true, violating), (false, others)] {
            for (pod, booked) in pods {
                self.count(slot, &booked, 1);
                if !self.judge(query, slot).fits() {
                    self.count(slot, &booked, -1);
                    victims.push((pod, booked));
                    violations += usize::from(protected);
                }
            }
        }
        victims.sort_by_key(importance);
        for (_, booked) in &victims {
            self.count(slot, booked, 1);
        }
        // Without victims the pod would fit as it is: an error there, no candidate here.
        Ok((!victims.is_empty()).then_some(Candidate {
            machine,
            victims,
            violations,
        }))
    }

    /// The pods whose deletion some budget does not allow, and the others
    /// (`default_preemption.go` `filterPodsWithPDBViolation`).
    fn protected(&self, pods: Victims) -> (Victims, Victims) {
        let mut allowed: Vec<i32> = self.budgets.iter().map(|budget| budget.allowed).collect();
        pods.into_iter().partition(|(pod, booked)| {
            let namespace = &self.classes.class(booked.class).namespace;
            let labels = &booked.template.labels;
            let mut violated = false;
            for (budget, allowed) in self.budgets.iter().zip(&mut allowed) {
                let counts = budget.namespace == *namespace
                    && !labels.is_empty()
                    && !budget.selector.is_empty()
                    && budget.selector.matches(labels)
                    && !budget.disrupted.contains(pod);
                if counts {
                    *allowed -= 1;
                    violated |= *allowed < 0;
                }
            }
            violated
        })
    }
}

fn importance((pod, booked): &(PodId, Booked)) -> (Reverse<i32>, Time, PodId) {
    (Reverse(booked.template.priority), booked.started, *pod)
}

/// The first of the best (preemption.go `pickOneNodeForPreemption`).
fn best(candidates: Vec<Candidate>) -> Option<Candidate> {
    let rank = |candidate: &Candidate| {
        let highest = candidate
            .victims
            .first()
            .map_or(i32::MIN, |(_, booked)| booked.template.priority);
        // Every priority counts as positive, so that fewer victims are better.
        let sum: i64 = candidate
            .victims
            .iter()
            .map(|(_, booked)| i64::from(booked.template.priority) + (1 << 31))
            .sum();
        let earliest = candidate
            .victims
            .iter()
            .filter(|(_, booked)| booked.template.priority == highest);
        let earliest = earliest.map(|(_, booked)| booked.started).min().unwrap_or(Time::ZERO);
        (
            candidate.violations,
            highest,
            sum,
            candidate.victims.len(),
            Reverse(earliest),
        )
    };
    candidates.into_iter().min_by_key(rank)
}
