//! The eviction API: a deletion that PodDisruptionBudgets may refuse.
//!
//! Source: pkg/registry/core/pod/storage/eviction.go (`Create`, `canIgnorePDB`, `checkAndDecrement`,
//! `createTooManyRequestsError`).

use super::World;
use crate::model::time::Span;
use crate::simulation::api::{ApiError, DeleteOptions};
use crate::simulation::objects::budget::{Budget, SYNC_FAILED, Unhealthy};
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::pod::Phase;
use crate::simulation::objects::table::Row;

/// The most evictions that a budget's controller may be behind with (`MaxDisruptedPodSize`).
const MOST_DISRUPTED: usize = 2_000;

impl World {
    pub(super) fn evict_pod(
        &mut self,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        dry_run: bool,
    ) -> Result<(), ApiError> {
        let Some(pod) = self.store.pods.find(namespace, name) else {
            return Err(ApiError::NotFound {
                plural: "pods".to_owned(),
                name: name.to_owned(),
            });
        };
        let Some(row) = self.store.pods.shared(pod).cloned() else {
            return Ok(());
        };
        let differs = |why: String| ApiError::Conflict {
            plural: "Pod".to_owned(),
            name: name.to_owned(),
            why,
        };
        if let Some(uid) = &options.uid
            && *uid != uid_text(row.meta.uid)
        {
            return Err(differs(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
                 deleted and then recreated",
                uid_text(row.meta.uid)
            )));
        }
        if let Some(version) = &options.version
            && *version != row.meta.version.to_string()
        {
            return Err(differs(format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The \
                 object might have been modified",
                row.meta.version
            )));
        }
        // Pods that have ended, do not run yet or are on their way already disrupt nobody by going.
        let free = row.body.is_finished() || row.body.phase == Phase::Pending || row.meta.deletion.is_some();
        if !free {
            let mut budgets = self.budgets_of(namespace, &row.meta.labels);
            let guard = budgets.next().map(|(row, budget)| (row, budget.clone()));
            if budgets.next().is_some() {
                return Err(ApiError::Internal(
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
                        .to_owned(),
                ));
            }
            drop(budgets);
            if let Some((guard, budget)) = guard
                && (row.body.is_ready() || !allows_unhealthy(&budget.body))
            {
                check(&budget)?;
                if !dry_run {
                    let now = self.now;
                    self.store.budgets.update(&mut self.store.versions, guard, |budget| {
                        let status = &mut budget.body.status;
                        status.allowed -= 1;
                        if status.allowed == 0 {
                            status.update_condition(now);
                        }
                        status.disrupted.insert(row.meta.name.clone(), now);
                    });
                }
            }
        }
        if !dry_run {
            self.mark_disrupted(pod, "EvictionByEvictionAPI");
            self.delete_pod(pod, "eviction", options.grace.map(Span::secs));
        }
        Ok(())
    }
}

/// Whether a pod that is not Ready may go without being counted.
fn allows_unhealthy(budget: &Budget) -> bool {
    let status = &budget.status;
    budget.unhealthy == Unhealthy::AlwaysAllow || status.healthy >= status.desired && status.desired > 0
}

/// Whether the budget allows one more disruption.
fn check(budget: &Row<Budget>) -> Result<(), ApiError> {
    let status = &budget.body.status;
    let name = &budget.meta.name;
    let refused = |cause: String, retry_after: u64| ApiError::TooManyRequests {
        message: "Cannot evict pod as it would violate the pod's disruption budget.".to_owned(),
        retry_after,
        cause,
    };
    if status.observed < budget.meta.generation {
        return Err(refused(
            format!("The disruption budget {name} is still being processed by the server."),
            10,
        ));
    }
    if status.disrupted.len() > MOST_DISRUPTED {
        return Err(ApiError::Forbidden(format!(
            "poddisruptionbudget.policy \"{name}\" is forbidden: DisruptedPods map too big - too many evictions not confirmed by \
             PDB controller"
        )));
    }
    if status.allowed > 0 {
        return Ok(());
    }
    let failed = status
        .condition
        .as_ref()
        .filter(|condition| condition.reason == SYNC_FAILED);
    let cause = match failed {
        Some(condition) => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
            condition.message
        ),
        None if status.healthy <= status.desired => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            status.desired, status.healthy
        ),
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    };
    Err(refused(cause, 0))
}
