//! One request of a journey.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::check::{Expect, JsonCheck};
use super::statuses::Statuses;
use super::template::{self, TemplateError};

/// One request of a journey. `${name}` in its path, headers, credentials and body stands for a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Request {
    /// Method and path, for example `GET /catalogue`.
    pub request: String,
    /// Headers by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Payload>,
    /// The longest wait for the answer, instead of the journey's.
    #[serde(with = "crate::model::units::text_option", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What the answer must be; without it any answer or none will do and the journey goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// Values to take from the answer, by the name under which later steps use them. An answer without one of them ends the
    /// journey as a failure of its content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extract: BTreeMap<String, Source>,
}

/// Credentials of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Bearer`, with this token (RFC 6750).
    Bearer(String),
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// The body of a request; its `Content-Type` goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Payload {
    /// `application/json`.
    Json(Value),
    /// `application/x-www-form-urlencoded`.
    Form(BTreeMap<String, String>),
    /// `text/plain`.
    Text(String),
}

/// Where in an answer a value is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The header of this name.
    Header(String),
    /// The cookie of this name.
    Cookie(String),
    /// The place in a JSON body: a JSON pointer (RFC 6901), such as `/token`.
    Json(String),
    /// What the first group of this regular expression matches in the body, or all of it when there is no group.
    Regex(String),
}

impl Request {
    /// A request, `GET /catalogue`, that must be answered with a status below 400.
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            request: line.into(),
            expect: Some(Expect::default()),
            ..Self::default()
        }
    }

    /// `GET` of a path.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new(format!("GET {path}"))
    }

    /// `POST` to a path.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::new(format!("POST {path}"))
    }

    /// `PUT` to a path.
    #[must_use]
    pub fn put(path: &str) -> Self {
        Self::new(format!("PUT {path}"))
    }

    /// `DELETE` of a path.
    #[must_use]
    pub fn delete(path: &str) -> Self {
        Self::new(format!("DELETE {path}"))
    }

    /// A header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// A bearer token.
    #[must_use]
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.auth = Some(Auth::Bearer(token.into()));
        self
    }

    /// A user's name and password.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.auth = Some(Auth::Basic {
            user: user.into(),
            password: password.into(),
        });
        self
    }

    /// A JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(Payload::Json(body));
        self
    }

    /// A form.
    #[must_use]
    pub fn form<K: Into<String>, V: Into<String>>(mut self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.body = Some(Payload::Form(fields.collect()));
        self
    }

    /// A body of plain text.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = Some(Payload::Text(body.into()));
        self
    }

    /// The longest wait for the answer, instead of the journey's.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    fn expected(&mut self) -> &mut Expect {
        self.expect.get_or_insert_default()
    }

    /// The status, or several, that the answer must have: `201`, `[200, 204]`.
    #[must_use]
    pub fn status(mut self, statuses: impl Into<Statuses>) -> Self {
        self.expected().status = statuses.into();
        self
    }

    /// Something must stand at this JSON pointer of the body.
    #[must_use]
    pub fn has(mut self, at: impl Into<String>) -> Self {
        self.expected().json.push(JsonCheck {
            at: at.into(),
            ..JsonCheck::default()
        });
        self
    }

    /// This value must stand at this JSON pointer of the body.
    #[must_use]
    pub fn equals(mut self, at: impl Into<String>, value: impl Into<Value>) -> Self {
        self.expected().json.push(JsonCheck {
            at: at.into(),
            equals: Some(value.into()),
            count: None,
        });
        self
    }

    /// A list of so many items must stand at this JSON pointer of the body.
    #[must_use]
    pub fn counts(mut self, at: impl Into<String>, items: u32) -> Self {
        self.expected().json.push(JsonCheck {
            at: at.into(),
            equals: None,
            count: Some(items),
        });
        self
    }

    /// The body must contain this text.
    #[must_use]
    pub fn contains(mut self, text: impl Into<String>) -> Self {
        self.expected().contains = Some(text.into());
        self
    }

    /// Any answer, or none, will do.
    #[must_use]
    pub fn whatever_comes(mut self) -> Self {
        self.expect = None;
        self
    }

    /// Takes a value from the answer.
    #[must_use]
    pub fn extract(mut self, name: impl Into<String>, from: Source) -> Self {
        self.extract.insert(name.into(), from);
        self
    }

    /// The names of the values that it uses, in its path, headers, credentials and body.
    ///
    /// # Errors
    /// When one of its texts is no template.
    pub fn uses(&self) -> Result<Vec<&str>, TemplateError> {
        let mut texts: Vec<&str> = vec![&self.request];
        texts.extend(self.headers.values().map(String::as_str));
        match &self.auth {
            Some(Auth::Bearer(token)) => texts.push(token),
            Some(Auth::Basic { user, password }) => texts.extend([user.as_str(), password]),
            None => {}
        }
        match &self.body {
            Some(Payload::Json(value)) => json_texts(value, &mut texts),
            Some(Payload::Form(fields)) => texts.extend(fields.values().map(String::as_str)),
            Some(Payload::Text(text)) => texts.push(text),
            None => {}
        }
        let mut names = Vec::new();
        for text in texts {
            names.extend(template::names(text)?);
        }
        Ok(names)
    }
}

/// The texts in a JSON value, keys aside.
fn json_texts<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| json_texts(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| json_texts(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A request as it is written out.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(rename = "Request"))]
#[serde(deny_unknown_fields)]
struct Whole {
    /// Method and path, for example `GET /catalogue`.
    request: String,
    /// Headers by name.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Credentials.
    #[serde(default)]
    auth: Option<Auth>,
    /// The body.
    #[serde(default)]
    body: Option<Payload>,
    /// The longest wait for the answer, instead of the journey's.
    #[serde(default, with = "crate::model::units::text_option")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<crate::model::units::Length>"))]
    timeout: Option<Duration>,
    /// What the answer must be; without it any answer or none will do and the journey goes on.
    #[serde(default)]
    expect: Option<Expect>,
    /// Values to take from the answer, by the name under which later steps use them.
    #[serde(default)]
    extract: BTreeMap<String, Source>,
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Request;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a request such as `GET /catalogue`, or a map with `request`")
            }
            fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<Request, E> {
                Ok(Request::new(line))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Request, A::Error> {
                let whole = Whole::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Request {
                    request: whole.request,
                    headers: whole.headers,
                    auth: whole.auth,
                    body: whole.body,
                    timeout: whole.timeout,
                    expect: whole.expect,
                    extract: whole.extract,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Request {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let whole = generator.subschema_for::<Whole>();
        schemars::json_schema!({
            "description": "A request such as `GET /catalogue`, which must be answered with a status below 400, or all of it.",
            "anyOf": [{"type": "string", "pattern": "^[A-Z]+ /"}, whole],
        })
    }
}
