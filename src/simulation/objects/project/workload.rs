//! Deployments, ReplicaSets and DaemonSets.

use std::sync::Arc;

use serde_json::{Value, json};

use super::selector::{selector, template};
use super::{Object, copy, date, metadata, put, put_missing};
use crate::simulation::api::Project;
use crate::simulation::objects::resources::{DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS};
use crate::simulation::objects::table::Row;
use crate::simulation::objects::workload::{DaemonSet, Deployment, Failure, Progress, ReplicaSet, Share, Strategy};

/// The annotation of a ReplicaSet that says which revision of its Deployment it is.
/// Source: `pkg/controller/deployment/util/deployment_util.go` `RevisionAnnotation`.
pub const REVISION: &str = "deployment.kubernetes.io/revision";

impl Project for Row<Deployment> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(DEPLOYMENTS, &self.meta);
        let mut spec = copy(&body.spec);
        put(&mut spec, "replicas", body.replicas);
        put_missing(&mut spec, "selector", || selector(&body.selector));
        put_missing(&mut spec, "template", || template(&body.template));
        put_missing(&mut spec, "strategy", || strategy(body.strategy));
        put(&mut all, "spec", spec);
        put(&mut all, "status", deployment_status(body));
        all.into()
    }
}

fn strategy(strategy: Strategy) -> Value {
    let share = |share| match share {
        Share::Count(count) => Value::from(count),
        Share::Percent(percent) => format!("{percent}%").into(),
    };
    match strategy {
        Strategy::Recreate => json!({"type": "Recreate"}),
        Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } => json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": share(max_surge), "maxUnavailable": share(max_unavailable)},
        }),
    }
}

/// A count that Kubernetes leaves out when it is zero.
fn put_count(object: &mut Object, key: &str, count: u32) {
    if count > 0 {
        put(object, key, count);
    }
}

fn deployment_status(deployment: &Deployment) -> Object {
    let status = &deployment.status;
    let mut all = Object::new();
    if status.observed == 0 {
        return all;
    }
    put(&mut all, "observedGeneration", status.observed);
    put_count(&mut all, "replicas", status.replicas);
    put_count(&mut all, "updatedReplicas", status.updated);
    put_count(&mut all, "readyReplicas", status.ready);
    put_count(&mut all, "availableReplicas", status.available);
    // What is missing counts against the pods that should be, or that are, whichever is more.
    put_count(
        &mut all,
        "unavailableReplicas",
        deployment
            .replicas
            .max(status.replicas)
            .saturating_sub(status.available),
    );
    let may_miss = match deployment.strategy {
        Strategy::RollingUpdate {
            max_surge,
            max_unavailable,
        } => {
            let missing = max_unavailable.of(deployment.replicas, false);
            // Both shares rounding to nothing would stop every rollout (deployment_util.go `ResolveFenceposts`).
            if missing == 0 && max_surge.of(deployment.replicas, true) == 0 {
                1
            } else {
                missing
            }
        }
        Strategy::Recreate => 0,
    };
    let available = status.available >= deployment.replicas.saturating_sub(may_miss);
    let (available, reason, message) = if available {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    let mut conditions = vec![json!({"type": "Available", "status": available, "reason": reason, "message": message})];
    conditions.extend(deployment.progress.as_ref().map(progressing));
    conditions.extend(deployment.failure.as_deref().map(replica_failure));
    put(&mut all, "conditions", conditions);
    all
}

fn progressing(progress: &Progress) -> Value {
    let reason = progress.reason;
    json!({
        "type": "Progressing", "status": reason.status(), "reason": reason.name(), "message": reason.message(&progress.set),
        "lastUpdateTime": date::seconds(progress.updated), "lastTransitionTime": date::seconds(progress.since),
    })
}

/// The condition of a ReplicaSet whose pods are refused, which its Deployment shows, too.
fn replica_failure(failure: &Failure) -> Value {
    json!({
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": &*failure.message,
        "lastTransitionTime": date::seconds(failure.since),
    })
}

impl Project for Row<ReplicaSet> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut meta = self.meta.clone();
        if body.revision > 0 && !meta.annotations.contains_key(REVISION) {
            Arc::make_mut(&mut meta.annotations).insert(REVISION.to_owned(), body.revision.to_string());
        }
        let mut all = metadata::object(REPLICA_SETS, &meta);
        let mut spec = body.spec.as_deref().map(copy).unwrap_or_default();
        put(&mut spec, "replicas", body.replicas);
        put_missing(&mut spec, "selector", || selector(&body.selector));
        put_missing(&mut spec, "template", || template(&body.template));
        if body.min_ready.0 > 0 {
            put_missing(&mut spec, "minReadySeconds", || body.min_ready.0 / 1_000_000);
        }
        put(&mut all, "spec", spec);
        let mut status = Object::new();
        put(&mut status, "replicas", body.status.replicas);
        put_count(&mut status, "fullyLabeledReplicas", body.status.replicas);
        put_count(&mut status, "readyReplicas", body.status.ready);
        put_count(&mut status, "availableReplicas", body.status.available);
        if body.status.observed > 0 {
            put(&mut status, "observedGeneration", body.status.observed);
        }
        if let Some(failure) = &body.failure {
            put(&mut status, "conditions", vec![replica_failure(failure)]);
        }
        put(&mut all, "status", status);
        all.into()
    }
}

impl Project for Row<DaemonSet> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(DAEMON_SETS, &self.meta);
        let mut spec = copy(&body.spec);
        put_missing(&mut spec, "selector", || selector(&body.selector));
        put_missing(&mut spec, "template", || template(&body.template));
        put(&mut all, "spec", spec);
        let counts = &body.status;
        let mut status = Object::new();
        put(&mut status, "currentNumberScheduled", counts.current);
        put(&mut status, "desiredNumberScheduled", counts.desired);
        put(&mut status, "numberMisscheduled", counts.misscheduled);
        put(&mut status, "numberReady", counts.ready);
        put_count(&mut status, "numberAvailable", counts.available);
        put_count(
            &mut status,
            "numberUnavailable",
            counts.desired.saturating_sub(counts.available),
        );
        put_count(&mut status, "updatedNumberScheduled", counts.updated);
        if counts.observed > 0 {
            put(&mut status, "observedGeneration", counts.observed);
        }
        put(&mut all, "status", status);
        all.into()
    }
}
