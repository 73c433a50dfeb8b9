//! What is wrong with an object, in Kubernetes' words
//! (k8s.io/apimachinery pkg/util/validation/field/errors.go).

use serde_json::Value;

use super::full_kind;
use crate::simulation::api::{ApiError, Resource};
use crate::simulation::objects::meta::Meta;

/// Field paths and what is wrong with each.
#[derive(Debug, Default)]
pub(super) struct Causes(Vec<(String, String)>);

impl Causes {
    /// Whatever else.
    pub(super) fn add(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.0.push((path.into(), why.into()));
    }

    /// A value that is not allowed.
    pub(super) fn invalid(&mut self, path: impl Into<String>, value: impl Into<Value>, why: &str) {
        self.add(path, format!("Invalid value: {}: {why}", value.into()));
    }

    /// A value that is missing.
    pub(super) fn required(&mut self, path: impl Into<String>, why: &str) {
        self.add(
            path,
            if why.is_empty() {
                "Required value".to_owned()
            } else {
                format!("Required value: {why}")
            },
        );
    }

    /// A value that appears twice.
    pub(super) fn duplicate(&mut self, path: impl Into<String>, value: impl Into<Value>) {
        self.add(path, format!("Duplicate value: {}", value.into()));
    }

    /// A field that may not be given.
    pub(super) fn forbidden(&mut self, path: impl Into<String>, why: &str) {
        self.add(path, format!("Forbidden: {why}"));
    }

    /// A name of nothing.
    pub(super) fn not_found(&mut self, path: impl Into<String>, value: impl Into<Value>) {
        self.add(path, format!("Not found: {}", value.into()));
    }

    /// A word that must be one of a few.
    pub(super) fn one_of(&mut self, path: impl Into<String>, word: Option<&str>, words: &[&str]) {
        if let Some(word) = word.filter(|word| !words.contains(word)) {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            self.add(
                path,
                format!("Unsupported value: \"{word}\": supported values: {}", words.join(", ")),
            );
        }
    }

    /// A number that may not be negative.
    pub(super) fn not_negative(&mut self, path: impl Into<String>, value: impl Into<i64>) {
        let value = value.into();
        if value < 0 {
            self.invalid(path, value, "must be greater than or equal to 0");
        }
    }

    /// A port number.
    pub(super) fn port(&mut self, path: impl Into<String>, value: i32) {
        if !(1..=65_535).contains(&value) {
            self.invalid(path, value, "must be between 1 and 65535, inclusive");
        }
    }

    /// Whether nothing is wrong so far.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses the object when something is wrong with it.
    pub(super) fn check(self, resource: &Resource, meta: &Meta) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let name = if meta.name.is_empty() {
            meta.generate_name.as_ref()
        } else {
            Some(&meta.name)
        };
        Err(ApiError::Invalid {
            kind: full_kind(resource),
            name: name.map(ToString::to_string).unwrap_or_default(),
            causes: self.0,
        })
    }
}
