//! Pods that a scheduler of the user's binds.

use crate::simulation::api::ApiError;
use crate::simulation::world::World;

impl World {
    /// Binds a pod to a node (`pkg/registry/core/pod/storage/storage.go`: `setPodNodeAndMetadata`).
    pub(super) fn bind_pod(&mut self, namespace: &str, pod: &str, node: &str, dry_run: bool) -> Result<(), ApiError> {
        let missing = |plural: &str, name: &str| ApiError::NotFound {
            plural: plural.to_owned(),
            name: name.to_owned(),
        };
        let conflict = |why: String| {
            Err(ApiError::Conflict {
                plural: "pods/binding".to_owned(),
                name: pod.to_owned(),
                why,
            })
        };
        let number = self.store.pods.find(namespace, pod);
        let row = number.and_then(|number| Some((number, self.store.pod(number)?)));
        let Some((number, row)) = row else {
            return Err(missing("pods", pod));
        };
        if row.meta.deletion.is_some() {
            return conflict(format!("pod {pod} is being deleted, cannot be assigned to a host"));
        }
        if let Some(known) = &row.body.node_name {
            return conflict(format!("pod {pod} is already assigned to node \"{known}\""));
        }
        // A real API server takes any name, and the pod waits for such a node; here only machines can be meant.
        let found = self
            .store
            .nodes
            .find("", node)
            .and_then(|row| self.store.nodes.get(row));
        let Some(machine) = found.map(|row| row.body.machine) else {
            return Err(missing("nodes", node));
        };
        if !dry_run {
            self.bind(number, machine);
        }
        Ok(())
    }
}
