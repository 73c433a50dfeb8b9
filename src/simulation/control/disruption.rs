//! The disruption controller: how many pods of each PodDisruptionBudget may be evicted.
//!
//! Source: pkg/controller/disruption/disruption.go (`trySync`, `getExpectedPodCount`, `getExpectedScale`, `countHealthyPods`,
//! `buildDisruptedPodMap`, `failSafe`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::api::Labels;
use super::super::event::Event;
use super::super::objects::budget::{Bound, Budget, BudgetStatus, SYNC_FAILED};
use super::super::objects::meta::Owner;
use super::super::objects::pod::Pod;
use super::super::objects::table::Row;
use super::super::objects::workload::Share;
use super::super::world::{World, draw};
use crate::model::time::Span;

/// From an eviction until a pod that is still not being deleted counts again (`DeletionTimeout`).
const DELETION_TIMEOUT: Span = Span::secs(120);

impl World {
    /// The budgets that guard a pod, each with its row. Preemption spares pods whose budgets allow no disruption; the eviction
    /// API refuses to evict them.
    pub fn budgets_of<'a>(
        &'a self,
        namespace: &'a str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = (u32, &'a Arc<Row<Budget>>)> {
        self.store
            .budgets
            .by_name(Some(namespace))
            .filter(|(_, row)| row.body.guards(labels))
    }

    /// How many more pods like this one may be disrupted now: the least of its budgets; `None` when no budget guards it.
    #[must_use]
    pub fn disruptions_allowed(&self, pod: u32) -> Option<u32> {
        let row = self.store.pod(pod)?;
        self.budgets_of(&row.meta.namespace, &row.meta.labels)
            .map(|(_, budget)| budget.body.status.allowed)
            .min()
    }

    /// Has the budgets that guard a pod with these labels looked at again.
    pub(in crate::simulation) fn guarded_changed(&mut self, namespace: &str, labels: &Labels) {
        if self.store.budgets.is_empty() {
            return;
        }
        let rows: Vec<u32> = self.budgets_of(namespace, labels).map(|(row, _)| row).collect();
        for row in rows {
            self.budget_changed(row);
        }
    }

    pub(in crate::simulation) fn budget_changed(&mut self, row: u32) {
        if self.dirty.budgets.insert(row) {
            let delay = draw(&mut self.chance.disruption, self.profile.controllers.notice);
            self.after(delay, Event::Budget(row));
        }
    }

    pub(in crate::simulation) fn sync_budget(&mut self, row: u32) {
        self.dirty.budgets.remove(&row);
        let Some(budget) = self.store.budgets.shared(row).cloned() else {
            return;
        };
        let guarded = budget.body.selector.as_ref().map_or_else(Vec::new, |selector| {
            self.store.pods.selected(&budget.meta.namespace, selector)
        });
        let now = self.now;
        let before = &budget.body.status;
        let status = match self.expected(&budget.body, &guarded) {
            Ok((expected, desired)) => {
                let disrupted: BTreeMap<_, _> = guarded
                    .iter()
                    .filter(|pod| pod.meta.deletion.is_none())
                    .filter_map(|pod| before.disrupted.get_key_value(&pod.meta.name))
                    .filter(|(_, since)| **since + DELETION_TIMEOUT >= now)
                    .map(|(name, since)| (name.clone(), *since))
                    .collect();
                if let Some(&oldest) = disrupted.values().min() {
                    self.queue
                        .post(oldest + DELETION_TIMEOUT + Span::micros(1), Event::Budget(row));
                }
                let healthy = guarded
                    .iter()
                    .filter(|pod| {
                        pod.meta.deletion.is_none() && !disrupted.contains_key(&pod.meta.name) && pod.body.is_ready()
                    })
                    .count() as u32;
                let mut status = BudgetStatus {
                    observed: budget.meta.generation,
                    expected,
                    healthy,
                    desired,
                    allowed: if expected > 0 {
                        healthy.saturating_sub(desired)
                    } else {
                        0
                    },
                    disrupted,
                    condition: before.condition.clone(),
                };
                status.update_condition(now);
                status
            }
            Err(why) => {
                let mut status = BudgetStatus {
                    allowed: 0,
                    ..before.clone()
                };
                status.set_condition(SYNC_FAILED, why.into(), now);
                status
            }
        };
        if status != *before {
            self.store
                .budgets
                .update(&mut self.store.versions, row, |budget| budget.body.status = status);
        }
    }

    /// The pods that there should be and those that must be healthy.
    fn expected(&self, budget: &Budget, guarded: &[Arc<Row<Pod>>]) -> Result<(u32, u32), String> {
        Ok(match budget.bound {
            Bound::MaxUnavailable(most) => {
                let expected = self.expected_scale(guarded)?;
                (expected, expected.saturating_sub(most.of(expected, true)))
            }
            Bound::MinAvailable(Share::Count(least)) => (guarded.len() as u32, least),
            Bound::MinAvailable(least @ Share::Percent(_)) => {
                let expected = self.expected_scale(guarded)?;
                (expected, least.of(expected, true))
            }
            Bound::Nothing => (0, 0),
        })
    }

    /// The sum of what the controllers of these pods want, each controller once. Pods without one count for nothing.
    fn expected_scale(&self, pods: &[Arc<Row<Pod>>]) -> Result<u32, String> {
        let mut scales: BTreeMap<u64, u32> = BTreeMap::new();
        for pod in pods {
            let Some(owner) = &pod.meta.owner else { continue };
            let Some((uid, scale)) = self.scale_of(owner)? else {
                return Err(format!("found no controllers for pod \"{}\"", pod.meta.name));
            };
            scales.insert(uid, scale);
        }
        Ok(scales.values().sum())
    }

    /// The controller that decides how many pods there are, and how many it wants: of a Deployment's ReplicaSet, the Deployment.
    fn scale_of(&self, owner: &Owner) -> Result<Option<(u64, u32)>, String> {
        let store = &self.store;
        match owner.kind {
            "ReplicaSet" => Ok(store
                .replica_sets
                .get(owner.row)
                .filter(|set| set.meta.uid == owner.uid)
                .and_then(|set| match &set.meta.owner {
                    Some(above) => store
                        .deployments
                        .get(above.row)
                        .filter(|deployment| deployment.meta.uid == above.uid)
                        .map(|deployment| (above.uid, deployment.body.replicas)),
                    None => Some((owner.uid, set.body.replicas)),
                })),
            "StatefulSet" => Ok(store
                .stateful_sets
                .get(owner.row)
                .filter(|set| set.meta.uid == owner.uid)
                .map(|set| (owner.uid, set.body.replicas))),
            "DaemonSet" => Err("daemonsets.apps does not implement the scale subresource".to_owned()),
            "Job" => Err("jobs.batch does not implement the scale subresource".to_owned()),
            _ => Ok(None),
        }
    }
}
