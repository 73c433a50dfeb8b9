//! Soft spreading of a workload's pods over nodes and zones (pkg/scheduler/framework/plugins/podtopologyspread).

use super::Scheduler;
use super::logarithm::ln_millionths;
use super::query::Query;
use super::topology::{HOSTNAME_LABEL, NOWHERE, ZONE};

/// Source: plugin.go `systemDefaultConstraints`, hostname.
const NODE_SKEW: i64 = 3;
/// Source: the same, zone.
const ZONE_SKEW: i64 = 5;
const MILLION: i64 = 1_000_000;

impl Scheduler {
    /// The raw scores of nodes: the more pods of the same workload, the higher (scoring.go `PreScore`, `Score`).
    /// `None` when the pod belongs to no workload.
    pub(super) fn spread(&self, query: &Query<'_>, nodes: &[u32], order: &[u32]) -> Option<Vec<i64>> {
        let present = &self.classes.term(self.classes.class(query.class).spread?).present;
        // Nodes without a zone label are a zone of their own here; only their hostname counts below.
        let domains = self.topologies.domains(ZONE);
        let zone = |slot: u32| match self.topologies.domain(ZONE, slot) {
            NOWHERE => domains,
            domain => domain as usize,
        };
        let mut counts: Vec<Option<i64>> = vec![None; domains + 1];
        let mut zones = 0;
        for &slot in nodes {
            if counts[zone(slot)].is_none() {
                counts[zone(slot)] = Some(0);
                zones += 1;
            }
        }
        if present.total() > 0 {
            for &slot in order {
                let pods = present.get(slot);
                if pods > 0
                    && let Some(count) = &mut counts[zone(slot)]
                    // NodeAffinityPolicy: Honor (common.go `matchNodeInclusionPolicies`).
                    && self.selects(query, slot)
                {
                    *count += i64::from(pods);
                }
            }
        }
        // scoring.go `topologyNormalizingWeight`: ln(size + 2)
        let node_weight = ln_millionths(nodes.len() as u64 + 2);
        let zone_weight = ln_millionths(zones + 2);
        let score = |&slot: &u32| {
            let mut millionths = 0;
            if self.nodes.info(slot).is_some_and(|info| info.labels.contains_key(HOSTNAME_LABEL)) {
                millionths += i64::from(present.get(slot)) * node_weight + (NODE_SKEW - 1) * MILLION;
            }
            if zone(slot) < domains {
                millionths += counts[zone(slot)].unwrap_or(0) * zone_weight + (ZONE_SKEW - 1) * MILLION;
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
        *score = if most == 0 { super::score::MOST } else { super::score::MOST * (most + least - *score) / most };
    }
}
