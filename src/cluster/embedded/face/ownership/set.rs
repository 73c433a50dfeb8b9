//! Sets of fields, in the form that `managedFields` have (`fieldsV1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::types::{Type, Types};

/// A set of field paths. Its elements are written as `fieldsV1` writes them: `f:NAME`, `k:{KEYS}`, `v:VALUE`, `i:INDEX`
/// (structured-merge-diff `fieldpath/serialize-pe.go`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(BTreeMap<String, Node>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// Whether the path that ends here is in the set.
    member: bool,
    below: Fields,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl Fields {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a path.
    pub(crate) fn insert(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let node = self.0.entry(first.clone()).or_default();
        if rest.is_empty() {
            node.member = true;
        } else {
            node.below.insert(rest);
        }
    }

    /// Whether a path of one element is in the set.
    pub(crate) fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(|node| node.member)
    }

    /// The paths that begin with an element, without it.
    pub(crate) fn below(&self, element: &str) -> Option<&Self> {
        self.0
            .get(element)
            .map(|node| &node.below)
            .filter(|below| !below.is_empty())
    }

    /// The paths of either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (element, node) in &other.0 {
            let mine = all.0.entry(element.clone()).or_default();
            mine.member |= node.member;
            mine.below = mine.below.union(&node.below);
        }
        all
    }

    /// The paths that the other has not.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(|element, node| {
            other.0.get(element).map_or_else(
                || node.clone(),
                |theirs| Node {
                    member: node.member && !theirs.member,
                    below: node.below.difference(&theirs.below),
                },
            )
        })
    }

    /// The paths that both have.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(|element, node| {
            other.0.get(element).map_or_else(Node::default, |theirs| Node {
                member: node.member && theirs.member,
                below: node.below.intersection(&theirs.below),
            })
        })
    }

    /// Without those paths and all that are below them.
    pub(crate) fn without(&self, roots: &[&str]) -> Self {
        self.combine(|element, node| {
            if roots.contains(&element) {
                Node::default()
            } else {
                node.clone()
            }
        })
    }

    /// Only those paths and all that are below them.
    pub(crate) fn only(&self, roots: &[&str]) -> Self {
        self.combine(|element, node| {
            if roots.contains(&element) {
                node.clone()
            } else {
                Node::default()
            }
        })
    }

    fn combine(&self, change: impl Fn(&str, &Node) -> Node) -> Self {
        let nodes = self
            .0
            .iter()
            .map(|(element, node)| (element.clone(), change(element, node)));
        Self(nodes.filter(|(_, node)| !node.is_empty()).collect())
    }

    /// With every declared field that a path leads through (`EnsureNamedFieldsAreMembers`).
    pub(crate) fn with_named(&self, types: &Types, kind: &Type) -> Self {
        self.combine(|element, node| {
            let (below, declared) = match element.strip_prefix("f:") {
                Some(name) => {
                    let (kind, field) = kind.child(types, name);
                    (kind, field.is_some())
                }
                None => (kind.items().map_or(kind, |(item, _)| item), false),
            };
            Node {
                member: node.member || (declared && !node.below.is_empty()),
                below: node.below.with_named(types, below),
            }
        })
    }

    /// Every path, in the words of messages: `.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect(&mut String::new(), &mut all);
        all
    }

    fn collect(&self, path: &mut String, all: &mut Vec<String>) {
        // Members come before what is below other elements (`Set.Iterate`).
        for (element, node) in &self.0 {
            if node.member {
                all.push(format!("{path}{}", words(element)));
            }
        }
        for (element, node) in &self.0 {
            let length = path.len();
            path.push_str(&words(element));
            node.below.collect(path, all);
            path.truncate(length);
        }
    }

    /// As `fieldsV1`.
    pub(crate) fn to_json(&self) -> Value {
        let fields = self.0.iter().map(|(element, node)| {
            let mut below = node.below.to_json();
            if node.member && !node.below.is_empty() {
                below["."] = json!({});
            }
            (element.clone(), below)
        });
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// From `fieldsV1`; `None` when it is not that.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (element, below) in value.as_object()? {
            if element == "." {
                continue;
            }
            if !["f:", "k:", "v:", "i:"]
                .iter()
                .any(|prefix| element.starts_with(prefix))
            {
                return None;
            }
            let fields = below.as_object()?;
            let node = Node {
                member: fields.is_empty() || fields.contains_key("."),
                below: Self::from_json(below)?,
            };
            set.0.insert(element.clone(), node);
        }
        Some(set)
    }
}

/// An element in the words of messages (structured-merge-diff `fieldpath/element.go`).
fn words(element: &str) -> String {
    let (kind, rest) = element.split_at(2.min(element.len()));
    match kind {
        "f:" => format!(".{rest}"),
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v:" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}
