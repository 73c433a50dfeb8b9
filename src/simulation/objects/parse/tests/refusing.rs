use rstest::rstest;
use serde_json::json;

use super::super::*;
use super::{causes, deployment, pod, service, with};
use crate::simulation::objects::resources::CONFIG_MAPS;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

#[test]
fn another_type_is_a_bad_request_that_names_the_field() {
    let error = super::super::deployment(&with(deployment(), "/spec/replicas", json!("three"))).unwrap_err();
    assert_eq!(
        error,
        ApiError::BadRequest(
            "Deployment in version \"v1\" cannot be handled as a Deployment: spec.replicas: invalid type: string \"three\", \
             expected i32"
                .into()
        )
    );
    let error = super::super::pod(&with(
        pod(),
        "/spec/containers/0/env",
        json!([{"name": "A", "value": 1}]),
    ))
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("spec.containers[0].env[0].value: invalid type"),
        "{error}"
    );
    let error = super::super::pod(&deployment()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Deployment in version \"v1\" cannot be handled as a Pod"),
        "{error}"
    );
    let error = super::super::deployment(&with(deployment(), "/apiVersion", json!("apps/v1beta1"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)"
    );
    assert!(matches!(
        stored(CONFIG_MAPS, &deployment()),
        Err(ApiError::BadRequest(_))
    ));
}

#[test]
fn a_refusal_names_the_object_and_its_field() {
    let error = super::super::deployment(&with(deployment(), "/metadata/name", json!("X_"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Deployment.apps \"X_\" is invalid: metadata.name: Invalid value: \"X_\": {SUBDOMAIN}")
    );
}

#[rstest]
#[case("/metadata", json!({}), "metadata.name: Required value: name or generateName is required")]
#[case("/metadata/labels", json!({"a/b/c": ""}), "metadata.labels: Invalid value: \"a/b/c\": ")]
#[case("/spec/replicas", json!(-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0")]
#[case("/spec/selector", json!({}), "spec.selector: Invalid value: {}: empty selector is invalid for deployment")]
#[case(
    "/spec/selector/matchLabels",
    json!({"name": "orders"}),
    "spec.template.metadata.labels: Invalid value: {\"name\":\"carts\"}: `selector` does not match template `labels`"
)]
#[case(
    "/spec/selector/matchExpressions",
    json!([{"key": "a", "operator": "Gt", "values": ["1"]}]),
    "spec.selector.matchExpressions[0].operator: Invalid value: \"Gt\": not a valid selector operator"
)]
#[case(
    "/spec/strategy",
    json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
    "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
)]
#[case(
    "/spec/strategy",
    json!({"rollingUpdate": {"maxSurge": "many"}}),
    "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"many\": a valid percent string must be"
)]
#[case(
    "/spec/strategy",
    json!({"type": "Replace"}),
    "spec.strategy.type: Unsupported value: \"Replace\": supported values: \"Recreate\", \"RollingUpdate\""
)]
#[case("/spec/minReadySeconds", json!(600), "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds")]
#[case("/spec/template/spec/containers", json!([]), "spec.template.spec.containers: Required value")]
#[case(
    "/spec/template/spec/containers",
    json!([{"name": "a", "image": "a"}, {"name": "a", "image": "a"}]),
    "spec.template.spec.containers[1].name: Duplicate value: \"a\""
)]
#[case("/spec/template/spec/containers/0/name", json!(""), "spec.template.spec.containers[0].name: Required value")]
#[case("/spec/template/spec/containers/0/image", json!(""), "spec.template.spec.containers[0].image: Required value")]
#[case(
    "/spec/template/spec/containers/0/ports",
    json!([{"containerPort": 70000}]),
    "spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"
)]
#[case(
    "/spec/template/spec/containers/0/volumeMounts",
    json!([{"name": "tmp", "mountPath": "/tmp"}]),
    "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"tmp\""
)]
#[case(
    "/spec/template/spec/containers/0/resources",
    json!({"requests": {"cpu": "lots"}}),
    "spec.template.spec.containers[0].resources.requests.cpu: Invalid value: `lots` is not a quantity"
)]
#[case(
    "/spec/template/spec/restartPolicy",
    json!("Never"),
    "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""
)]
#[case(
    "/spec/template/spec/tolerations",
    json!([{"key": "a", "operator": "Exists", "tolerationSeconds": 5}]),
    "spec.template.spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"
)]
fn deployments_are_refused_in_kubernetes_words(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let causes = causes(super::super::deployment(&with(deployment(), pointer, value)));
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert!(causes[0].starts_with(expected), "{causes:?}");
}

#[rstest]
#[case("/metadata/name", json!("1st"), "metadata.name: Invalid value: \"1st\": a DNS-1035 label must consist of")]
#[case("/spec/ports", json!([]), "spec.ports: Required value")]
#[case("/spec/ports/0/port", json!(0), "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive")]
#[case("/spec/ports/0/nodePort", json!(30001), "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'")]
#[case("/spec/type", json!("Cluster"), "spec.type: Unsupported value: \"Cluster\": supported values: \"ClusterIP\", ")]
#[case("/spec/clusterIP", json!("10.0.0.300"), "spec.clusterIPs[0]: Invalid value: \"10.0.0.300\": must be a valid IP address")]
fn services_are_refused_in_kubernetes_words(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let causes = causes(super::super::service(&with(service(), pointer, value)));
    // A port of 0 is its target's, too.
    assert!(causes[0].starts_with(expected), "{causes:?}");
}

#[rstest]
#[case(29_999, false)]
#[case(30_000, true)]
#[case(32_767, true)]
#[case(32_768, false)]
#[case(98_303, false)]
fn node_ports_have_their_range(#[case] port: i32, #[case] allowed: bool) {
    let written = with(
        with(service(), "/spec/type", json!("NodePort")),
        "/spec/ports/0/nodePort",
        json!(port),
    );
    assert_eq!(super::super::service(&written).is_ok(), allowed);
}

#[test]
fn several_ports_need_names_and_all_faults_are_told_at_once() {
    let ports = json!([{"port": 80, "name": "a"}, {"port": 80, "name": "a"}, {"port": 81}]);
    assert_eq!(
        causes(super::super::service(&with(service(), "/spec/ports", ports))),
        [
            "spec.ports[1].name: Duplicate value: \"a\"",
            "spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}",
            "spec.ports[2].name: Required value",
        ]
    );
}

#[test]
fn only_the_cluster_writes_events_and_endpoint_slices() {
    let object = json!({"metadata": {"name": "e"}});
    assert!(matches!(event(&object), Err(ApiError::Forbidden(_))));
    assert!(matches!(endpoint_slice(&object), Err(ApiError::Forbidden(_))));
}

#[test]
fn other_kinds_check_their_names() {
    let bad = json!({"metadata": {"name": "a.b"}});
    assert!(
        causes(namespace(&bad))[0].starts_with("metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label")
    );
    let bad = json!({"metadata": {"name": "A"}});
    assert_eq!(
        causes(stored(CONFIG_MAPS, &bad)),
        [format!("metadata.name: Invalid value: \"A\": {SUBDOMAIN}")]
    );
    assert_eq!(causes(lease(&bad)).len(), 1);
    assert_eq!(causes(node(&bad)).len(), 1);
    let taints = json!({"metadata": {"name": "n"}, "spec": {"taints": [{"key": "a", "effect": "Never"}]}});
    assert!(causes(node(&taints))[0].starts_with("spec.taints[0].effect: Unsupported value: \"Never\""));
}
