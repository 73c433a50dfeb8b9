//! A client that means no good: what it sends is answered with the 4xx that Kubernetes gives, and changes nothing.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Request;
use kube::client::Body;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::cluster::embedded::face::ownership::Managers;
use crate::model::profile::Profile;
use crate::simulation::world::World;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn world() -> kube::Client {
    let world = World::new(Arc::new(Profile::built_in("kind").unwrap()), 0);
    let driver = Driver::start(world, 0, Pace::Virtual).await.unwrap();
    Face::new(driver).unwrap().client()
}

async fn send(client: &kube::Client, method: &str, path: &str, media: &str, body: Vec<u8>) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media);
    let answer = client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn nested(open: &str, close: &str) -> Vec<u8> {
    format!("{}{}", open.repeat(10_000), close.repeat(10_000)).into_bytes()
}

fn laughs() -> Vec<u8> {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    text.into_bytes()
}

#[rstest]
#[case("POST", "application/json", nested("{\"a\":", "}"), 400)]
#[case("POST", "application/json", nested("[", "]"), 400)]
#[case("POST", "application/yaml", nested("{a: ", "}"), 400)]
#[case("POST", "application/yaml", nested("- ", ""), 400)]
#[case("POST", "application/yaml", laughs(), 400)]
#[case("POST", "application/json", b"{\"metadata\": {\"name\": \"\xff\xfe\"}}".to_vec(), 400)]
#[case("POST", "application/json", b"nonsense".to_vec(), 400)]
#[case("POST", "application/json", vec![b' '; 20 << 20], 413)]
#[case("POST", "text/html", b"{}".to_vec(), 415)]
#[case("PATCH", "application/json", b"{}".to_vec(), 415)]
#[case("PATCH", "application/merge-patch+json", nested("{\"a\":", "}"), 400)]
#[case("PATCH", "application/apply-patch+yaml", laughs(), 400)]
#[case("PATCH", "application/json-patch+json", b"{}".to_vec(), 400)]
#[tokio::test]
async fn a_body_that_means_no_good_is_refused(
    #[case] method: &str,
    #[case] media: &str,
    #[case] body: Vec<u8>,
    #[case] expected: u16,
) {
    let client = world().await;
    let map = br#"{"metadata": {"name": "a"}}"#.to_vec();
    assert_eq!(send(&client, "POST", MAPS, "application/json", map).await.0, 201);
    let path = if method == "PATCH" {
        format!("{MAPS}/a?fieldManager=me")
    } else {
        MAPS.to_owned()
    };
    let (code, status) = send(&client, method, &path, media, body).await;
    assert_eq!((code, &status["kind"]), (expected, &json!("Status")), "{status}");
}

#[rstest]
#[case("labelSelector=%28%28", 400)]
#[case("fieldSelector=nonsense", 400)]
#[case("limit=-1", 400)]
#[case("continue=%00%01", 400)]
#[case("resourceVersion=-5", 400)]
#[case("watch=1&resourceVersion=rubbish", 422)]
#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused(#[case] query: &str, #[case] expected: u16) {
    let client = world().await;
    let (code, status) = send(&client, "GET", &format!("{MAPS}?{query}"), "", Vec::new()).await;
    assert_eq!((code, &status["kind"]), (expected, &json!("Status")), "{status}");
}

/// Any JSON, with keys that mean something among them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/$.]{0,6}".prop_map(Value::from),
        Just(json!("delete")),
        Just(json!("a")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("metadata".to_owned()),
            Just("spec".to_owned()),
            Just("status".to_owned()),
            Just("containers".to_owned()),
            Just("template".to_owned()),
            Just("name".to_owned()),
            Just("labels".to_owned()),
            Just("managedFields".to_owned()),
            Just("$patch".to_owned()),
            Just("$retainKeys".to_owned()),
            Just("$setElementOrder/containers".to_owned()),
            Just("finalizers".to_owned()),
            Just("ownerReferences".to_owned()),
            "[a-z.~/]{0,5}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|fields| json!(fields)),
        ]
    })
}

fn writes() -> impl Strategy<Value = (&'static str, &'static str, &'static str)> {
    prop::sample::select(vec![
        ("POST", "", "application/json"),
        ("POST", "", "application/yaml"),
        ("PUT", "/a", "application/json"),
        ("PUT", "/a/status", "application/json"),
        ("PATCH", "/a", "application/merge-patch+json"),
        ("PATCH", "/a", "application/strategic-merge-patch+json"),
        ("PATCH", "/a", "application/json-patch+json"),
        ("PATCH", "/a?fieldManager=f&force=true", "application/apply-patch+yaml"),
        ("PATCH", "/a/status", "application/merge-patch+json"),
        ("PATCH", "/a/scale", "application/merge-patch+json"),
        ("DELETE", "/a?dryRun=All", "application/json"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_write_corrupts_an_object(sent in prop::collection::vec((writes(), value(), any::<bool>()), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let client = world().await;
            let path = "/apis/apps/v1/namespaces/default/deployments";
            let typed = |mut value: Value, complete: bool| {
                if complete && value.is_object() {
                    value["apiVersion"] = json!("apps/v1");
                    value["kind"] = json!("Deployment");
                    if !value["metadata"].is_object() {
                        value["metadata"] = json!({});
                    }
                    value["metadata"]["name"] = json!("a");
                }
                value
            };
            let first = json!({"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}}});
            let (code, _) = send(&client, "POST", path, "application/json", first.to_string().into_bytes()).await;
            prop_assert_eq!(code, 201);
            for ((method, rest, media), value, complete) in sent {
                let before = send(&client, "GET", &format!("{path}/a"), "", Vec::new()).await.1;
                let body = typed(value, complete).to_string();
                let (code, answer) =
                    send(&client, method, &format!("{path}{rest}"), media, body.clone().into_bytes()).await;
                prop_assert!(code < 500 || answer["reason"].is_null(), "{} {}: {}", method, body, answer);
                let (found, after) = send(&client, "GET", &format!("{path}/a"), "", Vec::new()).await;
                prop_assert_eq!(found, 200);
                if code >= 400 {
                    prop_assert_eq!(&after, &before, "{} {} was refused", method, body);
                }
                let read: Result<k8s_openapi::api::apps::v1::Deployment, _> = serde_json::from_value(after.clone());
                prop_assert!(read.is_ok(), "{:?}", read);
                prop_assert!(Managers::from_json(&after["metadata"]["managedFields"]).is_some());
            }
            Ok(())
        })?;
    }
}
