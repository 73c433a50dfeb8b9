//! The scheduling cycle of one pod (`pkg/scheduler/schedule_one.go` `schedulePod`).

use std::sync::Arc;

use super::query::Query;
use super::reason::{Reason, Tally, Unschedulable, Verdict};
use super::{Needs, Preemption, Scheduler, needs, selection};
use crate::model::random::Stream;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::template::PodTemplate;

/// Source: `schedule_one.go` `minFeasibleNodesToFind`.
const ENOUGH: usize = 100;
/// Source: `schedule_one.go` `minFeasibleNodesPercentageToFind`.
const LEAST_PERCENT: usize = 5;
/// Source: `schedule_one.go` `ErrNoNodesAvailable`.
const NO_NODES: &str = "no nodes available to schedule pods";

/// After how many feasible nodes the search ends (`schedule_one.go` `numFeasibleNodesToFind`).
pub(super) fn feasible_nodes_to_find(all: usize) -> usize {
    if all < ENOUGH {
        return all;
    }
    let percent = 50_usize.saturating_sub(all / 125).max(LEAST_PERCENT);
    (all * percent / 100).max(ENOUGH)
}

impl Scheduler {
    /// Finds a node for a pod; the caller books it there with [`Self::add_pod`].
    ///
    /// # Errors
    /// Why no node will do, and where preemption would make room.
    pub fn place(
        &mut self,
        pod: PodId,
        namespace: &Arc<str>,
        template: &Arc<PodTemplate>,
        rng: &mut Stream,
    ) -> Result<MachineId, Unschedulable> {
        self.place_with(pod, namespace, template, &needs::NONE, rng)
    }

    /// The same for a pod that needs more than its template says.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub fn place_with(
        &mut self,
        pod: PodId,
        namespace: &Arc<str>,
        template: &Arc<PodTemplate>,
        needs: &Needs,
        rng: &mut Stream,
    ) -> Result<MachineId, Unschedulable> {
        let query = Query {
            needs,
            ..self.query(Some(pod), namespace, template)
        };
        let order = self.nodes.order();
        if order.is_empty() {
            return Err(Unschedulable {
                message: NO_NODES.to_owned(),
                reasons: Vec::new(),
                preemption: None,
            });
        }
        if let Some(why) = &needs.refused {
            let message = format!("0/{} nodes are available: {why}.", order.len());
            return Err(self.refuse(pod, &query, message, Vec::new(), &[], rng));
        }
        // `evaluateNominatedNode`
        if let Some(machine) = self.nominated.get(&pod).map(|booked| booked.machine)
            && let Some(slot) = self.nodes.slot(machine)
            && self.judge(&query, slot).fits()
        {
            return Ok(machine);
        }
        let named = self.named(template);
        let candidates = named.as_deref().unwrap_or(&order);
        if candidates.is_empty() && selection::names(template).is_some_and(|names| names.is_empty()) {
            let message = format!("0/{} nodes are available: {}.", order.len(), Reason::Conflict.text());
            let reasons = vec![(Reason::Conflict, order.len() as u32)];
            return Err(self.refuse(pod, &query, message, reasons, &[], rng));
        }
        let (feasible, verdicts) = self.search(&query, candidates, order.len());
        match feasible.as_slice() {
            [] => {
                let mut tally = Tally::new(template.scalars());
                for &(_, verdict) in &verdicts {
                    tally.add(verdict);
                }
                tally.add_many(Reason::NotNamed, (order.len() - candidates.len()) as u32);
                Err(self.refuse(pod, &query, tally.message(order.len()), tally.reasons(), &verdicts, rng))
            }
            [only] => self.machine(*only),
            _ => {
                let scores = self.scores(&query, &feasible, &order);
                self.machine(select(&feasible, &scores, rng))
            }
        }
    }

    /// Whether a DaemonSet's pod fits its node: as [`Self::place`] of a pod whose node affinity names that node alone
    /// (`pkg/controller/daemon/util/daemonset_util.go` `ReplaceDaemonSetPodNodeNameNodeAffinity`), so that all its pods
    /// can share one template.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub fn place_on(
        &mut self,
        machine: MachineId,
        pod: PodId,
        namespace: &Arc<str>,
        template: &Arc<PodTemplate>,
        rng: &mut Stream,
    ) -> Result<MachineId, Unschedulable> {
        let query = self.query(Some(pod), namespace, template);
        let all = self.nodes.len();
        if all == 0 {
            return Err(Unschedulable {
                message: NO_NODES.to_owned(),
                reasons: Vec::new(),
                preemption: None,
            });
        }
        let mut tally = Tally::new(template.scalars());
        let mut verdicts = Vec::new();
        if let Some(slot) = self.nodes.slot(machine) {
            let verdict = self.judge(&query, slot);
            if verdict.fits() {
                return Ok(machine);
            }
            tally.add(verdict);
            verdicts.push((slot, verdict));
        }
        tally.add_many(Reason::NotNamed, (all - verdicts.len()) as u32);
        Err(self.refuse(pod, &query, tally.message(all), tally.reasons(), &verdicts, rng))
    }

    /// Whether a pod fits a node now.
    pub fn fits(&mut self, namespace: &Arc<str>, template: &Arc<PodTemplate>, machine: MachineId) -> bool {
        let Some(slot) = self.nodes.slot(machine) else {
            return false;
        };
        let query = self.query(None, namespace, template);
        self.judge(&query, slot).fits()
    }

    /// The present nodes that required node affinity names, when it does.
    fn named(&self, template: &PodTemplate) -> Option<Vec<u32>> {
        selection::names(template).map(|names| names.into_iter().filter_map(|name| self.nodes.named(name)).collect())
    }

    /// Feasible nodes, until there are enough, and the verdicts on the others seen (`findNodesThatPassFilters`).
    fn search(&mut self, query: &Query<'_>, nodes: &[u32], all: usize) -> (Vec<u32>, Vec<(u32, Verdict)>) {
        let enough = feasible_nodes_to_find(nodes.len());
        let from = if nodes.is_empty() { 0 } else { self.start % nodes.len() };
        let slots = nodes[from..].iter().chain(&nodes[..from]).copied();
        let (feasible, verdicts) = if query.nominees.is_empty() {
            let bans = self.bans(query);
            gather(slots.map(|slot| (slot, self.filter_with(query, slot, &bans))), enough)
        } else {
            gather(slots.map(|slot| (slot, self.judge(query, slot))), enough)
        };
        self.start = (self.start + feasible.len() + verdicts.len()) % all;
        (feasible, verdicts)
    }

    fn machine(&self, slot: u32) -> Result<MachineId, Unschedulable> {
        let gone = || Unschedulable {
            message: NO_NODES.to_owned(),
            reasons: Vec::new(),
            preemption: None,
        };
        self.nodes.info(slot).map(|info| info.machine).ok_or_else(gone)
    }

    /// The error, after preemption was tried (`PostFilter`).
    fn refuse(
        &mut self,
        pod: PodId,
        query: &Query<'_>,
        mut message: String,
        reasons: Vec<(Reason, u32)>,
        verdicts: &[(u32, Verdict)],
        rng: &mut Stream,
    ) -> Unschedulable {
        let preemption = match self.preemption(pod, query, verdicts, rng) {
            Ok(preemption) => Some(preemption),
            Err(why) => {
                // plugins/defaultpreemption/default_preemption.go `PostFilter`
                message.push_str(if self.dynamic_resources {
                    // plugins/dynamicresources/dynamicresources.go `PostFilter`, which comes first.
                    " no new claims to deallocate, preemption: "
                } else {
                    " preemption: "
                });
                message.push_str(&why);
                None
            }
        };
        Unschedulable {
            message,
            reasons,
            preemption,
        }
    }

    /// Whom a pod may push out, where. [`Self::place`] says so, too, when it finds no node.
    pub fn preempt(
        &mut self,
        pod: PodId,
        namespace: &Arc<str>,
        template: &Arc<PodTemplate>,
        rng: &mut Stream,
    ) -> Option<Preemption> {
        let query = self.query(Some(pod), namespace, template);
        let order = self.nodes.order();
        let candidates = self.named(template);
        let mut verdicts = Vec::new();
        for &slot in candidates.as_deref().unwrap_or(&order) {
            let verdict = self.judge(&query, slot);
            if verdict.fits() {
                return None;
            }
            verdicts.push((slot, verdict));
        }
        self.preemption(pod, &query, &verdicts, rng).ok()
    }
}

/// The first `enough` that fit, and the others before them.
fn gather(nodes: impl Iterator<Item = (u32, Verdict)>, enough: usize) -> (Vec<u32>, Vec<(u32, Verdict)>) {
    let mut feasible = Vec::with_capacity(enough);
    let mut verdicts = Vec::new();
    for (slot, verdict) in nodes {
        if !verdict.fits() {
            verdicts.push((slot, verdict));
            continue;
        }
        feasible.push(slot);
        if feasible.len() == enough {
            break;
        }
    }
    (feasible, verdicts)
}

/// One of the best, each equally likely (`schedule_one.go` `nodeScoreHeap`: the highest random number among equals).
fn select(nodes: &[u32], scores: &[i64], rng: &mut Stream) -> u32 {
    let best = scores.iter().copied().max().unwrap_or(0);
    let ties = || {
        nodes
            .iter()
            .zip(scores)
            .filter(|&(_, &score)| score == best)
            .map(|(&slot, _)| slot)
    };
    let count = ties().count();
    let pick = if count > 1 { rng.index(count) } else { 0 };
    ties().nth(pick).unwrap_or(nodes[0])
}
