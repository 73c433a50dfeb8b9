//! Kubelets that start again after their machines lost their power, or that can report again after a silence.

use super::Runtime;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{MachineId, PodId, Process};
use crate::simulation::objects::container::{Ended, State};
use crate::simulation::world::{World, draw};

/// The exit code of a container that was there before its machine started again and whose end nobody saw
/// (containerd internal/cri/server/restart.go `unknownExitCode`).
const UNKNOWN: i32 = 255;

impl World {
    /// The machine lost its power: all processes on it are gone, and their memory with them. What its kubelet had of its pods
    /// stays on its disk.
    pub(in crate::simulation) fn processes_gone(&mut self, machine: MachineId) {
        let now = self.now;
        for pod in self.machines[machine.0 as usize].pods.clone() {
            let Some(runtime) = self.runtime_mut(pod) else { continue };
            for place in 0..runtime.lives.len() {
                if runtime.lives[place].incarnation != super::NEVER_BEGUN {
                    runtime.renew(place);
                }
                let life = &mut runtime.lives[place];
                // One that was asked to end while its machine shut down ended with nobody watching, too.
                let unseen = life.incarnation != super::NEVER_BEGUN && life.ended.is_none();
                if life.alive || unseen {
                    life.ended = Some(Ended {
                        reason: "Unknown",
                        ..Ended::new(UNKNOWN, life.begun, now)
                    });
                }
                (life.alive, life.listening, life.due, life.asked) = (false, false, false, None);
            }
            let incarnation = runtime.incarnation();
            if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
                net.process = Process::Absent;
                net.incarnation = incarnation;
            }
            self.network.process_started(PodId(pod), None);
        }
    }

    /// The kubelet of a machine starts again after [`World::processes_gone`]: the pods of its node that are still wanted get new
    /// sandboxes and start from their first container on; the others go.
    pub(in crate::simulation) fn start_pods_again(&mut self, machine: MachineId) {
        for pod in self.machines[machine.0 as usize].pods.clone() {
            if self.store.pod(pod).is_none_or(|row| row.meta.deletion.is_some()) {
                self.runtimes[pod as usize] = None;
                self.machines[machine.0 as usize].pods.remove(&pod);
                let delay = draw(&mut self.faults.chance, self.profile.kubelet.remove);
                self.after(delay, Event::Remove(pod));
            } else {
                self.begin_pod(pod, machine);
            }
        }
    }

    /// A kubelet that was silent acts again: its probes go on; those of one that has started itself are new.
    pub(in crate::simulation) fn probe_again(&mut self, machine: MachineId, started: Restarted) {
        for pod in self.machines[machine.0 as usize].pods.clone() {
            match started {
                Restarted::Itself => self.hire_again(machine, pod),
                Restarted::No => self.plan_resting(pod, Span::ZERO),
            }
        }
    }

    /// The kubelet posts a pod's status again: one that was only marked as not ready while its kubelet was silent is ready.
    pub(in crate::simulation) fn post_again(&mut self, pod: u32) {
        let wanted = self.store.pod(pod).is_some_and(|row| {
            !row.body.is_ready() && !row.body.is_finished() && row.meta.deletion.is_none() && row.body.ready.is_some()
        });
        let runs = self
            .runtime(pod)
            .is_some_and(|runtime| runtime.lives.iter().any(|life| life.status.runs()));
        if wanted && runs {
            self.report(pod, None);
        }
    }
}

/// Whether a kubelet that acts again has started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Restarted {
    /// It has.
    Itself,
    /// It went on where it was.
    No,
}

impl Runtime {
    /// Takes over what outlives a restart of the machine: incarnations go on, restarts are counted.
    pub(super) fn keep(&mut self, before: &Self) {
        self.count = before.count + 1;
        for (life, old) in self.lives.iter_mut().zip(&before.lives) {
            let Some(ended) = old.ended else { continue };
            life.restarts = old.restarts + 1;
            life.status.restarts = old.restarts;
            life.status.state = State::Ended(ended);
        }
    }
}
