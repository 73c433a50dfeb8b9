//! What a process remembers: sessions, its own store, circuit breakers. It is gone with the process.

use std::collections::{BTreeMap, HashMap};

use crate::model::application::{Breaker, StoreWork};
use crate::model::reacting::Circuit;
use crate::model::time::{Span, Time};

/// Users remembered before those are forgotten who have not been seen for [`FORGET`].
const USERS: usize = 100_000;

/// No journey rests so long between two requests.
const FORGET: Span = Span::secs(600);

/// A process's memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    users: HashMap<String, Trace>,
    /// By route.
    circuits: BTreeMap<usize, Circuit>,
}

#[derive(Debug, Default)]
struct Trace {
    logged_in: bool,
    items: u32,
    seen: Time,
}

impl Memory {
    fn user(&mut self, name: &str, now: Time) -> &mut Trace {
        if self.users.len() >= USERS && !self.users.contains_key(name) {
            self.users.retain(|_, trace| now.since(trace.seen) < FORGET);
        }
        let trace = self.users.entry(name.to_owned()).or_default();
        trace.seen = now;
        trace
    }

    pub(super) fn is_logged_in(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|trace| trace.logged_in)
    }

    pub(super) fn log_in(&mut self, user: &str, now: Time) {
        self.user(user, now).logged_in = true;
    }

    /// Works on the user's items in this store; the count for [`StoreWork::Count`].
    pub(super) fn store(&mut self, user: &str, work: StoreWork, now: Time) -> Option<u32> {
        match work {
            StoreWork::Add => self.user(user, now).items += 1,
            StoreWork::Count => return Some(self.users.get(user).map_or(0, |trace| trace.items)),
            StoreWork::Clear => self.user(user, now).items = 0,
            StoreWork::Read | StoreWork::Write => {}
        }
        None
    }

    /// Whether a route may call now.
    pub(super) fn may_call(&mut self, route: usize, now: Time) -> bool {
        self.circuits
            .get_mut(&route)
            .is_none_or(|circuit| circuit.may_call(now))
    }

    /// Counts the end of a route's call.
    pub(super) fn called(&mut self, route: usize, now: Time, breaker: Breaker, failed: bool) {
        self.circuits
            .entry(route)
            .or_default()
            .called(now, breaker.failures, breaker.open.into(), failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_rests_is_forgotten_when_there_are_too_many() {
        let mut memory = Memory::default();
        for user in 0..USERS {
            memory.log_in(&user.to_string(), Time::ZERO);
        }
        let later = Time::ZERO + FORGET;
        memory.log_in("late", later);
        assert_eq!(memory.users.len(), 1);
        assert!(memory.is_logged_in("late"));
    }
}
