//! StatefulSets and ControllerRevisions.

use serde_json::{Value, json};

use super::selector::template;
use super::{Object, copy, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::resources::{CONTROLLER_REVISIONS, STATEFUL_SETS};
use crate::simulation::objects::stateful_set::{ControllerRevision, StatefulSet};
use crate::simulation::objects::table::Row;

impl Project for Row<StatefulSet> {
    fn project(&self) -> Value {
        let body = &self.body;
        let mut all = metadata::object(STATEFUL_SETS, &self.meta);
        let mut spec = copy(&body.spec);
        put(&mut spec, "replicas", body.replicas);
        put(&mut all, "spec", spec);
        let counts = &body.status;
        let mut status = Object::new();
        put(&mut status, "replicas", counts.replicas);
        put(&mut status, "availableReplicas", counts.available);
        for (field, count) in [
            ("readyReplicas", counts.ready),
            ("currentReplicas", counts.current),
            ("updatedReplicas", counts.updated),
        ] {
            if count > 0 {
                put(&mut status, field, count);
            }
        }
        if counts.observed > 0 {
            put(&mut status, "observedGeneration", counts.observed);
            put(&mut status, "currentRevision", &*counts.current_revision);
            put(&mut status, "updateRevision", &*counts.update_revision);
            put(&mut status, "collisionCount", 0);
        }
        put(&mut all, "status", status);
        all.into()
    }
}

impl Project for Row<ControllerRevision> {
    fn project(&self) -> Value {
        let mut all = metadata::object(CONTROLLER_REVISIONS, &self.meta);
        let mut pods = template(&self.body.template);
        pods["$patch"] = "replace".into();
        put(&mut all, "data", json!({"spec": {"template": pods}}));
        put(&mut all, "revision", self.body.revision);
        all.into()
    }
}
