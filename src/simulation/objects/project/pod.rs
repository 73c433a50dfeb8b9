//! Pods.

mod spec;
mod status;

use serde_json::Value;

use super::{metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::pod::Pod;
use crate::simulation::objects::resources::PODS;
use crate::simulation::objects::table::Row;

impl Project for Row<Pod> {
    fn project(&self) -> Value {
        let mut all = metadata::object(PODS, &self.meta);
        let spec = spec::spec(&self.body);
        let status = status::status(&self.meta, &self.body, &spec);
        put(&mut all, "spec", spec);
        put(&mut all, "status", status);
        all.into()
    }
}
