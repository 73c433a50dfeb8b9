//! Probe workers: when they run, and what follows from what they see.
//!
//! Source: pkg/kubelet/prober/worker.go (`run`, `doProbe`), prober_manager.go (`AddPod`, `UpdatePodStatus`).
//!
//! A worker ticks from the moment the kubelet took the pod on, whether or not its container runs yet; a readiness worker is also
//! run at once, and ticks from then on, when the kubelet sees its container running or started. An outcome that cannot change
//! before the container does is not waited for again and again: the worker rests, and history is the same as if it went on.

use super::looking::Look;
use super::{Life, Runtime};
use crate::model::time::{Span, Time};
use crate::simulation::event::Event;
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::template::{Kind, PodTemplate, Probe, Role};
use crate::simulation::world::World;

/// The worker of one probe of one container.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    kind: Kind,
    /// Its ticker began then.
    base: Time,
    /// It waits until then before its first look.
    wakes: Time,
    /// Names its next run; 0: none is posted.
    plan: u32,
    /// Since when a run is under way.
    asked: Option<Time>,
    /// Run again at once after that.
    again: bool,
    /// The last outcome, and how many of the same there were in a row. Both outlive the container, as in Kubernetes.
    last: Option<bool>,
    run: u32,
    /// What counts: the last outcome that reached its threshold.
    result: Option<bool>,
    /// Waits for another container.
    hold: bool,
    /// Never runs again.
    over: bool,
}

impl Worker {
    fn new(kind: Kind, base: Time) -> Self {
        Self {
            kind,
            base,
            wakes: base,
            plan: 0,
            asked: None,
            again: false,
            last: None,
            run: 0,
            result: None,
            hold: false,
            over: false,
        }
    }

    /// The first tick at or after a time.
    fn tick(&self, period: Span, from: Time) -> Time {
        let since = from.since(self.base).0;
        self.base + Span(since.div_ceil(period.0) * period.0)
    }
}

impl Life {
    fn worker(&self, kind: Kind) -> Option<usize> {
        self.workers.iter().position(|worker| worker.kind == kind)
    }

    /// Whether it has a probe of this kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.worker(kind).is_some()
    }
}

impl World {
    /// The workers of a pod that a kubelet takes on. Where the kubelet itself has just started, they wait for a part of their
    /// period first.
    pub(super) fn hire(&mut self, machine: MachineId, template: &PodTemplate, place: usize) -> Vec<Worker> {
        let role = template.role(place);
        let Some(care) = template
            .container(place)
            .and_then(|container| container.care.as_deref())
        else {
            return Vec::new();
        };
        if role == Role::Init {
            return Vec::new();
        }
        let up = self.now.since(self.machines[machine.0 as usize].kubelet_since);
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let Some(probe) = care.probe(kind) else { continue };
            let jitter = if up < probe.period {
                self.chance.probes.span(Span::ZERO, Span(probe.period.0 - 1))
            } else {
                Span::ZERO
            };
            all.push(Worker::new(kind, self.now + jitter));
        }
        all
    }

    /// The kubelet of a machine has started again while the containers of a pod ran on: all workers are new.
    pub(super) fn hire_again(&mut self, machine: MachineId, pod: u32) {
        let Some(template) = self.store.pod(pod).map(|row| row.body.template.clone()) else {
            return;
        };
        let places = self.runtime(pod).map_or(0, |runtime| runtime.lives.len());
        for place in 0..places {
            let workers = self.hire(machine, &template, place);
            let Some(life) = self.life_mut(pod, place) else {
                continue;
            };
            let (ready, started) = (life.status.ready, life.status.started);
            life.workers = workers;
            for worker in &mut life.workers {
                // What the last kubelet knew of a running container holds until the first run (`isRestart`).
                worker.result = match worker.kind {
                    Kind::Startup => started.then_some(true),
                    Kind::Readiness => Some(ready),
                    Kind::Liveness => Some(true),
                };
                worker.hold = worker.kind == Kind::Startup && started;
            }
            if life.status.runs() {
                for kind in Kind::ALL {
                    self.plan_probe(pod, place, kind, self.now);
                }
            }
        }
    }

    /// The kubelet sees a new container run: what was known of the one before it is void.
    pub(super) fn probe_new(&mut self, pod: u32, place: usize) {
        let Some(life) = self.life_mut(pod, place) else { return };
        for worker in &mut life.workers {
            worker.result = match worker.kind {
                Kind::Startup => None,
                Kind::Readiness => Some(false),
                Kind::Liveness => Some(true),
            };
            (worker.hold, worker.asked, worker.again, worker.plan) = (false, None, false, 0);
        }
        let now = self.now;
        for kind in [Kind::Startup, Kind::Liveness] {
            self.plan_probe(pod, place, kind, now);
        }
        self.trigger_readiness(pod, place);
    }

    /// The kubelet has looked at a pod: readiness workers of containers that are not ready run at once.
    pub(super) fn trigger_readiness(&mut self, pod: u32, place: usize) {
        let now = self.now;
        let Some(delay) = self
            .store
            .pod(pod)
            .and_then(|row| probe_of(&row.body.template, place, Kind::Readiness))
            .map(|probe| probe.delay)
        else {
            return;
        };
        let Some(life) = self.life_mut(pod, place) else { return };
        if !life.status.runs() || !life.status.started || life.status.ready {
            return;
        }
        let Some(index) = life.worker(Kind::Readiness) else {
            return;
        };
        let worker = &mut life.workers[index];
        if worker.over {
            return;
        }
        if worker.asked.is_some() {
            worker.again = true;
            return;
        }
        if now < worker.wakes {
            // `run`: it still waits for its part of the period, and the trigger is kept until it looks for the first time.
            worker.again = life.begun + delay <= worker.wakes;
            self.plan_probe(pod, place, Kind::Readiness, now);
            return;
        }
        worker.base = now;
        self.plan_probe(pod, place, Kind::Readiness, now);
    }

    /// Posts a worker's next run that does something: the first tick from then on that is past the container's initial delay.
    pub(super) fn plan_probe(&mut self, pod: u32, place: usize, kind: Kind, from: Time) {
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let Some(probe) = probe_of(&template, place, kind) else {
            return;
        };
        let now = self.now;
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let Runtime { lives, plans, .. } = runtime;
        let Some(life) = lives.get_mut(place) else { return };
        let Some(index) = life.worker(kind) else { return };
        let (runs, started, begun) = (life.status.runs(), life.status.started, life.begun);
        let worker = &mut life.workers[index];
        worker.plan = 0;
        // A startup probe is done once the container has started; the others wait for that.
        if worker.over || worker.hold || !runs || (kind == Kind::Startup) == started {
            return;
        }
        let at = worker.tick(probe.period, from.max(now).max(begun + probe.delay));
        *plans += 1;
        worker.plan = *plans;
        let plan = worker.plan;
        self.queue.post(at, Event::Probe(pod, plan));
    }

    fn planned(&self, pod: u32, plan: u32) -> Option<(usize, Worker)> {
        let runtime = self.runtime(pod)?;
        runtime.lives.iter().enumerate().find_map(|(place, life)| {
            let worker = life.workers.iter().find(|worker| worker.plan == plan)?;
            Some((place, *worker))
        })
    }

    fn worker_mut(&mut self, pod: u32, place: usize, kind: Kind) -> Option<&mut Worker> {
        let life = self.life_mut(pod, place)?;
        let index = life.worker(kind)?;
        Some(&mut life.workers[index])
    }

    /// A worker runs its probe.
    pub(in crate::simulation) fn probe(&mut self, pod: u32, plan: u32) {
        let Some((place, worker)) = self.planned(pod, plan) else {
            return;
        };
        let kind = worker.kind;
        let machine = self.runtime(pod).map(|runtime| runtime.machine);
        let Some(row) = self.store.pod(pod) else { return };
        let (template, deleting) = (row.body.template.clone(), row.meta.deletion.is_some());
        let running = machine.is_some_and(|machine| self.kubelet_runs(machine));
        if !running {
            if let Some(worker) = self.worker_mut(pod, place, kind) {
                worker.plan = 0;
            }
            return;
        }
        if deleting && kind != Kind::Readiness {
            if let Some(worker) = self.worker_mut(pod, place, kind) {
                (worker.over, worker.result) = (true, Some(true));
            }
            return;
        }
        let Some(probe) = probe_of(&template, place, kind).cloned() else {
            return;
        };
        let now = self.now;
        if let Some(worker) = self.worker_mut(pod, place, kind) {
            worker.asked = Some(now);
        }
        match self.look(pod, place, &template, &probe) {
            Look::Known(outcome) => self.outcome(pod, place, kind, &probe, outcome, true),
            Look::Ask { place: of, route } => self.ask_route(pod, of, route, probe.timeout, plan),
        }
    }

    /// The answer to a probe that was made as a request.
    pub(in crate::simulation) fn probed(&mut self, pod: u32, plan: u32, answer: Option<u16>) {
        let Some((place, worker)) = self.planned(pod, plan) else {
            return;
        };
        if worker.asked.is_none() {
            return;
        }
        if !self
            .runtime(pod)
            .is_some_and(|runtime| self.kubelet_runs(runtime.machine))
        {
            if let Some(worker) = self.worker_mut(pod, place, worker.kind) {
                (worker.asked, worker.plan) = (None, 0);
            }
            return;
        }
        let Some(row) = self.store.pod(pod) else { return };
        let Some(probe) = probe_of(&row.body.template, place, worker.kind).cloned() else {
            return;
        };
        let outcome = self.judged(pod, &probe, answer);
        self.outcome(pod, place, worker.kind, &probe, outcome, false);
    }

    /// Counts an outcome, does what follows from it, and plans the next run. `known`: it stays so as long as the container does.
    fn outcome(&mut self, pod: u32, place: usize, kind: Kind, probe: &Probe, outcome: Result<(), String>, known: bool) {
        let (good, now) = (outcome.is_ok(), self.now);
        if let Err(why) = outcome {
            let message = format!("{} probe failed: {why}", kind.name());
            if let Some(about) = self.about_pod(pod, true, "kubelet") {
                self.announce(&about, "Unhealthy", message);
            }
        }
        let Some(worker) = self.worker_mut(pod, place, kind) else {
            return;
        };
        let asked = worker.asked.take();
        worker.run = if worker.last == Some(good) { worker.run + 1 } else { 1 };
        worker.last = Some(good);
        let counts = worker.run >= if good { probe.success } else { probe.failure };
        let mut changed = false;
        if counts {
            changed = worker.result != Some(good);
            worker.result = Some(good);
            if kind == Kind::Startup || kind == Kind::Liveness && !good {
                (worker.hold, worker.run) = (true, 0);
            }
        }
        let again = std::mem::take(&mut worker.again);
        let rests = known && good && counts && !again;
        worker.plan = 0;
        if again {
            worker.base = now;
            self.plan_probe(pod, place, kind, now);
        } else if !rests {
            // The ticker keeps one tick that came while the probe was under way.
            let from = asked.map_or(self.now, |asked| asked + Span(1));
            let next = self.next_tick(pod, place, kind, probe.period, from);
            self.plan_at(pod, place, kind, next);
        }
        if changed {
            self.probe_counts(pod, place, kind, probe, good);
        }
    }

    fn next_tick(&mut self, pod: u32, place: usize, kind: Kind, period: Span, from: Time) -> Time {
        let now = self.now;
        self.worker_mut(pod, place, kind)
            .map_or(now, |worker| worker.tick(period, from).max(now))
    }

    fn plan_at(&mut self, pod: u32, place: usize, kind: Kind, at: Time) {
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let Runtime { lives, plans, .. } = runtime;
        let Some(life) = lives.get_mut(place) else { return };
        let Some(index) = life.worker(kind) else { return };
        let worker = &mut life.workers[index];
        if worker.over || worker.hold {
            return;
        }
        *plans += 1;
        worker.plan = *plans;
        let plan = worker.plan;
        self.queue.post(at, Event::Probe(pod, plan));
    }

    /// What follows when a probe's result is another one.
    fn probe_counts(&mut self, pod: u32, place: usize, kind: Kind, probe: &Probe, good: bool) {
        match (kind, good) {
            (Kind::Readiness, _) => {
                if let Some(life) = self.life_mut(pod, place) {
                    life.status.ready = good && life.status.runs() && life.status.started;
                }
                self.report(pod, None);
            }
            (Kind::Startup, true) => {
                if let Some(life) = self.life_mut(pod, place) {
                    life.status.started = true;
                    life.status.ready = !life.has(Kind::Readiness);
                }
                self.report(pod, None);
                self.trigger_readiness(pod, place);
                self.plan_probe(pod, place, Kind::Liveness, self.now);
                self.begin_next(pod);
            }
            (Kind::Startup | Kind::Liveness, false) => self.kill_container(pod, place, kind, probe.grace),
            (Kind::Liveness, true) => {}
        }
    }

    /// Plans a run of every worker of a pod that has none planned.
    pub(in crate::simulation) fn plan_resting(&mut self, pod: u32, after: Span) {
        let resting: Vec<(usize, Kind)> = self
            .runtime(pod)
            .into_iter()
            .flat_map(|runtime| runtime.lives.iter().enumerate())
            .flat_map(|(place, life)| life.workers.iter().map(move |worker| (place, worker)))
            .filter(|(_, worker)| worker.plan == 0)
            .map(|(place, worker)| (place, worker.kind))
            .collect();
        for (place, kind) in resting {
            self.plan_probe(pod, place, kind, self.now + after);
        }
    }
}

fn probe_of(template: &PodTemplate, place: usize, kind: Kind) -> Option<&Probe> {
    template.container(place)?.care.as_deref()?.probe(kind)
}
