//! Creates and updates of StatefulSets, claims, volumes, classes and autoscalers.

use serde_json::Value;

use super::take_meta;
use crate::simulation::api::{ApiError, Served};
use crate::simulation::objects::{parse, unmodelled};
use crate::simulation::world::World;

impl World {
    pub(super) fn insert_stateful(&mut self, resource: &Served, object: &Value) -> Result<(), ApiError> {
        match resource.own_plural() {
            "statefulsets" => {
                let (meta, body) = parse::stateful_set(object)?;
                let meta = self.stamped(meta);
                let row = self.store.stateful_sets.insert(&mut self.store.versions, meta, body);
                self.stateful_set_changed(row);
            }
            "horizontalpodautoscalers" => {
                let (meta, body) = parse::pod_autoscaler(object)?;
                let meta = self.stamped(meta);
                let row = self.store.pod_autoscalers.insert(&mut self.store.versions, meta, body);
                self.autoscaler_added(row);
            }
            "persistentvolumeclaims" => {
                let (meta, body) = parse::claim(object)?;
                let meta = self.stamped(meta);
                self.insert_claim(meta, body);
            }
            "persistentvolumes" => {
                let (meta, body) = parse::volume(object)?;
                let meta = self.stamped(meta);
                self.insert_volume(meta, body);
            }
            _ => {
                let (meta, body) = parse::storage_class(object)?;
                let meta = self.stamped(meta);
                self.store.storage_classes.insert(&mut self.store.versions, meta, body);
            }
        }
        Ok(())
    }

    pub(super) fn update_stateful(
        &mut self,
        resource: &Served,
        space: &str,
        name: &str,
        object: &Value,
    ) -> Result<(), ApiError> {
        let store = &mut self.store;
        match resource.own_plural() {
            "statefulsets" => {
                let (meta, mut body) = parse::stateful_set(object)?;
                let Some(row) = store.stateful_sets.find(space, name) else {
                    return Ok(());
                };
                let Some(old) = store.stateful_sets.get(row) else {
                    return Ok(());
                };
                parse::check_update_stateful_set(old, &body)?;
                let same = old.body.spec == body.spec;
                body.status = old.body.status.clone();
                self.not_modelled
                    .extend(unmodelled::unmodelled(&resource.kind, name, object));
                store.stateful_sets.update(&mut store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body = body;
                    it.meta.generation += u64::from(!same);
                });
                self.stateful_set_changed(row);
            }
            "horizontalpodautoscalers" => {
                let (meta, mut body) = parse::pod_autoscaler(object)?;
                let Some(row) = store.pod_autoscalers.find(space, name) else {
                    return Ok(());
                };
                store.pod_autoscalers.update(&mut store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.meta.generation += u64::from(it.body.spec != body.spec);
                    body.status = std::mem::take(&mut it.body.status);
                    it.body = body;
                });
            }
            "persistentvolumeclaims" => {
                let (meta, body) = parse::claim(object)?;
                let Some(row) = store.claims.find(space, name) else {
                    return Ok(());
                };
                if let Some(old) = store.claims.get(row) {
                    parse::check_update_claim(old, &body)?;
                }
                store.claims.update(&mut store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body.spec = body.spec;
                    it.body.size = body.size;
                    it.body.volume = it.body.volume.take().or(body.volume);
                    it.body.class = it.body.class.take().or(body.class);
                    it.body.selected = it.body.selected.take().or(body.selected);
                });
                self.claim_changed(row);
            }
            "persistentvolumes" => {
                let (meta, body) = parse::volume(object)?;
                let Some(row) = store.volumes.find("", name) else {
                    return Ok(());
                };
                store.volumes.update(&mut store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body.reclaim = body.reclaim;
                    it.body.spec = body.spec;
                });
                self.volume_changed(row);
            }
            _ => {
                let (meta, body) = parse::storage_class(object)?;
                let Some(row) = store.storage_classes.find("", name) else {
                    return Ok(());
                };
                store.storage_classes.update(&mut store.versions, row, |it| {
                    take_meta(&mut it.meta, &meta);
                    it.body = body;
                });
            }
        }
        Ok(())
    }
}
