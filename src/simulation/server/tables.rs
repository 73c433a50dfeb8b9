//! What all tables have in common: metadata by resource and row.

use crate::simulation::api::{Resource, Served};
use crate::simulation::objects::meta::{Meta, Reference, uid_number};
use crate::simulation::objects::resources::{self, FIRST_STORED, RESOURCES};
use crate::simulation::world::World;

/// An object: the index of its resource, and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index into [`RESOURCES`].
    pub resource: u16,
    /// Row in its table.
    pub row: u32,
}

impl Place {
    /// The place of a row.
    #[must_use]
    pub fn new(resource: &Served, row: u32) -> Self {
        let resource = resources::index(resource).unwrap_or(FIRST_STORED) as u16;
        Self { resource, row }
    }

    /// Its resource.
    #[must_use]
    pub fn resource(self) -> &'static Served {
        &RESOURCES[usize::from(self.resource)]
    }
}

/// `Deployment.apps`: a kind as error messages write it.
pub(super) fn full_kind(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.kind.to_string()
    } else {
        format!("{}.{}", resource.kind, resource.group)
    }
}

impl World {
    /// The place of an object.
    pub(in crate::simulation) fn place(&self, resource: &Served, namespace: &str, name: &str) -> Option<Place> {
        let space = if resource.namespaced { namespace } else { "" };
        let row = with_table!(self.store, resource, table => table.find(space, name))?;
        Some(Place::new(resource, row))
    }

    /// An object's metadata, while it exists.
    pub(in crate::simulation) fn meta_at(&self, place: Place) -> Option<&Meta> {
        let resource = place.resource();
        with_table!(self.store, resource, table => table.get(place.row).map(|row| &row.meta))
    }

    /// Changes an object's metadata.
    pub(in crate::simulation) fn change_meta(&mut self, place: Place, change: impl FnOnce(&mut Meta)) {
        let resource = place.resource();
        with_table!([&mut] self.store, resource, table => {
            table.update(&mut self.store.versions, place.row, |row| change(&mut row.meta));
        });
    }

    /// The rows of a resource in a namespace, by name.
    pub(in crate::simulation) fn rows_in(&self, resource: &Served, namespace: &str) -> Vec<u32> {
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
