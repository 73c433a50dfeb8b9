//! Updates of Deployments, ReplicaSets and DaemonSets.

use serde_json::Value;

use super::take_meta;
use crate::simulation::api::ApiError;
use crate::simulation::objects::workload::{DaemonSet, Deployment};
use crate::simulation::objects::{parse, unmodelled};
use crate::simulation::world::World;

impl World {
    pub(super) fn update_deployment(&mut self, space: &str, name: &str, object: &Value) -> Result<(), ApiError> {
        let (meta, body) = parse::deployment(object)?;
        let Some(row) = self.store.deployments.find(space, name) else {
            return Ok(());
        };
        let Some(old) = self.store.deployments.get(row) else {
            return Ok(());
        };
        parse::check_update_deployment(old, &body)?;
        let same = old.body.spec == body.spec;
        self.not_modelled
            .extend(unmodelled::unmodelled("Deployment", name, object));
        self.store.deployments.update(&mut self.store.versions, row, |it| {
            take_meta(&mut it.meta, &meta);
            it.body = Deployment {
                status: it.body.status,
                progress: it.body.progress.take(),
                failure: it.body.failure.take(),
                ..body
            };
            it.meta.generation += u64::from(!same);
        });
        self.deployment_changed(row);
        Ok(())
    }

    pub(super) fn update_replica_set(&mut self, space: &str, name: &str, object: &Value) -> Result<(), ApiError> {
        let (meta, body) = parse::replica_set(object)?;
        let Some(row) = self.store.replica_sets.find(space, name) else {
            return Ok(());
        };
        let Some(old) = self.store.replica_sets.get(row) else {
            return Ok(());
        };
        parse::check_update_replica_set(old, &body)?;
        self.store.replica_sets.update(&mut self.store.versions, row, |it| {
            take_meta(&mut it.meta, &meta);
            // The template of a Deployment's own is the Deployment's business.
            let written = it.body.spec.is_some() && it.body.spec != body.spec;
            let changed = written || it.body.replicas != body.replicas || it.body.min_ready != body.min_ready;
            it.body.replicas = body.replicas;
            it.body.min_ready = body.min_ready;
            if written {
                it.body.template = body.template;
                it.body.spec = body.spec;
            }
            it.meta.generation += u64::from(changed);
        });
        self.replica_set_changed(row);
        Ok(())
    }

    pub(super) fn update_daemon_set(&mut self, space: &str, name: &str, object: &Value) -> Result<(), ApiError> {
        let (meta, body) = parse::daemon_set(object)?;
        let Some(row) = self.store.daemon_sets.find(space, name) else {
            return Ok(());
        };
        let Some(old) = self.store.daemon_sets.get(row) else {
            return Ok(());
        };
        parse::check_update_daemon_set(old, &body)?;
        self.not_modelled
            .extend(unmodelled::unmodelled("DaemonSet", name, object));
        self.store.daemon_sets.update(&mut self.store.versions, row, |it| {
            take_meta(&mut it.meta, &meta);
            it.meta.generation += u64::from(it.body.spec != body.spec);
            it.body = DaemonSet {
                status: it.body.status,
                ..body
            };
        });
        self.daemon_sets_changed();
        Ok(())
    }
}
