//! Faults as scopes: begun, struck at their times, and healed.
//!
//! A scope belongs to one fault and lives from [`World::begin`] to [`World::heal`]. Its victims are struck at once or one after the
//! other; what can come back comes back after the fault's own time, or when the scope is healed, whichever is first.

use std::collections::BTreeSet;

use super::addresses::Addresses;
use super::event::Event;
use super::fabric::{MachineId, Power};
use super::objects::selector::Selector;
use super::world::World;
use crate::model::fault::{Candidate, Fault, Mode, NodeFailure, PodFailure, PodSelection};
use crate::model::history::{Victim, What};
use crate::model::random::Stream;
use crate::model::time::Span;

/// A fault that was begun, by its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScopeId(pub u32);

/// All scopes, and the chance that only faults need.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    scopes: Vec<Scope>,
    /// Lengths of stops, boots, returns and drains: their own stream, so that they shift nothing else.
    pub(super) chance: Stream,
    /// Machines that are frozen, cut off or without their kubelet: only then events are parked.
    pub(super) impaired: u32,
    /// Node objects registered anew after a deletion: each gets a pod address range of its own.
    pub(super) registered_anew: u32,
    pub(super) addresses: Addresses,
}

/// One fault.
#[derive(Clone, Debug)]
struct Scope {
    fault: Fault,
    /// Node names in the order in which they are struck; for pods empty.
    targets: Vec<String>,
    /// The machines struck so far that have not come back.
    struck: BTreeSet<MachineId>,
    /// Pods whose eviction was refused before.
    refused: BTreeSet<u32>,
    /// Machines whose drain has ended.
    drained: BTreeSet<MachineId>,
    healed: bool,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            scopes: Vec::new(),
            chance: Stream::new(seed, "machines"),
            impaired: 0,
            registered_anew: 0,
            addresses: Addresses::default(),
        }
    }
}

impl World {
    /// The node objects that a fault may take: those that run workloads.
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        self.store
            .nodes
            .by_name(None)
            .filter(|(_, row)| !row.meta.labels.contains_key("node-role.kubernetes.io/control-plane"))
            .map(|(_, row)| Candidate {
                name: row.meta.name.to_string(),
                labels: (*row.meta.labels).clone(),
            })
            .collect()
    }

    /// Makes the named nodes fail now and for good. Names without a node are passed over; the caller has chosen from
    /// [`World::candidates`].
    pub fn inject(&mut self, mode: Mode, nodes: &[String]) -> ScopeId {
        let failure = NodeFailure::mode(mode).name(nodes.first().map_or("", String::as_str));
        self.begin(&failure.into(), nodes.to_vec())
    }

    /// Begins a fault on nodes that were chosen from [`World::candidates`]; a failure of pods chooses its victims when it strikes.
    pub fn begin(&mut self, fault: &Fault, nodes: Vec<String>) -> ScopeId {
        let id = ScopeId(self.faults.scopes.len() as u32);
        self.faults.scopes.push(Scope {
            fault: fault.clone(),
            targets: nodes,
            struck: BTreeSet::new(),
            refused: BTreeSet::new(),
            drained: BTreeSet::new(),
            healed: false,
        });
        let after = Span::from(fault.after());
        if after == Span::ZERO {
            self.strike(id, 0);
        } else {
            self.after(after, Event::Strike(id, 0));
        }
        id
    }

    /// Strikes the victims from the `next`-th on: all of them, or with a stagger that one alone.
    pub(super) fn strike(&mut self, id: ScopeId, next: u32) {
        let Some(scope) = self.faults.scopes.get(id.0 as usize).filter(|scope| !scope.healed) else {
            return;
        };
        let (fault, stagger) = (scope.fault.clone(), Span::from(scope.fault.stagger()));
        let left = match &fault {
            Fault::Nodes(failure) => {
                let targets = scope.targets.get(next as usize..).unwrap_or_default();
                let now = if stagger == Span::ZERO {
                    targets.len()
                } else {
                    targets.len().min(1)
                };
                let (struck, left) = (targets[..now].to_vec(), targets.len() > now);
                self.strike_nodes(id, failure, &struck);
                left
            }
            Fault::Pods(failure) => self.strike_pods(id, failure, next, stagger == Span::ZERO),
        };
        if left {
            self.after(stagger, Event::Strike(id, next + 1));
        }
    }

    fn strike_nodes(&mut self, id: ScopeId, failure: &NodeFailure, nodes: &[String]) {
        let machines: Vec<MachineId> = nodes
            .iter()
            .filter_map(|name| self.store.nodes.find("", name))
            .filter_map(|row| self.store.nodes.get(row).map(|node| node.body.machine))
            .collect();
        let victims = self.victims(&machines);
        self.note(What::Injected {
            fault: failure.mode.name().to_owned(),
            nodes: nodes.to_vec(),
            pods: victims,
        });
        for machine in machines {
            self.faults.scopes[id.0 as usize].struck.insert(machine);
            self.strike_machine(id, failure.mode, machine);
            if let Some(length) = failure.return_after {
                self.after(length.into(), Event::Return(id, machine));
            }
        }
    }

    fn strike_machine(&mut self, id: ScopeId, mode: Mode, machine: MachineId) {
        match mode {
            Mode::Terminate => self.terminate(machine),
            Mode::Kill => self.power_off(machine),
            Mode::Stop => {
                self.shut_down(machine);
                self.look_after_stopped(machine);
            }
            Mode::Reboot => self.reboot(machine),
            Mode::Freeze => self.freeze(machine),
            Mode::Isolate => self.isolate(machine),
            Mode::KubeletStop => self.stop_kubelet(machine),
            Mode::Delete => {
                if let Some(node) = self.machines[machine.0 as usize].node {
                    self.delete_node(node, "fault");
                }
            }
            Mode::Remove => {
                self.machines[machine.0 as usize].exists = false;
                self.power_off(machine);
                if let Some(node) = self.machines[machine.0 as usize].node {
                    self.delete_node(node, "fault");
                }
                self.instance_ended();
            }
            Mode::Drain => self.start_drain(id, machine),
            Mode::Interrupt => self.interrupt(id, machine),
        }
    }

    /// Deletes the next pod, or all; whether one is left.
    fn strike_pods(&mut self, id: ScopeId, failure: &PodFailure, next: u32, all: bool) -> bool {
        if next == 0 {
            self.faults.scopes[id.0 as usize].targets = self.choose_pods(failure);
        }
        let namespace = failure.namespace.clone().unwrap_or_else(|| self.loaded.clone());
        let scope = &self.faults.scopes[id.0 as usize];
        let mut names = scope.targets.get(next as usize..).unwrap_or_default().to_vec();
        let left = !all && names.len() > 1;
        if !all {
            names.truncate(1);
        }
        let rows: Vec<u32> = names
            .iter()
            .filter_map(|name| self.store.pods.find(&namespace, name))
            .collect();
        let pods: Vec<Victim> = rows.iter().filter_map(|&row| self.victim(row)).collect();
        let nodes: BTreeSet<String> = pods.iter().map(|pod| pod.node.clone()).collect();
        self.note(What::Injected {
            fault: PodFailure::NAME.to_owned(),
            nodes: nodes.into_iter().collect(),
            pods,
        });
        for row in rows {
            self.delete_pod(row, "fault", failure.grace.map(Span::secs));
        }
        left
    }

    /// The names of the pods to delete, in the order in which they are.
    fn choose_pods(&self, failure: &PodFailure) -> Vec<String> {
        let namespace = failure.namespace.as_deref().unwrap_or(&self.loaded);
        let pods: Vec<_> = match &failure.selection {
            PodSelection::App(app) => self
                .store
                .pods
                .of_app(namespace, app)
                .map(|(_, row)| row.clone())
                .collect(),
            PodSelection::Label(key, value) => {
                let wanted = Selector::labels(&[(key.clone(), value.clone())].into());
                self.store.pods.selected(namespace, &wanted)
            }
        };
        let mut names: Vec<String> = pods
            .into_iter()
            .filter(|row| row.meta.deletion.is_none() && !row.body.is_finished() && row.body.node.is_some())
            .map(|row| row.meta.name.to_string())
            .collect();
        names.sort_unstable();
        if let Some(count) = failure.count {
            Stream::new(failure.seed.unwrap_or(self.seed), "fault/pods").shuffle(&mut names);
            names.truncate(count as usize);
            names.sort_unstable();
        }
        names
    }

    fn victim(&self, pod: u32) -> Option<Victim> {
        let row = self.store.pod(pod)?;
        Some(Victim {
            pod: row.meta.name.to_string(),
            app: row.body.app.to_string(),
            node: row.body.node_name.as_deref().unwrap_or_default().to_owned(),
        })
    }

    fn victims(&self, ids: &[MachineId]) -> Vec<Victim> {
        let mut all: Vec<Victim> = ids
            .iter()
            .flat_map(|&id| self.store.pods.on(id))
            .filter(|(_, row)| !row.body.is_finished())
            .filter_map(|(row, _)| self.victim(row))
            .collect();
        all.sort_by(|a, b| (&a.node, &a.pod).cmp(&(&b.node, &b.pod)));
        all
    }

    /// Ends a fault: what is still to be struck is not, and what can come back does, beginning now. A second time does nothing.
    pub fn heal(&mut self, id: ScopeId) {
        let Some(scope) = self.faults.scopes.get_mut(id.0 as usize).filter(|scope| !scope.healed) else {
            return;
        };
        scope.healed = true;
        let (fault, struck) = (scope.fault.clone(), std::mem::take(&mut scope.struck));
        let nodes = struck
            .iter()
            .map(|machine| self.machines[machine.0 as usize].name.to_string())
            .collect();
        self.note(What::Healed {
            fault: fault.name().to_owned(),
            nodes,
        });
        let Some(mode) = fault.mode() else { return };
        for machine in struck {
            self.bring_back(mode, machine);
        }
    }

    /// A struck machine's time is over.
    pub(super) fn return_machine(&mut self, id: ScopeId, machine: MachineId) {
        let scope = &mut self.faults.scopes[id.0 as usize];
        if scope.struck.remove(&machine)
            && let Some(mode) = scope.fault.mode()
        {
            self.bring_back(mode, machine);
        }
    }

    fn bring_back(&mut self, mode: Mode, machine: MachineId) {
        match mode {
            Mode::Kill | Mode::Stop => self.power_on(machine),
            Mode::Freeze => self.resume(machine),
            Mode::Isolate => self.reconnect(machine),
            Mode::KubeletStop => self.start_kubelet(machine),
            Mode::Delete => {
                // A kubelet registers its node when it starts, and only then (pkg/kubelet/kubelet_node_status.go
                // `registerWithAPIServer`).
                if self.machines[machine.0 as usize].node.is_none() {
                    self.reboot(machine);
                }
            }
            Mode::Drain => self.uncordon(machine),
            Mode::Terminate | Mode::Remove | Mode::Reboot | Mode::Interrupt => {}
        }
    }

    /// Whether a drain or an interruption of this scope still goes on.
    pub(super) fn is_struck(&self, id: ScopeId, machine: MachineId) -> bool {
        let scope = &self.faults.scopes[id.0 as usize];
        !scope.healed && scope.struck.contains(&machine)
    }

    /// Whether a drain refuses this pod for the first time.
    pub(super) fn first_refusal(&mut self, id: ScopeId, pod: u32) -> bool {
        self.faults.scopes[id.0 as usize].refused.insert(pod)
    }

    /// Whether a machine's drain ends for the first time.
    pub(super) fn first_drained(&mut self, id: ScopeId, machine: MachineId) -> bool {
        self.faults.scopes[id.0 as usize].drained.insert(machine)
    }

    /// A spot instance gets its notice.
    fn interrupt(&mut self, id: ScopeId, machine: MachineId) {
        self.note(What::InterruptionNotice {
            node: self.machines[machine.0 as usize].name.to_string(),
        });
        let machines = self.profile.machines;
        if machines.on_notice == crate::model::profile::OnNotice::Drain {
            self.start_drain(id, machine);
        }
        self.after(machines.notice.into(), Event::Interrupted(id, machine));
    }

    /// Its notice has run out. A healed fault takes nobody any more.
    pub(super) fn interrupted(&mut self, id: ScopeId, machine: MachineId) {
        if self.is_struck(id, machine) && self.fabric.machines[machine.0 as usize] != Power::Off {
            self.terminate(machine);
        }
    }
}
