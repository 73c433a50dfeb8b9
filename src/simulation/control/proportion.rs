//! What a Deployment does to several ReplicaSets at once: scaling in proportion, and forgetting old ones.
//!
//! Source: pkg/controller/deployment/sync.go (`scale`, `cleanupDeployment`), util/deployment_util.go (`IsSaturated`,
//! `GetReplicaSetProportion`, `getReplicaSetFraction`, `DeploymentComplete`).

use std::cmp::Reverse;

use super::super::objects::resources::REPLICA_SETS;
use super::super::objects::table::Row;
use super::super::objects::workload::{Deployment, Strategy};
use super::super::server::tables::Place;
use super::super::world::World;

/// `spec.revisionHistoryLimit` unless written. Source: pkg/apis/apps/v1/defaults.go `SetDefaults_Deployment`.
const HISTORY: u64 = 10;

impl World {
    /// Spreads a change of the number over the active ReplicaSets of a roll-out under way. `before`: the number until now.
    pub(super) fn scale_in_proportion(
        &mut self,
        it: &Row<Deployment>,
        newest: Option<u32>,
        active: &[u32],
        before: u32,
    ) {
        let wanted = it.body.replicas;
        // `IsSaturated`: the newest has all that it should have; what is left of the others goes.
        if let Some(newest) = newest
            && self.set_replicas(newest) == wanted
            && self.set_status(newest).0 == wanted
        {
            for &set in active.iter().filter(|&&set| set != newest) {
                self.scale_set(set, 0);
            }
            return;
        }
        let Strategy::RollingUpdate { max_surge, .. } = it.body.strategy else {
            return;
        };
        let allowed = if wanted == 0 {
            0
        } else {
            i64::from(wanted + max_surge.of(wanted, true))
        };
        let known = i64::from(before + max_surge.of(before, true)).max(1);
        let total: i64 = active.iter().map(|&set| i64::from(self.set_replicas(set))).sum();
        let to_add = allowed - total;
        let mut sets = active.to_vec();
        // `ReplicaSetsBySizeNewer` when it grows, `ReplicaSetsBySizeOlder` when it shrinks.
        if to_add > 0 {
            sets.sort_by_key(|&set| (Reverse(self.set_replicas(set)), Reverse(set)));
        } else {
            sets.sort_by_key(|&set| (Reverse(self.set_replicas(set)), set));
        }
        let mut added = 0;
        let mut sizes = Vec::with_capacity(sets.len());
        for &set in &sets {
            let size = i64::from(self.set_replicas(set));
            let share = share(size, allowed, known);
            let left = to_add - added;
            let change = match left {
                0 => 0,
                _ if to_add > 0 => share.min(left),
                _ => share.max(left),
            };
            added += change;
            sizes.push(size + change);
        }
        // What rounding leaves is the largest one's.
        if let Some(first) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (set, size) in sets.into_iter().zip(sizes) {
            self.scale_set(set, u32::try_from(size).unwrap_or(0));
        }
    }

    /// Deletes the oldest ReplicaSets without pods of a Deployment whose roll-out is complete.
    pub(super) fn forget_old_sets(&mut self, row: u32, old: &[u32]) {
        let Some(it) = self.store.deployments.get(row) else {
            return;
        };
        let (wanted, status) = (it.body.replicas, it.body.status);
        let complete =
            status.observed >= it.meta.generation && [status.updated, status.replicas, status.available] == [wanted; 3];
        let keep = it.body.spec["revisionHistoryLimit"].as_u64().unwrap_or(HISTORY);
        let surplus = old.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        if !complete || surplus == 0 {
            return;
        }
        let mut oldest = old.to_vec();
        oldest.sort_by_key(|&set| self.store.replica_sets.get(set).map(|set| set.body.revision));
        for &set in &oldest[..surplus] {
            let empty = self.set_replicas(set) == 0 && self.set_status(set).1 == 0;
            if empty {
                self.drop_object(Place::new(REPLICA_SETS, set));
            }
        }
    }
}

/// `getReplicaSetFraction`: how much a set changes when all that was `known` becomes `allowed`, rounded half away from zero.
fn share(size: i64, allowed: i64, known: i64) -> i64 {
    (size * allowed * 2 + known) / (known * 2) - size
}
