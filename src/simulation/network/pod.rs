//! What a process keeps in memory besides its users' traces: idle connections and circuit breakers.

use std::collections::VecDeque;

use super::slab::Key;
use super::tables::Breaker;
use crate::model::reacting::Circuit;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::PodId;

/// The memory of a process. Another incarnation begins with an empty one.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    incarnation: u32,
    /// By the number of the called Service's name.
    pools: Vec<(u32, VecDeque<Idle>)>,
    /// Pools with a limit, by the same number.
    limited: Vec<(u32, Limited)>,
    /// By route.
    breakers: Vec<(u32, Circuit)>,
}

/// An idle connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) pod: PodId,
    pub(super) incarnation: u32,
    pub(super) since: Time,
}

/// A pool's connections in use, and the calls that wait for one.
#[derive(Clone, Debug, Default)]
struct Limited {
    busy: u32,
    queue: VecDeque<Key>,
}

impl Memory {
    /// The memory as this incarnation finds it.
    #[inline]
    pub(super) fn of(&mut self, incarnation: u32) -> &mut Self {
        if self.incarnation != incarnation {
            self.clear();
            self.incarnation = incarnation;
        }
        self
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.pools.clear();
        self.limited.clear();
        self.breakers.clear();
    }

    #[inline]
    fn pool(&mut self, name: u32) -> &mut VecDeque<Idle> {
        let index = self
            .pools
            .iter()
            .position(|(known, _)| *known == name)
            .unwrap_or_else(|| {
                self.pools.push((name, VecDeque::new()));
                self.pools.len() - 1
            });
        &mut self.pools[index].1
    }

    #[inline]
    fn limited(&mut self, name: u32) -> &mut Limited {
        let known = self.limited.iter().position(|(known, _)| *known == name);
        let index = known.unwrap_or_else(|| {
            self.limited.push((name, Limited::default()));
            self.limited.len() - 1
        });
        &mut self.limited[index].1
    }

    /// Whether one more of at most `size` connections may be used now; otherwise the call queues.
    pub(super) fn occupy(&mut self, name: u32, size: u32, call: Key) -> bool {
        let pool = self.limited(name);
        let free = pool.busy < size;
        if free {
            pool.busy += 1;
        } else {
            pool.queue.push_back(call);
        }
        free
    }

    /// A connection is used no more.
    pub(super) fn release(&mut self, name: u32) {
        self.limited(name).busy -= 1;
    }

    /// The call that has waited longest for a connection; it may have given up since.
    pub(super) fn next_queued(&mut self, name: u32) -> Option<Key> {
        self.limited(name).queue.pop_front()
    }

    /// A connection just released is used again.
    pub(super) fn seize(&mut self, name: u32) {
        self.limited(name).busy += 1;
    }

    /// The calls that wait for a connection.
    pub(super) fn queued(&self) -> impl Iterator<Item = Key> {
        self.limited.iter().flat_map(|(_, pool)| pool.queue.iter().copied())
    }

    /// Takes the connection that was used last, when it is not too old.
    #[inline]
    pub(super) fn take(&mut self, name: u32, now: Time, idle: Span) -> Option<Idle> {
        let pool = self.pool(name);
        // The pool is in the order of last use: what is too old is in front.
        while pool.front().is_some_and(|connection| connection.since + idle <= now) {
            pool.pop_front();
        }
        pool.pop_back()
    }

    /// Keeps a connection.
    #[inline]
    pub(super) fn keep(&mut self, name: u32, connection: Idle) {
        self.pool(name).push_back(connection);
    }

    /// Whether the route may call now; what it answers otherwise is the breaker's.
    #[inline]
    pub(super) fn may_call(&mut self, route: u32, now: Time) -> bool {
        let Some((_, circuit)) = self.breakers.iter_mut().find(|(known, _)| *known == route) else {
            return true;
        };
        circuit.may_call(now)
    }

    /// Counts a call of the route.
    #[inline]
    pub(super) fn called(&mut self, route: u32, now: Time, breaker: Breaker, failed: bool) {
        let known = self.breakers.iter().position(|(known, _)| *known == route);
        let index = match known {
            Some(index) => index,
            None if failed => {
                self.breakers.push((route, Circuit::default()));
                self.breakers.len() - 1
            }
            None => return,
        };
        self.breakers[index]
            .1
            .called(now, breaker.failures, breaker.open, failed);
    }
}
