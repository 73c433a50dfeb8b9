//! Walks over typed objects: which fields are set, and how two objects differ
//! (structured-merge-diff `typed/tofieldset.go`, `typed/compare.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::types::{Field, Relation, Type, Types};
use super::set::Fields;

/// Why a value is not what its type says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub(crate) struct Mismatch {
    path: String,
    why: String,
}

/// How two objects differ.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub removed: Fields,
    pub modified: Fields,
    pub added: Fields,
}

/// The element of a path for an item of a list.
pub(super) fn element(item: &Value, relation: &Relation) -> Result<String, String> {
    match relation {
        Relation::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        Relation::Set => match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
            scalar => Ok(format!("v:{scalar}")),
        },
        Relation::Map(keys) => {
            let Value::Object(fields) = item else {
                return Err("associative list with keys may not have non-map elements".to_owned());
            };
            let mut named = BTreeMap::new();
            for (key, default) in keys {
                match (fields.get(*key), default) {
                    (Some(value), _) => _ = named.insert(*key, value.clone()),
                    (None, Some(default)) => _ = named.insert(*key, Value::from(*default)),
                    (None, None) => {}
                }
            }
            if named.is_empty() {
                let keys: Vec<String> = keys.iter().map(|(key, _)| format!("\"{key}\"")).collect();
                return Err(format!(
                    "associative list with keys has an element that omits all key fields [{}] (and doesn't have default \
                     values for any key fields)",
                    keys.join(" ")
                ));
            }
            let fields: Vec<String> = named
                .iter()
                .map(|(key, value)| format!("{}:{value}", Value::from(*key)))
                .collect();
            Ok(format!("k:{{{}}}", fields.join(",")))
        }
    }
}

/// The fields that an applied object sets.
///
/// # Errors
/// When it is not of its type, or a list has an item twice.
pub(crate) fn fields(types: &Types, kind: &Type, value: &Value) -> Result<Fields, Vec<Mismatch>> {
    let mut walk = Setting {
        types,
        path: Vec::new(),
        set: Fields::default(),
        errors: Vec::new(),
        strict: true,
    };
    walk.value(kind, value);
    if walk.errors.is_empty() {
        Ok(walk.set)
    } else {
        Err(walk.errors)
    }
}

/// The fields that a stored object has; what does not fit is passed over.
pub(crate) fn present(types: &Types, kind: &Type, value: &Value) -> Fields {
    let mut walk = Setting {
        types,
        path: Vec::new(),
        set: Fields::default(),
        errors: Vec::new(),
        strict: false,
    };
    walk.value(kind, value);
    walk.set
}

struct Setting<'t> {
    types: &'t Types,
    path: Vec<String>,
    set: Fields,
    errors: Vec<Mismatch>,
    /// Whether undeclared fields are wrong.
    strict: bool,
}

impl Setting<'_> {
    fn wrong(&mut self, why: impl Into<String>) {
        self.errors.push(Mismatch {
            path: path_text(&self.path),
            why: why.into(),
        });
    }

    fn value(&mut self, kind: &Type, value: &Value) {
        if kind.is_object(Some(value), None) {
            match value {
                Value::Object(object) => self.object(kind, object),
                Value::Null => {}
                _ => self.wrong("expected map"),
            }
        } else if let Some((item, relation)) = kind.items() {
            match value {
                Value::Array(items) => self.items(item, relation, items),
                Value::Null => {}
                _ => self.wrong("expected list"),
            }
        } else {
            match (kind, value) {
                (Type::Scalar, Value::Object(_) | Value::Array(_)) => self.wrong("expected scalar"),
                (Type::List { .. }, value) if !value.is_array() && !value.is_null() => self.wrong("expected list"),
                (Type::Struct { .. } | Type::Map { .. }, value) if !value.is_object() && !value.is_null() => {
                    self.wrong("expected map");
                }
                _ => {}
            }
            self.set.insert(&self.path);
        }
    }

    fn object(&mut self, kind: &Type, object: &Map<String, Value>) {
        let closed = self.strict && self.types.fields(kind).is_some_and(|structure| !structure.is_open());
        for (key, value) in object {
            let (child, declared) = kind.child(self.types, key);
            self.path.push(format!("f:{key}"));
            if closed && declared.is_none() {
                self.wrong("field not declared in schema");
            } else {
                self.value(child, value);
                let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if is_empty || declared.is_none() {
                    self.set.insert(&self.path);
                }
            }
            self.path.pop();
        }
    }

    fn items(&mut self, kind: &Type, relation: &Relation, items: &[Value]) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            match element(item, relation) {
                Ok(element) => {
                    if self.strict && seen.contains_key(&element) {
                        let name = path_text(std::slice::from_ref(&element));
                        self.wrong(format!("duplicate entries for key {name}"));
                    }
                    *seen.entry(element).or_default() += 1;
                }
                Err(why) => self.wrong(format!("element {index}: {why}")),
            }
        }
        for item in items {
            let Ok(element) = element(item, relation) else { continue };
            let once = seen.get(&element) == Some(&1);
            self.path.push(element);
            if once {
                self.value(kind, item);
            }
            self.set.insert(&self.path);
            self.path.pop();
        }
    }
}

fn path_text(path: &[String]) -> String {
    let mut set = Fields::default();
    set.insert(path);
    set.paths().pop().unwrap_or_default()
}

/// How `after` differs from `before`.
pub(crate) fn compare(types: &Types, kind: &Type, before: Option<&Value>, after: Option<&Value>) -> Comparison {
    let mut walk = Comparing {
        types,
        path: Vec::new(),
        found: Comparison::default(),
    };
    walk.value(kind, before, after);
    walk.found
}

struct Comparing<'t> {
    types: &'t Types,
    path: Vec<String>,
    found: Comparison,
}

impl Comparing<'_> {
    fn value(&mut self, kind: &Type, before: Option<&Value>, after: Option<&Value>) {
        if kind.is_object(before, after) {
            let (old, new) = (object(before), object(after));
            if old.is_empty() && new.is_empty() {
                return self.leaf(before, after);
            }
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let (child, declared) = kind.child(self.types, key);
                // Where the parent is absent, all of it is.
                let old = old.get(key).or_else(|| before.and_then(|_| empty(declared)));
                let new = new.get(key).or_else(|| after.and_then(|_| empty(declared)));
                self.path.push(format!("f:{key}"));
                self.value(child, old, new);
                self.path.pop();
            }
        } else if let Some((item, relation)) = kind.items() {
            let (old, new) = (items(before, relation), items(after, relation));
            if old.is_empty() && new.is_empty() {
                return self.leaf(before, after);
            }
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let none = Vec::new();
                let (left, right) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
                self.path.push(key.clone());
                match (left.as_slice(), right.as_slice()) {
                    ([], []) => {}
                    ([] | [_], [] | [_]) => self.value(item, left.first().copied(), right.first().copied()),
                    ([_, _, ..], [_, _, ..]) => {
                        if left != right {
                            self.found.modified.insert(&self.path);
                        }
                    }
                    ([_, _, ..], _) => {
                        if let Some(only) = right.first() {
                            self.value(item, None, Some(only));
                        }
                        self.found.removed.insert(&self.path);
                    }
                    (_, [_, _, ..]) => {
                        if let Some(only) = left.first() {
                            self.value(item, Some(only), None);
                        }
                        self.found.added.insert(&self.path);
                    }
                }
                self.path.pop();
            }
        } else {
            return self.leaf(before, after);
        }
        match (before, after) {
            (None, _) => self.found.added.insert(&self.path),
            (_, None) => self.found.removed.insert(&self.path),
            _ => {}
        }
    }

    fn leaf(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (None, None) => {}
            (None, Some(_)) => self.found.added.insert(&self.path),
            (Some(_), None) => self.found.removed.insert(&self.path),
            (Some(before), Some(after)) => {
                if before != after {
                    self.found.modified.insert(&self.path);
                }
            }
        }
    }
}

static EMPTY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::Object(Map::new()));

/// What a field of an object is in Go that is not written: a struct by value is empty, a list may be null.
fn empty(declared: Option<&Field>) -> Option<&'static Value> {
    let field = declared?;
    if field.by_value {
        Some(&EMPTY)
    } else {
        field.null.then_some(&Value::Null)
    }
}

fn object(value: Option<&Value>) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.and_then(Value::as_object).unwrap_or(&NONE)
}

fn items<'v>(value: Option<&'v Value>, relation: &Relation) -> BTreeMap<String, Vec<&'v Value>> {
    let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for item in value.and_then(Value::as_array).into_iter().flatten() {
        if let Ok(element) = element(item, relation) {
            all.entry(element).or_default().push(item);
        }
    }
    all
}
