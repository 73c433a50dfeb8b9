//! From a text to documents.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::ManifestError;

/// A document that is not empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    /// Which, from 1.
    pub(super) number: usize,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// The documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, ManifestError> {
    let mut all: Vec<Document> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, part) in parts(text) {
        let number = all.len() + 1;
        let values = if part.trim_start().starts_with('{') {
            json(&part, number, line)?
        } else {
            yaml(&part, number, line)?
        };
        let values = values.into_iter().filter(|value| !value.is_null());
        all.extend(
            (number..)
                .zip(values)
                .map(|(number, value)| Document { number, line, value }),
        );
    }
    Ok(all)
}

/// JSON texts follow each other; what is no JSON may still be YAML's flow style, as kubectl has it
/// (staging/src/k8s.io/apimachinery/pkg/util/yaml/decoder.go `YAMLOrJSONDecoder`).
fn json(part: &str, number: usize, line: usize) -> Result<Vec<Value>, ManifestError> {
    let all: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(part).into_iter().collect();
    all.or_else(|source| yaml(part, number, line).map_err(|_| ManifestError::Json { number, line, source }))
}

fn yaml(part: &str, number: usize, line: usize) -> Result<Vec<Value>, ManifestError> {
    let mut all = Vec::new();
    for document in serde_yaml::Deserializer::from_str(part) {
        // Nothing is read behind an error: the reader would find the same one for ever.
        let mut value = serde_yaml::Value::deserialize(document).map_err(|source| ManifestError::Yaml {
            number,
            line,
            // Once more, behind as many empty lines as there are in front: its message then names the text's own line.
            source: again(part, line).unwrap_or(source),
        })?;
        value
            .apply_merge()
            .map_err(|source| ManifestError::Yaml { number, line, source })?;
        all.push(as_json(value).map_err(|what| ManifestError::NotJson { number, line, what })?);
    }
    Ok(all)
}

/// The error of a document with the lines of the whole text.
fn again(part: &str, line: usize) -> Option<serde_yaml::Error> {
    let text = format!("{}{part}", "\n".repeat(line - 1));
    let mut documents = serde_yaml::Deserializer::from_str(&text);
    documents.find_map(|document| serde_yaml::Value::deserialize(document).err())
}

/// As an API server takes it: keys are text (sigs.k8s.io/yaml `convertToJSONableObject`), tags are dropped.
fn as_json(value: serde_yaml::Value) -> Result<Value, &'static str> {
    use serde_yaml::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(it) => it.into(),
        Yaml::String(it) => it.into(),
        Yaml::Number(it) => match (it.as_u64(), it.as_i64(), it.as_f64()) {
            (Some(it), ..) => it.into(),
            (_, Some(it), _) => it.into(),
            (.., it) => it
                .and_then(serde_json::Number::from_f64)
                .ok_or("a number without an end, such as .inf or .nan,")?
                .into(),
        },
        Yaml::Sequence(items) => items.into_iter().map(as_json).collect::<Result<Vec<_>, _>>()?.into(),
        Yaml::Mapping(fields) => {
            let mut object = Map::new();
            for (key, field) in fields {
                let key = match key {
                    Yaml::String(key) => key,
                    Yaml::Number(key) => key.to_string(),
                    Yaml::Bool(key) => key.to_string(),
                    _ => return Err("a key that is neither text nor a number"),
                };
                object.insert(key, as_json(field)?);
            }
            object.into()
        }
        Yaml::Tagged(tagged) => as_json(tagged.value)?,
    })
}

/// The text between separators, each with the line on which it begins.
///
/// A line that begins with `---` separates (staging/src/k8s.io/apimachinery/pkg/util/yaml/decoder.go `LineReader`,
/// `YAMLReader`). Of `helm install --dry-run`'s output only hooks and manifests count.
fn parts(text: &str) -> Vec<(usize, String)> {
    let printed = text.lines().any(|line| line.trim_end() == "MANIFEST:");
    let mut all = Vec::new();
    let mut part = String::new();
    let mut from = 1;
    let mut skipping = printed;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        if printed && matches!(bare, "HOOKS:" | "MANIFEST:" | "NOTES:") {
            all.push((from, std::mem::take(&mut part)));
            from = index + 2;
            skipping = bare == "NOTES:";
            continue;
        }
        if skipping {
            continue;
        }
        match line.strip_prefix("---") {
            Some(rest) if rest.starts_with([' ', '\t', '\r', '\n']) || rest.is_empty() => {
                all.push((from, std::mem::take(&mut part)));
                let rest = rest.trim_start();
                // What stands behind the separator begins its document.
                if rest.is_empty() || rest.starts_with('#') {
                    from = index + 2;
                } else {
                    from = index + 1;
                    part.push_str(rest);
                }
            }
            _ => part.push_str(line),
        }
    }
    all.push((from, part));
    all.retain(|(_, part)| !is_empty(part));
    all
}

/// Whether there is nothing but comments, directives and empty lines.
fn is_empty(part: &str) -> bool {
    part.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with(['#', '%']) || line == "...")
}

/// The octal file modes of volumes (`defaultMode: 0644`): YAML 1.1, which Kubernetes' tools read, takes them as numbers, YAML 1.2
/// as text.
pub(super) fn octal_modes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let mode = field
                    .as_str()
                    .filter(|_| matches!(key.as_str(), "defaultMode" | "mode"))
                    .filter(|text| text.starts_with('0') && text.len() > 1)
                    .and_then(|text| u32::from_str_radix(text, 8).ok());
                match mode {
                    Some(mode) => *field = mode.into(),
                    None => octal_modes(field),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(octal_modes),
        _ => {}
    }
}
