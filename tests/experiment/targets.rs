//! A fault strikes the nodes that it says, and those that the seed chooses.

use rstest::rstest;
use steadfast::{Cluster, NodeFailure, Units as _};

use super::small::{deployed, run, struck};

/// Which of a workshop cluster's six nodes (1 to 6 in three zones, in turn) a fault strikes.
async fn strikes(fault: NodeFailure, seed: u64) -> Vec<String> {
    let cluster = Cluster::embedded().nodes(6).seed(seed).start().await.unwrap();
    let app = deployed(&cluster).await;
    let report = run(&cluster, &app, fault, 10.secs()).await;
    struck(report.history())
}

#[rstest]
#[case(NodeFailure::kill().name("ip-10-0-0-4"), &["ip-10-0-0-4"])]
#[case(NodeFailure::kill().label("kubernetes.io/hostname", "ip-10-0-0-3"), &["ip-10-0-0-3"])]
#[case(NodeFailure::kill().zone("us-east-1b"), &["ip-10-0-0-2", "ip-10-0-0-5"])]
#[case(NodeFailure::kill().percent(100), &["ip-10-0-0-1", "ip-10-0-0-2", "ip-10-0-0-3", "ip-10-0-0-4", "ip-10-0-0-5", "ip-10-0-0-6"])]
#[case(NodeFailure::kill().label("kubernetes.io/os", "linux"), &["ip-10-0-0-1", "ip-10-0-0-2", "ip-10-0-0-3", "ip-10-0-0-4", "ip-10-0-0-5", "ip-10-0-0-6"])]
#[tokio::test]
async fn a_selection_strikes_what_it_names(#[case] fault: NodeFailure, #[case] nodes: &[&str]) {
    assert_eq!(strikes(fault, 3).await, nodes);
}

#[rstest]
#[case(NodeFailure::terminate().percent(40), 2)] // 2.4, rounded down
#[case(NodeFailure::terminate().percent(17), 1)]
#[case(NodeFailure::terminate().count(3), 3)]
#[tokio::test]
async fn a_share_or_a_number_is_chosen_by_the_seed(#[case] fault: NodeFailure, #[case] count: usize) {
    let chosen = strikes(fault.clone(), 3).await;
    assert_eq!(chosen.len(), count);
    assert_eq!(strikes(fault.clone(), 3).await, chosen, "the same seed");
    assert_eq!(
        strikes(fault.clone().seed(3), 8).await,
        chosen,
        "the fault's seed goes before the cluster's"
    );
    let mut others = Vec::new();
    for seed in 4..10 {
        others.push(strikes(fault.clone(), seed).await);
    }
    assert!(
        others.iter().any(|other| *other != chosen),
        "other seeds choose others: {others:?}"
    );
}
