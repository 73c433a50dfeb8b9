//! Namespaces, events, and what is stored as written.

use serde_json::{Value, json};

use super::{copy, date, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::resources::{EVENTS, NAMESPACES, RESOURCES};
use crate::simulation::objects::store::Namespace;
use crate::simulation::objects::stored::{Event, Stored};
use crate::simulation::objects::table::Row;

impl Project for Row<Namespace> {
    fn project(&self) -> Value {
        let mut all = metadata::object(NAMESPACES, &self.meta);
        let phase = if self.meta.deletion.is_some() {
            "Terminating"
        } else {
            "Active"
        };
        put(&mut all, "spec", json!({"finalizers": ["kubernetes"]}));
        put(&mut all, "status", json!({"phase": phase}));
        all.into()
    }
}

impl Project for Row<Event> {
    fn project(&self) -> Value {
        let event = &self.body;
        let mut all = metadata::object(EVENTS, &self.meta);
        let version = RESOURCES
            .iter()
            .find(|resource| resource.kind == event.kind)
            .map(|resource| resource.api_version());
        let mut object = json!({"kind": event.kind, "name": &*event.name});
        if let Some(version) = version {
            object["apiVersion"] = version.into();
        }
        if !event.namespace.is_empty() {
            object["namespace"] = (*event.namespace).into();
        }
        if event.uid > 0 {
            object["uid"] = uid_text(event.uid).into();
        }
        put(&mut all, "involvedObject", object);
        put(&mut all, "type", if event.warning { "Warning" } else { "Normal" });
        put(&mut all, "reason", event.reason);
        put(&mut all, "message", &*event.message);
        put(&mut all, "source", json!({"component": event.component}));
        put(&mut all, "reportingComponent", event.component);
        put(&mut all, "reportingInstance", "");
        put(&mut all, "count", event.count);
        put(&mut all, "firstTimestamp", date::seconds(event.first));
        put(&mut all, "lastTimestamp", date::seconds(event.last));
        all.into()
    }
}

impl Project for Row<Stored> {
    fn project(&self) -> Value {
        let mut all = copy(&self.body.rest);
        all.append(&mut metadata::object(&self.body.resource, &self.meta));
        all.into()
    }
}
