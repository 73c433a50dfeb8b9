//! What a typed client does not ask.

use http::Request;
use kube::api::ListParams;
use kube::client::Body;
use rstest::rstest;

use super::*;

/// Sends a request as it is; code and body of the answer.
pub(super) async fn send(fixture: &Fixture, method: &str, path: &str, media: &str, body: &Value) -> (u16, Value) {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    send_text(fixture, method, path, media, text).await
}

async fn send_text(fixture: &Fixture, method: &str, path: &str, media: &str, body: String) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media);
    let request = request.body(Body::from(body.into_bytes())).unwrap();
    let answer = fixture.client.send(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let bytes = body.collect_bytes().await.unwrap();
    let is_json = head.headers["content-type"] == "application/json";
    let text = || Value::String(String::from_utf8(bytes.to_vec()).unwrap());
    (
        head.status.as_u16(),
        if is_json {
            serde_json::from_slice(&bytes).unwrap()
        } else {
            text()
        },
    )
}

async fn get(path: &str) -> (u16, Value) {
    send(&Fixture::new().await, "GET", path, "application/json", &Value::Null).await
}

#[rstest]
#[case("/")]
#[case("/nowhere")]
#[case("/api/v2")]
#[case("/api/v2/pods")]
#[case("/api/v1/widgets")]
#[case("/apis/apps/v1/pods")]
#[case("/apis/widgets.io")]
#[case("/apis/apps/v2")]
#[case("/api/v1/pods/web")]
#[case("/api/v1/namespaces/shop/nodes")]
#[case("/api/v1/namespaces/shop/pods/web/scale")]
#[case("/api/v1/namespaces/shop/configmaps/settings/status")]
#[case("/api/v1/namespaces/shop/pods/web/log/more")]
#[tokio::test]
async fn an_unknown_path_is_not_found(#[case] path: &str) {
    let (code, status) = get(path).await;
    assert_eq!(code, 404);
    assert_eq!(status["kind"], "Status");
    assert_eq!(status["reason"], "NotFound");
    assert_eq!(status["message"], "the server could not find the requested resource");
}

#[rstest]
#[case("PUT", "/api/v1/namespaces/shop/pods")]
#[case("POST", "/api/v1/pods")]
#[case("POST", "/api/v1/namespaces/shop/pods/web")]
#[case("DELETE", "/api/v1/namespaces/shop/pods/web/log")]
#[case("DELETE", "/api/v1/namespaces/shop/pods/web/status")]
#[case("DELETE", "/api/v1/pods")]
#[case("POST", "/version")]
#[tokio::test]
async fn a_method_that_a_path_has_not_is_not_allowed(#[case] method: &str, #[case] path: &str) {
    let fixture = Fixture::new().await;
    let (code, status) = send(&fixture, method, path, "application/json", &json!({})).await;
    assert_eq!((code, &status["reason"]), (405, &json!("MethodNotAllowed")));
}

#[rstest]
#[case("{", 400, "BadRequest")]
#[case("", 400, "BadRequest")]
#[case("[]", 400, "BadRequest")]
#[case("{\"metadata\": {\"name\": \"a\", \"resourceVersion\": \"7\"}}", 500, "")]
#[tokio::test]
async fn a_bad_body_is_refused(#[case] body: &str, #[case] code: u16, #[case] reason: &str) {
    let fixture = Fixture::new().await;
    let path = "/api/v1/namespaces/shop/configmaps";
    let (refused, status) = send_text(&fixture, "POST", path, "application/json", body.to_owned()).await;
    assert_eq!((refused, status["reason"].as_str().unwrap_or_default()), (code, reason));
}

#[tokio::test]
async fn a_body_may_have_three_mebibytes() {
    let fixture = Fixture::new().await;
    let path = "/api/v1/namespaces/shop/configmaps";
    let body = |length: usize| json!({"metadata": {"name": "a"}, "data": {"key": "x".repeat(length)}}).to_string();
    let media = "application/json";
    let (code, status) = send_text(&fixture, "POST", path, media, body(3 << 20)).await;
    assert_eq!((code, &status["reason"]), (413, &json!("RequestEntityTooLarge")));
    assert_eq!(status["message"], "Request entity too large: limit is 3145728");
    assert_eq!(send_text(&fixture, "POST", path, media, body(3_000_000)).await.0, 201);
}

#[rstest]
#[case("POST", "/api/v1/namespaces/shop/configmaps", "text/plain")]
#[case("POST", "/api/v1/namespaces/shop/configmaps", "application/vnd.kubernetes.protobuf")]
#[case("PATCH", "/api/v1/namespaces/shop/configmaps/a", "application/json")]
#[case("PATCH", "/api/v1/namespaces/shop/configmaps/a", "application/apply-patch+cbor")]
#[tokio::test]
async fn another_format_is_unsupported(#[case] method: &str, #[case] path: &str, #[case] media: &str) {
    let fixture = Fixture::new().await;
    let (code, status) = send(&fixture, method, path, media, &json!({})).await;
    assert_eq!((code, &status["reason"]), (415, &json!("UnsupportedMediaType")));
}

#[rstest]
#[case("limit=x")]
#[case("continue=nonsense")]
#[case("continue=5/shop/web&resourceVersion=4")]
#[tokio::test]
async fn a_bad_option_is_a_bad_request(#[case] query: &str) {
    assert_eq!(get(&format!("/api/v1/pods?{query}")).await.0, 400);
}

#[rstest]
#[case("resourceVersionMatch=Exact")]
#[case("resourceVersionMatch=Exact&resourceVersion=0")]
#[case("resourceVersionMatch=Sometimes&resourceVersion=1")]
#[case("sendInitialEvents=true")]
#[case("watch=1&sendInitialEvents=true")]
#[case("watch=1&resourceVersionMatch=NotOlderThan")]
#[case("watch=1&resourceVersion=x")]
#[tokio::test]
async fn contradictory_options_are_invalid(#[case] query: &str) {
    let (code, status) = get(&format!("/api/v1/pods?{query}")).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
    assert_eq!(status["details"]["kind"], "ListOptions");
}

#[tokio::test]
async fn encoded_paths_and_parameters_are_read() {
    let fixture = Fixture::new().await;
    fixture.add_pod("web", json!({"app": "web"})).await;
    let path = "/api/v1/namespaces/sh%6Fp/pods?labelSelector=app+in+%28web%29&pretty";
    let (_, list) = send(&fixture, "GET", path, "application/json", &Value::Null).await;
    assert_eq!(list["items"][0]["metadata"]["name"], "web");
    assert_eq!(list["items"][0]["kind"], Value::Null);
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    for path in ["/healthz", "/readyz", "/livez"] {
        assert_eq!(get(path).await, (200, json!("ok")));
    }
    let fixture = Fixture::new().await;
    assert_eq!(fixture.client.apiserver_version().await.unwrap().major, "1");
    let discovery = kube::Discovery::new(fixture.client.clone()).run().await.unwrap();
    assert!(discovery.has_group("apps"));
    let kind = kube::core::GroupVersionKind::gvk("", "v1", "Pod");
    let (resource, capabilities) = discovery.resolve_gvk(&kind).unwrap();
    assert_eq!(resource.plural, "pods");
    assert_eq!(capabilities.scope, kube::discovery::Scope::Namespaced);
    assert!(capabilities.supports_operation(kube::discovery::verbs::WATCH));
    assert!(
        capabilities
            .subresources
            .iter()
            .any(|(subresource, _)| subresource.plural == "status")
    );
    let pods: Api<kube::api::DynamicObject> = Api::default_namespaced_with(fixture.client.clone(), &resource);
    assert!(pods.list(&ListParams::default()).await.unwrap().items.is_empty());
    let (code, group) = get("/apis/apps").await;
    assert_eq!(
        (code, &group["preferredVersion"]["groupVersion"]),
        (200, &json!("apps/v1"))
    );
}
