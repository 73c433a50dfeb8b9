//! PodDisruptionBudgets.
//!
//! Source: pkg/apis/policy/validation/validation.go `ValidatePodDisruptionBudgetSpec`.

use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::causes::Causes;
use super::names::Rule;
use super::workload::{share, written};
use super::{accept, metadata, read};
use crate::simulation::api::ApiError;
use crate::simulation::objects::budget::{Bound, Budget, BudgetStatus, Unhealthy};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::resources::DISRUPTION_BUDGETS;
use crate::simulation::objects::selector::Selector;
use crate::simulation::objects::workload::Share;

/// A PodDisruptionBudget with an empty status.
///
/// # Errors
/// `BadRequest` when it is no PodDisruptionBudget, Invalid when a field's value is not allowed.
pub fn budget(object: &Value) -> Result<(Meta, Budget), ApiError> {
    let policy::PodDisruptionBudget {
        metadata: written_meta,
        spec,
        ..
    } = read(DISRUPTION_BUDGETS, object)?;
    let spec = spec.unwrap_or_default();
    let mut causes = Causes::default();
    let meta = metadata::meta(DISRUPTION_BUDGETS, &written_meta, Rule::Subdomain, &mut causes);
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        causes.invalid(
            "spec",
            json!(spec),
            "minAvailable and maxUnavailable cannot be both set",
        );
    }
    let bound = match (&spec.min_available, &spec.max_unavailable) {
        (Some(least), _) => Bound::MinAvailable(bounded("spec.minAvailable", least, &mut causes)),
        (None, Some(most)) => Bound::MaxUnavailable(bounded("spec.maxUnavailable", most, &mut causes)),
        (None, None) => Bound::Nothing,
    };
    let selector = spec.selector.as_ref().and_then(|selector| {
        Selector::new(selector)
            .map_err(|why| causes.invalid("spec.selector", json!(selector), &why))
            .ok()
    });
    let unhealthy = match spec.unhealthy_pod_eviction_policy.as_deref() {
        Some("AlwaysAllow") => Unhealthy::AlwaysAllow,
        other => {
            causes.one_of(
                "spec.unhealthyPodEvictionPolicy",
                other,
                &["AlwaysAllow", "IfHealthyBudget"],
            );
            Unhealthy::IfHealthyBudget
        }
    };
    let body = Budget {
        spec: written(&spec)?,
        selector,
        bound,
        unhealthy,
        status: BudgetStatus::default(),
    };
    accept(DISRUPTION_BUDGETS, meta, causes, body)
}

fn bounded(path: &str, value: &IntOrString, causes: &mut Causes) -> Share {
    let share = share(path, Some(value), causes);
    if let Share::Percent(101..) = share {
        causes.invalid(path, json!(value), "must not be greater than 100%");
    }
    share
}
