//! What the tests of the API share: a cluster, an application under a fault, objects.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::PostParams;
use kube::core::Status;
use kube::{Api, Client};
use serde_json::json;
use steadfast::app::Undeployed;
use steadfast::model::application::Application;
use steadfast::{Cluster, Experiment, NodeFailure, Report, Units as _};

/// The namespace of the tests' own objects.
pub(super) const SPACE: &str = "tests";

const MODEL: &str = "
version: 1
name: probe
services:
  probe: { images: [example/probe], start: { from: 1s, to: 2s }, routes: [{ request: GET / }] }
journeys:
  visit:
    entry: probe
    rate: 20
    timeout: 2s
    steps: [{ request: GET /, expect: { status: 200 } }]
";

const PROBE: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: probe }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: probe, namespace: probe }
spec:
  replicas: 3
  selector: { matchLabels: { app: probe } }
  template:
    metadata: { labels: { app: probe } }
    spec: { containers: [{ name: main, image: example/probe }] }
---
apiVersion: v1
kind: Service
metadata: { name: probe, namespace: probe }
spec: { selector: { app: probe }, ports: [{ port: 80 }] }
";

/// A workshop cluster with the namespace of the tests.
pub(super) async fn cluster() -> Cluster {
    let cluster = Cluster::embedded().seed(2).start().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let namespace = serde_json::from_value(json!({"metadata": {"name": SPACE}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    cluster
}

/// Fails nodes as a user does: by an experiment, here on an application of its own. It takes ten minutes and more.
pub(super) async fn fail(cluster: &Cluster, fault: NodeFailure) -> Report {
    let app = Undeployed::new("probe", "probe.yaml", PROBE)
        .unwrap()
        .model(Application::from_yaml(MODEL).unwrap())
        .deploy(cluster)
        .await
        .unwrap();
    Experiment::new("probe")
        .hypothesis(app.journey("visit").unwrap().availability(0.0..))
        .fault(fault)
        .observe_for(10.mins())
        .run(cluster)
        .await
        .unwrap()
}

pub(super) fn deployments(client: &Client) -> Api<Deployment> {
    Api::namespaced(client.clone(), SPACE)
}

pub(super) fn pods(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), SPACE)
}

pub(super) fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), SPACE)
}

pub(super) fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": value}})).unwrap()
}

pub(super) fn deployment(name: &str, replicas: i32) -> Deployment {
    let labels = json!({"app": name, "made-by": "tests"});
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "example/main:1"}]},
            },
        },
    }))
    .unwrap()
}

/// The `Status` that the API server answered.
pub(super) fn status<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> Status {
    match answer.unwrap_err() {
        kube::Error::Api(status) => *status,
        other => panic!("no status: {other}"),
    }
}
