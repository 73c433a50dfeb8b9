//! Fields that a kind has not.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Struct, Type, Types};

/// At most so many are named (sigs.k8s.io/json `internal/golang/encoding/json/kubernetes_patch.go`: `maxStrictErrors`).
const MOST_NAMED: usize = 100;

/// The paths of the fields of an object that its type does not declare, as Kubernetes' strict decoder writes them
/// (sigs.k8s.io/json: `unknown field "spec.containers[0].foo"`).
pub(in super::super) fn unknown_fields(types: &Types, root: &Struct, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    fields(types, root, object, &mut String::new(), &mut found);
    found
}

fn fields(types: &Types, structure: &Struct, object: &Value, path: &mut String, found: &mut Vec<String>) {
    for (key, value) in object.as_object().into_iter().flatten() {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(key);
        match structure.field(key) {
            Some(field) => walk(types, &field.kind, value, path, found),
            None if structure.open => {}
            None if found.len() >= MOST_NAMED => {}
            None => found.push(path.clone()),
        }
        path.truncate(length);
    }
}

fn walk(types: &Types, kind: &Type, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match kind {
        Type::Struct { name, .. } => fields(types, types.structure(name), value, path, found),
        Type::Map { item, .. } => {
            for (key, value) in value.as_object().into_iter().flatten() {
                path.push('.');
                path.push_str(key);
                walk(types, item, value, path, found);
                path.truncate(length);
            }
        }
        Type::List { item, .. } => {
            for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                _ = write!(path, "[{index}]");
                walk(types, item, value, path, found);
                path.truncate(length);
            }
        }
        Type::Scalar | Type::Any | Type::Deduced => {}
    }
}
