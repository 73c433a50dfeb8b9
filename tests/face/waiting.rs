//! Waiting for conditions, in virtual time.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::conditions::{is_deleted, is_deployment_completed, is_pod_running};
use kube::runtime::wait::{Condition as _, await_condition};
use kube::{Api, ResourceExt as _};
use steadfast::NodeFailure;
use tokio::time::{Instant, timeout};

use super::small::{cluster, deployment, deployments, fail, pods};

const LONG: Duration = Duration::from_secs(900);

#[tokio::test]
async fn a_deployment_completes_and_its_pods_run() {
    let cluster = cluster().await;
    let client = cluster.client();
    let start = Instant::now();
    deployments(&client)
        .create(&PostParams::default(), &deployment("web", 3))
        .await
        .unwrap();
    let complete = await_condition(deployments(&client), "web", is_deployment_completed());
    timeout(LONG, complete).await.unwrap().unwrap();
    // A pull of 4 to 15 s and a start of 0.6 to 1.2 s (profile eks-workshop).
    assert!((4..20).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let list = pods(&client)
        .list(&ListParams::default().labels("app=web"))
        .await
        .unwrap();
    assert_eq!(list.items.len(), 3);
    for pod in list {
        let name = pod.name_any();
        let running = await_condition(pods(&client), &name, is_pod_running());
        timeout(Duration::from_secs(1), running).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_deleted_pod_is_seen_to_go_and_another_one_runs() {
    let cluster = cluster().await;
    let client = cluster.client();
    deployments(&client)
        .create(&PostParams::default(), &deployment("web", 1))
        .await
        .unwrap();
    let complete = await_condition(deployments(&client), "web", is_deployment_completed());
    timeout(LONG, complete).await.unwrap().unwrap();
    let old = pods(&client)
        .list(&ListParams::default().labels("app=web"))
        .await
        .unwrap()
        .items
        .remove(0);
    pods(&client)
        .delete(&old.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let uid = old.uid().unwrap();
    let name = old.name_any();
    let gone = await_condition(pods(&client), &name, is_deleted(&uid));
    timeout(LONG, gone).await.unwrap().unwrap();
    let new = pods(&client)
        .list(&ListParams::default().labels("app=web"))
        .await
        .unwrap()
        .items
        .remove(0);
    assert_ne!(new.uid(), old.uid());
    let name = new.name_any();
    let running = await_condition(pods(&client), &name, is_pod_running());
    timeout(LONG, running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_terminated_node_is_seen_to_be_unknown_then_gone_and_its_successor_ready() {
    let cluster = cluster().await;
    let nodes: Api<Node> = Api::all(cluster.client());
    let readiness = |node: &Node| {
        let conditions = node.status.as_ref().unwrap().conditions.clone().unwrap();
        conditions.into_iter().find(|it| it.type_ == "Ready").unwrap().status
    };
    let victim = "ip-10-0-0-2";
    let unknown = |node: Option<&Node>| node.is_some_and(|node| readiness(node) == "Unknown");
    let tainted = |node: Option<&Node>| {
        let taints = node
            .and_then(|node| node.spec.as_ref()?.taints.clone())
            .unwrap_or_default();
        taints.iter().any(|taint| taint.key == "node.kubernetes.io/unreachable")
    };
    let uid = nodes.get(victim).await.unwrap().uid().unwrap();
    let story = async {
        await_condition(nodes.clone(), victim, unknown.and(tainted))
            .await
            .unwrap();
        let unknown_at = Instant::now();
        await_condition(nodes.clone(), victim, is_deleted(&uid)).await.unwrap();
        let ready = |node: Option<&Node>| node.is_some_and(|node| readiness(node) == "True");
        await_condition(nodes.clone(), "ip-10-0-0-4", ready).await.unwrap();
        unknown_at.elapsed()
    };
    let story = timeout(LONG, story);
    let (report, elapsed) = tokio::join!(fail(&cluster, NodeFailure::terminate().name(victim)), story);
    assert!(elapsed.unwrap() > Duration::ZERO);
    assert_eq!(report.analysis().nodes.struck[0].node, victim);
    let left: Api<Pod> = Api::all(cluster.client());
    let fields = format!("spec.nodeName={victim}");
    let left = left.list(&ListParams::default().fields(&fields)).await.unwrap();
    assert_eq!(left.items.len(), 0, "pod garbage collection took what was left");
}
