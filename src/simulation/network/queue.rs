//! What will happen next: a heap for what is soon, and a lane for each length of time-out.
//!
//! Most time-outs never fire, and those of one length fire in the order in which they were set. So they wait in
//! lanes, first in, first out, and do not make the heap deep.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::slab::Key;
use crate::model::time::{Span, Time};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The next slot of a journey starts.
    Start {
        /// Which load; that of an older one is void.
        load: u32,
        /// Which of its journeys.
        journey: u32,
    },
    /// A handler has done its own work and takes its steps.
    Begin(Key),
    /// A request's outcome, already known, reaches its caller.
    End(Key),
    /// A second attempt at a name look-up, or the next SYN.
    Retry(Key),
    /// The caller waits no longer.
    Expire(Key),
}

/// When, in which order among those of the same time, and what.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: Time,
    sequence: u64,
    what: What,
}

impl Event {
    #[inline]
    fn rank(&self) -> (Time, u64) {
        (self.at, self.sequence)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The earliest is the greatest, for the heap.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

/// The event queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Event>,
    lanes: Vec<(Span, VecDeque<Event>)>,
    sequence: u64,
}

impl Queue {
    #[inline]
    fn event(&mut self, at: Time, what: What) -> Event {
        self.sequence += 1;
        Event { at, sequence: self.sequence, what }
    }

    /// Adds what happens at any time.
    #[inline]
    pub(super) fn push(&mut self, at: Time, what: What) {
        let event = self.event(at, what);
        self.heap.push(event);
    }

    /// Adds what happens `after` from now.
    #[inline]
    pub(super) fn push_after(&mut self, now: Time, after: Span, what: What) {
        let event = self.event(now + after, what);
        if let Some((_, lane)) = self.lanes.iter_mut().find(|(length, _)| *length == after) {
            lane.push_back(event);
        } else {
            self.lanes.push((after, VecDeque::from([event])));
        }
    }

    /// The lane with the earliest event, when it is earlier than the heap's.
    #[inline]
    fn first(&self) -> (Option<usize>, (Time, u64)) {
        let mut lane = None;
        let mut best = self.heap.peek().map_or((Time::NEVER, u64::MAX), Event::rank);
        for (index, (_, events)) in self.lanes.iter().enumerate() {
            if let Some(front) = events.front()
                && front.rank() < best
            {
                best = front.rank();
                lane = Some(index);
            }
        }
        (lane, best)
    }

    /// The time of the earliest event; [`Time::NEVER`] when there is none.
    pub(super) fn next(&self) -> Time {
        self.first().1.0
    }

    /// Takes the earliest event when it is before `horizon`.
    #[inline]
    pub(super) fn pop_before(&mut self, horizon: Time) -> Option<(Time, What)> {
        let (lane, (at, _)) = self.first();
        if at >= horizon {
            return None;
        }
        let event = match lane {
            Some(index) => self.lanes[index].1.pop_front(),
            None => self.heap.pop(),
        };
        event.map(|event| (event.at, event.what))
    }
}
