//! Kubelets that start again after their machines lost their power, or that can report again after a silence.

use crate::model::history::What;
use crate::model::time::Span;
use crate::simulation::event::Event;
use crate::simulation::fabric::{MachineId, PodId, Process};
use crate::simulation::objects::pod::Container;
use crate::simulation::world::{World, draw};

/// The exit code of a container that was there before its machine started again and whose end nobody saw
/// (containerd internal/cri/server/restart.go `unknownExitCode`).
const UNKNOWN: i32 = 255;

impl World {
    /// The machine lost its power: all processes on it are gone, and their memory with them.
    pub(in crate::simulation) fn processes_gone(&mut self, machine: MachineId) {
        for pod in self.machines[machine.0 as usize].pods.clone() {
            if let Some(runtime) = self.runtime_mut(pod) {
                runtime.incarnation += 1;
            }
            if let Some(Some(net)) = self.fabric.pods.get_mut(pod as usize) {
                net.process = Process::Absent;
                net.incarnation += 1;
            }
            self.network.process_started(PodId(pod));
        }
    }

    /// The kubelet of a machine starts again after [`World::processes_gone`]: the pods of its node that are still wanted get new
    /// sandboxes and start again; the others go.
    pub(in crate::simulation) fn start_pods_again(&mut self, machine: MachineId) {
        for pod in self.machines[machine.0 as usize].pods.clone() {
            let container = self
                .store
                .pod(pod)
                .filter(|row| row.meta.deletion.is_none())
                .map(|row| row.body.container);
            match container {
                None => {
                    self.runtimes[pod as usize] = None;
                    self.machines[machine.0 as usize].pods.remove(&pod);
                    let delay = draw(&mut self.faults.chance, self.profile.kubelet.remove);
                    self.after(delay, Event::Remove(pod));
                }
                Some(Container::None | Container::Creating) => {
                    let Some(incarnation) = self.runtime_mut(pod).map(|runtime| runtime.incarnation) else {
                        continue;
                    };
                    let start = draw(&mut self.faults.chance, self.profile.kubelet.start);
                    self.after(start, Event::Running(pod, incarnation));
                }
                Some(_) => self.restart_in_place(pod),
            }
        }
    }

    /// A pod's sandbox and container are made anew: one more restart.
    fn restart_in_place(&mut self, pod: u32) {
        let now = self.now;
        let Some(runtime) = self.runtime_mut(pod) else { return };
        runtime.restarts += 1;
        runtime.stopping = false;
        runtime.back_off = Span::ZERO;
        let incarnation = runtime.incarnation;
        let was_ready = self.store.pod(pod).is_some_and(|row| row.body.is_ready());
        self.store.change_pod(pod, |row| {
            row.body.ready = Some((false, now));
            row.body.container = Container::Terminated(UNKNOWN, now);
        });
        if was_ready && let Some(row) = self.store.pod(pod) {
            let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
            self.note(What::PodNotReady { pod: name, app });
        }
        self.pod_changed(pod);
        let start = draw(&mut self.faults.chance, self.profile.kubelet.start);
        self.after(start, Event::Restart(pod, incarnation));
    }

    /// The kubelet posts a pod's status again: one that was only marked as not ready while its kubelet was silent is ready.
    pub(in crate::simulation) fn post_again(&mut self, pod: u32) {
        let runs = self.store.pod(pod).is_some_and(|row| {
            matches!(row.body.container, Container::Running(_))
                && !row.body.is_ready()
                && !row.body.is_finished()
                && row.meta.deletion.is_none()
        });
        if !runs {
            return;
        }
        let now = self.now;
        self.store.change_pod(pod, |row| row.body.ready = Some((true, now)));
        if let Some(row) = self.store.pod(pod) {
            let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
            self.note(What::PodReady { pod: name, app });
        }
        self.pod_changed(pod);
    }
}
