//! What an answer must be.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::statuses::Statuses;
use crate::model::application::Body;

/// What an answer must be for the journey to go on. Everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status, or several; without it 200 to 399.
    #[serde(default)]
    pub status: Statuses,
    /// What the body must hold, in the model's own words; without it they do not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// What the body's JSON must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<JsonCheck>,
    /// A text that the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// One thing that a JSON body must hold. With nothing but `at` the place must exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JsonCheck {
    /// The place: a JSON pointer (RFC 6901), such as `/items/0/price`; empty for the whole.
    pub at: String,
    /// The value that must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// How many items a list there must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Expect {
    /// Whether anything is asked of the body's text or JSON.
    #[must_use]
    pub fn looks_into_body(&self) -> bool {
        !self.json.is_empty() || self.contains.is_some()
    }

    /// Whether the text of a body is as expected.
    #[must_use]
    pub fn holds_for(&self, body: &str) -> bool {
        let json = || serde_json::from_str::<Value>(body).unwrap_or_default();
        self.contains.as_ref().is_none_or(|text| body.contains(text))
            && (self.json.is_empty() || {
                let json = json();
                self.json.iter().all(|check| check.holds_for(&json))
            })
    }

    /// The count that is all that is asked of the body.
    #[must_use]
    pub fn only_count(&self) -> Option<u32> {
        match self.json.as_slice() {
            [check] if check.equals.is_none() && self.contains.is_none() => check.count,
            _ => None,
        }
    }
}

impl JsonCheck {
    /// Whether a JSON body is as expected.
    #[must_use]
    pub fn holds_for(&self, body: &Value) -> bool {
        let Some(found) = body.pointer(&self.at) else {
            return false;
        };
        let items = || found.as_array().map(|items| items.len() as u64);
        self.equals.as_ref().is_none_or(|wanted| wanted == found)
            && self.count.is_none_or(|count| items() == Some(u64::from(count)))
    }
}

/// What stands at a JSON pointer of a body, as text: a value to extract.
#[must_use]
pub fn find(body: &Value, pointer: &str) -> Option<String> {
    match body.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
