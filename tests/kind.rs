//! A real kind cluster: by name, `just test-kind`. It is found or made as `Cluster::kind()` says.
#![cfg(feature = "kind")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use rstest::rstest;
use steadfast::cluster::kind::Builder;
use steadfast::model::fault::NodeFailure;
use steadfast::model::history::What;
use steadfast::{Cluster, Experiment, Report, SockShop, Units as _, Verdict};

async fn cluster() -> Cluster {
    Builder::from_env().unwrap().start().await.unwrap()
}

/// One short experiment with a mode; what it shows is looked at by the caller.
async fn experiment(failure: NodeFailure, observe: Duration) -> steadfast::Result<Report> {
    let cluster = cluster().await;
    let shop = SockShop::deploy(&cluster, "sockshop-demo").await?;
    Ok(Experiment::new("a mode on kind")
        .hypothesis(shop.browse().availability(0.0..))
        .fault(failure)
        .observe_for(observe)
        .heal_afterwards()
        .run(&cluster)
        .await?)
}

#[rstest]
#[case::kill(NodeFailure::kill().count(1).return_after(20.secs()))]
#[case::stop(NodeFailure::stop().count(1).return_after(20.secs()))]
#[case::freeze(NodeFailure::freeze().count(1).return_after(20.secs()))]
#[case::isolate(NodeFailure::isolate().count(1).return_after(20.secs()))]
#[case::kubelet_stop(NodeFailure::stop_kubelet().count(1).return_after(20.secs()))]
#[case::delete(NodeFailure::delete().count(1))]
#[case::drain(NodeFailure::drain().count(1))]
#[case::reboot(NodeFailure::reboot().count(1))]
#[case::remove(NodeFailure::remove().count(1))]
#[case::terminate(NodeFailure::terminate().count(1))]
#[tokio::test]
#[ignore = "needs kind: just test-kind"]
async fn a_node_fails_and_the_cluster_is_as_it_was(#[case] failure: NodeFailure) -> steadfast::Result {
    let report = experiment(failure, 90.secs()).await?;
    println!("{}", report.snapshot());
    assert!(
        report
            .history()
            .end
            .as_ref()
            .is_some_and(|end| end.left_behind.is_empty()),
        "{}",
        report.snapshot()
    );
    assert_eq!(report.verdict(), Verdict::Held, "{:#?}", report.judgement());
    let struck = report
        .history()
        .events
        .iter()
        .any(|event| matches!(event.what, What::Injected { .. }));
    assert!(struck);
    Ok(())
}

/// The workshop's two experiments: 40 % of the nodes are terminated. «Up» means not dark, as in tests/sockshop.rs. Lost nodes are replaced after a
/// minute, as the auto scaling group does it; five minutes show whether the shop comes back.
#[rstest]
#[case::base("sockshop-demo", Verdict::Violated)]
#[case::ha("sockshop-demo-ha", Verdict::Held)]
#[tokio::test]
#[ignore = "needs kind: just test-kind"]
async fn sockshop_under_node_termination(#[case] manifest: &str, #[case] expected: Verdict) -> steadfast::Result {
    let cluster = cluster().await;
    let shop = SockShop::deploy(&cluster, manifest).await?;
    let report = Experiment::new("terminate-nodes")
        .hypothesis(shop.browse().recovers_within(60.secs()).of_slots(0.10..))
        .hypothesis(shop.checkout().recovers_within(60.secs()).of_slots(0.10..))
        .fault(NodeFailure::terminate().percent(40))
        .observe_for(5.mins())
        .expect(expected)
        .run(&cluster)
        .await?;
    println!("{}", report.snapshot());
    report.assert_expected();
    Ok(())
}
