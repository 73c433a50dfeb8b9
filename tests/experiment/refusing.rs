//! What cannot be run is refused with a clear error, before anything is touched.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rstest::rstest;
use steadfast::{Cluster, Experiment, NodeFailure, Units as _, Verdict};

use super::small::{deployed, kind, run, said, visit};

#[rstest]
#[case(
    Verdict::Inconclusive,
    "a run that is inconclusive proves nothing and cannot be expected: expect Held or Violated"
)]
#[case(
    Verdict::Aborted,
    "a run that is aborted proves nothing and cannot be expected: expect Held or Violated"
)]
#[case(
    Verdict::RollbackIncomplete,
    "a run that is rollback incomplete proves nothing and cannot be expected: expect Held or Violated"
)]
#[tokio::test]
async fn a_verdict_that_proves_nothing_cannot_be_expected(#[case] expected: Verdict, #[case] message: &str) {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let before = cluster.now().unwrap();
    let error = Experiment::new("small")
        .hypothesis(visit(&app).availability(0.5..))
        .fault(NodeFailure::kill().count(1))
        .observe_for(1.mins())
        .expect(expected)
        .run(&cluster)
        .await
        .unwrap_err();
    assert_eq!(said(&error), message);
    assert_eq!(cluster.now().unwrap(), before);
}

#[rstest]
#[case(NodeFailure::terminate().percent(0), "0 percent of the nodes: expected 1 to 100")]
#[case(NodeFailure::terminate().percent(101), "101 percent of the nodes: expected 1 to 100")]
#[case(NodeFailure::terminate().percent(10), "no node matches")]
#[case(NodeFailure::kill().count(0), "no node matches")]
#[case(NodeFailure::kill().count(5), "5 nodes to fail, but the cluster has 4 that run workloads: ask for fewer")]
#[case(NodeFailure::kill().name("nobody"), "no node matches the name `nobody`")]
#[case(NodeFailure::kill().name("kind-control-plane"), "no node matches the name `kind-control-plane`")]
#[case(NodeFailure::kill().label("disk", "ssd"), "no node matches the label `disk=ssd`")]
#[case(NodeFailure::delete().zone("mars"), "no node matches the zone `mars`")]
#[tokio::test]
async fn a_fault_without_targets_is_refused_before_anything_is_touched(
    #[case] fault: NodeFailure,
    #[case] message: &str,
) {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let before = cluster.now().unwrap();
    let experiment = Experiment::new("small")
        .hypothesis(visit(&app).availability(0.5..))
        .fault(fault)
        .observe_for(1.mins());
    let error = experiment.run(&cluster).await.unwrap_err();
    let text = said(&error);
    assert!(
        text.starts_with("the fault has no targets: ") && text.contains(message),
        "{text}"
    );
    assert_eq!(cluster.now().unwrap(), before, "no time has passed");
    // No load is left behind: the next run's history begins with itself.
    let report = run(&cluster, &app, NodeFailure::kill().count(1), 2.mins()).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
}

#[tokio::test]
async fn an_observation_shorter_than_a_window_is_refused() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let experiment = |length| {
        Experiment::new("small")
            .hypothesis(visit(&app).availability(0.5..))
            .fault(NodeFailure::kill().count(1))
            .observe_for(length)
    };
    let error = experiment(9_999.millis()).run(&cluster).await.unwrap_err();
    assert!(
        said(&error).contains("too short: windows are 10 s long"),
        "{}",
        said(&error)
    );
}

#[tokio::test]
async fn two_journeys_of_one_name_are_refused() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let error = Experiment::new("small")
        .hypothesis(visit(&app).availability(0.5..))
        .hypothesis(visit(&app).rate(7).availability(0.5..))
        .fault(NodeFailure::kill().count(1))
        .observe_for(1.mins())
        .run(&cluster)
        .await
        .unwrap_err();
    assert!(
        said(&error).contains("two different journeys are called `visit`"),
        "{}",
        said(&error)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_of_several_threads_is_refused_with_what_to_do() {
    let text = said(&Cluster::embedded().start().await.unwrap_err());
    assert!(
        text.contains("needs a current-thread runtime: use a plain #[tokio::test]"),
        "{text}"
    );
}

#[test]
fn no_runtime_at_all_is_refused_with_what_to_do() {
    let mut start = pin!(Cluster::embedded().start());
    let Poll::Ready(Err(error)) = start.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it started");
    };
    assert!(
        said(&error).contains("start the embedded cluster inside a #[tokio::test]"),
        "{}",
        said(&error)
    );
}
