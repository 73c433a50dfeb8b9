//! When a workload is ready, and why it is not: as `kubectl rollout status` and `kubectl wait` have it.

use serde_json::Value;

/// The kinds that are waited for, where the cluster runs them.
const KINDS: [&str; 8] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "Job",
    "PersistentVolumeClaim",
];

/// Whether objects of this kind become ready at all.
pub(crate) fn is_waited_for(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(group, "" | "apps" | "batch") && KINDS.contains(&kind)
}

/// Whether an object that is gone has done what it was for: a Job may be removed when it is done.
pub(crate) fn may_be_gone(kind: &str) -> bool {
    kind == "Job"
}

/// What an object still lacks; `None` when it is ready.
///
/// Sources: staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go for Deployment, DaemonSet and StatefulSet, with
/// the whole number of replicas available rather than as many as are allowed to be missing.
pub(crate) fn lacking(kind: &str, object: &Value) -> Option<String> {
    let status = &object["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    let seen = count("observedGeneration") >= generation;
    let of = |ready: i64, wanted: i64| format!("{ready}/{wanted}");
    match kind {
        "Deployment" => {
            let complete = seen
                && count("updatedReplicas") == replicas
                && count("replicas") == replicas
                && count("availableReplicas") == replicas;
            (!complete).then(|| of(count("availableReplicas"), replicas))
        }
        "ReplicaSet" | "ReplicationController" => {
            let complete = seen && count("replicas") == replicas && count("availableReplicas") == replicas;
            (!complete).then(|| of(count("availableReplicas"), replicas))
        }
        "StatefulSet" => {
            let ready = count("readyReplicas") >= replicas;
            let partition = object
                .pointer("/spec/updateStrategy/rollingUpdate/partition")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            let updated = if object
                .pointer("/spec/updateStrategy/type")
                .is_some_and(|it| it == "OnDelete")
            {
                true
            } else if partition > 0 {
                count("updatedReplicas") >= replicas - partition
            } else {
                status["updateRevision"] == status["currentRevision"]
            };
            (!(seen && ready && updated)).then(|| of(count("readyReplicas"), replicas))
        }
        "DaemonSet" => {
            let wanted = count("desiredNumberScheduled");
            let complete = seen && count("updatedNumberScheduled") >= wanted && count("numberAvailable") >= wanted;
            (!complete).then(|| of(count("numberAvailable"), wanted))
        }
        "Pod" => {
            let done = status["phase"] == "Succeeded";
            (!done && condition(status, "Ready").is_none_or(|(value, _)| value != "True"))
                .then(|| status["phase"].as_str().unwrap_or("Pending").to_owned())
        }
        "Job" => {
            let suspended = object["spec"]["suspend"] == true;
            let complete = condition(status, "Complete").is_some_and(|(value, _)| value == "True");
            let failed = condition(status, "Failed").filter(|(value, _)| *value == "True");
            (!suspended && !complete).then(|| match failed {
                Some((_, message)) => format!("failed: {message}"),
                None => of(count("succeeded"), object["spec"]["completions"].as_i64().unwrap_or(1)),
            })
        }
        "PersistentVolumeClaim" => {
            (status["phase"] != "Bound").then(|| status["phase"].as_str().unwrap_or("Pending").to_owned())
        }
        _ => None,
    }
}

/// Why a pod is not ready; `None` when it is, or has done its work.
pub(crate) fn reason(pod: &Value) -> Option<String> {
    lacking("Pod", pod)?;
    let status = &pod["status"];
    if let Some((_, message)) = condition(status, "PodScheduled").filter(|(value, _)| *value == "False") {
        return Some(message.to_owned());
    }
    let containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|field| status[field].as_array().into_iter().flatten());
    for container in containers {
        let waiting = &container["state"]["waiting"];
        let name = container["name"].as_str().unwrap_or_default();
        if let Some(reason) = waiting["reason"]
            .as_str()
            .filter(|reason| *reason != "ContainerCreating")
        {
            let message = waiting["message"].as_str().unwrap_or_default();
            return Some(
                format!("container {name} is waiting: {reason} {message}")
                    .trim_end()
                    .to_owned(),
            );
        }
        if container["state"]["running"].is_object() && container["ready"] == false {
            return Some(format!("container {name} runs and is not ready"));
        }
    }
    Some(match status["phase"].as_str() {
        Some("Failed") => format!(
            "failed: {}",
            status["reason"].as_str().unwrap_or("its containers ended")
        ),
        _ => "its containers are being created".to_owned(),
    })
}

/// A condition's value and message.
fn condition<'a>(status: &'a Value, name: &str) -> Option<(&'a str, &'a str)> {
    let all = status["conditions"].as_array()?;
    let condition = all.iter().find(|condition| condition["type"] == name)?;
    let message = condition["message"].as_str().unwrap_or_default();
    Some((condition["status"].as_str()?, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_complete_when_every_replica_is_new_and_available() {
        let of = |updated: i32, all: i32, available: i32| {
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": {
                "observedGeneration": 2, "updatedReplicas": updated, "replicas": all, "availableReplicas": available}})
        };
        assert_eq!(lacking("Deployment", &of(3, 3, 3)), None);
        assert_eq!(
            lacking("Deployment", &of(3, 4, 3)),
            Some("3/3".into()),
            "an old one is still there"
        );
        assert_eq!(lacking("Deployment", &of(2, 3, 3)), Some("3/3".into()));
        assert_eq!(lacking("Deployment", &of(3, 3, 2)), Some("2/3".into()));
        let mut unseen = of(3, 3, 3);
        unseen["metadata"]["generation"] = json!(3);
        assert_eq!(
            lacking("Deployment", &unseen),
            Some("3/3".into()),
            "the controller has not seen it yet"
        );
    }

    #[test]
    fn a_stateful_set_is_ready_at_one_revision_or_from_its_partition_on() {
        let mut set = json!({"metadata": {"generation": 1}, "spec": {"replicas": 3}, "status": {
            "observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"}});
        assert!(lacking("StatefulSet", &set).is_some());
        set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        assert_eq!(lacking("StatefulSet", &set), None);
        set["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
        assert_eq!(lacking("StatefulSet", &set), None);
        set["status"]["readyReplicas"] = json!(2);
        assert_eq!(lacking("StatefulSet", &set), Some("2/3".into()));
    }

    #[test]
    fn jobs_pods_and_claims_say_what_they_wait_for() {
        let conditions = |name: &str, message: &str| json!([{"type": name, "status": "True", "message": message}]);
        let job = |conditions: Value| json!({"spec": {"completions": 2}, "status": {"succeeded": 1, "conditions": conditions}});
        assert_eq!(lacking("Job", &job(conditions("Complete", ""))), None);
        assert_eq!(lacking("Job", &job(json!([]))), Some("1/2".into()));
        assert_eq!(
            lacking("Job", &job(conditions("Failed", "too often"))),
            Some("failed: too often".into())
        );
        let pod = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}});
        assert_eq!(reason(&pod), Some("0/3 nodes are available".into()));
        assert_eq!(reason(&json!({"status": {"phase": "Succeeded"}})), None);
        let pod = json!({"status": {"phase": "Running", "containerStatuses": [
            {"name": "main", "ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}]}});
        assert_eq!(
            reason(&pod),
            Some("container main is waiting: CrashLoopBackOff back-off".into())
        );
        assert_eq!(
            lacking("PersistentVolumeClaim", &json!({"status": {"phase": "Bound"}})),
            None
        );
        assert_eq!(lacking("PersistentVolumeClaim", &json!({})), Some("Pending".into()));
    }
}
