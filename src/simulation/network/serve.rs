//! Serving a request in a pod: work, steps, calls, reactions, and the way back of the outcome.

use super::frame::{Caller, Frame, NOWHERE, Outcome, Phase};
use super::pod::Idle;
use super::queue::What;
use super::slab::Key;
use super::tables::{Content, Handler, Op};
use super::{Effect, Network};
use crate::model::application::Reaction;
use crate::model::history::FailureKind;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, Origin, PodId, PodNet};

/// The least status of a failed call.
const ERROR: u16 = 400;

impl Network {
    /// The request is sent, `delay` from now, to a pod that listens.
    #[inline]
    pub(super) fn serve(&mut self, key: Key, pod: PodId, net: &PodNet, delay: Span) {
        let mut at = self.now + delay + self.round_trip();
        let Some(frame) = self.frames.get_mut(key) else { return };
        (frame.phase, frame.pod, frame.incarnation, frame.machine) = (Phase::Serving, pod, net.incarnation, net.machine);
        let deadline = frame.deadline;
        if let Caller::User(slot) = frame.caller
            && let Some(slot) = self.slots.get_mut(slot)
        {
            slot.connection = Some((pod, net.incarnation));
        }
        match self.tables.handler(net.model, self.tables.targets[frame.target as usize]) {
            Handler::Route(index) => {
                let route = self.tables.routes[index as usize];
                frame.route = index;
                at += self.chance.work.span(route.work.0, route.work.1);
                if !route.leaf {
                    self.queue.push(at, What::Begin(key));
                    self.limit(key, deadline);
                    return;
                }
                let outcome = self.run_leaf(key);
                if let Some(frame) = self.frames.get_mut(key) {
                    frame.outcome = outcome;
                }
            }
            Handler::Assumed => frame.outcome = Outcome::Answer(200, Content::EMPTY, None),
            Handler::Nobody => frame.outcome = Outcome::error(404),
        }
        if deadline < at {
            self.limit(key, deadline);
        }
        self.queue.push(at, What::End(key));
    }

    /// Lets the caller give up at `deadline`.
    #[inline]
    fn limit(&mut self, key: Key, deadline: Time) {
        if deadline < Time::NEVER {
            let after = deadline.since(self.now);
            // Only a wait that starts with its call is one of a few lengths.
            match self.frames.get(key) {
                Some(frame) if !frame.late => self.queue.push_after(self.now, after, What::Expire(key)),
                _ => self.queue.push(deadline, What::Expire(key)),
            }
        }
    }

    /// Takes all steps of a route without calls.
    #[inline]
    fn run_leaf(&mut self, key: Key) -> Outcome {
        loop {
            match self.step(key) {
                Some(Op::Calls(..)) => {}
                Some(op) => {
                    if let Some(outcome) = self.local(key, op) {
                        return outcome;
                    }
                }
                None => return self.success(key),
            }
        }
    }

    /// The next step of a handler; `None` after the last.
    #[inline]
    fn step(&mut self, key: Key) -> Option<Op> {
        let frame = self.frames.get_mut(key)?;
        let route = &self.tables.routes[frame.route as usize];
        let index = route.first + frame.step;
        frame.step += 1;
        (index < route.end).then(|| self.tables.ops[index as usize])
    }

    /// What a handler answers when every step went well.
    #[inline]
    fn success(&self, key: Key) -> Outcome {
        self.frames.get(key).map_or(Outcome::error(500), |frame| {
            let route = &self.tables.routes[frame.route as usize];
            Outcome::Answer(route.answer, route.body, frame.count)
        })
    }

    /// A step in the pod itself; the outcome when it ends the request.
    #[inline]
    fn local(&mut self, key: Key, op: Op) -> Option<Outcome> {
        let frame = self.frames.get_mut(key)?;
        let process = (frame.pod, frame.incarnation);
        let mut slot = self.slots.get_mut(frame.user);
        match op {
            // A user who is gone notices nothing, whatever the answer.
            Op::NeedsLogin(status) if !slot.as_deref_mut().is_some_and(|slot| slot.logged_in(process)) => return Some(Outcome::error(status)),
            Op::LogIn => {
                if let Some(slot) = slot {
                    slot.log_in(process);
                }
            }
            Op::Store(work) => {
                if let Some(count) = slot.and_then(|slot| slot.store(process, work)) {
                    frame.count = Some(count);
                }
            }
            Op::NeedsLogin(_) | Op::Calls(..) => {}
        }
        None
    }

    /// Goes on with a handler's steps until it waits for calls or is done.
    pub(super) fn advance(&mut self, key: Key, fabric: &Fabric) {
        if self.frames.get(key).is_none_or(|frame| frame.phase != Phase::Serving) {
            return;
        }
        let outcome = loop {
            match self.step(key) {
                Some(Op::Calls(first, count)) => match self.call(key, first, count, fabric) {
                    Some(outcome) => break outcome,
                    None => return,
                },
                Some(op) => {
                    if let Some(outcome) = self.local(key, op) {
                        break outcome;
                    }
                }
                None => break self.success(key),
            }
        };
        self.close(key, outcome, fabric);
    }

    /// Makes the calls of a step; the outcome when an open breaker answers instead.
    #[inline]
    fn call(&mut self, key: Key, first: u32, count: u16, fabric: &Fabric) -> Option<Outcome> {
        let &Frame { pod, incarnation, route, machine, user, .. } = self.frames.get(key)?;
        if let Some(breaker) = self.tables.routes[route as usize].breaker {
            let now = self.now;
            if !self.memory(pod, incarnation).may_call(route, now) {
                return Some(Outcome::error(breaker.answer));
            }
        }
        if let Some(frame) = self.frames.get_mut(key) {
            (frame.pending, frame.decided) = (count, NOWHERE);
        }
        for position in 0..count {
            let index = first + u32::from(position);
            let call = self.tables.calls[index as usize];
            let deadline = call.timeout.map_or(Time::NEVER, |limit| self.now + limit);
            let mut frame = Frame::new(Caller::Handler(key), user, call.target, Origin::Machine(machine), deadline);
            (frame.call, frame.position) = (index, position);
            self.hops += 1;
            let request = self.frames.insert(frame);
            let mut sent = false;
            if let Some(idle) = call.pooled {
                let name = self.tables.targets[call.target as usize].name;
                let now = self.now;
                while !sent && let Some(connection) = self.memory(pod, incarnation).take(name, now, idle) {
                    sent = self.resume(request, connection.pod, connection.incarnation, fabric);
                }
            }
            if !sent {
                self.look_up(request, fabric);
            }
        }
        None
    }

    /// A handler is done.
    #[inline]
    fn close(&mut self, key: Key, outcome: Outcome, fabric: &Fabric) {
        if let Some(&frame) = self.frames.get(key) {
            self.frames.remove(key);
            self.deliver(&frame, outcome, fabric);
        }
    }

    /// The end of a request whose outcome was known in advance.
    #[inline]
    pub(super) fn end(&mut self, key: Key, fabric: &Fabric) {
        if let Some(&frame) = self.frames.get(key)
            && matches!(frame.phase, Phase::Serving | Phase::Doomed)
        {
            self.frames.remove(key);
            self.deliver(&frame, frame.outcome, fabric);
        }
    }

    /// The caller of a request waits no longer. A handler goes on all the same.
    pub(super) fn expire(&mut self, key: Key, fabric: &Fabric) {
        let Some(frame) = self.frames.get_mut(key) else { return };
        let before = *frame;
        frame.caller = Caller::Nobody;
        if frame.phase == Phase::Hung {
            self.frames.remove(key);
        }
        self.deliver(&before, Outcome::Failed(FailureKind::ReadTimeout), fabric);
    }

    /// Brings an outcome to whoever waits for it.
    pub(super) fn deliver(&mut self, frame: &Frame, outcome: Outcome, fabric: &Fabric) {
        match frame.caller {
            Caller::Nobody => {}
            Caller::User(slot) => self.answered(slot, outcome, fabric),
            Caller::Handler(handler) => self.returned(handler, frame, outcome, fabric),
        }
    }

    /// A handler's call has returned.
    fn returned(&mut self, key: Key, child: &Frame, outcome: Outcome, fabric: &Fabric) {
        let call = self.tables.calls[child.call as usize];
        let Some(frame) = self.frames.get_mut(key).filter(|frame| frame.phase == Phase::Serving) else { return };
        let reaction = match outcome {
            Outcome::Answer(status, _, count) if status < ERROR => {
                if call.relay_count {
                    frame.count = count;
                }
                None
            }
            Outcome::Answer(..) => Some(call.error),
            Outcome::Failed(_) => Some(call.unreachable),
        };
        if let Some(reaction) = reaction
            && reaction != Reaction::Ignore
            && child.position < frame.decided
        {
            (frame.decided, frame.reaction, frame.outcome) = (child.position, reaction, outcome);
        }
        frame.pending -= 1;
        let &mut Frame { pod, incarnation, route, pending, decided, reaction: decision, outcome: failed, .. } = frame;
        let now = self.now;
        if let Some(breaker) = self.tables.routes[route as usize].breaker {
            self.memory(pod, incarnation).called(route, now, breaker, reaction.is_some());
        }
        if call.pooled.is_some() && matches!(outcome, Outcome::Answer(..)) {
            let name = self.tables.targets[child.target as usize].name;
            let connection = Idle { pod: child.pod, incarnation: child.incarnation, since: now };
            self.memory(pod, incarnation).keep(name, connection);
        }
        if pending > 0 {
            return;
        }
        if decided == NOWHERE {
            self.advance(key, fabric);
        } else {
            self.react(key, decision, failed, fabric);
        }
    }

    /// Does about a failed call what the model says.
    fn react(&mut self, key: Key, reaction: Reaction, failed: Outcome, fabric: &Fabric) {
        let outcome = match (reaction, failed) {
            (Reaction::Answer(status) | Reaction::RelayAs(status), _) => Outcome::error(status),
            (Reaction::Relay, Outcome::Answer(status, ..)) => Outcome::error(status),
            (Reaction::Relay, Outcome::Failed(_)) => Outcome::error(500),
            (Reaction::Ignore, _) => return self.advance(key, fabric),
            (Reaction::Crash, _) => {
                if let Some(frame) = self.frames.get_mut(key) {
                    frame.phase = Phase::Crashing;
                    self.effects.push_back(Effect::Crash { pod: frame.pod, at: self.now });
                }
                return;
            }
        };
        self.close(key, outcome, fabric);
    }
}
