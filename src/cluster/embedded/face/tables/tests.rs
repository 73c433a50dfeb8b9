//! Cells against those of Kubernetes (`pkg/printers/internalversion/printers_test.go` and the printers themselves).

use serde_json::{Value, json};

use super::*;
use crate::simulation::api::Served;
use crate::simulation::objects::resources::RESOURCES;

/// 200 s after the cluster's creation.
const NOW: u64 = 200_000_000;

fn resource(plural: &str) -> Served {
    let found = RESOURCES.iter().find(|resource| resource.own_plural() == plural);
    found.unwrap().clone()
}

#[track_caller]
fn cells(plural: &str, mut object: Value) -> Value {
    let resource = resource(plural);
    object["metadata"]["name"] = json!("it");
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:01:00Z");
    let row = row(&resource, object, Include::Nothing, NOW);
    let columns = columns(&resource);
    let (cells, columns) = (row["cells"].clone(), columns.as_array().unwrap().len());
    assert_eq!(cells.as_array().unwrap().len(), columns, "one cell for each column");
    cells
}

/// Ready, status and restarts of a pod.
#[track_caller]
fn pod(pod: Value) -> (String, String, String) {
    let cells = cells("pods", pod);
    let cell = |index: usize| cells[index].as_str().unwrap().to_owned();
    (cell(1), cell(2), cell(3))
}

fn running(restarts: u32) -> Value {
    json!({"name": "c", "ready": true, "restartCount": restarts, "state": {"running": {}}})
}

#[test]
fn a_pods_status_is_what_its_containers_and_conditions_add_up_to() {
    let two = json!([{"name": "a"}, {"name": "b"}]);
    let init = json!([{"name": "i"}, {"name": "j"}]);
    let terminated = |exit: u32, reason: &str| json!({"name": "c", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": exit, "reason": reason}}});
    let waiting = |reason: &str| {
        json!({"name": "c", "ready": false, "restartCount": 3, "state": {"waiting": {"reason": reason}},
               "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:03:10Z"}}})
    };
    let ready = json!([{"type": "Ready", "status": "True"}]);
    for (spec, status, expected) in [
        (
            json!({"containers": two}),
            json!({"phase": "Pending"}),
            ("0/2", "Pending", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            ("0/2", "SchedulingGated", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "containerStatuses": [running(3), running(2)]}),
            ("2/2", "Running", "5"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "containerStatuses": [running(0), waiting("CrashLoopBackOff")]}),
            ("1/2", "CrashLoopBackOff", "3 (10s ago)"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "reason": "Evicted"}),
            ("0/2", "Evicted", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "containerStatuses": [terminated(0, "Completed"), running(0)], "conditions": ready}),
            ("1/2", "Running", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "containerStatuses": [terminated(0, "Completed"), running(0)]}),
            ("1/2", "NotReady", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Running", "containerStatuses": [terminated(0, "Completed"), terminated(1, "Error")]}),
            ("0/2", "Error", "0"),
        ),
        (
            json!({"containers": two}),
            json!({"phase": "Failed", "containerStatuses": [terminated(137, "")]}),
            ("0/2", "ExitCode:137", "0"),
        ),
        (
            json!({"containers": two, "initContainers": init}),
            json!({"phase": "Pending", "initContainerStatuses": [terminated(0, "Completed"), {"name": "j", "restartCount": 0, "state": {"running": {}}}]}),
            ("0/2", "Init:1/2", "0"),
        ),
        (
            json!({"containers": two, "initContainers": init}),
            json!({"phase": "Pending", "initContainerStatuses": [terminated(2, "Error")]}),
            ("0/2", "Init:Error", "0"),
        ),
        (
            json!({"containers": two, "initContainers": init}),
            json!({"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]}),
            ("0/2", "Init:ImagePullBackOff", "3 (10s ago)"),
        ),
        (
            json!({"containers": [{"name": "a"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]}),
            json!({"phase": "Running", "containerStatuses": [running(1)],
                   "initContainerStatuses": [{"name": "s", "ready": true, "started": true, "restartCount": 4, "state": {"running": {}}}]}),
            ("2/2", "Running", "5"),
        ),
    ] {
        let (ready, state, restarts) = pod(json!({"metadata": {}, "spec": spec, "status": status}));
        assert_eq!((&*ready, &*state, &*restarts), expected, "{spec} {status}");
    }
}

#[test]
fn a_pod_that_is_being_deleted_is_terminating_and_unknown_on_a_lost_node() {
    let deleted = json!({"deletionTimestamp": "2026-01-01T00:03:00Z"});
    for (status, expected) in [
        (json!({"phase": "Running"}), "Terminating"),
        (json!({"phase": "Running", "reason": "NodeLost"}), "Unknown"),
        (json!({"phase": "Succeeded"}), "Succeeded"),
    ] {
        let it = json!({"metadata": deleted, "spec": {"containers": [{}]}, "status": status});
        assert_eq!(pod(it).1, expected, "{status}");
    }
}

#[test]
fn wide_columns_of_a_pod_tell_where_it_is() {
    let it = json!({
        "metadata": {},
        "spec": {"containers": [{}], "nodeName": "node", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        "status": {"podIPs": [{"ip": "10.0.0.7"}], "conditions": [{"type": "a", "status": "True"}]},
    });
    let cells = cells("pods", it);
    assert_eq!(cells[4], "2m20s");
    assert_eq!(
        cells.as_array().unwrap()[5..],
        [json!("10.0.0.7"), json!("node"), json!("<none>"), json!("1/2")]
    );
}

#[test]
fn cells_are_those_of_kubernetes() {
    let template = json!({"spec": {"containers": [{"name": "a", "image": "one:1"}, {"name": "b", "image": "two"}]}});
    let selector = json!({
        "matchLabels": {"app": "x"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["b", "a"]}, {"key": "gone", "operator": "DoesNotExist"}],
    });
    let selected = "app=x,!gone,tier in (a,b)";
    for (plural, object, expected) in [
        (
            "nodes",
            json!({
                "metadata": {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "gpu"}},
                "spec": {"unschedulable": true},
                "status": {
                    "conditions": [{"type": "Ready", "status": "Unknown"}],
                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                    "nodeInfo": {"kubeletVersion": "v1.36.1", "kernelVersion": "6.1", "architecture": "amd64", "osImage": "Linux"},
                },
            }),
            json!([
                "it",
                "NotReady,SchedulingDisabled",
                "gpu,worker",
                "2m20s",
                "v1.36.1",
                "10.0.0.1",
                "<none>",
                "Linux",
                "6.1 (amd64)",
                "<unknown>"
            ]),
        ),
        (
            "nodes",
            json!({}),
            json!([
                "it",
                "Unknown",
                "<none>",
                "2m20s",
                "",
                "<none>",
                "<none>",
                "<unknown>",
                "<unknown>",
                "<unknown>"
            ]),
        ),
        (
            "deployments",
            json!({"spec": {"replicas": 5, "template": template, "selector": selector},
                   "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 4}}),
            json!(["it", "1/5", 2, 4, "2m20s", "a,b", "one:1,two", selected]),
        ),
        (
            "replicasets",
            json!({"spec": {"replicas": 5, "template": template}, "status": {"replicas": 3, "readyReplicas": 2}}),
            json!(["it", 5, 3, 2, "2m20s", "a,b", "one:1,two", "<none>"]),
        ),
        (
            "daemonsets",
            json!({"spec": {"template": template, "selector": selector},
                   "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1}}),
            json!(["it", 3, 2, 1, 0, 0, "<none>", "2m20s", "a,b", "one:1,two", selected]),
        ),
        (
            "services",
            json!({"spec": {"type": "NodePort", "clusterIP": "10.1.0.1", "clusterIPs": ["10.1.0.1"], "selector": {"b": "2", "a": "1"},
                            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}, {"port": 53, "protocol": "UDP"}]}}),
            json!([
                "it",
                "NodePort",
                "10.1.0.1",
                "<none>",
                "80:30000/TCP,53/UDP",
                "2m20s",
                "a=1,b=2"
            ]),
        ),
        (
            "services",
            json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}),
            json!(["it", "LoadBalancer", "<none>", "<pending>", "<none>", "2m20s", "<none>"]),
        ),
        (
            "endpointslices",
            json!({"addressType": "IPv4", "ports": [{"port": 80}, {"name": "x"}],
                   "endpoints": [{"addresses": ["1.1.1.1"]}, {"addresses": ["1.1.1.2"]}, {"addresses": ["1.1.1.3"]}, {"addresses": ["1.1.1.4"]}]}),
            json!(["it", "IPv4", "80,x", "1.1.1.1,1.1.1.2,1.1.1.3 + 1 more...", "2m20s"]),
        ),
        (
            "endpointslices",
            json!({"addressType": "IPv4"}),
            json!(["it", "IPv4", "<unset>", "<unset>", "2m20s"]),
        ),
        (
            "events",
            json!({"type": "Warning", "reason": "Why", "message": " what\n", "count": 3, "firstTimestamp": "2026-01-01T00:00:00Z",
                   "lastTimestamp": "2026-01-01T00:03:15Z", "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet", "host": "n"}}),
            json!([
                "5s",
                "Warning",
                "Why",
                "pod/p",
                "",
                "kubelet, n",
                "what",
                "3m20s",
                3,
                "it"
            ]),
        ),
        (
            "namespaces",
            json!({"status": {"phase": "Active"}}),
            json!(["it", "Active", "2m20s"]),
        ),
        (
            "configmaps",
            json!({"data": {"a": "1", "b": "2"}, "binaryData": {"c": ""}}),
            json!(["it", 3, "2m20s"]),
        ),
        (
            "secrets",
            json!({"type": "Opaque", "data": {"a": ""}}),
            json!(["it", "Opaque", 1, "2m20s"]),
        ),
        ("serviceaccounts", json!({}), json!(["it", "2m20s"])),
        (
            "leases",
            json!({"spec": {"holderIdentity": "node"}}),
            json!(["it", "node", "2m20s"]),
        ),
        ("limitranges", json!({}), json!(["it", "2026-01-01T00:01:00Z"])),
        (
            "jobs",
            json!({"spec": {"completions": 3, "template": template}, "status": {"succeeded": 3, "startTime": "2026-01-01T00:01:00Z",
                   "completionTime": "2026-01-01T00:02:30Z", "conditions": [{"type": "Complete", "status": "True"}]}}),
            json!(["it", "Complete", "3/3", "90s", "2m20s", "a,b", "one:1,two", "<none>"]),
        ),
        (
            "jobs",
            json!({"spec": {"parallelism": 2, "template": template}, "status": {}}),
            json!(["it", "Running", "0/1 of 2", "", "2m20s", "a,b", "one:1,two", "<none>"]),
        ),
        (
            "cronjobs",
            json!({"spec": {"schedule": "* * * * *", "suspend": false}, "status": {"active": [{}], "lastScheduleTime": "2026-01-01T00:03:00Z"}}),
            json!([
                "it",
                "* * * * *",
                "<none>",
                "False",
                1,
                "20s",
                "2m20s",
                "",
                "",
                "<none>"
            ]),
        ),
        (
            "statefulsets",
            json!({"spec": {"replicas": 3, "template": template}, "status": {"readyReplicas": 1}}),
            json!(["it", "1/3", "2m20s", "a,b", "one:1,two"]),
        ),
        (
            "poddisruptionbudgets",
            json!({"spec": {"maxUnavailable": "30%"}, "status": {"disruptionsAllowed": 2}}),
            json!(["it", "N/A", "30%", 2, "2m20s"]),
        ),
        (
            "horizontalpodautoscalers",
            json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 9, "metrics": [
                       {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                       {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                       {"type": "External", "external": {"target": {"value": "3"}}}]},
                   "status": {"currentReplicas": 4, "currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 50}}}]}}),
            json!([
                "it",
                "Deployment/web",
                "cpu: 50%/80%, <unknown>/10 + 1 more...",
                "2",
                9,
                4,
                "2m20s"
            ]),
        ),
        (
            "persistentvolumeclaims",
            json!({"spec": {"volumeName": "pv", "storageClassName": "gp3", "volumeMode": "Filesystem"},
                   "status": {"phase": "Bound", "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "capacity": {"storage": "5Gi"}}}),
            json!([
                "it",
                "Bound",
                "pv",
                "5Gi",
                "RWO,RWX",
                "gp3",
                "<unset>",
                "2m20s",
                "Filesystem"
            ]),
        ),
        (
            "persistentvolumes",
            json!({"spec": {"capacity": {"storage": "5Gi"}, "claimRef": {"namespace": "n", "name": "c"}, "persistentVolumeReclaimPolicy": "Delete"},
                   "status": {"phase": "Bound"}}),
            json!([
                "it", "5Gi", "", "Delete", "Bound", "n/c", "", "<unset>", "", "2m20s", "<unset>"
            ]),
        ),
        (
            "storageclasses",
            json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "p", "allowVolumeExpansion": true}),
            json!(["it (default)", "p", "Delete", "Immediate", true, "2m20s"]),
        ),
        (
            "ingresses",
            json!({"spec": {"rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}], "tls": [{}]},
                   "status": {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "x"}]}}}),
            json!(["it", "<none>", "a,b,c + 1 more...", "2.2.2.2,x", "80, 443", "2m20s"]),
        ),
        (
            "rolebindings",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
            json!(["it", "Role/r", "2m20s", "u", "", "n/s"]),
        ),
        (
            "priorityclasses",
            json!({"value": 7}),
            json!(["it", 7, false, "2m20s", ""]),
        ),
        (
            "resourcequotas",
            json!({"status": {"hard": {"pods": "10", "limits.cpu": "2"}, "used": {"pods": "3"}}}),
            json!(["it", "pods: 3/10", "limits.cpu: 0/2", "2m20s"]),
        ),
    ] {
        assert_eq!(cells(plural, object), expected, "{plural}");
    }
}

#[test]
fn every_resource_has_a_cell_for_each_column() {
    for resource in &RESOURCES {
        cells(&resource.plural, json!({"metadata": {}}));
    }
}

#[test]
fn lengths_of_time_have_two_or_three_figures() {
    // k8s.io/apimachinery/pkg/util/duration/duration_test.go
    let (second, minute, hour) = (1_000_000, 60_000_000, 3_600_000_000_i64);
    let (day, year) = (24 * hour, 365 * 24 * hour);
    for (length, expected) in [
        (-2 * second, "<invalid>"),
        (-second, "0s"),
        (0, "0s"),
        (second - 1, "0s"),
        (119 * second, "119s"),
        (2 * minute, "2m"),
        (2 * minute + second, "2m1s"),
        (10 * minute, "10m"),
        (3 * hour - 1, "179m"),
        (3 * hour, "3h"),
        (8 * hour - 1, "7h59m"),
        (8 * hour, "8h"),
        (2 * day - 1, "47h"),
        (2 * day, "2d"),
        (2 * day + hour, "2d1h"),
        (8 * day, "8d"),
        (2 * year - 1, "729d"),
        (2 * year, "2y"),
        (2 * year + day, "2y1d"),
        (8 * year, "8y"),
    ] {
        assert_eq!(look::duration(length), expected, "{length}");
    }
}

#[test]
fn what_comes_along_with_a_row_is_the_clients_to_say() {
    let object = || json!({"metadata": {"name": "it"}, "data": {}});
    let of = |include| row(&resource("configmaps"), object(), include, NOW)["object"].clone();
    assert_eq!(of(Include::Nothing), Value::Null);
    assert_eq!(of(Include::Object), object());
    assert_eq!(
        of(Include::Metadata),
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "it"}})
    );
    assert!(Include::parse(Some("Everything")).is_err());
}

#[test]
fn finished_pods_have_rows_that_say_so() {
    let conditions = |phase: &str| {
        let pod = json!({"metadata": {}, "status": {"phase": phase}});
        row(&resource("pods"), pod, Include::Nothing, NOW)["conditions"][0]["reason"].clone()
    };
    assert_eq!(conditions("Succeeded"), "Succeeded");
    assert_eq!(conditions("Failed"), "Failed");
    assert_eq!(conditions("Running"), Value::Null);
}
