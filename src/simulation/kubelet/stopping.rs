//! Pods that are to go, or whose work is done.
//!
//! Source: pkg/kubelet/kuberuntime/kuberuntime_container.go `killContainer`, kuberuntime_termination_order.go: the main containers
//! at once, then the sidecars one by one from the last to the first, all within one grace period.

use super::killing::KILLED;
use super::{Runtime, Stopping};
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{PodId, Process};
use crate::simulation::objects::container::{Ended, State};
use crate::simulation::objects::pod::Phase;
use crate::simulation::objects::template::{PodTemplate, Role};
use crate::simulation::world::{World, draw};

/// From SIGTERM to the end of a process without a description: assumed, as most handle the signal at once.
const PLAIN_SHUTDOWN: Span = Span::millis(200);

impl World {
    /// A process gets SIGTERM from a machine that shuts down; it has ended within `limit`.
    pub(in crate::simulation) fn signal_process(&mut self, pod: u32, limit: Span) {
        let Some(runtime) = self.runtime(pod).cloned() else {
            return;
        };
        for place in to_signal(&runtime) {
            let delay = self.shutdown_of(&runtime, place).0.min(limit.0.saturating_sub(1));
            self.after(Span(delay), Event::Stopped(pod, runtime.lives[place].incarnation));
        }
    }

    pub(super) fn shutdown_of(&mut self, runtime: &Runtime, place: usize) -> Span {
        match runtime.lives[place].model {
            Some(model) => {
                let (from, to) = self.network.shutdown_range(model);
                self.chance.kubelets.span(from, to)
            }
            None => PLAIN_SHUTDOWN,
        }
    }

    /// The kubelet saw that a pod is to be deleted, or that its object is gone.
    pub(in crate::simulation) fn stop_pod(&mut self, pod: u32) {
        let object = self.store.pod(pod).map(|row| (row.body.node, row.meta.deletion));
        let Some(runtime) = self.runtime(pod) else {
            // Never started: nothing to stop.
            if let Some((Some(machine), Some(_))) = object
                && self.kubelet_runs(machine)
            {
                self.after(Span::ZERO, Event::Remove(pod));
            }
            return;
        };
        let wanted = matches!(object, Some((_, None)));
        let asked = runtime.stopping.is_some_and(|stopping| stopping.phase.is_none());
        if wanted || asked || !self.kubelet_runs(runtime.machine) {
            return;
        }
        let grace = match object {
            Some((_, Some(deletion))) => deletion.grace,
            _ => Span::ZERO,
        };
        self.stop_containers(pod, grace, None);
    }

    /// Ends a pod whose work is done: what still runs is stopped, then its phase is final.
    pub(super) fn finish_pod(&mut self, pod: u32, phase: Phase) {
        let Some(row) = self.store.pod(pod) else { return };
        let grace = row.body.template.grace;
        self.stop_containers(pod, grace, Some(phase));
    }

    /// A pod has been active for as long as it may (pkg/kubelet/active_deadline.go).
    pub(in crate::simulation) fn pod_deadline(&mut self, pod: u32) {
        let Some(row) = self.store.pod(pod) else { return };
        let over = !row.body.is_finished() && row.meta.deletion.is_none();
        let runs = self
            .runtime(pod)
            .is_some_and(|runtime| self.kubelet_runs(runtime.machine));
        if over && runs && !self.is_stopping(pod) {
            self.store.change_pod(pod, |row| {
                row.body.why = Some((
                    "DeadlineExceeded",
                    "Pod was active on the node longer than the specified deadline",
                ));
            });
            self.finish_pod(pod, Phase::Failed);
        }
    }

    fn stop_containers(&mut self, pod: u32, grace: Span, phase: Option<Phase>) {
        let deadline = self.now + grace;
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let before = runtime.stopping.replace(Stopping { deadline, phase });
        if before.is_some() {
            // Its containers have been asked already: only what becomes of the pod is another.
            return;
        }
        let runtime = runtime.clone();
        let template = self.template_of(pod);
        let mut asked = false;
        for place in to_signal(&runtime) {
            if phase.is_some() && !runtime.lives[place].alive || role(template.as_deref(), place) == Role::Sidecar {
                continue;
            }
            asked = true;
            let end = self.end_in(&runtime, place, template.as_deref(), grace);
            self.ask(pod, place, end);
        }
        if !asked {
            self.stop_next(pod);
        }
    }

    fn ask(&mut self, pod: u32, place: usize, (delay, exit): (Span, i32)) {
        let Some(life) = self.life_mut(pod, place) else { return };
        let incarnation = life.incarnation;
        (life.asked, life.exit) = (Some(incarnation), exit);
        self.after(delay, Event::Stopped(pod, incarnation));
    }

    fn template_of(&self, pod: u32) -> Option<std::sync::Arc<PodTemplate>> {
        self.store.pod(pod).map(|row| row.body.template.clone())
    }

    /// Asks the next sidecar of a pod that stops, from the last to the first; without any left the pod is done.
    fn stop_next(&mut self, pod: u32) {
        let Some(runtime) = self.runtime(pod).cloned() else {
            return;
        };
        let Some(stopping) = runtime.stopping else { return };
        if let Some(place) = (0..runtime.lives.len()).rev().find(|&place| runtime.lives[place].alive) {
            if runtime.lives[place].asked.is_none() {
                let template = self.template_of(pod);
                // Its turn comes after the others, in what is left of the grace period; two seconds at least.
                let left = stopping.deadline.since(self.now).max(Span::micros(1));
                let end = self.end_in(&runtime, place, template.as_deref(), left);
                self.ask(pod, place, end);
            }
            return;
        }
        self.pod_stopped(pod, &runtime, stopping);
    }

    /// A process has ended after SIGTERM.
    pub(in crate::simulation) fn stopped(&mut self, pod: u32, incarnation: u32) {
        let Some(runtime) = self.runtime(pod) else { return };
        if !self.fabric.powered(runtime.machine) {
            return;
        }
        let kubelet = self.kubelet_runs(runtime.machine);
        let asked = |life: &super::Life| life.asked == Some(incarnation);
        let place = runtime
            .place(incarnation)
            .or_else(|| runtime.lives.iter().position(asked));
        let Some(place) = place else { return };
        if !kubelet {
            self.ended_unseen(pod, place);
            return;
        }
        if runtime.stopping.is_none() {
            return;
        }
        if runtime.lives[place].alive && runtime.lives.len() > 1 {
            let exit = runtime.lives[place].exit;
            self.process_over(pod, place, exit);
        }
        let now = self.now;
        if let Some(life) = self.life_mut(pod, place) {
            life.asked = None;
            let ended = if life.alive {
                Ended::new(life.exit, life.begun, now)
            } else {
                life.ended.unwrap_or(Ended::new(KILLED, life.begun, now))
            };
            life.alive = false;
            life.ended = Some(ended);
            life.due = false;
            life.status.state = State::Ended(ended);
            (life.status.ready, life.status.started) = (false, false);
        }
        let waiting = self
            .runtime(pod)
            .is_some_and(|runtime| runtime.lives.iter().any(|life| life.asked.is_some()));
        if !waiting {
            self.stop_next(pod);
        }
    }

    /// A process ended on a machine whose kubelet no longer runs: nobody sees it, and its network namespace stays.
    fn ended_unseen(&mut self, pod: u32, place: usize) {
        let Some(runtime) = self.runtime_mut(pod) else { return };
        let face = place == runtime.face;
        runtime.renew(place);
        (runtime.lives[place].alive, runtime.lives[place].listening) = (false, false);
        if face && let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            net.process = Process::NotListening;
            net.incarnation = net.incarnation.wrapping_add(1);
            self.network.process_ended(PodId(pod), self.now, &self.fabric);
        }
    }

    /// All containers of a pod have ended: the kubelet removes its network namespace with the sandbox.
    fn pod_stopped(&mut self, pod: u32, runtime: &Runtime, stopping: Stopping) {
        if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
            net.process = Process::Absent;
            net.incarnation = net.incarnation.wrapping_add(1);
            self.network.process_ended(PodId(pod), self.now, &self.fabric);
        }
        let deleted = self.store.pod(pod).is_none_or(|row| row.meta.deletion.is_some());
        if let Some(phase) = stopping.phase {
            self.pod_finished(pod, phase);
        }
        self.runtimes[pod as usize] = None;
        self.machines[runtime.machine.0 as usize].pods.remove(&pod);
        if deleted {
            let delay = draw(&mut self.chance.kubelets, self.profile.kubelet.remove);
            self.after(delay, Event::Remove(pod));
        }
    }

    /// A pod's phase is final: it holds no resources any more.
    fn pod_finished(&mut self, pod: u32, phase: Phase) {
        if self.store.pod(pod).is_none() {
            return;
        }
        self.store.change_pod(pod, |row| row.body.phase = phase);
        self.report(pod, None);
        self.moves += 1;
        self.scheduler.remove_pod(PodId(pod));
        self.room_appeared();
    }

    pub(in crate::simulation) fn remove_stopped(&mut self, pod: u32) {
        if self.store.pod(pod).is_some_and(|row| row.meta.deletion.is_some()) {
            self.remove_pod(pod);
        }
    }
}

fn role(template: Option<&PodTemplate>, place: usize) -> Role {
    template.map_or(Role::Main, |template| template.role(place))
}

/// The containers whose processes can be asked to end. A pod's only container is always asked.
fn to_signal(runtime: &Runtime) -> Vec<usize> {
    let all = 0..runtime.lives.len();
    if all.len() == 1 {
        return all.collect();
    }
    all.filter(|&place| runtime.lives[place].alive).collect()
}
