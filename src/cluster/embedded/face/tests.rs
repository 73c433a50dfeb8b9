//! The face as clients see it: a real [`kube::Client`] over a small store.

mod forms;
mod hostile;
mod listing;
mod raw;
pub(crate) mod store;
mod watching;
mod world;
mod writing;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::Face;
use crate::cluster::embedded::driver::{Driver, Pace};
use store::Store;

/// A driven store and its clients.
struct Fixture {
    driver: Driver<Store>,
    client: kube::Client,
}

impl Fixture {
    async fn new() -> Self {
        Self::over(Store::default()).await
    }

    async fn over(store: Store) -> Self {
        let driver = Driver::start(store, 0, Pace::Virtual).await.unwrap();
        let client = Face::new(driver.clone()).unwrap().client();
        Self { driver, client }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "shop")
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), "shop")
    }

    async fn add_pod(&self, name: &str, labels: Value) -> Pod {
        self.pods()
            .create(&PostParams::default(), &pod(name, &labels))
            .await
            .unwrap()
    }
}

fn pod(name: &str, labels: &Value) -> Pod {
    let spec = json!({"nodeName": format!("node-of-{name}"), "containers": [{"name": "main", "image": "shop"}]});
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "spec": spec})).unwrap()
}

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": value}})).unwrap()
}

/// The `Status` of an error.
fn status(error: kube::Error) -> kube::core::Status {
    match error {
        kube::Error::Api(status) => *status,
        other => panic!("no status: {other}"),
    }
}

fn names<K: kube::ResourceExt>(objects: &[K]) -> Vec<String> {
    objects.iter().map(kube::ResourceExt::name_any).collect()
}
