//! The cloud node lifecycle loop: deletes the node objects of instances that are gone, once they are NotReady.
//!
//! Source: k8s.io/cloud-provider controllers/nodelifecycle/node_lifecycle_controller.go (`MonitorNodes`).

use super::super::event::Event;
use super::super::objects::node::Readiness;
use super::super::world::World;

impl World {
    pub(in crate::simulation) fn cloud_nodes(&mut self) {
        self.after(self.profile.cloud.period.into(), Event::CloudNodes);
        let gone: Vec<u32> = self
            .store
            .nodes
            .iter()
            .filter(|(_, node)| {
                node.body.ready != Readiness::True && !self.machines[node.body.machine.0 as usize].exists
            })
            .map(|(row, _)| row)
            .collect();
        for row in gone {
            self.delete_node(row, "cloud-controller");
        }
    }
}
