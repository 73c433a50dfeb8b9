//! The HorizontalPodAutoscaler: pods for the load.
//!
//! Source: pkg/controller/podautoscaler/horizontal.go (`reconcileAutoscaler`, `computeReplicasForMetrics`),
//! config/v1alpha1/defaults.go (the flags' defaults).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::event::Event;
use super::super::objects::autoscaling::{Condition, Metric, PodAutoscaler, PodAutoscalerStatus};
use super::super::objects::meta::Meta;
use super::super::objects::table::Row;
use super::super::world::{About, World};
use crate::model::time::{Span, Time};

mod pace;
mod usage;

pub use pace::Past;
pub use usage::Samples;

/// `--horizontal-pod-autoscaler-sync-period`.
const PERIOD: Span = Span::secs(15);

/// What the autoscalers and the metrics server remember.
#[derive(Clone, Debug, Default)]
pub struct Scaling {
    /// By the autoscaler's row.
    past: BTreeMap<u32, Past>,
    samples: Samples,
}

/// What one metric proposes.
struct Proposal {
    replicas: u32,
    /// Percent of the requests, and thousandths of a core per pod.
    current: (Option<u32>, u64),
    name: &'static str,
}

impl World {
    /// An autoscaler was made: its first look is one period later (`NewDefaultHPARateLimiter`), and the metrics server has
    /// samples for it by then.
    pub(in crate::simulation) fn autoscaler_added(&mut self, row: u32) {
        self.start_metrics();
        self.after(PERIOD, Event::Autoscale(row));
    }

    /// Starts the metrics server's rounds with the first autoscaler.
    fn start_metrics(&mut self) {
        if self.scaling.samples.start() {
            let phase = self.chance.workloads.span(Span::ZERO, usage::RESOLUTION);
            self.after(phase, Event::Scrape);
        }
    }

    pub(in crate::simulation) fn autoscale(&mut self, row: u32) {
        let Some(it) = self.store.pod_autoscalers.shared(row).cloned() else {
            self.scaling.past.remove(&row);
            return;
        };
        self.after(PERIOD, Event::Autoscale(row));
        let mut status = it.body.status.clone();
        status.observed = it.meta.generation;
        self.reconcile(row, &it, &mut status);
        if status != it.body.status {
            self.store
                .pod_autoscalers
                .update(&mut self.store.versions, row, |row| row.body.status = status);
        }
    }

    fn reconcile(&mut self, row: u32, it: &Arc<Row<PodAutoscaler>>, status: &mut PodAutoscalerStatus) {
        let now = self.now;
        let Some((target, current)) = self.scale_of_target(&it.meta, &it.body) else {
            let why = format!(
                "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
                resource_word(&it.body.kind),
                it.body.target
            );
            set(status, now, "AbleToScale", "FailedGetScale", Err(&why));
            return self.tell_autoscaler(it, true, "FailedGetScale", why);
        };
        let why = "the HPA controller was able to get the target's current scale";
        set(status, now, "AbleToScale", "SucceededGetScale", Ok(why));
        status.current = current;
        let (min, max) = (it.body.min, it.body.max);
        let mut because = String::new();
        let desired = if current == 0 {
            let why = "scaling is disabled since the replica count of the target is zero";
            set(status, now, "ScalingActive", "ScalingDisabled", Err(why));
            status.desired = 0;
            return;
        } else if current > max {
            "Current number of replicas above Spec.MaxReplicas".clone_into(&mut because);
            max
        } else if current < min {
            "Current number of replicas below Spec.MinReplicas".clone_into(&mut because);
            min
        } else {
            let Some((wanted, name)) = self.proposals(it, target, current, status) else {
                return;
            };
            if wanted > current {
                because = format!("{name} above target");
            } else if wanted < current {
                "All metrics below target".clone_into(&mut because);
            }
            let past = self.scaling.past.entry(row).or_default();
            past.normalize(now, &it.body, current, wanted, status)
        };
        status.desired = desired;
        if desired == current {
            return;
        }
        self.rescale(&it.body.kind, target, desired);
        status.scaled = Some(now);
        let why = format!("the HPA controller was able to update the target scale to {desired}");
        set(status, now, "AbleToScale", "SucceededRescale", Ok(&why));
        self.scaling.past.entry(row).or_default().scaled(now, current, desired);
        self.tell_autoscaler(
            it,
            false,
            "SuccessfulRescale",
            format!("New size: {desired}; reason: {because}"),
        );
    }

    /// The highest proposal of all metrics, and its name; `None`: none can be computed. With one that cannot, nothing shrinks.
    fn proposals(
        &mut self,
        it: &Arc<Row<PodAutoscaler>>,
        target: u32,
        current: u32,
        status: &mut PodAutoscalerStatus,
    ) -> Option<(u32, &'static str)> {
        let pods = self.pods_of_target(&it.body.kind, target);
        let mut best: Option<(u32, &'static str)> = None;
        let mut failed: Option<(&'static str, String)> = None;
        status.metrics.clear();
        for metric in &*it.body.metrics {
            let found = match metric {
                Metric::Unknown(name) => Err(format!(
                    "unable to get metrics for {name}: no metrics returned from the metrics API"
                )),
                _ => self.propose(&pods, &it.body, metric, current),
            };
            match found {
                Ok(proposal) => {
                    status.metrics.push(proposal.current);
                    if best.is_none_or(|(replicas, _)| proposal.replicas > replicas) {
                        best = Some((proposal.replicas, proposal.name));
                    }
                }
                Err(why) => {
                    status.metrics.push((None, 0));
                    failed.get_or_insert(("FailedGetResourceMetric", why));
                }
            }
        }
        let now = self.now;
        if let Some((reason, why)) = &failed
            && best.is_none_or(|(replicas, _)| replicas < current)
        {
            let why = format!("the HPA was unable to compute the replica count: failed to get cpu utilization: {why}");
            set(status, now, "ScalingActive", reason, Err(&why));
            self.tell_autoscaler(it, true, reason, why.clone());
            if best.is_none() {
                let why = format!(
                    "invalid metrics (1 invalid out of {}), first error is: {why}",
                    it.body.metrics.len()
                );
                self.tell_autoscaler(it, true, "FailedComputeMetricsReplicas", why);
                return None;
            }
            return Some((current, "cpu resource"));
        }
        let (replicas, name) = best?;
        let why = format!("the HPA was able to successfully calculate a replica count from {name}");
        set(status, now, "ScalingActive", "ValidMetricFound", Ok(&why));
        Some((replicas, name))
    }

    /// The row of what an autoscaler scales, and how many pods that wants.
    fn scale_of_target(&self, meta: &Meta, it: &PodAutoscaler) -> Option<(u32, u32)> {
        let (space, store) = (&*meta.namespace, &self.store);
        match &*it.kind {
            "Deployment" => {
                let row = store.deployments.find(space, &it.target)?;
                Some((row, store.deployments.get(row)?.body.replicas))
            }
            "ReplicaSet" => {
                let row = store.replica_sets.find(space, &it.target)?;
                Some((row, store.replica_sets.get(row)?.body.replicas))
            }
            "StatefulSet" => {
                let row = store.stateful_sets.find(space, &it.target)?;
                Some((row, store.stateful_sets.get(row)?.body.replicas))
            }
            _ => None,
        }
    }

    fn rescale(&mut self, kind: &str, row: u32, replicas: u32) {
        let store = &mut self.store;
        match kind {
            "Deployment" => {
                store.deployments.update(&mut store.versions, row, |it| {
                    it.body.replicas = replicas;
                    it.meta.generation += 1;
                });
                self.deployment_changed(row);
            }
            "ReplicaSet" => {
                store.replica_sets.update(&mut store.versions, row, |it| {
                    it.body.replicas = replicas;
                    it.meta.generation += 1;
                });
                self.replica_set_changed(row);
            }
            _ => {
                store.stateful_sets.update(&mut store.versions, row, |it| {
                    it.body.replicas = replicas;
                    it.meta.generation += 1;
                });
                self.stateful_set_changed(row);
            }
        }
    }

    /// The pods of what is scaled, those in deletion included.
    fn pods_of_target(&self, kind: &str, row: u32) -> Vec<u32> {
        let store = &self.store;
        let uid = match kind {
            "Deployment" => store.deployments.get(row).map(|it| it.meta.uid),
            "ReplicaSet" => store.replica_sets.get(row).map(|it| it.meta.uid),
            _ => store.stateful_sets.get(row).map(|it| it.meta.uid),
        };
        let owned = |uid: u64| self.owned.get(&uid).into_iter().flatten().copied();
        let Some(uid) = uid else { return Vec::new() };
        if kind != "Deployment" {
            return owned(uid).collect();
        }
        let sets = owned(uid).filter_map(|set| store.replica_sets.get(set).map(|it| it.meta.uid));
        sets.flat_map(owned).collect()
    }

    fn tell_autoscaler(&mut self, it: &Row<PodAutoscaler>, warning: bool, reason: &'static str, message: String) {
        let about = About {
            kind: "HorizontalPodAutoscaler",
            namespace: it.meta.namespace.clone(),
            name: it.meta.name.clone(),
            uid: it.meta.uid,
            warning,
            component: "horizontal-pod-autoscaler",
        };
        self.announce(&about, reason, message);
    }
}

/// A kind as an error writes its resource.
fn resource_word(kind: &str) -> String {
    format!("{}s.apps", kind.to_lowercase())
}

/// Sets a condition; `Err`: it does not hold.
fn set(
    status: &mut PodAutoscalerStatus,
    now: Time,
    kind: &'static str,
    reason: &'static str,
    message: Result<&str, &str>,
) {
    let (holds, message) = match message {
        Ok(message) => (true, message),
        Err(message) => (false, message),
    };
    let new = Condition {
        kind,
        holds,
        reason,
        message: message.into(),
        since: now,
    };
    match status.conditions.iter_mut().find(|it| it.kind == kind) {
        Some(old) => {
            let since = if old.holds == holds { old.since } else { now };
            *old = Condition { since, ..new };
        }
        None => status.conditions.push(new),
    }
}
