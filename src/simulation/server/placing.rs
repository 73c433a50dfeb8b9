//! What users change later of where pods may go: scheduling gates, and the extended resources of nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::simulation::objects::quantity;
use crate::simulation::objects::template::PodTemplate;
use crate::simulation::world::World;

impl World {
    /// Takes over a pod's fewer gates; without any the scheduler looks at it.
    pub(super) fn open_gates(&mut self, row: u32, template: &Arc<PodTemplate>) {
        let Some(pod) = self.store.pod(row) else { return };
        let before = &pod.body.template;
        if before.gates().is_empty() || before.spec == template.spec {
            return;
        }
        let template = template.clone();
        let open = template.gates().is_empty();
        self.store.change_pod(row, |pod| pod.body.template = template);
        if open {
            self.enqueue_pod(row);
        }
    }

    /// Takes over the extended resources in a node's written status
    /// (kubernetes.io docs, "Advertise Extended Resources for a Node"). The rest of the status is the kubelet's.
    pub(super) fn advertise(&mut self, name: &str, object: &Value) {
        let Some(row) = self.store.nodes.find("", name) else {
            return;
        };
        let mut scalars: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        // The kubelet copies new capacity into allocatable (pkg/kubelet/nodestatus/setters.go `MachineInfo`).
        for field in ["/status/capacity", "/status/allocatable"] {
            let written = object.pointer(field).and_then(Value::as_object);
            for (name, amount) in written.into_iter().flatten().filter(|(name, _)| is_extended(name)) {
                let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
                if let Ok(amount) = quantity::units(&amount) {
                    scalars.entry(name.as_str().into()).or_insert(amount);
                }
            }
        }
        let Some(node) = self.store.nodes.get(row) else { return };
        let own = node.body.scalars.iter().filter(|(name, _)| !is_extended(name));
        scalars.extend(own.map(|(name, &amount)| (name.clone(), amount)));
        if scalars == *node.body.scalars {
            return;
        }
        self.store
            .change_node(row, |node| node.body.scalars = Arc::new(scalars));
        self.node_changed(row);
        self.room_appeared();
    }
}

/// pkg/apis/core/helper/helpers.go `IsExtendedResourceName`: with a domain that is not kubernetes.io.
fn is_extended(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(domain, _)| !domain.ends_with("kubernetes.io"))
}
