//! Which objects of a collection a request means.

mod fields;
mod labels;

use super::query::Query;
use super::status::Refusal;
use crate::simulation::api::{ApiObject, Resource};
use fields::FieldSelector;
use labels::LabelSelector;

/// Namespace, labels and fields that objects must have.
#[derive(Debug)]
pub(super) struct Selection {
    namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// The selection of a request for a collection.
    pub(super) fn parse(resource: &Resource, namespace: Option<String>, query: &Query) -> Result<Self, Refusal> {
        let labels = LabelSelector::parse(query.text("labelSelector").unwrap_or_default());
        let fields = FieldSelector::parse(resource, query.text("fieldSelector").unwrap_or_default());
        Ok(Self {
            namespace,
            labels: labels.map_err(|error| Refusal::BadRequest(error.to_string()))?,
            fields: fields.map_err(|error| Refusal::BadRequest(error.to_string()))?,
        })
    }

    /// Narrows it to one name, as a watch of one object does (`endpoints/handlers/get.go`).
    pub(super) fn only(mut self, name: &str) -> Result<Self, Refusal> {
        if self.fields.is_everything() {
            self.fields = FieldSelector::name(name);
        } else if !self.fields.requires_name(name) {
            let why = "fieldSelector metadata.name doesn't match requested name";
            return Err(Refusal::BadRequest(why.to_owned()));
        }
        Ok(self)
    }

    /// The namespace that all selected objects are in, when it is one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether it leaves nothing of the collection out.
    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether it selects an object.
    pub(super) fn matches(&self, object: &ApiObject) -> bool {
        self.namespace
            .as_deref()
            .is_none_or(|namespace| object.namespace.as_deref() == Some(namespace))
            && self.labels.matches(&object.labels)
            && self.fields.matches(object)
    }
}
