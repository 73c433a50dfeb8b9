//! Jobs.

use serde_json::{Value, json};

use super::{Object, copy, date, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::job::{Job, ranges};
use crate::simulation::objects::resources::JOBS;
use crate::simulation::objects::table::Row;

impl Project for Row<Job> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(JOBS, &self.meta);
        put(&mut all, "spec", copy(&body.spec));
        put(&mut all, "status", status(body));
        all.into()
    }
}

fn status(job: &Job) -> Object {
    let status = &job.status;
    let mut all = Object::new();
    for (key, count) in [
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
    ] {
        if count > 0 {
            put(&mut all, key, count);
        }
    }
    put(&mut all, "ready", status.ready);
    put(&mut all, "terminating", status.terminating);
    put(&mut all, "uncountedTerminatedPods", Object::new());
    if let Some(started) = status.started {
        put(&mut all, "startTime", date::seconds(started));
    }
    if let Some(completed) = status.completed {
        put(&mut all, "completionTime", date::seconds(completed));
    }
    if !status.indices.is_empty() {
        put(&mut all, "completedIndexes", ranges(&status.indices));
    }
    let conditions: Vec<Value> = status
        .conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.kind,
                "status": if condition.holds { "True" } else { "False" },
                "reason": condition.reason,
                "message": condition.message,
                "lastProbeTime": date::seconds(condition.since),
                "lastTransitionTime": date::seconds(condition.since),
            })
        })
        .collect();
    if !conditions.is_empty() {
        put(&mut all, "conditions", conditions);
    }
    all
}
