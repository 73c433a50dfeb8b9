//! Merges an applied object into the stored one, and takes fields out of an object
//! (structured-merge-diff `typed/merge.go`, `typed/remove.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::types::{Relation, Type, Types};
use super::set::Fields;
use super::walk::element;

/// What is stored, with what is applied in it.
pub(super) fn merge(types: &Types, kind: &Type, stored: Option<&Value>, applied: Option<&Value>) -> Option<Value> {
    if kind.is_object(stored, applied) {
        let (old, new) = (stored.and_then(Value::as_object), applied.and_then(Value::as_object));
        if old.is_none_or(Map::is_empty) && new.is_none_or(Map::is_empty) {
            return applied.or(stored).cloned();
        }
        let mut merged = Map::new();
        for (key, value) in old.into_iter().flatten() {
            let (child, _) = kind.child(types, key);
            if let Some(value) = merge(types, child, Some(value), new.and_then(|new| new.get(key))) {
                merged.insert(key.clone(), value);
            }
        }
        for (key, value) in new.into_iter().flatten() {
            if !merged.contains_key(key)
                && let Some(value) = merge(types, kind.child(types, key).0, None, Some(value))
            {
                merged.insert(key.clone(), value);
            }
        }
        return Some(Value::Object(merged));
    }
    if let Some((item, relation)) = kind.items() {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let (old, new) = (list(stored), list(applied));
        if old.is_empty() && new.is_empty() {
            return applied.or(stored).cloned();
        }
        return Some(Value::Array(items(types, item, relation, &old, &new)));
    }
    applied.or(stored).cloned()
}

/// Merges two lists: the applied items in the order they are applied in, the others where they were among the stored ones.
fn items(types: &Types, kind: &Type, relation: &Relation, old: &[Value], new: &[Value]) -> Vec<Value> {
    let name = |items: &[Value]| -> Vec<(String, Value)> {
        let named = items
            .iter()
            .filter_map(|item| Some((element(item, relation).ok()?, item.clone())));
        named.collect()
    };
    let (old, new) = (name(old), name(new));
    let mut first: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
    for (element, item) in &old {
        // An item that is there twice is not merged with the applied one.
        first
            .entry(element)
            .and_modify(|known| *known = None)
            .or_insert(Some(item));
    }
    let applied: BTreeSet<&str> = new.iter().map(|(element, _)| element.as_str()).collect();
    let mut shared = new
        .iter()
        .map(|(element, _)| element.as_str())
        .filter(|element| first.contains_key(element));
    let mut next = shared.next();
    let mut merged: BTreeSet<&str> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        if let (Some((mine, _)), Some((theirs, item))) = (old.get(left), new.get(right)) {
            if mine == theirs {
                merged.insert(mine);
                out.extend(merge(
                    types,
                    kind,
                    first.get(mine.as_str()).copied().flatten(),
                    Some(item),
                ));
                left += 1;
                right += 1;
                next = shared.next();
                continue;
            }
            if applied.contains(mine.as_str()) && next.is_some_and(|next| next != mine) {
                // One that both have, but not the one whose turn it is.
                left += 1;
                continue;
            }
        }
        if let Some((mine, item)) = old.get(left) {
            if !applied.contains(mine.as_str()) {
                out.push(item.clone());
                left += 1;
                continue;
            }
            if merged.contains(mine.as_str()) {
                left += 1;
            }
        }
        if let Some((theirs, item)) = new.get(right) {
            merged.insert(theirs);
            out.extend(merge(
                types,
                kind,
                first.get(theirs.as_str()).copied().flatten(),
                Some(item),
            ));
            right += 1;
            if next == Some(theirs.as_str()) {
                next = shared.next();
            }
        }
    }
    out
}

/// The object without those fields. `None`: nothing is left of it.
pub(super) fn remove(types: &Types, kind: &Type, value: &Value, gone: &Fields) -> Option<Value> {
    if kind.is_object(Some(value), None) {
        let object = value.as_object().filter(|object| !object.is_empty())?;
        let mut left = Map::new();
        let mut touched = false;
        for (key, value) in object {
            let name = format!("f:{key}");
            if gone.has(&name) {
                continue;
            }
            let kept = match gone.below(&name) {
                None => value.clone(),
                Some(below) => {
                    touched = true;
                    without(types, kind.child(types, key).0, value, below)
                }
            };
            left.insert(key.clone(), kept);
        }
        return (!left.is_empty() || touched).then_some(Value::Object(left));
    }
    if let Some((item, relation)) = kind.items() {
        let all = value.as_array().filter(|items| !items.is_empty())?;
        let mut left = Vec::new();
        let mut touched = false;
        for value in all {
            let name = element(value, relation).unwrap_or_default();
            if gone.has(&name) {
                continue;
            }
            left.push(match gone.below(&name) {
                None => value.clone(),
                Some(below) => {
                    touched = true;
                    without(types, item, value, below)
                }
            });
        }
        return (!left.is_empty() || touched).then_some(Value::Array(left));
    }
    match kind {
        Type::Scalar => Some(value.clone()),
        // What is replaced as a whole goes as a whole.
        _ => (!value.is_array() && !value.is_object()).then(|| value.clone()),
    }
}

/// What is inside goes; the container itself stays, even empty.
fn without(types: &Types, kind: &Type, value: &Value, below: &Fields) -> Value {
    remove(types, kind, value, below).unwrap_or_else(|| match value {
        Value::Object(_) => Value::Object(Map::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Null,
    })
}
