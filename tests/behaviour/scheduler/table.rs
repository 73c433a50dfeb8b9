//! Nodes and pods as Kubernetes writes them, before the scheduler alone.

use std::sync::Arc;

use serde_json::{Value, json};
use steadfast::k8s_openapi::api::core::v1 as core;
use steadfast::model::random::Stream;
use steadfast::simulation::api::{Labels, merge};
use steadfast::simulation::fabric::{MachineId, PodId};
use steadfast::simulation::objects::quantity::{self, Amount};
use steadfast::simulation::objects::template::{Effect, PodTemplate, Taint};
use steadfast::simulation::scheduler::{NodeInfo, PodInfo, Scheduler, Unschedulable};

/// The scheduler's nodes and pods.
pub(super) struct Table {
    pub scheduler: Scheduler,
    rng: Stream,
    nodes: Vec<String>,
    next: u32,
}

/// A node with these labels and its hostname.
pub(super) fn node(name: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({"kubernetes.io/hostname": name});
    for (key, value) in labels {
        all[*key] = json!(value);
    }
    json!({
        "metadata": {"name": name, "labels": all},
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "32"}},
    })
}

/// The same with more of it.
pub(super) fn with(mut object: Value, more: &Value) -> Value {
    merge(&mut object, more);
    object
}

/// A pod with these labels and fields of its specification.
pub(super) fn pod(labels: &[(&str, &str)], spec: Value) -> Value {
    let labels: Labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut object = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example/app:1"}]},
    });
    merge(&mut object, &json!({"spec": spec}));
    object
}

/// The containers of a pod that requests these amounts.
pub(super) fn requests(amounts: Value) -> Value {
    json!([{"name": "main", "image": "example/app:1", "resources": {"requests": amounts}}])
}

fn labels(object: &Value) -> Labels {
    serde_json::from_value(object["metadata"]["labels"].clone()).unwrap_or_default()
}

pub(super) fn template(pod: &Value) -> Arc<PodTemplate> {
    let spec: core::PodSpec = serde_json::from_value(pod["spec"].clone()).unwrap();
    Arc::new(PodTemplate::new(labels(pod), Labels::new(), &spec, pod["spec"].clone()).unwrap())
}

pub(super) fn namespace(pod: &Value) -> Arc<str> {
    pod["metadata"]["namespace"].as_str().unwrap_or("default").into()
}

fn info(machine: u32, node: &Value) -> NodeInfo {
    let allocatable = node["status"]["allocatable"].as_object().unwrap();
    let text = |name: &str| allocatable[name].as_str().unwrap();
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let further = allocatable
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory" | "pods"));
    NodeInfo {
        machine: MachineId(machine),
        name: node["metadata"]["name"].as_str().unwrap().into(),
        labels: Arc::new(labels(node)),
        taints: taints
            .map(|taint| Taint {
                key: taint["key"].as_str().unwrap().to_owned(),
                value: taint["value"].as_str().unwrap_or("").to_owned(),
                effect: Effect::parse(taint["effect"].as_str().unwrap()).unwrap(),
            })
            .collect(),
        unschedulable: node["spec"]["unschedulable"] == true,
        allocatable: Amount {
            cpu_milli: quantity::milli(text("cpu")).unwrap(),
            memory: quantity::units(text("memory")).unwrap(),
        },
        pods: text("pods").parse().unwrap(),
        scalars: Arc::new(
            further
                .map(|(name, amount)| (name.as_str().into(), quantity::units(amount.as_str().unwrap()).unwrap()))
                .collect(),
        ),
    }
}

impl Table {
    pub fn new(nodes: impl IntoIterator<Item = Value>) -> Self {
        let mut table = Self {
            scheduler: Scheduler::new(),
            rng: Stream::new(7, "scheduler"),
            nodes: Vec::new(),
            next: 0,
        };
        for node in nodes {
            table.scheduler.add_node(info(table.nodes.len() as u32, &node));
            table.nodes.push(node["metadata"]["name"].as_str().unwrap().to_owned());
        }
        table
    }

    fn machine(&self, node: &str) -> MachineId {
        MachineId(self.nodes.iter().position(|name| name == node).unwrap() as u32)
    }

    /// Puts a pod on a node, whether it fits or not.
    pub fn put(&mut self, pod: &Value, on: &str) -> PodId {
        let id = PodId(self.next);
        self.next += 1;
        self.scheduler.add_pod(&PodInfo {
            pod: id,
            namespace: namespace(pod),
            template: template(pod),
            machine: self.machine(on),
            started: None,
        });
        id
    }

    /// The nodes that a pod fits.
    pub fn fitting(&mut self, pod: &Value) -> Vec<String> {
        let (space, template) = (namespace(pod), template(pod));
        let scheduler = &mut self.scheduler;
        let fits = |(index, _): &(usize, &String)| scheduler.fits(&space, &template, MachineId(*index as u32));
        self.nodes
            .iter()
            .enumerate()
            .filter(fits)
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// Where a pod goes.
    pub fn place(&mut self, pod: &Value) -> Result<String, Unschedulable> {
        let id = PodId(1_000 + self.next);
        let placed = self
            .scheduler
            .place(id, &namespace(pod), &template(pod), &mut self.rng)?;
        Ok(self.nodes[placed.0 as usize].clone())
    }

    /// The nodes to which a pod goes in many tries: those that score best.
    pub fn best(&mut self, pod: &Value) -> Vec<String> {
        let mut all: Vec<String> = (0..40).map(|_| self.place(pod).unwrap()).collect();
        all.sort();
        all.dedup();
        all
    }

    pub fn name(&self, machine: MachineId) -> &str {
        &self.nodes[machine.0 as usize]
    }
}
