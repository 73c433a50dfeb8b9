//! Strategic merge patches (`k8s.io/apimachinery/pkg/util/strategicpatch/patch.go`).

use serde_json::{Map, Value};

use super::super::types::{Strategy, Type, Types};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Why a patch cannot be applied (`pkg/util/mergepatch/errors.go`).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StrategicError {
    /// `$patch` has another value than `merge`, `replace` and `delete`.
    #[error("Unknown patch type {found} in map {map}")]
    Directive { found: String, map: String },
    /// An item has not the key that items are merged by.
    #[error("map: {map} does not contain declared merge key: {key}")]
    Key { map: String, key: String },
    /// A directive's list is not one.
    #[error("The patch format of {0} is invalid")]
    Format(&'static str),
}

type Done = Result<(), StrategicError>;

/// Applies a patch to an object.
pub(super) fn patch(types: &Types, kind: &Type, object: &mut Value, patch: &Value) -> Done {
    let Value::Object(patch) = patch else {
        return Err(StrategicError::Format("patch"));
    };
    let mut original = match object.take() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let done = fields(types, kind, &mut original, patch);
    *object = Value::Object(original);
    done
}

fn fields(types: &Types, kind: &Type, original: &mut Map<String, Value>, patch: &Map<String, Value>) -> Done {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(word)) if word == "replace" => {
            original.clone_from(patch);
            original.remove(DIRECTIVE);
            return Ok(());
        }
        Some(Value::String(word)) if word == "delete" => {
            original.clear();
            return Ok(());
        }
        // A map merges anyway.
        Some(Value::String(word)) if word == "merge" => {}
        Some(other) => {
            return Err(StrategicError::Directive {
                found: other.to_string(),
                map: Value::Object(patch.clone()).to_string(),
            });
        }
    }
    if let Some(keys) = patch.get(RETAIN_KEYS) {
        let Value::Array(keys) = keys else {
            return Err(StrategicError::Format("retainKeys"));
        };
        if patch
            .iter()
            .any(|(key, value)| !key.starts_with('$') && !value.is_null() && !keys.iter().any(|kept| kept == key))
        {
            return Err(StrategicError::Format("retainKeys"));
        }
        original.retain(|key, _| keys.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            let Value::Array(gone) = value else {
                return Err(StrategicError::Format("$deleteFromPrimitiveList"));
            };
            if let Some(Value::Array(items)) = original.get_mut(list) {
                items.retain(|item| !gone.contains(item));
            }
        }
    }
    let strategy_of = |key: &str| -> (&Type, &Strategy) {
        let (child, declared) = kind.child(types, key);
        (child, declared.map_or(&NONE, |field| &field.strategy))
    };
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        let (child, strategy) = strategy_of(key);
        if value.is_null() {
            original.remove(key);
            continue;
        }
        match (original.get_mut(key), value) {
            (Some(Value::Object(mine)), Value::Object(theirs)) if !strategy.replace => {
                fields(types, child, mine, theirs)?;
            }
            (Some(Value::Array(mine)), Value::Array(theirs)) if strategy.merge.is_some() => {
                list(types, child, strategy.merge.unwrap_or_default(), mine, theirs)?;
            }
            _ => {
                if let Some(value) = plain(value) {
                    original.insert(key.clone(), value);
                } else {
                    original.remove(key);
                }
            }
        }
    }
    for (key, order) in patch {
        if let Some(name) = key.strip_prefix(ORDER) {
            let Value::Array(order) = order else {
                return Err(StrategicError::Format("$setElementOrder list"));
            };
            let (_, strategy) = strategy_of(name);
            let by = strategy.merge.unwrap_or_default();
            if let Some(Value::Array(items)) = original.get_mut(name) {
                let server = items.clone();
                *items = ordered(std::mem::take(items), order, &server, by);
            }
        }
    }
    Ok(())
}

static NONE: Strategy = Strategy {
    merge: None,
    retain_keys: false,
    replace: false,
};

/// Merges a list; `by` is the key that items are merged by, empty for a list of scalars.
fn list(types: &Types, kind: &Type, by: &str, original: &mut Vec<Value>, patch: &[Value]) -> Done {
    let server = original.clone();
    let mut wanted = patch.to_vec();
    if by.is_empty() {
        for item in patch {
            if !original.contains(item) {
                original.push(item.clone());
            }
        }
    } else {
        let item_kind = kind.item();
        let is_directive = |item: &Value, word: &str| item.get(DIRECTIVE).is_some_and(|directive| directive == word);
        if patch.iter().any(|item| is_directive(item, "replace")) {
            *original = patch
                .iter()
                .filter(|item| item.get(DIRECTIVE).is_none())
                .cloned()
                .collect();
            return Ok(());
        }
        for item in patch {
            let key = item.get(by).ok_or_else(|| StrategicError::Key {
                map: item.to_string(),
                key: by.to_owned(),
            })?;
            if is_directive(item, "delete") {
                original.retain(|other| other.get(by) != Some(key));
                continue;
            }
            let Value::Object(theirs) = item else { continue };
            match original.iter_mut().find(|other| other.get(by) == Some(key)) {
                Some(Value::Object(mine)) => fields(types, item_kind, mine, theirs)?,
                _ => original.extend(plain(item)),
            }
        }
        wanted.retain(|item| !is_directive(item, "delete"));
    }
    *original = ordered(std::mem::take(original), &wanted, &server, by);
    Ok(())
}

/// The items that are in `order` in that order, and the others among them as they were on the server
/// (`normalizeElementOrder`, `mergeSortedSlice`).
fn ordered(items: Vec<Value>, order: &[Value], server: &[Value], by: &str) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| {
        list.iter().position(|other| {
            if by.is_empty() {
                other == item
            } else {
                other.get(by) == item.get(by)
            }
        })
    };
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    let (mut left, mut right) = (others.into_iter().peekable(), named.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        let from_left = match (left.peek(), right.peek()) {
            (None, None) => return all,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => {
                matches!((place(server, mine), place(server, theirs)), (Some(mine), Some(theirs)) if mine < theirs)
            }
        };
        all.extend(if from_left { left.next() } else { right.next() });
    }
}

/// A value of a patch where nothing is to merge it with: without directives and nulls. `None`: it is only a directive.
fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            if fields.get(DIRECTIVE).is_some_and(|directive| directive == "delete") {
                return None;
            }
            let kept = fields
                .iter()
                .filter(|(key, value)| !key.starts_with('$') && !value.is_null())
                .filter_map(|(key, value)| Some((key.clone(), plain(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(plain).collect())),
        scalar => Some(scalar.clone()),
    }
}
