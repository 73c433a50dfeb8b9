use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "a literal at every call")]
fn deployment(pod: Value, mut spec: Value) -> Value {
    spec["template"] = json!({"metadata": {"labels": {"name": "carts"}}, "spec": pod});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "carts"}, "spec": spec})
}

#[test]
fn fields_without_effect_are_named_at_their_highest_node() {
    let object = deployment(
        json!({
            "containers": [
                {
                    "name": "a", "image": "a:1", "ports": [{"containerPort": 80, "hostIP": "1.2.3.4"}],
                    "resources": {"requests": {"cpu": 1, "ephemeral-storage": "1Gi"}, "limits": {"memory": "1Gi"}},
                    "securityContext": {"runAsUser": 1, "capabilities": {"drop": ["all"]}},
                },
                {"name": "b", "image": "b:1", "readinessProbe": {"periodSeconds": 1, "httpGet": {"port": 80, "host": "x"}},
                    "lifecycle": {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}, "postStart": {"exec": {"command": ["sleep", "1"]}}},
                    "securityContext": {"runAsUser": 2}},
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {"matchLabels": {"a": "b"}}},
            ]}},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "topologySpreadConstraints": [{"maxSkew": 1}],
        }),
        json!({"replicas": 3, "paused": true, "revisionHistoryLimit": 3, "replica": 4}),
    );
    assert_eq!(
        unmodelled("Deployment", "carts", &object),
        [
            "Deployment/carts: spec.replica",
            "Deployment/carts: spec.template.spec.containers[].lifecycle.preStop.exec",
            "Deployment/carts: spec.template.spec.containers[].readinessProbe.httpGet.host",
            "Deployment/carts: spec.template.spec.containers[].resources.limits",
            "Deployment/carts: spec.template.spec.containers[].securityContext",
        ]
    );
}

#[test]
fn what_equals_a_default_asks_for_nothing() {
    let object = deployment(
        json!({
            "containers": [
                {"name": "a", "image": "mongo", "imagePullPolicy": "Always", "resources": {}, "stdin": false},
                {"name": "b", "image": "b:1", "imagePullPolicy": "IfNotPresent"},
            ],
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}, "enableServiceLinks": true,
            "schedulerName": "default-scheduler", "serviceAccountName": "default", "volumes": [],
        }),
        json!({"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "paused": false}),
    );
    assert_eq!(unmodelled("Deployment", "carts", &object), [""; 0]);

    let object = deployment(
        json!({
            "containers": [{"name": "a", "image": "a:1", "imagePullPolicy": "Always"}],
            "enableServiceLinks": false,
        }),
        json!({}),
    );
    assert_eq!(
        unmodelled("Deployment", "carts", &object),
        [
            "Deployment/carts: spec.template.spec.containers[].imagePullPolicy",
            "Deployment/carts: spec.template.spec.enableServiceLinks",
        ]
    );
}

/// What an API server fills in must not look like a wish of the user's: clients write back what they have read.
#[test]
fn an_object_written_back_as_it_was_read_has_nothing_more() {
    use crate::simulation::api::Project;
    use crate::simulation::objects::parse;
    use crate::simulation::objects::table::Row;

    let object = deployment(
        json!({"containers": [{"name": "a", "image": "a:1"}]}),
        json!({"selector": {"matchLabels": {"name": "carts"}}}),
    );
    let (meta, body) = parse::deployment(&object).unwrap();
    assert_eq!(
        unmodelled("Deployment", "carts", &Row { meta, body }.project()),
        [""; 0]
    );

    let object = json!({"metadata": {"name": "carts"}, "spec": {"ports": [{"port": 80}]}});
    let (meta, body) = parse::service(&object).unwrap();
    assert_eq!(unmodelled("Service", "carts", &Row { meta, body }.project()), [""; 0]);

    let object = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
    let (meta, body) = parse::pod(&object).unwrap();
    assert_eq!(unmodelled("Pod", "p", &Row { meta, body }.project()), [""; 0]);

    let object = json!({"metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
    }});
    let (meta, body) = parse::daemon_set(&object).unwrap();
    assert_eq!(unmodelled("DaemonSet", "d", &Row { meta, body }.project()), [""; 0]);
}

#[test]
fn kinds_that_are_only_stored_have_one_entry() {
    let object = json!({"spec": {"minReplicas": 1}});
    for kind in ["Ingress", "Secret", "NoSuchKind"] {
        assert_eq!(
            unmodelled(kind, "front-end", &object),
            [format!("{kind}/front-end: the whole kind")]
        );
    }
}

#[test]
fn every_modelled_kind_of_user_objects_is_known() {
    for resource in RESOURCES.iter().filter(|resource| resource.modelled) {
        let written_by_users = !matches!(
            &*resource.kind,
            "EndpointSlice" | "Event" | "ControllerRevision" | "VolumeAttachment"
        );
        assert_eq!(
            Known::of(&resource.kind).is_some(),
            written_by_users,
            "{}",
            resource.kind
        );
    }
}

#[test]
fn topology_aware_hints_are_named_and_finalizers_are_not() {
    let object = json!({
        "metadata": {"name": "db", "finalizers": ["a/b"], "annotations": {"service.kubernetes.io/topology-mode": "Auto"}},
        "spec": {"clusterIP": "None", "sessionAffinity": "ClientIP", "ports": [{"port": 1, "targetPort": "db"}]},
    });
    assert_eq!(
        unmodelled("Service", "db", &object),
        ["Service/db: metadata.annotations.service.kubernetes.io/topology-mode"]
    );
}
