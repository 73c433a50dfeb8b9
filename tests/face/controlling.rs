//! A real controller on the embedded cluster: for every ConfigMap with a label it keeps a Deployment of so many replicas.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::wait::await_condition;
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde_json::json;
use steadfast::{NodeFailure, Units as _};
use tokio::time::{Instant, timeout};

use super::small::{SPACE, cluster, deployment, deployments, fail, maps, pods};

const LABEL: &str = "tests/replicate";

fn wish(replicas: i32) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": "web", "labels": {LABEL: "yes"}},
        "data": {"replicas": replicas.to_string()},
    }))
    .unwrap()
}

async fn reconcile(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let replicas: i32 = map.data.as_ref().unwrap()["replicas"].parse().unwrap();
    let api = deployments(&client);
    match api.get_opt(&map.name_any()).await? {
        None => {
            api.create(&PostParams::default(), &deployment(&map.name_any(), replicas))
                .await?;
        }
        Some(it) if it.spec.replicas != Some(replicas) => {
            let patch = json!({"spec": {"replicas": replicas}});
            api.patch(&map.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
                .await?;
        }
        Some(_) => {}
    }
    Ok(Action::requeue(Duration::from_secs(3_600)))
}

/// Waits until so many pods are available; how long it took.
async fn available(client: &Client, replicas: i32) -> Duration {
    let start = Instant::now();
    let reached = move |found: Option<&Deployment>| {
        let status = found.and_then(|it| it.status.as_ref());
        status.is_some_and(|it| {
            (it.available_replicas, it.replicas, it.unavailable_replicas.unwrap_or(0))
                == (Some(replicas), Some(replicas), 0)
        })
    };
    let reached = await_condition(deployments(client), "web", reached);
    timeout(Duration::from_secs(1_800), reached).await.unwrap().unwrap();
    start.elapsed()
}

#[tokio::test]
async fn a_controller_keeps_what_it_is_asked_to_keep_while_a_node_dies() {
    let cluster = cluster().await;
    let client = cluster.client();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let controller = Controller::new(
        maps(&client),
        watcher::Config::default().labels(&format!("{LABEL}=yes")),
    )
    .watches(deployments(&client), watcher::Config::default(), |it| {
        Some(ObjectRef::new(&it.name_any()).within(SPACE))
    })
    .graceful_shutdown_on(stopped.map(drop))
    .run(reconcile, |_, error, _| panic!("{error}"), Arc::new(client.clone()))
    .for_each(|_| std::future::ready(()));
    let controller = tokio::spawn(controller);

    maps(&client).create(&PostParams::default(), &wish(3)).await.unwrap();
    maps(&client)
        .create(&PostParams::default(), &super::small::map("other", "without the label"))
        .await
        .unwrap();
    available(&client, 3).await;
    assert_eq!(
        deployments(&client)
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );

    // Somebody else scales; the controller has the last word.
    let patch = json!({"spec": {"replicas": 1}});
    deployments(&client)
        .patch("web", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    tokio::time::sleep(1.secs()).await;
    available(&client, 3).await;
    assert_eq!(deployments(&client).get("web").await.unwrap().spec.replicas, Some(3));

    // A node dies, and meanwhile the wish changes and the Deployment is deleted.
    let meanwhile = async {
        tokio::time::sleep(3.mins()).await;
        let patch = json!({"data": {"replicas": "5"}});
        maps(&client)
            .patch("web", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        available(&client, 5).await;
        deployments(&client)
            .delete("web", &DeleteParams::default())
            .await
            .unwrap();
        tokio::time::sleep(1.secs()).await;
        available(&client, 5).await;
    };
    let (report, ()) = tokio::join!(fail(&cluster, NodeFailure::terminate().count(1)), meanwhile);
    assert_eq!(report.analysis().nodes.struck.len(), 1);
    let ready = pods(&client)
        .list(&ListParams::default().labels("app=web"))
        .await
        .unwrap();
    assert_eq!(
        ready.items.len(),
        5,
        "{:?}",
        ready.items.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>()
    );

    stop.send(()).unwrap();
    timeout(Duration::from_secs(60), controller).await.unwrap().unwrap();
}
