//! PodDisruptionBudgets.

use serde_json::{Value, json};

use super::{Object, copy, date, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::budget::{Budget, BudgetStatus};
use crate::simulation::objects::resources::DISRUPTION_BUDGETS;
use crate::simulation::objects::table::Row;

impl Project for Row<Budget> {
    fn project(&self) -> Value {
        let mut all = metadata::object(DISRUPTION_BUDGETS, &self.meta);
        put(&mut all, "spec", copy(&self.body.spec));
        put(&mut all, "status", status(&self.body.status));
        all.into()
    }
}

fn status(status: &BudgetStatus) -> Value {
    let mut all = Object::new();
    if let Some(condition) = &status.condition {
        put(
            &mut all,
            "conditions",
            json!([{
                "type": "DisruptionAllowed",
                "status": if condition.holds { "True" } else { "False" },
                "reason": condition.reason,
                "message": &*condition.message,
                "lastTransitionTime": date::seconds(condition.since),
                "observedGeneration": condition.observed,
            }]),
        );
    }
    put(&mut all, "currentHealthy", status.healthy);
    put(&mut all, "desiredHealthy", status.desired);
    put(&mut all, "disruptionsAllowed", status.allowed);
    put(&mut all, "expectedPods", status.expected);
    if !status.disrupted.is_empty() {
        let pods: Object = status
            .disrupted
            .iter()
            .map(|(name, since)| (name.to_string(), date::seconds(*since).into()))
            .collect();
        put(&mut all, "disruptedPods", pods);
    }
    if status.observed > 0 {
        put(&mut all, "observedGeneration", status.observed);
    }
    all.into()
}
