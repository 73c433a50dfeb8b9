//! Tokens that continue a list.

use std::fmt;

use super::super::status::Refusal;
use crate::simulation::api::ApiObject;

/// Where a list goes on, and which state of the collection it shows. The server keeps nothing: it takes the changes
/// since that version back, as long as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The version that the list shows; `None` for the newest.
    pub version: Option<u64>,
    namespace: String,
    name: String,
}

impl Token {
    /// The token that continues after an object.
    pub(super) fn after(object: &ApiObject, version: u64) -> Self {
        Self {
            version: Some(version),
            namespace: object.namespace.as_deref().unwrap_or_default().to_owned(),
            name: (*object.name).to_owned(),
        }
    }

    /// The token that continues at the same place with what there is now.
    pub(super) fn at_newest(&self) -> Self {
        Self {
            version: None,
            ..self.clone()
        }
    }

    /// The namespace and name after which it continues.
    pub(super) fn place(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// Whether the object comes after this place.
    pub(super) fn is_before(&self, object: &ApiObject) -> bool {
        (self.namespace.as_str(), self.name.as_str()) < (object.namespace.as_deref().unwrap_or_default(), &*object.name)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// When it is none of ours (`k8s.io/apiserver/pkg/storage/continue.go`).
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut parts = text.splitn(3, '/');
        let version = match parts.next() {
            Some("newest") => Some(None),
            Some(version) => version.parse().ok().map(Some),
            None => None,
        };
        match (version, parts.next(), parts.next()) {
            (Some(version), Some(namespace), Some(name)) if !name.is_empty() => Ok(Self {
                version,
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(Refusal::BadRequest("continue key is not valid".to_owned())),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{version}/{}/{}", self.namespace, self.name),
            None => write!(f, "newest/{}/{}", self.namespace, self.name),
        }
    }
}
