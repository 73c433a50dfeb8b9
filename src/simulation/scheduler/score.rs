//! How good the nodes are that a pod fits, with the weights of the default profile
//! (`pkg/scheduler/apis/config/v1/default_plugins.go`).

use super::node::Room;
use super::query::Query;
use super::{Scheduler, selection, spread};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::Effect;

/// Source: k8s.io/kube-scheduler framework/interface.go `MaxNodeScore`.
pub(super) const MOST: i64 = 100;

const TAINT_TOLERATION: i64 = 3;
const NODE_AFFINITY: i64 = 2;
const POD_TOPOLOGY_SPREAD: i64 = 2;
const INTER_POD_AFFINITY: i64 = 2;
const NODE_RESOURCES_FIT: i64 = 1;
const NODE_RESOURCES_BALANCED_ALLOCATION: i64 = 1;

impl Scheduler {
    /// The weighted sums, by index into `nodes`. `order` is all nodes.
    pub(super) fn scores(&self, query: &Query<'_>, nodes: &[u32], order: &[u32]) -> Vec<i64> {
        let mut sums = vec![0; nodes.len()];
        let mut add = |weight: i64, scores: &[i64]| {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += weight * score;
            }
        };
        // Without soft taints all nodes score alike.
        if let Some(scores) = self.taint_toleration(query, nodes) {
            add(TAINT_TOLERATION, &scores);
        }
        if let Some(scores) = self.node_affinity(query, nodes) {
            add(NODE_AFFINITY, &scores);
        }
        add(1, &self.resources(query, nodes));
        if let Some(scores) = self.soft_skew(query, nodes) {
            add(POD_TOPOLOGY_SPREAD, &scores);
        } else if let Some(mut scores) = self.spread(query, nodes, order) {
            spread::normalize(&mut scores);
            add(POD_TOPOLOGY_SPREAD, &scores);
        }
        if let Some(mut scores) = self.inter_pod_affinity(query, nodes) {
            normalize_range(&mut scores);
            add(INTER_POD_AFFINITY, &scores);
        }
        sums
    }

    /// Both scores of resources, weighted. Neighbours in the order are often filled alike: then the divisions are spared.
    fn resources(&self, query: &Query<'_>, nodes: &[u32]) -> Vec<i64> {
        // Balance does not count for pods without requests (plugins/noderesources/balanced_allocation.go `PreScore`).
        let best_effort = query.requests == Amount::default();
        #[expect(
            clippy::type_complexity,
            reason = "four remembered answers, used in this function alone"
        )]
        let mut known: [Option<((Amount, Amount, Amount), i64)>; 4] = [None; 4];
        let mut next = 0;
        let score = |&slot: &u32| {
            let room = self.nodes.room(slot);
            let filled = (room.allocatable, room.requested, room.scored);
            if let Some((_, score)) = known.iter().flatten().find(|(other, _)| *other == filled) {
                return *score;
            }
            let balance = if best_effort {
                0
            } else {
                balanced_allocation(query, room)
            };
            let score =
                NODE_RESOURCES_FIT * least_allocated(query, room) + NODE_RESOURCES_BALANCED_ALLOCATION * balance;
            known[next] = Some((filled, score));
            next = (next + 1) % known.len();
            score
        };
        nodes.iter().map(score).collect()
    }

    /// Fewer `PreferNoSchedule` taints that it does not tolerate (`plugins/tainttoleration/taint_toleration.go` `Score`).
    fn taint_toleration(&self, query: &Query<'_>, nodes: &[u32]) -> Option<Vec<i64>> {
        let per_set: Vec<i64> = self
            .nodes
            .taint_sets()
            .iter()
            .map(|set| {
                let tolerated = |taint| {
                    query
                        .template
                        .tolerations
                        .iter()
                        .any(|toleration| toleration.tolerates(taint))
                };
                let soft = set.iter().filter(|taint| taint.effect == Effect::PreferNoSchedule);
                soft.map(|taint| i64::from(!tolerated(taint))).sum()
            })
            .collect();
        if per_set.iter().all(|&soft| soft == 0) {
            return None;
        }
        let mut scores: Vec<i64> = nodes
            .iter()
            .map(|&slot| per_set[self.nodes.room(slot).taints as usize])
            .collect();
        normalize(&mut scores, true);
        Some(scores)
    }

    /// The weights of the preferred node affinity that holds (`plugins/nodeaffinity/node_affinity.go` `Score`).
    fn node_affinity(&self, query: &Query<'_>, nodes: &[u32]) -> Option<Vec<i64>> {
        let preferred = &query.template.preferred_node_terms;
        if preferred.is_empty() {
            return None;
        }
        let score = |&slot: &u32| {
            let Some(info) = self.nodes.info(slot) else { return 0 };
            let holds = |term: &[_]| selection::term_matches(term, &info.name, &info.labels);
            preferred
                .iter()
                .filter(|(_, term)| holds(term))
                .map(|(weight, _)| weight)
                .sum()
        };
        let mut scores: Vec<i64> = nodes.iter().map(score).collect();
        normalize(&mut scores, false);
        Some(scores)
    }

    /// Its own preferred terms, and those (and the required affinity) of the pods that are there
    /// (plugins/interpodaffinity/scoring.go `processExistingPod`, `Score`).
    fn inter_pod_affinity(&self, query: &Query<'_>, nodes: &[u32]) -> Option<Vec<i64>> {
        let mut scores: Option<Vec<i64>> = None;
        for &(weight, term) in &self.classes.class(query.class).prefers {
            let term = self.classes.term(term);
            for (score, &slot) in scores.get_or_insert_with(|| vec![0; nodes.len()]).iter_mut().zip(nodes) {
                *score += i64::from(weight) * i64::from(term.present.get(self.topologies.domain(term.key, slot)));
            }
        }
        for term in self.classes.attracting(query.class) {
            let term = self.classes.term(term);
            let Some(attracts) = &term.attracts else { continue };
            for (score, &slot) in scores.get_or_insert_with(|| vec![0; nodes.len()]).iter_mut().zip(nodes) {
                *score += i64::from(attracts.get(self.topologies.domain(term.key, slot)));
            }
        }
        scores
    }
}

/// A hundred times `part` by `whole`, rounded down; neither is negative. Half as wide a division is several times as fast.
pub(super) fn share(part: i64, whole: i64) -> i64 {
    let part = MOST * part;
    match (u32::try_from(part), u32::try_from(whole)) {
        (Ok(part), Ok(whole)) => i64::from(part / whole),
        _ => part / whole,
    }
}

/// Against the highest (`plugins/helper/normalize_score.go` `DefaultNormalizeScore`).
fn normalize(scores: &mut [i64], reverse: bool) {
    let most = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        let scaled = if most == 0 { 0 } else { share(*score, most) };
        *score = if reverse { MOST - scaled } else { scaled };
    }
}

/// Between the lowest and the highest (plugins/interpodaffinity/scoring.go `NormalizeScore`).
fn normalize_range(scores: &mut [i64]) {
    let most = scores.iter().copied().max().unwrap_or(0);
    let least = scores.iter().copied().min().unwrap_or(0);
    for score in scores {
        *score = if most == least {
            0
        } else {
            MOST * (*score - least) / (most - least)
        };
    }
}

/// What is left free, CPU and memory alike (`plugins/noderesources/least_allocated.go` `leastResourceScorer`).
pub(super) fn least_allocated(query: &Query<'_>, room: &Room) -> i64 {
    let wanted = query.template.scored;
    let (mut sum, mut resources) = (0, 0);
    for (used, all) in [
        (room.scored.cpu_milli + wanted.cpu_milli, room.allocatable.cpu_milli),
        (room.scored.memory + wanted.memory, room.allocatable.memory),
    ] {
        if all > 0 {
            resources += 1;
            sum += if used > all {
                0
            } else {
                (all - used) * MOST.cast_unsigned() / all
            };
        }
    }
    sum.checked_div(resources).map_or(0, u64::cast_signed)
}

/// Whether the pod brings CPU and memory into balance (`plugins/noderesources/balanced_allocation.go` `balancedResourceScorer`).
pub(super) fn balanced_allocation(query: &Query<'_>, room: &Room) -> i64 {
    let before = balance(room.requested.cpu_milli, room.requested.memory, room);
    let after = balance(
        room.requested.cpu_milli + query.requests.cpu_milli,
        room.requested.memory + query.requests.memory,
        room,
    );
    MOST / 2 + (MOST / 2 + after - before) / 2
}

/// 100 less half the difference of the fractions in use, rounded down (the same, `balancedResourceScore`).
fn balance(cpu: u64, memory: u64, room: &Room) -> i64 {
    let all = room.allocatable;
    if all.cpu_milli == 0 || all.memory == 0 {
        return MOST;
    }
    let (cpu, memory) = (cpu.min(all.cpu_milli), memory.min(all.memory));
    let whole = u128::from(all.cpu_milli) * u128::from(all.memory);
    let difference =
        (u128::from(cpu) * u128::from(all.memory)).abs_diff(u128::from(memory) * u128::from(all.cpu_milli));
    let lost = MOST as u128 / 2 * difference;
    // Division of 128 bits is slow and hardly ever needed.
    let lost = match (u64::try_from(lost), u64::try_from(whole)) {
        (Ok(lost), Ok(whole)) => lost.div_ceil(whole),
        _ => lost.div_ceil(whole) as u64,
    };
    MOST - lost.cast_signed()
}
