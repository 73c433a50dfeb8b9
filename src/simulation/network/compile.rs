//! From an application model to [`Tables`].

use std::collections::BTreeSet;

use super::error::InstallError;
use super::image;
use super::latencies::Range;
use super::tables::{Breaker, Call, Content, Exec, Model, Op, Retry, Route, Tables};
use crate::model::application::{self, Application, Between, Over, Reaction, Resolver, Service, Step};
use crate::model::request_line::RequestLine;
use crate::model::time::Span;
use crate::simulation::fabric::ModelId;

/// Most calls that a step makes at the same time.
const TOGETHER: usize = 1_000;

/// Most times that a failed call is made again.
const TRIES: u8 = 10;

/// Adds an application, or puts it in place of the one of this namespace.
pub(super) fn application(tables: &mut Tables, namespace: &str, app: &Application) -> Result<(), InstallError> {
    if app.version != 1 {
        return Err(InstallError::Version { found: app.version });
    }
    for model in &mut tables.models {
        if &*model.namespace == namespace {
            model.current = false;
        }
    }
    // Routes first: calls lead to routes of services that come later.
    let mut first_routes = Vec::new();
    for (name, service) in &app.services {
        first_routes.push(tables.routes.len() as u32);
        describe(tables, namespace, name, service)?;
    }
    for ((name, service), first) in app.services.iter().zip(&first_routes) {
        for (route, index) in service.routes.iter().zip(*first..) {
            steps(tables, namespace, name, service, route, index)?;
        }
    }
    let mut finite = BTreeSet::new();
    for ((name, service), first) in app.services.iter().zip(&first_routes) {
        for (route, index) in service.routes.iter().zip(*first..) {
            if !ends(tables, index, &mut Vec::new(), &mut finite) {
                return Err(InstallError::Endless {
                    place: place(name, &route.request),
                });
            }
        }
    }
    kinship(tables);
    Ok(())
}

fn place(service: &str, request: &str) -> String {
    format!("service `{service}`, route `{request}`")
}

fn describe(tables: &mut Tables, namespace: &str, name: &str, service: &Service) -> Result<(), InstallError> {
    let here = format!("service `{name}`");
    let mut model = Model {
        namespace: namespace.into(),
        name: name.into(),
        current: true,
        images: service
            .images
            .iter()
            .map(|image| image::repository(image).to_owned())
            .collect(),
        kin: 0,
        assumed: false,
        start: range(service.start, || format!("{here}, start"))?,
        shutdown: range(service.shutdown, || format!("{here}, shutdown"))?,
        runs: service
            .runs
            .map(|between| range(between, || format!("{here}, runs")))
            .transpose()?,
        exit: service.exit,
        exec: match &service.exec {
            application::Exec::Running => Exec::Running,
            application::Exec::Listening => Exec::Listening,
            application::Exec::Route(request) => Exec::Route(line(request, || format!("{here}, exec"))?),
            application::Exec::Exit(code) => Exec::Exit(*code),
        },
        waits_for: service.waits_for.clone(),
        patterns: Vec::new(),
    };
    let breaker = match service.breaker {
        Some(breaker) if breaker.failures == 0 => return Err(InstallError::Breaker { place: here }),
        Some(breaker) => {
            status(breaker.answer, || format!("{here}, breaker"))?;
            Some(Breaker {
                failures: breaker.failures,
                open: Span::from(breaker.open),
                answer: breaker.answer,
            })
        }
        None => None,
    };
    for route in &service.routes {
        let pattern = RequestLine::pattern(&route.request).ok_or_else(|| InstallError::RequestLine {
            place: here.clone(),
            request: route.request.clone(),
        })?;
        let at = || place(name, &route.request);
        status(route.answer, at)?;
        let body = tables.content(&route.body);
        model.patterns.push((pattern, tables.routes.len() as u32));
        let work = range(route.work, at)?;
        tables.routes.push(Route {
            work,
            cpu: route.cpu.map_or(Span::ZERO, Span::from),
            first: 0,
            end: 0,
            leaf: true,
            answer: route.answer,
            body,
            breaker,
        });
    }
    if service.routes.is_empty() {
        // Whoever says nothing of what a service answers gets 200.
        model.patterns.push((RequestLine::any(), tables.routes.len() as u32));
        tables.routes.push(Route {
            work: (Span::ZERO, Span::ZERO),
            cpu: Span::ZERO,
            first: 0,
            end: 0,
            leaf: true,
            answer: 200,
            body: Content::EMPTY,
            breaker,
        });
    }
    match tables
        .models
        .iter_mut()
        .find(|known| !known.assumed && known.is(namespace, name))
    {
        Some(known) => *known = model,
        None => tables.models.push(model),
    }
    Ok(())
}

fn steps(
    tables: &mut Tables,
    namespace: &str,
    name: &str,
    service: &Service,
    route: &application::Route,
    index: u32,
) -> Result<(), InstallError> {
    let at = || place(name, &route.request);
    let first = tables.ops.len() as u32;
    for wanted in &service.waits_for {
        if tables.described(namespace, wanted).is_none() && !tables.assuming.contains(namespace) {
            return Err(InstallError::UnknownService {
                place: format!("service `{name}`, waits_for"),
                callee: wanted.clone(),
            });
        }
    }
    for name in &route.needs {
        let value = tables.value(name);
        tables.ops.push(Op::Needs(value));
    }
    for step in &route.steps {
        let op = match step {
            Step::Call(one) => calls(tables, namespace, service.resolver, std::slice::from_ref(one), at)?,
            Step::Together(all) => calls(tables, namespace, service.resolver, all, at)?,
            Step::NeedsLogin(_) | Step::LogIn if !service.sessions => {
                return Err(InstallError::NoSessions { place: at() });
            }
            Step::Store(_) if !service.store => return Err(InstallError::NoStore { place: at() }),
            Step::NeedsLogin(answer) => {
                status(*answer, at)?;
                Op::NeedsLogin(*answer)
            }
            Step::LogIn => Op::LogIn,
            Step::Store(work) => Op::Store(*work),
        };
        tables.ops.push(op);
    }
    for (name, good) in &route.gives {
        let value = tables.value(name);
        tables.ops.push(Op::Gives(value, *good));
    }
    let end = tables.ops.len() as u32;
    let leaf = !tables.ops[first as usize..]
        .iter()
        .any(|op| matches!(op, Op::Calls(..)));
    let compiled = &mut tables.routes[index as usize];
    (compiled.first, compiled.end, compiled.leaf) = (first, end, leaf);
    Ok(())
}

fn calls(
    tables: &mut Tables,
    namespace: &str,
    resolver: Resolver,
    calls: &[application::Call],
    at: impl Fn() -> String,
) -> Result<Op, InstallError> {
    if calls.is_empty() || calls.len() > TOGETHER {
        return Err(InstallError::Together {
            place: at(),
            found: calls.len(),
        });
    }
    let first = tables.calls.len() as u32;
    for call in calls {
        let target = aim(tables, namespace, &call.to, &call.request, &at)?;
        for reaction in [call.unreachable, call.error] {
            if let Reaction::Answer(answer) | Reaction::RelayAs(answer) = reaction {
                status(answer, &at)?;
            }
        }
        if call.timeout.is_some_and(|limit| limit.is_zero()) {
            return Err(InstallError::Timeout { place: at() });
        }
        tables.calls.push(Call {
            target,
            pooled: match call.over {
                Over::Fresh => None,
                Over::Pooled { idle, .. } => Some(Span::from(idle)),
            },
            size: match call.over {
                Over::Pooled { size: Some(0), .. } => return Err(InstallError::Pool { place: at() }),
                Over::Pooled { size, .. } => size.unwrap_or(0),
                Over::Fresh => 0,
            },
            retry: match call.retry {
                Some(retry) if !(1..=TRIES).contains(&retry.times) => {
                    return Err(InstallError::Retries {
                        place: at(),
                        found: retry.times,
                    });
                }
                Some(retry) => Some(Retry {
                    times: retry.times,
                    wait: Span::from(retry.wait),
                    on: retry.on,
                }),
                None => None,
            },
            resolver,
            timeout: call.timeout.map(Span::from),
            unreachable: call.unreachable,
            error: call.error,
            relay_count: call.relay_count,
        });
    }
    Ok(Op::Calls(first, calls.len() as u16))
}

/// The target of a request that a model must describe.
pub(super) fn aim(
    tables: &mut Tables,
    namespace: &str,
    service: &str,
    request: &str,
    at: impl Fn() -> String,
) -> Result<u32, InstallError> {
    if tables.described(namespace, service).is_none() {
        if tables.assuming.contains(namespace) {
            let parsed = line(request, &at)?;
            return Ok(tables.aim(namespace, service, &parsed).0);
        }
        return Err(InstallError::UnknownService {
            place: at(),
            callee: service.to_owned(),
        });
    }
    let parsed = line(request, &at)?;
    match tables.aim(namespace, service, &parsed) {
        (target, true) => Ok(target),
        (_, false) => Err(InstallError::UnknownRoute {
            place: at(),
            callee: service.to_owned(),
            request: request.to_owned(),
        }),
    }
}

pub(super) fn line(request: &str, at: impl Fn() -> String) -> Result<RequestLine, InstallError> {
    RequestLine::parse(request).ok_or_else(|| InstallError::RequestLine {
        place: at(),
        request: request.to_owned(),
    })
}

pub(super) fn status(status: u16, at: impl Fn() -> String) -> Result<(), InstallError> {
    if (100..600).contains(&status) {
        Ok(())
    } else {
        Err(InstallError::Status { place: at(), status })
    }
}

fn range(between: Between, at: impl Fn() -> String) -> Result<Range, InstallError> {
    if between.from > between.to {
        return Err(InstallError::Range { place: at() });
    }
    Ok((Span::from(between.from), Span::from(between.to)))
}

/// Whether no chain of calls from `route` leads back into itself.
fn ends(tables: &Tables, route: u32, path: &mut Vec<u32>, finite: &mut BTreeSet<u32>) -> bool {
    if finite.contains(&route) {
        return true;
    }
    if path.contains(&route) {
        return false;
    }
    path.push(route);
    let all = tables.calls_of(route).all(|call| {
        tables
            .expected(call.target)
            .is_none_or(|next| ends(tables, next, path, finite))
    });
    path.pop();
    if all {
        finite.insert(route);
    }
    all
}

/// Numbers the models so that those of one namespace that share an image share a number.
pub(super) fn kinship(tables: &mut Tables) {
    for index in 0..tables.models.len() {
        let model = &tables.models[index];
        let kin = tables.models[..index]
            .iter()
            .find(|other| {
                other.namespace == model.namespace && other.images.iter().any(|image| model.images.contains(image))
            })
            .map_or(index as u32, |other| other.kin);
        tables.models[index].kin = kin;
    }
}

/// Adds a model that answers 200 to everything, unless the image already has one.
pub(super) fn assumption(tables: &mut Tables, namespace: &str, image: &str) -> ModelId {
    let repository = image::repository(image);
    let known = tables
        .models
        .iter()
        .position(|model| model.assumed && model.is(namespace, repository));
    let index = known.unwrap_or_else(|| {
        tables.models.push(Model {
            namespace: namespace.into(),
            name: repository.into(),
            current: true,
            images: vec![repository.to_owned()],
            kin: tables.models.len() as u32,
            assumed: true,
            start: (Span::ZERO, Span::ZERO),
            shutdown: (Span::ZERO, Span::ZERO),
            runs: None,
            exit: 0,
            exec: Exec::Running,
            waits_for: Vec::new(),
            patterns: Vec::new(),
        });
        tables.models.len() - 1
    });
    tables.models[index].current = true;
    ModelId(index as u32)
}
