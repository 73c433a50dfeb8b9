//! The installed application models, compiled: dense indices instead of names, for the hot path.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::image;
use super::latencies::Range;
use crate::model::application::{Body, Good, Reaction, Resolver, RetryOn, StoreWork};
use crate::model::request_line::RequestLine;
use crate::model::time::Span;
use crate::simulation::fabric::ModelId;

/// What a body holds, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content(u16);

impl Content {
    /// Nothing a check looks at.
    pub(super) const EMPTY: Self = Self(0);
    /// An HTML page.
    const PAGE: Self = Self(1);
    /// The body of an error: no check is ever met by it.
    pub(super) const ERROR: Self = Self(u16::MAX);
    /// From here on the named contents.
    const NAMED: usize = 2;
}

/// Everything installed. Entries are never removed, so that requests in flight keep their meaning over an installation.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// By [`ModelId`].
    pub(super) models: Vec<Model>,
    pub(super) routes: Vec<Route>,
    pub(super) ops: Vec<Op>,
    pub(super) calls: Vec<Call>,
    pub(super) targets: Vec<Target>,
    /// Namespace and name of every Service that is called.
    pub(super) names: Vec<(Arc<str>, Arc<str>)>,
    /// The namespaces in which images without a description are assumed to answer everything.
    pub(super) assuming: BTreeSet<String>,
    requests: Vec<RequestLine>,
    /// By [`Content`], from [`Content::NAMED`] on.
    contents: Vec<Body>,
    /// The names of the values that answers give and requests need.
    values: Vec<String>,
}

/// The behaviour of an image.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    /// False when a later installation left it out.
    pub(super) current: bool,
    /// Repositories of its images.
    pub(super) images: Vec<String>,
    /// Models that share an image share this number: which of them a pod is shows by the Service it is called by.
    pub(super) kin: u32,
    /// Answers 200 to everything.
    pub(super) assumed: bool,
    pub(super) start: Range,
    pub(super) shutdown: Range,
    /// How long a task runs.
    pub(super) runs: Option<Range>,
    pub(super) exit: u8,
    /// What commands that probes run in it come to.
    pub(super) exec: Exec,
    pub(super) waits_for: Vec<String>,
    /// Patterns in the order of their routes, each with the route's index.
    pub(super) patterns: Vec<(RequestLine, u32)>,
}

/// What commands that probes run in a container come to.
#[derive(Clone, Debug)]
pub(super) enum Exec {
    Running,
    Listening,
    Route(RequestLine),
    Exit(u8),
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) work: Range,
    /// CPU time of each request.
    pub(super) cpu: Span,
    /// Its steps in [`Tables::ops`].
    pub(super) first: u32,
    pub(super) end: u32,
    /// Makes no calls: its outcome is known at once.
    pub(super) leaf: bool,
    pub(super) answer: u16,
    pub(super) body: Content,
    pub(super) breaker: Option<Breaker>,
}

/// A circuit breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    pub(super) failures: u32,
    pub(super) open: Span,
    pub(super) answer: u16,
}

/// A step of a route.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Calls at the same time: where they begin in [`Tables::calls`], and how many.
    Calls(u32, u16),
    NeedsLogin(u16),
    LogIn,
    Store(StoreWork),
    /// The request must carry this value.
    Needs(u16),
    /// The answer carries this value; whether it is good in this process alone.
    Gives(u16, Good),
}

/// A call of one service by another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) target: u32,
    /// How long an unused connection is kept; `None`: a new one for each call.
    pub(super) pooled: Option<Span>,
    /// The most connections of its pool; 0: no limit.
    pub(super) size: u32,
    pub(super) retry: Option<Retry>,
    pub(super) resolver: Resolver,
    pub(super) timeout: Option<Span>,
    pub(super) unreachable: Reaction,
    pub(super) error: Reaction,
    pub(super) relay_count: bool,
}

/// How a call is made again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) times: u8,
    pub(super) wait: Span,
    pub(super) on: RetryOn,
}

/// What a request is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The Service, in [`Tables::names`].
    pub(super) name: u32,
    /// The request line, for a pod that behaves otherwise than expected.
    request: u32,
    /// The model and route expected behind that Service.
    expected: Option<(ModelId, u32)>,
}

/// Who answers a request in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// A route.
    Route(u32),
    /// An image assumed to answer 200.
    Assumed,
    /// Nobody: 404.
    Nobody,
}

impl Tables {
    /// Who answers the request for `target` in a pod of this model.
    #[inline]
    pub(super) fn handler(&self, model: Option<ModelId>, target: Target) -> Handler {
        let Some(model) = model.and_then(|id| Some((id, self.models.get(id.0 as usize)?))) else {
            return Handler::Nobody;
        };
        match target.expected {
            Some((expected, route)) if expected == model.0 || self.models[expected.0 as usize].kin == model.1.kin => {
                Handler::Route(route)
            }
            _ if model.1.assumed => Handler::Assumed,
            _ => self
                .matching(model.1, target.request)
                .map_or(Handler::Nobody, Handler::Route),
        }
    }

    fn matching(&self, model: &Model, request: u32) -> Option<u32> {
        let request = &self.requests[request as usize];
        model
            .patterns
            .iter()
            .find(|(pattern, _)| pattern.matches(request))
            .map(|&(_, route)| route)
    }

    /// The route behind a target, when a model describes it.
    pub(super) fn expected(&self, target: u32) -> Option<u32> {
        self.targets[target as usize].expected.map(|(_, route)| route)
    }

    /// The calls of a route in order.
    pub(super) fn calls_of(&self, route: u32) -> impl Iterator<Item = &Call> {
        let route = &self.routes[route as usize];
        self.ops[route.first as usize..route.end as usize]
            .iter()
            .flat_map(|op| match *op {
                Op::Calls(first, count) => &self.calls[first as usize..first as usize + usize::from(count)],
                _ => &[],
            })
    }

    /// The model of a service of an installed application.
    pub(super) fn described(&self, namespace: &str, service: &str) -> Option<ModelId> {
        let found = self
            .models
            .iter()
            .position(|model| !model.assumed && model.current && model.is(namespace, service));
        found.map(|index| ModelId(index as u32))
    }

    /// The model of an image; of several that fit the most exact one, then the one called `name`, then the first.
    pub(super) fn of_image(&self, namespace: &str, image: &str, name: Option<&str>) -> Option<ModelId> {
        let repository = image::repository(image);
        let mut best: Option<(ModelId, (usize, bool, bool))> = None;
        for (index, model) in self
            .models
            .iter()
            .enumerate()
            .filter(|(_, model)| model.current && &*model.namespace == namespace)
        {
            let fit = match model.images.as_slice() {
                // Nothing said: the workload's name, or the image's last one.
                [] if name == Some(&*model.name) => Some(1),
                [] => image::fits(repository, &model.name).then_some(0),
                images => images
                    .iter()
                    .filter(|described| image::fits(repository, described))
                    .map(String::len)
                    .max(),
            };
            let Some(length) = fit else { continue };
            let rank = (length, !model.assumed, name == Some(&*model.name));
            if best.is_none_or(|(_, other)| rank > other) {
                best = Some((ModelId(index as u32), rank));
            }
        }
        best.map(|(model, _)| model)
    }

    /// The target of a request to a service; `expected` when a model describes it.
    pub(super) fn aim(&mut self, namespace: &str, service: &str, request: &RequestLine) -> (u32, bool) {
        let expected = self.described(namespace, service).and_then(|id| {
            self.models[id.0 as usize]
                .patterns
                .iter()
                .find(|(pattern, _)| pattern.matches(request))
                .map(|&(_, route)| (id, route))
        });
        let target = Target {
            name: self.name(namespace, service),
            request: self.request(request),
            expected,
        };
        self.targets.push(target);
        (self.targets.len() as u32 - 1, expected.is_some())
    }

    fn name(&mut self, namespace: &str, service: &str) -> u32 {
        let known = self
            .names
            .iter()
            .position(|(ns, name)| &**ns == namespace && &**name == service);
        known.unwrap_or_else(|| {
            self.names.push((namespace.into(), service.into()));
            self.names.len() - 1
        }) as u32
    }

    fn request(&mut self, request: &RequestLine) -> u32 {
        self.requests
            .iter()
            .position(|known| known == request)
            .unwrap_or_else(|| {
                self.requests.push(request.clone());
                self.requests.len() - 1
            }) as u32
    }

    /// The number of a body.
    pub(super) fn content(&mut self, body: &Body) -> Content {
        match body {
            Body::Empty => Content::EMPTY,
            Body::Page => Content::PAGE,
            named => {
                let index = self
                    .contents
                    .iter()
                    .position(|known| known == named)
                    .unwrap_or_else(|| {
                        self.contents.push(named.clone());
                        self.contents.len() - 1
                    });
                Content((Content::NAMED + index) as u16)
            }
        }
    }

    /// Every body that holds something, with its number.
    pub(super) fn bodies(&self) -> impl Iterator<Item = (Content, &Body)> {
        let number = |index| Content((Content::NAMED + index) as u16);
        self.contents
            .iter()
            .enumerate()
            .map(move |(index, body)| (number(index), body))
    }

    /// The number of a value's name.
    pub(super) fn value(&mut self, name: &str) -> u16 {
        let known = self.values.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.values.push(name.to_owned());
            self.values.len() - 1
        }) as u16
    }
}

impl Model {
    /// Whether this is the service of that name.
    pub(super) fn is(&self, namespace: &str, service: &str) -> bool {
        &*self.namespace == namespace && &*self.name == service
    }
}
