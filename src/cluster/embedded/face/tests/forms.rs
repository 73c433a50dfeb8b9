//! The forms in which a client may read: tables, discovery in one answer, documents.

use http::Request;
use kube::client::Body;

use super::raw::send;
use super::*;

const JSON: &str = "application/json";

#[tokio::test]
async fn a_client_gets_the_first_form_it_accepts_that_there_is() {
    let fixture = Fixture::new().await;
    let ask = async |accept: &str| {
        let (code, list) = accepting(&fixture, "/api/v1/pods", accept).await;
        (code, list["kind"].as_str().unwrap().to_owned())
    };
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let old = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
    for (accept, code, kind) in [
        (table, 200, "Table"),
        (&format!("{table},{old},application/json"), 200, "Table"),
        (&format!("{old},application/json"), 200, "PodList"),
        ("application/vnd.kubernetes.protobuf, */*", 200, "PodList"),
        (old, 406, "Status"),
        ("application/vnd.kubernetes.protobuf", 406, "Status"),
    ] {
        assert_eq!(ask(accept).await, (code, kind.to_owned()), "{accept}");
    }
}

/// The answer to a GET with an `Accept` header.
async fn accepting(fixture: &Fixture, path: &str, accept: &str) -> (u16, Value) {
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let response = fixture.client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_table_has_a_row_for_each_object_and_pages_like_a_list() {
    let fixture = Fixture::new().await;
    for name in ["a", "b", "c"] {
        fixture.add_pod(name, json!({})).await;
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let (_, page) = accepting(&fixture, "/api/v1/pods?limit=2", table).await;
    let names = |page: &Value| -> Vec<String> {
        let rows = page["rows"].as_array().unwrap().iter();
        rows.map(|row| row["object"]["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&page), ["a", "b"]);
    assert_eq!(page["columnDefinitions"][0]["name"], "Name");
    assert_eq!(page["rows"][0]["cells"][0], "a");
    let token = page["metadata"]["continue"].as_str().unwrap();
    let (_, page) = accepting(&fixture, &format!("/api/v1/pods?limit=2&continue={token}"), table).await;
    assert_eq!(names(&page), ["c"]);
    let (_, one) = accepting(&fixture, "/api/v1/namespaces/shop/pods/b?includeObject=Object", table).await;
    assert_eq!(one["rows"][0]["object"]["spec"]["nodeName"], "node-of-b");
    let (code, _) = accepting(&fixture, "/api/v1/pods?includeObject=Some", table).await;
    assert_eq!(code, 400);
}

#[tokio::test]
async fn discovery_in_one_answer_says_what_the_many_say() {
    let fixture = Fixture::new().await;
    let wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    for (root, list) in [("/api", "/api/v1"), ("/apis", "/apis/apps/v1")] {
        let (_, all) = accepting(&fixture, root, wanted).await;
        assert_eq!(all["kind"], "APIGroupDiscoveryList");
        let group = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|group| root == "/api" || group["metadata"]["name"] == "apps");
        let mut nested: Vec<String> = Vec::new();
        for resource in group.unwrap()["versions"][0]["resources"].as_array().unwrap() {
            let name = resource["resource"].as_str().unwrap();
            nested.push(name.to_owned());
            let parts = resource["subresources"].as_array().into_iter().flatten();
            nested.extend(parts.map(|part| format!("{name}/{}", part["subresource"].as_str().unwrap())));
        }
        let (_, flat) = accepting(&fixture, list, JSON).await;
        let flat = flat["resources"].as_array().unwrap().iter();
        let mut flat: Vec<String> = flat
            .map(|resource| resource["name"].as_str().unwrap().to_owned())
            .collect();
        nested.sort();
        flat.sort();
        assert_eq!(nested, flat);
        assert!(nested.iter().any(|name| name.ends_with("/status")), "{nested:?}");
    }
}

#[tokio::test]
async fn the_documents_say_of_every_kind_that_its_fields_are_validated() {
    let fixture = Fixture::new().await;
    let (_, index) = accepting(&fixture, "/openapi/v3", JSON).await;
    let mut kinds = 0;
    for (_, document) in index["paths"].as_object().unwrap() {
        let url = document["serverRelativeURL"].as_str().unwrap();
        let (_, document) = accepting(&fixture, url, JSON).await;
        for (path, operations) in document["paths"].as_object().unwrap() {
            if !path.ends_with("/{name}") {
                continue;
            }
            let patch = &operations["patch"];
            let parameters = patch["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|it| it["name"] == "fieldValidation"), "{path}");
            assert!(patch["x-kubernetes-group-version-kind"]["kind"].is_string(), "{path}");
            kinds += 1;
        }
    }
    assert!(kinds > 3, "{kinds} kinds");
    assert_eq!(accepting(&fixture, "/openapi/v3/apis/nowhere/v1", JSON).await.0, 404);
    assert_eq!(accepting(&fixture, "/openapi/v2", JSON).await.1["swagger"], "2.0");
}

#[tokio::test]
async fn whoever_asks_may_do_everything() {
    let fixture = Fixture::new().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let question = json!({"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}});
    let (code, answer) = send(&fixture, "POST", path, "application/json", &question).await;
    assert_eq!(
        (code, &answer["status"]["allowed"], &answer["spec"]),
        (201, &json!(true), &question["spec"])
    );
    assert_eq!(accepting(&fixture, path, JSON).await.0, 405);
}
