//! The table of pods with what controllers ask of it: which pods are on a machine, carry a label, belong to an owner.
//!
//! Every write goes through here, so that no controller walks all pods to find the few that it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::meta::Meta;
use super::pod::Pod;
use super::selector::{Selector, Test};
use super::table::{Row, Table, Versions};
use crate::simulation::api::Labels;
use crate::simulation::fabric::MachineId;

/// Pods by label and value.
type ByLabel = BTreeMap<String, BTreeMap<String, BTreeSet<u32>>>;

/// All pods. It reads as a [`Table`].
#[derive(Clone, Debug, Default)]
pub struct Pods {
    table: Table<Pod>,
    /// Pods with a node, by the machine of it.
    machines: Vec<BTreeSet<u32>>,
    /// Pods by namespace, label and value.
    labels: BTreeMap<Arc<str>, ByLabel>,
    /// By the owner's uid.
    owners: BTreeMap<u64, Owned>,
    /// Pods of DaemonSets that have not ended, by the set's uid and the node that they are pinned to.
    pinned: BTreeMap<u64, BTreeMap<String, u32>>,
    /// Nodes that a DaemonSet's last pod has left since somebody asked, by the set's uid.
    left: BTreeMap<u64, BTreeSet<String>>,
}

/// How many pods an owner has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Not being deleted, not ended.
    pub active: u32,
    /// Active ones that are Ready.
    pub ready: u32,
}

impl Deref for Pods {
    type Target = Table<Pod>;

    fn deref(&self) -> &Table<Pod> {
        &self.table
    }
}

impl Owned {
    fn of(row: &Row<Pod>) -> Self {
        let active = row.meta.deletion.is_none() && !row.body.is_finished();
        Self {
            active: u32::from(active),
            ready: u32::from(active && row.body.is_ready()),
        }
    }
}

/// The DaemonSet that a pod which has not ended belongs to, and the node that it is for.
fn pin(row: &Row<Pod>) -> Option<(u64, &str)> {
    let owner = row.meta.owner.as_ref()?;
    if owner.kind != "DaemonSet" || row.body.is_finished() {
        return None;
    }
    pinned_to(row).map(|node| (owner.uid, node))
}

/// The node that a DaemonSet's pod is for.
#[must_use]
pub fn pinned_to(row: &Row<Pod>) -> Option<&str> {
    match &row.body.template.node_terms.as_deref()?.first()?.first()?.test {
        Test::In(names) => names.first().map(String::as_str),
        _ => None,
    }
}

impl Pods {
    /// Adds a pod: [`Table::insert`].
    pub fn insert(&mut self, versions: &mut Versions, meta: Meta, body: Pod) -> u32 {
        let number = self.table.insert(versions, meta, body);
        if let Some(row) = self.table.shared(number).cloned() {
            self.moved(number, None, Some(&row));
        }
        number
    }

    /// Changes a pod: [`Table::update`].
    pub fn update(&mut self, versions: &mut Versions, number: u32, change: impl FnOnce(&mut Row<Pod>)) {
        let Some(before) = self.table.shared(number).cloned() else {
            return;
        };
        self.table.update(versions, number, change);
        if let Some(after) = self.table.shared(number).cloned() {
            self.moved(number, Some(&before), Some(&after));
        }
    }

    /// Completes the last change of a pod: [`Table::amend`]. Nothing that pods are found by may change.
    pub fn amend(&mut self, number: u32, change: impl FnOnce(&mut Row<Pod>)) {
        self.table.amend(number, change);
    }

    /// Removes a pod: [`Table::remove`].
    pub fn remove(&mut self, versions: &mut Versions, number: u32) -> Option<Arc<Row<Pod>>> {
        let last = self.table.remove(versions, number)?;
        self.moved(number, Some(&last), None);
        Some(last)
    }

    /// The pods bound to a machine's node, whether it still exists or not, by creation.
    pub fn on(&self, machine: MachineId) -> impl Iterator<Item = (u32, &Row<Pod>)> {
        let pods = self.machines.get(machine.0 as usize);
        pods.into_iter()
            .flatten()
            .filter_map(|&pod| self.table.get(pod).map(|row| (pod, row)))
    }

    /// The pods of a namespace that have all these labels, by creation; none when there are no labels.
    pub fn labelled<'a>(
        &'a self,
        namespace: &str,
        selector: &'a Labels,
    ) -> impl Iterator<Item = (u32, &'a Arc<Row<Pod>>)> {
        let known = self.labels.get(namespace);
        let rarest = selector
            .iter()
            .map(|(key, value)| known?.get(key)?.get(value))
            .min_by_key(|pods| pods.map_or(0, BTreeSet::len))
            .flatten();
        rarest
            .into_iter()
            .flatten()
            .filter_map(|&pod| self.table.shared(pod).map(|row| (pod, row)))
            .filter(|(_, row)| {
                selector
                    .iter()
                    .all(|(key, value)| row.meta.labels.get(key) == Some(value))
            })
    }

    /// The pods of a namespace that a workload owns in the end, by name. It looks at all pods of the namespace: for rare events only.
    pub fn of_app<'a>(&'a self, namespace: &'a str, app: &'a str) -> impl Iterator<Item = (u32, &'a Arc<Row<Pod>>)> {
        self.table
            .by_name(Some(namespace))
            .filter(move |(_, row)| &*row.body.app == app)
    }

    /// The pods of a namespace that a selector selects, by name. A requirement of a single value spares looking at all others.
    #[must_use]
    pub fn selected(&self, namespace: &str, selector: &Selector) -> Vec<Arc<Row<Pod>>> {
        let known = self.labels.get(namespace);
        let single = selector.0.iter().filter_map(|requirement| match &requirement.test {
            Test::In(values) if values.len() == 1 => Some((&requirement.key, &values[0])),
            _ => None,
        });
        let rarest = single
            .map(|(key, value)| known.and_then(|known| known.get(key)?.get(value)))
            .min_by_key(|pods| pods.map_or(0, BTreeSet::len));
        let mut selected: Vec<Arc<Row<Pod>>> = match rarest {
            Some(pods) => pods
                .into_iter()
                .flatten()
                .filter_map(|&pod| self.table.shared(pod).cloned())
                .collect(),
            None => self
                .table
                .by_name(Some(namespace))
                .map(|(_, row)| row.clone())
                .collect(),
        };
        selected.retain(|row| selector.matches(&row.meta.labels));
        selected.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        selected
    }

    /// How many pods the owner of this uid has.
    #[must_use]
    pub fn owned(&self, owner: u64) -> Owned {
        self.owners.get(&owner).copied().unwrap_or_default()
    }

    /// Whether the DaemonSet of this uid has a pod that is pinned to a node and has not ended.
    #[must_use]
    pub fn pinned(&self, set: u64, node: &str) -> bool {
        self.pinned.get(&set).is_some_and(|nodes| nodes.contains_key(node))
    }

    /// On how many nodes the DaemonSet of this uid has such a pod.
    #[must_use]
    pub fn pinned_nodes(&self, set: u64) -> u32 {
        self.pinned.get(&set).map_or(0, |nodes| nodes.len() as u32)
    }

    /// The nodes that DaemonSets' last pods have left since the last call, by the set's uid.
    pub fn left(&mut self) -> BTreeMap<u64, BTreeSet<String>> {
        std::mem::take(&mut self.left)
    }

    fn pin(&mut self, row: &Row<Pod>) {
        if let Some((set, node)) = pin(row) {
            *self.pinned.entry(set).or_default().entry(node.to_owned()).or_default() += 1;
        }
    }

    fn unpin(&mut self, row: &Row<Pod>) {
        let Some((set, node)) = pin(row) else { return };
        if let Some(nodes) = self.pinned.get_mut(&set)
            && let Some(pods) = nodes.get_mut(node)
        {
            *pods -= 1;
            if *pods == 0 {
                nodes.remove(node);
                self.left.entry(set).or_default().insert(node.to_owned());
            }
        }
    }

    fn moved(&mut self, number: u32, before: Option<&Row<Pod>>, after: Option<&Row<Pod>>) {
        let machine = |row: &Row<Pod>| row.body.node;
        let (from, to) = (before.and_then(machine), after.and_then(machine));
        if from != to {
            if let Some(from) = from {
                self.machine(from).remove(&number);
            }
            if let Some(to) = to {
                self.machine(to).insert(number);
            }
        }
        if let (Some(before), Some(after)) = (before, after)
            && Arc::ptr_eq(&before.meta.labels, &after.meta.labels)
        {
            // Nothing to do: most changes are of the status.
        } else {
            if let Some(row) = before {
                self.unlabel(number, row);
            }
            if let Some(row) = after {
                self.label(number, row);
            }
        }
        if before.is_some_and(|row| pin(row).is_some()) != after.is_some_and(|row| pin(row).is_some()) {
            if let Some(row) = before {
                self.unpin(row);
            }
            if let Some(row) = after {
                self.pin(row);
            }
        }
        let uid = |row: &Row<Pod>| row.meta.owner.as_ref().map(|owner| owner.uid);
        let (from, to) = (before.and_then(uid), after.and_then(uid));
        let (was, is) = (before.map(Owned::of), after.map(Owned::of));
        if from != to || was != is {
            if let (Some(owner), Some(was)) = (from, was)
                && let Some(sum) = self.owners.get_mut(&owner)
            {
                sum.active -= was.active;
                sum.ready -= was.ready;
                if *sum == Owned::default() {
                    self.owners.remove(&owner);
                }
            }
            if let (Some(owner), Some(is)) = (to, is)
                && is != Owned::default()
            {
                let sum = self.owners.entry(owner).or_default();
                sum.active += is.active;
                sum.ready += is.ready;
            }
        }
    }

    fn machine(&mut self, machine: MachineId) -> &mut BTreeSet<u32> {
        let index = machine.0 as usize;
        if self.machines.len() <= index {
            self.machines.resize_with(index + 1, BTreeSet::new);
        }
        &mut self.machines[index]
    }

    fn label(&mut self, number: u32, row: &Row<Pod>) {
        let keys = self.labels.entry(row.meta.namespace.clone()).or_default();
        for (key, value) in &*row.meta.labels {
            // Names are copied when they are new alone.
            if !keys.contains_key(key) {
                keys.insert(key.clone(), BTreeMap::new());
            }
            if let Some(values) = keys.get_mut(key) {
                match values.get_mut(value) {
                    Some(pods) => {
                        pods.insert(number);
                    }
                    None => {
                        values.insert(value.clone(), BTreeSet::from([number]));
                    }
                }
            }
        }
    }

    fn unlabel(&mut self, number: u32, row: &Row<Pod>) {
        let Some(keys) = self.labels.get_mut(&row.meta.namespace) else {
            return;
        };
        for (key, value) in &*row.meta.labels {
            let Some(values) = keys.get_mut(key) else { continue };
            if let Some(pods) = values.get_mut(value) {
                pods.remove(&number);
                if pods.is_empty() {
                    values.remove(value);
                }
            }
        }
    }
}
