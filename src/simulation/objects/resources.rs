//! The resources that the cluster serves.

use crate::simulation::api::Resource;

const fn resource(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource {
        group,
        version,
        plural,
        kind,
        namespaced: true,
        status: true,
        modelled: true,
    }
}

const fn stored(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource {
        modelled: false,
        status: false,
        ..resource(group, version, plural, kind)
    }
}

const fn global(resource: Resource) -> Resource {
    Resource {
        namespaced: false,
        ..resource
    }
}

const fn plain(resource: Resource) -> Resource {
    Resource {
        status: false,
        ..resource
    }
}

/// All of them, in the order of the constants below.
pub static RESOURCES: [Resource; 35] = [
    global(resource("", "v1", "namespaces", "Namespace")),
    global(resource("", "v1", "nodes", "Node")),
    resource("", "v1", "pods", "Pod"),
    resource("", "v1", "services", "Service"),
    resource("apps", "v1", "deployments", "Deployment"),
    resource("apps", "v1", "replicasets", "ReplicaSet"),
    resource("apps", "v1", "daemonsets", "DaemonSet"),
    plain(resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")),
    plain(resource("", "v1", "events", "Event")),
    plain(resource("coordination.k8s.io", "v1", "leases", "Lease")),
    plain(resource("", "v1", "configmaps", "ConfigMap")),
    stored("", "v1", "secrets", "Secret"),
    stored("", "v1", "serviceaccounts", "ServiceAccount"),
    resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    global(resource("", "v1", "persistentvolumes", "PersistentVolume")),
    stored("", "v1", "resourcequotas", "ResourceQuota"),
    stored("", "v1", "limitranges", "LimitRange"),
    resource("apps", "v1", "statefulsets", "StatefulSet"),
    stored("batch", "v1", "jobs", "Job"),
    stored("batch", "v1", "cronjobs", "CronJob"),
    resource(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
    ),
    stored("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    stored("networking.k8s.io", "v1", "ingresses", "Ingress"),
    global(stored("networking.k8s.io", "v1", "ingressclasses", "IngressClass")),
    stored("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    stored("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    stored("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    global(stored("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")),
    global(stored(
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
    )),
    global(stored("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass")),
    global(plain(resource(
        "storage.k8s.io",
        "v1",
        "storageclasses",
        "StorageClass",
    ))),
    stored("", "v1", "endpoints", "Endpoints"),
    stored("", "v1", "replicationcontrollers", "ReplicationController"),
    plain(resource("apps", "v1", "controllerrevisions", "ControllerRevision")),
    global(resource(
        "storage.k8s.io",
        "v1",
        "volumeattachments",
        "VolumeAttachment",
    )),
];

/// Namespaces.
pub static NAMESPACES: &Resource = &RESOURCES[0];
/// Nodes.
pub static NODES: &Resource = &RESOURCES[1];
/// Pods.
pub static PODS: &Resource = &RESOURCES[2];
/// Services.
pub static SERVICES: &Resource = &RESOURCES[3];
/// Deployments.
pub static DEPLOYMENTS: &Resource = &RESOURCES[4];
/// ReplicaSets.
pub static REPLICA_SETS: &Resource = &RESOURCES[5];
/// DaemonSets.
pub static DAEMON_SETS: &Resource = &RESOURCES[6];
/// EndpointSlices.
pub static ENDPOINT_SLICES: &Resource = &RESOURCES[7];
/// Events.
pub static EVENTS: &Resource = &RESOURCES[8];
/// Leases.
pub static LEASES: &Resource = &RESOURCES[9];
/// ConfigMaps: the first of the resources kept as written.
pub static CONFIG_MAPS: &Resource = &RESOURCES[10];
/// Secrets.
pub static SECRETS: &Resource = &RESOURCES[11];
/// PersistentVolumeClaims.
pub static CLAIMS: &Resource = &RESOURCES[13];
/// PersistentVolumes.
pub static VOLUMES: &Resource = &RESOURCES[14];
/// StatefulSets.
pub static STATEFUL_SETS: &Resource = &RESOURCES[17];
/// HorizontalPodAutoscalers.
pub static POD_AUTOSCALERS: &Resource = &RESOURCES[20];
/// StorageClasses.
pub static STORAGE_CLASSES: &Resource = &RESOURCES[30];
/// ControllerRevisions.
pub static CONTROLLER_REVISIONS: &Resource = &RESOURCES[33];
/// VolumeAttachments.
pub static VOLUME_ATTACHMENTS: &Resource = &RESOURCES[34];
/// The index of [`CONFIG_MAPS`].
pub const FIRST_STORED: usize = 10;

/// The resource of a kind, when it is served. `group` is empty for the core group.
#[must_use]
pub fn find(group: &str, version: &str, kind: &str) -> Option<&'static Resource> {
    RESOURCES
        .iter()
        .find(|resource| resource.group == group && resource.version == version && resource.kind == kind)
}

/// A resource's index in [`RESOURCES`].
#[must_use]
pub fn index(resource: &Resource) -> Option<usize> {
    RESOURCES.iter().position(|other| other == resource)
}
