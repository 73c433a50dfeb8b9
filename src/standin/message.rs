//! What passes between a user or stand-in and a stand-in, whatever the protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::application::Body;
use crate::model::wire;

/// Values by name.
pub(super) type Values = BTreeMap<String, String>;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ask {
    /// Method and path.
    pub(super) request: String,
    /// The user for whom all this happens.
    pub(super) user: String,
    /// The values that the user's request carried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) values: Values,
}

/// What a caller learns of an answer: a line of the line protocol, or an HTTP answer's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// [`wire::content`].
    pub(super) content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<u32>,
    /// Values that it gives the user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) given: Values,
    pub(super) service: String,
    pub(super) pod: String,
}

/// What a process answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `None`: an error's.
    pub(super) body: Option<Body>,
    pub(super) items: Option<u32>,
    pub(super) given: Values,
}

impl Answer {
    /// An answer with an error's body.
    pub(super) fn error(status: u16, given: Values) -> Self {
        Self {
            status,
            body: None,
            items: None,
            given,
        }
    }

    /// What its body is.
    pub(super) fn content(&self) -> String {
        self.body.as_ref().map_or_else(|| wire::ERROR.to_owned(), wire::content)
    }
}

/// Header of a call between stand-ins: the user's name.
pub(super) const USER: &str = "x-steadfast-user";
/// Header of a call between stand-ins: the values that the user's request carried, a JSON object.
pub(super) const VALUES: &str = "x-steadfast-values";
/// Header of an answer: the values given, a JSON object.
pub(super) const GIVEN: &str = "x-steadfast-given";
