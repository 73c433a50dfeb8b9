//! Why a model or a load was not accepted.

use crate::model::journey::TemplateError;

/// Why an application model or a journey was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// A pool without connections.
    #[error("{place}: a pool of 0 connections serves nobody: give it a size of at least 1, or none for no limit")]
    Pool {
        /// Where.
        place: String,
    },
    /// A number of tries out of range.
    #[error("{place}: a call is made again {found} times: expected 1 to 10")]
    Retries {
        /// Where.
        place: String,
        /// The number given.
        found: u8,
    },
    /// The format of the model is not known.
    #[error("version {found} of the application model is not known: expected 1")]
    Version {
        /// The version it states.
        found: u32,
    },
    /// A service calls, or waits for, one that the model does not describe.
    #[error("{place}: service `{callee}` is not described: add it under `services`")]
    UnknownService {
        /// Where it is named.
        place: String,
        /// The name.
        callee: String,
    },
    /// No route of the called service matches.
    #[error("{place}: service `{callee}` has no route that matches `{request}`")]
    UnknownRoute {
        /// Where it is named.
        place: String,
        /// The called service.
        callee: String,
        /// The request.
        request: String,
    },
    /// Not a request line.
    #[error("{place}: `{request}` is not a request: expected a method and a path such as `GET /catalogue`")]
    RequestLine {
        /// Where it stands.
        place: String,
        /// The text.
        request: String,
    },
    /// A step works on the store of a service without one.
    #[error("{place}: a `store` step needs `store: true` on the service")]
    NoStore {
        /// The service and route.
        place: String,
    },
    /// A step asks for the sessions of a service without them.
    #[error("{place}: `needs-login` and `log-in` need `sessions: true` on the service")]
    NoSessions {
        /// The service and route.
        place: String,
    },
    /// Not an HTTP status.
    #[error("{place}: {status} is not an HTTP status: expected 100 to 599")]
    Status {
        /// Where it stands.
        place: String,
        /// The number.
        status: u16,
    },
    /// A range whose bounds are the wrong way round.
    #[error("{place}: `from` is longer than `to`")]
    Range {
        /// Where it stands.
        place: String,
    },
    /// A breaker that would always be open.
    #[error("{place}: a breaker needs at least 1 failure to open")]
    Breaker {
        /// The service.
        place: String,
    },
    /// More than can be made at once.
    #[error("{place}: {found} calls together: expected 1 to 1000")]
    Together {
        /// The service and route.
        place: String,
        /// How many there are.
        found: usize,
    },
    /// Routes that call each other for ever.
    #[error("{place}: its calls lead round in a circle")]
    Endless {
        /// The first service and route whose calls do.
        place: String,
    },
    /// A rate out of range.
    #[error("journey `{journey}`: rate {rate} is out of range: expected 1 to 10,000 per second")]
    Rate {
        /// The journey.
        journey: String,
        /// Its rate.
        rate: u32,
    },
    /// A time-out that nothing could meet.
    #[error("{place}: a time-out of zero: expected more")]
    Timeout {
        /// Where it stands.
        place: String,
    },
    /// A journey without requests.
    #[error("journey `{journey}`: no steps: expected at least one request")]
    NoSteps {
        /// The journey.
        journey: String,
    },
    /// A step uses a value that nothing gives it.
    #[error("{place}: a value cannot be put in")]
    Template {
        /// The journey and step.
        place: String,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A step looks for something in a body of which the model says nothing.
    #[error(
        "{place}: the model does not say that the answer of `{service}` holds what the step looks for: give the route a body with \
         `sample` or `text` that does"
    )]
    CannotCheck {
        /// The journey and step.
        place: String,
        /// The service that answers.
        service: String,
    },
    /// A step takes a value from an answer of which the model does not say that it carries one.
    #[error(
        "{place}: the model does not say that the answer of `{service}` carries `{value}`: give the route `gives: {{ {value}: anywhere }}`, \
         or a body with a `sample` that holds it"
    )]
    CannotExtract {
        /// The journey and step.
        place: String,
        /// The service that answers.
        service: String,
        /// The value.
        value: String,
    },
}
