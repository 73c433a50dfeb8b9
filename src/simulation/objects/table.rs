//! A table of one kind of object: rows by number, an index by name, and a bounded log of changes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::meta::Meta;
use crate::simulation::api::Expired;

/// Changes that a table remembers for watchers. (The API server's watch cache holds 100 to 102,400 events a resource,
/// k8s.io/apiserver pkg/storage/cacher/watch_cache.go `defaultLowerBoundCapacity`, `defaultUpperBoundCapacity`.)
const LOG: usize = 8_192;

/// The counters of the whole cluster.
#[derive(Clone, Debug)]
pub struct Versions {
    version: u64,
    uid: u64,
}

impl Default for Versions {
    fn default() -> Self {
        Self { version: 1, uid: 0 }
    }
}

impl Versions {
    /// The newest version given.
    #[must_use]
    pub const fn current(&self) -> u64 {
        self.version
    }

    /// The next version: they strictly rise over all kinds.
    pub const fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// The uid that [`Versions::uid`] gives next.
    #[must_use]
    pub const fn next_uid(&self) -> u64 {
        self.uid + 1
    }

    /// A new uid.
    pub const fn uid(&mut self) -> u64 {
        self.uid += 1;
        self.uid
    }
}

/// One object.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// Metadata.
    pub meta: Meta,
    /// The kind's own state.
    pub body: T,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// Its version.
    pub version: u64,
    /// The object after it, or its last state.
    pub row: Arc<Row<T>>,
    /// The object before it.
    pub before: Option<Arc<Row<T>>>,
    /// Whether it removed the object.
    pub deleted: bool,
}

/// All objects of a kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: Vec<Option<Arc<Row<T>>>>,
    names: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
    log: VecDeque<Change<T>>,
    /// Changes after this version are all in the log.
    floor: u64,
    live: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            names: BTreeMap::new(),
            log: VecDeque::new(),
            floor: 0,
            live: 0,
        }
    }
}

impl<T: Clone> Table<T> {
    /// The row of this number, when it still exists.
    #[inline]
    #[must_use]
    pub fn get(&self, row: u32) -> Option<&Row<T>> {
        self.rows.get(row as usize).and_then(Option::as_deref)
    }

    /// The shared row of this number.
    #[must_use]
    pub fn shared(&self, row: u32) -> Option<&Arc<Row<T>>> {
        self.rows.get(row as usize).and_then(Option::as_ref)
    }

    /// The number of the object with this name (namespace empty for objects without one).
    #[must_use]
    pub fn find(&self, namespace: &str, name: &str) -> Option<u32> {
        self.names.get(namespace)?.get(name).copied()
    }

    /// Whether the name is taken.
    #[must_use]
    pub fn contains(&self, namespace: &str, name: &str) -> bool {
        self.find(namespace, name).is_some()
    }

    /// Objects that exist.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The number that the next inserted row gets.
    #[must_use]
    pub fn next_row(&self) -> u32 {
        self.rows.len() as u32
    }

    /// The version of the newest change; 0 before the first.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.log.back().map_or(0, |change| change.version)
    }

    /// All objects in the order of their creation.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Row<T>)> {
        self.rows
            .iter()
            .enumerate()
            .filter_map(|(row, object)| object.as_deref().map(|object| (row as u32, object)))
    }

    /// All objects ordered by namespace and name, or those of one namespace.
    pub fn by_name<'a>(&'a self, namespace: Option<&'a str>) -> impl Iterator<Item = (u32, &'a Arc<Row<T>>)> {
        self.names
            .iter()
            .filter(move |(ns, _)| namespace.is_none_or(|wanted| wanted == &***ns))
            .flat_map(|(_, names)| names.values())
            .filter_map(|&row| self.shared(row).map(|object| (row, object)))
    }

    /// The objects of [`Self::by_name`] that come after a namespace and name.
    pub fn after<'a>(
        &'a self,
        namespace: Option<&'a str>,
        after: (&'a str, &'a str),
    ) -> impl Iterator<Item = (u32, &'a Arc<Row<T>>)> {
        self.names
            .range::<str, _>((Bound::Included(after.0), Bound::Unbounded))
            .filter(move |(ns, _)| namespace.is_none_or(|wanted| wanted == &***ns))
            .flat_map(move |(ns, names)| {
                let from = if **ns == *after.0 {
                    Bound::Excluded(after.1)
                } else {
                    Bound::Unbounded
                };
                names.range::<str, _>((from, Bound::<&str>::Unbounded))
            })
            .filter_map(|(_, &row)| self.shared(row).map(|object| (row, object)))
    }

    /// Adds an object. The caller has made sure that the name is free.
    pub fn insert(&mut self, versions: &mut Versions, mut meta: Meta, body: T) -> u32 {
        let number = self.next_row();
        meta.version = versions.next();
        meta.uid = versions.uid();
        let names = self.names.entry(meta.namespace.clone()).or_default();
        names.insert(meta.name.clone(), number);
        let row = Arc::new(Row { meta, body });
        self.record(Change {
            version: row.meta.version,
            row: row.clone(),
            before: None,
            deleted: false,
        });
        self.rows.push(Some(row));
        self.live += 1;
        number
    }

    /// Changes an object and gives it a new version. Nothing happens when it no longer exists.
    pub fn update(&mut self, versions: &mut Versions, number: u32, change: impl FnOnce(&mut Row<T>)) {
        let Some(slot) = self.rows.get_mut(number as usize) else {
            return;
        };
        let Some(row) = slot else { return };
        let before = row.clone();
        let mut after = Row::clone(row);
        change(&mut after);
        after.meta.version = versions.next();
        let after = Arc::new(after);
        *row = after.clone();
        self.record(Change {
            version: after.meta.version,
            row: after,
            before: Some(before),
            deleted: false,
        });
    }

    /// Completes the last change of an object, without a version of its own.
    pub fn amend(&mut self, number: u32, change: impl FnOnce(&mut Row<T>)) {
        let Some(Some(row)) = self.rows.get_mut(number as usize) else {
            return;
        };
        let mut after = Row::clone(row);
        change(&mut after);
        let after = Arc::new(after);
        *row = after.clone();
        let version = after.meta.version;
        if let Some(last) = self.log.iter_mut().rev().find(|change| change.version <= version)
            && last.version == version
        {
            last.row = after;
        }
    }

    /// Removes an object.
    pub fn remove(&mut self, versions: &mut Versions, number: u32) -> Option<Arc<Row<T>>> {
        let before = self.rows.get_mut(number as usize)?.take()?;
        if let Some(names) = self.names.get_mut(&before.meta.namespace) {
            names.remove(&before.meta.name);
        }
        self.live -= 1;
        let mut last = Row::clone(&before);
        last.meta.version = versions.next();
        let last = Arc::new(last);
        self.record(Change {
            version: last.meta.version,
            row: last.clone(),
            before: Some(before),
            deleted: true,
        });
        Some(last)
    }

    fn record(&mut self, change: Change<T>) {
        if self.log.len() == LOG
            && let Some(oldest) = self.log.pop_front()
        {
            self.floor = oldest.version;
        }
        self.log.push_back(change);
    }

    /// The changes after a version.
    ///
    /// # Errors
    /// When some of them are forgotten.
    pub fn changes(&self, after: u64) -> Result<impl Iterator<Item = &Change<T>>, Expired> {
        if after < self.floor {
            return Err(Expired { oldest: self.floor });
        }
        let start = self.log.partition_point(|change| change.version <= after);
        Ok(self.log.range(start..))
    }
}
