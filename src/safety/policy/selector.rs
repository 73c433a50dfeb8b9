//! A selector of nodes by their labels, as `kubectl get nodes --selector` takes it.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::{Expression, Selector, SelectorExt as _};
use serde::{Deserialize, Serialize};

use super::CONTROL_PLANE;

/// Which nodes may be struck: `zone=a`, `zone!=a`, `zone in (a, b)`, `zone notin (a)`, `key`, `!key`, several joined by commas.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeSelector {
    text: String,
    selector: Selector,
}

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// It selects everything by saying nothing.
    #[error("an empty selector would allow every node: write `!{CONTROL_PLANE}` for all workers")]
    Empty,
    /// A part of it makes no sense.
    #[error("`{0}` is no requirement: expected key=value, key!=value, key in (a, b), key notin (a, b), key or !key")]
    Requirement(String),
}

impl NodeSelector {
    /// All nodes without a control plane.
    #[must_use]
    pub fn workers() -> Self {
        Self {
            text: format!("!{CONTROL_PLANE}"),
            selector: Expression::DoesNotExist(CONTROL_PLANE.to_owned()).into(),
        }
    }

    /// Whether a node with these labels is selected.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.matches(labels)
    }
}

impl std::fmt::Display for NodeSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for NodeSelector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, SelectorError> {
        let parts = parts(&text);
        if parts.is_empty() {
            return Err(SelectorError::Empty);
        }
        let selector = parts.into_iter().map(requirement).collect::<Result<_, _>>()?;
        Ok(Self { text, selector })
    }
}

impl From<NodeSelector> for String {
    fn from(selector: NodeSelector) -> Self {
        selector.text
    }
}

/// The requirements: between commas that are not in parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn requirement(part: &str) -> Result<Expression, SelectorError> {
    let wrong = || SelectorError::Requirement(part.to_owned());
    let key = |text: &str| {
        let text = text.trim();
        let is_key = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        if is_key { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    let value = |text: &str| {
        let text = text.trim();
        let is_value = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if is_value { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    let set = |text: &str| {
        let inner = text
            .trim()
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'))
            .ok_or_else(wrong)?;
        inner.split(',').map(value).collect::<Result<BTreeSet<_>, _>>()
    };
    if let Some((name, values)) = part.split_once(" notin ") {
        return Ok(Expression::NotIn(key(name)?, set(values)?));
    }
    if let Some((name, values)) = part.split_once(" in ") {
        return Ok(Expression::In(key(name)?, set(values)?));
    }
    if let Some((name, other)) = part.split_once("!=") {
        return Ok(Expression::NotEqual(key(name)?, value(other)?));
    }
    if let Some((name, equal)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Expression::Equal(key(name)?, value(equal)?));
    }
    match part.strip_prefix('!') {
        Some(name) => Ok(Expression::DoesNotExist(key(name)?)),
        None => Ok(Expression::Exists(key(part)?)),
    }
}
