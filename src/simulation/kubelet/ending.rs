//! Containers that end, and whether they start again.
//!
//! Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go `computePodActions`, `doBackOff`.

use crate::model::history::What;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{PodId, Process};
use crate::simulation::objects::container::{Ended, State};
use crate::simulation::objects::pod::Phase;
use crate::simulation::objects::template::Role;
use crate::simulation::world::{World, draw};

impl World {
    /// A pod's process ended by itself (the network saw it crash).
    pub(in crate::simulation) fn crashed(&mut self, pod: u32) {
        let Some(place) = self.runtime(pod).map(|runtime| runtime.face) else {
            return;
        };
        let Some(incarnation) = self.process_over(pod, place, 1) else {
            return;
        };
        if let Some((name, app)) = self.named(pod) {
            self.note(What::PodCrashed {
                pod: name.to_string(),
                app: app.to_string(),
            });
        }
        let relist = draw(&mut self.chance.kubelets, self.profile.kubelet.relist);
        self.after(relist, Event::Died(pod, incarnation));
    }

    /// A process has done what it had to do.
    pub(in crate::simulation) fn ends(&mut self, pod: u32, incarnation: u32) {
        let Some(place) = self.current_process(pod, incarnation) else {
            return;
        };
        let Some(runtime) = self.runtime(pod).filter(|runtime| runtime.lives[place].alive) else {
            return;
        };
        let code = runtime.lives[place]
            .model
            .map_or(0, |model| self.network.exit_code(model));
        if let Some(incarnation) = self.process_over(pod, place, code) {
            let relist = draw(&mut self.chance.containers, self.profile.kubelet.relist);
            self.after(relist, Event::Died(pod, incarnation));
        }
    }

    /// A process is no more; the incarnation of its end.
    pub(super) fn process_over(&mut self, pod: u32, place: usize, code: i32) -> Option<u32> {
        let now = self.now;
        let runtime = self.runtime_mut(pod)?;
        let incarnation = runtime.renew(place);
        let face = place == runtime.face;
        let life = &mut runtime.lives[place];
        (life.alive, life.listening) = (false, false);
        life.ended = Some(Ended::new(code, life.begun, now));
        if face {
            if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
                net.process = Process::NotListening;
                net.incarnation = incarnation;
            }
            self.network.process_ended(PodId(pod), now, &self.fabric);
        }
        Some(incarnation)
    }

    pub(in crate::simulation) fn died(&mut self, pod: u32, incarnation: u32) {
        let Some((_, place)) = self.current_in_use(pod, incarnation) else {
            return;
        };
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let Some(ended) = self.life(pod, place).and_then(|life| life.ended) else {
            return;
        };
        let again = match template.role(place) {
            Role::Sidecar => true,
            // One of the start is done when it ended well; where it failed, only Never is final.
            Role::Init => ended.code != 0 && template.restart.again(1),
            Role::Main => template.restart.again(ended.code),
        };
        if again {
            return self.plan_restart(pod, place, incarnation, ended);
        }
        if let Some(life) = self.life_mut(pod, place) {
            let last = life.status.last;
            life.status.state = State::Ended(ended);
            life.status.last = last;
            (life.status.started, life.status.ready) = (false, template.role(place) == Role::Init && ended.code == 0);
        }
        self.report(pod, None);
        match template.role(place) {
            Role::Init if ended.code == 0 => self.begin_next(pod),
            Role::Init => self.finish_pod(pod, Phase::Failed),
            Role::Main | Role::Sidecar => self.finish_when_done(pod),
        }
    }

    /// Ends a pod none of whose main containers runs or is to start again; sidecars do not keep it alive.
    pub(super) fn finish_when_done(&mut self, pod: u32) {
        let (Some(row), Some(runtime)) = (self.store.pod(pod), self.runtime(pod)) else {
            return;
        };
        let template = &row.body.template;
        let mut phase = Phase::Succeeded;
        for life in &runtime.lives[template.init.len()..] {
            match life.status.ended() {
                Some(ended) if !life.alive && !life.due => {
                    if ended.code != 0 {
                        phase = Phase::Failed;
                    }
                }
                _ => return,
            }
        }
        self.finish_pod(pod, phase);
    }

    fn plan_restart(&mut self, pod: u32, place: usize, incarnation: u32, ended: Ended) {
        let limit = Span::from(self.profile.kubelet.back_off_limit);
        let first = Span::from(self.profile.kubelet.back_off);
        let now = self.now;
        let Some(life) = self.life_mut(pod, place) else { return };
        // A container that ran for twice the limit starts its back-off anew (client-go util/flowcontrol/backoff.go).
        let delay = if now.since(life.begun).0 > 2 * limit.0 {
            Span::ZERO
        } else {
            life.back_off
        };
        life.back_off = if delay == Span::ZERO {
            first
        } else {
            Span((delay.0 * 2).min(limit.0))
        };
        if delay == Span::ZERO {
            life.status.state = State::Ended(ended);
        } else {
            (life.status.state, life.status.last) = (State::BackOff(delay), Some(ended));
        }
        (life.status.ready, life.status.started) = (false, false);
        life.status.restarts = life.restarts;
        life.restarts += 1;
        life.due = true;
        if delay > Span::ZERO {
            self.announce_back_off(pod, place);
        }
        self.report(pod, None);
        let start = draw(&mut self.chance.kubelets, self.profile.kubelet.start);
        self.after(delay + start, Event::Restart(pod, incarnation));
    }

    pub(in crate::simulation) fn restart(&mut self, pod: u32, incarnation: u32) {
        self.running(pod, incarnation);
    }
}
