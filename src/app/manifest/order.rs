//! What is applied first.

/// The place of a kind in the order of application. What others need comes first (helm/helm pkg/releaseutil/kind_sorter.go
/// `InstallOrder`); workloads, Services and all else keep the order of the text; what reads or guards other objects is last.
pub(super) fn rank(kind: &str, api_version: &str) -> u8 {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => 1,
        ("scheduling.k8s.io", "PriorityClass") => 2,
        ("", "ResourceQuota" | "LimitRange") => 3,
        ("", "ServiceAccount") => 4,
        ("", "Secret" | "ConfigMap") => 5,
        ("storage.k8s.io", "StorageClass") | ("", "PersistentVolume") => 6,
        ("", "PersistentVolumeClaim") => 7,
        ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => 8,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding" | "RoleBinding") => 9,
        // A webhook that is there before its server refuses what comes after it.
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 12,
        _ if is_custom(group) => 11,
        _ => 10,
    }
}

/// Whether a group is not one of Kubernetes' own: those have no dot, or end in `k8s.io`.
pub(super) fn is_custom(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// Whether Kubernetes has served this kind in this version and does no longer, so that an API server refuses it: «no matches for
/// kind». Source: the page «Deprecated API Migration Guide» of the Kubernetes documentation.
pub(super) fn is_removed(group: &str, version: &str, kind: &str) -> bool {
    match (group, version) {
        ("extensions" | "policy", "v1beta1")
        | ("apps", "v1beta1" | "v1beta2")
        | ("autoscaling", "v2beta1" | "v2beta2")
        | ("rbac.authorization.k8s.io", "v1alpha1" | "v1beta1") => true,
        ("batch", "v1beta1" | "v2alpha1") => kind == "CronJob",
        ("networking.k8s.io", "v1beta1") => matches!(kind, "Ingress" | "IngressClass"),
        ("apiextensions.k8s.io" | "admissionregistration.k8s.io" | "apiregistration.k8s.io", "v1beta1") => {
            !kind.starts_with("ValidatingAdmissionPolicy") && !kind.starts_with("MutatingAdmissionPolicy")
        }
        ("storage.k8s.io", "v1beta1") => kind != "VolumeAttributesClass",
        ("scheduling.k8s.io" | "coordination.k8s.io" | "discovery.k8s.io", "v1beta1" | "v1alpha1") => {
            matches!(kind, "PriorityClass" | "Lease" | "EndpointSlice")
        }
        _ => false,
    }
}
