//! The auto scaling group: keeps the wanted number of instances.

use super::super::event::Event;
use super::super::fabric::Power;
use super::super::world::{World, draw};
use crate::model::history::What;

/// The group's state.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The wanted number of instances.
    pub desired: u32,
}

impl World {
    /// Instances that the cloud has or is starting.
    pub(in crate::simulation) fn instances(&self) -> u32 {
        self.machines
            .iter()
            .filter(|machine| machine.exists && !machine.control_plane)
            .count() as u32
    }

    /// Instances that have not registered a node yet.
    pub(in crate::simulation) fn booting(&self) -> usize {
        self.fabric
            .machines
            .iter()
            .filter(|&&power| power == Power::Booting)
            .count()
    }

    /// An instance ended without the group's doing.
    pub(in crate::simulation) fn instance_ended(&mut self) {
        if let Some(group) = self.profile.scaling_group {
            let delay = draw(&mut self.chance.cloud, group.replace);
            self.after(delay, Event::Replace);
        }
    }

    pub(in crate::simulation) fn replace_instance(&mut self) {
        self.start_instance("auto-scaling-group");
    }

    pub(in crate::simulation) fn launch(&mut self) {
        self.start_instance("cluster-autoscaler");
    }

    fn start_instance(&mut self, by: &str) {
        let Some(group) = self.profile.scaling_group else {
            return;
        };
        if self.instances() >= self.group.desired {
            return;
        }
        let boot = draw(&mut self.chance.cloud, group.boot);
        let machine = self.add_machine(None, boot);
        let name = self.machines[machine.0 as usize].name.to_string();
        self.note(What::MachineStarted {
            machine: name,
            by: by.to_owned(),
        });
    }
}
