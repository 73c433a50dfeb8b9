//! HorizontalPodAutoscalers.

use serde_json::{Value, json};

use super::{Object, copy, date, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::autoscaling::{Metric, PodAutoscaler};
use crate::simulation::objects::resources::POD_AUTOSCALERS;
use crate::simulation::objects::table::Row;

impl Project for Row<PodAutoscaler> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(POD_AUTOSCALERS, &self.meta);
        put(&mut all, "spec", copy(&body.spec));
        let status = &body.status;
        let mut written = Object::new();
        put(&mut written, "currentReplicas", status.current);
        put(&mut written, "desiredReplicas", status.desired);
        if let Some(scaled) = status.scaled {
            put(&mut written, "lastScaleTime", date::seconds(scaled));
        }
        let metrics: Vec<Value> = body
            .metrics
            .iter()
            .zip(&status.metrics)
            .filter(|(metric, _)| !matches!(metric, Metric::Unknown(_)))
            .map(|(_, (percent, milli))| {
                let mut current = json!({"averageValue": format!("{milli}m")});
                if let Some(percent) = percent {
                    current["averageUtilization"] = (*percent).into();
                }
                json!({"type": "Resource", "resource": {"name": "cpu", "current": current}})
            })
            .collect();
        put(&mut written, "currentMetrics", metrics);
        let conditions: Vec<Value> = status
            .conditions
            .iter()
            .map(|it| {
                json!({
                    "type": it.kind,
                    "status": if it.holds { "True" } else { "False" },
                    "reason": it.reason,
                    "message": &*it.message,
                    "lastTransitionTime": date::seconds(it.since),
                })
            })
            .collect();
        if !conditions.is_empty() {
            put(&mut written, "conditions", conditions);
        }
        put(&mut all, "status", written);
        all.into()
    }
}
