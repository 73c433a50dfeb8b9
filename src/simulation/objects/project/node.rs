//! Nodes and leases.

use serde_json::{Value, json};

use super::{Object, date, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::meta::{Meta, uid_text};
use crate::simulation::objects::node::{Lease, Node, Readiness};
use crate::simulation::objects::resources::{LEASES, NODES};
use crate::simulation::objects::table::Row;

/// The kubelet version that nodes report: that of the API types in use.
const KUBELET: &str = "v1.37.0";
/// A kubelet's port. Source: pkg/cluster/ports/ports.go `KubeletPort`.
const KUBELET_PORT: u16 = 10_250;
/// What the node lifecycle controller writes when a kubelet has fallen silent.
/// Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
const SILENT: (&str, &str) = ("NodeStatusUnknown", "Kubelet stopped posting node status.");

/// The conditions beside `Ready`, with what a healthy kubelet says. Source: pkg/kubelet/nodestatus/setters.go.
const PRESSURES: [(&str, &str, &str); 3] = [
    (
        "MemoryPressure",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    (
        "DiskPressure",
        "KubeletHasNoDiskPressure",
        "kubelet has no disk pressure",
    ),
    (
        "PIDPressure",
        "KubeletHasSufficientPID",
        "kubelet has sufficient PID available",
    ),
];

impl Project for Row<Node> {
    fn project(&self) -> Value {
        let mut all = metadata::object(NODES, &self.meta);
        put(&mut all, "spec", spec(&self.body));
        put(&mut all, "status", status(&self.meta, &self.body));
        all.into()
    }
}

fn spec(node: &Node) -> Object {
    let mut all = Object::new();
    put(&mut all, "podCIDR", &*node.pod_cidr);
    put(&mut all, "podCIDRs", json!([&*node.pod_cidr]));
    put(&mut all, "providerID", &*node.provider_id);
    if node.unschedulable {
        put(&mut all, "unschedulable", true);
    }
    if !node.taints.is_empty() {
        let taints: Vec<Value> = node
            .taints
            .iter()
            .map(|taint| {
                let mut all = json!({"key": taint.key, "effect": taint.effect.name()});
                if !taint.value.is_empty() {
                    all["value"] = taint.value.as_str().into();
                }
                all
            })
            .collect();
        put(&mut all, "taints", taints);
    }
    all
}

fn status(meta: &Meta, node: &Node) -> Object {
    let mut all = Object::new();
    let mut amounts = json!({
        "cpu": cpu(node.allocatable.cpu_milli),
        "memory": memory(node.allocatable.memory),
        "pods": node.pods.to_string(),
    });
    for (name, &amount) in &*node.scalars {
        let text = if is_bytes(name) {
            memory(amount)
        } else {
            amount.to_string()
        };
        amounts[&**name] = text.into();
    }
    put(&mut all, "capacity", amounts.clone());
    put(&mut all, "allocatable", amounts);
    put(
        &mut all,
        "addresses",
        json!([
            {"type": "InternalIP", "address": node.address.to_string()},
            {"type": "Hostname", "address": &*meta.name},
        ]),
    );
    put(&mut all, "conditions", conditions(meta, node));
    put(
        &mut all,
        "daemonEndpoints",
        json!({"kubeletEndpoint": {"Port": KUBELET_PORT}}),
    );
    let uid = uid_text(meta.uid);
    let label = |name: &str, default: &str| meta.labels.get(name).map_or(default, String::as_str).to_owned();
    put(
        &mut all,
        "nodeInfo",
        json!({
            "architecture": label("kubernetes.io/arch", "amd64"),
            "bootID": uid,
            "containerRuntimeVersion": "containerd://2.1.0",
            "kernelVersion": "6.12.0",
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET,
            "machineID": uid.replace('-', ""),
            "operatingSystem": label("kubernetes.io/os", "linux"),
            "osImage": "steadfast simulation",
            "systemUUID": uid,
        }),
    );
    all
}

fn conditions(meta: &Meta, node: &Node) -> Vec<Value> {
    let silent = node.ready == Readiness::Unknown;
    let condition = |kind: &str, status: &str, since, (reason, message): (&str, &str)| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": date::seconds(since),
            "lastTransitionTime": date::seconds(since),
        })
    };
    let mut all: Vec<Value> = PRESSURES
        .iter()
        .map(|&(kind, reason, message)| {
            if silent {
                condition(kind, "Unknown", node.since, SILENT)
            } else {
                condition(kind, "False", meta.created, (reason, message))
            }
        })
        .collect();
    let why = match node.ready {
        Readiness::True => ("KubeletReady", "kubelet is posting ready status"),
        Readiness::False => (
            "KubeletNotReady",
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin \
             returns error: cni plugin not initialized",
        ),
        Readiness::Unknown => SILENT,
    };
    all.push(condition("Ready", node.ready.name(), node.since, why));
    all
}

/// The shortest form, as Kubernetes writes quantities: whole cores without a suffix.
fn cpu(milli: u64) -> String {
    if milli.is_multiple_of(1_000) {
        (milli / 1_000).to_string()
    } else {
        format!("{milli}m")
    }
}

/// Whether a resource is counted in bytes (pkg/apis/core/helper/helpers.go `IsHugePageResourceName` and storage).
fn is_bytes(name: &str) -> bool {
    name == "ephemeral-storage" || name.starts_with("hugepages-")
}

/// In the largest binary unit that divides it.
fn memory(bytes: u64) -> String {
    let units = [(30, "Gi"), (20, "Mi"), (10, "Ki")];
    match units
        .iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift))
    {
        Some((shift, suffix)) => format!("{}{suffix}", bytes >> shift),
        None => bytes.to_string(),
    }
}

impl Project for Row<Lease> {
    fn project(&self) -> Value {
        let mut all = metadata::object(LEASES, &self.meta);
        let mut spec = Object::new();
        if !self.body.holder.is_empty() {
            put(&mut spec, "holderIdentity", &*self.body.holder);
        }
        put(&mut spec, "leaseDurationSeconds", self.body.seconds);
        put(&mut spec, "acquireTime", date::micros(self.meta.created));
        put(&mut spec, "renewTime", date::micros(self.body.renewed));
        put(&mut all, "spec", spec);
        all.into()
    }
}
