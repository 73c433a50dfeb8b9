use rstest::rstest;

use super::super::*;
use super::{deployment, labels, pod, service, with};
use crate::model::time::{Span, Time};
use crate::simulation::objects::quantity::Amount;
use crate::simulation::objects::resources::{CONFIG_MAPS, DEPLOYMENTS, RESOURCES};
use crate::simulation::objects::template::{Effect, Taint};
use crate::simulation::objects::workload::{Share, Strategy};
use serde_json::json;

#[test]
fn a_deployment_gets_the_defaults_of_an_api_server() {
    let (meta, body) = parse_deployment(&deployment());
    assert_eq!((&*meta.name, &*meta.namespace, meta.generation), ("carts", "shop", 1));
    assert_eq!(json!(*meta.labels), labels());
    assert_eq!((body.replicas, body.min_ready), (1, Span::ZERO));
    let quarter = Share::Percent(25);
    assert_eq!(
        body.strategy,
        Strategy::RollingUpdate {
            max_surge: quarter,
            max_unavailable: quarter
        }
    );
    assert!(body.selector.matches(&body.template.labels));
    for (pointer, value) in [
        ("/replicas", json!(1)),
        ("/revisionHistoryLimit", json!(10)),
        ("/progressDeadlineSeconds", json!(600)),
        ("/strategy/type", json!("RollingUpdate")),
        ("/strategy/rollingUpdate/maxSurge", json!("25%")),
        ("/template/spec/restartPolicy", json!("Always")),
        ("/template/spec/terminationGracePeriodSeconds", json!(30)),
        ("/template/spec/schedulerName", json!("default-scheduler")),
        ("/template/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
    ] {
        assert_eq!(body.spec.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(body.spec["template"]["spec"], *body.template.spec);
}

#[test]
fn parsing_what_was_parsed_changes_nothing() {
    let (_, first) = parse_deployment(&deployment());
    let again = with(deployment(), "/spec", (*first.spec).clone());
    assert_eq!(parse_deployment(&again).1.spec, first.spec);
}

#[rstest]
#[case(json!({"type": "Recreate"}), Strategy::Recreate)]
#[case(
    json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": "0%"}}),
    Strategy::RollingUpdate { max_surge: Share::Count(2), max_unavailable: Share::Percent(0) }
)]
#[case(
    json!({"rollingUpdate": {"maxUnavailable": 0}}),
    Strategy::RollingUpdate { max_surge: Share::Percent(25), max_unavailable: Share::Count(0) }
)]
fn strategies_are_compiled(#[case] written: Value, #[case] expected: Strategy) {
    assert_eq!(
        parse_deployment(&with(deployment(), "/spec/strategy", written))
            .1
            .strategy,
        expected
    );
}

#[test]
fn fields_that_no_api_type_has_are_dropped() {
    let (_, body) = parse_deployment(&with(deployment(), "/spec/replica", json!(3)));
    assert_eq!(body.spec.get("replica"), None);
}

#[test]
fn numbers_are_quantities_too() {
    let resources = json!({"requests": {"cpu": 1, "memory": 1024}, "limits": {"cpu": 1.5}});
    let (_, body) = parse_pod(&with(pod(), "/spec/containers/0/resources", resources));
    assert_eq!(
        body.template.requests,
        Amount {
            cpu_milli: 1_000,
            memory: 1_024
        }
    );
    assert_eq!(body.template.spec["containers"][0]["resources"]["limits"]["cpu"], "1.5");
}

#[test]
fn a_pod_without_a_name_keeps_its_prefix() {
    let written = with(
        pod(),
        "/metadata",
        json!({"generateName": "debug-", "namespace": "shop"}),
    );
    let (meta, body) = parse_pod(&written);
    assert_eq!(
        (&*meta.name, meta.generate_name.as_deref(), &*body.app),
        ("", Some("debug-"), "debug")
    );
    assert_eq!(&*parse_pod(&pod()).1.app, "carts-1");
}

#[test]
fn daemons_tolerate_what_their_controller_adds_and_their_spec_does_not_say_so() {
    let object = json!({"metadata": {"name": "agent"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
    }});
    let tolerated = |object: &Value, key: &str, effect| {
        let taint = Taint {
            key: key.into(),
            value: String::new(),
            effect,
        };
        daemon_set(object)
            .unwrap()
            .1
            .template
            .tolerations
            .iter()
            .any(|toleration| toleration.tolerates(&taint))
    };
    let (_, body) = daemon_set(&object).unwrap();
    assert_eq!(body.spec.pointer("/template/spec/tolerations"), None);
    assert_eq!(body.template.spec["tolerations"].as_array().unwrap().len(), 6);
    assert!(tolerated(&object, "node.kubernetes.io/not-ready", Effect::NoExecute));
    assert!(!tolerated(&object, "node.kubernetes.io/not-ready", Effect::NoSchedule));
    assert!(tolerated(
        &object,
        "node.kubernetes.io/unschedulable",
        Effect::NoSchedule
    ));
    assert!(!tolerated(
        &object,
        "node.kubernetes.io/network-unavailable",
        Effect::NoSchedule
    ));
    let on_host = with(object, "/spec/template/spec/hostNetwork", json!(true));
    assert!(tolerated(
        &on_host,
        "node.kubernetes.io/network-unavailable",
        Effect::NoSchedule
    ));
}

#[test]
fn a_service_gets_its_defaults_and_waits_for_its_address() {
    let (_, body) = super::super::service(&service()).unwrap();
    assert_eq!(json!(*body.selector), labels());
    assert_eq!(
        body.spec["ports"],
        json!([{"port": 80, "protocol": "TCP", "targetPort": 80}])
    );
    assert_eq!(body.spec["type"], "ClusterIP");
    assert_eq!(body.spec.get("clusterIP"), None);
    let headless = with(service(), "/spec/clusterIP", json!("None"));
    assert_eq!(
        super::super::service(&headless).unwrap().1.spec["clusterIPs"],
        json!(["None"])
    );
}

#[test]
fn a_namespace_is_labelled_with_its_name() {
    let (meta, _) = namespace(&json!({"metadata": {"name": "shop"}})).unwrap();
    assert_eq!(json!(*meta.labels), json!({"kubernetes.io/metadata.name": "shop"}));
}

#[test]
fn a_node_is_written_in_its_labels_taints_and_cordon() {
    let object = json!({
        "metadata": {"name": "n", "labels": {"a": "b"}},
        "spec": {"unschedulable": true, "taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]},
    });
    let (meta, taints, unschedulable) = node(&object).unwrap();
    assert_eq!(json!(*meta.labels), json!({"a": "b"}));
    assert_eq!(
        taints,
        [Taint {
            key: "k".into(),
            value: "v".into(),
            effect: Effect::NoExecute
        }]
    );
    assert!(unschedulable);
}

#[test]
fn a_lease_is_dated_in_cluster_time() {
    let spec = json!({"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:01:00.000001Z"});
    let (_, lease) = lease(&json!({"metadata": {"name": "leader"}, "spec": spec})).unwrap();
    assert_eq!(
        (&*lease.holder, lease.seconds, lease.renewed),
        ("me", 15, Time(60_000_001))
    );
}

#[test]
fn what_is_stored_is_stored_as_written() {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}, "x": 1});
    let (_, body) = stored(CONFIG_MAPS, &object).unwrap();
    assert_eq!(*body.rest, json!({"data": {"a": "b"}, "x": 1}));
    assert!(stored(DEPLOYMENTS, &deployment()).is_err());
    let roles = RESOURCES
        .iter()
        .find(|resource| resource.kind == "ClusterRole")
        .unwrap();
    assert!(stored(roles, &json!({"metadata": {"name": "system:node"}})).is_ok());
}

fn parse_deployment(object: &Value) -> (Meta, crate::simulation::objects::workload::Deployment) {
    super::super::deployment(object).unwrap()
}

fn parse_pod(object: &Value) -> (Meta, crate::simulation::objects::pod::Pod) {
    super::super::pod(object).unwrap()
}

#[test]
fn a_stateful_set_may_mount_the_volumes_that_it_claims() {
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                {"name": "db", "image": "db", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
        },
    });
    assert!(stateful_set(&set).is_ok());
    let mut unclaimed = set;
    unclaimed["spec"]["volumeClaimTemplates"] = json!([]);
    let refused = stateful_set(&unclaimed).err().unwrap();
    assert!(refused.to_string().contains("volumeMounts[0].name"), "{refused}");
}
