//! What preemption respects: the scheduler is told the PodDisruptionBudgets as they are.
//!
//! Source: `pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go` `getPodDisruptionBudgets`.

use super::super::fabric::PodId;
use super::super::scheduler::Budget;
use super::super::world::World;

impl World {
    /// Tells the scheduler the budgets, when one has changed since it was told last.
    pub(in crate::simulation) fn tell_budgets(&mut self) {
        let version = self.store.budgets.version();
        if version == self.pending.budgets {
            return;
        }
        self.pending.budgets = version;
        let pods = &self.store.pods;
        let all = self.store.budgets.iter().map(|(_, row)| Budget {
            namespace: row.meta.namespace.clone(),
            // Of one without a selector preemption knows that it protects nobody, as of an empty one.
            selector: row.body.selector.clone().unwrap_or_default(),
            allowed: i32::try_from(row.body.status.allowed).unwrap_or(i32::MAX),
            disrupted: row
                .body
                .status
                .disrupted
                .keys()
                .filter_map(|name| pods.find(&row.meta.namespace, name))
                .map(PodId)
                .collect(),
        });
        self.scheduler.set_budgets(all.collect());
    }
}
