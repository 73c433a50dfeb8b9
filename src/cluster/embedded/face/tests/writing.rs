use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use rstest::rstest;

use super::*;

#[tokio::test]
async fn what_is_created_can_be_read() {
    let fixture = Fixture::new().await;
    let created = fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    assert_eq!(created.namespace().as_deref(), Some("shop"));
    assert_eq!(created.resource_version().as_deref(), Some("2"));
    assert_eq!(fixture.maps().get("settings").await.unwrap(), created);
    let again = status(
        fixture
            .maps()
            .create(&PostParams::default(), &map("settings", "one"))
            .await
            .unwrap_err(),
    );
    assert!(again.is_already_exists());
    assert_eq!(
        (again.code, again.message.as_str()),
        (409, "configmaps \"settings\" already exists")
    );
}

#[tokio::test]
async fn an_invalid_object_says_which_field() {
    let fixture = Fixture::new().await;
    let invalid = status(
        fixture
            .maps()
            .create(&PostParams::default(), &map("a_b", "one"))
            .await
            .unwrap_err(),
    );
    assert!(invalid.is_invalid());
    assert_eq!(invalid.code, 422);
    let details = invalid.details.unwrap();
    assert_eq!((details.kind.as_str(), details.name.as_str()), ("ConfigMap", "a_b"));
    assert_eq!(details.causes[0].field, "metadata.name");
    assert_eq!(details.causes[0].reason, "FieldValueInvalid");
    let nameless = status(
        fixture
            .maps()
            .create(&PostParams::default(), &ConfigMap::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(nameless.details.unwrap().causes[0].reason, "FieldValueRequired");
}

#[tokio::test]
async fn a_name_may_be_left_to_the_cluster() {
    let fixture = Fixture::new().await;
    let mut map = map("", "one");
    map.metadata.name = None;
    map.metadata.generate_name = Some("settings-".to_owned());
    let created = fixture.maps().create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(created.name_any(), "settings-1");
}

#[tokio::test]
async fn a_stale_replace_conflicts() {
    let fixture = Fixture::new().await;
    let first = fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let mut second = first.clone();
    second.data.as_mut().unwrap().insert("key".to_owned(), "two".to_owned());
    fixture
        .maps()
        .replace("settings", &PostParams::default(), &second)
        .await
        .unwrap();
    let stale = status(
        fixture
            .maps()
            .replace("settings", &PostParams::default(), &first)
            .await
            .unwrap_err(),
    );
    assert!(stale.is_conflict());
    assert!(
        stale
            .message
            .starts_with("Operation cannot be fulfilled on configmaps \"settings\": ")
    );
    // Without a version the last write wins.
    fixture
        .maps()
        .replace("settings", &PostParams::default(), &map("settings", "three"))
        .await
        .unwrap();
    assert_eq!(
        fixture.maps().get("settings").await.unwrap().data.unwrap()["key"],
        "three"
    );
    let missing = fixture
        .maps()
        .replace("nobody", &PostParams::default(), &map("nobody", ""))
        .await
        .unwrap_err();
    assert!(status(missing).is_not_found());
}

#[tokio::test]
async fn status_and_the_rest_are_written_apart() {
    let fixture = Fixture::new().await;
    let mut pod = fixture.add_pod("web", json!({"app": "web"})).await;
    pod.status = serde_json::from_value(json!({"phase": "Running"})).unwrap();
    pod.metadata.labels = None;
    let written = fixture
        .pods()
        .replace_status("web", &PostParams::default(), &pod)
        .await
        .unwrap();
    assert_eq!(written.status.as_ref().unwrap().phase.as_deref(), Some("Running"));
    assert_eq!(written.labels()["app"], "web");
    let patch = json!({"status": {"phase": "Failed"}, "metadata": {"labels": {"app": "db"}}});
    let params = PatchParams::default();
    let patched = fixture
        .pods()
        .patch("web", &params, &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(patched.status.as_ref().unwrap().phase.as_deref(), Some("Running"));
    assert_eq!(patched.labels()["app"], "db");
    let patched = fixture
        .pods()
        .patch_status("web", &params, &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(patched.status.as_ref().unwrap().phase.as_deref(), Some("Failed"));
    assert_eq!(fixture.pods().get_status("web").await.unwrap(), patched);
}

#[tokio::test]
async fn a_merge_patch_removes_what_is_null() {
    let fixture = Fixture::new().await;
    fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let patch = |patch: Value| {
        let maps = fixture.maps();
        async move {
            maps.patch("settings", &PatchParams::default(), &Patch::Merge(&patch))
                .await
        }
    };
    let patched = patch(json!({"data": {"key": null, "other": "two"}})).await.unwrap();
    assert_eq!(
        patched.data.unwrap().into_iter().collect::<Vec<_>>(),
        [("other".to_owned(), "two".to_owned())]
    );
    let stale = patch(json!({"metadata": {"resourceVersion": "1"}})).await.unwrap_err();
    assert!(status(stale).is_conflict());
    let renamed = status(patch(json!({"metadata": {"name": "other"}})).await.unwrap_err());
    let message = "the name of the object (other) does not match the name on the URL (settings)";
    assert_eq!((renamed.code, renamed.message.as_str()), (400, message));
    assert_eq!(status(patch(json!([1])).await.unwrap_err()).code, 400);
}

#[tokio::test]
async fn an_object_is_applied_and_who_applied_it_is_known() {
    let fixture = Fixture::new().await;
    let apply = async |manager: &str, value: &str, force: bool| {
        let params = PatchParams::apply(manager);
        let params = if force { params.force() } else { params };
        let change = map("settings", value);
        fixture.maps().patch("settings", &params, &Patch::Apply(&change)).await
    };
    let first = apply("one", "a", false).await.unwrap();
    assert_eq!(
        first.metadata.managed_fields.as_ref().unwrap()[0].manager.as_deref(),
        Some("one")
    );
    let again = apply("one", "a", false).await.unwrap();
    assert_eq!(again.metadata.resource_version, first.metadata.resource_version);
    let refused = status(apply("two", "b", false).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"one\": .data.key"
    );
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", ".data.key")
    );
    let forced = apply("two", "b", true).await.unwrap();
    assert_eq!(forced.data.unwrap()["key"], "b");
    let nobody = PatchParams::default();
    let unnamed = fixture
        .maps()
        .patch("settings", &nobody, &Patch::Apply(map("settings", "c")))
        .await;
    assert_eq!(status(unnamed.unwrap_err()).code, 422);
}

#[tokio::test]
async fn a_delete_answers_as_kubernetes_does() {
    let fixture = Fixture::new().await;
    fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let done = fixture
        .maps()
        .delete("settings", &DeleteParams::default())
        .await
        .unwrap()
        .right()
        .unwrap();
    assert!(done.is_success());
    assert_eq!(done.details.unwrap().kind, "configmaps");
    assert!(
        status(
            fixture
                .maps()
                .delete("settings", &DeleteParams::default())
                .await
                .unwrap_err()
        )
        .is_not_found()
    );
    fixture.add_pod("web", json!({})).await;
    let leaving = fixture
        .pods()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(leaving.metadata.deletion_timestamp.is_some());
    fixture
        .pods()
        .delete("web", &DeleteParams::default().grace_period(0))
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(fixture.pods().get_opt("web").await.unwrap().is_none());
}

#[tokio::test]
async fn a_deletion_has_preconditions() {
    let fixture = Fixture::new().await;
    fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let other = Preconditions {
        uid: Some("another".to_owned()),
        ..Preconditions::default()
    };
    for params in [DeleteParams::default(), DeleteParams::default().dry_run()] {
        let params = params.preconditions(other.clone());
        assert!(status(fixture.maps().delete("settings", &params).await.unwrap_err()).is_conflict());
    }
}

#[tokio::test]
async fn a_selection_can_be_deleted() {
    let fixture = Fixture::new().await;
    for (name, app) in [("one", "web"), ("two", "db"), ("three", "web")] {
        fixture.add_pod(name, json!({"app": app})).await;
    }
    let params = DeleteParams::default().grace_period(0);
    let selection = ListParams::default().labels("app=web");
    let deleted = fixture
        .pods()
        .delete_collection(&params, &selection)
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(names(&deleted.items), ["one", "three"]);
    assert_eq!(
        names(&fixture.pods().list(&ListParams::default()).await.unwrap().items),
        ["two"]
    );
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let fixture = Fixture::new().await;
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    fixture.maps().create(&dry, &map("settings", "one")).await.unwrap();
    assert!(fixture.maps().get_opt("settings").await.unwrap().is_none());
    fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let before = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    fixture
        .maps()
        .replace("settings", &dry, &map("settings", "two"))
        .await
        .unwrap();
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    fixture
        .maps()
        .patch("settings", &params, &Patch::Merge(&json!({"data": {"key": "two"}})))
        .await
        .unwrap();
    fixture
        .maps()
        .delete("settings", &DeleteParams::default().dry_run())
        .await
        .unwrap()
        .right()
        .unwrap();
    let everything = (&DeleteParams::default().dry_run(), &ListParams::default());
    fixture
        .maps()
        .delete_collection(everything.0, everything.1)
        .await
        .unwrap();
    let after = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    assert_eq!(before, after);
}

#[rstest]
#[case(json!({"kind": "Pod"}), "Pod in version \"v1\" cannot be handled as a ConfigMap")]
#[case(json!({"apiVersion": "v2"}), "the API version in the data (v2) does not match the expected API version (v1)")]
#[case(
    json!({"metadata": {"name": "settings", "namespace": "other"}}),
    "the namespace of the provided object does not match the namespace sent on the request"
)]
#[tokio::test]
async fn a_body_must_fit_its_path(#[case] body: Value, #[case] message: &str) {
    let fixture = Fixture::new().await;
    let mut whole = json!({"metadata": {"name": "settings"}});
    crate::simulation::api::merge(&mut whole, &body);
    let refused = raw::send(
        &fixture,
        "POST",
        "/api/v1/namespaces/shop/configmaps",
        "application/json",
        &whole,
    )
    .await;
    assert_eq!(refused.0, 400);
    assert_eq!(refused.1["message"], message);
}
