//! Other people's applications: folders, lists, several namespaces, kinds that nobody knows, and no description at all.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use steadfast::app::{AppError, DEFAULT};
use steadfast::model::application::Application;
use steadfast::{App, Experiment, NodeFailure, Report, Units as _, Verdict};

use super::small::{MODEL, kind, manifest, said, undeployed};

/// A workload without a namespace, and a Service in front of it.
fn workload(name: &str, kind: &str, service: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: {kind}
metadata: {{ name: {name} }}
spec:
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec: {{ containers: [{{ name: main, image: \"example/{name}:1\" }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec: {{ selector: {{ app: {name} }}, ports: [{{ port: 80 }}], {service} }}
"
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

async fn under_a_fault(cluster: &steadfast::Cluster, app: &App, journey: &str) -> Report {
    Experiment::new("theirs")
        .hypothesis(app.journey(journey).unwrap().availability(0.0..))
        .fault(NodeFailure::kill().count(1))
        .observe_for(2.mins())
        .run(cluster)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_folder_without_any_description_gets_a_first_verdict() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "2-web.yaml",
        &workload("web", "Deployment", "type: LoadBalancer"),
    );
    write(
        folder.path(),
        "1-data/db.yml",
        &workload("db", "Deployment", "clusterIP: None"),
    );
    let agent = "{\"apiVersion\": \"apps/v1\", \"kind\": \"DaemonSet\", \"metadata\": {\"name\": \"agent\"}, \"spec\": {\
        \"selector\": {\"matchLabels\": {\"app\": \"agent\"}}, \"template\": {\"metadata\": {\"labels\": {\"app\": \"agent\"}}, \
        \"spec\": {\"containers\": [{\"name\": \"main\", \"image\": \"example/agent\"}]}}}}";
    write(folder.path(), "agent.json", agent);
    write(folder.path(), "README.md", "not a manifest");
    write(folder.path(), ".git/config.yaml", "not: an object");
    write(folder.path(), "empty.yaml", "# nothing yet\n---\n");
    let undeployed = App::from_manifest(folder.path())
        .unwrap()
        .namespace("theirs")
        .assume_default_model();
    let names: Vec<_> = undeployed.manifest().objects.iter().map(|it| it.name.clone()).collect();
    assert_eq!(
        names,
        ["db", "db", "web", "web", "agent"],
        "in the order of the files' names"
    );
    let cluster = kind().await;
    let app = undeployed.deploy(&cluster).await.unwrap();
    assert_eq!(app.namespace(), "theirs");
    assert_eq!(app.journeys().collect::<Vec<_>>(), [DEFAULT]);
    let report = under_a_fault(&cluster, &app, DEFAULT).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    let header = &report.history().header;
    assert_eq!(header.assumed, ["example/agent", "example/db:1", "example/web:1"]);
    assert_eq!(header.journeys[0].path, ["web"], "the load balancer is the way in");
}

#[tokio::test]
async fn what_is_not_described_may_be_assumed_beside_what_is() {
    let cluster = kind().await;
    let more =
        workload("side", "Deployment", "type: LoadBalancer").replace("name: side }", "name: side, namespace: small }");
    let app = undeployed(&manifest("example/web:1", &more))
        .assume_default_model()
        .deploy(&cluster)
        .await
        .unwrap();
    assert_eq!(
        app.journeys().collect::<Vec<_>>(),
        ["complaint", "visit"],
        "the model has journeys of its own"
    );
    let report = under_a_fault(&cluster, &app, DEFAULT).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert_eq!(report.history().header.journeys[0].path, ["side"]);
}

#[tokio::test]
async fn without_leave_to_assume_there_is_no_default_journey() {
    let cluster = kind().await;
    let app = undeployed(&manifest("example/web:1", ""))
        .deploy(&cluster)
        .await
        .unwrap();
    let error = app.journey(DEFAULT).unwrap_err();
    assert!(said(&error).contains("no journey `default`"), "{error}");
}

#[tokio::test]
async fn unknown_kinds_are_passed_over_and_said_and_removed_versions_are_refused() {
    let more = "
apiVersion: gateway.example.com/v1alpha3
kind: VirtualRoute
metadata: { name: web, namespace: small }
---
apiVersion: v1
kind: Pod
metadata: { name: test, namespace: small, annotations: { helm.sh/hook: test-success } }
";
    let cluster = kind().await;
    let app = undeployed(&manifest("example/web:1", more))
        .deploy(&cluster)
        .await
        .unwrap();
    let report = under_a_fault(&cluster, &app, "visit").await;
    let listed = &report.history().header.not_modelled;
    assert_eq!(
        *listed,
        [
            "Pod/test: left out, a Helm hook (test-success)",
            "VirtualRoute/web: the whole kind"
        ]
    );
    let old = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: { name: old, namespace: small }\n";
    let error = undeployed(&manifest("example/web:2", old))
        .deploy(&cluster)
        .await
        .unwrap_err();
    assert!(matches!(error, AppError::UnknownKind { .. }), "{error}");
    assert!(error.to_string().contains("small.yaml, line 22"), "{error}");
    let api: Api<Deployment> = Api::namespaced(cluster.client(), "small");
    let image = api.get("web").await.unwrap().spec.template.spec.unwrap().containers[0]
        .image
        .clone();
    assert_eq!(
        image.as_deref(),
        Some("example/web:1"),
        "a manifest that is refused changes nothing"
    );
}

#[tokio::test]
async fn namespaces_that_nobody_made_are_made_and_every_workload_is_waited_for() {
    let text = format!(
        "{}---\n{}",
        workload("web", "Deployment", "type: NodePort").replace("name: web }", "name: web, namespace: one }"),
        workload("db", "Deployment", "").replace("name: db }", "name: db, namespace: two }"),
    );
    // Labels and selectors have no namespace.
    let text = text
        .replace("app: web, namespace: one", "app: web")
        .replace("app: db, namespace: two", "app: db");
    let cluster = kind().await;
    steadfast::app::Undeployed::new("two", "two.yaml", &text)
        .unwrap()
        .assume_default_model()
        .deploy(&cluster)
        .await
        .unwrap();
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    for (namespace, name) in [("one", "web"), ("two", "db")] {
        assert!(namespaces.get_opt(namespace).await.unwrap().is_some());
        let api: Api<Deployment> = Api::namespaced(cluster.client(), namespace);
        let status = api.get(name).await.unwrap().status.unwrap();
        assert_eq!(status.available_replicas, Some(1), "{name}");
    }
}

#[tokio::test]
async fn an_application_that_is_there_already_is_attached_to() {
    let cluster = kind().await;
    let text = manifest("example/web:1", "").replace(
        "name: web, namespace: small }",
        "name: web, namespace: small, labels: { part: shop } }",
    );
    // Somebody else deploys it, without any description.
    steadfast::app::Undeployed::new("theirs", "theirs.yaml", &text)
        .unwrap()
        .deploy(&cluster)
        .await
        .unwrap();
    let app = App::existing("small", "part=shop")
        .model(Application::from_yaml(MODEL).unwrap())
        .attach(&cluster)
        .await
        .unwrap();
    let report = under_a_fault(&cluster, &app, "visit").await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert_eq!(
        report.history().header.undescribed,
        [""; 0],
        "pods that ran before are described, too"
    );
    let assumed = App::existing("small", "")
        .assume_default_model()
        .attach(&cluster)
        .await
        .unwrap();
    let report = under_a_fault(&cluster, &assumed, DEFAULT).await;
    assert_eq!(report.history().header.journeys[0].path, ["web"]);
    let error = App::existing("small", "part=bank").attach(&cluster).await.unwrap_err();
    assert!(error.to_string().contains("matches `part=bank`"), "{error}");
}

#[test]
fn folders_that_hold_sources_of_manifests_say_what_to_give_instead() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || said(&App::from_manifest(folder.path()).unwrap_err());
    assert!(refused().contains("no file that ends in .yaml"), "{}", refused());
    write(folder.path(), "web.yaml", &workload("web", "Deployment", ""));
    write(folder.path(), "kustomization.yaml", "resources: [web.yaml]\n");
    assert!(App::from_manifest(folder.path()).is_ok());
    write(
        folder.path(),
        "kustomization.yaml",
        "resources: [web.yaml]\nnamePrefix: a-\n",
    );
    assert!(
        refused().contains("`namePrefix`") && refused().contains("kustomize build"),
        "{}",
        refused()
    );
    write(folder.path(), "kustomization.yaml", "resources: [web.yaml]\n");
    write(folder.path(), "a.yaml", "kind: [\n");
    assert!(
        refused().contains("a.yaml is not a manifest: document 1 (line 1) is not YAML"),
        "{}",
        refused()
    );
    write(folder.path(), "Chart.yaml", "name: x\n");
    assert!(refused().contains("helm template"), "{}", refused());
}
