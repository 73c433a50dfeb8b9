//! The prober: open-loop load on a real cluster, and what became of every slot of it.
//!
//! [`Probe::start`] runs journeys over HTTP on threads of its own, so that whatever a test does meanwhile shifts no request. Slot k of a
//! journey starts at t0 + k / rate whatever happened before; each slot has exactly one outcome; latency counts from the slot's planned
//! start, and slots are dated by it. What comes out are the [`Second`]s of a history, counted by what the simulation counts with.
//!
//! Each slot is a user with a cookie jar and a connection of its own; slots of a [standing](Load::standing) journey share kept-alive
//! connections instead. Nothing is retried, redirected or sent through a proxy. docs/probing.md says what is measured and how exactly.
//!
//! ```no_run
//! use std::time::Instant;
//! use steadfast::model::journey::{Journey, Request};
//! use steadfast::probe::{Control, Entry, Load, Probe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = "172.18.0.2:30001".parse()?;
//! let load = Load::through(Entry::at(node).host("shop.example"))
//!     .journey("browse", Journey::through("front-end").rate(50).step(Request::get("/")))
//!     .control(Control::get("127.0.0.1:8001".parse()?, "/readyz"))
//!     .cap(2_000);
//! let mut probe = Probe::start(load, Instant::now())?;
//! // ... until probe.is_steady(30), a fault, an observation ...
//! probe.stop();
//! let observed = probe.finish()?;
//! # Ok(()) }
//! ```

mod answer;
mod client;
mod control;
mod cookies;
mod failure;
mod lag;
mod pacer;
mod state;
mod trip;
mod user;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::client::Keep;
use self::pacer::Schedule;
use self::state::Shared;
use self::user::Route;
use self::worker::Worker;
use crate::model::history::{ControlRecord, End, Lag, Second};
use crate::model::journey::{Journey, TemplateError};
use crate::model::time::{Span, Time};

pub use self::control::{Check, Control};
pub use self::state::Counts;

/// The header in which an answer names its service. When it is there and names another one than the journey's entry, the slot failed.
pub const SERVICE_HEADER: &str = "x-steadfast-service";
/// The header in which an answer names its pod.
pub const POD_HEADER: &str = "x-steadfast-pod";
/// The header in which an answer says what its body is, in the model's words: `empty`, `page`, `json NAME`, `sample`, `text`, or `error`.
pub const CONTENT_HEADER: &str = "x-steadfast-content";
/// The header in which an answer says how many items it counts.
pub const ITEMS_HEADER: &str = "x-steadfast-items";

/// Slots in flight when nothing else is said.
pub const USUAL_CAP: usize = 5_000;
/// From the start of a probe to its first slot: its threads are up by then.
const LEAD: Span = Span::millis(20);

/// Why a load cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is nothing to do.
    #[error("the load has no journey: expected at least one")]
    NoJourneys,
    /// Two journeys with one name.
    #[error("two journeys are called `{0}`: give each a name of its own")]
    Twice(String),
    /// A rate out of range.
    #[error("journey `{journey}`: rate {rate} is out of range: expected 1 to 10,000 per second")]
    Rate {
        /// The journey.
        journey: String,
        /// Its rate.
        rate: u32,
    },
    /// A rate out of range.
    #[error("the control probe's rate {0} is out of range: expected 1 to 1,000 per second")]
    ControlRate(u32),
    /// No slot could ever be sent.
    #[error("a cap of 0 slots in flight sends none: expected at least 1")]
    Cap,
    /// A journey without requests.
    #[error("journey `{0}`: no steps: expected at least one request")]
    NoSteps(String),
    /// A time-out that nothing could meet.
    #[error("{0}: a time-out of zero: expected more")]
    Timeout(String),
    /// Not a request line.
    #[error("{place}: `{request}` is not a request: expected a method and a path such as `GET /catalogue`")]
    RequestLine {
        /// The journey and step.
        place: String,
        /// The text.
        request: String,
    },
    /// A header that HTTP does not know.
    #[error(
        "{place}: `{header}` is not a header that can be sent: expected a name and a value as RFC 9110 allows them"
    )]
    Header {
        /// The journey and step.
        place: String,
        /// The header's name.
        header: String,
    },
    /// A step uses a value that nothing gives it.
    #[error("{place}: a value cannot be put in")]
    Template {
        /// The journey and step.
        place: String,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A regular expression that is none.
    #[error("{place}: a value cannot be looked for")]
    Pattern {
        /// The journey and step.
        place: String,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
    /// The machine did not give it what it needs.
    #[error("the prober cannot be set up: expected threads, an event queue and a client")]
    Machine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A thread of the prober ended in a panic: what it counted is not to be trusted.
    #[error("the prober broke down in the middle of its run: please report it")]
    Broken,
}

/// Where a load enters: an address, and the host that requests name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    address: SocketAddr,
    host: Option<String>,
}

impl Entry {
    /// An address and port, such as a node's and a NodePort. Names are not resolved: a resolver of the machine's own would be part of
    /// what is measured.
    #[must_use]
    pub const fn at(address: SocketAddr) -> Self {
        Self { address, host: None }
    }

    /// The host that requests name, instead of the address.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.host = Some(name.into());
        self
    }
}

/// A load: journeys through one entry.
#[derive(Clone, Debug)]
#[must_use = "a load does nothing until a probe is started with it"]
pub struct Load {
    entry: Entry,
    journeys: Vec<Lane>,
    control: Option<Control>,
    cap: usize,
}

#[derive(Clone, Debug)]
struct Lane {
    name: String,
    journey: Journey,
    standing: bool,
}

impl Load {
    /// A load without journeys yet.
    pub const fn through(entry: Entry) -> Self {
        Self {
            entry,
            journeys: Vec::new(),
            control: None,
            cap: USUAL_CAP,
        }
    }

    /// A journey each of whose slots is a user of its own, with a cookie jar and a connection.
    pub fn journey(self, name: impl Into<String>, journey: Journey) -> Self {
        self.lane(name, journey, false)
    }

    /// A journey whose slots share kept-alive connections that stand as long as the server lets them: as a service that calls another. The
    /// most recently used idle one is taken, and a new one made when all are busy; each slot has a cookie jar of its own all the same.
    pub fn standing(self, name: impl Into<String>, journey: Journey) -> Self {
        self.lane(name, journey, true)
    }

    fn lane(mut self, name: impl Into<String>, journey: Journey, standing: bool) -> Self {
        self.journeys.push(Lane {
            name: name.into(),
            journey,
            standing,
        });
        self
    }

    /// Something that must not fail.
    pub fn control(mut self, control: Control) -> Self {
        self.control = Some(control);
        self
    }

    /// The most slots in flight, by default [`USUAL_CAP`]. One that finds so many is not sent, and the run is inconclusive. It takes rate times
    /// time-out to let every request of a journey time out.
    pub const fn cap(mut self, slots: usize) -> Self {
        self.cap = slots;
        self
    }
}

/// What a clock says that nobody pauses: real sockets live in real time, whatever tokio's shows.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock may be paused where a probe is asked"
)]
fn now() -> Instant {
    Instant::now()
}

/// Cluster time, by the machine's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    zero: Instant,
}

impl Clock {
    fn now(self) -> Time {
        Time::ZERO + Span::from(now().saturating_duration_since(self.zero))
    }
}

/// A load that runs. Dropping it ends it.
#[derive(Debug)]
#[must_use = "a load ends when its probe is dropped"]
pub struct Probe {
    shared: Arc<Shared>,
    clock: Clock,
    began: Time,
    names: Vec<String>,
    control: bool,
    stop: Arc<AtomicU64>,
    abort: Option<oneshot::Sender<()>>,
    pacer: Option<JoinHandle<()>>,
    worker: Option<JoinHandle<bool>>,
}

impl Probe {
    /// Starts a load: slot 0 of every journey is 20 ms from now. `zero` is when cluster time was 0.
    ///
    /// # Errors
    /// What in the load cannot be run, or what the machine does not give.
    pub fn start(load: Load, zero: Instant) -> Result<Self, ProbeError> {
        let machine = |error: std::io::Error| ProbeError::Machine(error.into());
        let trips = validate(&load)?;
        let clock = Clock { zero };
        let control = load.control.map(Arc::new);
        let mut rates: Vec<u32> = trips.iter().map(|trip| trip.rate).collect();
        rates.extend(control.iter().map(|control| control.rate));
        let names = trips.iter().map(|trip| trip.name.clone()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(machine)?;
        let began = clock.now() + LEAD;
        let shared = Arc::new(Shared::new(began, rates.len()));
        let mut routes = Vec::with_capacity(trips.len());
        for (trip, lane) in trips.into_iter().zip(&load.journeys) {
            let keep = if trip.kept_alive { Keep::All } else { Keep::None };
            let standing = lane.standing.then(|| client::client(keep)).transpose();
            routes.push(Arc::new(Route {
                trip,
                entry: load.entry.clone(),
                standing: standing.map_err(|error| ProbeError::Machine(error.into()))?,
                shared: Arc::clone(&shared),
                clock,
            }));
        }
        let (send, slots) = tokio::sync::mpsc::unbounded_channel();
        let (abort, aborted) = oneshot::channel();
        let worker = Worker {
            routes,
            control: control.clone(),
            shared: Arc::clone(&shared),
            clock,
            cap: load.cap,
        };
        let worker = std::thread::Builder::new()
            .name("steadfast-probe".into())
            .spawn(move || runtime.block_on(worker.run(slots, aborted)))
            .map_err(machine)?;
        let stop = Arc::new(AtomicU64::new(u64::MAX));
        let stopped = Arc::clone(&stop);
        let schedule = Schedule::new(began, rates);
        let pacer = std::thread::Builder::new()
            .name("steadfast-pacer".into())
            .spawn(move || pacer::pace(schedule, zero, &stopped, &send))
            .map_err(machine)?;
        Ok(Self {
            shared,
            clock,
            began,
            names,
            control: control.is_some(),
            stop,
            abort: Some(abort),
            pacer: Some(pacer),
            worker: Some(worker),
        })
    }

    /// When slot 0 of every journey starts: the time of the history's `load-started`.
    #[must_use]
    pub const fn began(&self) -> Time {
        self.began
    }

    /// Whether every slot of every journey, and every control check, was good in each of `seconds` whole seconds. The second just past is
    /// left out: its last slots may still be under way.
    #[must_use]
    pub fn is_steady(&self, seconds: u32) -> bool {
        let until = self.clock.now().second().saturating_sub(1);
        let first = until.saturating_sub(u64::from(seconds));
        seconds > 0 && first >= self.began.0.div_ceil(1_000_000) && self.shared.lock().tally.all_good(first, until)
    }

    /// How the load is doing.
    #[must_use]
    pub fn live(&self) -> Live {
        let state = self.shared.lock();
        let mut counts = state.counts.clone();
        let control = if self.control { counts.pop() } else { None };
        Live {
            t: self.clock.now(),
            journeys: self.names.iter().cloned().zip(counts).collect(),
            control,
            in_flight: state.in_flight,
            max_lag: state.lags.max(),
        }
    }

    /// Stops the load: no slot starts at or after now; what is under way goes on.
    pub fn stop(&mut self) {
        self.stop.fetch_min(self.clock.now().0, Ordering::AcqRel);
        if let Some(pacer) = &self.pacer {
            pacer.thread().unpark();
        }
    }

    /// Ends the load: slots that are not done are recorded as unfinished.
    ///
    /// # Errors
    /// [`ProbeError::Broken`].
    pub fn finish(mut self) -> Result<Observed, ProbeError> {
        if !self.end() {
            return Err(ProbeError::Broken);
        }
        let ended = self.clock.now();
        let mut state = self.shared.lock();
        let all = state.tally.all();
        let journeys = self.names.len() as u32;
        let (seconds, control): (Vec<_>, Vec<_>) = all.into_iter().partition(|second| second.journey < journeys);
        Ok(Observed {
            began: self.began,
            ended,
            seconds,
            lag: state.lags.summary(),
            control: self.control.then(|| record(&control)),
            connections: state.connections,
            answered_by: std::mem::take(&mut state.answered_by),
            unsent: state.unsent.take(),
        })
    }

    /// Ends both threads; whether neither panicked.
    fn end(&mut self) -> bool {
        self.stop();
        // The pacer first: slots whose time has come are handed over before the worker ends.
        let paced = self.pacer.take().is_none_or(|pacer| pacer.join().is_ok());
        drop(self.abort.take());
        let worked = self.worker.take().is_none_or(|worker| worker.join().unwrap_or(false));
        paced && worked
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.end();
    }
}

/// The control probe's seconds as a history records them.
fn record(seconds: &[Second]) -> ControlRecord {
    let sum = |of: fn(&Second) -> u32| seconds.iter().map(|second| u64::from(of(second))).sum();
    // A check that was under way at the end has not failed.
    let failed = |second: &&Second| !second.failures.is_empty() || second.slots.contains('n');
    ControlRecord {
        planned: sum(|second| second.planned),
        good: sum(|second| second.good),
        bad: seconds.iter().filter(failed).map(|second| second.s).collect(),
    }
}

fn validate(load: &Load) -> Result<Vec<trip::Trip>, ProbeError> {
    if load.journeys.is_empty() {
        return Err(ProbeError::NoJourneys);
    }
    if load.cap == 0 {
        return Err(ProbeError::Cap);
    }
    load.control.iter().try_for_each(Control::validate)?;
    for (place, lane) in load.journeys.iter().enumerate() {
        if load.journeys[..place].iter().any(|before| before.name == lane.name) {
            return Err(ProbeError::Twice(lane.name.clone()));
        }
    }
    load.journeys
        .iter()
        .map(|lane| trip::trip(&lane.name, &lane.journey))
        .collect()
}

/// How a load is doing, for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Cluster time.
    pub t: Time,
    /// The journeys' slots so far, in the load's order.
    pub journeys: Vec<(String, Counts)>,
    /// The control probe's checks so far.
    pub control: Option<Counts>,
    /// Slots under way.
    pub in_flight: usize,
    /// The largest lag of a slot behind its planned start, in microseconds.
    pub max_lag: u64,
}

/// What a probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When slot 0 of every journey was planned.
    pub began: Time,
    /// When the probe ended.
    pub ended: Time,
    /// The journeys' seconds, in order of second, then journey.
    pub seconds: Vec<Second>,
    /// How far slots started behind their time.
    pub lag: Lag,
    /// What the control probe saw.
    pub control: Option<ControlRecord>,
    /// Connections begun by journeys.
    pub connections: u64,
    /// Answers by pod, as far as they name it ([`POD_HEADER`]); beyond 256 pods under `others`.
    pub answered_by: BTreeMap<String, u64>,
    /// Why a slot was not sent, the first time: the cap, or what this machine lacked.
    pub unsent: Option<String>,
}

impl Observed {
    /// The end of a history with these seconds.
    #[must_use]
    pub fn end(&self) -> End {
        End {
            t: self.ended.0,
            max_lag: self.lag.max,
            hops: 0,
            lag: Some(self.lag),
            control: self.control.clone(),
            left_behind: Vec::new(),
        }
    }
}

/// The longest that a probe's slots can go on after [`Probe::stop`]: every step of the longest journey up to its time-out.
#[must_use]
pub fn longest_visit(journeys: &[Journey]) -> Duration {
    let visit = |journey: &Journey| {
        let steps = journey.steps.iter();
        steps
            .map(|step| step.timeout.unwrap_or(journey.timeout))
            .sum::<Duration>()
    };
    journeys.iter().map(visit).max().unwrap_or_default()
}
