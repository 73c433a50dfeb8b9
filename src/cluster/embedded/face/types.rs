//! The types of the Kubernetes API: the fields that each kind has, and how writes of each field are merged.

mod text;
mod unknown;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::simulation::api::Resource;
pub(super) use unknown::unknown_fields;

/// All types that are built in. They are constants in the form of a text, and read once.
pub(super) static TYPES: LazyLock<Types> = LazyLock::new(|| {
    text::read(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/kubernetes/types.txt"
    )))
});

/// Types by their names.
#[derive(Debug, Default)]
pub(super) struct Types {
    structs: BTreeMap<&'static str, Struct>,
    /// The names by apiVersion and kind.
    kinds: BTreeMap<(&'static str, &'static str), &'static str>,
    /// The type of objects whose fields nobody declared, but for their metadata.
    custom: Struct,
}

/// An object with fields of its own.
#[derive(Debug, Default)]
pub(super) struct Struct {
    fields: BTreeMap<&'static str, Field>,
    /// Whether it may have fields that are not declared.
    open: bool,
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    /// What it holds.
    pub kind: Type,
    /// Whether it is never absent in Go, only empty: a struct by value.
    pub by_value: bool,
    /// Whether it is written as null when it is empty.
    pub null: bool,
    /// How a strategic merge patch treats it.
    pub strategy: Strategy,
}

/// What a value is, and how two of it are merged by server-side apply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A scalar.
    Scalar,
    /// Anything, replaced as a whole.
    Any,
    /// Anything: objects merge field by field, all else is replaced as a whole.
    Deduced,
    /// An object with fields of its own.
    Struct {
        /// Its name.
        name: &'static str,
        /// Whether it is replaced as a whole.
        atomic: bool,
    },
    /// An object whose keys are free.
    Map {
        /// Its values.
        item: Box<Type>,
        /// Whether it is replaced as a whole.
        atomic: bool,
    },
    /// A list.
    List {
        /// Its items.
        item: Box<Type>,
        /// Which items are the same.
        relation: Relation,
    },
}

/// Which items of two lists are the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// None: the list is replaced as a whole.
    Atomic,
    /// Those that are equal.
    Set,
    /// Those whose keys have the same values; a key may have a default.
    Map(Vec<(&'static str, Option<&'static str>)>),
}

/// How a strategic merge patch treats a field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strategy {
    /// `patchStrategy: merge`; lists of objects merge by the key, other lists as sets.
    pub merge: Option<&'static str>,
    /// `patchStrategy: retainKeys`.
    pub retain_keys: bool,
    /// `patchStrategy: replace`.
    pub replace: bool,
}

/// The type of what nobody declared.
static DEDUCED: Type = Type::Deduced;
/// The name of the type of objects whose fields nobody declared.
const CUSTOM: &str = "custom";
impl Types {
    /// The type of a resource's objects.
    pub(super) fn of(&self, resource: &Resource) -> &Struct {
        if resource.custom {
            return &self.custom;
        }
        self.named(&resource.api_version(), &resource.kind)
            .unwrap_or(&self.custom)
    }

    /// The type of the objects of a kind, as a value.
    pub(super) fn root(&self, api_version: &str, kind: &str, custom: bool) -> Type {
        let known = self
            .kinds
            .iter()
            .find(|((version, name), _)| !custom && (*version, *name) == (api_version, kind));
        Type::Struct {
            name: known.map_or(CUSTOM, |(_, name)| name),
            atomic: false,
        }
    }

    /// The type of a kind.
    pub(super) fn named(&self, api_version: &str, kind: &str) -> Option<&Struct> {
        self.kinds
            .iter()
            .find(|((version, name), _)| (*version, *name) == (api_version, kind))
            .and_then(|(_, name)| self.structs.get(name))
    }

    /// The type of a name.
    pub(super) fn structure(&self, name: &str) -> &Struct {
        self.structs.get(name).unwrap_or(&self.custom)
    }

    /// The fields of a value of a type, when it has fields of its own.
    pub(super) fn fields(&self, kind: &Type) -> Option<&Struct> {
        match kind {
            Type::Struct { name, .. } => Some(self.structure(name)),
            _ => None,
        }
    }
}

impl Struct {
    /// A declared field.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name)
    }

    /// Whether it may have fields that are not declared.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }
}

impl Type {
    /// Whether two values are merged as objects.
    pub(super) fn is_object(&self, left: Option<&Value>, right: Option<&Value>) -> bool {
        match self {
            Self::Struct { atomic, .. } | Self::Map { atomic, .. } => !atomic,
            Self::Deduced => {
                let fits = |value: Option<&Value>| value.is_none_or(|value| value.is_object() || value.is_null());
                let is = |value: Option<&Value>| value.is_some_and(Value::is_object);
                fits(left) && fits(right) && (is(left) || is(right))
            }
            Self::Scalar | Self::Any | Self::List { .. } => false,
        }
    }

    /// The items of a list that is merged item by item.
    pub(super) fn items(&self) -> Option<(&Type, &Relation)> {
        match self {
            Self::List {
                relation: Relation::Atomic,
                ..
            } => None,
            Self::List { item, relation } => Some((item, relation)),
            _ => None,
        }
    }

    /// What the items of a list of this type are.
    pub(super) fn item(&self) -> &Type {
        match self {
            Self::List { item, .. } => item,
            _ => &DEDUCED,
        }
    }

    /// What a key of an object of this type holds, and whether the key is a declared field.
    pub(super) fn child<'t>(&'t self, types: &'t Types, key: &str) -> (&'t Type, Option<&'t Field>) {
        match self {
            Self::Struct { name, .. } => {
                let declared = types.structure(name).field(key);
                (declared.map_or(&DEDUCED, |field| &field.kind), declared)
            }
            Self::Map { item, .. } => (item, None),
            _ => (&DEDUCED, None),
        }
    }
}
