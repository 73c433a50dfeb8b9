//! A pod to place, with everything looked up that is the same for all nodes.

use std::sync::Arc;

use super::class::{ClassId, TermId};
use super::selection::{self, NAME_FIELD};
use super::{Booked, Needs, Scheduler, needs};
use crate::simulation::fabric::PodId;
use crate::simulation::objects::pod::UNSCHEDULABLE;
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::{Effect, PodTemplate, Taint, Toleration};

/// Which nodes a pod selects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selected {
    /// All.
    All,
    /// Those of a selection.
    Some(u32),
    /// Those that its terms name and match: too few to remember.
    Named,
}

/// A pod to place.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) template: &'a PodTemplate,
    pub(super) needs: &'a Needs,
    pub(super) class: ClassId,
    pub(super) requests: Amount,
    pub(super) priority: i32,
    /// Whether it tolerates cordoned nodes.
    pub(super) on_cordoned: bool,
    /// Whether it tolerates each set of taints.
    pub(super) tolerates: Vec<bool>,
    pub(super) selected: Selected,
    /// Required anti-affinity of others that matches it.
    pub(super) repelling: Vec<TermId>,
    /// Pods of no lower priority that are nominated somewhere: slot and what they would take.
    pub(super) nominees: Vec<(u32, Booked)>,
}

fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

impl Scheduler {
    /// Looks up what a placement needs. `pod` is the pod itself, whose own nomination does not stand in its way.
    pub(super) fn query<'a>(
        &mut self,
        pod: Option<PodId>,
        namespace: &Arc<str>,
        template: &'a Arc<PodTemplate>,
    ) -> Query<'a> {
        let class = self.class(namespace, template);
        let selected = if template.node_selector.is_empty() && template.node_terms.is_none() {
            Selected::All
        } else if template
            .node_terms
            .iter()
            .flatten()
            .flatten()
            .any(|requirement| requirement.key == NAME_FIELD)
        {
            Selected::Named
        } else {
            let nodes = self
                .nodes
                .present()
                .map(|(slot, info)| (slot, &*info.name, &*info.labels));
            Selected::Some(self.selections.intern(template, nodes))
        };
        // plugins/nodeunschedulable/node_unschedulable.go `Filter`
        let cordon = Taint {
            key: UNSCHEDULABLE.to_owned(),
            value: String::new(),
            effect: Effect::NoSchedule,
        };
        // plugins/helper/taint.go `DoNotScheduleTaintsFilterFunc`
        let tolerates = |set: &Vec<Taint>| {
            set.iter()
                .all(|taint| taint.effect == Effect::PreferNoSchedule || tolerated(&template.tolerations, taint))
        };
        let nominees = self
            .nominated
            .iter()
            .filter(|(other, booked)| Some(**other) != pod && booked.template.priority >= template.priority)
            .filter_map(|(_, booked)| self.nodes.slot(booked.machine).map(|slot| (slot, booked.clone())))
            .collect();
        Query {
            template,
            needs: &needs::NONE,
            class,
            requests: template.requests,
            priority: template.priority,
            on_cordoned: tolerated(&template.tolerations, &cordon),
            tolerates: self.nodes.taint_sets().iter().map(tolerates).collect(),
            selected,
            repelling: self.classes.repelling(class).collect(),
            nominees,
        }
    }

    /// Whether they select every node.
    pub(super) fn selects_all(&self, query: &Query<'_>) -> bool {
        match query.selected {
            Selected::All => true,
            Selected::Some(selection) => self.selections.count(selection) == self.nodes.len(),
            Selected::Named => false,
        }
    }

    /// Whether the pod's node selector and required node affinity select a node.
    #[inline]
    pub(super) fn selects(&self, query: &Query<'_>, slot: u32) -> bool {
        match query.selected {
            Selected::All => true,
            Selected::Some(selection) => self.selections.selects(selection, slot),
            Selected::Named => self.nodes.info(slot).is_some_and(|info| {
                let terms = query.template.node_terms.as_deref();
                selection::matches(&query.template.node_selector, terms, &info.name, &info.labels)
            }),
        }
    }
}
