//! The application model: what an image does, as data.
//!
//! One description has several interpreters: the simulation, and a real HTTP server. A model names
//! the services of an application, how long each takes to start, and for every route the calls it
//! makes, over which connections, and what it answers when a call fails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A whole application: `model.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Version of this format; 1.
    pub version: u32,
    /// The application's name.
    pub name: String,
    /// The services by the name of their Kubernetes Service.
    pub services: BTreeMap<String, Service>,
    /// The journeys users make through the application, by name.
    #[serde(default)]
    pub journeys: BTreeMap<String, super::journey::Journey>,
}

/// One service: the behaviour of one container image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Image repositories without tag whose containers behave like this, for example `weaveworksdemos/carts`.
    /// A registry host in front of the name in a manifest is ignored when matching.
    pub images: Vec<String>,
    /// From the start of the container until the process listens, lowest and highest, equally likely in between.
    pub start: Between,
    /// Services that must accept a connection before the process listens (it tries again every second).
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// From SIGTERM to the end of the process.
    #[serde(default)]
    pub shutdown: Between,
    /// A store inside each pod of this service: replicas are independent stores.
    #[serde(default)]
    pub store: bool,
    /// Sessions live in the memory of each pod (lost with the container).
    #[serde(default)]
    pub sessions: bool,
    /// The circuit breaker around this service's calls, per route.
    #[serde(default)]
    pub breaker: Option<Breaker>,
    /// What it answers, first match wins. A request that matches no route is answered 404.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// A length of time between two bounds, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// Least.
    #[serde(with = "super::units::text")]
    pub from: Duration,
    /// Most.
    #[serde(with = "super::units::text")]
    pub to: Duration,
}

/// A circuit breaker: after `failures` failed calls in a row the route answers `answer` without calling, for `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Consecutive failures that open it; at least 1.
    pub failures: u32,
    /// How long it stays open before one trial call.
    #[serde(with = "super::units::text")]
    pub open: Duration,
    /// The status answered while it is open.
    pub answer: u16,
}

/// One route of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Method and path: `GET /catalogue`. A path segment in braces matches anything (`GET /catalogue/{id}`), a
    /// last segment `*` the rest. The query of a request is not looked at.
    pub request: String,
    /// The service's own work, without the calls.
    #[serde(default)]
    pub work: Between,
    /// What the route does, in order; the first step that ends the request skips the rest.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The status when every step went well.
    #[serde(default = "ok")]
    pub answer: u16,
    /// What the body holds when every step went well.
    #[serde(default)]
    pub body: Body,
}

const fn ok() -> u16 {
    200
}

/// One step of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// One call to another service.
    Call(Call),
    /// Calls made at the same time; all must return. The first failure in list order decides.
    Together(Vec<Call>),
    /// Ends the request with this status unless the caller's session in this pod is logged in.
    NeedsLogin(u16),
    /// Remembers in this pod that the session is logged in (needs `sessions`).
    LogIn,
    /// Work on this pod's own store (needs `store`).
    Store(StoreWork),
}

/// What happens to the caller's items in the store of the pod that serves the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreWork {
    /// Adds one item.
    Add,
    /// Counts the items; the answer carries the count.
    Count,
    /// Removes all items.
    Clear,
    /// Reads something seeded, the same in every replica.
    Read,
    /// Writes something that no journey reads back.
    Write,
}

/// One call to another service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The Kubernetes Service called, by its name.
    pub to: String,
    /// Method and path, as in [`Route::request`].
    pub request: String,
    /// Over which connection.
    #[serde(default)]
    pub over: Over,
    /// The longest wait for the whole call; without it, only TCP's own limits end it.
    #[serde(default, with = "super::units::text_option", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// When no answer came: refused, unreachable, reset, timed out, name not resolved.
    #[serde(default)]
    pub unreachable: Reaction,
    /// When the answer is a status of 400 or above.
    #[serde(default)]
    pub error: Reaction,
    /// The answer's item count becomes this route's.
    #[serde(default)]
    pub relay_count: bool,
}

/// The connection a call uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Over {
    /// A new connection for each call, after a new name look-up.
    #[default]
    Fresh,
    /// A kept-alive connection of this pod, most recently used first; a new one (with a new name look-up) when all are
    /// busy. It is closed after `idle` without use. A call on a connection whose other end closed it is made
    /// again on a new one.
    Pooled {
        /// Closed when unused for so long.
        #[serde(with = "super::units::text")]
        idle: Duration,
    },
}

/// What a route does about a failed call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reaction {
    /// Ends the request with this status.
    Answer(u16),
    /// Relays the called service's status and error body (for no answer at all: 500).
    #[default]
    Relay,
    /// Relays the called service's error body, under this status.
    RelayAs(u16),
    /// Goes on as if nothing had happened.
    Ignore,
    /// The process crashes: this and all its other requests break off, the container restarts.
    Crash,
}

/// What a body holds, as far as a check looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Nothing a check looks at.
    #[default]
    Empty,
    /// An HTML page.
    Page,
    /// A named JSON content, for example `products` or `order`.
    Json(String),
}
