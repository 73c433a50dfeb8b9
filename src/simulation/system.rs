//! What a new cluster holds before anybody uses it.

use serde_json::{Value, json};

use super::api::ApiStore as _;
use super::event::Event;
use super::objects::parse::DEFAULT_CLASS;
use super::objects::resources::{DAEMON_SETS, DEPLOYMENTS, NAMESPACES, SERVICES, STORAGE_CLASSES};
use super::world::World;
use crate::model::profile::System;
use crate::model::time::Span;

impl World {
    pub(super) fn install(&mut self) {
        for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            self.put(
                NAMESPACES,
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
            );
        }
        let profile = self.profile.clone();
        if let Some(name) = &profile.nodes.control_plane {
            self.add_machine(Some(name), Span::ZERO);
        }
        for _ in 0..profile.nodes.count {
            self.add_machine(None, Span::ZERO);
        }
        self.group.desired = profile.nodes.count;
        if profile.deployments.iter().any(|it| it.name == "coredns") {
            self.put(
                SERVICES,
                json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": { "name": "kube-dns", "namespace": "kube-system", "labels": { "k8s-app": "kube-dns" } },
                    "spec": { "selector": { "k8s-app": "kube-dns" }, "ports": [{ "name": "dns", "port": 53, "protocol": "UDP" }] },
                }),
            );
            self.fabric.dns = self.fabric.service("kube-system", "kube-dns");
        }
        for it in &profile.daemon_sets {
            self.put(DAEMON_SETS, workload("DaemonSet", it));
        }
        for it in &profile.deployments {
            self.put(DEPLOYMENTS, workload("Deployment", it));
        }
        if let Some(storage) = &profile.storage {
            self.put(
                STORAGE_CLASSES,
                json!({
                    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                    "metadata": { "name": storage.class, "annotations": { DEFAULT_CLASS: "true" } },
                    "provisioner": storage.provisioner, "reclaimPolicy": "Delete",
                    "volumeBindingMode": "WaitForFirstConsumer",
                }),
            );
        }
        // The loops of controllers are not in step with each other nor with anything outside: each has its own phase.
        let controllers = &profile.controllers;
        for (period, event) in [
            (controllers.node_monitor_period, Event::NodeMonitor),
            (controllers.pod_gc_period, Event::PodGc),
            (profile.cloud.period, Event::CloudNodes),
        ] {
            let phase = self.chance.controllers.span(Span::ZERO, period.into());
            self.after(phase, event);
        }
        self.run_until(self.now);
        // What the cluster itself is made of is not the user's: nothing of it is reported as not modelled.
        self.not_modelled.clear();
    }

    fn put(&mut self, resource: &super::api::Served, object: Value) {
        let created = self.create(resource, object, false);
        debug_assert!(
            created.is_ok(),
            "the cluster's own {} is refused: {created:?}",
            resource.kind
        );
    }
}

/// A workload of the cluster itself as a manifest.
fn workload(kind: &str, it: &System) -> Value {
    let label = it.label.as_deref().unwrap_or(&it.name);
    let labels = json!({ "k8s-app": label, "app.kubernetes.io/name": label });
    let mut spec = json!({
        "containers": [{
            "name": it.name,
            "image": it.image,
            "resources": { "requests": { "cpu": format!("{}m", it.cpu_milli), "memory": format!("{}Mi", it.memory_mib) } },
        }],
    });
    if let Some(priority) = &it.priority {
        spec["priorityClassName"] = json!(priority);
    }
    if kind == "DaemonSet" {
        // The manifests of kube-proxy, the network plugins and the agents all tolerate everything.
        spec["tolerations"] = json!([{ "operator": "Exists" }]);
    } else if it.control_plane {
        spec["tolerations"] = json!([
            { "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" },
        ]);
    }
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "name": it.name, "namespace": "kube-system", "labels": labels },
        "spec": {
            "selector": { "matchLabels": { "k8s-app": label } },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    });
    if kind == "Deployment" {
        object["spec"]["replicas"] = json!(it.replicas);
    }
    object
}
