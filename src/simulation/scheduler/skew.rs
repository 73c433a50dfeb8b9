//! The spread constraints that pods write themselves (pkg/scheduler/framework/plugins/podtopologyspread).

use std::borrow::Cow;

use super::Scheduler;
use super::class::Spread;
use super::logarithm::ln_millionths;
use super::query::Query;
use super::reason::{Reason, Verdict};
use super::topology::{NODE, NOWHERE};

const MILLION: i64 = 1_000_000;

/// A hard constraint as things are: looked up once for many nodes.
#[derive(Debug)]
pub(super) struct Skew<'a> {
    /// Places by slot.
    places: &'a [u32],
    /// Matching pods by place.
    counts: Cow<'a, [i32]>,
    /// The pods of the emptiest place.
    least: i64,
    itself: i64,
    most: i64,
}

/// Raw scores; `None` for a node that lacks a label.
type Raw = Vec<Option<i64>>;

impl Scheduler {
    /// The pod's hard constraints (filtering.go `calPreFilterState`).
    pub(super) fn skews(&self, query: &Query<'_>) -> Vec<Skew<'_>> {
        let hard = &self.classes.class(query.class).hard;
        hard.iter()
            .map(|constraint| self.skew(query, constraint, hard))
            .collect()
    }

    fn skew(&self, query: &Query<'_>, constraint: &Spread, all: &[Spread]) -> Skew<'_> {
        let (counts, places, least) = if self.counts_everywhere(query, constraint, all) {
            let counts = constraint
                .counted
                .map_or(&[][..], |(term, _)| self.classes.term(term).present.all());
            let nodes = self.topologies.nodes(constraint.key).iter().enumerate();
            let present = nodes
                .filter(|(_, nodes)| **nodes > 0)
                .map(|(place, _)| counts.get(place).copied().unwrap_or(0));
            let (places, least) = present.fold((0, None), least_of);
            (Cow::Borrowed(counts), places, least)
        } else {
            let (counts, seen) = self.count_eligible(query, constraint, all);
            let present = counts
                .iter()
                .zip(seen)
                .filter(|(_, seen)| *seen)
                .map(|(count, _)| *count);
            let (places, least) = present.fold((0, None), least_of);
            (Cow::Owned(counts), places, least)
        };
        // filtering.go `minMatchNum`: too few places count as an empty one; without any there is no bound.
        let least = if places < constraint.min_domains {
            0
        } else {
            least.map_or(i64::from(i32::MAX), i64::from)
        };
        Skew {
            places: self.topologies.column(constraint.key).unwrap_or(&[]),
            counts,
            least,
            itself: constraint.itself,
            most: i64::from(constraint.max_skew),
        }
    }

    /// Whether the pods of all nodes count, so that the sums by place are known already.
    fn counts_everywhere(&self, query: &Query<'_>, constraint: &Spread, all: &[Spread]) -> bool {
        all.iter()
            .all(|other| self.topologies.labelled(other.key) == self.nodes.len())
            && (!constraint.honors_affinity || self.selects_all(query))
            && (!constraint.honors_taints || query.tolerates.iter().all(|&tolerated| tolerated))
    }

    /// Whether a node's pods count (common.go `nodeLabelsMatchSpreadConstraints`, `matchNodeInclusionPolicies`).
    fn is_eligible(&self, query: &Query<'_>, constraint: &Spread, all: &[Spread], slot: u32) -> bool {
        all.iter()
            .all(|other| self.topologies.domain(other.key, slot) != NOWHERE)
            && (!constraint.honors_affinity || self.selects(query, slot))
            && (!constraint.honors_taints || query.tolerates[self.nodes.room(slot).taints as usize])
    }

    /// Matching pods by place, and whether there is such a place, of eligible nodes alone.
    fn count_eligible(&self, query: &Query<'_>, constraint: &Spread, all: &[Spread]) -> (Vec<i32>, Vec<bool>) {
        let size = self.topologies.domains(constraint.key);
        let (mut counts, mut seen) = (vec![0; size], vec![false; size]);
        let per_node = constraint.counted.map(|(_, term)| &self.classes.term(term).present);
        for (slot, _) in self.nodes.present() {
            if self.is_eligible(query, constraint, all, slot) {
                let place = self.topologies.domain(constraint.key, slot) as usize;
                seen[place] = true;
                counts[place] += per_node.map_or(0, |counts| counts.get(self.topologies.domain(NODE, slot)));
            }
        }
        (counts, seen)
    }

    /// The pod's own soft constraints: normalized scores, or `None` when it has none (scoring.go).
    pub(super) fn soft_skew(&self, query: &Query<'_>, nodes: &[u32]) -> Option<Vec<i64>> {
        let soft = &self.classes.class(query.class).soft;
        if soft.is_empty() {
            return None;
        }
        let labelled = |slot: u32| {
            soft.iter()
                .all(|other| self.topologies.domain(other.key, slot) != NOWHERE)
        };
        let scored: Vec<u32> = nodes.iter().copied().filter(|&slot| labelled(slot)).collect();
        let mut millionths = vec![0; nodes.len()];
        for constraint in soft {
            self.add_soft(query, constraint, soft, nodes, &scored, &mut millionths);
        }
        let raw = nodes
            .iter()
            .zip(millionths)
            .map(|(&slot, sum)| labelled(slot).then_some((sum + MILLION / 2) / MILLION));
        Some(normalize(&raw.collect()))
    }

    fn add_soft(
        &self,
        query: &Query<'_>,
        constraint: &Spread,
        soft: &[Spread],
        nodes: &[u32],
        scored: &[u32],
        sums: &mut [i64],
    ) {
        let place = |slot: u32| self.topologies.domain(constraint.key, slot);
        let own = (i64::from(constraint.max_skew) - 1) * MILLION;
        if constraint.by_host {
            // Each node for itself, whatever the policies say (`Score`).
            let weight = ln_millionths(scored.len() as u64 + 2);
            let per_node = constraint.counted.map(|(_, term)| &self.classes.term(term).present);
            for (sum, &slot) in sums.iter_mut().zip(nodes) {
                let count = per_node.map_or(0, |counts| counts.get(slot));
                *sum += i64::from(count) * weight + own;
            }
            return;
        }
        let mut seen = vec![false; self.topologies.domains(constraint.key)];
        for &slot in scored {
            seen[place(slot) as usize] = true;
        }
        let weight = ln_millionths(seen.iter().filter(|seen| **seen).count() as u64 + 2);
        let counts = if self.counts_everywhere(query, constraint, soft) {
            let counts = constraint
                .counted
                .map_or(&[][..], |(term, _)| self.classes.term(term).present.all());
            Cow::Borrowed(counts)
        } else {
            Cow::Owned(self.count_eligible(query, constraint, soft).0)
        };
        for (sum, &slot) in sums.iter_mut().zip(nodes) {
            let count = counts.get(place(slot) as usize).copied().unwrap_or(0);
            *sum += i64::from(count) * weight + own;
        }
    }
}

impl Skew<'_> {
    /// filtering.go `Filter`: matching pods, the pod itself included, less those of the emptiest place.
    #[inline]
    pub(super) fn judge(&self, slot: u32) -> Verdict {
        let place = self.places.get(slot as usize).copied().unwrap_or(NOWHERE);
        if place == NOWHERE {
            return Verdict::unresolvable(Reason::SpreadLabel);
        }
        let count = self.counts.get(place as usize).copied().unwrap_or(0);
        if i64::from(count) + self.itself - self.least > self.most {
            return Verdict::resolvable(Reason::Spread);
        }
        Verdict::FITS
    }
}

fn least_of((places, least): (u32, Option<i32>), count: i32) -> (u32, Option<i32>) {
    (places + 1, Some(least.map_or(count, |least| count.min(least))))
}

/// Fewer pods, higher score; a node that lacks a label scores nothing (scoring.go `NormalizeScore`).
fn normalize(raw: &Raw) -> Vec<i64> {
    let known = || raw.iter().flatten().copied();
    let most = known().max().unwrap_or(0);
    let least = known().min().unwrap_or(0);
    raw.iter()
        .map(|score| match score {
            None => 0,
            Some(_) if most == 0 => super::score::MOST,
            Some(score) => super::score::share(most + least - score, most),
        })
        .collect()
}
