//! The fields that act, those that are neutral by nature, and the defaults of the others.

use serde_json::{Map, Value};

use crate::simulation::objects::parse::pull_policy;
use crate::simulation::objects::template::sleep_of;

/// Neutral in every object: names and what only the API server writes. Whole subtrees, as everywhere here.
const EVERY: &[&str] = &[
    "apiVersion",
    "kind",
    "status",
    "metadata.name",
    "metadata.namespace",
    "metadata.generateName",
    "metadata.labels",
    "metadata.annotations",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "metadata.managedFields",
    "metadata.finalizers",
    "metadata.ownerReferences",
    "metadata.selfLink",
];

/// Of a pod's specification.
const POD: &[&str] = &[
    "activeDeadlineSeconds",
    "affinity.nodeAffinity",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaceSelector",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.matchLabelKeys",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.mismatchLabelKeys",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys",
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.labelSelector",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaces",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.namespaceSelector",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.matchLabelKeys",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.mismatchLabelKeys",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm.topologyKey",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].labelSelector",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaces",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].topologyKey",
    "containers[].image",
    "containers[].name",
    "containers[].ports[].containerPort",
    "containers[].ports[].hostIP",
    "containers[].ports[].hostPort",
    "containers[].ports[].name",
    "containers[].ports[].protocol",
    // Of any resource: a node has none of what it does not advertise.
    "containers[].resources.requests",
    // Where a message is read from when a container ends: nothing but the message differs.
    "containers[].terminationMessagePath",
    "containers[].terminationMessagePolicy",
    "containers[].volumeMounts",
    "volumes[].name",
    "volumes[].configMap",
    "volumes[].downwardAPI",
    "volumes[].emptyDir",
    "volumes[].persistentVolumeClaim",
    "volumes[].projected",
    "volumes[].secret",
    "hostname",
    "subdomain",
    "hostNetwork",
    "initContainers[].image",
    "initContainers[].name",
    "initContainers[].ports[].containerPort",
    "initContainers[].ports[].name",
    "initContainers[].ports[].protocol",
    "initContainers[].resources.requests.cpu",
    "initContainers[].resources.requests.memory",
    "initContainers[].restartPolicy",
    "initContainers[].terminationMessagePath",
    "initContainers[].terminationMessagePolicy",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "restartPolicy",
    "schedulerName",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];

/// Of a container, of the start or not: how its kubelet looks after it. An `exec` of a hook acts when it only sleeps.
const CARE: &[&str] = &[
    "lifecycle.postStart.httpGet.path",
    "lifecycle.postStart.httpGet.port",
    "lifecycle.postStart.sleep",
    "lifecycle.preStop.httpGet.path",
    "lifecycle.preStop.httpGet.port",
    "lifecycle.preStop.sleep",
    "livenessProbe.terminationGracePeriodSeconds",
    "startupProbe.terminationGracePeriodSeconds",
];

/// Of each of a container's probes. What a command does is the model's to say.
const PROBE: &[&str] = &[
    "exec",
    "failureThreshold",
    "grpc.port",
    "httpGet.path",
    "httpGet.port",
    // The answer is the same; certificates are not checked (pkg/probe/http).
    "httpGet.scheme",
    "initialDelaySeconds",
    "periodSeconds",
    "successThreshold",
    "tcpSocket.port",
    "timeoutSeconds",
];

const DEPLOYMENT: &[&str] = &[
    "paused",
    "progressDeadlineSeconds",
    "revisionHistoryLimit",
    "replicas",
    "selector",
    "strategy",
    "minReadySeconds",
    "template.metadata",
];
const REPLICA_SET: &[&str] = &["replicas", "selector", "minReadySeconds", "template.metadata"];
const DAEMON_SET: &[&str] = &[
    "minReadySeconds",
    "revisionHistoryLimit",
    "selector",
    "template.metadata",
    "updateStrategy",
];
const STATEFUL_SET: &[&str] = &[
    "replicas",
    "selector",
    "serviceName",
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "podManagementPolicy",
    "revisionHistoryLimit",
    "template.metadata",
    "updateStrategy.type",
    "updateStrategy.rollingUpdate.partition",
    "volumeClaimTemplates",
];
const CLAIM: &[&str] = &[
    "accessModes",
    "resources.requests.storage",
    "selector",
    "storageClassName",
    "volumeMode",
    "volumeName",
];
const VOLUME: &[&str] = &[
    "accessModes",
    "awsElasticBlockStore",
    "azureDisk",
    "capacity",
    "cinder",
    "claimRef",
    "csi",
    "gcePersistentDisk",
    "hostPath",
    "local",
    "nfs",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeMode",
];
const STORAGE_CLASS: &[&str] = &[
    "allowedTopologies",
    "parameters",
    "provisioner",
    "reclaimPolicy",
    "volumeBindingMode",
];
const POD_AUTOSCALER: &[&str] = &[
    "behavior",
    "maxReplicas",
    "metrics[].resource",
    "metrics[].type",
    "minReplicas",
    "scaleTargetRef",
];
const JOB: &[&str] = &[
    "activeDeadlineSeconds",
    "backoffLimit",
    "completionMode",
    "completions",
    "manualSelector",
    "parallelism",
    "podReplacementPolicy",
    "selector",
    "suspend",
    "template.metadata",
    "ttlSecondsAfterFinished",
];
const SERVICE: &[&str] = &[
    "clusterIP",
    "clusterIPs",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "sessionAffinity",
    "sessionAffinityConfig",
    "trafficDistribution",
    "ports[].name",
    "ports[].nodePort",
    "ports[].port",
    "ports[].protocol",
    "ports[].targetPort",
    "selector",
    "type",
];
const NODE: &[&str] = &["podCIDR", "podCIDRs", "providerID", "taints", "unschedulable"];
const BUDGET: &[&str] = &[
    "maxUnavailable",
    "minAvailable",
    "selector",
    "unhealthyPodEvictionPolicy",
];
const NAMESPACE: &[&str] = &["finalizers"];
const LEASE: &[&str] = &["acquireTime", "holderIdentity", "leaseDurationSeconds", "renewTime"];
const RESOURCE_QUOTA: &[&str] = &["hard", "scopeSelector", "scopes"];
const LIMIT_RANGE: &[&str] = &["limits"];
const PRIORITY_CLASS: &[&str] = &["description", "globalDefault", "preemptionPolicy", "value"];
const CONFIG_MAP: &[&str] = &["binaryData", "data", "immutable"];

/// Defaults of fields that do not act, by their path within a pod's specification, as JSON.
const POD_DEFAULTS: &[(&str, &str)] = &[
    ("dnsPolicy", "\"ClusterFirst\""),
    ("enableServiceLinks", "true"),
    ("serviceAccount", "\"default\""),
    ("serviceAccountName", "\"default\""),
];
const SERVICE_DEFAULTS: &[(&str, &str)] = &[
    ("allocateLoadBalancerNodePorts", "true"),
    ("externalTrafficPolicy", "\"Cluster\""),
    ("internalTrafficPolicy", "\"Cluster\""),
    ("ipFamilies", "[\"IPv4\"]"),
    ("ipFamilyPolicy", "\"SingleStack\""),
    ("sessionAffinity", "\"None\""),
];

/// Switches that are on unless switched off; all others are off.
const ON: [&str; 3] = [
    "automountServiceAccountToken",
    "enableServiceLinks",
    "allocateLoadBalancerNodePorts",
];

/// Paths below a prefix.
type Group = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

/// The groups of the containers of a specification at a path.
macro_rules! care {
    ($path:literal) => {
        vec![
            (concat!($path, "containers[]."), CARE, &[][..]),
            (concat!($path, "containers[].livenessProbe."), PROBE, &[][..]),
            (concat!($path, "containers[].readinessProbe."), PROBE, &[][..]),
            (concat!($path, "containers[].startupProbe."), PROBE, &[][..]),
            (concat!($path, "initContainers[]."), CARE, &[][..]),
            (concat!($path, "initContainers[].livenessProbe."), PROBE, &[][..]),
            (concat!($path, "initContainers[].readinessProbe."), PROBE, &[][..]),
            (concat!($path, "initContainers[].startupProbe."), PROBE, &[][..]),
        ]
    };
}

/// What is known of a kind.
pub(super) struct Known(Vec<Group>);

impl Known {
    /// `None`: nothing.
    pub(super) fn of(kind: &str) -> Option<Self> {
        let mut groups = vec![("", EVERY, &[][..])];
        groups.push(match kind {
            "Pod" => ("spec.", POD, POD_DEFAULTS),
            "Deployment" => ("spec.", DEPLOYMENT, &[]),
            "ReplicaSet" => ("spec.", REPLICA_SET, &[]),
            "DaemonSet" => ("spec.", DAEMON_SET, &[]),
            "StatefulSet" => (
                "spec.",
                STATEFUL_SET,
                &[("updateStrategy.rollingUpdate.maxUnavailable", "1")],
            ),
            "PersistentVolumeClaim" => ("spec.", CLAIM, &[]),
            "PersistentVolume" => ("spec.", VOLUME, &[]),
            "HorizontalPodAutoscaler" => ("spec.", POD_AUTOSCALER, &[]),
            "StorageClass" => ("", STORAGE_CLASS, &[]),
            "Job" => ("spec.", JOB, &[]),
            "Service" => ("spec.", SERVICE, SERVICE_DEFAULTS),
            "PodDisruptionBudget" => ("spec.", BUDGET, &[]),
            "Node" => ("spec.", NODE, &[]),
            "Namespace" => ("spec.", NAMESPACE, &[]),
            "Lease" => ("spec.", LEASE, &[]),
            "ConfigMap" => ("", CONFIG_MAP, &[]),
            "ResourceQuota" => ("spec.", RESOURCE_QUOTA, &[]),
            "LimitRange" => ("spec.", LIMIT_RANGE, &[]),
            "PriorityClass" => ("", PRIORITY_CLASS, &[]),
            _ => return None,
        });
        if matches!(kind, "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" | "Job") {
            groups.push(("spec.template.spec.", POD, POD_DEFAULTS));
        }
        groups.extend(match kind {
            "Pod" => care!("spec."),
            _ if groups.iter().any(|(prefix, ..)| *prefix == "spec.template.spec.") => care!("spec.template.spec."),
            _ => Vec::new(),
        });
        Some(Self(groups))
    }

    /// Whether this field acts (or is neutral).
    pub(super) fn acts(&self, path: &str) -> bool {
        self.0
            .iter()
            .any(|(prefix, known, _)| path.strip_prefix(prefix).is_some_and(|rest| known.contains(&rest)))
    }

    /// Whether there is anything known below this field.
    pub(super) fn leads_to_more(&self, path: &str) -> bool {
        let below = |field: &str, path: &str| {
            field
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.0.iter().any(|(prefix, known, defaults)| {
            below(prefix, path)
                || path.strip_prefix(prefix).is_some_and(|rest| {
                    known.iter().any(|field| below(field, rest)) || defaults.iter().any(|(field, _)| below(field, rest))
                })
        })
    }

    /// Whether this value is what Kubernetes would have filled in. `beside`: the fields beside it.
    pub(super) fn is_default(&self, path: &str, value: &Value, beside: &Map<String, Value>) -> bool {
        let name = path.rsplit('.').next().unwrap_or(path);
        if *value == Value::Bool(false) && !ON.contains(&name) {
            return true;
        }
        if name == "exec" && path.contains("].lifecycle.") {
            let words: Vec<String> = serde_json::from_value(value["command"].clone()).unwrap_or_default();
            return sleep_of(&words).is_some();
        }
        if name == "imagePullPolicy" {
            let image = beside.get("image").and_then(Value::as_str).unwrap_or_default();
            return value == pull_policy(image);
        }
        self.0.iter().any(|(prefix, _, defaults)| {
            path.strip_prefix(prefix).is_some_and(|rest| {
                defaults.iter().any(|(field, default)| {
                    *field == rest && serde_json::from_str::<Value>(default).is_ok_and(|default| default == *value)
                })
            })
        })
    }
}
