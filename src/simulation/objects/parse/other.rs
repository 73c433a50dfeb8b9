//! Namespaces, nodes, leases, events, and the kinds that are kept as written.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::causes::Causes;
use super::names::Rule;
use super::{accept, metadata, read};
use crate::simulation::api::{ApiError, Served};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::node::Lease;
use crate::simulation::objects::project::date;
use crate::simulation::objects::resources::{self, FIRST_STORED, LEASES, NAMESPACES, NODES};
use crate::simulation::objects::service::EndpointSlice;
use crate::simulation::objects::store::Namespace;
use crate::simulation::objects::stored::{Event, Stored};
use crate::simulation::objects::template::{Effect, Taint};

/// The label that every namespace has: its name. Source: pkg/apis/core/v1/defaults.go `SetDefaults_Namespace`.
const NAME: &str = "kubernetes.io/metadata.name";

/// A Namespace.
///
/// # Errors
/// `BadRequest` when it is no Namespace, Invalid when a field's value is not allowed.
pub fn namespace(object: &Value) -> Result<(Meta, Namespace), ApiError> {
    let written: core::Namespace = read(NAMESPACES, object)?;
    let mut causes = Causes::default();
    let mut meta = metadata::meta(NAMESPACES, &written.metadata, Rule::Label, &mut causes);
    if !meta.name.is_empty() {
        let name = meta.name.to_string();
        Arc::make_mut(&mut meta.labels).insert(NAME.to_owned(), name);
    }
    accept(NAMESPACES, meta, causes, Namespace)
}

/// An update of a Node, as far as a user may write it: metadata, taints, and whether it is unschedulable (cordoned).
///
/// # Errors
/// `BadRequest` when it is no Node, Invalid when a field's value is not allowed.
pub fn node(object: &Value) -> Result<(Meta, Vec<Taint>, bool), ApiError> {
    let written: core::Node = read(NODES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(NODES, &written.metadata, Rule::Subdomain, &mut causes);
    let spec = written.spec.unwrap_or_default();
    let mut taints: Vec<Taint> = Vec::new();
    for (index, taint) in spec.taints.iter().flatten().enumerate() {
        let path = format!("spec.taints[{index}]");
        if let Some(why) = super::names::key_fault(&taint.key) {
            causes.invalid(format!("{path}.key"), taint.key.as_str(), &why);
        }
        let Ok(effect) = Effect::parse(&taint.effect) else {
            causes.one_of(
                format!("{path}.effect"),
                Some(&taint.effect),
                &["NoSchedule", "PreferNoSchedule", "NoExecute"],
            );
            continue;
        };
        if taints
            .iter()
            .any(|other| other.key == taint.key && other.effect == effect)
        {
            causes.duplicate(path, format!("{}:{}", taint.key, effect.name()));
            continue;
        }
        taints.push(Taint {
            key: taint.key.clone(),
            value: taint.value.clone().unwrap_or_default(),
            effect,
        });
    }
    causes.check(NODES, &meta)?;
    Ok((meta, taints, spec.unschedulable.unwrap_or(false)))
}

/// A Lease. Of its times, the one of renewal is kept.
///
/// # Errors
/// `BadRequest` when it is no Lease, Invalid when a field's value is not allowed.
pub fn lease(object: &Value) -> Result<(Meta, Lease), ApiError> {
    let written: coordination::Lease = read(LEASES, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(LEASES, &written.metadata, Rule::Subdomain, &mut causes);
    let spec = written.spec.unwrap_or_default();
    if let Some(seconds) = spec.lease_duration_seconds.filter(|&seconds| seconds <= 0) {
        causes.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    let lease = Lease {
        holder: spec.holder_identity.unwrap_or_default().into(),
        seconds: u32::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0),
        renewed: spec
            .renew_time
            .map(|time| date::from_unix(time.0.as_microsecond()))
            .unwrap_or_default(),
    };
    accept(LEASES, meta, causes, lease)
}

/// Events are written by the simulated components only.
///
/// # Errors
/// Always Forbidden.
pub fn event(object: &Value) -> Result<(Meta, Event), ApiError> {
    Err(only_the_cluster("events", object))
}

/// EndpointSlices are written by the EndpointSlice controller only.
///
/// # Errors
/// Always Forbidden.
pub fn endpoint_slice(object: &Value) -> Result<(Meta, EndpointSlice), ApiError> {
    Err(only_the_cluster("endpointslices.discovery.k8s.io", object))
}

fn only_the_cluster(plural: &str, object: &Value) -> ApiError {
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    ApiError::Forbidden(format!(
        "{plural} \"{name}\" is forbidden: in the simulated cluster only its own controllers write {plural}"
    ))
}

/// An object of a kind that is kept as written.
///
/// # Errors
/// `BadRequest` when it is no object of this kind, Invalid when its metadata is not allowed.
pub fn stored(kind: &Served, object: &Value) -> Result<(Meta, Stored), ApiError> {
    if !kind.custom && resources::index(kind).is_none_or(|index| index < FIRST_STORED) {
        return Err(ApiError::BadRequest(format!(
            "{} are not among the objects that are kept as written",
            kind.plural
        )));
    }
    // The metadata is all that is read, but a wrong kind or version is refused as for the others.
    let metadata: Metadata = read(kind, object)?;
    let rule = match &*kind.group {
        "rbac.authorization.k8s.io" => Rule::Segment,
        _ => Rule::Subdomain,
    };
    let mut causes = Causes::default();
    let meta = metadata::meta(kind, &metadata.metadata, rule, &mut causes);
    let mut rest = object.as_object().cloned().unwrap_or_default();
    for key in ["apiVersion", "kind", "metadata"] {
        rest.remove(key);
    }
    accept(
        kind,
        meta,
        causes,
        Stored {
            rest: Arc::new(rest.into()),
            resource: kind.clone(),
        },
    )
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(default)]
    metadata: ObjectMeta,
}
