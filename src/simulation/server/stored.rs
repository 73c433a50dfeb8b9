//! Objects that are kept as written: the kinds without a model, definitions of custom kinds, and the custom objects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::tables::take_meta;
use crate::model::history::What;
use crate::simulation::api::{ApiError, DeleteOptions, Project, Served};
use crate::simulation::objects::parse;
use crate::simulation::objects::project::date;
use crate::simulation::objects::resources::DEFINITIONS;
use crate::simulation::objects::table::Table;
use crate::simulation::server::tables::Place;
use crate::simulation::world::World;

impl World {
    /// Keeps a new object. Its status is its controller's to write
    /// (`PrepareForCreate` of the strategies in `pkg/registry`).
    pub(super) fn insert_stored(&mut self, resource: &Served, object: &Value) -> Result<(), ApiError> {
        let (meta, mut body) = parse::stored(resource, object)?;
        let is_definition = **resource == **DEFINITIONS;
        if is_definition {
            parse::check_definition(object)?;
        }
        if resource.status {
            with_status(&mut body.rest, None);
        }
        let meta = self.stamped(meta);
        let index = self.store.index(resource);
        let row = self.store.stored[index].insert(&mut self.store.versions, meta, body);
        if is_definition {
            self.define(row);
        }
        Ok(())
    }

    /// Keeps what an object has become, and the status that it had.
    pub(super) fn update_stored(
        &mut self,
        resource: &Served,
        space: &str,
        name: &str,
        object: &Value,
    ) -> Result<(), ApiError> {
        let (meta, mut body) = parse::stored(resource, object)?;
        let is_definition = **resource == **DEFINITIONS;
        if is_definition {
            parse::check_definition(object)?;
        }
        let index = self.store.index(resource);
        let table = &mut self.store.stored[index];
        let Some(row) = table.find(space, name) else {
            return Ok(());
        };
        table.update(&mut self.store.versions, row, |it| {
            take_meta(&mut it.meta, &meta);
            if resource.status {
                with_status(&mut body.rest, it.body.rest.get("status").cloned());
            }
            // Counts changes of what is wanted (pkg/registry: `PrepareForUpdate` of the strategies).
            it.meta.generation += u64::from(it.body.rest != body.rest);
            it.body = body;
        });
        if is_definition {
            self.define(row);
        }
        Ok(())
    }

    /// Keeps a status that is written, where no controller of the simulation owns it.
    pub(super) fn update_stored_status(&mut self, resource: &Served, space: &str, name: &str, object: &Value) {
        let index = self.store.index(resource);
        let table: &mut Table<_> = &mut self.store.stored[index];
        if let Some(row) = table.find(space, name) {
            table.update(&mut self.store.versions, row, |it| {
                with_status(&mut it.body.rest, object.get("status").cloned());
            });
        }
    }

    /// Serves the kind that a definition makes, and says so in its status
    /// (apiextensions-apiserver pkg/controller/status/naming_controller.go, pkg/controller/establish).
    fn define(&mut self, row: u32) {
        let index = self.store.index(DEFINITIONS);
        let Some(definition) = self.store.stored[index].get(row) else {
            return;
        };
        let mut whole = Value::clone(&definition.body.rest);
        if definition.meta.deletion.is_some() {
            return;
        }
        let next = self.store.stored.len();
        if self.store.customs.define(&whole, next) == next {
            self.store.stored.push(Table::default());
        }
        let since = date::seconds(self.now);
        let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": since, "reason": reason, "message": message});
        let storage: Vec<Value> = whole["spec"]["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|version| version["storage"] == true)
            .map(|version| version["name"].clone())
            .collect();
        let conditions = match &whole["status"]["conditions"] {
            Value::Array(known) if !known.is_empty() => Value::Array(known.clone()),
            _ => json!([
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition(
                    "Established",
                    "InitialNamesAccepted",
                    "the initial names have been accepted"
                ),
            ]),
        };
        let status = json!({
            "acceptedNames": whole["spec"]["names"],
            "conditions": conditions,
            "storedVersions": storage,
        });
        if whole["status"] == status {
            return;
        }
        whole["status"] = status;
        let (versions, rest) = (&mut self.store.versions, Arc::new(whole));
        self.store.stored[index].update(versions, row, |it| it.body.rest = rest);
    }

    /// A definition goes, and all objects of its kind with it
    /// (apiextensions-apiserver pkg/controller/finalizer/crd_finalizer.go; at once here).
    pub(super) fn undefine(&mut self, definition: &Value) {
        let text = |path: &str| definition.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
        let kind = self
            .store
            .customs
            .kinds()
            .find(|resource| resource.names() == (group, plural));
        if let Some(resource) = kind {
            let place = self.place_of(&resource, 0);
            let rows: Vec<u32> = self.store.stored[usize::from(place.resource)]
                .iter()
                .map(|(row, _)| row)
                .collect();
            for row in rows {
                let place = Place { row, ..place };
                self.change_meta(place, |meta| meta.finalizers.clear());
                self.delete_object(place, &DeleteOptions::default());
            }
        }
        self.store.customs.forget(group, plural);
        self.note(What::Note {
            text: format!("definition {plural}.{group} deleted"),
        });
    }
}

/// An object of a custom kind in one of its versions (conversion strategy `None`: the apiVersion is all that differs).
#[derive(Debug)]
pub(super) struct Versioned {
    /// The object.
    pub object: Arc<dyn Project>,
    /// The version.
    pub api_version: String,
}

impl Project for Versioned {
    fn project(&self) -> Value {
        let mut whole = self.object.project();
        whole["apiVersion"] = json!(self.api_version);
        whole
    }
}

/// Puts a status in the place of another.
fn with_status(rest: &mut Arc<Value>, status: Option<Value>) {
    if let Some(fields) = Arc::make_mut(rest).as_object_mut() {
        match status {
            Some(status) => _ = fields.insert("status".to_owned(), status),
            None => _ = fields.remove("status"),
        }
    }
}
