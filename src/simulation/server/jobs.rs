//! Jobs, as the API server takes them.

use serde_json::Value;

use super::tables::take_meta;
use crate::simulation::api::ApiError;
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::{parse, unmodelled};
use crate::simulation::world::World;

impl World {
    pub(super) fn insert_job(&mut self, object: &Value) -> Result<(), ApiError> {
        let (meta, mut body) = parse::job(object)?;
        let meta = self.stamped(meta);
        parse::identify_job(&meta.name, &uid_text(self.store.versions.next_uid()), &mut body);
        let row = self.store.jobs.insert(&mut self.store.versions, meta, body);
        self.job_changed(row);
        Ok(())
    }

    pub(super) fn update_job(&mut self, namespace: &str, name: &str, object: &Value) -> Result<(), ApiError> {
        let (meta, mut body) = parse::job(object)?;
        let Some(row) = self.store.jobs.find(namespace, name) else {
            return Ok(());
        };
        let Some(old) = self.store.jobs.get(row) else {
            return Ok(());
        };
        parse::identify_job(name, &uid_text(old.meta.uid), &mut body);
        parse::check_update_job(old, &body)?;
        let same = old.body.spec == body.spec;
        self.not_modelled.extend(unmodelled::unmodelled("Job", name, object));
        self.store.jobs.update(&mut self.store.versions, row, |it| {
            take_meta(&mut it.meta, &meta);
            body.status = std::mem::take(&mut it.body.status);
            it.body = body;
            it.meta.generation += u64::from(!same);
        });
        self.job_changed(row);
        Ok(())
    }
}
