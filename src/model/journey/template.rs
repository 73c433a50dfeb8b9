//! `${name}` in texts: values that an earlier step extracted, or that the journey knows.

use std::collections::BTreeMap;

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace is not closed.
    #[error("`{0}` opens `${{` and does not close it: write `${{name}}`, or `$${{` for the characters themselves")]
    Open(String),
    /// A name is empty or has other characters.
    #[error("`{0}` is not the name of a value: expected letters, digits, `_` and `-`")]
    Name(String),
    /// There is no such value.
    #[error("nothing is called `{0}`: extract it in an earlier step, or give it under `values`")]
    Unknown(String),
}

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    Value(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            // `$${` stands for `${`: without the first of the two.
            all.push(Piece::Text(&rest[..at - 1]));
            all.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        all.push(Piece::Text(&rest[..at]));
        let (name, behind) = rest[at + 2..]
            .split_once('}')
            .ok_or_else(|| TemplateError::Open(text.to_owned()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(TemplateError::Name(name.to_owned()));
        }
        all.push(Piece::Value(name));
        rest = behind;
    }
    all.push(Piece::Text(rest));
    Ok(all)
}

/// The names in a text, in order.
///
/// # Errors
/// When it is no template.
pub fn names(text: &str) -> Result<Vec<&str>, TemplateError> {
    let value = |piece| match piece {
        Piece::Value(name) => Some(name),
        Piece::Text(_) => None,
    };
    Ok(pieces(text)?.into_iter().filter_map(value).collect())
}

/// The text with its values.
///
/// # Errors
/// When it is no template, or a value is missing.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text)? {
        filled.push_str(match piece {
            Piece::Text(text) => text,
            Piece::Value(name) => values
                .get(name)
                .ok_or_else(|| TemplateError::Unknown(name.to_owned()))?,
        });
    }
    Ok(filled)
}
