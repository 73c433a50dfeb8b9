//! Classes of pods that look the same to each other's affinity, and how many of them each topology domain has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::count::Counts;
use super::topology::{HOSTNAME_LABEL, Key, NODE, Topologies, ZONE};
use super::{Booked, Scheduler};
use crate::simulation::api::Labels;
use crate::simulation::fabric::PodId;
use crate::simulation::objects::selector::Selector;
use crate::simulation::objects::template::{AffinityTerm, PodTemplate, SpreadConstraint};

/// A class, by order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClassId(u32);

/// A term, by order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TermId(u32);

/// How much a pod whose required affinity an incoming pod matches attracts it.
/// Source: pkg/scheduler/apis/config/v1/defaults.go `SetDefaults_InterPodAffinityArgs`, `HardPodAffinityWeight`.
const REQUIRED_WEIGHT: i32 = 1;

/// Pods with the same namespace, labels and affinity.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) namespace: Arc<str>,
    /// The first template of the class.
    template: Arc<PodTemplate>,
    /// Pods of its own kind, per node and per zone; `None` without labels.
    pub(super) spread: Option<(TermId, TermId)>,
    /// Its required affinity: each term counts the pods that match all of them.
    pub(super) seeks: Vec<TermId>,
    /// Whether it matches its own required affinity.
    pub(super) seeks_itself: bool,
    /// Its required anti-affinity.
    pub(super) avoids: Vec<TermId>,
    /// Its preferred terms; a negative weight is anti-affinity.
    pub(super) prefers: Vec<(i32, TermId)>,
    /// Its hard spread constraints.
    pub(super) hard: Vec<Spread>,
    /// Its soft ones.
    pub(super) soft: Vec<Spread>,
    /// How strongly its pods attract others: preferred terms, and required ones by a fixed weight.
    attracts: Vec<(i32, TermId)>,
    /// All terms, its own or others', that match it.
    matched: Vec<TermId>,
    pods: u32,
}

/// Classes by namespace and labels.
type Index = BTreeMap<Arc<str>, BTreeMap<Arc<Labels>, Vec<ClassId>>>;

/// Namespaces and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Matcher {
    namespaces: Vec<String>,
    /// Namespaces with these labels, too.
    by_label: Option<Selector>,
    selector: Selector,
}

/// A spread constraint, compiled for its class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    /// The places.
    pub(super) key: Key,
    /// The pods that count, per place and per node; `None`: no pod does.
    pub(super) counted: Option<(TermId, TermId)>,
    /// 1 when the pod itself counts.
    pub(super) itself: i64,
    pub(super) max_skew: u32,
    pub(super) min_domains: u32,
    pub(super) honors_affinity: bool,
    pub(super) honors_taints: bool,
    /// Whether the places are the nodes, by their hostname label.
    pub(super) by_host: bool,
}

/// The labels of namespaces.
type Namespaces = BTreeMap<Arc<str>, Arc<Labels>>;

/// Pods that match, per domain of one topology key.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// All must match.
    matchers: Arc<[Matcher]>,
    pub(super) key: Key,
    /// Whether pods that are leaving do not count.
    live_only: bool,
    /// Pods that match it.
    pub(super) present: Counts,
    /// Whether any class has it as required anti-affinity, and the pods that do.
    pub(super) repels: Option<Counts>,
    /// Whether any class attracts by it, and the weights of the pods that do.
    pub(super) attracts: Option<Counts>,
}

/// All classes and terms.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    all: Vec<Class>,
    terms: Vec<Term>,
    index: Arc<Index>,
    namespaces: Arc<Namespaces>,
}

impl Matcher {
    /// `own`: the labels of the pod whose term it is (k8s.io/kube-scheduler framework types `newAffinityTerm`).
    fn new(term: &AffinityTerm, namespace: &str, own: &Labels) -> Self {
        let namespaces = if term.namespaces.is_empty() && term.namespace_selector.is_none() {
            vec![namespace.to_owned()]
        } else {
            term.namespaces.clone()
        };
        Self {
            namespaces,
            by_label: term.namespace_selector.clone(),
            selector: term.selector_for(own),
        }
    }

    /// Pods of a namespace.
    fn inside(namespace: &str, selector: Selector) -> Self {
        Self {
            namespaces: vec![namespace.to_owned()],
            by_label: None,
            selector,
        }
    }

    fn matches(&self, namespace: &str, labels: &Labels, namespaces: &Namespaces) -> bool {
        let by_label = |selector: &Selector| match namespaces.get(namespace) {
            Some(labels) => selector.matches(labels),
            None => selector.matches(&Labels::new()),
        };
        (self.namespaces.iter().any(|name| name == namespace) || self.by_label.as_ref().is_some_and(by_label))
            && self.selector.matches(labels)
    }
}

impl Term {
    fn matches(&self, namespace: &str, labels: &Labels, namespaces: &Namespaces) -> bool {
        self.matchers
            .iter()
            .all(|matcher| matcher.matches(namespace, labels, namespaces))
    }
}

impl Classes {
    #[inline]
    pub(super) fn class(&self, class: ClassId) -> &Class {
        &self.all[class.0 as usize]
    }

    #[inline]
    pub(super) fn term(&self, term: TermId) -> &Term {
        &self.terms[term.0 as usize]
    }

    /// The terms of existing classes' required anti-affinity that match pods of this class.
    pub(super) fn repelling(&self, class: ClassId) -> impl Iterator<Item = TermId> {
        self.class(class)
            .matched
            .iter()
            .copied()
            .filter(|&term| self.term(term).repels.is_some())
    }

    /// The terms by which pods of existing classes attract pods of this class.
    pub(super) fn attracting(&self, class: ClassId) -> impl Iterator<Item = TermId> {
        self.class(class)
            .matched
            .iter()
            .copied()
            .filter(|&term| self.term(term).attracts.is_some())
    }

    fn find(&self, namespace: &str, template: &Arc<PodTemplate>) -> Option<ClassId> {
        self.index
            .get(namespace)?
            .get(&*template.labels)?
            .iter()
            .copied()
            .find(|&class| {
                let known = &self.class(class).template;
                Arc::ptr_eq(known, template)
                    || known.affinity == template.affinity
                        && known.anti_affinity == template.anti_affinity
                        && known.preferred_affinity == template.preferred_affinity
                        && known.spread() == template.spread()
            })
    }

    /// Counts a pod of this class on a node, or takes it out.
    pub(super) fn count(&mut self, class: ClassId, slot: u32, topologies: &Topologies, live: bool, sign: i32) {
        let Self { all, terms, .. } = self;
        let class = &mut all[class.0 as usize];
        class.pods = class.pods.saturating_add_signed(sign);
        for &term in &class.matched {
            let term = &mut terms[term.0 as usize];
            if live || !term.live_only {
                term.present.add(topologies.domain(term.key, slot), sign);
            }
        }
        for &term in &class.avoids {
            let term = &mut terms[term.0 as usize];
            term.repels
                .get_or_insert_default()
                .add(topologies.domain(term.key, slot), sign);
        }
        for &(weight, term) in &class.attracts {
            let term = &mut terms[term.0 as usize];
            term.attracts
                .get_or_insert_default()
                .add(topologies.domain(term.key, slot), sign * weight);
        }
    }
}

impl Scheduler {
    /// The class of a template's pods, which may be new.
    pub(super) fn class(&mut self, namespace: &Arc<str>, template: &Arc<PodTemplate>) -> ClassId {
        if let Some(class) = self.classes.find(namespace, template) {
            return class;
        }
        let own = &template.labels;
        let all: Vec<Matcher> = template
            .affinity
            .iter()
            .map(|term| Matcher::new(term, namespace, own))
            .collect();
        let itself = |matcher: &Matcher| matcher.matches(namespace, own, &self.classes.namespaces);
        let mut class = Class {
            namespace: Arc::clone(namespace),
            template: Arc::clone(template),
            spread: None,
            seeks: Vec::new(),
            seeks_itself: all.iter().all(itself),
            avoids: Vec::new(),
            prefers: Vec::new(),
            hard: Vec::new(),
            soft: Vec::new(),
            attracts: Vec::new(),
            matched: Vec::new(),
            pods: 0,
        };
        if template.spread().is_empty() && !template.labels.is_empty() {
            // The selector of a pod's ReplicaSet holds its pod-template-hash, and its Services select a subset of its
            // labels (pkg/scheduler/framework/plugins/helper/spread.go `DefaultSelector`): its labels, all of them.
            let matcher = Matcher::inside(namespace, Selector::labels(&template.labels));
            let per_node = self.intern(std::slice::from_ref(&matcher), NODE, true);
            class.spread = Some((per_node, self.intern(&[matcher], ZONE, true)));
        }
        for constraint in template.spread() {
            let spread = self.spread_of(constraint, namespace, own);
            if constraint.hard {
                &mut class.hard
            } else {
                &mut class.soft
            }
            .push(spread);
        }
        for term in &template.affinity {
            let key = self.key(&term.topology);
            class.seeks.push(self.intern(&all, key, false));
            let single = self.intern(&[Matcher::new(term, namespace, own)], key, false);
            class.attracts.push((REQUIRED_WEIGHT, single));
            self.term_mut(single).attracts.get_or_insert_default();
        }
        for term in &template.anti_affinity {
            let key = self.key(&term.topology);
            let id = self.intern(&[Matcher::new(term, namespace, own)], key, false);
            class.avoids.push(id);
            self.term_mut(id).repels.get_or_insert_default();
        }
        for (weight, term) in &template.preferred_affinity {
            let key = self.key(&term.topology);
            let id = self.intern(&[Matcher::new(term, namespace, own)], key, false);
            let weight = i32::try_from(*weight).unwrap_or(0);
            class.prefers.push((weight, id));
            class.attracts.push((weight, id));
            self.term_mut(id).attracts.get_or_insert_default();
        }
        let id = ClassId(self.classes.all.len() as u32);
        for (index, term) in self.classes.terms.iter().enumerate() {
            if term.matches(namespace, &template.labels, &self.classes.namespaces) {
                class.matched.push(TermId(index as u32));
            }
        }
        self.classes.all.push(class);
        let by_labels = Arc::make_mut(&mut self.classes.index)
            .entry(Arc::clone(namespace))
            .or_default();
        by_labels.entry(Arc::clone(&template.labels)).or_default().push(id);
        id
    }

    /// A spread constraint for pods of these labels (podtopologyspread/common.go `filterTopologySpreadConstraints`).
    fn spread_of(&mut self, constraint: &SpreadConstraint, namespace: &str, own: &Labels) -> Spread {
        let key = self.key(&constraint.topology);
        let selector = constraint.selector_for(own);
        let itself = i64::from(selector.as_ref().is_some_and(|selector| selector.matches(own)));
        // An empty selector counts nobody, though the pod itself matches it (`countPodsMatchSelector`).
        let counted = selector.filter(|selector| !selector.is_empty()).map(|selector| {
            let matcher = Matcher::inside(namespace, selector);
            let per_place = self.intern(std::slice::from_ref(&matcher), key, true);
            (per_place, self.intern(&[matcher], NODE, true))
        });
        Spread {
            key,
            counted,
            itself,
            max_skew: constraint.max_skew,
            min_domains: constraint.min_domains,
            honors_affinity: constraint.honors_affinity,
            honors_taints: constraint.honors_taints,
            by_host: constraint.topology == HOSTNAME_LABEL,
        }
    }

    /// Tells the labels of a namespace, by which affinity may select it. Terms that do are matched and counted anew.
    pub fn set_namespace(&mut self, name: &Arc<str>, labels: &Arc<Labels>) {
        if self.classes.namespaces.get(name).is_some_and(|known| known == labels) {
            return;
        }
        Arc::make_mut(&mut self.classes.namespaces).insert(Arc::clone(name), Arc::clone(labels));
        for index in 0..self.classes.terms.len() {
            let by_label = |matcher: &Matcher| matcher.by_label.is_some();
            if self.classes.terms[index].matchers.iter().any(by_label) {
                self.match_anew(TermId(index as u32), name);
            }
        }
    }

    /// Matches the classes of a namespace to a term again, and counts the pods that it now matches.
    fn match_anew(&mut self, id: TermId, namespace: &str) {
        let Classes {
            all, terms, namespaces, ..
        } = &mut self.classes;
        let term = &mut terms[id.0 as usize];
        for class in all.iter_mut().filter(|class| *class.namespace == *namespace) {
            let matches = term.matches(namespace, &class.template.labels, namespaces);
            let known = class.matched.iter().position(|&other| other == id);
            match known {
                None if matches => class.matched.push(id),
                Some(at) if !matches => drop(class.matched.remove(at)),
                _ => {}
            }
        }
        for class in all.iter_mut().filter(|class| class.seeks.contains(&id)) {
            class.seeks_itself = term.matches(&class.namespace, &class.template.labels, namespaces);
        }
        term.present = Counts::default();
        for booked in self.pods.values() {
            if all[booked.class.0 as usize].matched.contains(&id)
                && (booked.leaving.is_none() || !term.live_only)
                && let Some(slot) = self.nodes.slot(booked.machine)
            {
                term.present.add(self.topologies.domain(term.key, slot), 1);
            }
        }
    }

    fn key(&mut self, label: &str) -> Key {
        self.topologies.key(label, self.nodes.labels())
    }

    fn term_mut(&mut self, term: TermId) -> &mut Term {
        &mut self.classes.terms[term.0 as usize]
    }

    /// The term with these matchers, which may be new: then the pods that match it are counted.
    fn intern(&mut self, matchers: &[Matcher], key: Key, live_only: bool) -> TermId {
        let known = |term: &Term| term.key == key && term.live_only == live_only && *term.matchers == *matchers;
        if let Some(index) = self.classes.terms.iter().position(known) {
            return TermId(index as u32);
        }
        let id = TermId(self.classes.terms.len() as u32);
        let mut term = Term {
            matchers: matchers.into(),
            key,
            live_only,
            present: Counts::default(),
            repels: None,
            attracts: None,
        };
        let mut by_class = Vec::with_capacity(self.classes.all.len());
        let mut populated = false;
        for class in &mut self.classes.all {
            let same = term.matches(&class.namespace, &class.template.labels, &self.classes.namespaces);
            by_class.push(same);
            if same {
                class.matched.push(id);
                populated |= class.pods > 0;
            }
        }
        if populated {
            for booked in self.pods.values() {
                if by_class[booked.class.0 as usize]
                    && (booked.leaving.is_none() || !live_only)
                    && let Some(slot) = self.nodes.slot(booked.machine)
                {
                    term.present.add(self.topologies.domain(key, slot), 1);
                }
            }
        }
        self.classes.terms.push(term);
        id
    }

    /// The booked pod.
    pub(super) fn booked(&self, pod: PodId) -> Option<&Booked> {
        self.pods.get(&pod)
    }
}
