//! PersistentVolumeClaims, PersistentVolumes and StorageClasses.
//!
//! Source: pkg/apis/core/validation/validation.go (`ValidatePersistentVolumeClaimSpec`, `ValidatePersistentVolumeSpec`),
//! pkg/apis/storage/validation/validation.go.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use serde_json::Value;

use super::causes::Causes;
use super::names::Rule;
use super::{accept, metadata, read};
use crate::simulation::api::{ApiError, Labels};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::quantity;
use crate::simulation::objects::resources::{CLAIMS, STORAGE_CLASSES, VOLUMES};
use crate::simulation::objects::selector::{Requirement, Selector, Test};
use crate::simulation::objects::storage::{
    Binding, Claim, ClaimPhase, Modes, Reclaim, StorageClass, Volume, VolumePhase,
};
use crate::simulation::objects::table::Row;

/// The finalizer of a claim. Source: pkg/volume/util/finalizer.go `PVCProtectionFinalizer`.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// The finalizer of a volume. Source: the same, `PVProtectionFinalizer`.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
/// The annotation of a claim whose pod has a node. Source: k8s.io/component-helpers storage/volume/helpers.go `AnnSelectedNode`.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The annotation of the default class. Source: pkg/volume/util `IsDefaultStorageClassAnnotation`.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

fn size(path: &str, quantity: Option<&str>, causes: &mut Causes) -> u64 {
    let Some(text) = quantity else {
        causes.required(path, "");
        return 0;
    };
    match quantity::units(text) {
        Ok(0) => {
            causes.invalid(path, text, "must be greater than zero");
            0
        }
        Ok(bytes) => bytes,
        Err(why) => {
            causes.invalid(path, text, &why);
            0
        }
    }
}

fn modes(path: &str, words: Option<&Vec<String>>, causes: &mut Causes) -> Modes {
    let mut all = Modes::default();
    for word in words.into_iter().flatten() {
        if !all.add(word) {
            causes.one_of(path, Some(word), &Modes::NAMES);
        }
    }
    if words.is_none_or(Vec::is_empty) {
        causes.required(path, "at least 1 access mode is required");
    } else if all.one_pod() && all.words().len() > 1 {
        causes.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
    all
}

/// A specification of a claim, or of a template of one.
pub(super) fn claim_spec(path: &str, spec: &mut core::PersistentVolumeClaimSpec, causes: &mut Causes) -> Modes {
    let modes = modes(&format!("{path}.accessModes"), spec.access_modes.as_ref(), causes);
    let wanted = spec.resources.as_ref().and_then(|all| all.requests.as_ref());
    let wanted = wanted
        .and_then(|all| all.get("storage"))
        .map(|quantity| quantity.0.as_str());
    size(&format!("{path}.resources[storage]"), wanted, causes);
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    causes.one_of(
        format!("{path}.volumeMode"),
        spec.volume_mode.as_deref(),
        &["Block", "Filesystem"],
    );
    modes
}

/// A claim, not yet bound.
///
/// # Errors
/// `BadRequest` when it is no PersistentVolumeClaim, Invalid when a field's value is not allowed.
pub fn claim(object: &Value) -> Result<(Meta, Claim), ApiError> {
    let written: core::PersistentVolumeClaim = read(CLAIMS, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(CLAIMS, &written.metadata, Rule::Subdomain, &mut causes);
    let mut spec = written.spec.unwrap_or_default();
    let modes = claim_spec("spec", &mut spec, &mut causes);
    let selector = spec
        .selector
        .as_ref()
        .map(|selector| metadata::selector("spec.selector", selector, &mut causes));
    let body = Claim {
        modes,
        size: requested(&spec),
        class: spec.storage_class_name.as_deref().map(Into::into),
        selector,
        volume: spec
            .volume_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(Into::into),
        phase: ClaimPhase::Pending,
        capacity: 0,
        selected: meta.annotations.get(SELECTED_NODE).map(|node| node.as_str().into()),
        spec: super::workload::written(&spec)?,
    };
    accept(CLAIMS, meta, causes, body)
}

fn requested(spec: &core::PersistentVolumeClaimSpec) -> u64 {
    let wanted = spec.resources.as_ref().and_then(|all| all.requests.as_ref());
    let wanted = wanted.and_then(|all| all.get("storage"));
    wanted
        .and_then(|quantity| quantity::units(&quantity.0).ok())
        .unwrap_or(0)
}

/// A claim's specification stays, but for a larger request
/// (`ValidatePersistentVolumeClaimUpdate`; growing a volume is not modelled).
///
/// # Errors
/// Invalid.
pub fn check_update_claim(old: &Row<Claim>, new: &Claim) -> Result<(), ApiError> {
    let mut causes = Causes::default();
    let rest = |spec: &Value| {
        let mut spec = spec.clone();
        for field in [
            "resources",
            "volumeName",
            "storageClassName",
            "volumeAttributesClassName",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    let class = |claim: &Claim| claim.class.clone();
    let (before, after) = (&old.body, new);
    let renamed = before.volume.is_some() && after.volume.is_some() && before.volume != after.volume;
    let moved = class(before).is_some() && class(after).is_some() && class(before) != class(after);
    if rest(&before.spec) != rest(&after.spec) || renamed || moved {
        causes.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    } else if after.size < before.size {
        causes.forbidden(
            "spec.resources.requests.storage",
            "field can not be less than status.capacity",
        );
    }
    causes.check(CLAIMS, &old.meta)
}

/// A volume, not yet bound.
///
/// # Errors
/// `BadRequest` when it is no PersistentVolume, Invalid when a field's value is not allowed.
pub fn volume(object: &Value) -> Result<(Meta, Volume), ApiError> {
    let written: core::PersistentVolume = read(VOLUMES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(VOLUMES, &written.metadata, Rule::Subdomain, &mut causes);
    let mut spec = written.spec.unwrap_or_default();
    let modes = modes("spec.accessModes", spec.access_modes.as_ref(), &mut causes);
    let capacity = spec.capacity.as_ref().and_then(|all| all.get("storage"));
    let capacity = size(
        "spec.capacity[storage]",
        capacity.map(|quantity| quantity.0.as_str()),
        &mut causes,
    );
    let reclaim = match spec
        .persistent_volume_reclaim_policy
        .get_or_insert_with(|| "Retain".into())
        .as_str()
    {
        "Delete" => Reclaim::Delete,
        "Recycle" | "Retain" => Reclaim::Retain,
        other => {
            let words = ["Delete", "Recycle", "Retain"];
            causes.one_of("spec.persistentVolumeReclaimPolicy", Some(other), &words);
            Reclaim::Retain
        }
    };
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    let terms = spec
        .node_affinity
        .as_ref()
        .and_then(|affinity| affinity.required.as_ref());
    let terms = terms.map(|required| terms_of(required, &mut causes));
    let claim = spec.claim_ref.as_ref().map(|claim| {
        let text = |field: &Option<String>| Arc::from(field.as_deref().unwrap_or(""));
        (text(&claim.namespace), text(&claim.name), None)
    });
    let body = Volume {
        modes,
        capacity,
        class: spec.storage_class_name.as_deref().unwrap_or("").into(),
        reclaim,
        claim,
        terms,
        // Those that a controller attaches: CSI drivers' and what is migrated to them.
        attachable: spec.csi.is_some()
            || spec.aws_elastic_block_store.is_some()
            || spec.gce_persistent_disk.is_some()
            || spec.azure_disk.is_some()
            || spec.cinder.is_some(),
        phase: VolumePhase::Available,
        spec: super::workload::written(&spec)?,
    };
    accept(VOLUMES, meta, causes, body)
}

fn terms_of(required: &core::NodeSelector, causes: &mut Causes) -> Vec<Vec<Requirement>> {
    let mut all = Vec::new();
    for (index, term) in required.node_selector_terms.iter().enumerate() {
        let mut requirements = Vec::new();
        for expression in term.match_expressions.iter().flatten() {
            let values = expression.values.clone().unwrap_or_default();
            match Requirement::new(&expression.key, &expression.operator, &values) {
                Ok(requirement) => requirements.push(requirement),
                Err(why) => causes.add(format!("spec.nodeAffinity.required.nodeSelectorTerms[{index}]"), why),
            }
        }
        all.push(requirements);
    }
    all
}

/// A class.
///
/// # Errors
/// `BadRequest` when it is no StorageClass, Invalid when a field's value is not allowed.
pub fn storage_class(object: &Value) -> Result<(Meta, StorageClass), ApiError> {
    let written: storage::StorageClass = read(STORAGE_CLASSES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(STORAGE_CLASSES, &written.metadata, Rule::Subdomain, &mut causes);
    if written.provisioner.is_empty() {
        causes.required("provisioner", "");
    }
    let reclaim = match written.reclaim_policy.as_deref() {
        None | Some("Delete") => Reclaim::Delete,
        Some("Retain") => Reclaim::Retain,
        other => {
            causes.one_of("reclaimPolicy", other, &["Delete", "Retain"]);
            Reclaim::Delete
        }
    };
    let binding = match written.volume_binding_mode.as_deref() {
        None | Some("Immediate") => Binding::Immediate,
        Some("WaitForFirstConsumer") => Binding::FirstConsumer,
        other => {
            causes.one_of("volumeBindingMode", other, &["Immediate", "WaitForFirstConsumer"]);
            Binding::Immediate
        }
    };
    let topologies = written.allowed_topologies.as_ref().filter(|all| !all.is_empty());
    let topologies = topologies.map(|all| {
        let terms = all.iter().map(|term| {
            let labels = term.match_label_expressions.iter().flatten();
            labels
                .map(|label| Requirement {
                    key: label.key.clone(),
                    test: Test::In(label.values.clone()),
                })
                .collect()
        });
        terms.collect()
    });
    let mut rest = object.as_object().cloned().unwrap_or_default();
    for key in ["apiVersion", "kind", "metadata"] {
        rest.remove(key);
    }
    rest.entry("reclaimPolicy").or_insert_with(|| reclaim.name().into());
    rest.entry("volumeBindingMode").or_insert_with(|| "Immediate".into());
    let body = StorageClass {
        rest: Arc::new(rest.into()),
        provisioner: written.provisioner.as_str().into(),
        binding,
        reclaim,
        topologies,
    };
    accept(STORAGE_CLASSES, meta, causes, body)
}

/// Whether a volume's labels suit a claim.
#[must_use]
pub fn suits(selector: Option<&Selector>, labels: &Labels) -> bool {
    selector.is_none_or(|selector| selector.matches(labels))
}
