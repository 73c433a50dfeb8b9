//! HorizontalPodAutoscalers.
//!
//! Source: pkg/apis/autoscaling/v2/defaults.go, pkg/apis/autoscaling/validation/validation.go.

use k8s_openapi::api::autoscaling::v2 as autoscaling;
use serde_json::Value;

use super::causes::Causes;
use super::names::Rule;
use super::workload::written;
use super::{accept, metadata, read};
use crate::model::time::Span;
use crate::simulation::api::ApiError;
use crate::simulation::objects::autoscaling::{
    Behavior, Metric, PodAutoscaler, PodAutoscalerStatus, Policy, Rules, Select,
};
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::quantity;
use crate::simulation::objects::resources::POD_AUTOSCALERS;

/// `DefaultCPUUtilization`. Source: pkg/apis/autoscaling/types.go.
const DEFAULT_UTILIZATION: i32 = 80;
/// `--horizontal-pod-autoscaler-downscale-stabilization`. Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go.
const DOWN_WINDOW: u64 = 300;
/// `--horizontal-pod-autoscaler-tolerance`, in millionths. Source: the same.
pub const TOLERANCE: u64 = 100_000;

/// A HorizontalPodAutoscaler with an empty status.
///
/// # Errors
/// `BadRequest` when it is none, Invalid when a field's value is not allowed.
pub fn pod_autoscaler(object: &Value) -> Result<(Meta, PodAutoscaler), ApiError> {
    let autoscaling::HorizontalPodAutoscaler { metadata, mut spec, .. } = read(POD_AUTOSCALERS, object)?;
    let mut causes = Causes::default();
    let meta = metadata::meta(POD_AUTOSCALERS, &metadata, Rule::Subdomain, &mut causes);
    let min = *spec.min_replicas.get_or_insert(1);
    if min < 1 {
        causes.invalid("spec.minReplicas", min, "must be greater than or equal to 1");
    }
    if spec.max_replicas < 1 {
        causes.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than 0");
    }
    if spec.max_replicas < min {
        causes.invalid(
            "spec.maxReplicas",
            spec.max_replicas,
            "must be greater than or equal to `minReplicas`",
        );
    }
    for (field, value) in [
        ("kind", &spec.scale_target_ref.kind),
        ("name", &spec.scale_target_ref.name),
    ] {
        if value.is_empty() {
            causes.required(format!("spec.scaleTargetRef.{field}"), "");
        }
    }
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
        spec.metrics = Some(vec![default_metric()]);
    }
    let metrics: Vec<Metric> = spec
        .metrics
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, it)| metric(&format!("spec.metrics[{index}]"), it, &mut causes))
        .collect();
    let behavior = spec.behavior.as_ref().map(|it| Behavior {
        up: rules("spec.behavior.scaleUp", it.scale_up.as_ref(), up(), &mut causes),
        down: rules("spec.behavior.scaleDown", it.scale_down.as_ref(), down(), &mut causes),
    });
    let body = PodAutoscaler {
        kind: spec.scale_target_ref.kind.as_str().into(),
        target: spec.scale_target_ref.name.as_str().into(),
        min: u32::try_from(min).unwrap_or(1),
        max: u32::try_from(spec.max_replicas).unwrap_or(1),
        metrics: metrics.into(),
        behavior: behavior.map(Into::into),
        status: PodAutoscalerStatus::default(),
        spec: written(&spec)?,
    };
    accept(POD_AUTOSCALERS, meta, causes, body)
}

fn default_metric() -> autoscaling::MetricSpec {
    autoscaling::MetricSpec {
        type_: "Resource".into(),
        resource: Some(autoscaling::ResourceMetricSource {
            name: "cpu".into(),
            target: autoscaling::MetricTarget {
                type_: "Utilization".into(),
                average_utilization: Some(DEFAULT_UTILIZATION),
                ..autoscaling::MetricTarget::default()
            },
        }),
        ..autoscaling::MetricSpec::default()
    }
}

fn metric(path: &str, written: &autoscaling::MetricSpec, causes: &mut Causes) -> Metric {
    let kinds = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    causes.one_of(format!("{path}.type"), Some(&written.type_), &kinds);
    let Some(resource) = written.resource.as_ref().filter(|_| written.type_ == "Resource") else {
        if written.type_ == "Resource" {
            causes.required(
                format!("{path}.resource"),
                "must populate information for the given metric source",
            );
        }
        return Metric::Unknown(format!("{} metric", written.type_));
    };
    let target = &resource.target;
    let path = format!("{path}.resource.target");
    if resource.name != "cpu" {
        return Metric::Unknown(format!("{} resource", resource.name));
    }
    match (target.average_utilization, &target.average_value) {
        (Some(percent), None) => {
            if percent < 1 {
                causes.invalid(format!("{path}.averageUtilization"), percent, "must be greater than 0");
            }
            Metric::Utilization(u32::try_from(percent).unwrap_or(1).max(1))
        }
        (None, Some(value)) => match quantity::milli(&value.0) {
            Ok(milli) if milli > 0 => Metric::Average(milli),
            _ => {
                causes.invalid(format!("{path}.averageValue"), value.0.as_str(), "must be positive");
                Metric::Average(1)
            }
        },
        (None, None) => {
            causes.required(
                format!("{path}.averageUtilization"),
                "must set either a target raw value or a target utilization",
            );
            Metric::Utilization(1)
        }
        (Some(_), Some(_)) => {
            causes.forbidden(
                format!("{path}.averageValue"),
                "may not set both a target raw value and a target utilization",
            );
            Metric::Utilization(1)
        }
    }
}

/// `defaultHPAScaleUpRules`: the faster of four pods and a doubling in 15 s.
fn up() -> Rules {
    Rules {
        window: Span::ZERO,
        select: Select::Max,
        policies: vec![policy_of(4, false), policy_of(100, true)],
        tolerance: TOLERANCE,
    }
}

/// `defaultHPAScaleDownRules`: all in 15 s, after the stabilization window.
fn down() -> Rules {
    Rules {
        window: Span::secs(DOWN_WINDOW),
        select: Select::Max,
        policies: vec![policy_of(100, true)],
        tolerance: TOLERANCE,
    }
}

const fn policy_of(value: u32, percent: bool) -> Policy {
    Policy {
        percent,
        value,
        period: Span::secs(15),
    }
}

fn rules(path: &str, written: Option<&autoscaling::HPAScalingRules>, default: Rules, causes: &mut Causes) -> Rules {
    let mut rules = default;
    let Some(written) = written else { return rules };
    if let Some(seconds) = written.stabilization_window_seconds {
        if !(0..=3_600).contains(&seconds) {
            causes.invalid(
                format!("{path}.stabilizationWindowSeconds"),
                seconds,
                "must be between 0 and 3600, inclusive",
            );
        }
        rules.window = Span::secs(u64::try_from(seconds).unwrap_or(0));
    }
    match written.select_policy.as_deref() {
        None => {}
        Some("Max") => rules.select = Select::Max,
        Some("Min") => rules.select = Select::Min,
        Some("Disabled") => rules.select = Select::Disabled,
        other => causes.one_of(format!("{path}.selectPolicy"), other, &["Disabled", "Max", "Min"]),
    }
    if let Some(policies) = &written.policies {
        if policies.is_empty() {
            causes.required(format!("{path}.policies"), "must specify at least one Policy");
        }
        rules.policies = policies
            .iter()
            .enumerate()
            .map(|(index, it)| policy(&format!("{path}.policies[{index}]"), it, causes))
            .collect();
    }
    if let Some(tolerance) = &written.tolerance {
        // Thousandths are what quantities are read in; a tolerance is rarely finer.
        match quantity::milli(&tolerance.0) {
            Ok(milli) => rules.tolerance = milli * 1_000,
            Err(why) => causes.invalid(format!("{path}.tolerance"), tolerance.0.as_str(), &why),
        }
    }
    rules
}

fn policy(path: &str, written: &autoscaling::HPAScalingPolicy, causes: &mut Causes) -> Policy {
    causes.one_of(format!("{path}.type"), Some(&written.type_), &["Percent", "Pods"]);
    if written.value <= 0 {
        causes.invalid(format!("{path}.value"), written.value, "must be greater than zero");
    }
    if !(1..=1_800).contains(&written.period_seconds) {
        let why = if written.period_seconds <= 0 {
            "must be greater than zero"
        } else {
            "must be less than or equal to 1800"
        };
        causes.invalid(format!("{path}.periodSeconds"), written.period_seconds, why);
    }
    Policy {
        percent: written.type_ == "Percent",
        value: u32::try_from(written.value).unwrap_or(1),
        period: Span::secs(u64::try_from(written.period_seconds).unwrap_or(1)),
    }
}
