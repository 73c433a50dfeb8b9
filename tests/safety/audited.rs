//! The leak audit of a real (embedded) cluster.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use steadfast::safety::audit::{Expected, Inventory, take};
use steadfast::{Cluster, NodeFailure, SockShop, Units as _};

const SHOP: &str = "sockshop";

async fn inventory(cluster: &Cluster) -> Inventory {
    take(&cluster.client(), &["default".to_owned(), SHOP.to_owned()])
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_run_left_behind_is_named_and_what_it_healed_is_not() {
    let cluster = Cluster::embedded().profile("kind").unwrap().start().await.unwrap();
    SockShop::deploy(&cluster, "sockshop-demo").await.unwrap();
    let before = inventory(&cluster).await;
    assert!(
        before.things.keys().any(|name| name.starts_with("deployment ")),
        "{before:?}"
    );

    let fault = cluster.inject(NodeFailure::freeze().count(1)).await.unwrap();
    let name = fault.nodes()[0].clone();
    tokio::time::sleep(90.secs()).await;
    let during = before.leaks(&inventory(&cluster).await, &Expected::default());
    assert!(
        during.contains(&format!("node {name}: was Ready, is not")),
        "{during:?}"
    );
    fault.heal().await.unwrap();
    tokio::time::sleep(120.secs()).await;
    assert_eq!(
        before.leaks(&inventory(&cluster).await, &Expected::default()),
        [""; 0],
        "healed"
    );

    let nodes: Api<Node> = Api::all(cluster.client());
    let cordon = json!({"spec": {"unschedulable": true}, "metadata": {"labels": {"steadfast.dev/run": "sf"}}});
    nodes
        .patch(&name, &PatchParams::default(), &Patch::Merge(cordon))
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), SHOP);
    let first = deployments
        .list(&kube::api::ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0)
        .name_any();
    let scale = json!({"spec": {"replicas": 7}});
    deployments
        .patch(&first, &PatchParams::default(), &Patch::Merge(scale))
        .await
        .unwrap();
    let leaks = before.leaks(&inventory(&cluster).await, &Expected::default());
    assert_eq!(leaks.len(), 3, "{leaks:?}");
    assert!(leaks[0].contains("is cordoned"), "{leaks:?}");
    assert!(
        leaks[1].contains("label steadfast.dev/run: sf, was not there before"),
        "{leaks:?}"
    );
    assert!(
        leaks[2].starts_with(&format!("deployment {SHOP}/{first} replicas: 7, was ")),
        "{leaks:?}"
    );
}

#[tokio::test]
async fn a_node_that_the_scaling_group_replaces_is_no_leak() {
    let cluster = Cluster::embedded().start().await.unwrap();
    let before = inventory(&cluster).await;
    let fault = cluster.inject(NodeFailure::terminate().count(1)).await.unwrap();
    let expected = Expected {
        replaced: fault.nodes().iter().cloned().collect(),
    };
    tokio::time::sleep(15.mins()).await;
    let after = inventory(&cluster).await;
    assert_eq!(before.leaks(&after, &expected), [""; 0]);
    assert_eq!(before.leaks(&after, &Expected::default()).len(), 2);
    drop(fault);
}
