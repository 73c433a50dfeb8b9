use kube::api::{ListParams, LogParams};
use rstest::rstest;

use super::*;

async fn shop() -> Fixture {
    let fixture = Fixture::new().await;
    for number in 1..=5 {
        let tier = if number % 2 == 0 { "even" } else { "odd" };
        fixture
            .add_pod(
                &format!("pod-{number}"),
                json!({"tier": tier, "number": number.to_string()}),
            )
            .await;
    }
    fixture
}

#[tokio::test]
async fn a_list_has_what_was_created_and_the_version_it_shows() {
    let fixture = shop().await;
    let list = fixture.pods().list(&ListParams::default()).await.unwrap();
    assert_eq!(names(&list.items), ["pod-1", "pod-2", "pod-3", "pod-4", "pod-5"]);
    assert_eq!(list.metadata.resource_version.as_deref(), Some("6"));
    assert_eq!(list.types.kind, "PodList");
    assert_eq!(list.items[4].metadata.resource_version.as_deref(), Some("6"));
    let elsewhere: Api<Pod> = Api::namespaced(fixture.client.clone(), "elsewhere");
    assert!(elsewhere.list(&ListParams::default()).await.unwrap().items.is_empty());
    let everywhere: Api<Pod> = Api::all(fixture.client.clone());
    assert_eq!(everywhere.list(&ListParams::default()).await.unwrap().items.len(), 5);
}

#[rstest]
#[case("tier=odd", "", 3)]
#[case("tier in (odd,even),number notin (1,2)", "", 3)]
#[case("!tier", "", 0)]
#[case("tier,number!=5", "", 4)]
#[case("", "metadata.name=pod-2", 1)]
#[case("", "metadata.name!=pod-2", 4)]
#[case("", "metadata.namespace=shop", 5)]
#[case("", "spec.nodeName=node-of-pod-3", 1)]
#[case("", "spec.nodeName==node-of-pod-3,metadata.name=pod-4", 0)]
#[case("", "status.phase=", 5)]
#[case("tier=odd", "metadata.name=pod-1", 1)]
#[tokio::test]
async fn selectors_select(#[case] labels: &str, #[case] fields: &str, #[case] count: usize) {
    let fixture = shop().await;
    let list = fixture
        .pods()
        .list(&ListParams::default().labels(labels).fields(fields))
        .await
        .unwrap();
    assert_eq!(list.items.len(), count);
}

#[rstest]
#[case("", "spec.replicas=3", "field label not supported: spec.replicas")]
#[case(
    "",
    "metadata.name",
    "invalid selector: 'metadata.name'; can't understand 'metadata.name'"
)]
#[case("tier in", "", "unable to parse requirement: found '', expected: '('")]
#[tokio::test]
async fn a_bad_selector_is_a_bad_request(#[case] labels: &str, #[case] fields: &str, #[case] message: &str) {
    let fixture = shop().await;
    let refused = fixture
        .pods()
        .list(&ListParams::default().labels(labels).fields(fields))
        .await
        .unwrap_err();
    let status = status(refused);
    assert_eq!((status.code, status.reason.as_str()), (400, "BadRequest"));
    assert_eq!(status.message, message);
}

#[tokio::test]
async fn other_kinds_know_two_fields() {
    let fixture = shop().await;
    let refused = fixture
        .maps()
        .list(&ListParams::default().fields("data.key=1"))
        .await
        .unwrap_err();
    let message = "\"data.key\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    assert_eq!(status(refused).message, message);
}

#[tokio::test]
async fn events_are_selected_by_what_they_are_about() {
    let fixture = Fixture::new().await;
    let events: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(fixture.client.clone(), "shop");
    for (name, reason) in [("web", "Killing"), ("db", "Pulled")] {
        let event = json!({
            "metadata": {"name": name}, "reason": reason, "type": "Normal",
            "involvedObject": {"kind": "Pod", "name": name}, "source": {"component": "kubelet"},
        });
        events
            .create(&PostParams::default(), &serde_json::from_value(event).unwrap())
            .await
            .unwrap();
    }
    let selector = "involvedObject.name=web,type=Normal,reason=Killing,source=kubelet";
    let found = events.list(&ListParams::default().fields(selector)).await.unwrap();
    assert_eq!(names(&found.items), ["web"]);
}

#[tokio::test]
async fn pages_show_one_state_whatever_happens_meanwhile() {
    let fixture = shop().await;
    let params = ListParams::default().limit(2);
    let first = fixture.pods().list(&params).await.unwrap();
    assert_eq!(names(&first.items), ["pod-1", "pod-2"]);
    assert_eq!(first.metadata.remaining_item_count, Some(3));

    fixture
        .pods()
        .delete("pod-4", &kube::api::DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    fixture.add_pod("pod-2a", json!({})).await;
    fixture.add_pod("pod-4", json!({"tier": "new"})).await;

    let second = params.clone().continue_token(&first.metadata.continue_.unwrap());
    let second = fixture.pods().list(&second).await.unwrap();
    assert_eq!(names(&second.items), ["pod-3", "pod-4"]);
    assert_eq!(second.items[1].metadata.labels.as_ref().unwrap()["tier"], "even");
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    let third = params.clone().continue_token(&second.metadata.continue_.unwrap());
    let third = fixture.pods().list(&third).await.unwrap();
    assert_eq!(names(&third.items), ["pod-5"]);
    assert_eq!(third.metadata.continue_, None);
}

#[tokio::test]
async fn a_page_that_is_too_late_expires_with_a_token_to_go_on() {
    let fixture = shop().await;
    let params = ListParams::default().limit(3);
    let first = fixture.pods().list(&params).await.unwrap();
    fixture.add_pod("pod-6", json!({})).await;
    fixture.driver.with(Store::compact).unwrap();
    let second = params.clone().continue_token(&first.metadata.continue_.unwrap());
    let expired = status(fixture.pods().list(&second).await.unwrap_err());
    assert_eq!((expired.code, expired.reason.as_str()), (410, "Expired"));
    let rest = ListParams::default().continue_token(&expired.metadata.unwrap().continue_.unwrap());
    assert_eq!(
        names(&fixture.pods().list(&rest).await.unwrap().items),
        ["pod-4", "pod-5", "pod-6"]
    );
}

#[tokio::test]
async fn pages_count_what_is_selected() {
    let fixture = shop().await;
    let params = ListParams::default().labels("tier=odd").limit(2);
    let first = fixture.pods().list(&params).await.unwrap();
    assert_eq!(names(&first.items), ["pod-1", "pod-3"]);
    assert_eq!(first.metadata.remaining_item_count, None);
    let second = fixture
        .pods()
        .list(&params.continue_token(&first.metadata.continue_.unwrap()))
        .await
        .unwrap();
    assert_eq!(names(&second.items), ["pod-5"]);
}

#[tokio::test]
async fn versions_of_lists_are_honoured() {
    use kube::api::VersionMatch::{Exact, NotOlderThan};
    let fixture = shop().await;
    let count = async |params: ListParams| fixture.pods().list(&params).await.map(|list| list.items.len());
    assert_eq!(count(ListParams::default().at("0")).await.unwrap(), 5);
    assert_eq!(
        count(ListParams::default().at("3").matching(NotOlderThan))
            .await
            .unwrap(),
        5
    );
    assert_eq!(count(ListParams::default().at("4").matching(Exact)).await.unwrap(), 3);
    let future = status(
        count(ListParams::default().at("9").matching(NotOlderThan))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (future.code, future.message.as_str()),
        (504, "Timeout: Too large resource version: 9, current: 6")
    );
    let nonsense = status(count(ListParams::default().at("x")).await.unwrap_err());
    assert_eq!(nonsense.code, 400);
    fixture.driver.with(Store::compact).unwrap();
    assert_eq!(
        status(count(ListParams::default().at("3").matching(Exact)).await.unwrap_err()).code,
        410
    );
}

#[tokio::test]
async fn a_missing_object_is_not_found() {
    let fixture = shop().await;
    assert!(fixture.pods().get_opt("nobody").await.unwrap().is_none());
    let missing = status(fixture.pods().get("nobody").await.unwrap_err());
    assert!(missing.is_not_found());
    assert_eq!(missing.message, "pods \"nobody\" not found");
    let details = missing.details.unwrap();
    assert_eq!((details.kind.as_str(), details.name.as_str()), ("pods", "nobody"));
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::namespaced(fixture.client, "shop");
    let missing = status(deployments.get("nobody").await.unwrap_err());
    assert_eq!(missing.message, "deployments.apps \"nobody\" not found");
    let details = missing.details.unwrap();
    assert_eq!((details.kind.as_str(), details.group.as_str()), ("deployments", "apps"));
}

#[tokio::test]
async fn metadata_can_be_had_alone() {
    let fixture = shop().await;
    let list = fixture.pods().list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(names(&list.items).len(), 5);
    assert_eq!(list.types.kind, "PartialObjectMetadataList");
    let one = fixture.pods().get_metadata("pod-1").await.unwrap();
    assert_eq!(one.types.unwrap().kind, "PartialObjectMetadata");
    assert_eq!(one.metadata.labels.unwrap()["tier"], "odd");
}

#[tokio::test]
async fn a_log_is_read_from_its_end() {
    let fixture = shop().await;
    let logs = async |tail| {
        fixture
            .pods()
            .logs(
                "pod-1",
                &LogParams {
                    tail_lines: tail,
                    ..LogParams::default()
                },
            )
            .await
            .unwrap()
    };
    assert_eq!(logs(None).await, "pod-1 line 1\npod-1 line 2\npod-1 line 3\n");
    assert_eq!(logs(Some(1)).await, "pod-1 line 3\n");
    fixture.add_pod("silent", json!({})).await;
    let waiting = status(fixture.pods().logs("silent", &LogParams::default()).await.unwrap_err());
    let message = "container \"main\" in pod \"silent\" is waiting to start: ContainerCreating";
    assert_eq!((waiting.code, waiting.message.as_str()), (400, message));
    assert!(status(fixture.pods().logs("nobody", &LogParams::default()).await.unwrap_err()).is_not_found());
}
