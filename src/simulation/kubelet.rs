//! Kubelets: pods on machines, from being noticed to being gone.

mod returning;

use super::event::Event;
use super::fabric::{MachineId, ModelId, PodId, PodNet, Power, Process};
use super::machine::Pause;
use super::objects::pod::{Container, Phase};
use super::world::{World, draw};
use crate::model::history::What;
use crate::model::time::{Span, Time};

/// A pod on a machine.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// The machine.
    pub machine: MachineId,
    /// Counts the starts and ends of its process; events of another count are void.
    pub incarnation: u32,
    /// How it behaves.
    pub model: Option<ModelId>,
    /// The container's restarts so far.
    pub restarts: u32,
    /// When its process last started.
    pub started: Time,
    /// The delay before the next restart.
    pub back_off: Span,
    /// Whether it has been asked to end.
    pub stopping: bool,
}

/// From SIGTERM to the end of a process without a description: assumed, as most handle the signal at once.
const PLAIN_SHUTDOWN: Span = Span::millis(200);

impl World {
    pub(super) fn kubelet_runs(&self, machine: MachineId) -> bool {
        self.machines[machine.0 as usize].kubelet && self.fabric.powered(machine)
    }

    /// The pod's runtime, when it is of this incarnation and its kubelet runs.
    fn current(&self, pod: u32, incarnation: u32) -> Option<Runtime> {
        let runtime = self.runtimes.get(pod as usize).copied().flatten()?;
        (runtime.incarnation == incarnation && self.kubelet_runs(runtime.machine)).then_some(runtime)
    }

    /// The same for what a process does by itself: it needs no kubelet that works, but one that did not shut down with its machine.
    fn current_process(&self, pod: u32, incarnation: u32) -> Option<Runtime> {
        let runtime = self.runtimes.get(pod as usize).copied().flatten()?;
        let machine = &self.machines[runtime.machine.0 as usize];
        let runs = match self.fabric.machines[runtime.machine.0 as usize] {
            Power::On => machine.kubelet || machine.outage.pause == Pause::Stopped,
            Power::Isolated => true,
            Power::Booting | Power::Frozen | Power::Off => false,
        };
        (runs && runtime.incarnation == incarnation).then_some(runtime)
    }

    pub(super) fn runtime_mut(&mut self, pod: u32) -> Option<&mut Runtime> {
        self.runtimes.get_mut(pod as usize).and_then(Option::as_mut)
    }

    /// Whether a pod's process runs and listens on a powered machine.
    #[must_use]
    pub fn listens(&self, pod: PodId) -> bool {
        self.fabric
            .pod(pod)
            .is_some_and(|net| net.process == Process::Listening && self.fabric.powered(net.machine))
    }

    pub(super) fn start_pod(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let Some(machine) = row.body.node else { return };
        if !self.kubelet_runs(machine) || row.meta.deletion.is_some() {
            return;
        }
        if row.body.template.needs.is_some()
            && (self.runtimes.get(pod as usize).is_some_and(Option::is_some) || !self.volumes_ready(pod, machine))
        {
            return;
        }
        let Some(row) = self.store.pod(pod) else { return };
        let Some(image) = row
            .body
            .template
            .containers
            .first()
            .map(|container| container.image.clone())
        else {
            return;
        };
        let (namespace, app) = (row.meta.namespace.clone(), row.body.app.clone());
        let model = self.behaviour(&namespace, &image, &app);
        let mut delay = draw(&mut self.chance.kubelets, self.profile.kubelet.start);
        if self.machines[machine.0 as usize].images.insert(image) {
            delay = delay + draw(&mut self.chance.kubelets, self.profile.kubelet.pull);
        }
        let index = pod as usize;
        if self.runtimes.len() <= index {
            self.runtimes.resize(index + 1, None);
        }
        self.runtimes[index] = Some(Runtime {
            machine,
            incarnation: 0,
            model,
            restarts: 0,
            started: self.now,
            back_off: Span::ZERO,
            stopping: false,
        });
        self.machines[machine.0 as usize].pods.insert(pod);
        let now = self.now;
        self.store.change_pod(pod, |row| {
            row.body.started = Some(now);
            row.body.container = Container::Creating;
        });
        self.scheduler.set_started(PodId(pod), now);
        self.after(delay, Event::Running(pod, 0));
    }

    /// The description of an image in a namespace, or the assumed one when that is allowed.
    pub(super) fn behaviour(&mut self, namespace: &str, image: &str, app: &str) -> Option<ModelId> {
        let found = self.network.model_for(namespace, image, app);
        if found.is_some() {
            return found;
        }
        if !self.assuming.contains(namespace) {
            if self.load_from().is_some() && namespace == self.loaded {
                self.undescribed.insert(image.to_owned());
            }
            return None;
        }
        self.assumed.insert(image.to_owned());
        Some(self.network.assume_default(namespace, image))
    }

    pub(super) fn running(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.current(pod, incarnation) else {
            return;
        };
        if runtime.stopping {
            return;
        }
        let index = pod as usize;
        if self.fabric.pods.len() <= index {
            self.fabric.pods.resize(index + 1, None);
        }
        self.fabric.pods[index] = Some(PodNet {
            machine: runtime.machine,
            process: Process::NotListening,
            model: runtime.model,
            incarnation,
        });
        self.network.process_started(PodId(pod));
        let now = self.now;
        if let Some(runtime) = self.runtime_mut(pod) {
            runtime.started = now;
        }
        let start = runtime
            .model
            .map_or((Span::ZERO, Span::ZERO), |model| self.network.start_range(model));
        let start = self.chance.kubelets.span(start.0, start.1);
        self.after(start, Event::Listen(pod, incarnation));
        let report = draw(&mut self.chance.kubelets, self.profile.kubelet.report);
        self.after(report, Event::ReportRunning(pod, incarnation));
    }

    pub(super) fn listen(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.current_process(pod, incarnation) else {
            return;
        };
        let Some(row) = self.store.pod(pod) else { return };
        let ready = runtime.model.is_none_or(|model| {
            self.network.waits_for(model).iter().all(|service| {
                self.fabric.service(&row.meta.namespace, service).is_some_and(|id| {
                    self.fabric
                        .proxies
                        .newest(id)
                        .iter()
                        .any(|&pod| self.listens(self.fabric.holder(pod)))
                })
            })
        });
        if !ready {
            // It tries again every second: `Service::waits_for`.
            return self.after(Span::secs(1), Event::Listen(pod, incarnation));
        }
        let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
        if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            net.process = Process::Listening;
        }
        self.note(What::PodServing { pod: name, app });
        self.autoscaler_may_start(pod, incarnation);
    }

    pub(super) fn report_running(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.current(pod, incarnation) else {
            return;
        };
        let Some(row) = self.store.pod(pod) else { return };
        let address = match row.body.address {
            Some(address) => address,
            None if row.body.template.host_network => self.machines[runtime.machine.0 as usize].address,
            None => match self.faults.addresses.given.remove(&pod) {
                Some(address) => address,
                None => self.next_address(runtime.machine),
            },
        };
        let (now, restarts, started) = (self.now, runtime.restarts, runtime.started);
        // Without a readiness probe a pod is Ready as soon as its containers run.
        self.store.change_pod(pod, |row| {
            let pod = &mut row.body;
            pod.phase = Phase::Running;
            pod.container = Container::Running(started);
            pod.address = Some(address);
            pod.restarts = restarts;
            pod.ready = Some((true, now));
        });
        let Some(row) = self.store.pod(pod) else { return };
        let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
        self.note(What::PodStarted {
            pod: name.clone(),
            app: app.clone(),
        });
        self.note(What::PodReady { pod: name, app });
        self.pod_changed(pod);
    }

    /// A pod's process ended by itself (the network saw it crash).
    pub(super) fn crashed(&mut self, pod: u32) {
        let Some(runtime) = self.runtime_mut(pod) else { return };
        runtime.incarnation += 1;
        let incarnation = runtime.incarnation;
        if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            net.process = Process::NotListening;
            net.incarnation = incarnation;
        }
        self.network.process_ended(PodId(pod), self.now, &self.fabric);
        if let Some(row) = self.store.pod(pod) {
            let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
            self.note(What::PodCrashed { pod: name, app });
        }
        let relist = draw(&mut self.chance.kubelets, self.profile.kubelet.relist);
        self.after(relist, Event::Died(pod, incarnation));
    }

    pub(super) fn died(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.current(pod, incarnation) else {
            return;
        };
        if runtime.stopping {
            return;
        }
        let limit = Span::from(self.profile.kubelet.back_off_limit);
        let first = Span::from(self.profile.kubelet.back_off);
        // A container that ran for twice the limit starts its back-off anew (client-go util/flowcontrol/backoff.go).
        let delay = if self.now.since(runtime.started).0 > 2 * limit.0 {
            Span::ZERO
        } else {
            runtime.back_off
        };
        let next = if delay == Span::ZERO {
            first
        } else {
            Span((delay.0 * 2).min(limit.0))
        };
        if let Some(runtime) = self.runtime_mut(pod) {
            runtime.back_off = next;
            runtime.restarts += 1;
        }
        let (now, restarts) = (self.now, runtime.restarts + 1);
        self.store.change_pod(pod, |row| {
            row.body.ready = Some((false, now));
            row.body.container = if delay == Span::ZERO {
                Container::Terminated(1, now)
            } else {
                Container::BackOff
            };
            row.body.restarts = restarts - 1;
        });
        if let Some(row) = self.store.pod(pod) {
            let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
            self.note(What::PodNotReady { pod: name, app });
        }
        self.pod_changed(pod);
        let start = draw(&mut self.chance.kubelets, self.profile.kubelet.start);
        self.after(delay + start, Event::Restart(pod, incarnation));
    }

    pub(super) fn restart(&mut self, pod: u32, incarnation: u32) {
        self.running(pod, incarnation);
    }

    /// A process gets SIGTERM from a machine that shuts down; it has ended within `limit`.
    pub(super) fn signal_process(&mut self, pod: u32, limit: Span) {
        let Some(runtime) = self.runtimes.get(pod as usize).copied().flatten() else {
            return;
        };
        let delay = self.shutdown_of(&runtime).0.min(limit.0.saturating_sub(1));
        self.after(Span(delay), Event::Stopped(pod, runtime.incarnation));
    }

    fn shutdown_of(&mut self, runtime: &Runtime) -> Span {
        match runtime.model {
            Some(model) => {
                let (from, to) = self.network.shutdown_range(model);
                self.chance.kubelets.span(from, to)
            }
            None => PLAIN_SHUTDOWN,
        }
    }

    /// The kubelet saw that a pod is to be deleted, or that its object is gone.
    pub(super) fn stop_pod(&mut self, pod: u32) {
        let object = self.store.pod(pod).map(|row| (row.body.node, row.meta.deletion));
        let Some(mut runtime) = self.runtimes.get(pod as usize).copied().flatten() else {
            // Never started: nothing to stop.
            if let Some((Some(machine), Some(_))) = object
                && self.kubelet_runs(machine)
            {
                self.after(Span::ZERO, Event::Remove(pod));
            }
            return;
        };
        let wanted = matches!(object, Some((_, None)));
        if wanted || runtime.stopping || !self.kubelet_runs(runtime.machine) {
            return;
        }
        runtime.stopping = true;
        let grace = match object {
            Some((_, Some(deletion))) => deletion.grace,
            _ => Span::ZERO,
        };
        let delay = self.shutdown_of(&runtime).0.min(grace.0);
        self.runtimes[pod as usize] = Some(runtime);
        self.after(Span(delay), Event::Stopped(pod, runtime.incarnation));
    }

    /// A process has ended after SIGTERM.
    pub(super) fn stopped(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.runtimes.get(pod as usize).copied().flatten() else {
            return;
        };
        if runtime.incarnation != incarnation && !runtime.stopping || !self.fabric.powered(runtime.machine) {
            return;
        }
        let kubelet = self.kubelet_runs(runtime.machine);
        if let Some(runtime) = self.runtime_mut(pod) {
            runtime.incarnation += 1;
        }
        if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            // The kubelet removes the network namespace with the sandbox; on a machine that shuts down it stays until silence.
            net.process = if kubelet {
                Process::Absent
            } else {
                Process::NotListening
            };
            net.incarnation += 1;
            self.network.process_ended(PodId(pod), self.now, &self.fabric);
        }
        if kubelet {
            self.runtimes[pod as usize] = None;
            self.machines[runtime.machine.0 as usize].pods.remove(&pod);
            let delay = draw(&mut self.chance.kubelets, self.profile.kubelet.remove);
            self.after(delay, Event::Remove(pod));
        }
    }

    pub(super) fn remove_stopped(&mut self, pod: u32) {
        if self.store.pod(pod).is_some_and(|row| row.meta.deletion.is_some()) {
            self.remove_pod(pod);
        }
    }
}
