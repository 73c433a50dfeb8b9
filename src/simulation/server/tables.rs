//! What all tables have in common: metadata by resource and row.

use crate::simulation::api::{Resource, Served};
use crate::simulation::objects::meta::{Meta, Reference, uid_number, uid_text};
use crate::simulation::objects::resources;
use crate::simulation::world::World;

/// An object: the index of its resource, and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of its resource: see `Store::index`.
    pub resource: u16,
    /// Row in its table.
    pub row: u32,
}

impl Place {
    /// The place of a row of a resource that is built in.
    #[must_use]
    pub fn new(resource: &Resource, row: u32) -> Self {
        let resource = resources::index(resource).unwrap_or_default() as u16;
        Self { resource, row }
    }
}

impl World {
    /// The place of an object.
    pub(in crate::simulation) fn place(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Place> {
        let space = if resource.namespaced { namespace } else { "" };
        let row = with_table!(self.store, resource, table => table.find(space, name))?;
        Some(self.place_of(resource, row))
    }

    /// The place of a row.
    pub(in crate::simulation) fn place_of(&self, resource: &Resource, row: u32) -> Place {
        Place {
            resource: self.store.index(resource) as u16,
            row,
        }
    }

    /// The resource of a place.
    pub(in crate::simulation) fn served(&self, place: Place) -> Served {
        self.store.served(usize::from(place.resource))
    }

    /// An object's metadata, while it exists.
    pub(in crate::simulation) fn meta_at(&self, place: Place) -> Option<&Meta> {
        let resource = &self.served(place);
        with_table!(self.store, resource, table => table.get(place.row).map(|row| &row.meta))
    }

    /// Changes an object's metadata.
    pub(in crate::simulation) fn change_meta(&mut self, place: Place, change: impl FnOnce(&mut Meta)) {
        let resource = &self.served(place);
        with_table!([&mut] self.store, resource, table => {
            table.update(&mut self.store.versions, place.row, |row| change(&mut row.meta));
        });
    }

    /// The rows of a resource in a namespace, by name.
    pub(in crate::simulation) fn rows_in(&self, resource: &Resource, namespace: &str) -> Vec<u32> {
        with_table!(self.store, resource, table => table.by_name(Some(namespace)).map(|(row, _)| row).collect())
    }

    /// Whether the object that a reference names exists (`garbagecollector.go` `isDangling`: by kind, name and uid).
    pub(in crate::simulation) fn owner_exists(&self, namespace: &str, reference: &Reference) -> bool {
        let (group, version) = reference
            .api_version
            .split_once('/')
            .unwrap_or(("", &reference.api_version));
        // The owner of a kind that is not known here cannot be looked up: what it owns stays.
        let Some(resource) = resources::find(group, version, &reference.kind) else {
            return true;
        };
        self.place(resource, namespace, &reference.name)
            .and_then(|place| self.meta_at(place))
            .is_some_and(|meta| uid_number(&reference.uid) == Some(meta.uid))
    }
}

/// What a user may change of an object's metadata.
pub(super) fn take_meta(meta: &mut Meta, new: &Meta) {
    meta.labels = new.labels.clone();
    meta.annotations = new.annotations.clone();
    meta.finalizers.clone_from(&new.finalizers);
    // The controller's own reference stays whatever is written.
    let controller = meta.owner.as_ref().map(|owner| uid_text(owner.uid));
    let others = new.references.iter().flat_map(|all| &**all);
    let others: Vec<Reference> = others
        .filter(|reference| controller.as_deref() != Some(&*reference.uid))
        .cloned()
        .collect();
    meta.references = (!others.is_empty()).then(|| others.into());
}
