//! A slot: one user with a connection, a session and a cart, who makes the requests of a journey.

use super::Network;
use super::frame::{Caller, Frame, Outcome};
use super::load::{Load, Taken};
use super::queue::What;
use super::slab::Key;
use super::tables::Content;
use crate::model::application::StoreWork;
use crate::model::history::FailureKind;
use crate::model::history::tally::Place;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, MachineId, Origin, PodId, Process};

/// A process in whose memory something is.
type In = (PodId, u32);

/// Where a store's items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// In the memory of a process.
    Memory(PodId, u32),
    /// On a volume, by its number: whoever mounts it finds them.
    Volume(u32),
}

/// One user under way.
///
/// What the pods remember of a user is kept here, by pod and incarnation: it is in each pod's own memory all the same, is gone with
/// the process, and is forgotten when nobody can ask for it any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) journey: usize,
    pub(super) place: Place,
    planned: Time,
    step: u32,
    /// The kept-alive connection.
    pub(super) connection: Option<In>,
    /// The node through which it runs, behind a load balancer.
    pub(super) via: Option<MachineId>,
    logins: Vec<In>,
    items: Vec<(Kept, u32)>,
    /// The values that the user has, and where each is good; nowhere named: everywhere.
    values: Vec<(u16, Option<In>)>,
    /// The values that the answer to the present request carries.
    given: Vec<(u16, Option<In>)>,
}

impl Slot {
    /// Whether the user's session in this process is logged in.
    pub(super) fn logged_in(&self, process: In) -> bool {
        self.logins.contains(&process)
    }

    /// Remembers the log-in.
    pub(super) fn log_in(&mut self, process: In) {
        if !self.logged_in(process) {
            self.logins.push(process);
        }
    }

    /// Whether the present request carries a value that is good in this process.
    pub(super) fn carries(&self, value: u16, process: In, load: &Load) -> bool {
        let uses = load
            .routes
            .get(self.journey)
            .and_then(|trip| trip.steps.get(self.step as usize));
        uses.is_some_and(|stop| stop.uses.contains(&value))
            && self
                .values
                .iter()
                .any(|(known, good)| *known == value && good.is_none_or(|good| good == process))
    }

    /// The answer to the present request carries a value.
    pub(super) fn give(&mut self, value: u16, good: Option<In>) {
        self.given.retain(|(known, _)| *known != value);
        self.given.push((value, good));
    }

    /// Takes the values that a request asks of its answer; false when one of them is not there.
    fn take(&mut self, wanted: &[Taken], body: Option<Content>) -> bool {
        for taken in wanted {
            let given = self.given.iter().find(|(known, _)| *known == taken.value).copied();
            let shown = || {
                body.filter(|body| taken.from.contains(body))
                    .map(|_| (taken.value, None))
            };
            let Some(value) = given.or_else(shown) else {
                return false;
            };
            self.values.retain(|(known, _)| *known != taken.value);
            self.values.push(value);
        }
        true
    }

    /// Works on the user's items in a store; the count for [`StoreWork::Count`].
    pub(super) fn store(&mut self, kept: Kept, work: StoreWork) -> Option<u32> {
        let index = self.items.iter().position(|(place, _)| *place == kept);
        match (work, index) {
            (StoreWork::Add, Some(index)) => self.items[index].1 += 1,
            (StoreWork::Add, None) => self.items.push((kept, 1)),
            (StoreWork::Count, index) => return Some(index.map_or(0, |index| self.items[index].1)),
            (StoreWork::Clear, Some(index)) => {
                self.items.swap_remove(index);
            }
            (StoreWork::Clear, None) | (StoreWork::Read | StoreWork::Write, _) => {}
        }
        None
    }
}

impl Network {
    /// Starts the next slot of a journey, and plans the one after.
    pub(super) fn start_slot(&mut self, load: u32, journey: u32, fabric: &Fabric) {
        let index = journey as usize;
        if load != self.load.number || self.load.upcoming(index) > self.now {
            return;
        }
        self.load.next[index] += 1;
        let following = self.load.upcoming(index);
        if following < Time::NEVER {
            self.queue.push(following, What::Start { load, journey });
        }
        let place = self.tally.plan(index, self.now);
        let (key, slot) = self.slots.reuse();
        (slot.journey, slot.place, slot.planned, slot.step, slot.connection) = (index, place, self.now, 0, None);
        slot.via = None;
        slot.logins.clear();
        slot.items.clear();
        slot.values.clear();
        slot.values
            .extend(self.load.routes[index].values.iter().map(|&value| (value, None)));
        self.send(key, fabric);
    }

    /// Makes the slot's next request.
    pub(super) fn send(&mut self, key: Key, fabric: &Fabric) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.given.clear();
        let trip = &self.load.routes[slot.journey];
        let stop = &trip.steps[slot.step as usize];
        let connection = slot.connection.filter(|_| trip.kept_alive);
        let via = slot.via;
        let frame = Frame::new(
            Caller::User(key),
            key,
            stop.target,
            Origin::Outside,
            self.now + stop.timeout,
        );
        self.hops += 1;
        let request = self.frames.insert(frame);
        if let Some((pod, incarnation)) = connection {
            if let Some(frame) = self.frames.get_mut(request) {
                frame.via = via;
            }
            if via.is_some_and(|node| !fabric.forwards(node)) {
                return self.hang(request);
            }
            if self.resume(request, pod, incarnation, fabric) {
                return;
            }
        }
        self.connect(request, Span::ZERO, fabric);
    }

    /// Sends over an established connection; false when its other end closed it.
    #[inline]
    pub(super) fn resume(&mut self, request: Key, pod: PodId, incarnation: u32, fabric: &Fabric) -> bool {
        match fabric.pod(pod) {
            Some(net)
                if self
                    .frames
                    .get(request)
                    .is_some_and(|frame| !fabric.answers(frame.from, net.machine)) =>
            {
                self.hang_at(request, pod, net);
            }
            Some(net) if net.process == Process::Listening && net.incarnation == incarnation => {
                self.serve(request, pod, net, Span::ZERO);
            }
            _ => return false,
        }
        true
    }

    /// The slot's request has come to something.
    pub(super) fn answered(&mut self, key: Key, outcome: Outcome, fabric: &Fabric) {
        #[cfg(test)]
        if let Some(heard) = &mut self.heard {
            heard.push(outcome);
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        let trip = &self.load.routes[slot.journey];
        let stop = &trip.steps[slot.step as usize];
        if matches!(outcome, Outcome::Failed(_)) {
            slot.connection = None;
        }
        let failure = stop.expect.as_ref().and_then(|check| match outcome {
            Outcome::Failed(kind) => Some(kind),
            Outcome::Answer(found, ..) if !check.status.contains(found) => Some(FailureKind::Status(found)),
            Outcome::Answer(_, body, count) => (!check.holds(body, count)).then_some(FailureKind::Content),
        });
        let body = match outcome {
            Outcome::Answer(_, body, _) => Some(body),
            Outcome::Failed(_) => None,
        };
        let failure = failure.or_else(|| match outcome {
            _ if slot.take(&stop.extract, body) => None,
            Outcome::Failed(kind) => Some(kind),
            Outcome::Answer(..) => Some(FailureKind::Content),
        });
        if let Some(kind) = failure {
            self.tally.failed(slot.journey, slot.place, slot.step, kind, self.now);
            self.slots.remove(key);
            return;
        }
        slot.step += 1;
        if (slot.step as usize) < trip.steps.len() {
            #[cfg(test)]
            if self.heard.is_some() {
                return;
            }
            self.send(key, fabric);
            return;
        }
        let counted = match outcome {
            Outcome::Answer(_, _, count) => count,
            Outcome::Failed(_) => None,
        };
        let anomaly = trip.items.is_some() && trip.items != counted;
        self.tally
            .good(slot.journey, slot.place, self.now.since(slot.planned).0, anomaly);
        self.slots.remove(key);
    }
}
