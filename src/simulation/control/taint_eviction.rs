//! The taint manager: pods leave a NoExecute-tainted node when their toleration runs out.
//!
//! Source: pkg/controller/tainteviction/taint_eviction.go.

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::template::Effect;
use super::super::world::World;
use crate::model::time::Span;

impl World {
    pub(in crate::simulation) fn plan_evictions(&mut self, machine: MachineId) {
        let Some(info) = self.node_info(machine) else { return };
        let default = Span::from(self.profile.controllers.toleration);
        let pods: Vec<(u32, Option<Span>)> = self
            .store
            .pods
            .on(machine)
            .filter(|(_, pod)| pod.meta.deletion.is_none())
            .map(|(row, pod)| {
                let shortest = info
                    .taints
                    .iter()
                    .filter(|taint| taint.effect == Effect::NoExecute)
                    .filter_map(|taint| pod.body.tolerates_for(taint, default))
                    .min();
                (row, shortest)
            })
            .collect();
        for (pod, lasts) in pods {
            let Some(lasts) = lasts else { continue };
            self.plans += 1;
            self.evictions.insert(pod, self.plans);
            self.after(lasts, Event::Evict(pod, self.plans));
        }
    }

    pub(in crate::simulation) fn cancel_evictions(&mut self, machine: MachineId) {
        for (pod, _) in self.store.pods.on(machine) {
            self.evictions.remove(&pod);
        }
    }

    pub(in crate::simulation) fn evict(&mut self, pod: u32, plan: u32) {
        if self.evictions.get(&pod) != Some(&plan) {
            return;
        }
        self.evictions.remove(&pod);
        self.mark_disrupted(pod, "DeletionByTaintManager");
        self.delete_pod(pod, "taint-manager", None);
    }
}
