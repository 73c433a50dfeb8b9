//! What a readiness probe is for: traffic comes only once a pod serves.

use steadfast::app::Undeployed;
use steadfast::model::application::Application;
use steadfast::model::history::{FailureKind, History};
use steadfast::{NodeFailure, Units as _, Verdict};

use super::small::{MODEL, kind, manifest, run};

/// Requests that were refused: by a pod that was listed and did not listen.
fn refused(history: &History) -> u32 {
    let failures = history.seconds.iter().flat_map(|second| &second.failures);
    failures
        .filter(|failure| failure.kind == FailureKind::Refused)
        .map(|failure| failure.count)
        .sum()
}

/// One of three pods loses its node; its replacement takes six seconds to listen.
async fn history(probe: &str) -> History {
    let cluster = kind().await;
    let model = MODEL.replace("start: { from: 1s, to: 2s }", "start: { from: 6s, to: 6s }");
    let text = manifest("example/web:1", "").replace("containers: [{ ", &format!("containers: [{{ {probe}"));
    let app = Undeployed::new("small", "small.yaml", &text)
        .unwrap()
        .model(Application::from_yaml(&model).unwrap())
        .deploy(&cluster)
        .await
        .unwrap();
    let report = run(&cluster, &app, NodeFailure::terminate().count(1), 8.mins()).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert_eq!(report.history().header.not_modelled, [""; 0]);
    report.history().clone()
}

#[tokio::test]
async fn with_a_readiness_probe_no_request_meets_a_pod_before_it_serves() {
    let without = refused(&history("").await);
    // Ready about six seconds before it serves, once or twice: a third of 40 requests a second or more.
    assert!((50..=250).contains(&without), "{without}");
    let probe = "readinessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 2 }, ";
    assert_eq!(refused(&history(probe).await), 0);
}
