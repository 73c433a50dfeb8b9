//! A label selector as text.

use serde_json::Value;

use super::look::{Look, none_if_empty};

/// `metav1.FormatLabelSelector`.
pub(super) fn text(look: Look, path: &str) -> String {
    none_if_empty(bare(look, path))
}

/// `labels.Selector.String`: requirements by key in order. Without a selector nothing is selected, which is no text either.
pub(super) fn bare(look: Look, path: &str) -> String {
    let mut requirements: Vec<(&str, String)> = look
        .map(&format!("{path}/matchLabels"))
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    requirements.extend(look.items(&format!("{path}/matchExpressions")).map(|expression| {
        let key = expression.text("/key");
        let mut values: Vec<&str> = expression
            .items("/values")
            .filter_map(|value| value.value().as_str())
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match expression.text("/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        (key, text)
    }));
    requirements.sort_by_key(|(key, _)| *key);
    let texts: Vec<String> = requirements.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}

/// The cell of `metav1.FormatLabelSelector`.
pub(super) fn cell(look: Look, path: &str) -> Value {
    text(look, path).into()
}
