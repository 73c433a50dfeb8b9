//! The face over the simulation itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::ResourceExt;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::await_condition;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::model::fault::Mode;
use crate::model::profile::Profile;
use crate::simulation::world::World;

struct Shop {
    driver: Driver<World>,
    client: kube::Client,
}

impl Shop {
    /// A cluster with three nodes or so, and an empty namespace.
    async fn new() -> Self {
        let world = World::new(Arc::new(Profile::built_in("kind").unwrap()), 7);
        let driver = Driver::start(world, 0, Pace::Virtual).await.unwrap();
        let client = Face::new(driver.clone()).unwrap().client();
        let namespace = serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        Self { driver, client }
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), "shop")
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "shop")
    }

    async fn deploy(&self, name: &str, replicas: u32) {
        let labels = json!({"app": name});
        let deployment = json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "main", "image": "shop:1"}]},
                },
            },
        });
        let deployment = serde_json::from_value(deployment).unwrap();
        self.deployments()
            .create(&PostParams::default(), &deployment)
            .await
            .unwrap();
        let is_up = move |found: Option<&Deployment>| {
            let status = found.and_then(|deployment| deployment.status.as_ref());
            status.and_then(|status| status.available_replicas) == i32::try_from(replicas).ok()
        };
        timeout(
            Duration::from_secs(300),
            await_condition(self.deployments(), name, is_up),
        )
        .await
        .unwrap()
        .unwrap();
    }

    fn everywhere(&self, group: &str, kind: &str) -> Api<DynamicObject> {
        Api::all_with(
            self.client.clone(),
            &ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind)),
        )
    }
}

/// Name and version of every object.
type State = BTreeMap<(String, String), String>;

fn entry(object: &impl ResourceExt) -> ((String, String), String) {
    (
        (object.namespace().unwrap_or_default(), object.name_any()),
        object.resource_version().unwrap(),
    )
}

/// Follows a collection for a while by nothing but a watch.
async fn follow(objects: Api<DynamicObject>, from: String, seconds: u32) -> State {
    let params = WatchParams {
        bookmarks: false,
        ..WatchParams::default()
    }
    .timeout(seconds);
    let mut events = objects.watch(&params, &from).await.unwrap().boxed();
    let mut state = State::new();
    let mut last = 0;
    while let Some(event) = events.try_next().await.unwrap() {
        let (object, change) = match &event {
            WatchEvent::Added(object) => (object, (false, true)),
            WatchEvent::Modified(object) => (object, (true, true)),
            WatchEvent::Deleted(object) => (object, (true, false)),
            other => panic!("{other:?}"),
        };
        let (key, version) = entry(object);
        let number: u64 = version.parse().unwrap();
        // The objects to begin with come in the order of their names.
        assert!(
            from == "0" || number > last,
            "{event:?} of {key:?}: version {number} after {last}"
        );
        last = number;
        let was = if change.1 {
            state.insert(key.clone(), version)
        } else {
            state.remove(&key)
        };
        assert_eq!(was.is_some(), change.0, "{event:?} of {key:?}");
    }
    state
}

#[tokio::test]
async fn a_watch_alone_gives_what_a_list_shows() {
    let shop = Shop::new().await;
    let kinds = [
        ("", "Pod"),
        ("", "Node"),
        ("", "Event"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("", "Service"),
    ];
    let slices = ("discovery.k8s.io", "EndpointSlice");
    let followed: Vec<_> = kinds
        .into_iter()
        .chain([slices])
        .map(|(group, kind)| {
            (
                kind,
                tokio::spawn(follow(shop.everywhere(group, kind), "0".to_owned(), 900)),
            )
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(900);
    shop.deploy("web", 4).await;
    shop.deploy("db", 1).await;
    let scale = json!({"spec": {"replicas": 2}});
    shop.deployments()
        .patch("web", &PatchParams::default(), &Patch::Merge(&scale))
        .await
        .unwrap();
    sleep(Duration::from_secs(60)).await;
    let nodes: Api<Node> = Api::all(shop.client.clone());
    let pods = shop.pods().list(&ListParams::default().labels("app=db")).await.unwrap();
    let victim = pods.items[0].spec.as_ref().unwrap().node_name.clone().unwrap();
    shop.driver
        .with(|world| world.inject(Mode::Terminate, std::slice::from_ref(&victim)))
        .unwrap();
    sleep(Duration::from_secs(400)).await;
    shop.deployments()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    assert!(!nodes.list(&ListParams::default()).await.unwrap().items.is_empty());
    tokio::time::sleep_until(end).await;
    for ((group, kind), (name, task)) in kinds.into_iter().chain([slices]).zip(followed) {
        assert_eq!(kind, name);
        let state = timeout(Duration::from_secs(1), task).await.unwrap().unwrap();
        let list = shop.everywhere(group, kind).list(&ListParams::default()).await.unwrap();
        let listed: State = list.items.iter().map(entry).collect();
        assert_eq!(state, listed, "{kind}: what the watch has told, and what is there");
    }
}

#[tokio::test]
async fn pages_of_the_world_make_the_list() {
    let shop = Shop::new().await;
    shop.deploy("web", 5).await;
    let pods = shop.everywhere("", "Pod");
    let whole = pods.list(&ListParams::default()).await.unwrap();
    let mut params = ListParams::default().limit(1);
    let mut paged: Vec<DynamicObject> = Vec::new();
    loop {
        let page = pods.list(&params).await.unwrap();
        assert_eq!(page.metadata.resource_version, whole.metadata.resource_version);
        paged.extend(page.items);
        // The world changes between the pages.
        let scale = json!({"spec": {"replicas": paged.len() % 3}});
        shop.deployments()
            .patch("web", &PatchParams::default(), &Patch::Merge(&scale))
            .await
            .unwrap();
        sleep(Duration::from_secs(2)).await;
        match page.metadata.continue_ {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(paged, whole.items);
}

#[tokio::test]
async fn the_world_refuses_as_kubernetes_does() {
    let shop = Shop::new().await;
    let elsewhere: Api<ConfigMap> = Api::namespaced(shop.client.clone(), "nowhere");
    let missing = status(
        elsewhere
            .create(&PostParams::default(), &map("settings", "one"))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );
    shop.deploy("web", 1).await;
    let web = shop.deployments().get("web").await.unwrap();
    let again = Deployment {
        metadata: kube::core::ObjectMeta {
            resource_version: None,
            ..web.metadata
        },
        ..web
    };
    assert!(
        status(
            shop.deployments()
                .create(&PostParams::default(), &again)
                .await
                .unwrap_err()
        )
        .is_already_exists()
    );
    let stale = json!({"metadata": {"resourceVersion": "1"}});
    let stale = shop
        .deployments()
        .patch("web", &PatchParams::default(), &Patch::Merge(&stale))
        .await
        .unwrap_err();
    assert!(status(stale).is_conflict());
    let invalid = json!({"spec": {"replicas": -1}});
    let invalid = shop
        .deployments()
        .patch("web", &PatchParams::default(), &Patch::Merge(&invalid))
        .await
        .unwrap_err();
    assert!(status(invalid).is_invalid());
}

#[tokio::test]
async fn every_kind_of_the_world_can_be_listed_and_reads_as_it_says() {
    let shop = Shop::new().await;
    shop.deploy("web", 2).await;
    let discovery = kube::Discovery::new(shop.client.clone()).run().await.unwrap();
    let mut kinds = 0;
    for group in discovery.groups() {
        for (resource, _) in group.recommended_resources() {
            let list = Api::<DynamicObject>::all_with(shop.client.clone(), &resource);
            let list = list.list(&ListParams::default()).await.unwrap();
            assert_eq!(list.types.kind, format!("{}List", resource.kind));
            kinds += 1;
        }
    }
    assert!(kinds > 10);
    let pod = &shop
        .pods()
        .list(&ListParams::default().labels("app=web"))
        .await
        .unwrap()
        .items[0];
    let node = pod.spec.as_ref().unwrap().node_name.clone().unwrap();
    let fields = format!(
        "spec.nodeName={node},status.phase=Running,metadata.name={}",
        pod.name_any()
    );
    let found = shop.pods().list(&ListParams::default().fields(&fields)).await.unwrap();
    assert_eq!(names(&found.items), [pod.name_any()]);
    assert_eq!(shop.pods().get(&pod.name_any()).await.unwrap(), *pod);
}
