//! The world: all of a cluster's state as plain data, moved by events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::admission::Admission;
use super::control::autoscaler::AutoscalerState;
use super::control::claims::Volumes;
use super::control::daemon_sets::Daemons;
use super::control::garbage::Garbage;
use super::control::jobs::Jobs;
use super::control::load_balancers::Balancers;
use super::control::node_lifecycle::NodeLifecycle;
use super::control::pod_autoscaler::Scaling;
use super::control::pod_gc::PodGc;
use super::control::revisions::Workloads;
use super::control::scaling_group::Group;
use super::control::scheduling::Pending;
use super::control::selecting::Selecting;
use super::control::taint_eviction::TaintManager;
use super::event::Event;
use super::fabric::Fabric;
use super::faults::Faults;
use super::kubelet::Runtime;
use super::machine::Machine;
use super::network::{Effect, Network};
use super::objects::store::Store;
use super::objects::stored;
use super::queue::Queue;
use super::scheduler::Scheduler;
use crate::model::application::Between;
use crate::model::history::{self, What};
use crate::model::profile::Profile;
use crate::model::random::Stream;
use crate::model::time::{Span, Time};

/// A cluster with its load: plain data, moved by [`World::run_until`]. A clone goes on exactly like its original.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) now: Time,
    pub(super) seed: u64,
    /// Events of the cluster handled so far.
    pub(super) handled: u64,
    pub(super) profile: Arc<Profile>,
    pub(super) queue: Queue<Event>,
    pub(super) store: Store,
    pub(super) fabric: Fabric,
    pub(super) network: Network,
    pub(super) scheduler: Scheduler,
    pub(super) machines: Vec<Machine>,
    /// By pod row; `None` while no kubelet has it.
    pub(super) runtimes: Vec<Option<Runtime>>,
    pub(super) pending: Pending,
    pub(super) admission: Admission,
    /// Counts what may change where pods fit: pods bound and gone, nodes changed.
    pub(super) moves: u64,
    /// Pods by the uid of the ReplicaSet or DaemonSet that owns them.
    pub(super) owned: BTreeMap<u64, BTreeSet<u32>>,
    /// The number of pods that each Deployment's controller last acted on.
    pub(super) desired: BTreeMap<u32, u32>,
    pub(super) dirty: Dirty,
    pub(super) selecting: Selecting,
    pub(super) daemons: Daemons,
    pub(super) lifecycle: NodeLifecycle,
    pub(super) taint_manager: TaintManager,
    pub(super) pod_gc: PodGc,
    pub(super) faults: Faults,
    pub(super) garbage: Garbage,
    pub(super) workloads: Workloads,
    pub(super) volumes: Volumes,
    pub(super) scaling: Scaling,
    pub(super) jobs: Jobs,
    pub(super) group: Group,
    pub(super) autoscaler: AutoscalerState,
    pub(super) balancers: Balancers,
    pub(super) chance: Chance,
    pub(super) history: Vec<history::Event>,
    /// The journeys of the running load, for the history's header.
    pub(super) journeys: Vec<history::LoadedJourney>,
    pub(super) load_from: Option<Time>,
    /// The first transition of the running load's history.
    pub(super) recorded_from: usize,
    /// Hops of loads that have ended.
    pub(super) hops_before: u64,
    pub(super) not_modelled: BTreeSet<String>,
    pub(super) assumed: BTreeSet<String>,
    /// Namespaces in which images without a description are taken to answer 200.
    pub(super) assuming: BTreeSet<String>,
    /// The namespace of the running load.
    pub(super) loaded: String,
    /// Images without a description in the namespace of the running load.
    pub(super) undescribed: BTreeSet<String>,
    pub(super) logs: BTreeMap<u32, VecDeque<String>>,
    /// Events by what they are about and their reason, to count repetitions.
    pub(super) event_index: BTreeMap<(u64, &'static str), u32>,
}

/// What a controller will look at already, so that it is not asked twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    pub deployments: BTreeSet<u32>,
    /// Deployments whose progress will be looked at.
    pub progress: BTreeSet<u32>,
    pub replica_sets: BTreeSet<u32>,
    pub services: BTreeSet<u32>,
    pub budgets: BTreeSet<u32>,
    pub daemon_sets: bool,
    pub schedule: bool,
}

/// The streams of chance of the control plane, one a purpose.
#[derive(Clone, Debug)]
pub(super) struct Chance {
    pub controllers: Stream,
    pub scheduler: Stream,
    pub kubelets: Stream,
    /// What only pods of several containers, and containers that end, need.
    pub containers: Stream,
    pub probes: Stream,
    pub jobs: Stream,
    pub services: Stream,
    pub cloud: Stream,
    pub names: Stream,
    pub faults: Stream,
    pub disruption: Stream,
    pub garbage: Stream,
    pub workloads: Stream,
    pub storage: Stream,
    pub balancers: Stream,
}

impl World {
    /// A new cluster of a profile at cluster time 0: its nodes are Ready, its own workloads not yet running.
    #[must_use]
    pub fn new(profile: Arc<Profile>, seed: u64) -> Self {
        let mut world = Self {
            now: Time::ZERO,
            seed,
            handled: 0,
            queue: Queue::default(),
            store: Store::default(),
            fabric: Fabric::default(),
            network: Network::new(seed),
            scheduler: Scheduler::default(),
            machines: Vec::new(),
            runtimes: Vec::new(),
            pending: Pending::default(),
            admission: Admission::default(),
            moves: 0,
            owned: BTreeMap::new(),
            desired: BTreeMap::new(),
            dirty: Dirty::default(),
            selecting: Selecting::default(),
            daemons: Daemons::default(),
            lifecycle: NodeLifecycle::default(),
            taint_manager: TaintManager::default(),
            pod_gc: PodGc::default(),
            faults: Faults::new(seed),
            garbage: Garbage::default(),
            workloads: Workloads::default(),
            volumes: Volumes::default(),
            scaling: Scaling::default(),
            jobs: Jobs::default(),
            group: Group::default(),
            autoscaler: AutoscalerState::default(),
            balancers: Balancers::default(),
            chance: Chance {
                controllers: Stream::new(seed, "controllers"),
                scheduler: Stream::new(seed, "scheduler"),
                kubelets: Stream::new(seed, "kubelets"),
                containers: Stream::new(seed, "containers"),
                probes: Stream::new(seed, "probes"),
                jobs: Stream::new(seed, "jobs"),
                services: Stream::new(seed, "services"),
                cloud: Stream::new(seed, "cloud"),
                names: Stream::new(seed, "names"),
                faults: Stream::new(seed, "faults"),
                disruption: Stream::new(seed, "disruption"),
                garbage: Stream::new(seed, "garbage"),
                workloads: Stream::new(seed, "workloads"),
                storage: Stream::new(seed, "storage"),
                balancers: Stream::new(seed, "load-balancers"),
            },
            history: Vec::new(),
            journeys: Vec::new(),
            load_from: None,
            recorded_from: 0,
            hops_before: 0,
            not_modelled: BTreeSet::new(),
            assumed: BTreeSet::new(),
            assuming: BTreeSet::new(),
            loaded: String::new(),
            undescribed: BTreeSet::new(),
            logs: BTreeMap::new(),
            event_index: BTreeMap::new(),
            profile,
        };
        // Dynamic resource allocation is part of Kubernetes from 1.34 on.
        world
            .scheduler
            .set_dynamic_resources(world.profile.minor_version() >= 34);
        world.network.set_one_client(world.profile.services.one_client);
        world.install();
        world
    }

    /// The cluster time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What physically is.
    #[must_use]
    pub const fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// All objects.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Load, connections and requests.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// How many events of the cluster were handled so far, load aside.
    #[must_use]
    pub const fn events_handled(&self) -> u64 {
        self.handled
    }

    /// The transitions so far.
    #[must_use]
    pub fn transitions(&self) -> &[history::Event] {
        &self.history
    }

    /// Manifest fields that had no effect so far, sorted.
    #[must_use]
    pub fn not_modelled(&self) -> Vec<String> {
        self.not_modelled.iter().cloned().collect()
    }

    /// Images that were assumed to answer 200, sorted.
    #[must_use]
    pub fn assumed(&self) -> Vec<String> {
        self.assumed.iter().cloned().collect()
    }

    /// The time of the next event of the cluster or of its load; [`Time::NEVER`] when nothing is planned.
    #[must_use]
    pub fn next_event(&self) -> Time {
        self.queue.next().min(self.network.next())
    }

    /// The time of the next event of the cluster, load aside.
    #[must_use]
    pub fn next_cluster_event(&self) -> Time {
        self.queue.next()
    }

    /// Lets everything happen up to and including `until`. Going back does nothing.
    pub fn run_until(&mut self, until: Time) {
        loop {
            let next = self.queue.next();
            let horizon = next.min(until + Span(1));
            if self.network.next() < horizon
                && let Some(effect) = self.network.run(horizon, &self.fabric)
            {
                self.now = self.now.max(effect.at());
                match effect {
                    Effect::Crash { pod, .. } => self.crashed(pod.0),
                    Effect::Probed { pod, plan, answer, .. } => self.probed(pod.0, plan, answer),
                }
                continue;
            }
            if next > until {
                break;
            }
            let Some((at, event)) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            self.handled += 1;
            self.handle(event);
        }
        self.now = self.now.max(until);
    }

    fn handle(&mut self, event: Event) {
        if self.park(event) {
            return;
        }
        match event {
            Event::Booted(machine) => self.booted(machine),
            Event::NodeUp(machine) => self.node_up(machine),
            Event::Heartbeat(machine) => self.heartbeat(machine),
            Event::Signalled(machine) => self.signalled(machine),
            Event::PowerOff(machine) => self.power_off(machine),
            Event::ShutDown(machine) => self.shuts_down(machine),
            Event::PoweredOn(machine) => self.powered_on(machine),
            Event::RestartPods(machine) => self.restart_pods(machine),
            Event::KubeletBack(machine) => self.kubelet_back(machine),
            Event::PodsPosted(machine) => self.pods_posted(machine),
            Event::InstanceCheck(machine) => self.check_instance(machine),
            Event::Strike(scope, next) => self.strike(scope, next),
            Event::Return(scope, machine) => self.return_machine(scope, machine),
            Event::Cordon(scope, machine) => self.cordon(scope, machine),
            Event::Drain(scope, machine) => self.drain(scope, machine),
            Event::Interrupted(scope, machine) => self.interrupted(scope, machine),
            Event::Start(pod) => self.start_bound(pod),
            Event::Running(pod, incarnation) => self.running(pod, incarnation),
            Event::Listen(pod, incarnation) => self.listen(pod, incarnation),
            Event::ReportRunning(pod, incarnation) => self.report_running(pod, incarnation),
            Event::Ends(pod, incarnation) => self.ends(pod, incarnation),
            Event::Probe(pod, plan) => self.probe(pod, plan),
            Event::Killed(pod, incarnation) => self.killed(pod, incarnation),
            Event::PodDeadline(pod) => self.pod_deadline(pod),
            Event::Died(pod, incarnation) => self.died(pod, incarnation),
            Event::Restart(pod, incarnation) => self.restart(pod, incarnation),
            Event::Stop(pod) => self.stop_pod(pod),
            Event::Stopped(pod, incarnation) => self.stopped(pod, incarnation),
            Event::Remove(pod) => self.remove_stopped(pod),
            Event::Deployment(row) => self.sync_deployment(row),
            Event::ProgressCheck(row) => self.check_progress(row),
            Event::ReplicaSet(row) => self.sync_replica_set(row),
            Event::StatefulSet(row) => self.sync_stateful_set(row),
            Event::Autoscale(row) => self.autoscale(row),
            Event::Scrape => self.scrape(),
            Event::Storage(step) => self.storage_step(step),
            Event::Job(row) => self.sync_job(row),
            Event::JobExpired(row) => self.expire_job(row),
            Event::DaemonSets => self.sync_daemon_sets(),
            Event::Schedule => self.schedule_next(),
            Event::Retry(pod) => self.retry_pod(pod),
            Event::Endpoints(row) => self.sync_endpoints(row),
            Event::Budget(row) => self.sync_budget(row),
            Event::NodeMonitor => self.monitor_nodes(),
            Event::NoSchedule(node) => self.keep_pods_away(node),
            Event::TaintNext(zone) => self.taint_next(zone),
            Event::Evict(pod, plan) => self.evict_tainted(pod, plan),
            Event::PodGc => self.collect_pods(),
            Event::CloudNodes => self.cloud_nodes(),
            Event::Replace => self.replace_instance(),
            Event::Scan(pod, incarnation) => self.scan(pod, incarnation),
            Event::Launch => self.launch(),
            Event::Quotas => self.sync_quotas(),
            Event::QuotaResync => self.resync_quotas(),
            Event::Provisioned(service) => self.provisioned(service),
            Event::Targets(service) => self.sync_targets(service),
            Event::HealthCheck(service, machine) => self.check_health(service, machine),
            Event::Retarget(service) => self.retarget(service),
            Event::Orphans(uid) => self.collect_orphans(uid),
            Event::AwaitDependents(uid) => self.await_dependents(uid),
            Event::ReleaseDependents(uid) => self.release_dependents(uid),
            Event::EmptyNamespace(row, tries) => self.empty_namespace(row, tries),
        }
    }

    /// Posts an event after a length of time.
    pub(super) fn after(&mut self, delay: Span, event: Event) {
        self.queue.post(self.now + delay, event);
    }

    /// Appends a transition to the history.
    pub(super) fn note(&mut self, what: What) {
        self.history.push(history::Event { t: self.now.0, what });
    }

    /// Records a Kubernetes Event, counting repetitions.
    pub(super) fn announce(&mut self, about: &About, reason: &'static str, message: impl Into<Arc<str>>) {
        let message = message.into();
        let now = self.now;
        if let Some(&row) = self.event_index.get(&(about.uid, reason))
            && self.store.events.get(row).is_some()
        {
            self.store.events.update(&mut self.store.versions, row, |event| {
                event.body.count += 1;
                event.body.last = now;
                event.body.message = message;
            });
            return;
        }
        let namespace: Arc<str> = if about.namespace.is_empty() {
            "default".into()
        } else {
            about.namespace.clone()
        };
        let meta = super::objects::store::named(
            &namespace,
            format!("{}.{:016x}", about.name, self.store.events.next_row()),
        );
        let row = self.store.events.insert(
            &mut self.store.versions,
            meta,
            stored::Event {
                kind: about.kind,
                namespace,
                name: about.name.clone(),
                uid: about.uid,
                warning: about.warning,
                reason,
                message,
                component: about.component,
                count: 1,
                first: now,
                last: now,
            },
        );
        self.event_index.insert((about.uid, reason), row);
    }
}

/// What a Kubernetes Event is about, and who says it.
pub(super) struct About {
    pub kind: &'static str,
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub uid: u64,
    pub warning: bool,
    pub component: &'static str,
}

/// A length between the bounds, drawn from a stream.
pub(super) fn draw(stream: &mut Stream, between: Between) -> Span {
    let (from, to) = between.spans();
    stream.span(from, to)
}
