//! The sock shop's manifests, applied as `kubectl apply` does it and read back.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use rstest::rstest;
use steadfast::{Cluster, SockShop, sockshop};

#[rstest]
#[case(sockshop::BASE_NAME, 1)]
#[case(sockshop::HA_NAME, 3)]
#[tokio::test]
async fn a_manifest_becomes_ready_pods_behind_services(#[case] manifest: &str, #[case] replicas: i32) {
    let cluster = Cluster::embedded().start().await.unwrap();
    let shop = SockShop::deploy(&cluster, manifest).await.unwrap();
    let namespace = shop.app().namespace();
    let client = cluster.client();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployments = deployments.list(&ListParams::default()).await.unwrap();
    assert!(deployments.items.len() >= 13);
    for it in &deployments {
        let status = it.status.as_ref().unwrap();
        let wanted = it.spec.replicas;
        assert_eq!(status.ready_replicas, wanted, "{}", it.name_any());
        assert!(
            wanted == Some(replicas) || wanted == Some(1),
            "{}: {wanted:?}",
            it.name_any()
        );
    }
    assert!(deployments.iter().any(|it| it.spec.replicas == Some(replicas)));
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    for service in services.list(&ListParams::default()).await.unwrap() {
        let of = format!("kubernetes.io/service-name={}", service.name_any());
        let slice = slices.list(&ListParams::default().labels(&of)).await.unwrap();
        let ready = slice
            .iter()
            .flat_map(|slice| slice.endpoints.iter().flatten())
            .filter(|endpoint| endpoint.conditions.as_ref().is_some_and(|it| it.ready == Some(true)))
            .count();
        let selector = service.spec.unwrap().selector.unwrap();
        let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let selected = pods
            .list(&ListParams::default().labels(&labels.join(",")))
            .await
            .unwrap();
        assert_eq!(ready, selected.items.len(), "{labels:?}");
        assert!(ready > 0);
    }
}

#[tokio::test]
async fn the_same_manifest_again_changes_nothing() {
    let cluster = Cluster::embedded().start().await.unwrap();
    let shop = SockShop::deploy(&cluster, sockshop::BASE_NAME).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(cluster.client(), shop.app().namespace());
    let before = pods.list(&ListParams::default()).await.unwrap().items;
    let now = cluster.now().unwrap();
    SockShop::deploy(&cluster, sockshop::BASE_NAME).await.unwrap();
    assert_eq!(cluster.now().unwrap(), now, "it is ready already");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items, before);
}
