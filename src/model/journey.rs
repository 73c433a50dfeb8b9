//! A journey: what one user does, as data. The simulation interprets it in virtual time, the prober over HTTP.
//!
//! ```
//! use steadfast::Units as _;
//! use steadfast::model::journey::{Journey, Request, Source};
//!
//! let order = Journey::through("web")
//!     .rate(5)
//!     .step(Request::get("/login").basic("ada", "secret").extract("token", Source::Json("/token".into())))
//!     .step(Request::post("/orders").bearer("${token}").json(serde_json::json!({"item": 7})).status(201).timeout(2.secs()));
//! assert_eq!(order.steps[1].request, "POST /orders");
//! ```

mod check;
mod request;
mod statuses;
mod template;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::application::{ModelError, VERSION};
use super::time::{Span, Time};

pub use check::{Expect, JsonCheck, find};
pub use request::{Auth, Payload, Request, Source};
pub use statuses::{StatusRange, Statuses};
pub use template::{TemplateError, fill, names};

/// A sequence of requests of one user, made open loop at a rate.
///
/// A journey has one cookie jar and one connection, as a browser has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// The Kubernetes Service users enter by.
    pub entry: String,
    /// Journeys started per second; 1 to 10,000, without it 10. Slot k starts at t0 + k/rate, whatever happened before.
    #[serde(default = "usual_rate")]
    pub rate: u32,
    /// The user's longest wait for one answer, connecting included; without it 5 s.
    #[serde(default = "usual_timeout", with = "super::units::text")]
    #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
    pub timeout: Duration,
    /// Whether the steps of one journey share a connection.
    #[serde(default)]
    pub connection: Connection,
    /// Values that are known from the start, for `${name}` in the steps: an access token, a user's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// The requests in order; a plain text is a request that must be answered with a status below 400.
    pub steps: Vec<Request>,
    /// How many items the last answer must count; another count is a consistency anomaly, not unavailability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
}

/// When slot `k` of a journey starts: exactly `k / rate` seconds after the first, rounded down to a microsecond, whatever happened
/// before. `rate` is at least 1.
#[must_use]
#[inline]
pub fn slot_start(began: Time, rate: u32, k: u64) -> Time {
    began + Span(k * 1_000_000 / u64::from(rate))
}

const fn usual_rate() -> u32 {
    10
}

const fn usual_timeout() -> Duration {
    Duration::from_secs(5)
}

/// The connection of a journey's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// One kept-alive connection, pinned to one pod of the entry service until it breaks.
    #[default]
    KeptAlive,
    /// A new connection for every request.
    Fresh,
}

impl Journey {
    /// A journey without steps yet, ten a second, that enters by this Service.
    pub fn through(entry: impl Into<String>) -> Self {
        Self {
            entry: entry.into(),
            rate: usual_rate(),
            timeout: usual_timeout(),
            ..Self::default()
        }
    }

    /// So many journeys a second, 1 to 10,000.
    #[must_use]
    pub const fn rate(mut self, per_second: u32) -> Self {
        self.rate = per_second;
        self
    }

    /// The longest wait for one answer.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Whether the steps share a connection.
    #[must_use]
    pub const fn connection(mut self, connection: Connection) -> Self {
        self.connection = connection;
        self
    }

    /// A value that is known from the start.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// The next request.
    #[must_use]
    pub fn step(mut self, request: Request) -> Self {
        self.steps.push(request);
        self
    }
}

/// A file of journeys by name, for an application whose model is elsewhere: the part `journeys` of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Journeys {
    /// Version of this format; 1, and without it 1.
    #[serde(default = "version")]
    pub version: u32,
    /// The journeys by name.
    pub journeys: BTreeMap<String, Journey>,
}

const fn version() -> u32 {
    VERSION
}

impl Journeys {
    /// Reads a file of journeys.
    ///
    /// # Errors
    /// As [`super::application::Application::from_yaml`].
    pub fn from_yaml(text: &str) -> Result<Self, ModelError> {
        super::application::from_yaml(text)
    }
}

#[cfg(test)]
mod tests;
