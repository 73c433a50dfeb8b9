//! Who owns which field of an object, and server-side apply, as structured-merge-diff has them (`merge/update.go`).

mod managers;
mod merge;
mod set;
mod walk;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::types::{TYPES, Type};
use crate::simulation::api::Resource;
pub(super) use managers::{Managed, Manager, Managers};
pub(super) use set::Fields;
pub(super) use walk::Mismatch;
use walk::{compare, fields, present};

/// Who owns fields that were there before anybody applied anything (`skipnonapplied.go`).
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields that nobody owns (`pkg/util/managedfields/internal/stripmeta.go`).
const STRIPPED: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Why nothing is applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Others own fields that are to change: who (in words), and which.
    Conflicts(Vec<(String, String)>),
    /// The applied object is not of its type.
    Type(Vec<Mismatch>),
}

/// One write by one manager.
pub(super) struct Writer<'w> {
    /// The kind that is written.
    pub resource: &'w Resource,
    /// Who writes.
    pub manager: &'w str,
    /// `status` and the like; empty for the object itself.
    pub subresource: &'w str,
    /// The cluster's time, as it is written.
    pub time: &'w str,
}

impl Writer<'_> {
    fn root(&self) -> Type {
        let version = self.resource.api_version();
        TYPES.root(&version, &self.resource.kind, self.resource.custom)
    }

    fn identity(&self, applies: bool) -> Manager {
        Manager {
            applies,
            name: if self.manager.is_empty() {
                "unknown"
            } else {
                self.manager
            }
            .to_owned(),
            version: if applies {
                String::new()
            } else {
                self.resource.api_version()
            },
            subresource: self.subresource.to_owned(),
        }
    }

    /// What this write can own: through a subresource only that, else everything but the status
    /// (`GetResetFields` of the strategies in `pkg/registry`).
    fn filter(&self, set: &Fields) -> Fields {
        match self.subresource {
            "status" => set.only(&["f:status"]),
            "" if self.resource.status => set.without(&["f:status"]),
            _ => set.clone(),
        }
    }

    /// The managers after an ordinary write that made `after` of `before` (nothing, for a creation).
    pub(super) fn update(&self, before: Option<&Value>, after: &Value, mut managers: Managers) -> Managers {
        let root = self.root();
        let empty = json!({});
        let found = compare(&TYPES, &root, Some(before.unwrap_or(&empty)), Some(after));
        let changed = self.filter(&found.added.union(&found.modified));
        let removed = self.filter(&found.removed);
        for managed in managers.0.values_mut() {
            managed.fields = managed.fields.difference(&changed).difference(&removed);
        }
        managers.0.retain(|_, managed| !managed.fields.is_empty());
        let owned = changed.difference(&stripped());
        if !owned.is_empty() {
            let fields = match managers.0.get(&self.identity(false)) {
                Some(mine) => mine.fields.union(&owned),
                None => owned,
            };
            let managed = Managed {
                version: self.resource.api_version(),
                time: Some(self.time.to_owned()),
                fields,
            };
            managers.0.insert(self.identity(false), managed);
        }
        managers.cap();
        managers
    }

    /// What `applied` makes of `stored`, and the managers after it.
    ///
    /// # Errors
    /// When others own what would change (and it is not forced), or `applied` is not of its type.
    pub(super) fn apply(
        &self,
        stored: Option<&Value>,
        applied: &Value,
        mut managers: Managers,
        force: bool,
    ) -> Result<(Value, Managers), Refused> {
        let root = self.root();
        let empty = json!({});
        if managers.0.is_empty()
            && let Some(stored) = stored
        {
            let first = Writer {
                manager: BEFORE_FIRST_APPLY,
                subresource: "",
                ..*self
            };
            managers = first.update(None, stored, managers);
        }
        let live = stored.unwrap_or(&empty);
        let set = self.filter(&fields(&TYPES, &root, applied).map_err(Refused::Type)?);
        let mut merged = merge::merge(&TYPES, &root, Some(live), Some(applied)).unwrap_or_else(|| live.clone());
        let me = self.identity(true);
        let last = managers.0.get(&me).map(|managed| managed.fields.clone());
        let mine = Managed {
            version: self.resource.api_version(),
            time: Some(self.time.to_owned()),
            fields: set,
        };
        managers.0.insert(me.clone(), mine);
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            merged = prune(&root, merged, &managers, &last);
        }
        let found = compare(&TYPES, &root, Some(live), Some(&merged));
        let changed = self.filter(&found.added.union(&found.modified));
        let removed = self.filter(&found.removed);
        let mut conflicts = Vec::new();
        for (manager, managed) in managers.0.iter_mut().filter(|(manager, _)| **manager != me) {
            let taken = managed.fields.intersection(&changed);
            conflicts.extend(taken.paths().into_iter().map(|path| (manager.words(), path)));
            managed.fields = managed.fields.difference(&taken).difference(&removed);
        }
        if !force && !conflicts.is_empty() {
            return Err(Refused::Conflicts(conflicts));
        }
        if let Some(mine) = managers.0.get_mut(&me) {
            mine.fields = mine.fields.difference(&stripped());
        }
        managers.0.retain(|_, managed| !managed.fields.is_empty());
        Ok((merged, managers))
    }
}

/// Removes what the manager applied last time and not this time, and nobody else owns (`merge/update.go`: `prune`).
fn prune(root: &Type, merged: Value, managers: &Managers, last: &Fields) -> Value {
    let named = |set: &Fields| set.with_named(&TYPES, root);
    let gone = named(last);
    let empty = json!({});
    let pruned = merge::remove(&TYPES, root, &merged, &gone).unwrap_or_else(|| empty.clone());
    // What somebody owns comes back.
    let owned = managers
        .0
        .values()
        .fold(Fields::default(), |all, managed| all.union(&managed.fields));
    let whole = named(&present(&TYPES, root, &merged));
    let kept = named(&present(&TYPES, root, &pruned)).union(&named(&owned));
    let pruned = merge::remove(&TYPES, root, &merged, &whole.difference(&kept)).unwrap_or_else(|| empty.clone());
    // So does what the manager did not own last time.
    let kept = named(&present(&TYPES, root, &pruned));
    merge::remove(&TYPES, root, &merged, &whole.difference(&kept).intersection(&gone)).unwrap_or(merged)
}

fn stripped() -> Fields {
    let mut set = Fields::default();
    for root in ["f:apiVersion", "f:kind", "f:metadata"] {
        set.insert(&[root.to_owned()]);
    }
    for name in STRIPPED {
        set.insert(&["f:metadata".to_owned(), format!("f:{name}")]);
    }
    set
}
