//! What is projected reads as the typed object without a field too many, and says what the compact one says.

mod pods;
mod workloads;

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease as TypedLease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice as TypedSlice;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::model::time::{Span, Time};
use crate::simulation::api::{Labels, Project};
use crate::simulation::fabric::{MachineId, PodId, ServiceId};
use crate::simulation::objects::meta::{Deletion, Meta, Owner, uid_text};
use crate::simulation::objects::node::{Lease, Node, Readiness};
use crate::simulation::objects::parse;
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::resources::{self, CONFIG_MAPS};
use crate::simulation::objects::service::{Endpoint, EndpointSlice};
use crate::simulation::objects::store::Namespace;
use crate::simulation::objects::stored::Event;
use crate::simulation::objects::table::Row;
use crate::simulation::objects::template::{Effect, Taint};

const fn at(second: u64) -> Time {
    Time(second * 1_000_000)
}

fn labels(all: &[(&str, &str)]) -> Arc<Labels> {
    Arc::new(
        all.iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    )
}

/// Metadata with everything in it.
fn meta(name: &str) -> Meta {
    Meta {
        name: name.into(),
        namespace: "shop".into(),
        uid: 7,
        version: 42,
        generation: 3,
        created: at(5),
        labels: labels(&[("name", "carts")]),
        annotations: labels(&[("note", "x")]),
        owner: Some(Owner {
            api_version: "apps/v1",
            kind: "ReplicaSet",
            name: "carts-1".into(),
            uid: 6,
            row: 0,
        }),
        managed: None,
        deletion: Some(Deletion {
            at: at(60),
            grace: Span::secs(30),
        }),
        generate_name: Some("carts-".into()),
        finalizers: vec!["a/b".into()],
        references: None,
    }
}

/// The typed object, which must have every field of the projection.
fn typed<T: DeserializeOwned + Serialize>(row: &impl Project) -> T {
    let projected = row.project();
    let typed: T = serde_json::from_value(projected.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), projected);
    typed
}

#[test]
fn metadata_is_complete() {
    let projected = Row {
        meta: meta("carts-1-a"),
        body: pods::body(),
    }
    .project();
    assert_eq!(projected["apiVersion"], "v1");
    assert_eq!(projected["kind"], "Pod");
    assert_eq!(
        projected["metadata"],
        json!({
            "name": "carts-1-a",
            "generateName": "carts-",
            "namespace": "shop",
            "uid": uid_text(7),
            "resourceVersion": "42",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:05Z",
            "deletionTimestamp": "2026-01-01T00:01:30Z",
            "deletionGracePeriodSeconds": 30,
            "labels": {"name": "carts"},
            "annotations": {"note": "x"},
            "finalizers": ["a/b"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "carts-1", "uid": uid_text(6),
                "controller": true, "blockOwnerDeletion": true,
            }],
        })
    );
}

fn node(ready: Readiness) -> Row<Node> {
    let mut meta = Meta {
        name: "node-1".into(),
        uid: 9,
        version: 3,
        ..Meta::default()
    };
    meta.labels = labels(&[("kubernetes.io/arch", "arm64")]);
    let body = Node {
        machine: MachineId(0),
        provider_id: "aws:///eu-central-1a/i-1".into(),
        unschedulable: true,
        taints: vec![Taint {
            key: "node.kubernetes.io/unreachable".into(),
            value: String::new(),
            effect: Effect::NoExecute,
        }],
        allocatable: Amount {
            cpu_milli: 1_930,
            memory: 1_536 << 20,
        },
        pods: 11,
        scalars: Arc::default(),
        ready,
        since: at(90),
        address: [10, 0, 0, 1].into(),
        pod_cidr: "10.244.1.0/24".into(),
    };
    Row { meta, body }
}

#[test]
fn a_node_says_who_reports_its_conditions() {
    let typed: core::Node = typed(&node(Readiness::True));
    let (spec, status) = (typed.spec.unwrap(), typed.status.unwrap());
    assert_eq!(typed.metadata.generation, None);
    assert_eq!(typed.metadata.namespace, None);
    assert_eq!(spec.unschedulable, Some(true));
    assert_eq!(spec.provider_id.as_deref(), Some("aws:///eu-central-1a/i-1"));
    assert_eq!(spec.pod_cidr.as_deref(), Some("10.244.1.0/24"));
    let taints = spec.taints.unwrap();
    assert_eq!(
        (taints[0].key.as_str(), taints[0].effect.as_str()),
        ("node.kubernetes.io/unreachable", "NoExecute")
    );
    assert_eq!(
        json!(status.allocatable),
        json!({"cpu": "1930m", "memory": "1536Mi", "pods": "11"})
    );
    assert_eq!(status.capacity, status.allocatable);
    assert_eq!(
        json!(status.addresses.unwrap()[0]),
        json!({"type": "InternalIP", "address": "10.0.0.1"})
    );
    assert_eq!(status.node_info.unwrap().architecture, "arm64");
    let lines = |ready| {
        let projected = node(ready).project();
        let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
        let conditions = projected["status"]["conditions"].as_array().unwrap().clone();
        conditions
            .iter()
            .map(|one| {
                ["type", "status", "reason", "lastTransitionTime"]
                    .map(|field| text(one, field))
                    .join(" ")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines(Readiness::True),
        [
            "MemoryPressure False KubeletHasSufficientMemory 2026-01-01T00:00:00Z",
            "DiskPressure False KubeletHasNoDiskPressure 2026-01-01T00:00:00Z",
            "PIDPressure False KubeletHasSufficientPID 2026-01-01T00:00:00Z",
            "Ready True KubeletReady 2026-01-01T00:01:30Z",
        ]
    );
    assert_eq!(
        lines(Readiness::False)[3],
        "Ready False KubeletNotReady 2026-01-01T00:01:30Z"
    );
    for (line, kind) in lines(Readiness::Unknown)
        .iter()
        .zip(["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"])
    {
        assert_eq!(*line, format!("{kind} Unknown NodeStatusUnknown 2026-01-01T00:01:30Z"));
    }
}

#[test]
fn a_lease_has_times_of_microseconds() {
    let body = Lease {
        holder: "node-1".into(),
        seconds: 40,
        renewed: Time(1_500_000),
    };
    let row = Row {
        meta: meta("node-1"),
        body,
    };
    let spec = typed::<TypedLease>(&row).spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("node-1"));
    assert_eq!(spec.lease_duration_seconds, Some(40));
    assert_eq!(row.project()["spec"]["renewTime"], "2026-01-01T00:00:01.500000Z");
    let (_, again) = parse::lease(&row.project()).unwrap();
    assert_eq!(
        (again.holder, again.seconds, again.renewed),
        (row.body.holder, 40, row.body.renewed)
    );
}

#[test]
fn an_endpoint_slice_points_at_its_pods() {
    let endpoint = Endpoint {
        pod: PodId(1),
        name: "carts-1".into(),
        address: [10, 244, 1, 2].into(),
        node: MachineId(0),
        node_name: "node-1".into(),
        zone: "a".into(),
        uid: 11,
        ready: false,
        serving: true,
        terminating: true,
    };
    let body = EndpointSlice {
        service: "carts".into(),
        ports: Arc::new(json!([{"name": "", "port": 80, "protocol": "TCP"}])),
        endpoints: vec![
            endpoint.clone(),
            Endpoint {
                zone: "".into(),
                ..endpoint
            },
        ],
    };
    let typed: TypedSlice = typed(&Row {
        meta: meta("carts-abc"),
        body,
    });
    assert_eq!(typed.address_type, "IPv4");
    assert_eq!(typed.ports.unwrap()[0].port, Some(80));
    let endpoints = typed.endpoints.unwrap();
    let first = &endpoints[0];
    assert_eq!(first.addresses, ["10.244.1.2"]);
    assert_eq!(
        json!(first.conditions),
        json!({"ready": false, "serving": true, "terminating": true})
    );
    assert_eq!(
        (first.node_name.as_deref(), first.zone.as_deref()),
        (Some("node-1"), Some("a"))
    );
    let target = json!({"kind": "Pod", "namespace": "shop", "name": "carts-1", "uid": uid_text(11)});
    assert_eq!(json!(first.target_ref), target);
    assert_eq!(endpoints[1].zone, None);
}

#[test]
fn a_service_shows_what_it_was_given() {
    let written = json!({"metadata": {"name": "carts"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let (_, mut body) = parse::service(&written).unwrap();
    let mut spec = Value::clone(&body.spec);
    spec["clusterIP"] = json!("10.96.0.10");
    (body.spec, body.id) = (Arc::new(spec), ServiceId(0));
    let spec = typed::<core::Service>(&Row {
        meta: meta("carts"),
        body,
    })
    .spec
    .unwrap();
    assert_eq!(spec.cluster_ip.as_deref(), Some("10.96.0.10"));
    assert_eq!(spec.ports.unwrap()[0].port, 80);
    assert_eq!(spec.selector.unwrap()["a"], "b");
}

#[test]
fn an_event_says_what_happened_to_what() {
    let body = Event {
        kind: "Deployment",
        namespace: "shop".into(),
        name: "carts".into(),
        uid: 8,
        warning: true,
        reason: "FailedScheduling",
        message: "0/3 nodes are available".into(),
        component: "default-scheduler",
        count: 4,
        first: at(1),
        last: at(2),
    };
    let typed: core::Event = typed(&Row {
        meta: meta("carts.1"),
        body,
    });
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "carts", "uid": uid_text(8)});
    assert_eq!(json!(typed.involved_object), object);
    assert_eq!(
        (typed.type_.as_deref(), typed.reason.as_deref()),
        (Some("Warning"), Some("FailedScheduling"))
    );
    assert_eq!(
        (typed.count, typed.message.as_deref()),
        (Some(4), Some("0/3 nodes are available"))
    );
    assert_eq!(typed.source.unwrap().component.as_deref(), Some("default-scheduler"));
    assert_eq!(typed.reporting_component.as_deref(), Some("default-scheduler"));
    assert_eq!(
        json!([typed.first_timestamp, typed.last_timestamp]),
        json!(["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"])
    );
}

#[test]
fn a_namespace_that_is_deleted_terminates() {
    let phase = |meta| {
        typed::<core::Namespace>(&Row { meta, body: Namespace })
            .status
            .unwrap()
            .phase
            .unwrap()
    };
    assert_eq!(phase(meta("shop")), "Terminating");
    assert_eq!(
        phase(Meta {
            deletion: None,
            ..meta("shop")
        }),
        "Active"
    );
}

#[test]
fn stored_objects_come_back_as_written() {
    let written = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
    let (_, body) = parse::stored(CONFIG_MAPS, &written).unwrap();
    let map: core::ConfigMap = typed(&Row {
        meta: Meta {
            generation: 1,
            ..meta("c")
        },
        body,
    });
    assert_eq!(map.data.unwrap()["a"], "b");
    assert_eq!(map.metadata.generation, None);
    let budgets = resources::find("policy", "v1", "PodDisruptionBudget").unwrap();
    let (_, body) = parse::stored(
        budgets,
        &json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1}}),
    )
    .unwrap();
    let projected = Row { meta: meta("b"), body }.project();
    assert_eq!(
        (&projected["apiVersion"], &projected["spec"]["minAvailable"]),
        (&json!("policy/v1"), &json!(1))
    );
}
