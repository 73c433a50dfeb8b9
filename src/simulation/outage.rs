//! Machines that are struck and come back: shut down and booted, frozen, cut off, without their kubelet.
//!
//! What a kubelet would have done while it could not is *parked* and done when it is back; what was posted for a process that is gone
//! by then is void by its incarnation.

use super::event::Event;
use super::fabric::{MachineId, PodId, Power};
use super::kubelet::Restarted;
use super::machine::Pause;
use super::objects::node::Readiness;
use super::world::{World, draw};
use crate::model::history::What;
use crate::model::time::Span;

impl World {
    fn power(&self, id: MachineId) -> Power {
        self.fabric.machines[id.0 as usize]
    }

    fn name_of(&self, id: MachineId) -> String {
        self.machines[id.0 as usize].name.to_string()
    }

    /// The instance is terminated.
    pub(super) fn terminate(&mut self, id: MachineId) {
        self.machines[id.0 as usize].exists = false;
        let delay = draw(&mut self.chance.faults, self.profile.terminate.signal);
        if delay == Span::ZERO {
            self.signalled(id);
        } else {
            self.after(delay, Event::Signalled(id));
        }
        self.instance_ended();
    }

    /// Shuts a machine down.
    pub(super) fn shut_down(&mut self, id: MachineId) {
        if self.power(id) == Power::Off {
            return;
        }
        let terminate = self.profile.terminate;
        if terminate.shutdown.spans().1 == Span::ZERO {
            let delay = draw(&mut self.faults.chance, self.profile.machines.stop);
            self.after(delay, Event::PowerOff(id));
        } else {
            // The guest is asked to shut down: as at the end of a terminated instance.
            let signal = draw(&mut self.faults.chance, terminate.signal);
            self.after(signal, Event::ShutDown(id));
        }
    }

    /// Shuts a machine down and switches it on again.
    pub(super) fn reboot(&mut self, id: MachineId) {
        if self.power(id) == Power::Off {
            self.power_on(id);
        } else {
            self.machines[id.0 as usize].outage.boots_again = true;
            self.shut_down(id);
        }
    }

    /// The guest's processes get SIGTERM; then the machine is silent.
    pub(super) fn shuts_down(&mut self, id: MachineId) {
        if self.power(id) != Power::On {
            return;
        }
        let length = draw(&mut self.faults.chance, self.profile.terminate.shutdown);
        self.machines[id.0 as usize].kubelet = false;
        for pod in self.machines[id.0 as usize].pods.clone() {
            self.signal_process(pod, length);
        }
        self.after(length, Event::PowerOff(id));
    }

    /// A scaling group's health check replaces an instance that is not running, unless it runs again by then (Amazon EC2 Auto Scaling
    /// User Guide, Health checks: any state other than running is unhealthy).
    pub(super) fn look_after_stopped(&mut self, id: MachineId) {
        if let Some(group) = self.profile.scaling_group {
            let delay = draw(&mut self.faults.chance, group.replace);
            self.after(delay, Event::InstanceCheck(id));
        }
    }

    pub(super) fn check_instance(&mut self, id: MachineId) {
        if self.power(id) == Power::Off && self.machines[id.0 as usize].exists {
            self.machines[id.0 as usize].exists = false;
            self.replace_instance();
        }
    }

    /// Switches a machine on. Until its kubelet has started it is silent.
    pub(super) fn power_on(&mut self, id: MachineId) {
        if self.machines[id.0 as usize].exists {
            let boot = draw(&mut self.faults.chance, self.profile.machines.boot);
            self.after(boot, Event::PoweredOn(id));
        }
    }

    /// A machine has booted: its kubelet posts its node's status, or registers a node when there is none.
    pub(super) fn powered_on(&mut self, id: MachineId) {
        if self.power(id) != Power::Off || !self.machines[id.0 as usize].exists {
            return;
        }
        // Addresses are given out from the start again: the network plugin's books were in memory.
        let machine = &mut self.machines[id.0 as usize];
        (machine.kubelet, machine.outage.pause, machine.addresses) = (true, Pause::Starting, 0);
        machine.outage.parked.clear();
        machine.kubelet_since = self.now;
        self.faults.impaired += 1;
        self.processes_gone(id);
        self.fabric.machines[id.0 as usize] = Power::On;
        self.note(What::MachineBack {
            node: self.name_of(id),
            how: "powered-on".to_owned(),
        });
        self.fabric.proxies.start(id, self.now);
        self.kubelet_posts(id);
        let delay = draw(&mut self.faults.chance, self.profile.machines.restart);
        self.after(delay, Event::RestartPods(id));
    }

    /// A kubelet that has started on a booted machine finds its pods' containers gone.
    pub(super) fn restart_pods(&mut self, id: MachineId) {
        let outage = &mut self.machines[id.0 as usize].outage;
        if outage.pause != Pause::Starting || self.fabric.machines[id.0 as usize] != Power::On {
            return;
        }
        outage.pause = Pause::None;
        self.faults.impaired = self.faults.impaired.saturating_sub(1);
        // What was to be started or stopped meanwhile is found among the pods.
        outage.parked.clear();
        let bound = self.store.pods.on(id);
        let mut bound: Vec<u32> = bound
            .filter(|(_, row)| !row.body.is_finished())
            .map(|(pod, _)| pod)
            .collect();
        // In which order a kubelet starts them is anybody's guess: so are the addresses that they get.
        self.faults.chance.shuffle(&mut bound);
        self.give_addresses(id, &bound);
        self.start_pods_again(id);
        bound.sort_unstable();
        for pod in bound {
            // Bound while nobody looked: never begun here.
            if !self.machines[id.0 as usize].pods.contains(&pod) {
                self.start_bound(pod);
                self.stop_pod(pod);
            }
        }
    }

    /// The kubelet sees a pod that was bound to its node; one that it has already it lets be.
    pub(super) fn start_bound(&mut self, pod: u32) {
        if self.runtimes.get(pod as usize).is_none_or(Option::is_none) {
            self.start_pod(pod);
        }
    }

    fn impair(&mut self, id: MachineId, how: &str) {
        self.faults.impaired += 1;
        self.note(What::MachineImpaired {
            node: self.name_of(id),
            how: how.to_owned(),
        });
    }

    /// Pauses a machine.
    pub(super) fn freeze(&mut self, id: MachineId) {
        if self.power(id) == Power::On {
            self.fabric.machines[id.0 as usize] = Power::Frozen;
            self.network.machine_lost(id, self.now, &self.fabric);
            self.impair(id, "frozen");
        }
    }

    /// Cuts a machine off.
    pub(super) fn isolate(&mut self, id: MachineId) {
        if self.power(id) == Power::On {
            self.fabric.machines[id.0 as usize] = Power::Isolated;
            self.network.machine_lost(id, self.now, &self.fabric);
            self.impair(id, "isolated");
        }
    }

    /// Stops a kubelet.
    pub(super) fn stop_kubelet(&mut self, id: MachineId) {
        let machine = &mut self.machines[id.0 as usize];
        if machine.kubelet {
            machine.kubelet = false;
            machine.outage.pause = Pause::Stopped;
            self.impair(id, "kubelet-stopped");
        }
    }

    /// A frozen machine goes on.
    pub(super) fn resume(&mut self, id: MachineId) {
        if self.power(id) == Power::Frozen {
            self.works_again(id, "resumed");
            let back = draw(&mut self.faults.chance, self.profile.machines.resume);
            self.kubelet_back_after(id, back);
        }
    }

    /// A partition ends.
    pub(super) fn reconnect(&mut self, id: MachineId) {
        if self.power(id) == Power::Isolated {
            self.works_again(id, "reconnected");
            let back = draw(&mut self.faults.chance, self.profile.machines.reconnect);
            self.kubelet_back_after(id, back);
        }
    }

    /// A stopped kubelet is started.
    pub(super) fn start_kubelet(&mut self, id: MachineId) {
        let machine = &mut self.machines[id.0 as usize];
        if machine.outage.pause == Pause::Stopped && self.power(id) == Power::On {
            self.note(What::MachineBack {
                node: self.name_of(id),
                how: "kubelet-started".to_owned(),
            });
            let back = draw(&mut self.faults.chance, self.profile.machines.kubelet);
            self.after(back, Event::KubeletBack(id));
            self.after(back, Event::PodsPosted(id));
        }
    }

    fn kubelet_back_after(&mut self, id: MachineId, back: Span) {
        self.after(back, Event::KubeletBack(id));
        let pods = draw(&mut self.faults.chance, self.profile.machines.pods);
        self.after(pods, Event::PodsPosted(id));
    }

    /// The machine's processes go on where they were.
    fn works_again(&mut self, id: MachineId, how: &str) {
        self.fabric.machines[id.0 as usize] = Power::On;
        self.network.machine_back(id, self.now, &self.fabric);
        self.note(What::MachineBack {
            node: self.name_of(id),
            how: how.to_owned(),
        });
        let serving: Vec<u32> = self.machines[id.0 as usize]
            .pods
            .iter()
            .copied()
            .filter(|&pod| self.listens(PodId(pod)))
            .collect();
        for pod in serving {
            if let Some(row) = self.store.pod(pod) {
                let (name, app) = (row.meta.name.to_string(), row.body.app.to_string());
                self.note(What::PodServing { pod: name, app });
            }
        }
    }

    /// A kubelet whose machine never lost power posts its node's status and does what it could not.
    pub(super) fn kubelet_back(&mut self, id: MachineId) {
        if self.power(id) != Power::On {
            return;
        }
        let machine = &mut self.machines[id.0 as usize];
        let starts = machine.outage.pause == Pause::Stopped;
        if starts {
            (machine.kubelet, machine.outage.pause) = (true, Pause::None);
            machine.kubelet_since = self.now;
        } else if !machine.kubelet {
            return;
        }
        let parked = std::mem::take(&mut machine.outage.parked);
        // Without a node object only a kubelet that starts says anything.
        let posts = starts || machine.node.is_some();
        self.faults.impaired = self.faults.impaired.saturating_sub(1);
        self.fabric.proxies.start(id, self.now);
        if posts {
            self.kubelet_posts(id);
        }
        for event in parked {
            self.queue.post(self.now, event);
        }
        let started = if starts { Restarted::Itself } else { Restarted::No };
        self.probe_again(id, started);
    }

    /// A kubelet posts the status of its pods: those that were marked not ready while it was silent are ready again.
    pub(super) fn pods_posted(&mut self, id: MachineId) {
        if self.power(id) != Power::On {
            return;
        }
        for pod in self.machines[id.0 as usize].pods.clone() {
            self.post_again(pod);
        }
    }

    /// The kubelet renews its lease and posts its node as Ready; one that finds no node after a start of its own registers it.
    fn kubelet_posts(&mut self, id: MachineId) {
        let period = Span::from(self.profile.kubelet.lease);
        match self.machines[id.0 as usize].node {
            None => {
                self.faults.registered_anew += 1;
                let subnet = 255 - self.faults.registered_anew % 256;
                self.machines[id.0 as usize].subnet = subnet;
                self.register(id);
            }
            Some(row) => {
                let silent = self
                    .store
                    .nodes
                    .get(row)
                    .is_some_and(|node| node.body.ready == Readiness::Unknown);
                if silent {
                    self.node_posted_ready(row);
                }
            }
        }
        self.renew(id);
        if !std::mem::replace(&mut self.machines[id.0 as usize].outage.beating, true) {
            self.after(period, Event::Heartbeat(id));
        }
    }

    /// Parks an event that only a kubelet at work can handle; whether it did.
    pub(super) fn park(&mut self, event: Event) -> bool {
        if self.faults.impaired == 0 {
            return false;
        }
        let (machine, process) = match event {
            Event::NodeUp(id) => (Some(id), false),
            Event::Listen(pod, _) | Event::Ends(pod, _) => (self.machine_of(pod), true),
            Event::Start(pod)
            | Event::Stop(pod)
            | Event::Remove(pod)
            | Event::Running(pod, _)
            | Event::ReportRunning(pod, _)
            | Event::Died(pod, _)
            | Event::Restart(pod, _)
            | Event::Probe(pod, _)
            | Event::Killed(pod, _)
            | Event::PodDeadline(pod)
            | Event::Stopped(pod, _) => (self.machine_of(pod), false),
            _ => return false,
        };
        let Some(id) = machine else { return false };
        let parked = match self.power(id) {
            Power::Frozen => true,
            Power::Isolated => !process,
            Power::On => match self.machines[id.0 as usize].outage.pause {
                Pause::None => false,
                Pause::Stopped => !process,
                Pause::Starting => matches!(event, Event::Start(_) | Event::Stop(_)),
            },
            Power::Booting | Power::Off => false,
        };
        if parked {
            self.machines[id.0 as usize].outage.parked.push(event);
        }
        parked
    }

    fn machine_of(&self, pod: u32) -> Option<MachineId> {
        self.runtime(pod)
            .map(|runtime| runtime.machine)
            .or_else(|| self.store.pod(pod)?.body.node)
    }
}
