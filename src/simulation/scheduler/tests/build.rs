//! Nodes and pods in few words.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

use super::super::{NodeInfo, PodInfo, Scheduler, Unschedulable};
use crate::model::random::Stream;
use crate::simulation::api::Labels;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::template::{Effect, PodTemplate, Taint};

pub(super) const GIB: u64 = 1 << 30;

pub(super) fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn taint(key: &str, effect: Effect) -> Taint {
    Taint {
        key: key.to_owned(),
        value: String::new(),
        effect,
    }
}

/// Node `n` with a hostname, two cores and 2 GiB for eleven pods.
pub(super) fn node(n: u32) -> NodeInfo {
    let name = format!("n{n}");
    NodeInfo {
        machine: MachineId(n),
        name: name.as_str().into(),
        labels: Arc::new(labels(&[("kubernetes.io/hostname", &name)])),
        taints: Vec::new(),
        unschedulable: false,
        allocatable: Amount {
            cpu_milli: 2_000,
            memory: 2 * GIB,
        },
        pods: 11,
        scalars: Arc::default(),
    }
}

impl NodeInfo {
    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        Arc::make_mut(&mut self.labels).insert(key.to_owned(), value.to_owned());
        self
    }

    pub(super) fn zone(self, zone: &str) -> Self {
        self.label("topology.kubernetes.io/zone", zone)
    }

    pub(super) fn taint(mut self, key: &str, effect: Effect) -> Self {
        self.taints.push(taint(key, effect));
        self
    }

    pub(super) fn room_for(mut self, pods: u32) -> Self {
        self.pods = pods;
        self
    }
}

/// A template with one label `name` and these further fields of its spec.
pub(super) fn pod(name: &str, fields: Value) -> Arc<PodTemplate> {
    pod_with(&[("name", name)], fields)
}

pub(super) fn pod_with(own: &[(&str, &str)], fields: Value) -> Arc<PodTemplate> {
    let mut spec = json!({"containers": [{"name": "main", "image": "image:1"}]});
    if let (Some(spec), Value::Object(fields)) = (spec.as_object_mut(), fields) {
        spec.extend(fields);
    }
    let typed: core::PodSpec = serde_json::from_value(spec.clone()).expect("a pod spec");
    Arc::new(PodTemplate::new(labels(own), Labels::new(), &typed, spec).expect("a template"))
}

/// The containers of a pod with these requests.
pub(super) fn requests(cpu: &str, memory: &str) -> Value {
    json!([{"name": "main", "image": "image:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}])
}

/// A required or preferred term: pods whose `name` is one of these.
pub(super) fn names(names: &[&str], topology: &str) -> Value {
    json!({
        "labelSelector": {"matchExpressions": [{"key": "name", "operator": "In", "values": names}]},
        "topologyKey": topology,
    })
}

/// Required anti-affinity per host against these names, as the workshop's shop has it.
pub(super) fn apart(from: &[&str]) -> Value {
    json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [names(from, "kubernetes.io/hostname")]}})
}

#[derive(Clone)]
/// A scheduler with its stream and the next pod's number.
pub(super) struct Bench {
    pub(super) scheduler: Scheduler,
    pub(super) rng: Stream,
    next: u32,
}

impl Bench {
    pub(super) fn new(nodes: impl IntoIterator<Item = NodeInfo>) -> Self {
        let mut scheduler = Scheduler::new();
        for node in nodes {
            scheduler.add_node(node);
        }
        Self {
            scheduler,
            rng: Stream::new(1, "scheduler"),
            next: 0,
        }
    }

    /// Books a pod on a node, whether it fits or not.
    pub(super) fn put(&mut self, template: &Arc<PodTemplate>, on: u32) -> PodId {
        self.put_in("default", template, on)
    }

    pub(super) fn put_in(&mut self, namespace: &str, template: &Arc<PodTemplate>, on: u32) -> PodId {
        let pod = PodId(self.next);
        self.next += 1;
        self.scheduler.add_pod(&PodInfo {
            pod,
            namespace: namespace.into(),
            template: Arc::clone(template),
            machine: MachineId(on),
            started: None,
        });
        pod
    }

    /// Where a pod would go.
    pub(super) fn find(&mut self, template: &Arc<PodTemplate>) -> Result<u32, Unschedulable> {
        self.find_in("default", template)
    }

    pub(super) fn find_in(&mut self, namespace: &str, template: &Arc<PodTemplate>) -> Result<u32, Unschedulable> {
        let pod = PodId(self.next);
        self.scheduler
            .place(pod, &namespace.into(), template, &mut self.rng)
            .map(|machine| machine.0)
    }

    /// Places a pod and books it there.
    pub(super) fn run(&mut self, template: &Arc<PodTemplate>) -> Result<u32, Unschedulable> {
        let on = self.find(template)?;
        self.put(template, on);
        Ok(on)
    }

    /// The message with which a pod is refused.
    pub(super) fn refusal(&mut self, template: &Arc<PodTemplate>) -> String {
        self.find(template).expect_err("no node fits").message
    }

    /// The nodes that a pod fits, by number.
    pub(super) fn fitting(&mut self, template: &Arc<PodTemplate>) -> Vec<u32> {
        (0..100)
            .filter(|&n| self.scheduler.fits(&"default".into(), template, MachineId(n)))
            .collect()
    }
}
