//! Serving a request in a pod: its own work and its steps.

use super::Network;
use super::frame::{Caller, Outcome, Phase};
use super::queue::What;
use super::slab::Key;
use super::tables::{Content, Handler, Op};
use super::user::Kept;
use crate::model::application::Good;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, PodId, PodNet};

/// The status of a request without a value that it needs.
const UNAUTHORIZED: u16 = 401;

impl Network {
    /// The request is sent, `delay` from now, to a pod that listens.
    #[inline]
    pub(super) fn serve(&mut self, key: Key, pod: PodId, net: &PodNet, delay: Span) {
        let mut at = self.now + delay + self.round_trip();
        let Some(frame) = self.frames.get_mut(key) else { return };
        (frame.phase, frame.pod, frame.incarnation, frame.machine) =
            (Phase::Serving, pod, net.incarnation, net.machine);
        let deadline = frame.deadline;
        if let Caller::User(slot) = frame.caller
            && let Some(slot) = self.slots.get_mut(slot)
        {
            slot.connection = Some((pod, net.incarnation));
        }
        match self
            .tables
            .handler(net.model, self.tables.targets[frame.target as usize])
        {
            Handler::Route(index) => {
                let route = self.tables.routes[index as usize];
                frame.route = index;
                at += self.chance.work.span(route.work.0, route.work.1);
                if route.cpu > Span::ZERO {
                    self.use_cpu(pod, route.cpu);
                }
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

    /// Lets a call that waits for a connection give up at `deadline`.
    pub(super) fn queue_limit(&mut self, key: Key, deadline: Time) {
        if deadline < Time::NEVER {
            self.queue.push(deadline, What::Expire(key));
        }
    }

    /// Takes all steps of a route without calls.
    #[inline]
    pub(super) fn run_leaf(&mut self, key: Key) -> Outcome {
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
            Op::NeedsLogin(status) if !slot.as_deref_mut().is_some_and(|slot| slot.logged_in(process)) => {
                return Some(Outcome::error(status));
            }
            Op::LogIn => {
                if let Some(slot) = slot {
                    slot.log_in(process);
                }
            }
            Op::Store(work) => {
                let kept = match self.volumes.get(&frame.pod) {
                    Some(&volume) => Kept::Volume(volume),
                    None => Kept::Memory(frame.pod, frame.incarnation),
                };
                if let Some(count) = slot.and_then(|slot| slot.store(kept, work)) {
                    frame.count = Some(count);
                }
            }
            Op::Needs(value) => {
                let carried = slot.is_some_and(|slot| slot.carries(value, process, &self.load));
                if !carried {
                    return Some(Outcome::error(UNAUTHORIZED));
                }
            }
            Op::Gives(value, good) => {
                if let Some(slot) = slot {
                    slot.give(value, (good == Good::ThisProcess).then_some(process));
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
}
