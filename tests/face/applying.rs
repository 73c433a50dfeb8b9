//! Patches, server-side apply, subresources and dry runs with a real kube client.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{EvictParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::small::{SPACE, cluster, deployment, deployments, maps, pods};

fn wanted(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}

fn refused<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    match result.unwrap_err() {
        kube::Error::Api(status) => *status,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_autoscaler_and_a_pipeline_share_a_deployment() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    let ci = PatchParams::apply("ci");
    api.patch("web", &ci, &Patch::Apply(wanted("shop:1"))).await.unwrap();
    let scaled =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}, "metadata": {"name": "web"}});
    let taker = PatchParams::apply("scaler").force();
    api.patch("web", &taker, &Patch::Apply(&scaled)).await.unwrap();
    // The pipeline does not say how many: the number stays.
    let after = api.patch("web", &ci, &Patch::Apply(wanted("shop:2"))).await.unwrap();
    assert_eq!(after.spec.replicas, Some(3));
    let mut greedy = wanted("shop:2");
    greedy["spec"]["replicas"] = json!(1);
    let status = refused(api.patch("web", &ci, &Patch::Apply(&greedy)).await);
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"scaler\": .spec.replicas"
    );
    let managers = after
        .managed_fields()
        .iter()
        .map(|entry| entry.manager.clone().unwrap());
    assert_eq!(managers.collect::<Vec<_>>(), ["ci", "scaler"]);
}

#[tokio::test]
async fn strategic_and_json_patches_act() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    api.create(&PostParams::default(), &deployment("web", 1)).await.unwrap();
    let params = PatchParams::default();
    let name = api.get("web").await.unwrap().spec.template.spec.unwrap().containers[0]
        .name
        .clone();
    let sidecar = json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "proxy:1"}]}}}});
    let patched = api.patch("web", &params, &Patch::Strategic(&sidecar)).await.unwrap();
    let containers = patched.spec.template.spec.unwrap().containers;
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["side", name.as_str()]);
    let operations = json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]);
    let operations: json_patch::Patch = serde_json::from_value(operations).unwrap();
    let patched = api.patch("web", &params, &Patch::Json::<()>(operations)).await.unwrap();
    assert_eq!(patched.spec.replicas, Some(2));
}

#[tokio::test]
async fn scale_reads_and_writes_the_replicas() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    api.create(&PostParams::default(), &deployment("web", 1)).await.unwrap();
    assert_eq!(api.get_scale("web").await.unwrap().spec.unwrap().replicas, Some(1));
    let patch = Patch::Merge(json!({"spec": {"replicas": 3}}));
    let scale = api.patch_scale("web", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(3));
    assert_eq!(api.get("web").await.unwrap().spec.replicas, Some(3));
}

#[tokio::test]
async fn a_pod_is_evicted() {
    let cluster = cluster().await;
    let client = cluster.client();
    deployments(&client)
        .create(&PostParams::default(), &deployment("web", 1))
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let pod = pods(&client)
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0);
    pods(&client)
        .evict(&pod.name_any(), &EvictParams::default())
        .await
        .unwrap();
    let left = pods(&client).get(&pod.name_any()).await.unwrap();
    assert!(left.metadata.deletion_timestamp.is_some());
    assert_eq!(
        refused(pods(&client).evict("none", &EvictParams::default()).await).code,
        404
    );
}

#[tokio::test]
async fn a_scheduler_of_ones_own_binds_pods() {
    let cluster = cluster().await;
    let client = cluster.client();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "mine"},
        "spec": {"schedulerName": "my-scheduler", "containers": [{"name": "main", "image": "shop"}]},
    }))
    .unwrap();
    pods(&client).create(&PostParams::default(), &pod).await.unwrap();
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(client.clone());
    let node = nodes
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .pop()
        .unwrap()
        .name_any();
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "mine"}, "target": {"kind": "Node", "name": node},
    });
    let request = http::Request::post(format!("/api/v1/namespaces/{SPACE}/pods/mine/binding"))
        .header("content-type", "application/json")
        .body(binding.to_string().into_bytes())
        .unwrap();
    let status: Value = client.request(request).await.unwrap();
    assert_eq!(status["status"], "Success");
    let bound = pods(&client).get("mine").await.unwrap();
    assert_eq!(bound.spec.unwrap().node_name, Some(node));
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let cluster = cluster().await;
    let api: Api<Deployment> = deployments(&cluster.client());
    let params = PatchParams::apply("ci").dry_run();
    let shown = api
        .patch("web", &params, &Patch::Apply(wanted("shop:1")))
        .await
        .unwrap();
    assert_eq!(shown.managed_fields().len(), 1);
    assert!(api.get_opt("web").await.unwrap().is_none());
}

#[tokio::test]
async fn fields_that_are_not_there_are_refused_when_asked_for() {
    let cluster = cluster().await;
    let client = cluster.client();
    let body = json!({"metadata": {"name": "a"}, "dataa": {"x": "y"}}).to_string();
    let send = async |query: &str| {
        let request = http::Request::post(format!("/api/v1/namespaces/{SPACE}/configmaps?{query}"))
            .header("content-type", "application/json")
            .body(kube::client::Body::from(body.clone().into_bytes()))
            .unwrap();
        client.send(request).await.unwrap()
    };
    let strict = send("fieldValidation=Strict").await;
    assert_eq!(strict.status(), 400);
    let status: Value = serde_json::from_slice(&strict.into_body().collect_bytes().await.unwrap()).unwrap();
    assert_eq!(
        status["message"],
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dataa\""
    );
    assert!(maps(&client).get_opt("a").await.unwrap().is_none());
    let warned = send("").await;
    assert_eq!(warned.status(), 201);
    assert_eq!(warned.headers()["warning"], "299 - \"unknown field \\\"dataa\\\"\"");
}
