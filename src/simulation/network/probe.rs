//! Probes: requests of a kubelet to a container of its own machine.

use super::frame::{Caller, Frame, Outcome, Phase};
use super::queue::What;
use super::slab::Key;
use super::tables::Exec as Compiled;
use super::{Effect, Network};
use crate::model::request_line::RequestLine;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{ModelId, Origin, PodId, PodNet};

/// What a request to a container comes to, as far as it is known without making it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// This status, always.
    Status(u16),
    /// What this route makes of it.
    Route(u32),
}

/// What a command run in a container comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exec {
    /// Success while the process runs.
    Running,
    /// Success while it listens.
    Listening,
    /// What a route answers.
    Asks,
    /// This exit code.
    Ends(u8),
}

/// An answer within this time counts as one at once, as long as the caller waits for it.
const AT_ONCE: Span = Span::millis(100);

impl Network {
    /// What a request of a kubelet to a container of this model comes to. Routes that only answer, and within the time limit, need
    /// not be asked.
    #[must_use]
    pub fn look(&self, model: ModelId, request: &str, timeout: Span) -> Looked {
        RequestLine::parse(request).map_or(Looked::Status(404), |line| self.look_line(model, &line, timeout))
    }

    /// What a command in a container of this model comes to.
    #[must_use]
    pub fn exec(&self, model: ModelId) -> Exec {
        match self.tables.models[model.0 as usize].exec {
            Compiled::Running => Exec::Running,
            Compiled::Listening => Exec::Listening,
            Compiled::Route(_) => Exec::Asks,
            Compiled::Exit(code) => Exec::Ends(code),
        }
    }

    /// What the route that a command asks comes to.
    #[must_use]
    pub fn look_by_exec(&self, model: ModelId, timeout: Span) -> Looked {
        match &self.tables.models[model.0 as usize].exec {
            Compiled::Route(line) => self.look_line(model, line, timeout),
            _ => Looked::Status(200),
        }
    }

    fn look_line(&self, model: ModelId, request: &RequestLine, timeout: Span) -> Looked {
        let model = &self.tables.models[model.0 as usize];
        if model.assumed {
            return Looked::Status(200);
        }
        let Some(&(_, index)) = model.patterns.iter().find(|(pattern, _)| pattern.matches(request)) else {
            return Looked::Status(404);
        };
        let route = &self.tables.routes[index as usize];
        let slowest = Span(route.work.1.0 + 2 * self.latencies.round_trip.1.0);
        if route.first == route.end && slowest < timeout.min(AT_ONCE) {
            Looked::Status(route.answer)
        } else {
            Looked::Route(index)
        }
    }

    /// How long a route of this model works, calls aside; nothing where it has none for the request.
    pub fn works(&mut self, model: ModelId, request: &str) -> Span {
        let Looked::Route(index) = self.look(model, request, Span::ZERO) else {
            return Span::ZERO;
        };
        let (from, to) = self.tables.routes[index as usize].work;
        self.chance.probe.span(from, to)
    }

    /// Asks a route of a container; the answer comes as [`Effect::Probed`].
    pub fn probe(&mut self, now: Time, pod: PodId, net: &PodNet, route: u32, timeout: Span, plan: u32) {
        self.now = now;
        let origin = Origin::Machine(net.machine);
        let mut frame = Frame::new(
            Caller::Probe(pod, plan),
            Key::default(),
            u32::MAX,
            origin,
            now + timeout,
        );
        (frame.phase, frame.pod, frame.incarnation, frame.machine, frame.route) =
            (Phase::Serving, pod, net.incarnation, net.machine, route);
        let (from, to) = self.latencies.round_trip;
        let trips = Span(self.chance.probe.span(from, to).0 + self.chance.probe.span(from, to).0);
        let work = self.tables.routes[route as usize].work;
        let at = now + trips + self.chance.probe.span(work.0, work.1);
        let leaf = self.tables.routes[route as usize].leaf;
        let key = self.frames.insert(frame);
        if leaf {
            let outcome = self.run_leaf(key);
            if let Some(frame) = self.frames.get_mut(key) {
                frame.outcome = outcome;
            }
            self.queue.push(at, What::End(key));
        } else {
            self.queue.push(at, What::Begin(key));
        }
        self.queue.push_after(now, timeout, What::Expire(key));
    }

    /// Hands the answer to a probe to the world.
    pub(super) fn probe_answered(&mut self, pod: PodId, plan: u32, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Answer(status, ..) => Some(status),
            Outcome::Failed(_) => None,
        };
        let at = self.now;
        self.effects.push_back(Effect::Probed { pod, plan, answer, at });
    }
}
