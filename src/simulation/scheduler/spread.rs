//! Soft spreading of a workload's pods over nodes and zones (pkg/scheduler/framework/plugins/podtopologyspread).

use super::Scheduler;
use super::logarithm::ln_millionths;
use super::query::Query;
use super::score::{MOST, share};
use super::topology::ZONE;

/// Source: plugin.go `systemDefaultConstraints`, hostname.
const NODE_SKEW: i64 = 3;
/// Source: the same, zone.
const ZONE_SKEW: i64 = 5;
const MILLION: i64 = 1_000_000;

impl Scheduler {
    /// The raw scores of nodes: the more pods of the same workload, the higher (scoring.go `PreScore`, `Score`).
    /// `None` when the pod belongs to no workload.
    pub(super) fn spread(&self, query: &Query<'_>, nodes: &[u32], order: &[u32]) -> Option<Vec<i64>> {
        let (per_node, per_zone) = self.classes.class(query.class).spread?;
        let (per_node, per_zone) = (
            &self.classes.term(per_node).present,
            &self.classes.term(per_zone).present,
        );
        // Nodes without a zone label are a zone of their own here; only their hostname counts below.
        let domains = self.topologies.domains(ZONE);
        let zone = |slot: u32| (self.topologies.domain(ZONE, slot) as usize).min(domains);
        let mut seen = vec![false; domains + 1];
        for &slot in nodes {
            seen[zone(slot)] = true;
        }
        let zones = seen.into_iter().filter(|seen| *seen).count();
        // NodeAffinityPolicy: Honor (common.go `matchNodeInclusionPolicies`): other nodes' pods do not count in a zone.
        let counts: Vec<i32> = if per_node.total() == 0 || self.selects_all(query) {
            (0..=domains as u32).map(|zone| per_zone.get(zone)).collect()
        } else {
            let mut counts = vec![0; domains + 1];
            for &slot in order.iter().filter(|&&slot| self.selects(query, slot)) {
                counts[zone(slot)] += per_node.get(slot);
            }
            counts
        };
        // scoring.go `topologyNormalizingWeight`: ln(size + 2)
        let node_weight = ln_millionths(nodes.len() as u64 + 2);
        let zone_weight = ln_millionths(zones as u64 + 2);
        let score = |&slot: &u32| {
            let mut millionths = 0;
            if self.nodes.room(slot).hostname {
                millionths += i64::from(per_node.get(slot)) * node_weight + (NODE_SKEW - 1) * MILLION;
            }
            let zone = zone(slot);
            if zone < domains {
                millionths += i64::from(counts[zone]) * zone_weight + (ZONE_SKEW - 1) * MILLION;
            }
            (millionths + MILLION / 2) / MILLION
        };
        Some(nodes.iter().map(score).collect())
    }
}

/// Fewer pods, higher score (scoring.go `NormalizeScore`).
pub(super) fn normalize(scores: &mut [i64]) {
    let most = scores.iter().copied().max().unwrap_or(0);
    let least = scores.iter().copied().min().unwrap_or(0);
    for score in scores {
        *score = if most == 0 {
            MOST
        } else {
            share(most + least - *score, most)
        };
    }
}
