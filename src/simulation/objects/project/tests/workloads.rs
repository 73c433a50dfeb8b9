use k8s_openapi::api::apps::v1 as apps;
use rstest::rstest;
use serde_json::{Value, json};

use super::{meta, typed};
use crate::model::time::{Span, Time};
use crate::simulation::api::Project;
use crate::simulation::objects::parse;
use crate::simulation::objects::table::Row;
use crate::simulation::objects::workload::{
    DaemonSetStatus, Deployment, DeploymentStatus, Progress, ProgressReason, ReplicaSet, ReplicaSetStatus,
};

fn written(replicas: u32) -> Value {
    json!({"metadata": {"name": "carts", "namespace": "shop"}, "spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"name": "carts"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]},
        "template": {
            "metadata": {"labels": {"name": "carts"}, "annotations": {"a": "b"}},
            "spec": {"containers": [{"name": "carts", "image": "carts:1"}]},
        },
    }})
}

fn deployment(replicas: u32, status: DeploymentStatus) -> Row<Deployment> {
    let (_, mut body) = parse::deployment(&written(replicas)).unwrap();
    body.status = status;
    Row {
        meta: meta("carts"),
        body,
    }
}

/// The type, status and reason of all conditions.
fn conditions(row: &Row<Deployment>) -> Vec<String> {
    let all = typed::<apps::Deployment>(row).status.unwrap().conditions.unwrap();
    let text = |field: &Option<String>| field.clone().unwrap();
    all.iter()
        .map(|it| {
            format!(
                "{} {} {}",
                it.type_.as_deref().unwrap(),
                text(&it.status),
                text(&it.reason)
            )
        })
        .collect()
}

#[test]
fn a_deployment_nobody_has_seen_has_an_empty_status() {
    let row = deployment(4, DeploymentStatus::default());
    let typed: apps::Deployment = typed(&row);
    assert_eq!(typed.spec.replicas, Some(4));
    assert_eq!(json!(typed.status), json!({}));
    let mut scaled = row.clone();
    scaled.body.replicas = 7;
    assert_eq!(scaled.project()["spec"]["replicas"], 7);
}

#[rstest]
#[case(4, 4, 4, "Available True MinimumReplicasAvailable")]
// 25 % of four may be missing.
#[case(4, 4, 3, "Available True MinimumReplicasAvailable")]
#[case(4, 4, 2, "Available False MinimumReplicasUnavailable")]
#[case(5, 2, 4, "Available True MinimumReplicasAvailable")]
fn a_deployments_conditions_follow_its_counts(
    #[case] replicas: u32,
    #[case] updated: u32,
    #[case] available: u32,
    #[case] expected: &str,
) {
    let status = DeploymentStatus {
        observed: 3,
        replicas,
        updated,
        ready: available,
        available,
    };
    let row = deployment(4, status);
    assert_eq!(conditions(&row), [expected]);
    let shown = typed::<apps::Deployment>(&row).status.unwrap();
    assert_eq!(shown.observed_generation, Some(3));
    assert_eq!(
        (shown.replicas, shown.updated_replicas),
        (Some(replicas as i32), Some(updated as i32))
    );
    assert_eq!(
        (shown.ready_replicas, shown.available_replicas),
        (Some(available as i32), Some(available as i32))
    );
    let missing = 4.max(replicas) - available;
    assert_eq!(shown.unavailable_replicas, (missing > 0).then_some(missing as i32));
}

#[test]
fn a_deployments_progress_is_a_condition_with_both_its_times() {
    let status = DeploymentStatus {
        observed: 1,
        replicas: 4,
        updated: 4,
        ready: 0,
        available: 0,
    };
    let mut row = deployment(4, status);
    row.body.progress = Some(Progress {
        reason: ProgressReason::Exceeded,
        set: "carts-1".into(),
        updated: Time(60_000_000),
        since: Time(5_000_000),
    });
    assert_eq!(conditions(&row)[1], "Progressing False ProgressDeadlineExceeded");
    let shown = row.project()["status"]["conditions"][1].clone();
    assert_eq!(shown["message"], "ReplicaSet \"carts-1\" has timed out progressing.");
    assert_ne!(shown["lastUpdateTime"], shown["lastTransitionTime"]);
}

#[test]
fn a_replica_set_of_a_deployment_is_made_from_its_parts() {
    let parent = deployment(4, DeploymentStatus::default()).body;
    let body = ReplicaSet {
        spec: None,
        replicas: 2,
        selector: parent.selector.clone(),
        template: parent.template.clone(),
        app: "carts".into(),
        revision: 3,
        min_ready: Span::secs(5),
        status: ReplicaSetStatus {
            observed: 1,
            replicas: 2,
            ready: 1,
            available: 1,
        },
        failure: None,
    };
    let typed: apps::ReplicaSet = typed(&Row {
        meta: meta("carts-1"),
        body,
    });
    assert_eq!(
        typed.metadata.annotations.unwrap()["deployment.kubernetes.io/revision"],
        "3"
    );
    let spec = typed.spec;
    assert_eq!((spec.replicas, spec.min_ready_seconds), (Some(2), Some(5)));
    assert_eq!(json!(spec.selector), written(0)["spec"]["selector"]);
    let template = spec.template.unwrap();
    assert_eq!(template.metadata.unwrap().annotations.unwrap()["a"], "b");
    assert_eq!(json!(template.spec), *parent.template.spec);
    let status = json!({
        "observedGeneration": 1, "replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1, "availableReplicas": 1,
    });
    assert_eq!(json!(typed.status), status);
}

#[test]
fn a_replica_set_of_a_users_own_shows_its_spec() {
    let (_, body) = parse::replica_set(&written(2)).unwrap();
    let spec = typed::<apps::ReplicaSet>(&Row {
        meta: meta("carts"),
        body,
    })
    .spec;
    assert_eq!(spec.replicas, Some(2));
    assert_eq!(json!(spec.selector), written(0)["spec"]["selector"]);
}

#[test]
fn a_daemon_set_counts_its_nodes() {
    let mut object = written(0);
    object["spec"].as_object_mut().unwrap().remove("replicas");
    let (_, mut body) = parse::daemon_set(&object).unwrap();
    body.status = DaemonSetStatus {
        observed: 1,
        desired: 3,
        current: 3,
        misscheduled: 1,
        updated: 2,
        ready: 2,
        available: 1,
    };
    let typed: apps::DaemonSet = typed(&Row {
        meta: meta("agent"),
        body,
    });
    assert_eq!(typed.spec.template.spec.unwrap().tolerations, None);
    assert_eq!(
        json!(typed.status),
        json!({
            "observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 2,
            "numberReady": 2, "numberAvailable": 1, "numberUnavailable": 2, "numberMisscheduled": 1,
        })
    );
}
