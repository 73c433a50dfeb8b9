//! StatefulSets.
//!
//! Source: pkg/apis/apps/v1/defaults.go (`SetDefaults_StatefulSet`), pkg/apis/apps/validation/validation.go
//! (`ValidateStatefulSetSpec`, `ValidateStatefulSetUpdate`).

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::causes::Causes;
use super::names::Rule;
use super::workload::{count, seconds, template_with, written};
use super::{accept, defaults, metadata, read, storage};
use crate::simulation::api::ApiError;
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::STATEFUL_SETS;
use crate::simulation::objects::stateful_set::{
    ClaimTemplate, Management, Retention, StatefulSet, StatefulSetStatus, Update,
};
use crate::simulation::objects::table::Row;

/// A StatefulSet with an empty status.
///
/// # Errors
/// `BadRequest` when it is no StatefulSet, Invalid when a field's value is not allowed.
pub fn stateful_set(object: &Value) -> Result<(Meta, StatefulSet), ApiError> {
    let apps::StatefulSet { metadata, mut spec, .. } = read(STATEFUL_SETS, object)?;
    fill(&mut spec);
    let mut causes = Causes::default();
    let meta = metadata::meta(STATEFUL_SETS, &metadata, Rule::Label, &mut causes);
    let replicas = count("spec.replicas", spec.replicas, &mut causes);
    let min_ready = seconds(spec.min_ready_seconds, &mut causes);
    let management = match spec.pod_management_policy.as_deref() {
        Some("Parallel") => Management::Parallel,
        other => {
            let words = ["OrderedReady", "Parallel"];
            causes.one_of("spec.podManagementPolicy", other, &words);
            Management::OrderedReady
        }
    };
    let update = update(&spec, &mut causes);
    let policy = spec
        .persistent_volume_claim_retention_policy
        .clone()
        .unwrap_or_default();
    let path = "spec.persistentVolumeClaimRetentionPolicy";
    let when_deleted = retention(
        &format!("{path}.whenDeleted"),
        policy.when_deleted.as_deref(),
        &mut causes,
    );
    let when_scaled = retention(
        &format!("{path}.whenScaled"),
        policy.when_scaled.as_deref(),
        &mut causes,
    );
    let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
    let start = count("spec.ordinals.start", start, &mut causes);
    let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    let selector = metadata::own_selector("statefulset", &spec.selector, labels, &mut causes);
    let mut claims = Vec::new();
    for (index, claim) in spec.volume_claim_templates.iter_mut().flatten().enumerate() {
        let path = format!("spec.volumeClaimTemplates[{index}]");
        storage::claim_spec(&format!("{path}.spec"), claim.spec.get_or_insert_default(), &mut causes);
        let name = claim.metadata.name.clone().unwrap_or_default();
        if name.is_empty() {
            causes.required(format!("{path}.metadata.name"), "name or generateName is required");
        }
        let object = json!({
            "metadata": {"labels": claim.metadata.labels, "annotations": claim.metadata.annotations},
            "spec": claim.spec,
        });
        claims.push(ClaimTemplate {
            name,
            object: Arc::new(object),
        });
    }
    let mounted: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
    let template = template_with(STATEFUL_SETS, &meta, &spec.template, &mounted, &mut causes)?;
    let body = StatefulSet {
        spec: written(&spec)?,
        replicas,
        start,
        selector,
        template: template.into(),
        service: spec.service_name.as_deref().unwrap_or("").into(),
        management,
        update,
        min_ready,
        claims: claims.into(),
        when_deleted,
        when_scaled,
        history: count("spec.revisionHistoryLimit", spec.revision_history_limit, &mut causes),
        status: StatefulSetStatus::default(),
    };
    accept(STATEFUL_SETS, meta, causes, body)
}

fn fill(spec: &mut apps::StatefulSetSpec) {
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    spec.pod_management_policy.get_or_insert_with(|| "OrderedReady".into());
    let strategy = spec.update_strategy.get_or_insert_default();
    let kind = strategy.type_.get_or_insert_with(|| "RollingUpdate".into());
    if kind == "RollingUpdate" {
        strategy
            .rolling_update
            .get_or_insert_default()
            .partition
            .get_or_insert(0);
    }
    let policy = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    for field in [&mut policy.when_deleted, &mut policy.when_scaled] {
        field.get_or_insert_with(|| "Retain".into());
    }
    defaults::pod(spec.template.spec.get_or_insert_default());
}

fn update(spec: &apps::StatefulSetSpec, causes: &mut Causes) -> Update {
    let strategy = spec.update_strategy.clone().unwrap_or_default();
    match strategy.type_.as_deref() {
        Some("OnDelete") => {
            if let Some(rolling) = &strategy.rolling_update {
                causes.invalid(
                    "spec.updateStrategy.rollingUpdate",
                    json!(rolling),
                    "only allowed for updateStrategy 'RollingUpdate'",
                );
            }
            Update::OnDelete
        }
        Some("RollingUpdate") => {
            let rolling = strategy.rolling_update.unwrap_or_default();
            // The feature MaxUnavailableStatefulSet is off (pkg/features/kube_features.go, 1.35: beta, off): it is always one.
            if let Some(IntOrString::Int(0)) = rolling.max_unavailable {
                causes.invalid("spec.updateStrategy.rollingUpdate.maxUnavailable", 0, "cannot be 0");
            }
            Update::Rolling {
                partition: count("spec.updateStrategy.rollingUpdate.partition", rolling.partition, causes),
            }
        }
        other => {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            causes.invalid("spec.updateStrategy", other.unwrap_or(""), why);
            Update::OnDelete
        }
    }
}

fn retention(path: &str, word: Option<&str>, causes: &mut Causes) -> Retention {
    match word {
        Some("Delete") => Retention::Delete,
        other => {
            causes.one_of(path, other, &["Retain", "Delete"]);
            Retention::Retain
        }
    }
}

/// What of a StatefulSet may change (`ValidateStatefulSetUpdate`).
///
/// # Errors
/// Invalid.
pub fn check_update_stateful_set(old: &Row<StatefulSet>, new: &StatefulSet) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    let rest = |spec: &Value| {
        let mut spec = spec.clone();
        for field in [
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    if rest(&old.body.spec) != rest(&new.spec) {
        causes.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
    causes.check(STATEFUL_SETS, &old.meta)
}
