//! The network: load, requests in flight, connections, sessions, stores and circuit breakers.
//!
//! [`Network`] reads the [`Fabric`] and never writes it; what happens to the cluster is returned as an [`Effect`]. It has its
//! own event queue, so that the world can let it run until the cluster changes next. A request is one
//! `frame::Frame`, which stands for both the caller's wait and the handler at the pod, and costs one event: a leaf's outcome is
//! known when it is called, another handler's when its last call has returned. The time that an answer travels is counted with
//! the request.
//!
//! Deaths find a request in three ways. A process ends: its callers see a reset at once ([`Network::process_ended`]). A
//! machine goes silent: its callers wait for their own limits or TCP's ([`Network::machine_lost`]). The caller gives up or
//! dies: the handler goes on for nobody.

mod call;
mod compile;
mod dial;
mod error;
mod frame;
mod image;
mod kernel;
mod latencies;
mod load;
mod loss;
mod models;
mod pod;
mod probe;
mod proxy;
mod queue;
mod serve;
mod slab;
mod tables;
#[cfg(test)]
mod tests;
mod trip;
mod user;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use error::InstallError;
pub use latencies::{Latencies, Range};
pub use probe::{Exec, Looked};

use self::frame::Frame;
use self::kernel::{Conntrack, Rejections};
use self::load::Load;
use self::pod::Memory;
use self::proxy::Affinity;
use self::queue::{Queue, What};
use self::slab::Slab;
use self::tables::Tables;
use self::user::Slot;
use crate::model::history::Second;
use crate::model::history::tally::Tally;
use crate::model::random::Stream;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, PodId, ServiceId};

/// What the network does to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The process of a pod crashed. The world ends it, updates the fabric and calls [`Network::process_ended`].
    Crash {
        /// The pod.
        pod: PodId,
        /// When.
        at: Time,
    },
    /// A request made by [`Network::probe`] has come to something.
    Probed {
        /// The pod.
        pod: PodId,
        /// The run of the probe.
        plan: u32,
        /// The status; `None`: no answer in time, or none at all.
        answer: Option<u16>,
        /// When.
        at: Time,
    },
}

impl Effect {
    /// When it happens.
    #[must_use]
    pub const fn at(&self) -> Time {
        match self {
            Self::Crash { at, .. } | Self::Probed { at, .. } => *at,
        }
    }

    /// Whether it is the crash of this pod's process.
    const fn crashes(&self, of: PodId) -> bool {
        matches!(self, Self::Crash { pod, .. } if pod.0 == of.0)
    }
}

/// Everything about load and requests. A clone goes on as the original does.
#[derive(Clone, Debug)]
pub struct Network {
    now: Time,
    tables: Arc<Tables>,
    latencies: Latencies,
    chance: Chance,
    queue: Queue,
    frames: Slab<Frame>,
    slots: Slab<Slot>,
    /// By [`PodId`].
    memories: Vec<Memory>,
    /// The volumes of those whose stores are on one.
    volumes: BTreeMap<PodId, u32>,
    rejections: Rejections,
    conntrack: Conntrack,
    affinity: Affinity,
    one_client: bool,
    load: Load,
    tally: Tally,
    /// Seconds of loads that a later one replaced.
    past: Vec<Second>,
    effects: VecDeque<Effect>,
    /// By the number of a name in the tables: the Service, when the fabric has it.
    services: Vec<Option<ServiceId>>,
    /// How many services the fabric had when names were last compared.
    compared: usize,
    hops: u64,
    /// CPU time used so far in microseconds, by [`PodId`].
    cpu: Vec<u64>,
    /// A test hears every answer to the user, and makes the next request itself.
    #[cfg(test)]
    heard: Option<Vec<frame::Outcome>>,
}

/// One stream per purpose.
#[derive(Clone, Debug)]
struct Chance {
    latency: Stream,
    choice: Stream,
    work: Stream,
    look_up: Stream,
    port: Stream,
    probe: Stream,
    balance: Stream,
}

impl Network {
    /// A network without applications and load, with the default [`Latencies`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_latencies(seed, Latencies::default())
    }

    /// A network without applications and load.
    #[must_use]
    pub fn with_latencies(seed: u64, latencies: Latencies) -> Self {
        Self {
            now: Time::ZERO,
            tables: Arc::default(),
            latencies,
            chance: Chance {
                latency: Stream::new(seed, "network/latency"),
                choice: Stream::new(seed, "network/choice"),
                work: Stream::new(seed, "network/work"),
                look_up: Stream::new(seed, "network/look-up"),
                port: Stream::new(seed, "network/port"),
                probe: Stream::new(seed, "network/probe"),
                balance: Stream::new(seed, "network/balance"),
            },
            queue: Queue::default(),
            frames: Slab::default(),
            slots: Slab::default(),
            memories: Vec::new(),
            volumes: BTreeMap::new(),
            rejections: Rejections::default(),
            conntrack: Conntrack::default(),
            affinity: Affinity::default(),
            one_client: true,
            load: Load::default(),
            tally: Tally::default(),
            past: Vec::new(),
            effects: VecDeque::new(),
            services: Vec::new(),
            compared: 0,
            hops: 0,
            cpu: Vec::new(),
            #[cfg(test)]
            heard: None,
        }
    }

    /// The CPU time that requests have taken in a pod so far, in microseconds.
    #[must_use]
    pub fn cpu_used(&self, pod: PodId) -> u64 {
        self.cpu.get(pod.0 as usize).copied().unwrap_or(0)
    }

    fn use_cpu(&mut self, pod: PodId, time: Span) {
        let index = pod.0 as usize;
        if self.cpu.len() <= index {
            self.cpu.resize(index + 1, 0);
        }
        self.cpu[index] += time.0;
    }

    /// Says whether all load from outside has one source address (the default), so that its ports are used again while stale
    /// connection tracking entries still lead to dead endpoints; users have many.
    pub const fn set_one_client(&mut self, one: bool) {
        self.one_client = one;
    }

    /// When something happens next; [`Time::NEVER`] when nothing does.
    #[must_use]
    pub fn next(&self) -> Time {
        match self.effects.front() {
            Some(effect) => effect.at(),
            None => self.queue.next(),
        }
    }

    /// Lets happen what happens before `horizon`, until the cluster is affected. The fabric must not change before `horizon`.
    pub fn run(&mut self, horizon: Time, fabric: &Fabric) -> Option<Effect> {
        self.compare(fabric);
        loop {
            if let Some(effect) = self.effects.pop_front() {
                return Some(effect);
            }
            let (at, what) = self.queue.pop_before(horizon)?;
            self.now = at;
            match what {
                What::Start { load, journey } => self.start_slot(load, journey, fabric),
                What::Begin(key) => self.advance(key, fabric),
                What::End(key) => self.end(key, fabric),
                What::Retry(key) => self.retry(key, fabric),
                What::Expire(key) => self.expire(key, fabric),
            }
        }
    }

    /// The fresh process of a pod begins with nothing in memory; its store, when it has one, is on this volume (a number of the
    /// caller's), or in memory.
    pub fn process_started(&mut self, pod: PodId, volume: Option<u32>) {
        match volume {
            Some(volume) => _ = self.volumes.insert(pod, volume),
            None => _ = self.volumes.remove(&pod),
        }
        if let Some(memory) = self.memories.get_mut(pod.0 as usize) {
            memory.clear();
        }
    }

    /// Requests, from outside and between services, and name look-ups so far.
    #[must_use]
    pub fn hops(&self) -> u64 {
        self.hops
    }

    /// Finds the Services that the names in the tables mean now.
    fn compare(&mut self, fabric: &Fabric) {
        if self.compared != fabric.services.len() || self.services.len() != self.tables.names.len() {
            self.compared = fabric.services.len();
            self.services = self
                .tables
                .names
                .iter()
                .map(|(namespace, name)| fabric.service(namespace, name))
                .collect();
        }
    }

    #[inline]
    fn memory(&mut self, pod: PodId, incarnation: u32) -> &mut Memory {
        let index = pod.0 as usize;
        if self.memories.len() <= index {
            self.memories.resize_with(index + 1, Memory::default);
        }
        self.memories[index].of(incarnation)
    }
}
