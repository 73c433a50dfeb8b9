//! From a journey to a [`Trip`]: what the simulation cannot interpret is refused here, before the load starts.

use super::compile;
use super::error::InstallError;
use super::load::{Check, Stop, Taken, Trip};
use super::tables::{Content, Op, Tables};
use crate::model::application::Body;
use crate::model::journey::{Connection, Expect, Journey, Request, Source, find};
use crate::model::time::Span;

/// Compiles a journey into `namespace`. Where no application is installed every request is accepted: assumed images answer
/// everything.
pub(super) fn trip(tables: &mut Tables, namespace: &str, name: &str, journey: &Journey) -> Result<Trip, InstallError> {
    if !(1..=10_000).contains(&journey.rate) {
        return Err(InstallError::Rate {
            journey: name.to_owned(),
            rate: journey.rate,
        });
    }
    if journey.steps.is_empty() {
        return Err(InstallError::NoSteps {
            journey: name.to_owned(),
        });
    }
    let described = tables
        .models
        .iter()
        .any(|model| !model.assumed && model.current && &*model.namespace == namespace);
    let mut known: Vec<&str> = journey.values.keys().map(String::as_str).collect();
    let values = known.iter().map(|name| tables.value(name)).collect();
    let mut steps = Vec::with_capacity(journey.steps.len());
    for (number, request) in journey.steps.iter().enumerate() {
        let at = || format!("journey `{name}`, step {number}");
        let limit = request.timeout.unwrap_or(journey.timeout);
        if limit.is_zero() {
            return Err(InstallError::Timeout {
                place: if request.timeout.is_some() {
                    at()
                } else {
                    format!("journey `{name}`")
                },
            });
        }
        let target = if described {
            compile::aim(tables, namespace, &journey.entry, &request.request, at)?
        } else {
            let line = compile::line(&request.request, at)?;
            tables.aim(namespace, &journey.entry, &line).0
        };
        let uses = uses(tables, request, &known, at)?;
        let expect = match &request.expect {
            None => None,
            Some(expect) => Some(check(tables, target, expect, at)?),
        };
        let extract = extract(tables, target, request, at)?;
        known.extend(request.extract.keys().map(String::as_str));
        steps.push(Stop {
            target,
            timeout: Span::from(limit),
            expect,
            uses,
            extract,
        });
    }
    Ok(Trip {
        rate: journey.rate,
        kept_alive: journey.connection == Connection::KeptAlive,
        values,
        steps,
        items: journey.items,
    })
}

/// The values that a request carries.
fn uses(
    tables: &mut Tables,
    request: &Request,
    known: &[&str],
    at: impl Fn() -> String,
) -> Result<Vec<u16>, InstallError> {
    let refused = |source| InstallError::Template { place: at(), source };
    let mut uses = Vec::new();
    for name in request.uses().map_err(refused)? {
        if !known.contains(&name) {
            return Err(refused(crate::model::journey::TemplateError::Unknown(name.to_owned())));
        }
        uses.push(tables.value(name));
    }
    Ok(uses)
}

fn check(tables: &mut Tables, target: u32, expect: &Expect, at: impl Fn() -> String) -> Result<Check, InstallError> {
    for range in &expect.status.0 {
        compile::status(range.from, &at)?;
        compile::status(range.to, &at)?;
    }
    let holding = expect.looks_into_body().then(|| {
        let holds = |body: &Body| text(body).is_some_and(|text| expect.holds_for(&text));
        let bodies = tables.bodies().filter(|(_, body)| holds(body));
        bodies.map(|(content, _)| content).collect::<Vec<_>>()
    });
    let count = expect.only_count();
    // What the expected route answers must be able to meet it, or no run would ever be steady.
    if let Some(holding) = &holding
        && count.is_none()
        && !expected(tables, target).is_some_and(|(body, _)| holding.contains(&body))
    {
        return Err(InstallError::CannotCheck {
            place: at(),
            service: service(tables, target),
        });
    }
    let body = expect.body.as_ref().map(|body| tables.content(body));
    Ok(Check {
        status: expect.status.clone(),
        body,
        holding,
        count,
    })
}

fn extract(
    tables: &mut Tables,
    target: u32,
    request: &Request,
    at: impl Fn() -> String,
) -> Result<Vec<Taken>, InstallError> {
    let mut all = Vec::new();
    for (name, source) in &request.extract {
        let value = tables.value(name);
        let from: Vec<Content> = match source {
            Source::Json(pointer) => tables
                .bodies()
                .filter(|(_, body)| matches!(body, Body::Sample(sample) if find(sample, pointer).is_some()))
                .map(|(content, _)| content)
                .collect(),
            // Bodies' texts are not searched here, and headers and cookies not modelled: these are found by their names.
            Source::Header(_) | Source::Cookie(_) | Source::Regex(_) => Vec::new(),
        };
        let possible = expected(tables, target)
            .is_some_and(|(body, route)| from.contains(&body) || gives(tables, route, value, &mut Vec::new()));
        if !possible {
            return Err(InstallError::CannotExtract {
                place: at(),
                service: service(tables, target),
                value: name.clone(),
            });
        }
        all.push(Taken { value, from });
    }
    Ok(all)
}

/// The body of the expected answer, and its route.
fn expected(tables: &Tables, target: u32) -> Option<(Content, u32)> {
    let route = tables.expected(target)?;
    Some((tables.routes[route as usize].body, route))
}

/// Whether a route, or what it calls, gives a value.
fn gives(tables: &Tables, route: u32, value: u16, seen: &mut Vec<u32>) -> bool {
    if seen.contains(&route) {
        return false;
    }
    seen.push(route);
    let own = &tables.routes[route as usize];
    tables.ops[own.first as usize..own.end as usize]
        .iter()
        .any(|op| matches!(op, Op::Gives(given, _) if *given == value))
        || tables
            .calls_of(route)
            .filter_map(|call| tables.expected(call.target))
            .any(|next| gives(tables, next, value, seen))
}

fn service(tables: &Tables, target: u32) -> String {
    tables.names[tables.targets[target as usize].name as usize]
        .1
        .to_string()
}

/// The text of a body, where the model says it.
fn text(body: &Body) -> Option<String> {
    match body {
        Body::Sample(sample) => Some(sample.to_string()),
        Body::Text(text) => Some(text.clone()),
        Body::Empty | Body::Page | Body::Json(_) => None,
    }
}
