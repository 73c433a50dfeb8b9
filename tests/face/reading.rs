//! Lists, selectors, logs and status.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::is_deployment_completed;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::small::{SPACE, cluster, deployment, deployments, map, maps, pods};

#[tokio::test]
async fn pages_make_the_list() {
    let cluster = cluster().await;
    let all: Api<Pod> = Api::all(cluster.client());
    let whole = all.list(&ListParams::default()).await.unwrap();
    let mut paged = Vec::new();
    let mut params = ListParams::default().limit(4);
    let mut count = 0;
    loop {
        let page = all.list(&params).await.unwrap();
        count += 1;
        assert!(page.items.len() <= 4);
        paged.extend(page.items);
        // Time goes on between the pages, and pods come.
        let name = format!("web-{count}");
        deployments(&cluster.client())
            .create(&PostParams::default(), &deployment(&name, 1))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(paged, whole.items);
    assert_eq!(count, whole.items.len().div_ceil(4));
}

#[tokio::test]
async fn selectors_select_by_labels_and_fields() {
    let cluster = cluster().await;
    let client = cluster.client();
    for name in ["web", "api"] {
        deployments(&client)
            .create(&PostParams::default(), &deployment(name, 2))
            .await
            .unwrap();
        await_condition(deployments(&client), name, is_deployment_completed())
            .await
            .unwrap();
    }
    let count = async |labels: &str, fields: &str| {
        let params = ListParams::default().labels(labels).fields(fields);
        pods(&client).list(&params).await.unwrap().items.len()
    };
    assert_eq!(count("app=web", "").await, 2);
    assert_eq!(count("app in (web, api)", "").await, 4);
    assert_eq!(count("app notin (web)", "").await, 2);
    assert_eq!(count("app!=web,made-by", "status.phase=Running").await, 2);
    assert_eq!(count("!made-by", "").await, 0);
    assert_eq!(count("", "status.phase!=Running").await, 0);
    let one = pods(&client)
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0);
    let node = one.spec.as_ref().unwrap().node_name.clone().unwrap();
    let name = format!("metadata.name={},spec.nodeName={node}", one.name_any());
    assert_eq!(count("", &name).await, 1);
    assert_eq!(count("", "spec.nodeName=nowhere").await, 0);
}

#[tokio::test]
async fn the_autoscaler_says_in_its_log_what_it_does() {
    let cluster = cluster().await;
    let client = cluster.client();
    let system: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let labels = "app.kubernetes.io/name=aws-cluster-autoscaler";
    let pod = system
        .list(&ListParams::default().labels(labels))
        .await
        .unwrap()
        .items
        .remove(0);
    deployments(&client)
        .create(&PostParams::default(), &deployment("web", 30))
        .await
        .unwrap();
    let complete = await_condition(deployments(&client), "web", is_deployment_completed());
    tokio::time::timeout(Duration::from_secs(900), complete)
        .await
        .unwrap()
        .unwrap();
    let log = system.logs(&pod.name_any(), &LogParams::default()).await.unwrap();
    assert!(
        log.contains("Scale-up: ") && log.contains("setting group size 3 -> "),
        "{log}"
    );
    let last = LogParams {
        tail_lines: Some(1),
        ..LogParams::default()
    };
    let last = system.logs(&pod.name_any(), &last).await.unwrap();
    assert_eq!(last.lines().count(), 1);
    assert!(log.ends_with(&last));
    let maps: Api<ConfigMap> = Api::namespaced(client, "kube-system");
    let status = maps.get("cluster-autoscaler-status").await.unwrap().data.unwrap();
    assert!(status["status"].contains("Healthy (ready="), "{status:?}");
}

#[tokio::test]
async fn a_status_is_read_apart_and_never_written_with_the_rest() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    api.create(&PostParams::default(), &deployment("web", 2)).await.unwrap();
    await_condition(api.clone(), "web", is_deployment_completed())
        .await
        .unwrap();
    let whole = api.get("web").await.unwrap();
    assert_eq!(api.get_status("web").await.unwrap(), whole);
    // A status written with the rest is passed over, and the rest written with a status, too.
    let both = json!({"spec": {"replicas": 1}, "status": {"replicas": 70}});
    let after = api
        .patch_status("web", &PatchParams::default(), &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(after.spec.replicas, Some(2));
    let after: Deployment = api
        .patch("web", &PatchParams::default(), &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(
        (after.spec.replicas, after.status.unwrap().replicas),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn a_deleted_namespace_takes_its_objects_along() {
    let cluster = cluster().await;
    let client = cluster.client();
    let api = deployments(&client);
    api.create(&PostParams::default(), &deployment("web", 2)).await.unwrap();
    maps(&client)
        .create(&PostParams::default(), &map("settings", "1"))
        .await
        .unwrap();
    await_condition(api.clone(), "web", is_deployment_completed())
        .await
        .unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(SPACE, &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(namespaces.get_opt(SPACE).await.unwrap().is_none());
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 0);
    assert_eq!(pods(&client).list(&ListParams::default()).await.unwrap().items.len(), 0);
    assert_eq!(maps(&client).list(&ListParams::default()).await.unwrap().items.len(), 0);
    // Everything else is untouched, and the name is free.
    let system: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    assert!(!system.list(&ListParams::default()).await.unwrap().items.is_empty());
    let again = serde_json::from_value(json!({"metadata": {"name": SPACE}})).unwrap();
    namespaces.create(&PostParams::default(), &again).await.unwrap();
    api.create(&PostParams::default(), &deployment("web", 1)).await.unwrap();
    await_condition(api, "web", is_deployment_completed()).await.unwrap();
}
