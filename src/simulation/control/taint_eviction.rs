//! The taint manager: pods leave a NoExecute-tainted node when their toleration runs out.
//!
//! Source: pkg/controller/tainteviction/taint_eviction.go (`handleNodeUpdate`, `handlePodUpdate`, `processPodOnNode`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::event::Event;
use super::super::fabric::MachineId;
use super::super::objects::pod::{NOT_READY, UNREACHABLE};
use super::super::objects::template::{Effect, PodTemplate, Taint, Toleration};
use super::super::world::World;
use crate::model::time::{Span, Time};

/// What the taint manager remembers.
#[derive(Clone, Debug, Default)]
pub struct TaintManager {
    /// The NoExecute taints of nodes that have any.
    tainted: BTreeMap<MachineId, Arc<[Taint]>>,
    /// Planned evictions by pod.
    plans: BTreeMap<u32, Plan>,
    /// Numbers plans.
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    number: u32,
    /// Since when its pod's time runs.
    created: Time,
}

impl TaintManager {
    /// A node is gone. What is planned for its pods stays planned (`handleNodeUpdate`).
    pub(in crate::simulation) fn forget(&mut self, machine: MachineId) {
        self.tainted.remove(&machine);
    }
}

/// How long a pod may stay.
enum Stay {
    Not,
    For(Span),
    ForEver,
}

impl World {
    /// A node changed or is gone: when its NoExecute taints did, its pods are judged anew.
    pub(in crate::simulation) fn taints_changed(&mut self, machine: MachineId) {
        let node = self.machines[machine.0 as usize]
            .node
            .and_then(|row| self.store.nodes.get(row));
        let taints = node.into_iter().flat_map(|node| &node.body.taints);
        let taints: Arc<[Taint]> = taints
            .filter(|taint| taint.effect == Effect::NoExecute)
            .cloned()
            .collect();
        let known = self.taint_manager.tainted.get(&machine);
        if known.map_or(&[][..], |known| &**known) == &*taints {
            return;
        }
        if taints.is_empty() {
            self.taint_manager.tainted.remove(&machine);
        } else {
            self.taint_manager.tainted.insert(machine, taints.clone());
        }
        let pods: Vec<u32> = self.scheduler.pods_on(machine).iter().map(|pod| pod.0).collect();
        for pod in pods {
            self.judge_stay(pod, &taints);
        }
    }

    /// A pod came onto its node, or its tolerations changed.
    pub(in crate::simulation) fn stay_changed(&mut self, pod: u32) {
        let machine = self.store.pod(pod).and_then(|row| row.body.node);
        let taints = machine.and_then(|machine| self.taint_manager.tainted.get(&machine).cloned());
        if let Some(taints) = taints {
            self.judge_stay(pod, &taints);
        }
    }

    /// `processPodOnNode`
    fn judge_stay(&mut self, pod: u32, taints: &[Taint]) {
        let Some(row) = self.store.pod(pod).filter(|row| row.meta.deletion.is_none()) else {
            self.taint_manager.plans.remove(&pod);
            return;
        };
        let default = Span::from(self.profile.controllers.toleration);
        let lasts = match stay(&row.body.template, taints, default) {
            Stay::ForEver => {
                self.cancel_eviction(pod);
                return;
            }
            Stay::Not => {
                self.taint_manager.plans.remove(&pod);
                Span::ZERO
            }
            // One that waits already goes on waiting: what it tolerates is counted from the first taint on.
            Stay::For(_) if self.is_waiting(pod) => return,
            Stay::For(lasts) => lasts,
        };
        self.taint_manager.last += 1;
        let plan = Plan {
            number: self.taint_manager.last,
            created: self.now,
        };
        self.taint_manager.plans.insert(pod, plan);
        self.after(lasts, Event::Evict(pod, plan.number));
    }

    fn is_waiting(&self, pod: u32) -> bool {
        self.taint_manager
            .plans
            .get(&pod)
            .is_some_and(|plan| plan.created < self.now)
    }

    fn cancel_eviction(&mut self, pod: u32) {
        if self.taint_manager.plans.remove(&pod).is_some()
            && let Some(about) = self.about_pod(pod, false, "taint-eviction-controller")
        {
            let message = format!("Cancelling deletion of Pod {}/{}", about.namespace, about.name);
            self.announce(&about, "TaintManagerEviction", message);
        }
    }

    pub(in crate::simulation) fn evict_tainted(&mut self, pod: u32, plan: u32) {
        if self.taint_manager.plans.get(&pod).is_none_or(|it| it.number != plan) {
            return;
        }
        self.taint_manager.plans.remove(&pod);
        if let Some(about) = self.about_pod(pod, false, "taint-eviction-controller") {
            let message = format!("Marking for deletion Pod {}/{}", about.namespace, about.name);
            self.announce(&about, "TaintManagerEviction", message);
        }
        self.mark_disrupted(pod, "DeletionByTaintManager");
        self.delete_pod(pod, "taint-manager", None);
    }
}

/// Of every taint the first toleration that matches counts, and of those the shortest
/// (k8s.io/component-helpers scheduling/corev1 `GetMatchingTolerations`; `getMinTolerationTime`).
fn stay(template: &PodTemplate, taints: &[Taint], default: Span) -> Stay {
    let mut shortest: Option<Span> = None;
    for taint in taints {
        let lasts = match template
            .tolerations
            .iter()
            .find(|toleration| toleration.tolerates(taint))
        {
            Some(toleration) => toleration.lasts,
            None if has_default(template, &taint.key) => Some(default),
            None => return Stay::Not,
        };
        shortest = match (shortest, lasts) {
            (Some(a), Some(b)) => Some(if b < a { b } else { a }),
            (a, b) => a.or(b),
        };
    }
    match shortest {
        None => Stay::ForEver,
        Some(Span::ZERO) => Stay::Not,
        Some(span) => Stay::For(span),
    }
}

/// Whether admission gave the pod a toleration of this taint: it does unless the pod has one of its own, for whatever value
/// (plugin/pkg/admission/defaulttolerationseconds/admission.go `Admit`).
fn has_default(template: &PodTemplate, key: &str) -> bool {
    let own = |toleration: &Toleration| {
        toleration.key.as_deref().is_none_or(|other| other == key)
            && toleration.effect.is_none_or(|effect| effect == Effect::NoExecute)
    };
    matches!(key, NOT_READY | UNREACHABLE) && !template.tolerations.iter().any(own)
}
