//! Containers that a probe ends, how long an end takes, and hooks.
//!
//! Source: pkg/kubelet/kuberuntime/kuberuntime_container.go `killContainer`, `executePreStopHook`; kuberuntime_manager.go
//! `computePodActions`, `doBackOff`.

use super::Runtime;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::objects::container::State;
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::template::{Hook, Kind, PodTemplate, Restart, Role};
use crate::simulation::world::{World, draw};

/// The exit code of a process that SIGKILL ended.
pub(super) const KILLED: i32 = 128 + 9;

/// What a container has at least from SIGTERM to SIGKILL: `minimumGracePeriodInSeconds`.
const LEAST: Span = Span::secs(2);

const SECOND: u64 = 1_000_000;

impl World {
    /// How long it takes from now until a container that is to end has ended, its hook before SIGTERM included, and its exit code:
    /// 0 when it ends by itself, 137 when the grace period ends first.
    pub(super) fn end_in(
        &mut self,
        runtime: &Runtime,
        place: usize,
        template: Option<&PodTemplate>,
        grace: Span,
    ) -> (Span, i32) {
        let hook = template
            .and_then(|template| template.container(place)?.care.as_deref()?.pre_stop.clone())
            .filter(|_| grace > Span::ZERO)
            .map_or(Span::ZERO, |hook| self.hook(runtime, place, &hook).min(grace));
        // The hook's whole seconds count (`executePreStopHook` returns seconds).
        let left = Span(grace.0.saturating_sub(hook.0 / SECOND * SECOND));
        let left = if grace == Span::ZERO { left } else { left.max(LEAST) };
        let shutdown = self.shutdown_of(runtime, place);
        if shutdown <= left {
            (Span(hook.0 + shutdown.0), 0)
        } else {
            (Span(hook.0 + left.0), KILLED)
        }
    }

    /// How long a hook takes.
    pub(super) fn hook(&mut self, runtime: &Runtime, place: usize, hook: &Hook) -> Span {
        match (hook, runtime.lives[place].model) {
            (Hook::Takes(length), _) => *length,
            (Hook::Get(path), Some(model)) => self.network.works(model, &format!("GET {path}")),
            (Hook::Get(_), None) => Span::ZERO,
        }
    }

    /// A probe has failed for good: the container is to end, and to start again where its pod's policy allows that.
    pub(super) fn kill_container(&mut self, pod: u32, place: usize, kind: Kind, grace: Option<Span>) {
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let Some(runtime) = self.runtime(pod).cloned() else {
            return;
        };
        let life = &runtime.lives[place];
        if runtime.stopping.is_some() || life.asked.is_some() || !life.alive {
            return;
        }
        let name = template
            .container(place)
            .map_or("", |container| container.name.as_str());
        let probe = if kind == Kind::Startup { "startup" } else { "liveness" };
        let message = match (template.role(place), template.restart) {
            (Role::Sidecar | Role::Init, _) => format!("Init container {name} failed {probe} probe"),
            (Role::Main, Restart::Never) => format!("Container {name} failed {probe} probe"),
            (Role::Main, _) => format!("Container {name} failed {probe} probe, will be restarted"),
        };
        if let Some(about) = self.about_pod(pod, false, "kubelet") {
            self.announce(&about, "Killing", message);
        }
        let grace = grace.unwrap_or(template.grace);
        let (delay, code) = self.end_in(&runtime, place, Some(&template), grace);
        let incarnation = life.incarnation;
        if let Some(life) = self.life_mut(pod, place) {
            (life.asked, life.exit) = (Some(incarnation), code);
        }
        self.after(delay, Event::Killed(pod, incarnation));
    }

    /// A container that a probe had ended has ended.
    pub(in crate::simulation) fn killed(&mut self, pod: u32, incarnation: u32) {
        let Some((_, place)) = self.current_in_use(pod, incarnation) else {
            return;
        };
        let Some(row) = self.store.pod(pod) else { return };
        let template = row.body.template.clone();
        let Some(life) = self.life_mut(pod, place) else { return };
        let (before, code) = (life.ended, life.exit);
        life.asked = None;
        let Some(incarnation) = self.process_over(pod, place, code) else {
            return;
        };
        let again = template.role(place) == Role::Sidecar || template.restart != Restart::Never;
        let now = self.now;
        let Some(life) = self.life_mut(pod, place) else { return };
        let Some(ended) = life.ended else { return };
        if !again {
            life.status.state = State::Ended(ended);
            (life.status.ready, life.status.started) = (false, false);
            self.report(pod, None);
            return self.finish_when_done(pod);
        }
        // The kubelet counts the back-off from the end of the container before this one, as it has not seen this one end yet.
        let in_back_off = before.is_some_and(|before| now.since(before.at) < life.back_off);
        let delay = if in_back_off { life.back_off } else { Span::ZERO };
        if before.is_some() {
            let limit = Span::from(self.profile.kubelet.back_off_limit);
            let first = Span::from(self.profile.kubelet.back_off);
            let Some(life) = self.life_mut(pod, place) else { return };
            life.back_off = if life.back_off == Span::ZERO || now.since(life.begun).0 > 2 * limit.0 {
                first
            } else {
                Span((life.back_off.0 * 2).min(limit.0))
            };
        }
        let Some(life) = self.life_mut(pod, place) else { return };
        if in_back_off {
            life.status.restarts = life.restarts;
            (life.status.state, life.status.last) = (State::BackOff(delay), Some(ended));
            (life.status.ready, life.status.started) = (false, false);
        }
        (life.due, life.restarts) = (true, life.restarts + 1);
        if in_back_off {
            self.announce_back_off(pod, place);
            self.report(pod, None);
        }
        let start = draw(&mut self.chance.containers, self.profile.kubelet.create);
        self.after(delay + start, Event::Restart(pod, incarnation));
    }

    /// Says that a container waits before it starts again.
    pub(super) fn announce_back_off(&mut self, pod: u32, place: usize) {
        let Some(row) = self.store.pod(pod) else { return };
        let name = row
            .body
            .template
            .container(place)
            .map_or("", |container| container.name.as_str());
        let message = format!(
            "Back-off restarting failed container {name} in pod {}_{}({})",
            row.meta.name,
            row.meta.namespace,
            uid_text(row.meta.uid)
        );
        if let Some(about) = self.about_pod(pod, true, "kubelet") {
            self.announce(&about, "BackOff", message);
        }
    }
}
