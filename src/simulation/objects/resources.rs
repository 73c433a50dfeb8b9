//! The resources that the cluster serves.

use crate::simulation::api::{Resource, Served};

const fn resource(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource::built_in(group, version, plural, kind)
}

const fn stored(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    let mut resource = plain(Resource::built_in(group, version, plural, kind));
    resource.modelled = false;
    resource
}

const fn global(mut resource: Resource) -> Resource {
    resource.namespaced = false;
    resource
}

const fn with_status(mut resource: Resource) -> Resource {
    resource.status = true;
    resource
}

const fn plain(mut resource: Resource) -> Resource {
    resource.status = false;
    resource
}

/// How many there are.
const COUNT: usize = 58;

/// All of them, in the order of the constants below.
pub static RESOURCES: [Served; COUNT] = {
    let mut all = [const { Served::BuiltIn(&BUILT_IN[0]) }; COUNT];
    let mut index = 0;
    while index < COUNT {
        // Nothing is dropped where constants are made.
        std::mem::forget(std::mem::replace(&mut all[index], Served::BuiltIn(&BUILT_IN[index])));
        index += 1;
    }
    all
};

static BUILT_IN: [Resource; COUNT] = [
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
    resource("", "v1", "resourcequotas", "ResourceQuota"),
    plain(resource("", "v1", "limitranges", "LimitRange")),
    resource("apps", "v1", "statefulsets", "StatefulSet"),
    resource("batch", "v1", "jobs", "Job"),
    with_status(stored("batch", "v1", "cronjobs", "CronJob")),
    resource(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
    ),
    resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    with_status(stored("networking.k8s.io", "v1", "ingresses", "Ingress")),
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
    plain(global(resource(
        "scheduling.k8s.io",
        "v1",
        "priorityclasses",
        "PriorityClass",
    ))),
    global(plain(resource(
        "storage.k8s.io",
        "v1",
        "storageclasses",
        "StorageClass",
    ))),
    stored("", "v1", "endpoints", "Endpoints"),
    with_status(stored("", "v1", "replicationcontrollers", "ReplicationController")),
    with_status(global(stored(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
    ))),
    with_status(global(stored(
        "apiregistration.k8s.io",
        "v1",
        "apiservices",
        "APIService",
    ))),
    global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
    )),
    global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
    )),
    with_status(global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
    ))),
    global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
    )),
    global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicies",
        "MutatingAdmissionPolicy",
    )),
    global(stored(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding",
    )),
    plain(resource("apps", "v1", "controllerrevisions", "ControllerRevision")),
    stored("", "v1", "podtemplates", "PodTemplate"),
    with_status(global(stored(
        "certificates.k8s.io",
        "v1",
        "certificatesigningrequests",
        "CertificateSigningRequest",
    ))),
    with_status(global(stored(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "flowschemas",
        "FlowSchema",
    ))),
    with_status(global(stored(
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
    ))),
    global(stored("networking.k8s.io", "v1", "ipaddresses", "IPAddress")),
    with_status(global(stored("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR"))),
    global(stored("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass")),
    global(stored("resource.k8s.io", "v1", "deviceclasses", "DeviceClass")),
    with_status(stored("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")),
    stored(
        "resource.k8s.io",
        "v1",
        "resourceclaimtemplates",
        "ResourceClaimTemplate",
    ),
    global(stored("resource.k8s.io", "v1", "resourceslices", "ResourceSlice")),
    global(stored("storage.k8s.io", "v1", "csidrivers", "CSIDriver")),
    global(stored("storage.k8s.io", "v1", "csinodes", "CSINode")),
    stored("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity"),
    global(resource(
        "storage.k8s.io",
        "v1",
        "volumeattachments",
        "VolumeAttachment",
    )),
    global(stored(
        "storage.k8s.io",
        "v1",
        "volumeattributesclasses",
        "VolumeAttributesClass",
    )),
];

/// Namespaces.
pub static NAMESPACES: &Served = &RESOURCES[0];
/// Nodes.
pub static NODES: &Served = &RESOURCES[1];
/// Pods.
pub static PODS: &Served = &RESOURCES[2];
/// Services.
pub static SERVICES: &Served = &RESOURCES[3];
/// Deployments.
pub static DEPLOYMENTS: &Served = &RESOURCES[4];
/// ReplicaSets.
pub static REPLICA_SETS: &Served = &RESOURCES[5];
/// DaemonSets.
pub static DAEMON_SETS: &Served = &RESOURCES[6];
/// Jobs.
pub static JOBS: &Served = &RESOURCES[18];
/// EndpointSlices.
pub static ENDPOINT_SLICES: &Served = &RESOURCES[7];
/// Events.
pub static EVENTS: &Served = &RESOURCES[8];
/// Leases.
pub static LEASES: &Served = &RESOURCES[9];
/// ConfigMaps: the first of the resources kept as written.
pub static CONFIG_MAPS: &Served = &RESOURCES[10];
/// PodDisruptionBudgets.
pub static DISRUPTION_BUDGETS: &Served = &RESOURCES[21];
/// Secrets.
pub static SECRETS: &Served = &RESOURCES[11];
/// PersistentVolumeClaims.
pub static CLAIMS: &Served = &RESOURCES[13];
/// PersistentVolumes.
pub static VOLUMES: &Served = &RESOURCES[14];
/// ResourceQuotas.
pub static RESOURCE_QUOTAS: &Served = &RESOURCES[15];
/// LimitRanges.
pub static LIMIT_RANGES: &Served = &RESOURCES[16];
/// StatefulSets.
pub static STATEFUL_SETS: &Served = &RESOURCES[17];
/// HorizontalPodAutoscalers.
pub static POD_AUTOSCALERS: &Served = &RESOURCES[20];
/// PriorityClasses.
pub static PRIORITY_CLASSES: &Served = &RESOURCES[29];
/// StorageClasses.
pub static STORAGE_CLASSES: &Served = &RESOURCES[30];
/// ControllerRevisions.
pub static CONTROLLER_REVISIONS: &Served = &RESOURCES[41];
/// VolumeAttachments.
pub static VOLUME_ATTACHMENTS: &Served = &RESOURCES[56];
/// CustomResourceDefinitions.
pub static DEFINITIONS: &Served = &RESOURCES[33];
/// The index of [`CONFIG_MAPS`].
pub const FIRST_STORED: usize = 10;

/// The resource of a kind, when it is served. `group` is empty for the core group.
#[must_use]
pub fn find(group: &str, version: &str, kind: &str) -> Option<&'static Served> {
    RESOURCES
        .iter()
        .find(|resource| resource.group == group && resource.version == version && resource.kind == kind)
}

/// A resource's index in [`RESOURCES`].
#[must_use]
pub fn index(resource: &Resource) -> Option<usize> {
    let is_it = |other: &Served| other.plural == resource.plural && other.group == resource.group;
    RESOURCES.iter().position(is_it).filter(|_| !resource.custom)
}
