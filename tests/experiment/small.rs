//! A small application, and experiments on it.

use std::time::Duration;

use steadfast::app::{Subject, Undeployed};
use steadfast::model::application::Application;
use steadfast::model::history::{History, What};
use steadfast::{App, Cluster, Experiment, NodeFailure, Report, Units as _};

/// Two pods of one image behind one Service, and a journey of one request.
pub(super) const MODEL: &str = "
version: 1
name: small
services:
  web:
    images: [example/web]
    start: { from: 1s, to: 2s }
    shutdown: { from: 100ms, to: 200ms }
    routes:
      - { request: GET /, work: { from: 1ms, to: 2ms } }
      - { request: GET /broken, answer: 500 }
journeys:
  visit:
    entry: web
    rate: 20
    timeout: 2s
    steps: [{ request: GET /, expect: { status: 200 } }]
  complaint:
    entry: web
    rate: 20
    timeout: 2s
    steps: [{ request: GET /broken, expect: { status: 200 } }]
";

/// The manifest with another image if need be, and whatever documents more.
pub(super) fn manifest(image: &str, more: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{ name: small }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: small }}
spec:
  replicas: 3
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      containers: [{{ name: main, image: {image}, ports: [{{ containerPort: 80 }}] }}]
---
apiVersion: v1
kind: Service
metadata: {{ name: web, namespace: small }}
spec: {{ selector: {{ app: web }}, ports: [{{ port: 80 }}] }}
---
{more}"
    )
}

pub(super) fn undeployed(text: &str) -> Undeployed {
    Undeployed::new("small", "small.yaml", text)
        .unwrap()
        .model(Application::from_yaml(MODEL).unwrap())
}

pub(super) async fn deployed(cluster: &Cluster) -> App {
    undeployed(&manifest("example/web:1", ""))
        .deploy(cluster)
        .await
        .unwrap()
}

pub(super) async fn kind() -> Cluster {
    Cluster::embedded()
        .profile("kind")
        .unwrap()
        .seed(5)
        .start()
        .await
        .unwrap()
}

pub(super) fn visit(app: &App) -> Subject {
    app.journey("visit").unwrap()
}

/// A run that claims little, so that evidence alone decides.
pub(super) async fn run(cluster: &Cluster, app: &App, fault: NodeFailure, length: Duration) -> Report {
    Experiment::new("small")
        .hypothesis(visit(app).availability(0.0..))
        .fault(fault)
        .observe_for(length)
        .run(cluster)
        .await
        .unwrap()
}

/// A run that proves something.
pub(super) async fn sound(cluster: &Cluster) -> Report {
    let app = deployed(cluster).await;
    run(cluster, &app, NodeFailure::terminate().count(1), 2.mins()).await
}

/// The nodes that a run struck.
pub(super) fn struck(history: &History) -> Vec<String> {
    let injected = history.events.iter().find_map(|event| match &event.what {
        What::Injected { nodes, .. } => Some(nodes.clone()),
        _ => None,
    });
    injected.unwrap_or_default()
}

/// An error with its causes.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", said(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
