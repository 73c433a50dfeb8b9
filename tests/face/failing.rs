//! Errors as kube maps them.

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::small::{cluster, deployment, deployments, map, maps, status};

#[tokio::test]
async fn what_is_not_there_is_404() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    let missing = status(api.get("nobody").await);
    assert_eq!((missing.code, missing.reason.as_str()), (404, "NotFound"));
    assert_eq!(missing.message, "deployments.apps \"nobody\" not found");
    assert!(api.get_opt("nobody").await.unwrap().is_none());
    assert!(status(api.delete("nobody", &DeleteParams::default()).await).is_not_found());
    let patch = json!({"spec": {"replicas": 1}});
    assert!(
        status(
            api.patch("nobody", &PatchParams::default(), &Patch::Merge(&patch))
                .await
        )
        .is_not_found()
    );
    let elsewhere: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::namespaced(cluster.client(), "nowhere");
    assert!(status(elsewhere.create(&PostParams::default(), &map("a", "b")).await).is_not_found());
    // An empty namespace that does not exist lists nothing, as in Kubernetes.
    assert_eq!(elsewhere.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn what_is_there_already_or_has_changed_is_409() {
    let cluster = cluster().await;
    let api = maps(&cluster.client());
    let first = api.create(&PostParams::default(), &map("settings", "1")).await.unwrap();
    let again = status(api.create(&PostParams::default(), &map("settings", "2")).await);
    assert!(again.is_already_exists() && again.code == 409, "{again:?}");
    let mut second = first.clone();
    second.data = map("", "2").data;
    api.replace("settings", &PostParams::default(), &second).await.unwrap();
    let stale = status(api.replace("settings", &PostParams::default(), &second).await);
    assert!(stale.is_conflict() && stale.code == 409, "{stale:?}");
    let only_first = DeleteParams::default().preconditions(Preconditions {
        uid: first.uid(),
        resource_version: first.resource_version(),
    });
    assert!(status(api.delete("settings", &only_first).await).is_conflict());
    assert_eq!(api.get("settings").await.unwrap().data, map("", "2").data);
}

#[tokio::test]
async fn what_makes_no_sense_is_422_with_its_field() {
    let cluster = cluster().await;
    let api = deployments(&cluster.client());
    let mut wrong = deployment("web", 1);
    wrong.spec.template.metadata = None;
    let invalid = status(api.create(&PostParams::default(), &wrong).await);
    assert!(invalid.is_invalid() && invalid.code == 422, "{invalid:?}");
    let details = invalid.details.unwrap();
    assert!(
        details
            .causes
            .iter()
            .any(|cause| cause.field.contains("spec.template.metadata.labels")),
        "{details:?}"
    );
    api.create(&PostParams::default(), &deployment("web", 1)).await.unwrap();
    let patch = json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}});
    let immutable = status(api.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await);
    assert!(immutable.is_invalid(), "{immutable:?}");
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_page_that_comes_too_late_is_410() {
    let cluster = cluster().await;
    let api = maps(&cluster.client());
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &map(name, "0")).await.unwrap();
    }
    let first = api.list(&ListParams::default().limit(1)).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    for n in 0..9_000 {
        let patch = json!({"data": {"key": n.to_string()}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
    let late = status(api.list(&ListParams::default().limit(1).continue_token(&token)).await);
    assert_eq!((late.code, late.reason.as_str()), (410, "Expired"));
}
