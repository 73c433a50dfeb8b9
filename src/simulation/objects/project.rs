//! JSON of the API objects, as a client of a real cluster sees them.
//!
//! Each kind has a file; what all share is here and in [`metadata`]. Cluster time becomes dates in [`date`].

pub mod date;
pub mod metadata;

mod autoscaling;
mod budget;
mod job;
mod node;
mod other;
mod pod;
mod selector;
mod service;
mod stateful_set;
mod storage;
mod workload;

use serde_json::{Map, Value};

/// A JSON object under construction.
type Object = Map<String, Value>;

/// Adds a field.
fn put(object: &mut Object, key: &str, value: impl Into<Value>) {
    object.insert(key.to_owned(), value.into());
}

/// Adds a field that is not there yet.
fn put_missing<V: Into<Value>>(object: &mut Object, key: &str, value: impl FnOnce() -> V) {
    if !object.contains_key(key) {
        object.insert(key.to_owned(), value().into());
    }
}

/// What a user wrote, as an object to complete.
fn copy(written: &Value) -> Object {
    written.as_object().cloned().unwrap_or_default()
}

/// An object of a few fields whose values are text.
fn texts(fields: &[(&str, &str)]) -> Value {
    Value::Object(
        fields
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.into()))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
