//! `kubectl drain`: cordon, evict, and try again what a budget refuses.
//!
//! Source: k8s.io/kubectl pkg/drain/drain.go (`evictPods`: on 429 again after 5 s), pkg/drain/filters.go (DaemonSets' pods stay with
//! `--ignore-daemonsets`).

use super::api::{ApiError, ApiStore as _, DeleteOptions};
use super::event::Event;
use super::fabric::MachineId;
use super::faults::ScopeId;
use super::world::{World, draw};
use crate::model::history::What;
use crate::model::time::Span;

/// From a refused eviction to the next try.
const TRY_AGAIN: Span = Span::secs(5);

impl World {
    pub(super) fn start_drain(&mut self, id: ScopeId, machine: MachineId) {
        let delay = draw(&mut self.faults.chance, self.profile.machines.drain);
        self.after(delay, Event::Cordon(id, machine));
    }

    pub(super) fn cordon(&mut self, id: ScopeId, machine: MachineId) {
        if !self.is_struck(id, machine) {
            return;
        }
        if self.set_unschedulable(machine, true) {
            self.note(What::NodeCordoned {
                node: self.machines[machine.0 as usize].name.to_string(),
            });
        }
        let delay = draw(&mut self.faults.chance, self.profile.machines.drain);
        self.after(delay, Event::Drain(id, machine));
    }

    pub(super) fn uncordon(&mut self, machine: MachineId) {
        if self.set_unschedulable(machine, false) {
            self.note(What::NodeUncordoned {
                node: self.machines[machine.0 as usize].name.to_string(),
            });
            self.room_appeared();
        }
    }

    /// Writes `spec.unschedulable`; whether it changed.
    fn set_unschedulable(&mut self, machine: MachineId, cordoned: bool) -> bool {
        let Some(row) = self.machines[machine.0 as usize].node else {
            return false;
        };
        if self
            .store
            .nodes
            .get(row)
            .is_none_or(|node| node.body.unschedulable == cordoned)
        {
            return false;
        }
        self.store.change_node(row, |node| node.body.unschedulable = cordoned);
        self.node_changed(row);
        self.cordon_changed(row);
        true
    }

    /// Evicts what can be evicted, and comes back for the rest.
    pub(super) fn drain(&mut self, id: ScopeId, machine: MachineId) {
        if !self.is_struck(id, machine) {
            return;
        }
        let pods: Vec<u32> = self
            .store
            .pods
            .on(machine)
            .filter(|(_, row)| row.meta.owner.as_ref().is_none_or(|owner| owner.kind != "DaemonSet"))
            .map(|(row, _)| row)
            .collect();
        let mut left = false;
        for pod in pods {
            let Some(row) = self.store.pods.shared(pod).cloned() else {
                continue;
            };
            left = true;
            if row.meta.deletion.is_some() {
                continue;
            }
            let refused = self
                .evict(&row.meta.namespace, &row.meta.name, &DeleteOptions::default(), false)
                .err();
            if let Some(error) = refused
                && self.first_refusal(id, pod)
            {
                let reason = match error {
                    ApiError::TooManyRequests { cause, .. } => cause,
                    other => other.to_string(),
                };
                self.note(What::EvictionRefused {
                    pod: row.meta.name.to_string(),
                    app: row.body.app.to_string(),
                    reason,
                });
            }
        }
        if left {
            self.after(TRY_AGAIN, Event::Drain(id, machine));
        } else if self.first_drained(id, machine) {
            self.note(What::NodeDrained {
                node: self.machines[machine.0 as usize].name.to_string(),
            });
        }
    }
}
