//! Node objects: what users may write of them.

use serde_json::Value;

use super::{World, take_meta};
use crate::simulation::api::ApiError;
use crate::simulation::objects::parse;

impl World {
    /// A node's labels, taints and cordon.
    pub(super) fn update_node(&mut self, name: &str, object: &Value) -> Result<(), ApiError> {
        let (meta, taints, unschedulable) = parse::node(object)?;
        let Some(row) = self.store.nodes.find("", name) else {
            return Ok(());
        };
        let cordoned = self.store.nodes.get(row).is_some_and(|it| it.body.unschedulable);
        self.store.change_node(row, |it| {
            take_meta(&mut it.meta, &meta);
            it.body.taints = taints;
            it.body.unschedulable = unschedulable;
        });
        self.node_changed(row);
        if cordoned != unschedulable {
            self.cordon_changed(row);
        }
        self.room_appeared();
        if let Some(machine) = self.store.nodes.get(row).map(|node| node.body.machine) {
            self.node_volumes_changed(machine);
        }
        Ok(())
    }
}
