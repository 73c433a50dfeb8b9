//! How fast an autoscaler may go: recommendations remembered, and scaling of the last seconds counted.
//!
//! Source: pkg/controller/podautoscaler/horizontal.go (`normalizeDesiredReplicas`, `normalizeDesiredReplicasWithBehaviors`,
//! `stabilizeRecommendationWithBehaviors`, `calculateScaleUpLimitWithScalingRules`, `calculateScaleDownLimitWithBehaviors`).

use super::set;
use crate::model::time::{Span, Time};
use crate::simulation::objects::autoscaling::{Behavior, PodAutoscaler, PodAutoscalerStatus, Policy, Rules, Select};

/// `--horizontal-pod-autoscaler-downscale-stabilization`.
const DOWN_WINDOW: Span = Span::secs(300);
/// The longest window or period that a behaviour can have.
const MEMORY: Span = Span::secs(3_600);

/// What an autoscaler has recommended and done.
#[derive(Clone, Debug, Default)]
pub struct Past {
    recommendations: Vec<(Time, u32)>,
    /// Pods added, and when.
    up: Vec<(Time, u32)>,
    /// Pods taken, and when.
    down: Vec<(Time, u32)>,
}

impl Past {
    /// It has scaled.
    pub(super) fn scaled(&mut self, now: Time, before: u32, after: u32) {
        for events in [&mut self.up, &mut self.down] {
            events.retain(|(at, _)| now.since(*at) <= MEMORY);
        }
        if after > before {
            self.up.push((now, after - before));
        } else {
            self.down.push((now, before - after));
        }
    }

    /// What becomes of a wish.
    pub(super) fn normalize(
        &mut self,
        now: Time,
        it: &PodAutoscaler,
        current: u32,
        wanted: u32,
        status: &mut PodAutoscalerStatus,
    ) -> u32 {
        self.recommendations.retain(|(at, _)| now.since(*at) <= MEMORY);
        let (stable, reason, message) = match &it.behavior {
            None => self.stabilize_down(now, wanted),
            Some(behavior) => self.stabilize(now, behavior, current, wanted),
        };
        if stable == wanted {
            set(
                status,
                now,
                "AbleToScale",
                "ReadyForNewScale",
                Ok("recommended size matches current size"),
            );
        } else {
            set(status, now, "AbleToScale", reason, Ok(message));
        }
        let (desired, reason, message) = match &it.behavior {
            None => plain_limits(it, current, stable),
            Some(behavior) => self.limits(now, it, behavior, current, stable),
        };
        let message = if desired == stable { Err(message) } else { Ok(message) };
        set(status, now, "ScalingLimited", reason, message);
        desired
    }

    /// Without a behaviour: the highest recommendation of the last 300 s (`stabilizeRecommendation`).
    fn stabilize_down(&mut self, now: Time, wanted: u32) -> (u32, &'static str, &'static str) {
        let recent = self
            .recommendations
            .iter()
            .filter(|(at, _)| now.since(*at) < DOWN_WINDOW);
        let highest = recent
            .map(|(_, replicas)| *replicas)
            .chain([wanted])
            .max()
            .unwrap_or(wanted);
        self.recommendations.push((now, wanted));
        (
            highest,
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        )
    }

    fn stabilize(
        &mut self,
        now: Time,
        behavior: &Behavior,
        current: u32,
        wanted: u32,
    ) -> (u32, &'static str, &'static str) {
        let within = |window: Span| {
            let recent = self
                .recommendations
                .iter()
                .filter(move |(at, _)| now.since(*at) < window);
            recent.map(|(_, replicas)| *replicas).chain([wanted])
        };
        let up = within(behavior.up.window).min().unwrap_or(wanted);
        let down = within(behavior.down.window).max().unwrap_or(wanted);
        let stable = current.max(up).min(down.max(up.min(down)));
        self.recommendations.push((now, wanted));
        if wanted >= current {
            let why = "recent recommendations were lower than current one, applying the lowest recent recommendation";
            (stable, "ScaleUpStabilized", why)
        } else {
            let why = "recent recommendations were higher than current one, applying the highest recent recommendation";
            (stable, "ScaleDownStabilized", why)
        }
    }

    fn limits(
        &self,
        now: Time,
        it: &PodAutoscaler,
        behavior: &Behavior,
        current: u32,
        wanted: u32,
    ) -> (u32, &'static str, &'static str) {
        if wanted > current {
            let limit = self.most(now, &behavior.up, current).max(current);
            let (most, reason, why) = if limit < it.max {
                (limit, "ScaleUpLimit", TOO_FAST_UP)
            } else {
                (it.max, "TooManyReplicas", TOO_MANY)
            };
            if wanted > most {
                return (most, reason, why);
            }
        } else if wanted < current {
            let limit = self.least(now, &behavior.down, current).min(current);
            let (least, reason, why) = if it.min < limit {
                (limit, "ScaleDownLimit", TOO_FAST_DOWN)
            } else {
                (it.min, "TooFewReplicas", TOO_FEW)
            };
            if wanted < least {
                return (least, reason, why);
            }
        }
        (wanted, "DesiredWithinRange", WITHIN)
    }

    /// The pods that there were when a policy's period began.
    fn at_start(&self, now: Time, policy: Policy, current: u32) -> i64 {
        let sum = |events: &[(Time, u32)]| -> i64 {
            let recent = events.iter().filter(|(at, _)| now.since(*at) < policy.period);
            recent.map(|(_, pods)| i64::from(*pods)).sum()
        };
        i64::from(current) - sum(&self.up) + sum(&self.down)
    }

    fn most(&self, now: Time, rules: &Rules, current: u32) -> u32 {
        let allowed = rules.policies.iter().map(|&policy| {
            let start = self.at_start(now, policy, current);
            let value = i64::from(policy.value);
            if policy.percent {
                // Rounded up, so that a small set grows at all.
                (start * (100 + value) + 99).div_euclid(100)
            } else {
                start + value
            }
        });
        let allowed = match rules.select {
            Select::Disabled => return current,
            Select::Max => allowed.max(),
            Select::Min => allowed.min(),
        };
        u32::try_from(allowed.unwrap_or(i64::from(current)).max(0)).unwrap_or(u32::MAX)
    }

    fn least(&self, now: Time, rules: &Rules, current: u32) -> u32 {
        let allowed = rules.policies.iter().map(|&policy| {
            let start = self.at_start(now, policy, current);
            let value = i64::from(policy.value);
            if policy.percent {
                start * (100 - value) / 100
            } else {
                start - value
            }
        });
        let allowed = match rules.select {
            Select::Disabled => return current,
            Select::Max => allowed.min(),
            Select::Min => allowed.max(),
        };
        u32::try_from(allowed.unwrap_or(i64::from(current)).max(0)).unwrap_or(0)
    }
}

const WITHIN: &str = "the desired count is within the acceptable range";
const TOO_MANY: &str = "the desired replica count is more than the maximum replica count";
const TOO_FEW: &str = "the desired replica count is less than the minimum replica count";
const TOO_FAST_UP: &str = "the desired replica count is increasing faster than the maximum scale rate";
const TOO_FAST_DOWN: &str = "the desired replica count is decreasing faster than the maximum scale rate";

/// Without a behaviour (`convertDesiredReplicasWithRules`): at most a doubling, or four (`scaleUpLimitFactor`,
/// `scaleUpLimitMinimum`).
fn plain_limits(it: &PodAutoscaler, current: u32, wanted: u32) -> (u32, &'static str, &'static str) {
    let limit = (current * 2).max(4);
    let (most, reason, why) = if it.max > limit {
        (limit, "ScaleUpLimit", TOO_FAST_UP)
    } else {
        (it.max, "TooManyReplicas", TOO_MANY)
    };
    if wanted < it.min {
        (it.min, "TooFewReplicas", TOO_FEW)
    } else if wanted > most {
        (most, reason, why)
    } else {
        (wanted, "DesiredWithinRange", WITHIN)
    }
}
