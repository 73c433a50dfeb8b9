//! What the simulation does not know is said: images without a description, fields without effect.

use steadfast::{Cluster, NodeFailure, Report, Units as _, Verdict};

use super::small::{deployed, kind, manifest, run, undeployed};

/// An image that the model does not describe, off the path of every journey.
const SIDE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: side, namespace: small }
spec:
  replicas: 1
  selector: { matchLabels: { app: side } }
  template:
    metadata: { labels: { app: side } }
    spec: { containers: [{ name: main, image: example/side:3 }] }
";

async fn under_a_fault(cluster: &Cluster, app: &steadfast::App) -> Report {
    run(cluster, app, NodeFailure::terminate().count(1), 2.mins()).await
}

#[tokio::test]
async fn an_image_without_a_description_makes_the_verdict_inconclusive() {
    let cluster = kind().await;
    let app = undeployed(&manifest("example/web:1", SIDE))
        .deploy(&cluster)
        .await
        .unwrap();
    let report = under_a_fault(&cluster, &app).await;
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{}", report.snapshot());
    assert_eq!(report.history().header.undescribed, ["example/side:3"]);
    assert_eq!(report.history().header.assumed, [""; 0]);
    let reasons = &report.judgement().reasons;
    assert!(
        reasons.iter().any(|reason| reason.contains("example/side:3")),
        "{reasons:?}"
    );
}

#[tokio::test]
async fn an_assumed_image_is_listed_and_the_verdict_counts() {
    let cluster = kind().await;
    let app = undeployed(&manifest("example/web:1", SIDE))
        .assume_default_model()
        .deploy(&cluster)
        .await
        .unwrap();
    let report = under_a_fault(&cluster, &app).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert_eq!(report.history().header.assumed, ["example/side:3"]);
    assert_eq!(report.history().header.undescribed, [""; 0]);
    assert!(report.snapshot().contains("assumed to answer 200\n  example/side:3"));
}

#[tokio::test]
async fn what_was_assumed_once_is_not_assumed_for_what_is_deployed_later() {
    let cluster = kind().await;
    let text = manifest("example/web:1", SIDE);
    let assumed = undeployed(&text).assume_default_model();
    assumed.deploy(&cluster).await.unwrap();
    let later = text.replace("example/side:3", "example/side:4");
    let app = undeployed(&later).deploy(&cluster).await.unwrap();
    let report = under_a_fault(&cluster, &app).await;
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{}", report.snapshot());
    assert_eq!(report.history().header.undescribed, ["example/side:4"]);
}

#[tokio::test]
async fn an_image_that_comes_during_the_run_counts() {
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::PostParams;

    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let pods: kube::Api<Pod> = kube::Api::namespaced(cluster.client(), "small");
    let pod = serde_json::json!({
        "metadata": {"name": "late"},
        "spec": {"containers": [{"name": "main", "image": "example/late:1"}]},
    });
    let late = async {
        tokio::time::sleep(90.secs()).await;
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap())
            .await
            .unwrap();
    };
    let (report, ()) = tokio::join!(under_a_fault(&cluster, &app), late);
    assert_eq!(report.history().header.undescribed, ["example/late:1"]);
    assert_eq!(report.verdict(), Verdict::Inconclusive);
}

#[tokio::test]
async fn images_of_other_namespaces_do_not_count() {
    let cluster = kind().await;
    let other = manifest("example/other:1", "").replace("small", "other");
    undeployed(&other).deploy(&cluster).await.unwrap();
    let app = deployed(&cluster).await;
    let report = under_a_fault(&cluster, &app).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert_eq!(report.history().header.undescribed, [""; 0]);
}

#[tokio::test]
async fn fields_without_effect_are_listed() {
    const MORE: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: small }
spec: { podSelector: {}, policyTypes: [Ingress] }
";
    let cluster = kind().await;
    let probe = "containers: [{ readinessProbe: { httpGet: { path: /, port: 80 } }, stdin: true, ";
    let text = manifest("example/web:1", MORE).replace("containers: [{ ", probe);
    let app = undeployed(&text).deploy(&cluster).await.unwrap();
    let report = under_a_fault(&cluster, &app).await;
    let listed = &report.history().header.not_modelled;
    assert!(
        listed.iter().any(|it| it.starts_with("NetworkPolicy/web")),
        "{listed:?}"
    );
    assert!(
        listed
            .iter()
            .any(|it| it.starts_with("Deployment/web: ") && it.ends_with("stdin")),
        "{listed:?}"
    );
    assert_eq!(listed.len(), 2, "{listed:?}");
    for line in steadfast::analysis::figures::by_field(listed) {
        assert!(report.snapshot().contains(&line), "{}", report.snapshot());
    }
}
