//! Selectors and pod templates inside workloads.

use serde_json::{Value, json};

use super::{Object, metadata, put};
use crate::simulation::objects::selector::{Selector, Test};
use crate::simulation::objects::template::PodTemplate;

/// A `LabelSelector`. Requirements of one value read as `matchLabels`, which means the same.
pub(super) fn selector(selector: &Selector) -> Value {
    let mut labels = Object::new();
    let mut expressions = Vec::new();
    for requirement in &selector.0 {
        let (operator, values) = match &requirement.test {
            Test::In(values) if values.len() == 1 && !labels.contains_key(&requirement.key) => {
                labels.insert(requirement.key.clone(), values[0].as_str().into());
                continue;
            }
            Test::In(values) => ("In", values.as_slice()),
            Test::NotIn(values) => ("NotIn", values.as_slice()),
            Test::Exists => ("Exists", &[][..]),
            Test::Absent => ("DoesNotExist", &[][..]),
            // Node selectors alone have these two; a label selector cannot be written with them.
            Test::Above(_) | Test::Below(_) => continue,
        };
        let mut expression = json!({"key": requirement.key, "operator": operator});
        if !values.is_empty() {
            expression["values"] = values.into();
        }
        expressions.push(expression);
    }
    let mut all = Object::new();
    if !labels.is_empty() {
        put(&mut all, "matchLabels", labels);
    }
    if !expressions.is_empty() {
        put(&mut all, "matchExpressions", expressions);
    }
    all.into()
}

/// A `PodTemplateSpec`.
pub(super) fn template(template: &PodTemplate) -> Value {
    let mut metadata = Object::new();
    if !template.labels.is_empty() {
        put(&mut metadata, "labels", metadata::labels(&template.labels));
    }
    if !template.annotations.is_empty() {
        put(&mut metadata, "annotations", metadata::labels(&template.annotations));
    }
    json!({"metadata": metadata, "spec": &*template.spec})
}
