//! The application model: what an image does, as data.
//!
//! One description has several interpreters: the simulation, and a real HTTP server. A model names
//! the services of an application, how long each takes to start, and for every route the calls it
//! makes, over which connections, and what it answers when a call fails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::between::Between;

/// The version of the format that this library reads and writes.
pub const VERSION: u32 = 1;

/// Why a text is not an application model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// It is not YAML, or not of the format's shape. The source says what and, where it can, at which line and column.
    #[error("not an application model")]
    Shape(#[source] serde_yaml::Error),
    /// It is written in another version of the format.
    #[error(
        "application model has version {found}, expected {VERSION}: use the release of steadfast that wrote it, or rewrite it"
    )]
    Version {
        /// The version it names.
        found: u32,
    },
}

/// A whole application: `model.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Version of this format; 1, and without it 1.
    #[serde(default = "version")]
    pub version: u32,
    /// The application's name.
    #[serde(default)]
    pub name: String,
    /// The services by the name of their Kubernetes Service.
    pub services: BTreeMap<String, Service>,
    /// The journeys users make through the application, by name.
    #[serde(default)]
    pub journeys: BTreeMap<String, super::journey::Journey>,
}

impl Application {
    /// A model without services and journeys, for an application that nobody has described.
    #[must_use]
    pub fn unnamed(name: &str) -> Self {
        Self {
            version: VERSION,
            name: name.to_owned(),
            services: BTreeMap::new(),
            journeys: BTreeMap::new(),
        }
    }

    /// Reads a `model.yaml`. Choices are written as maps of one entry, `unreachable: { answer: 500 }`, or as plain words
    /// where they hold nothing, `error: relay`.
    ///
    /// Only the shape is checked here; whether calls name services and routes that exist is checked where a model is
    /// installed.
    ///
    /// # Errors
    /// [`ModelError::Version`] when it names another version, even when the rest is unknown, too;
    /// [`ModelError::Shape`] when it is not YAML, or a field is missing, unknown or of the wrong kind.
    pub fn from_yaml(text: &str) -> Result<Self, ModelError> {
        from_yaml(text)
    }
}

const fn version() -> u32 {
    VERSION
}

/// Reads a versioned file in which choices are maps of one entry.
pub(super) fn from_yaml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ModelError> {
    /// The one field that every version has.
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default = "version")]
        version: u32,
    }
    let Versioned { version } = serde_yaml::from_str(text).map_err(ModelError::Shape)?;
    if version != VERSION {
        return Err(ModelError::Version { found: version });
    }
    serde_yaml::with::singleton_map_recursive::deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(ModelError::Shape)
}

/// One service: the behaviour of one container image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Image repositories without tag whose containers behave like this, for example `weaveworksdemos/carts`.
    /// A registry host in front of the name in a manifest is ignored when matching. Without any it is the containers of the
    /// workload that is called like this service, and those whose image's last name is the service's.
    #[serde(default)]
    pub images: Vec<String>,
    /// The port of its Kubernetes Service, where stand-ins call it (docs/stand-in.md); the simulation has no ports.
    #[serde(default = "http_port", skip_serializing_if = "is_http_port")]
    pub port: u16,
    /// The port on which its stand-in's container listens (the Service's `targetPort`), when it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<u16>,
    /// What its stand-in speaks: both sides of a call are stand-ins.
    #[serde(default, skip_serializing_if = "Speaks::is_http")]
    pub speaks: Speaks,
    /// From the start of the container until the process listens, lowest and highest, equally likely in between; without it
    /// at once.
    #[serde(default)]
    pub start: Between,
    /// Services that must accept a connection before the process listens (it tries again every second).
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// From SIGTERM to the end of the process.
    #[serde(default)]
    pub shutdown: Between,
    /// For a task: from then on until the process ends by itself. Without it the process serves until it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Between>,
    /// The exit code of a process that ends by itself; 0: it succeeded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exit: u8,
    /// What the commands come to that probes run in its container.
    #[serde(default, skip_serializing_if = "Exec::is_running")]
    pub exec: Exec,
    /// A store inside each pod of this service: replicas are independent stores.
    #[serde(default)]
    pub store: bool,
    /// Sessions live in the memory of each pod (lost with the container).
    #[serde(default)]
    pub sessions: bool,
    /// How its processes look up names.
    #[serde(default)]
    pub resolver: Resolver,
    /// The circuit breaker around this service's calls, per route.
    #[serde(default)]
    pub breaker: Option<Breaker>,
    /// What it answers, first match wins. A request that matches no route is answered 404; a service without any route answers
    /// every request with 200.
    #[serde(default)]
    pub routes: Vec<Route>,
}

const fn http_port() -> u16 {
    80
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_http_port(port: &u16) -> bool {
    *port == http_port()
}

/// What a stand-in speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// HTTP/1.1.
    #[default]
    Http,
    /// Lines of JSON over TCP, in the place of a database's or a queue's own protocol (docs/stand-in.md).
    Lines,
}

impl Speaks {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_http(&self) -> bool {
        matches!(self, Self::Http)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(code: &u8) -> bool {
    *code == 0
}

/// What a command comes to that a probe runs in a container (`exec`), whatever the command is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Exec {
    /// It succeeds while the process runs.
    #[default]
    Running,
    /// It succeeds once the process listens, as `pg_isready` does.
    Listening,
    /// It succeeds when this route answers below 400: `{ route: GET /health }`.
    Route(String),
    /// It ends with this code.
    Exit(u8),
}

impl Exec {
    fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

/// How a process looks up names: what its second try meets when the first found a dead name server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Resolver {
    /// Every try from a port of its own, so that kube-proxy chooses a name server anew (Go's resolver, net/dnsclient_unix.go).
    #[default]
    FreshPort,
    /// All tries from one port: the connection table sends them to the server of the first, until its endpoint is gone (musl,
    /// src/network/res_msend.c; glibc, resolv/res_send.c).
    SamePort,
}

/// A circuit breaker: after `failures` failed calls in a row the route answers `answer` without calling, for `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Consecutive failures that open it; at least 1.
    pub failures: u32,
    /// How long it stays open before one trial call.
    #[serde(with = "super::units::text")]
    #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
    pub open: Duration,
    /// The status answered while it is open.
    pub answer: u16,
}

/// One route of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Method and path: `GET /catalogue`. A path segment in braces matches anything (`GET /catalogue/{id}`), a
    /// last segment `*` the rest. The query of a request is not looked at. `*` alone is every request.
    pub request: String,
    /// The service's own work, without the calls.
    #[serde(default)]
    pub work: Between,
    /// CPU time that each request takes in the pod, for a HorizontalPodAutoscaler to see; it does not slow the request down
    /// (that is `work`). Without it the route takes none.
    #[serde(default, with = "super::units::text_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::units::Length>"))]
    pub cpu: Option<Duration>,
    /// Values that the request must carry, by the names that journeys extract them by (`${token}` in a step); a request without
    /// one of them, or with one that is not good here, is answered 401. What a service calls gets what it was called with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Values that the answer carries, for journeys to extract by these names, and where they are good.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gives: BTreeMap<String, Good>,
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

/// Where a value that a route gives is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Good {
    /// Wherever it is needed: a signed token, a number in a database.
    #[default]
    Anywhere,
    /// In the process that gave it alone: a session in memory, lost with the container and unknown to other replicas.
    ThisProcess,
}

/// One step of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::units::Length>"))]
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
    /// Whether it is made again when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// How a failed call is made again. The time-out of the call holds for each try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries after the first, 1 to 10.
    pub times: u8,
    /// From a failure to the next try.
    #[serde(default, with = "super::units::text")]
    #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
    pub wait: Duration,
    /// Which failures.
    #[serde(default)]
    pub on: RetryOn,
}

/// Which failures of a call are tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// No answer came.
    #[default]
    Unreachable,
    /// No answer came, or one with a status of 500 or above.
    ServerError,
}

/// The connection a call uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
        #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
        idle: Duration,
        /// The most connections of one pod to that Service, at least 1; a call that finds all of them busy waits for one. Without it
        /// there is no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u32>,
    },
}

/// What a route does about a failed call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Nothing a check looks at.
    #[default]
    Empty,
    /// An HTML page.
    Page,
    /// A named JSON content, for example `products` or `order`.
    Json(String),
    /// JSON that is always the same: journeys may look into it.
    Sample(serde_json::Value),
    /// A text that is always the same: journeys may look into it.
    Text(String),
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    const SMALL: &str = "
version: 1
name: small
services:
  web:
    images: [example/web]
    start: { from: 1s, to: 2s }
    routes:
      - request: GET /
        steps:
          - call: { to: db, request: GET /rows, over: { pooled: { idle: 5s } }, unreachable: crash, error: { relay-as: 200 } }
          - together: [{ to: db, request: GET /rows }]
          - needs-login: 500
          - log-in
          - store: count
        body: { json: rows }
";

    fn cause(text: &str) -> String {
        Application::from_yaml(text).unwrap_err().source().unwrap().to_string()
    }

    #[test]
    fn choices_are_maps_of_one_entry_or_plain_words() {
        let model = Application::from_yaml(SMALL).unwrap();
        let route = &model.services["web"].routes[0];
        assert_eq!(route.body, Body::Json("rows".into()));
        let Step::Call(call) = &route.steps[0] else {
            panic!("{:?}", route.steps[0])
        };
        assert_eq!(
            call.over,
            Over::Pooled {
                idle: Duration::from_secs(5),
                size: None,
            }
        );
        assert_eq!(
            (call.unreachable, call.error),
            (Reaction::Crash, Reaction::RelayAs(200))
        );
        assert_eq!(
            route.steps[2..],
            [Step::NeedsLogin(500), Step::LogIn, Step::Store(StoreWork::Count)]
        );
    }

    #[test]
    fn another_version_is_named_even_when_the_rest_is_unknown() {
        let error = Application::from_yaml("version: 2\nnew: field\n").unwrap_err();
        assert!(matches!(error, ModelError::Version { found: 2 }), "{error}");
        assert!(error.to_string().contains("version 2, expected 1"), "{error}");
    }

    #[test]
    fn a_misspelt_field_is_named_with_its_line() {
        let cause = cause(&SMALL.replace("unreachable", "unreachabel"));
        assert!(cause.contains("unreachabel") && cause.contains("line 11"), "{cause}");
    }

    #[test]
    fn a_length_of_time_without_a_unit_is_refused_with_its_line() {
        let cause = cause(&SMALL.replace("from: 1s", "from: 1"));
        assert!(cause.contains("line 7"), "{cause}");
    }

    #[test]
    fn broken_yaml_is_refused_with_its_line() {
        let cause = cause("version: 1\n  name: [\n");
        assert!(cause.contains("at line "), "{cause}");
    }
}
