//! Checks of what pods ask of the scheduler (pkg/apis/core/validation/validation.go `validateTopologySpreadConstraints`,
//! `validateSchedulingGates`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;

use super::causes::Causes;

pub(super) fn check(spec: &core::PodSpec, path: &str, causes: &mut Causes) {
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{index}]");
        check_constraint(constraint, &path, causes);
        let same = |other: &core::TopologySpreadConstraint| {
            other.topology_key == constraint.topology_key && other.when_unsatisfiable == constraint.when_unsatisfiable
        };
        if constraints[index + 1..].iter().any(same) {
            causes.duplicate(
                format!("{path}.{{topologyKey, whenUnsatisfiable}}"),
                format!("{{{}, {}}}", constraint.topology_key, constraint.when_unsatisfiable),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        let path = format!("{path}.schedulingGates[{index}]");
        if let Some(why) = super::names::key_fault(&gate.name) {
            causes.invalid(path.as_str(), gate.name.as_str(), &why);
        }
        if !seen.insert(gate.name.as_str()) {
            causes.duplicate(path, gate.name.as_str());
        }
    }
}

fn check_constraint(constraint: &core::TopologySpreadConstraint, path: &str, causes: &mut Causes) {
    if constraint.max_skew <= 0 {
        causes.invalid(
            format!("{path}.maxSkew"),
            constraint.max_skew,
            "must be greater than zero",
        );
    }
    if constraint.topology_key.is_empty() {
        causes.required(format!("{path}.topologyKey"), "can not be empty");
    }
    causes.one_of(
        format!("{path}.whenUnsatisfiable"),
        Some(&constraint.when_unsatisfiable),
        &["DoNotSchedule", "ScheduleAnyway"],
    );
    if let Some(domains) = constraint.min_domains {
        let path = format!("{path}.minDomains");
        if domains <= 0 {
            causes.invalid(path.as_str(), domains, "must be greater than zero");
        }
        if constraint.when_unsatisfiable != "DoNotSchedule" {
            causes.invalid(
                path,
                domains,
                &format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                    constraint.when_unsatisfiable
                ),
            );
        }
    }
    for (field, policy) in [
        ("nodeAffinityPolicy", &constraint.node_affinity_policy),
        ("nodeTaintsPolicy", &constraint.node_taints_policy),
    ] {
        causes.one_of(format!("{path}.{field}"), policy.as_deref(), &["Honor", "Ignore"]);
    }
    if constraint.label_selector.is_none() && constraint.match_label_keys.iter().flatten().next().is_some() {
        causes.forbidden(
            format!("{path}.matchLabelKeys"),
            "must not be specified when labelSelector is not set",
        );
    }
}
