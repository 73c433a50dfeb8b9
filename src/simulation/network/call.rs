//! The calls of a handler: making them, and what it does about what comes back.

use super::frame::{Caller, Frame, NOWHERE, Outcome, Phase};
use super::pod::Idle;
use super::queue::What;
use super::slab::Key;
use super::{Effect, Network};
use crate::model::application::Reaction;
use crate::model::history::FailureKind;
use crate::model::reacting::{self, Then};
use crate::model::time::Time;
use crate::simulation::fabric::{Fabric, Origin, PodId};

impl Network {
    /// Makes the calls of a step; the outcome when an open breaker answers instead.
    #[inline]
    pub(super) fn call(&mut self, key: Key, first: u32, count: u16, fabric: &Fabric) -> Option<Outcome> {
        let &Frame {
            pod,
            incarnation,
            route,
            machine,
            user,
            ..
        } = self.frames.get(key)?;
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
            let mut frame = Frame::new(
                Caller::Handler(key),
                user,
                call.target,
                Origin::Machine(machine),
                deadline,
            );
            (frame.call, frame.position) = (index, position);
            self.hops += 1;
            let request = self.frames.insert(frame);
            self.make(request, pod, incarnation, fabric);
        }
        None
    }

    /// Makes a call of a process, once its pool has a connection for it.
    #[inline]
    fn make(&mut self, request: Key, pod: PodId, incarnation: u32, fabric: &Fabric) {
        let Some(frame) = self.frames.get(request) else { return };
        let (call, deadline) = (self.tables.calls[frame.call as usize], frame.deadline);
        let name = self.tables.targets[call.target as usize].name;
        if call.size > 0 && !self.memory(pod, incarnation).occupy(name, call.size, request) {
            if let Some(frame) = self.frames.get_mut(request) {
                frame.phase = Phase::Queued;
            }
            self.queue_limit(request, deadline);
            return;
        }
        self.dispatch(request, pod, incarnation, fabric);
    }

    /// Sends a call over an idle connection, or a new one.
    #[inline]
    fn dispatch(&mut self, request: Key, pod: PodId, incarnation: u32, fabric: &Fabric) {
        let Some(frame) = self.frames.get_mut(request) else {
            return;
        };
        frame.phase = Phase::Connecting;
        let call = self.tables.calls[frame.call as usize];
        if let Some(idle) = call.pooled {
            let name = self.tables.targets[call.target as usize].name;
            let now = self.now;
            while let Some(connection) = self.memory(pod, incarnation).take(name, now, idle) {
                if self.resume(request, connection.pod, connection.incarnation, fabric) {
                    return;
                }
            }
        }
        self.look_up(request, fabric);
    }

    /// Makes a failed call again: its wait is over.
    pub(super) fn repeat(&mut self, request: Key, fabric: &Fabric) {
        let Some(&Frame {
            caller: Caller::Handler(handler),
            call,
            ..
        }) = self.frames.get(request)
        else {
            return;
        };
        let Some(&Frame { pod, incarnation, .. }) =
            self.frames.get(handler).filter(|frame| frame.phase == Phase::Serving)
        else {
            self.frames.remove(request);
            return;
        };
        let now = self.now;
        let timeout = self.tables.calls[call as usize].timeout;
        if let Some(frame) = self.frames.get_mut(request) {
            frame.deadline = timeout.map_or(Time::NEVER, |limit| now + limit);
        }
        self.hops += 1;
        self.make(request, pod, incarnation, fabric);
    }

    /// Plans another try of a call that came to nothing, when it has one left.
    fn try_call_again(&mut self, child: &Frame, outcome: Outcome) -> bool {
        let Some(retry) = self.tables.calls[child.call as usize].retry else {
            return false;
        };
        if !reacting::again(retry.on, retry.times, child.tries, outcome.status()) {
            return false;
        }
        let mut again = Frame::new(child.caller, child.user, child.target, child.from, Time::NEVER);
        (again.call, again.position, again.tries) = (child.call, child.position, child.tries + 1);
        (again.phase, again.late) = (Phase::Waiting, true);
        let request = self.frames.insert(again);
        self.queue.push(self.now + retry.wait, What::Retry(request));
        true
    }

    /// A call of a limited pool has ended: the next one in the queue has its connection.
    fn next_in_queue(&mut self, pod: PodId, incarnation: u32, child: &Frame, fabric: &Fabric) {
        let call = self.tables.calls[child.call as usize];
        if call.size == 0 || child.phase == Phase::Queued {
            return;
        }
        let name = self.tables.targets[call.target as usize].name;
        self.memory(pod, incarnation).release(name);
        while let Some(request) = self.memory(pod, incarnation).next_queued(name) {
            if self
                .frames
                .get(request)
                .is_some_and(|frame| frame.phase == Phase::Queued)
            {
                self.memory(pod, incarnation).seize(name);
                return self.dispatch(request, pod, incarnation, fabric);
            }
        }
    }

    /// A handler is done.
    #[inline]
    pub(super) fn close(&mut self, key: Key, outcome: Outcome, fabric: &Fabric) {
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
        if matches!(frame.phase, Phase::Hung | Phase::Queued) {
            self.frames.remove(key);
        }
        self.deliver(&before, Outcome::Failed(FailureKind::ReadTimeout), fabric);
    }

    /// Brings an outcome to whoever waits for it.
    pub(super) fn deliver(&mut self, frame: &Frame, outcome: Outcome, fabric: &Fabric) {
        match frame.caller {
            Caller::Nobody => {}
            Caller::User(slot) => self.answered(slot, outcome, fabric),
            Caller::Probe(pod, plan) => self.probe_answered(pod, plan, outcome),
            Caller::Handler(handler) => self.returned(handler, frame, outcome, fabric),
        }
    }

    /// A handler's call has returned.
    fn returned(&mut self, key: Key, child: &Frame, outcome: Outcome, fabric: &Fabric) {
        let call = self.tables.calls[child.call as usize];
        let Some(&Frame { pod, incarnation, .. }) = self.frames.get(key).filter(|frame| frame.phase == Phase::Serving)
        else {
            return;
        };
        if call.pooled.is_some() && matches!(outcome, Outcome::Answer(..)) {
            let name = self.tables.targets[child.target as usize].name;
            let connection = Idle {
                pod: child.pod,
                incarnation: child.incarnation,
                since: self.now,
            };
            self.memory(pod, incarnation).keep(name, connection);
        }
        self.next_in_queue(pod, incarnation, child, fabric);
        if self.try_call_again(child, outcome) {
            return;
        }
        let Some(frame) = self.frames.get_mut(key) else { return };
        let reaction = reacting::reaction(call.unreachable, call.error, outcome.status());
        if let Outcome::Answer(_, _, count) = outcome
            && reaction.is_none()
            && call.relay_count
        {
            frame.count = count;
        }
        if let Some(reaction) = reaction
            && reaction != Reaction::Ignore
            && child.position < frame.decided
        {
            (frame.decided, frame.reaction, frame.outcome) = (child.position, reaction, outcome);
        }
        frame.pending -= 1;
        let &mut Frame {
            route,
            pending,
            decided,
            reaction: decision,
            outcome: failed,
            ..
        } = frame;
        let now = self.now;
        if let Some(breaker) = self.tables.routes[route as usize].breaker {
            self.memory(pod, incarnation)
                .called(route, now, breaker, reaction.is_some());
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
        let outcome = match reacting::then(reaction, failed.status()) {
            Then::Answer(status) => Outcome::error(status),
            Then::GoOn => return self.advance(key, fabric),
            Then::Crash => {
                if let Some(frame) = self.frames.get_mut(key) {
                    frame.phase = Phase::Crashing;
                    self.effects.push_back(Effect::Crash {
                        pod: frame.pod,
                        at: self.now,
                    });
                }
                return;
            }
        };
        self.close(key, outcome, fabric);
    }
}
