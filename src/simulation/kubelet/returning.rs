//! Machines that lost their power, and kubelets that start again.

use super::Runtime;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{MachineId, Process};
use crate::simulation::objects::container::Ended;
use crate::simulation::world::World;

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
                if life.alive {
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
        }
    }

    /// The kubelet of a machine starts again. Of the pods that are still wanted those whose processes are gone
    /// ([`World::processes_gone`]) get new sandboxes and start from their first container on, the others go on and are probed
    /// anew; those not wanted any more are stopped.
    pub(in crate::simulation) fn start_pods_again(&mut self, machine: MachineId) {
        for pod in self.machines[machine.0 as usize].pods.clone() {
            let gone = self.store.pod(pod).is_none_or(|row| row.meta.deletion.is_some());
            if gone {
                if let Some(runtime) = self.runtime_mut(pod) {
                    runtime.stopping = None;
                }
                self.after(Span::ZERO, Event::Stop(pod));
            } else if self
                .runtime(pod)
                .is_some_and(|runtime| runtime.lives.iter().any(|life| life.alive))
            {
                self.hire_again(machine, pod);
            } else {
                self.start_pod(pod);
            }
        }
    }
}

impl Runtime {
    /// Takes over what outlives a restart of the machine: incarnations go on, restarts are counted.
    pub(super) fn keep(&mut self, before: &Self) {
        self.count = before.count + 1;
        for (life, old) in self.lives.iter_mut().zip(&before.lives) {
            let Some(ended) = old.ended else { continue };
            life.restarts = old.restarts + 1;
            life.back_off = old.back_off;
            life.status.last = Some(ended);
            life.status.restarts = old.restarts;
        }
    }
}
