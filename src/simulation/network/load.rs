//! The load, compiled: journeys whose slots start on time, whatever happened before.

use super::compile;
use super::error::InstallError;
use super::tables::{Content, Tables};
use crate::model::journey::{Connection, Journey};
use crate::model::time::{Span, Time};

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
    /// When slot `k` of a journey starts: exactly `k / rate` seconds after the first, rounded down to a microsecond.
    #[inline]
    fn planned(&self, journey: usize, k: u64) -> Time {
        self.began + Span(k * 1_000_000 / u64::from(self.routes[journey].rate))
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
    pub(super) timeout: Span,
    pub(super) kept_alive: bool,
    pub(super) steps: Vec<Stop>,
    pub(super) items: Option<u32>,
}

/// One request of a journey.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) target: u32,
    pub(super) expect: Option<(u16, Option<Content>)>,
}

/// Compiles a journey into `namespace`. Where no application is installed every request is accepted: assumed images answer
/// everything.
pub(super) fn trip(tables: &mut Tables, namespace: &str, name: &str, journey: &Journey) -> Result<Trip, InstallError> {
    if !(1..=10_000).contains(&journey.rate) {
        return Err(InstallError::Rate { journey: name.to_owned(), rate: journey.rate });
    }
    if journey.steps.is_empty() {
        return Err(InstallError::NoSteps { journey: name.to_owned() });
    }
    if journey.timeout.is_zero() {
        return Err(InstallError::Timeout { place: format!("journey `{name}`") });
    }
    let described = tables.models.iter().any(|model| !model.assumed && model.current && &*model.namespace == namespace);
    let mut steps = Vec::with_capacity(journey.steps.len());
    for (number, request) in journey.steps.iter().enumerate() {
        let at = || format!("journey `{name}`, step {number}");
        let target = if described {
            compile::aim(tables, namespace, &journey.entry, &request.request, at)?
        } else {
            let line = compile::line(&request.request, at)?;
            tables.aim(namespace, &journey.entry, &line).0
        };
        let expect = match &request.expect {
            None => None,
            Some(expect) => {
                compile::status(expect.status, at)?;
                Some((expect.status, expect.body.as_ref().map(|body| tables.content(body))))
            }
        };
        steps.push(Stop { target, expect });
    }
    Ok(Trip {
        rate: journey.rate,
        timeout: Span::from(journey.timeout),
        kept_alive: journey.connection == Connection::KeptAlive,
        steps,
        items: journey.items,
    })
}
