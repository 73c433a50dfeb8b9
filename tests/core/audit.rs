//! An auditor: reads the log of changes as a watcher does and holds each binding against the laws of scheduling.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast::simulation::api::{ApiStore as _, Labels};
use steadfast::simulation::objects::node::Node;
use steadfast::simulation::objects::pod::Pod;
use steadfast::simulation::objects::quantity::Amount;
use steadfast::simulation::objects::resources::RESOURCES;
use steadfast::simulation::objects::table::{Change, Row};
use steadfast::simulation::objects::template::{AffinityTerm, Effect};
use steadfast::simulation::world::World;

/// Namespace and name.
type Key = (String, String);

/// What has been read so far.
#[derive(Default)]
pub(super) struct Auditor {
    seen: u64,
    /// By resource: the version of every object, as the changes tell it.
    folds: BTreeMap<&'static str, BTreeMap<Key, u64>>,
    pods: BTreeMap<u64, Arc<Row<Pod>>>,
    nodes: BTreeMap<u64, Arc<Row<Node>>>,
    pub(super) bindings: usize,
}

enum Step<'a> {
    Pod(&'a Change<Pod>),
    Node(&'a Change<Node>),
}

impl Auditor {
    /// Reads what has happened since it last looked.
    pub(super) fn look(&mut self, world: &World) {
        self.versions_and_folds(world);
        self.bindings(world);
        self.seen = world.version();
    }

    /// Every version is one change of one kind, and the changes make the lists.
    fn versions_and_folds(&mut self, world: &World) {
        let mut versions: Vec<u64> = Vec::new();
        for resource in &RESOURCES {
            let fold = self.folds.entry(&*resource.plural).or_default();
            let mut last = self.seen;
            for change in world.changes(resource, self.seen).unwrap() {
                let what = format!("{} {} at {}", resource.plural, change.object.name, change.version);
                assert!(change.version > last, "{what} comes after {last}");
                last = change.version;
                versions.push(change.version);
                assert_eq!(change.object.version, change.version, "{what}");
                let key = (
                    change.object.namespace.as_deref().unwrap_or_default().to_owned(),
                    change.object.name.to_string(),
                );
                let known = if change.deleted {
                    fold.remove(&key)
                } else {
                    fold.insert(key, change.version)
                };
                let before = change.before.as_ref().map(|before| before.version);
                assert_eq!(before, known, "{what}: its state before, and the last one seen");
            }
            let listed: BTreeMap<Key, u64> = world
                .list(resource, None)
                .into_iter()
                .map(|object| {
                    let space = object.namespace.as_deref().unwrap_or_default().to_owned();
                    ((space, object.name.to_string()), object.version)
                })
                .collect();
            assert_eq!(*fold, listed, "{}: the changes, and the list", resource.plural);
        }
        versions.sort_unstable();
        // Version 1 is that of an empty cluster: no change made it.
        let all: Vec<u64> = (self.seen.max(1) + 1..=world.version()).collect();
        assert_eq!(versions, all, "each version is one change");
    }

    fn bindings(&mut self, world: &World) {
        let pods = world.store().pods.changes(self.seen).unwrap();
        let nodes = world.store().nodes.changes(self.seen).unwrap();
        let mut steps: Vec<(u64, Step)> = pods
            .map(|change| (change.version, Step::Pod(change)))
            .chain(nodes.map(|change| (change.version, Step::Node(change))))
            .collect();
        steps.sort_by_key(|(version, _)| *version);
        for (_, step) in steps {
            match step {
                Step::Node(change) => {
                    self.nodes.remove(&change.row.meta.uid);
                    if !change.deleted {
                        self.nodes.insert(change.row.meta.uid, change.row.clone());
                    }
                }
                Step::Pod(change) => {
                    let (row, before) = (&change.row, change.before.as_ref());
                    let was = before.and_then(|before| before.body.node_name.clone());
                    if was.is_some() {
                        assert_eq!(was, row.body.node_name, "{}: its binding changed", row.meta.name);
                    } else if row.body.node_name.is_some() {
                        self.bindings += 1;
                        self.may_be_bound(row);
                    }
                    self.pods.remove(&row.meta.uid);
                    if !change.deleted {
                        self.pods.insert(row.meta.uid, row.clone());
                    }
                }
            }
        }
    }

    /// The laws of a binding at the moment at which it is made.
    fn may_be_bound(&self, pod: &Row<Pod>) {
        let name = &pod.meta.name;
        let node = self
            .node(pod.body.node_name.as_deref().unwrap())
            .unwrap_or_else(|| panic!("{name}: bound to a node that does not exist: {:?}", pod.body.node_name));
        let there: Vec<&Row<Pod>> = self.on(&node.meta.name);
        assert!(
            there.len() < node.body.pods as usize,
            "{name}: {} has {} pods already",
            node.meta.name,
            there.len()
        );
        let used = there
            .iter()
            .map(|pod| pod.body.template.requests)
            .fold(pod.body.template.requests, Amount::plus);
        let has = node.body.allocatable;
        assert!(
            used.cpu_milli <= has.cpu_milli && used.memory <= has.memory,
            "{name}: {used:?} requested of {has:?} on {}",
            node.meta.name
        );
        let tolerated = |key: &str, effect| {
            let taint = steadfast::simulation::objects::template::Taint {
                key: key.to_owned(),
                value: String::new(),
                effect,
            };
            let tolerations = &pod.body.template.tolerations;
            tolerations.iter().any(|toleration| toleration.tolerates(&taint))
        };
        assert!(
            !node.body.unschedulable || tolerated("node.kubernetes.io/unschedulable", Effect::NoSchedule),
            "{name}: {} is cordoned",
            node.meta.name
        );
        for taint in &node.body.taints {
            assert!(
                taint.effect == Effect::PreferNoSchedule || tolerated(&taint.key, taint.effect),
                "{name}: does not tolerate {taint:?} of {}",
                node.meta.name
            );
        }
        for other in self.pods.values().filter(|other| is_placed(other)) {
            let Some(place) = self.node(other.body.node_name.as_deref().unwrap_or_default()) else {
                continue;
            };
            for (one, two) in [(pod, &**other), (&**other, pod)] {
                for term in &one.body.template.anti_affinity {
                    assert!(
                        !(concerns(term, one, two) && together(term, &node.meta.labels, &place.meta.labels)),
                        "{name} on {}: {} keeps apart from {}, by {}",
                        node.meta.name,
                        one.meta.name,
                        two.meta.name,
                        term.topology
                    );
                }
            }
        }
    }

    fn node(&self, name: &str) -> Option<&Row<Node>> {
        self.nodes
            .values()
            .find(|node| *node.meta.name == *name)
            .map(AsRef::as_ref)
    }

    fn on(&self, node: &str) -> Vec<&Row<Pod>> {
        self.pods
            .values()
            .map(AsRef::as_ref)
            .filter(|pod| is_placed(pod) && pod.body.node_name.as_deref() == Some(node))
            .collect()
    }
}

fn is_placed(pod: &Row<Pod>) -> bool {
    pod.body.node_name.is_some() && !pod.body.is_finished()
}

/// Whether a term of `one` is about `two`.
fn concerns(term: &AffinityTerm, one: &Row<Pod>, two: &Row<Pod>) -> bool {
    let here = if term.namespaces.is_empty() {
        one.meta.namespace == two.meta.namespace
    } else {
        term.namespaces.iter().any(|space| **space == *two.meta.namespace)
    };
    here && term
        .selector
        .0
        .iter()
        .all(|requirement| requirement.matches(&two.meta.labels))
}

/// Whether two nodes are one place.
fn together(term: &AffinityTerm, one: &Labels, two: &Labels) -> bool {
    one.get(&term.topology)
        .is_some_and(|value| two.get(&term.topology) == Some(value))
}
