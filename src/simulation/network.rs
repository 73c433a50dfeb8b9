//! The network: load, requests in flight, connections, sessions, stores and circuit breakers.
//!
//! [`Network`] reads the [`Fabric`] and never writes it; what happens to the cluster is returned as an [`Effect`]. It has its
//! own event queue, so that the world can let it run until the cluster changes next. A request is one
//! [`frame::Frame`], which stands for both the caller's wait and the handler at the pod, and costs one event: a leaf's outcome is
//! known when it is called, another handler's when its last call has returned. The time that an answer travels is counted with
//! the request.
//!
//! Deaths find a request in three ways. A process ends: its callers see a reset at once ([`Network::process_ended`]). A
//! machine goes silent: its callers wait for their own limits or TCP's ([`Network::machine_lost`]). The caller gives up or
//! dies: the handler goes on for nobody.

mod compile;
mod dial;
mod error;
mod frame;
mod image;
mod kernel;
mod latencies;
mod load;
mod loss;
mod pod;
mod queue;
mod request_line;
mod serve;
mod slab;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod user;

use std::collections::VecDeque;
use std::sync::Arc;

pub use error::InstallError;
pub use latencies::{Latencies, Range};

use self::frame::Frame;
use self::kernel::{Conntrack, Rejections};
use self::load::Load;
use self::pod::Memory;
use self::queue::{Queue, What};
use self::slab::Slab;
use self::tables::{Model, Tables};
use self::tally::Tally;
use self::user::Slot;
use crate::model::application::Application;
use crate::model::history::Second;
use crate::model::journey::Journey;
use crate::model::random::Stream;
use crate::model::time::Time;
use crate::simulation::fabric::{Fabric, ModelId, PodId, ServiceId};

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
    rejections: Rejections,
    conntrack: Conntrack,
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
}

/// One stream per purpose.
#[derive(Clone, Debug)]
struct Chance {
    latency: Stream,
    choice: Stream,
    work: Stream,
    look_up: Stream,
    port: Stream,
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
            },
            queue: Queue::default(),
            frames: Slab::default(),
            slots: Slab::default(),
            memories: Vec::new(),
            rejections: Rejections::default(),
            conntrack: Conntrack::default(),
            load: Load::default(),
            tally: Tally::default(),
            past: Vec::new(),
            effects: VecDeque::new(),
            services: Vec::new(),
            compared: 0,
            hops: 0,
        }
    }

    /// Describes the services of a namespace, in place of what described them before. A service keeps its [`ModelId`]; requests in
    /// flight go on by the old description.
    ///
    /// # Errors
    /// The first thing in the model that makes no sense; then nothing has changed.
    pub fn install(&mut self, namespace: &str, app: &Application) -> Result<(), InstallError> {
        let mut tables = (*self.tables).clone();
        compile::application(&mut tables, namespace, app)?;
        let mut trial = tables.clone();
        for (name, journey) in &app.journeys {
            load::trip(&mut trial, namespace, name, journey)?;
        }
        if self.load.namespace == namespace {
            let journeys = self.load.journeys.iter();
            let routes = journeys.map(|(name, journey)| load::trip(&mut tables, namespace, name, journey));
            self.load.routes = routes.collect::<Result<_, _>>()?;
        }
        self.tables = Arc::new(tables);
        Ok(())
    }

    /// Describes an image as one that answers 200, with an empty body, to everything and starts at once.
    pub fn assume_default(&mut self, namespace: &str, image: &str) -> ModelId {
        compile::assumption(Arc::make_mut(&mut self.tables), namespace, image)
    }

    /// The model of an image. Tag, digest, and a registry host or path in front of the described name do not count. When several
    /// services share the image it is the first of them; the Service that a request is for decides between those.
    #[must_use]
    pub fn model_of(&self, namespace: &str, image: &str) -> Option<ModelId> {
        self.tables.of_image(namespace, image, None)
    }

    /// Like [`Network::model_of`], but of several services that share the image the one called `name`.
    #[must_use]
    pub fn model_for(&self, namespace: &str, image: &str, name: &str) -> Option<ModelId> {
        self.tables.of_image(namespace, image, Some(name))
    }

    fn model(&self, model: ModelId) -> &Model {
        &self.tables.models[model.0 as usize]
    }

    /// From the start of the container until the process listens.
    #[must_use]
    pub fn start_range(&self, model: ModelId) -> Range {
        self.model(model).start
    }

    /// From SIGTERM to the end of the process.
    #[must_use]
    pub fn shutdown_range(&self, model: ModelId) -> Range {
        self.model(model).shutdown
    }

    /// The Services that must accept a connection before the process listens.
    #[must_use]
    pub fn waits_for(&self, model: ModelId) -> &[String] {
        &self.model(model).waits_for
    }

    /// The name of the service that the model describes; an assumed image's repository.
    #[must_use]
    pub fn service_name(&self, model: ModelId) -> &str {
        &self.model(model).name
    }

    /// Starts a load: slot k of a journey starts at `now + k / rate`. A load before it is finished at `now`.
    ///
    /// # Errors
    /// A journey that the installed application cannot serve; then nothing has changed.
    pub fn start_load(&mut self, now: Time, fabric: &Fabric, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), InstallError> {
        let mut tables = (*self.tables).clone();
        let routes = journeys.iter().map(|(name, journey)| load::trip(&mut tables, namespace, name, journey));
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
        let open: Vec<_> = self.slots.iter().map(|(key, slot)| (key, slot.journey, slot.place)).collect();
        for (key, journey, place) in open {
            self.tally.unfinished(journey, place);
            self.slots.remove(key);
        }
    }

    /// The services on a journey's path in the order in which it first needs them: its entry, then what its requests call, depth
    /// first.
    #[must_use]
    pub fn path_of(&self, namespace: &str, journey: &Journey) -> Vec<String> {
        let mut path = vec![journey.entry.clone()];
        let mut tables = (*self.tables).clone();
        if let Ok(trip) = load::trip(&mut tables, namespace, "", journey) {
            for stop in trip.steps {
                follow(&tables, stop.target, &mut path);
            }
        }
        path
    }

    /// When something happens next; [`Time::NEVER`] when nothing does.
    #[must_use]
    pub fn next(&self) -> Time {
        match self.effects.front() {
            Some(Effect::Crash { at, .. }) => *at,
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

    /// The fresh process of a pod begins with nothing in memory.
    pub fn process_started(&mut self, pod: PodId) {
        if let Some(memory) = self.memories.get_mut(pod.0 as usize) {
            memory.clear();
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

    /// Whether every journey of the running load has slots in every second of `from..until`, and all of them went well.
    #[must_use]
    pub fn all_good(&self, from: u64, until: u64) -> bool {
        self.tally.all_good(from, until)
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
            self.services = self.tables.names.iter().map(|(namespace, name)| fabric.service(namespace, name)).collect();
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

fn follow(tables: &Tables, target: u32, path: &mut Vec<String>) {
    let name = &tables.names[tables.targets[target as usize].name as usize].1;
    if !path.iter().any(|known| **known == **name) {
        path.push(name.to_string());
    }
    if let Some(route) = tables.expected(target) {
        for call in tables.calls_of(route) {
            follow(tables, call.target, path);
        }
    }
}
