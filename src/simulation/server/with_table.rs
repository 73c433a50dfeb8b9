//! Which table the objects of a resource are in.

/// Runs an expression on the table of a resource; with `[&mut]` in front on one that it may change.
macro_rules! with_table {
    ([$($borrow:tt)+] $store:expr, $resource:expr, $table:ident => $do:expr) => {
        match $resource.own_plural() {
            "namespaces" => {
                let $table = $($borrow)+ $store.namespaces;
                $do
            }
            "nodes" => {
                let $table = $($borrow)+ $store.nodes;
                $do
            }
            "pods" => {
                let $table = $($borrow)+ $store.pods;
                $do
            }
            "services" => {
                let $table = $($borrow)+ $store.services;
                $do
            }
            "deployments" => {
                let $table = $($borrow)+ $store.deployments;
                $do
            }
            "replicasets" => {
                let $table = $($borrow)+ $store.replica_sets;
                $do
            }
            "daemonsets" => {
                let $table = $($borrow)+ $store.daemon_sets;
                $do
            }
            "poddisruptionbudgets" => {
                let $table = $($borrow)+ $store.budgets;
                $do
            }
            "endpointslices" => {
                let $table = $($borrow)+ $store.slices;
                $do
            }
            "events" => {
                let $table = $($borrow)+ $store.events;
                $do
            }
            "leases" => {
                let $table = $($borrow)+ $store.leases;
                $do
            }
            "statefulsets" => {
                let $table = $($borrow)+ $store.stateful_sets;
                $do
            }
            "controllerrevisions" => {
                let $table = $($borrow)+ $store.controller_revisions;
                $do
            }
            "persistentvolumeclaims" => {
                let $table = $($borrow)+ $store.claims;
                $do
            }
            "persistentvolumes" => {
                let $table = $($borrow)+ $store.volumes;
                $do
            }
            "storageclasses" => {
                let $table = $($borrow)+ $store.storage_classes;
                $do
            }
            "horizontalpodautoscalers" => {
                let $table = $($borrow)+ $store.pod_autoscalers;
                $do
            }
            "volumeattachments" => {
                let $table = $($borrow)+ $store.volume_attachments;
                $do
            }
            _ => {
                let index = $store.index($resource);
                let $table = $($borrow)+ $store.stored[index];
                $do
            }
        }
    };
    ($store:expr, $resource:expr, $table:ident => $do:expr) => {
        with_table!([&] $store, $resource, $table => $do)
    };
}
