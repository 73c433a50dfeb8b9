//! A slot: one user with a cookie jar and a connection, who makes the requests of a journey.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, COOKIE, HOST, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;

use super::answer::Answer;
use super::client::{Keep, LINE, Line, client};
use super::cookies::Jar;
use super::failure::{self, Failed};
use super::pacer::Due;
use super::state::{Outcome, Shared};
use super::trip::{Stop, Trip};
use super::{Clock, Entry, POD_HEADER};
use crate::model::history::FailureKind;
use crate::model::history::tally::Place;
use crate::model::journey::{Auth, Payload, fill};

/// An answer whose body is longer than this is not read on: 16 MiB. It counts as unexpected content.
const LONGEST_BODY: usize = 16 << 20;

/// All that slots of one journey have in common.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) trip: Trip,
    pub(super) entry: Entry,
    /// The connections that all slots share; without it each has its own.
    pub(super) standing: Option<Client>,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
}

/// Runs one slot, to its one outcome.
pub(super) async fn run(route: Arc<Route>, due: Due, place: Place) {
    let line = Arc::new(Line::default());
    route.shared.lock().lags.add(route.clock.now().since(due.planned).0);
    let outcome = LINE.scope(Arc::clone(&line), visit(&route, &line)).await;
    let now = route.clock.now();
    let mut state = route.shared.lock();
    state.in_flight -= 1;
    state.connections += u64::from(line.connections());
    state.decide(due.journey, place, due.planned, outcome, now);
}

async fn visit(route: &Route, line: &Line) -> Outcome {
    let trip = &route.trip;
    let keep = if trip.kept_alive { Keep::One } else { Keep::None };
    let client = match &route.standing {
        Some(client) => client.clone(),
        None => match client(keep) {
            Ok(client) => client,
            Err(error) => return Outcome::NotSent(error.to_string()),
        },
    };
    let mut jar = Jar::default();
    let mut values = trip.values.clone();
    let mut counted = None;
    for (step, stop) in (0..).zip(&trip.stops) {
        let asked = ask(route, &client, line, stop, &mut jar, &values).await;
        let failure = match &asked {
            Ok(answer) => {
                if let Some(pod) = answer.header(POD_HEADER) {
                    route.shared.lock().answered(pod);
                }
                let differs = stop
                    .expect
                    .as_ref()
                    .and_then(|expect| answer.differs(&trip.service, expect));
                differs.or_else(|| (!answer.extract(stop, &jar, &mut values)).then_some(FailureKind::Content))
            }
            Err(Failed::NotSent(why)) => return Outcome::NotSent(why.clone()),
            // Without expectations any answer or none will do, unless something is to be taken from it.
            Err(Failed::As(kind)) => (stop.expect.is_some() || !stop.extract.is_empty()).then_some(*kind),
        };
        if let Some(kind) = failure {
            return Outcome::Failed { step, kind };
        }
        counted = asked
            .ok()
            .filter(|_| trip.items.is_some())
            .and_then(|answer| answer.items());
    }
    Outcome::Good {
        anomaly: trip.items.is_some() && trip.items != counted,
    }
}

/// Makes one request and reads the whole answer, within the step's time-out.
async fn ask(
    route: &Route,
    client: &Client,
    line: &Line,
    stop: &Stop,
    jar: &mut Jar,
    values: &BTreeMap<String, String>,
) -> Result<Answer, Failed> {
    let Some((request, path)) = write(route, client, stop, jar, values) else {
        // A value that an answer gave cannot stand in a request.
        return Err(Failed::As(FailureKind::Content));
    };
    let keep_body = stop.reads_body() || route.trip.items.is_some();
    line.begin();
    let Ok(answer) = tokio::time::timeout(stop.timeout, read(request, keep_body, line)).await else {
        return Err(Failed::As(failure::late(line.phase())));
    };
    let answer = answer?;
    jar.take(&answer.headers, &path);
    Ok(answer)
}

async fn read(request: RequestBuilder, keep_body: bool, line: &Line) -> Result<Answer, Failed> {
    let failed = |error: reqwest::Error| failure::read(&error, line.phase());
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        length += chunk.len();
        if length > LONGEST_BODY {
            return Err(Failed::As(FailureKind::Content));
        }
        if keep_body {
            body.extend_from_slice(&chunk);
        }
    }
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

/// The request with its values, and its path; `None` when a value makes it none.
fn write(
    route: &Route,
    client: &Client,
    stop: &Stop,
    jar: &Jar,
    values: &BTreeMap<String, String>,
) -> Option<(RequestBuilder, String)> {
    let put = |text: &str| fill(text, values).ok();
    let path = put(&stop.path)?;
    let url = Url::parse(&format!("http://{}{path}", route.entry.address)).ok()?;
    let mut request = client.request(stop.method.clone(), url);
    if let Some(host) = &route.entry.host {
        request = request.header(HOST, host);
    }
    for (name, value) in &stop.headers {
        request = request.header(name, HeaderValue::from_str(&put(value)?).ok()?);
    }
    if let Some(cookies) = jar.header(&path) {
        request = request.header(COOKIE, HeaderValue::from_str(&cookies).ok()?);
    }
    request = match &stop.auth {
        None => request,
        Some(Auth::Bearer(token)) => request.bearer_auth(put(token)?),
        Some(Auth::Basic { user, password }) => request.basic_auth(put(user)?, Some(put(password)?)),
    };
    let typed = |request: RequestBuilder, kind: &'static str, body: String| {
        let given = stop.headers.iter().any(|(name, _)| name == CONTENT_TYPE);
        let request = if given {
            request
        } else {
            request.header(CONTENT_TYPE, kind)
        };
        request.body(body)
    };
    request = match &stop.body {
        None => request,
        Some(Payload::Text(text)) => typed(request, "text/plain; charset=utf-8", put(text)?),
        Some(Payload::Json(json)) => typed(request, "application/json", filled(json, values)?.to_string()),
        Some(Payload::Form(fields)) => {
            let mut form = Url::parse("http://form/").ok()?;
            for (name, value) in fields {
                form.query_pairs_mut().append_pair(name, &put(value)?);
            }
            let form = form.query().unwrap_or_default().to_owned();
            typed(request, "application/x-www-form-urlencoded", form)
        }
    };
    Some((request, path))
}

/// A JSON body with the values in its texts.
fn filled(json: &Value, values: &BTreeMap<String, String>) -> Option<Value> {
    Some(match json {
        Value::String(text) => Value::String(fill(text, values).ok()?),
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, values)).collect::<Option<_>>()?),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| Some((name.clone(), filled(value, values)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => json.clone(),
    })
}
