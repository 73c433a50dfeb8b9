//! From a journey to a [`Trip`]: what cannot be run is refused here, before the first slot.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::ProbeError;
use crate::model::application::Body;
use crate::model::journey::{Auth, Connection, Expect, Journey, Payload, Source, TemplateError};

/// A journey, ready to be run.
#[derive(Debug)]
pub(super) struct Trip {
    pub(super) name: String,
    /// The service that must answer.
    pub(super) service: String,
    pub(super) rate: u32,
    pub(super) kept_alive: bool,
    pub(super) values: BTreeMap<String, String>,
    pub(super) stops: Vec<Stop>,
    pub(super) items: Option<u32>,
}

/// One request of it.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) method: Method,
    /// A template.
    pub(super) path: String,
    /// The values are templates.
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) auth: Option<Auth>,
    pub(super) body: Option<Payload>,
    pub(super) timeout: Duration,
    pub(super) expect: Option<Expect>,
    pub(super) extract: Vec<(String, Find)>,
}

/// Where in an answer a value is.
#[derive(Debug)]
pub(super) enum Find {
    Header(HeaderName),
    Cookie(String),
    Json(String),
    Regex(Regex),
}

impl Stop {
    /// Whether anybody looks at the answer's body.
    pub(super) fn reads_body(&self) -> bool {
        let expected = self.expect.as_ref().is_some_and(|expect| {
            expect.looks_into_body() || expect.body.as_ref().is_some_and(|body| *body != Body::Empty)
        });
        expected
            || self
                .extract
                .iter()
                .any(|(_, find)| matches!(find, Find::Json(_) | Find::Regex(_)))
    }
}

/// Compiles a journey.
pub(super) fn trip(name: &str, journey: &Journey) -> Result<Trip, ProbeError> {
    if !(1..=10_000).contains(&journey.rate) {
        return Err(ProbeError::Rate {
            journey: name.to_owned(),
            rate: journey.rate,
        });
    }
    if journey.steps.is_empty() {
        return Err(ProbeError::NoSteps(name.to_owned()));
    }
    let mut known: Vec<&str> = journey.values.keys().map(String::as_str).collect();
    let mut stops = Vec::with_capacity(journey.steps.len());
    for (number, step) in journey.steps.iter().enumerate() {
        let place = || format!("journey `{name}`, step {number}");
        let refused = |source| ProbeError::Template { place: place(), source };
        for used in step.uses().map_err(refused)? {
            if !known.contains(&used) {
                return Err(refused(TemplateError::Unknown(used.to_owned())));
            }
        }
        known.extend(step.extract.keys().map(String::as_str));
        let timeout = step.timeout.unwrap_or(journey.timeout);
        if timeout.is_zero() {
            return Err(ProbeError::Timeout(place()));
        }
        let line = || ProbeError::RequestLine {
            place: place(),
            request: step.request.clone(),
        };
        let (method, path) = step.request.split_once(' ').ok_or_else(line)?;
        if !path.starts_with('/') || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(line());
        }
        let header = |name: &str| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| ProbeError::Header {
                place: place(),
                header: name.to_owned(),
            })
        };
        let mut headers = Vec::with_capacity(step.headers.len());
        for (name, value) in &step.headers {
            HeaderValue::from_str(value).map_err(|_| ProbeError::Header {
                place: place(),
                header: name.clone(),
            })?;
            headers.push((header(name)?, value.clone()));
        }
        let mut extract = Vec::with_capacity(step.extract.len());
        for (value, source) in &step.extract {
            let find = match source {
                Source::Header(name) => Find::Header(header(name)?),
                Source::Cookie(name) => Find::Cookie(name.clone()),
                Source::Json(pointer) => Find::Json(pointer.clone()),
                Source::Regex(pattern) => Find::Regex(Regex::new(pattern).map_err(|source| ProbeError::Pattern {
                    place: place(),
                    source: Box::new(source),
                })?),
            };
            extract.push((value.clone(), find));
        }
        stops.push(Stop {
            method: Method::from_bytes(method.as_bytes()).map_err(|_| line())?,
            path: path.to_owned(),
            headers,
            auth: step.auth.clone(),
            body: step.body.clone(),
            timeout,
            expect: step.expect.clone(),
            extract,
        });
    }
    Ok(Trip {
        name: name.to_owned(),
        service: journey.entry.clone(),
        rate: journey.rate,
        kept_alive: journey.connection == Connection::KeptAlive,
        values: journey.values.clone(),
        stops,
        items: journey.items,
    })
}
