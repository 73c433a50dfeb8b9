//! What makes a run inconclusive, on runs of the embedded cluster.

use steadfast::model::history::{Second, What};
use steadfast::{Experiment, NodeFailure, Report, Units as _, Verdict};

use super::small::{deployed, kind, run, sound, visit};

fn assert_inconclusive(report: &Report, because: &str) {
    let reasons = report.judgement().reasons.join("\n");
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{}", report.snapshot());
    assert!(reasons.contains(because), "{reasons}");
    assert!(!report.is_as_expected());
}

#[tokio::test]
async fn a_run_with_all_evidence_is_held() {
    let report = sound(&kind().await).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    assert!(report.is_as_expected());
}

#[tokio::test]
async fn a_fault_on_a_machine_that_is_dead_already_proves_nothing() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let fault = || NodeFailure::kill().name("kind-worker2");
    let first = run(&cluster, &app, fault(), 8.mins()).await;
    assert_eq!(first.verdict(), Verdict::Held, "{}", first.snapshot());
    let again = run(&cluster, &app, fault(), 2.mins()).await;
    assert_inconclusive(&again, "node kind-worker2: its machine was not seen to stop");
}

#[tokio::test]
async fn a_fault_that_kubernetes_has_not_seen_yet_proves_nothing() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    // NotReady comes after 50 s.
    let report = run(&cluster, &app, NodeFailure::kill().count(1), 20.secs()).await;
    assert_inconclusive(&report, "Kubernetes did not see it fail");
}

#[tokio::test]
async fn load_off_its_schedule_proves_nothing() {
    let mut history = sound(&kind().await).await.history().clone();
    history.end.as_mut().unwrap().max_lag = 100_001;
    assert_inconclusive(&Report::new(history.clone()), "the load did not keep its schedule");
    history.end.as_mut().unwrap().max_lag = 100_000;
    assert_eq!(Report::new(history.clone()).verdict(), Verdict::Held);
    let last = history.seconds.len() - 60;
    let second = &mut history.seconds[last];
    *second = Second {
        s: second.s,
        planned: 20,
        good: 19,
        slots: "19g1n".to_owned(),
        ..Second::default()
    };
    assert_inconclusive(&Report::new(history), "1 slot of visit not sent");
}

#[tokio::test]
async fn a_history_with_gaps_or_without_its_last_part_proves_nothing() {
    let whole = sound(&kind().await).await.history().clone();
    let mut gap = whole.clone();
    gap.seconds.remove(gap.seconds.len() - 60);
    assert_inconclusive(&Report::new(gap), "no data in 1 second of");
    let mut short = whole.clone();
    short.seconds.truncate(short.seconds.len() - 60);
    assert_inconclusive(&Report::new(short), "no data in");
    let mut unobserved = whole.clone();
    unobserved.events.retain(|event| !matches!(event.what, What::Observed));
    assert_inconclusive(&Report::new(unobserved), "the end of the observation is not on record");
    let mut cut = whole;
    cut.end = None;
    let report = Report::new(cut);
    assert_eq!(report.verdict(), Verdict::Aborted);
    assert!(!report.is_as_expected());
}

#[tokio::test]
async fn an_observation_too_short_for_its_claim_proves_nothing() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let report = Experiment::new("small")
        .hypothesis(visit(&app).recovers_within(60.secs()))
        .fault(NodeFailure::kill().count(1))
        .observe_for(65.secs())
        .run(&cluster)
        .await
        .unwrap();
    assert_inconclusive(&report, "no window of 10 s from 60 s on fits");
}

#[tokio::test]
async fn an_application_that_never_works_is_not_put_under_a_fault() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let report = Experiment::new("small")
        .hypothesis(app.journey("complaint").unwrap().availability(0.0..))
        .fault(NodeFailure::kill().count(1))
        .observe_for(2.mins())
        .run(&cluster)
        .await
        .unwrap();
    assert_inconclusive(&report, "no fault was injected");
    let events = &report.history().events;
    assert!(
        events
            .iter()
            .any(|event| matches!(event.what, What::SteadyState { met: false, .. }))
    );
    assert!(
        !events
            .iter()
            .any(|event| matches!(event.what, What::Injected { .. } | What::MachineLost { .. }))
    );
}
