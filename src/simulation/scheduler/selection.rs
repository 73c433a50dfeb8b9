//! Which nodes a pod's `nodeSelector` and required node affinity select, remembered per node.

use std::sync::Arc;

use crate::simulation::api::Labels;
use crate::simulation::objects::selector::{Requirement, Test};
use crate::simulation::objects::template::PodTemplate;

/// The field that node affinity may match, as [`PodTemplate`] writes it.
pub(super) const NAME_FIELD: &str = "metadata.name";

#[derive(Clone, Debug)]
struct Selection {
    /// The first template that selects so.
    template: Arc<PodTemplate>,
    /// By slot.
    selected: Arc<Vec<bool>>,
    /// How many present nodes it selects.
    count: usize,
}

/// The distinct selections.
#[derive(Clone, Debug, Default)]
pub(super) struct Selections(Vec<Selection>);

impl Selections {
    /// The number of a template's selection; `nodes` are the present ones, needed when it is new.
    pub(super) fn intern<'a>(
        &mut self,
        template: &Arc<PodTemplate>,
        nodes: impl Iterator<Item = (u32, &'a str, &'a Labels)>,
    ) -> u32 {
        let known = |Selection { template: known, .. }: &Selection| {
            Arc::ptr_eq(known, template)
                || known.node_selector == template.node_selector && known.node_terms == template.node_terms
        };
        if let Some(index) = self.0.iter().position(known) {
            return index as u32;
        }
        let mut selection = Selection {
            template: Arc::clone(template),
            selected: Arc::default(),
            count: 0,
        };
        for (slot, name, labels) in nodes {
            selection.set(slot, name, labels);
        }
        self.0.push(selection);
        self.0.len() as u32 - 1
    }

    /// Judges a new node.
    pub(super) fn set(&mut self, slot: u32, name: &str, labels: &Labels) {
        for selection in &mut self.0 {
            selection.set(slot, name, labels);
        }
    }

    /// Forgets a node.
    pub(super) fn unset(&mut self, slot: u32) {
        for selection in &mut self.0 {
            if let Some(selected) = Arc::make_mut(&mut selection.selected).get_mut(slot as usize) {
                selection.count -= usize::from(std::mem::take(selected));
            }
        }
    }

    /// How many present nodes a selection selects.
    pub(super) fn count(&self, selection: u32) -> usize {
        self.0[selection as usize].count
    }

    /// Whether a selection selects a node.
    #[inline]
    pub(super) fn selects(&self, selection: u32, slot: u32) -> bool {
        self.0[selection as usize]
            .selected
            .get(slot as usize)
            .copied()
            .unwrap_or(false)
    }
}

impl Selection {
    fn set(&mut self, slot: u32, name: &str, labels: &Labels) {
        let all = Arc::make_mut(&mut self.selected);
        if all.len() <= slot as usize {
            all.resize(slot as usize + 1, false);
        }
        let selected = matches(
            &self.template.node_selector,
            self.template.node_terms.as_deref(),
            name,
            labels,
        );
        all[slot as usize] = selected;
        self.count += usize::from(selected);
    }
}

/// Whether selector and terms select a node
/// (k8s.io/component-helpers scheduling/corev1/nodeaffinity/nodeaffinity.go `RequiredNodeAffinity.Match`).
pub(super) fn matches(
    selector: &[Requirement],
    terms: Option<&[Vec<Requirement>]>,
    name: &str,
    labels: &Labels,
) -> bool {
    selector.iter().all(|requirement| requirement.matches(labels))
        && terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, name, labels)))
}

/// Whether one term does; an empty one selects nothing (the same file, `isEmptyNodeSelectorTerm`).
pub(super) fn term_matches(term: &[Requirement], name: &str, labels: &Labels) -> bool {
    !term.is_empty()
        && term.iter().all(|requirement| {
            if requirement.key != NAME_FIELD {
                return requirement.matches(labels);
            }
            match &requirement.test {
                Test::In(names) => names.iter().any(|other| other == name),
                Test::NotIn(names) => names.iter().all(|other| other != name),
                _ => false,
            }
        })
}

/// The nodes that required node affinity names, when every term names some
/// (`pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go` `PreFilter`).
pub(super) fn names(template: &PodTemplate) -> Option<Vec<&str>> {
    let terms = template.node_terms.as_ref().filter(|terms| !terms.is_empty())?;
    let mut all = Vec::new();
    for term in terms {
        let mut named: Option<Vec<&str>> = None;
        for requirement in term.iter().filter(|requirement| requirement.key == NAME_FIELD) {
            if let Test::In(values) = &requirement.test {
                named = Some(match named {
                    None => values.iter().map(String::as_str).collect(),
                    Some(named) => named
                        .into_iter()
                        .filter(|name| values.iter().any(|value| value == name))
                        .collect(),
                });
            }
        }
        all.extend(named?);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}
