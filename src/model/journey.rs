//! A journey: what one user does, as data. The simulation interprets it in virtual time, the prober over HTTP.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::application::Body;

/// A sequence of requests of one user, made open loop at a rate.
///
/// A journey has one cookie jar and one connection, as a browser has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// The Kubernetes Service users enter by.
    pub entry: String,
    /// Journeys started per second; 1 to 10,000. Slot k starts at t0 + k/rate, whatever happened before.
    pub rate: u32,
    /// The user's longest wait for one answer, connecting included.
    #[serde(with = "super::units::text")]
    pub timeout: Duration,
    /// Whether the steps of one journey share a connection.
    #[serde(default)]
    pub connection: Connection,
    /// The requests in order.
    pub steps: Vec<Request>,
    /// How many items the last answer must count; another count is a consistency anomaly, not unavailability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
}

/// The connection of a journey's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// One kept-alive connection, pinned to one pod of the entry service until it breaks.
    #[default]
    KeptAlive,
    /// A new connection for every request.
    Fresh,
}

/// One request of a journey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Method and path, for example `GET /catalogue`.
    pub request: String,
    /// What the answer must be; without it any answer or none will do and the journey goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// What an answer must be for the journey to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status.
    pub status: u16,
    /// What the body must hold; without it the body is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}
