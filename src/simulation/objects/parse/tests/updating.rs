use std::sync::Arc;

use serde_json::json;

use super::super::*;
use super::{causes, deployment, pod, service, with};
use crate::model::time::Time;
use crate::simulation::api::Project;
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::pod::Pod;
use crate::simulation::objects::table::Row;

fn row<T>((meta, body): (Meta, T)) -> Row<T> {
    Row { meta, body }
}

#[test]
fn a_selector_stays() {
    let old = row(super::super::deployment(&deployment()).unwrap());
    let scaled = with(deployment(), "/spec/replicas", json!(3));
    check_update_deployment(&old, &super::super::deployment(&scaled).unwrap().1).unwrap();
    let other = json!({"matchExpressions": [{"key": "name", "operator": "Exists"}]});
    let other = super::super::deployment(&with(deployment(), "/spec/selector", other))
        .unwrap()
        .1;
    assert_eq!(
        causes(check_update_deployment(&old, &other)),
        [
            "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"name\",\"operator\":\"Exists\"}]}: field is immutable"
        ]
    );
}

/// A pod as the cluster has changed it since its creation.
fn bound() -> Row<Pod> {
    let mut old = row(super::super::pod(&pod()).unwrap());
    old.body.node = Some(MachineId(1));
    old.body.node_name = Some("node-1".into());
    old.body.scheduled = Some(Time(1));
    old
}

#[test]
fn a_pod_written_back_as_it_was_read_has_not_changed() {
    let old = bound();
    let (_, new) = super::super::pod(&old.project()).unwrap();
    check_update_pod(&old, &new).unwrap();
    let (_, new) = super::super::pod(&pod()).unwrap();
    check_update_pod(&old, &new).unwrap();
}

#[test]
fn of_a_pod_only_images_deadline_and_more_tolerations_change() {
    let old = bound();
    let check = |pointer: &str, value| {
        let (_, new) = super::super::pod(&with(old.project(), pointer, value)).unwrap();
        check_update_pod(&old, &new)
    };
    check("/spec/containers/0/image", json!("carts:2")).unwrap();
    check("/spec/activeDeadlineSeconds", json!(5)).unwrap();
    let mut tolerations = old.project()["spec"]["tolerations"].as_array().unwrap().clone();
    tolerations.push(json!({"key": "a", "operator": "Exists"}));
    check("/spec/tolerations", json!(tolerations)).unwrap();
    for (pointer, value) in [
        ("/spec/nodeSelector", json!({"a": "b"})),
        ("/spec/containers/0/name", json!("other")),
        ("/spec/containers/0/ports", json!([{"containerPort": 1}])),
        ("/spec/terminationGracePeriodSeconds", json!(1)),
    ] {
        let causes = causes(check(pointer, value));
        assert!(
            causes[0].starts_with(
                "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"
            )
        );
    }
    let mut old = bound();
    let tolerations = json!([{"key": "a", "operator": "Exists"}]);
    old.body.template = super::super::pod(&with(pod(), "/spec/tolerations", tolerations))
        .unwrap()
        .1
        .template;
    let (_, new) = super::super::pod(&pod()).unwrap();
    assert!(causes(check_update_pod(&old, &new))[0].starts_with("spec.tolerations: Forbidden: "));
}

#[test]
fn a_cluster_address_stays_and_may_be_left_out() {
    let mut old = row(super::super::service(&service()).unwrap());
    let mut spec = Value::clone(&old.body.spec);
    spec["clusterIP"] = json!("10.96.0.10");
    old.body.spec = Arc::new(spec);
    let read = |object: &Value| super::super::service(object).unwrap().1;
    check_update_service(&old, &read(&service())).unwrap();
    check_update_service(&old, &read(&with(service(), "/spec/clusterIP", json!("10.96.0.10")))).unwrap();
    assert_eq!(
        causes(check_update_service(
            &old,
            &read(&with(service(), "/spec/clusterIP", json!("10.96.0.11")))
        )),
        ["spec.clusterIPs[0]: Invalid value: [\"10.96.0.11\"]: may not change once set"]
    );
}
