//! Custom resources: a definition makes its kind served, as an operator's author expects.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::small::{SPACE, cluster};

fn definition(subresources: &Value) -> CustomResourceDefinition {
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage, "subresources": subresources,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        })
    };
    serde_json::from_value(json!({
        "metadata": {"name": "backups.shop.example"},
        "spec": {
            "group": "shop.example", "scope": "Namespaced", "names": {"plural": "backups", "kind": "Backup"},
            "versions": [version("v1alpha1", false), version("v1", true)],
        },
    }))
    .unwrap()
}

fn backups(client: &Client, version: &str) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("shop.example", version, "Backup"));
    Api::namespaced_with(client.clone(), SPACE, &kind)
}

fn backup(name: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "shop.example/v1", "kind": "Backup", "metadata": {"name": name}, "spec": {"every": "1h"},
    }))
    .unwrap()
}

#[tokio::test]
async fn a_definition_makes_its_kind_served_until_it_goes() {
    let cluster = cluster().await;
    let client = cluster.client();
    let api = backups(&client, "v1");
    assert!(api.list(&ListParams::default()).await.is_err());
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&PostParams::default(), &definition(&json!({"status": {}})))
        .await
        .unwrap();
    let established = await_condition(
        definitions.clone(),
        "backups.shop.example",
        conditions::is_crd_established(),
    );
    established.await.unwrap();

    api.create(&PostParams::default(), &backup("nightly")).await.unwrap();
    // The same object in another version.
    let old = backups(&client, "v1alpha1").get("nightly").await.unwrap();
    assert_eq!(old.types.unwrap().api_version, "shop.example/v1alpha1");
    assert_eq!(old.data["spec"]["every"], "1h");
    // The status is apart from the rest.
    let params = PatchParams::default();
    let done = json!({"spec": {"every": "never"}, "status": {"done": 3}});
    let patched = api
        .patch_status("nightly", &params, &Patch::Merge(&done))
        .await
        .unwrap();
    assert_eq!(
        (&patched.data["spec"]["every"], &patched.data["status"]["done"]),
        (&json!("1h"), &json!(3))
    );
    let patched = api
        .patch("nightly", &params, &Patch::Merge(&json!({"status": {"done": 9}})))
        .await
        .unwrap();
    assert_eq!(patched.data["status"]["done"], 3);
    // Applied by two, with their fields apart.
    let mine = json!({"apiVersion": "shop.example/v1", "kind": "Backup", "metadata": {"name": "nightly"}, "spec": {"keep": 7}});
    let applied = api
        .patch("nightly", &PatchParams::apply("ci"), &Patch::Apply(&mine))
        .await
        .unwrap();
    assert_eq!(applied.data["spec"], json!({"every": "1h", "keep": 7}));

    let discovery = kube::Discovery::new(client.clone()).run().await.unwrap();
    assert!(
        discovery
            .resolve_gvk(&GroupVersionKind::gvk("shop.example", "v1", "Backup"))
            .is_some()
    );

    definitions
        .delete("backups.shop.example", &DeleteParams::default())
        .await
        .unwrap();
    assert!(api.list(&ListParams::default()).await.is_err());
    definitions
        .create(&PostParams::default(), &definition(&Value::Null))
        .await
        .unwrap();
    assert!(api.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_invalid() {
    let cluster = cluster().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let mut wrong = definition(&Value::Null);
    wrong.metadata.name = Some("backups".to_owned());
    let error = definitions.create(&PostParams::default(), &wrong).await.unwrap_err();
    assert!(error.to_string().contains("must be spec.names.plural"), "{error}");
}
