//! From a pod's binding to processes that listen, container after container.
//!
//! Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go `SyncPod`, `computePodActions`; kuberuntime_container.go
//! `computeInitContainerActions`: the containers of the start one after the other, then the main ones, each when the one before
//! has been started.

use std::sync::Arc;

use super::{Life, Runtime};
use crate::model::history::What;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{MachineId, ModelId, PodId, PodNet, Process};
use crate::simulation::objects::container::{ContainerStatus, State};
use crate::simulation::objects::template::{Kind, PodTemplate, Role};
use crate::simulation::world::{World, draw};

impl World {
    pub(in crate::simulation) fn start_pod(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let Some(machine) = row.body.node else { return };
        if !self.kubelet_runs(machine) || row.meta.deletion.is_some() || row.body.is_finished() {
            return;
        }
        if row.body.template.needs.is_some() && (self.runtime(pod).is_some() || !self.volumes_ready(pod, machine)) {
            return;
        }
        self.begin_pod(pod, machine);
    }

    /// Starts a pod whose turn it is, also one whose processes were lost with their machine's power.
    pub(super) fn begin_pod(&mut self, pod: u32, machine: MachineId) {
        let Some(row) = self.store.pod(pod) else { return };
        let (namespace, app, template) = (
            row.meta.namespace.clone(),
            row.body.app.clone(),
            row.body.template.clone(),
        );
        if template.containers.is_empty() {
            return;
        }
        let now = self.now;
        let mut lives: Vec<Life> = template
            .all()
            .map(|container| Life::new(self.behaviour(&namespace, &container.image, &app), now))
            .collect();
        for (place, life) in lives.iter_mut().enumerate() {
            life.workers = self.hire(machine, &template, place);
        }
        let first = template.init.len();
        let face = (first..lives.len())
            .find(|&place| lives[place].model.is_some())
            .unwrap_or(first);
        let index = pod as usize;
        if self.runtimes.len() <= index {
            self.runtimes.resize(index + 1, None);
        }
        let mut runtime = Runtime {
            machine,
            lives,
            face,
            count: 0,
            plans: 0,
            stopping: None,
        };
        let before = self.runtimes[index].take();
        if let Some(before) = &before {
            runtime.keep(before);
        }
        let incarnation = runtime.count;
        (runtime.lives[0].incarnation, runtime.lives[0].due) = (incarnation, true);
        self.runtimes[index] = Some(runtime);
        self.machines[machine.0 as usize].pods.insert(pod);
        let chance = if before.is_some() {
            // Its machine has come back from a fault.
            &mut self.faults.chance
        } else {
            &mut self.chance.kubelets
        };
        let seen = draw(chance, self.profile.kubelet.start);
        let unseen = if before.is_some() {
            self.unseen(seen)
        } else {
            Span::ZERO
        };
        if let Some(life) = self.life_mut(pod, 0) {
            life.unseen = unseen;
        }
        let delay = Span(seen.0 - unseen.0) + self.pull(machine, &template, 0);
        let initialized = template.init.is_empty().then_some(now);
        let statuses = self.statuses(pod);
        self.store.change_pod(pod, |row| {
            row.body.started.get_or_insert(now);
            row.body.initialized = row.body.initialized.filter(|_| initialized.is_some()).or(initialized);
            row.body.statuses = statuses;
        });
        if before.is_some() {
            self.report(pod, None);
        } else {
            self.scheduler.set_started(PodId(pod), now);
        }
        self.after(delay, Event::Running(pod, incarnation));
        if let Some(deadline) = template.deadline {
            let started = self.store.pod(pod).and_then(|row| row.body.started).unwrap_or(now);
            self.queue.post(started + deadline, Event::PodDeadline(pod));
        }
    }

    /// Of the time after which a restarted pod is seen to run, the part in which its process runs already: the kubelet lists the
    /// containers of its machine once a second (pkg/kubelet/kubelet.go `genericPlegRelistPeriod`). Meanwhile the pod's address, which
    /// may have been another's, is answered.
    fn unseen(&mut self, seen: Span) -> Span {
        let kubelet = &self.profile.kubelet;
        let made = kubelet.create.spans().1;
        let unseen = draw(&mut self.faults.chance, kubelet.relist);
        Span(unseen.0.min(seen.0.saturating_sub(made.0)))
    }

    /// How long the image of a container is pulled.
    fn pull(&mut self, machine: MachineId, template: &PodTemplate, place: usize) -> Span {
        let Some(container) = template.container(place) else {
            return Span::ZERO;
        };
        if self.machines[machine.0 as usize].images.insert(container.image.clone()) {
            draw(&mut self.chance.kubelets, self.profile.kubelet.pull)
        } else {
            Span::ZERO
        }
    }

    /// The description of an image in a namespace, or the assumed one when that is allowed.
    pub(in crate::simulation) fn behaviour(&mut self, namespace: &str, image: &str, app: &str) -> Option<ModelId> {
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

    /// Lets the containers of a pod that runs behave as they are described now.
    pub(in crate::simulation) fn describe_running(&mut self, pod: u32) {
        let (Some(row), true) = (self.store.pod(pod), self.runtime(pod).is_some()) else {
            return;
        };
        let (namespace, app, template) = (
            row.meta.namespace.clone(),
            row.body.app.clone(),
            row.body.template.clone(),
        );
        for (place, container) in template.all().enumerate() {
            let model = self.behaviour(&namespace, &container.image, &app);
            let Some(runtime) = self.runtime_mut(pod) else { return };
            let face = runtime.face == place;
            if let Some(life) = runtime.lives.get_mut(place) {
                life.model = model;
            }
            if face && let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
                net.model = model;
            }
        }
    }

    /// Starts the first container that has never been begun and whose turn it is; in a pod whose sandbox is there.
    pub(super) fn begin_next(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let Some(runtime) = self.runtime(pod) else { return };
        if runtime.stopping.is_some() {
            return;
        }
        let Some(place) = (0..runtime.lives.len()).find(|&place| {
            let life = &runtime.lives[place];
            !life.due && !life.alive && life.ended.is_none()
        }) else {
            return;
        };
        // Those of the start before it must have ended well, or go on and be started.
        let clear = (0..place).all(|before| {
            let status = &runtime.lives[before].status;
            match template.role(before) {
                Role::Init => status.ended().is_some_and(|ended| ended.code == 0),
                Role::Sidecar => place > template.init.len() || status.started || runtime.lives[before].ended.is_some(),
                Role::Main => true,
            }
        });
        if !clear {
            return;
        }
        let machine = runtime.machine;
        let delay = draw(&mut self.chance.containers, self.profile.kubelet.create);
        let delay = delay + self.pull(machine, &template, place);
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let incarnation = runtime.renew(place);
        runtime.lives[place].due = true;
        self.after(delay, Event::Running(pod, incarnation));
    }

    pub(in crate::simulation) fn running(&mut self, pod: u32, incarnation: u32) {
        let Some((machine, place)) = self.current_in_use(pod, incarnation) else {
            return;
        };
        let now = self.now;
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let face = place == runtime.face;
        let life = &mut runtime.lives[place];
        (life.alive, life.due, life.listening, life.begun) = (true, false, false, now);
        let model = life.model;
        let unseen = std::mem::take(&mut life.unseen);
        let (front, at) = (runtime.lives[runtime.face].model, runtime.incarnation());
        let index = pod as usize;
        if self.fabric.pods.len() <= index {
            self.fabric.pods.resize(index + 1, None);
        }
        if face
            || self.fabric.pods[index]
                .as_ref()
                .is_none_or(|net| net.process == Process::Absent)
        {
            self.fabric.pods[index] = Some(PodNet {
                machine,
                process: Process::NotListening,
                model: front,
                incarnation: at,
            });
        }
        if face {
            let volume = self.store_volume(pod, place);
            self.network.process_started(PodId(pod), volume);
        }
        let start = model.map_or((Span::ZERO, Span::ZERO), |model| self.network.start_range(model));
        let start = self.chance.kubelets.span(start.0, start.1);
        self.after(start, Event::Listen(pod, incarnation));
        let report = draw(&mut self.chance.kubelets, self.profile.kubelet.report);
        let hook = self.post_start(pod, place);
        self.after(
            unseen + report + hook.unwrap_or(Span::ZERO),
            Event::ReportRunning(pod, incarnation),
        );
        // A hook after the start holds the next container back.
        let main = self
            .store
            .pod(pod)
            .is_some_and(|row| row.body.template.role(place) == Role::Main);
        if main && hook.is_none() {
            self.begin_next(pod);
        }
    }

    fn post_start(&mut self, pod: u32, place: usize) -> Option<Span> {
        let row = self.store.pod(pod)?;
        let hook = row
            .body
            .template
            .container(place)?
            .care
            .as_deref()?
            .post_start
            .clone()?;
        let runtime = self.runtime(pod)?.clone();
        Some(self.hook(&runtime, place, &hook))
    }

    pub(in crate::simulation) fn listen(&mut self, pod: u32, incarnation: u32) {
        let Some(place) = self.current_process(pod, incarnation) else {
            return;
        };
        let Some(row) = self
            .store
            .pod(pod)
            .map(|row| (row.meta.clone(), row.body.app.clone(), row.body.template.role(place)))
        else {
            return;
        };
        let (meta, app, role) = row;
        let model = self.life(pod, place).and_then(|life| life.model);
        let ready = model.is_none_or(|model| {
            self.network.waits_for(model).iter().all(|service| {
                self.fabric.service(&meta.namespace, service).is_some_and(|id| {
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
        if let Some(run) = self.task(pod, model, role) {
            let length = self.chance.containers.span(run.0, run.1);
            return self.after(length, Event::Ends(pod, incarnation));
        }
        let face = {
            let Some(runtime) = self.runtime_mut(pod) else { return };
            runtime.lives[place].listening = true;
            place == runtime.face
        };
        if !face {
            return;
        }
        if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            net.process = Process::Listening;
        }
        self.note(What::PodServing {
            pod: meta.name.to_string(),
            app: app.to_string(),
        });
        self.autoscaler_may_start(pod, incarnation);
    }

    /// How long a container works before it ends by itself, when it does: as its description says; an assumed image does so at
    /// once where a container is expected to end.
    fn task(&self, pod: u32, model: Option<ModelId>, role: Role) -> Option<(Span, Span)> {
        let model = model?;
        if !self.network.is_assumed(model) {
            return self.network.run_range(model);
        }
        let job = || {
            let owner = self.store.pod(pod).and_then(|row| row.meta.owner.as_ref());
            owner.is_some_and(|owner| owner.kind == "Job")
        };
        (role == Role::Init || role == Role::Main && job()).then_some((Span::ZERO, Span::ZERO))
    }

    pub(in crate::simulation) fn report_running(&mut self, pod: u32, incarnation: u32) {
        let Some((machine, place)) = self.current(pod, incarnation) else {
            return;
        };
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let address = match row.body.address {
            Some(address) => address,
            None if template.host_network => self.machines[machine.0 as usize].address,
            None => match self.faults.addresses.given.remove(&pod) {
                Some(address) => address,
                None => self.next_address(machine),
            },
        };
        if let Some(life) = self.life_mut(pod, place) {
            if !life.alive {
                return;
            }
            life.seen_running(template.role(place));
        }
        // Its main containers run: the pod has started, or started again.
        let started = template.role(place) == Role::Main && {
            let lives = self
                .runtime(pod)
                .map_or(&[][..], |runtime| &runtime.lives[template.init.len()..]);
            lives.iter().all(|life| life.status.runs())
        };
        self.report(pod, Some((address, started)));
        self.probe_new(pod, place);
        for place in 0..template.init.len() + template.containers.len() {
            self.trigger_readiness(pod, place);
        }
        self.begin_next(pod);
    }

    /// The name and the application of a pod, as the history has them.
    pub(super) fn named(&self, pod: u32) -> Option<(Arc<str>, Arc<str>)> {
        self.store
            .pod(pod)
            .map(|row| (row.meta.name.clone(), row.body.app.clone()))
    }
}

impl Life {
    /// The kubelet sees that it runs. Without a startup probe a container is started as soon as it runs, without a readiness
    /// probe ready as soon as it is started (pkg/kubelet/prober/prober_manager.go `UpdatePodStatus`).
    fn seen_running(&mut self, role: Role) {
        // One that its kubelet found dead when it came back has no other end than that.
        let found = match self.status.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        };
        self.status = ContainerStatus {
            state: State::Running(self.begun),
            last: self.ended.or(found).or(self.status.last),
            restarts: self.restarts,
            ready: role != Role::Init && !self.has(Kind::Startup) && !self.has(Kind::Readiness),
            started: !self.has(Kind::Startup),
        };
    }
}
