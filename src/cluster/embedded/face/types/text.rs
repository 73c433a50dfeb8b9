//! Reads the text that the types are kept in.

use super::{Field, Relation, Strategy, Struct, Type, Types};

/// Types of one line each, followed by their fields, indented.
pub(super) fn read(text: &'static str) -> Types {
    let mut types = Types::default();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next() else { continue };
        if line.starts_with(' ') {
            let field = field(words);
            if let Some(structure) = types.structs.get_mut(current) {
                structure.fields.insert(name, field);
            }
        } else {
            current = name;
            types.structs.insert(name, Struct::default());
            if let (Some(version), Some(kind)) = (words.next(), words.next()) {
                types.kinds.insert((version, kind), name);
            }
        }
    }
    types.custom.open = true;
    for (name, kind) in [
        ("apiVersion", Type::Scalar),
        ("kind", Type::Scalar),
        ("metadata", metadata()),
    ] {
        let field = Field {
            kind,
            by_value: true,
            null: false,
            strategy: Strategy::default(),
        };
        types.custom.fields.insert(name, field);
    }
    types
}

fn metadata() -> Type {
    Type::Struct {
        name: "meta.v1.ObjectMeta",
        atomic: false,
    }
}

fn field(mut words: std::str::SplitAsciiWhitespace<'static>) -> Field {
    let mut kind = kind(words.next().unwrap_or("any"));
    let (mut by_value, mut null, mut strategy) = (false, false, Strategy::default());
    for word in words {
        match word {
            "value" => by_value = true,
            "null" => null = true,
            "atomic" => match &mut kind {
                Type::Struct { atomic, .. } | Type::Map { atomic, .. } => *atomic = true,
                _ => {}
            },
            "set" => relate(&mut kind, Relation::Set),
            "merge" => strategy.merge = Some(""),
            "retainKeys" => strategy.retain_keys = true,
            "replace" => strategy.replace = true,
            _ => {
                if let Some(keys) = word.strip_prefix("map:") {
                    let keys = keys.split(',').map(|key| match key.split_once('=') {
                        Some((key, default)) => (key, Some(default)),
                        None => (key, None),
                    });
                    relate(&mut kind, Relation::Map(keys.collect()));
                }
                if let Some(key) = word.strip_prefix("merge:") {
                    strategy.merge = Some(key);
                }
            }
        }
    }
    Field {
        kind,
        by_value,
        null,
        strategy,
    }
}

fn relate(kind: &mut Type, by: Relation) {
    if let Type::List { relation, .. } = kind {
        *relation = by;
    }
}

fn kind(word: &'static str) -> Type {
    let inner = |open: char, close: char| word.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if let Some(item) = inner('[', ']') {
        return Type::List {
            item: Box::new(kind(item)),
            relation: Relation::Atomic,
        };
    }
    if let Some(item) = inner('{', '}') {
        return Type::Map {
            item: Box::new(kind(item)),
            atomic: false,
        };
    }
    match word {
        "text" | "bytes" | "integer" | "number" | "switch" | "quantity" | "either" | "time" => Type::Scalar,
        "any" => Type::Any,
        name => Type::Struct { name, atomic: false },
    }
}

#[cfg(test)]
mod tests {
    use super::super::TYPES;
    use super::*;
    use crate::simulation::objects::resources::RESOURCES;

    #[test]
    fn every_kind_that_is_built_in_has_its_fields() {
        for resource in &RESOURCES {
            let known = TYPES.named(&resource.api_version(), &resource.kind);
            assert!(
                known.is_some_and(|known| known.field("metadata").is_some()),
                "{}",
                resource.kind
            );
        }
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        fn check(kind: &Type) {
            match kind {
                Type::Struct { name, .. } => assert!(TYPES.structs.contains_key(name), "{name}"),
                Type::Map { item, .. } | Type::List { item, .. } => check(item),
                Type::Scalar | Type::Any | Type::Deduced => {}
            }
        }
        for structure in TYPES.structs.values() {
            structure.fields.values().for_each(|field| check(&field.kind));
        }
    }

    #[test]
    fn the_rules_are_those_of_the_api() {
        let field = |name: &str, field: &str| TYPES.structure(name).field(field).unwrap();
        let ports = field("core.v1.Container", "ports");
        let Type::List { relation, .. } = &ports.kind else {
            panic!("a list")
        };
        assert_eq!(
            *relation,
            Relation::Map(vec![("containerPort", None), ("protocol", Some("TCP"))])
        );
        assert_eq!(ports.strategy.merge, Some("containerPort"));
        let finalizers = field("meta.v1.ObjectMeta", "finalizers");
        let Type::List { relation, .. } = &finalizers.kind else {
            panic!("a list")
        };
        assert_eq!(*relation, Relation::Set);
        assert_eq!(finalizers.strategy.merge, Some(""));
        assert!(field("core.v1.PodSpec", "volumes").strategy.retain_keys);
    }
}
