//! The load, compiled: journeys whose slots start on time, whatever happened before.

use std::sync::Arc;

use super::Network;
use super::error::InstallError;
use super::queue::What;
use super::tables::Content;
use super::trip::trip;
use crate::model::history::Second;
use crate::model::history::tally::Tally;
use crate::model::journey::{Journey, Statuses, slot_start};
use crate::model::time::{Span, Time};
use crate::simulation::fabric::Fabric;

impl Network {
    /// Starts a load: slot k of a journey starts at `now + k / rate`. A load before it is finished at `now`.
    ///
    /// # Errors
    /// A journey that the installed application cannot serve; then nothing has changed.
    pub fn start_load(
        &mut self,
        now: Time,
        fabric: &Fabric,
        namespace: &str,
        journeys: &[(String, Journey)],
    ) -> Result<(), InstallError> {
        let mut tables = (*self.tables).clone();
        let routes = journeys
            .iter()
            .map(|(name, journey)| trip(&mut tables, namespace, name, journey));
        let routes: Vec<_> = routes.collect::<Result<_, _>>()?;
        self.finish(now);
        self.tables = Arc::new(tables);
        let count = routes.len();
        let number = self.load.number + 1;
        self.load = Load {
            number,
            namespace: namespace.to_owned(),
            began: now,
            stop: Time::NEVER,
            routes,
            next: vec![0; count],
            journeys: journeys.to_vec(),
        };
        let before = std::mem::replace(&mut self.tally, Tally::new(now, count));
        self.past.extend(before.all());
        for journey in 0..count as u32 {
            self.queue.push(now, What::Start { load: number, journey });
        }
        self.compare(fabric);
        Ok(())
    }

    /// No slot starts at or after `at`; slots under way go on.
    pub fn stop_load(&mut self, at: Time) {
        self.load.stop = self.load.stop.min(at);
    }

    /// Ends the load: slots that are not done are recorded as unfinished.
    pub fn finish(&mut self, at: Time) {
        self.stop_load(at);
        let open: Vec<_> = self
            .slots
            .iter()
            .map(|(key, slot)| (key, slot.journey, slot.place))
            .collect();
        for (key, journey, place) in open {
            self.tally.unfinished(journey, place);
            self.slots.remove(key);
        }
    }

    /// Everything not drained, up to now; slots under way count as unfinished. In order of second, then journey.
    #[must_use]
    pub fn seconds(&self) -> Vec<Second> {
        let mut all = self.past.clone();
        all.extend(self.tally.all());
        all
    }

    /// Takes the seconds, from the first not yet taken on, whose slots are all decided. In order of second, then journey. After
    /// [`Network::finish`] this is everything.
    pub fn drain_seconds(&mut self) -> Vec<Second> {
        let mut all = std::mem::take(&mut self.past);
        all.extend(self.tally.drain(|journey| self.load.upcoming(journey)));
        all
    }

    /// Whether every journey of the running load has slots in every second of `from..until`, and all of them went well. Seconds
    /// already drained do not count as good.
    #[must_use]
    pub fn all_good(&self, from: u64, until: u64) -> bool {
        self.tally.all_good(from, until)
    }
}

/// The journeys of a load and how far they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// Counts loads.
    pub(super) number: u32,
    pub(super) namespace: String,
    pub(super) began: Time,
    /// No slot starts at or after it.
    pub(super) stop: Time,
    pub(super) routes: Vec<Trip>,
    /// The next slot of each journey.
    pub(super) next: Vec<u64>,
    /// As given, to compile them again when another application is installed.
    pub(super) journeys: Vec<(String, Journey)>,
}

impl Load {
    #[inline]
    fn planned(&self, journey: usize, k: u64) -> Time {
        slot_start(self.began, self.routes[journey].rate, k)
    }

    /// When the next slot of a journey starts; [`Time::NEVER`] when none does.
    #[inline]
    pub(super) fn upcoming(&self, journey: usize) -> Time {
        let planned = self.planned(journey, self.next[journey]);
        if planned < self.stop { planned } else { Time::NEVER }
    }
}

/// A compiled journey.
#[derive(Clone, Debug)]
pub(super) struct Trip {
    pub(super) rate: u32,
    pub(super) kept_alive: bool,
    /// The values that are known from the start.
    pub(super) values: Vec<u16>,
    pub(super) steps: Vec<Stop>,
    pub(super) items: Option<u32>,
}

/// One request of a journey.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) target: u32,
    pub(super) timeout: Span,
    pub(super) expect: Option<Check>,
    /// The values that it carries.
    pub(super) uses: Vec<u16>,
    /// The values that it takes from the answer.
    pub(super) extract: Vec<Taken>,
}

/// What an answer must be.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) status: Statuses,
    /// The one body that will do.
    pub(super) body: Option<Content>,
    /// The bodies that hold what is looked for, when something is.
    pub(super) holding: Option<Vec<Content>>,
    /// The items that an answer which counts them must count, when that is all that is looked for.
    pub(super) count: Option<u32>,
}

/// A value that is taken from an answer: given under its name, or standing in one of these bodies.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) value: u16,
    pub(super) from: Vec<Content>,
}

impl Check {
    /// Whether an answer's body will do.
    pub(super) fn holds(&self, body: Content, count: Option<u32>) -> bool {
        if self.body.is_some_and(|wanted| wanted != body) {
            return false;
        }
        match (self.count, count, &self.holding) {
            (Some(wanted), Some(count), _) => wanted == count,
            (.., Some(holding)) => holding.contains(&body),
            (.., None) => true,
        }
    }
}
