//! The workshop's experiments as tests: the sock shop under node termination.

use rstest::rstest;
use steadfast::{Cluster, Experiment, NodeFailure, SockShop, Units as _, Verdict, assert_availability_snapshot};

/// The seed of the story: the first from 0 upward whose highly available run agrees with the majority of 200 seeds.
const STORY: u64 = 0;

/// The workshop's two runs: 40 % of the nodes are terminated under load. The highly available manifest is rolled out over the base
/// one, as there, and the Cluster Autoscaler makes room for it.
///
/// «Up» means not dark: from a minute after the fault on, at least one visit in ten succeeds in every ten seconds. The shop cannot do
/// better than that: its replacements get traffic before they can serve, and its front-end crashes when the catalogue refuses.
#[rstest]
#[case::base(&["sockshop-demo"], Verdict::Violated)]
#[case::ha(&["sockshop-demo", "sockshop-demo-ha"], Verdict::Held)]
#[tokio::test]
async fn sockshop_under_node_termination(#[case] manifests: &[&str], #[case] expected: Verdict) -> steadfast::Result {
    let cluster = Cluster::embedded().seed(STORY).start().await?;
    let mut shop = SockShop::deploy(&cluster, manifests[0]).await?;
    for manifest in &manifests[1..] {
        shop = SockShop::deploy(&cluster, manifest).await?;
    }
    let report = Experiment::new("terminate-eks-nodes")
        .hypothesis(shop.browse().recovers_within(60.secs()).of_slots(0.10..))
        .hypothesis(shop.checkout().recovers_within(60.secs()).of_slots(0.10..))
        .fault(NodeFailure::terminate().percent(40))
        .observe_for(10.mins())
        .expect(expected)
        .run(&cluster)
        .await?;
    assert_availability_snapshot!(report);
    Ok(())
}
