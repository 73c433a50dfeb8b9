//! Tables: what `kubectl get` prints, made by the server.
//!
//! Columns and cells are those of Kubernetes (`pkg/printers/internalversion/printers.go`), with the columns of `-o wide` always
//! there, at a lower priority. Ages are in cluster time. The columns have no descriptions; nobody prints them.

mod columns;
mod look;
mod pods;
mod selector;
mod services;
mod storage;
mod system;
mod workloads;

use serde_json::{Value, json};

use super::status::Refusal;
use crate::simulation::api::Resource;
use columns::Column;
use look::Look;

/// Which part of each object comes along with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    /// None.
    Nothing,
    /// Its metadata, which is enough for `kubectl`.
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// Reads the parameter `includeObject` (`endpoints/handlers/response.go`: `asTable`).
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::Nothing),
            Some("Object") => Ok(Self::Object),
            Some(other) => {
                let why = format!("unrecognized includeObject value: \"{other}\"");
                Err(Refusal::BadRequest(why))
            }
        }
    }
}

/// How a resource is printed.
struct Printer {
    columns: &'static [Column],
    cells: fn(&Look) -> Vec<Value>,
}

/// The definitions of a resource's columns.
pub(super) fn columns(resource: &Resource) -> Value {
    printer(resource).columns.iter().map(Column::definition).collect()
}

/// The row of an object as it is at `now`, in microseconds of cluster time.
pub(super) fn row(resource: &Resource, object: Value, include: Include, now: u64) -> Value {
    let look = Look::new(&object, now);
    let cells = (printer(resource).cells)(&look);
    let mut row = json!({"cells": cells});
    if resource.own_plural() == "pods"
        && let Some(conditions) = pods::conditions(&look)
    {
        row["conditions"] = conditions;
    }
    row["object"] = match include {
        Include::Nothing => Value::Null,
        Include::Object => object,
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
        }),
    };
    row
}

/// A table.
pub(super) fn table(columns: Option<Value>, metadata: &Value, rows: Vec<Value>) -> Value {
    let mut table = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
    // Always there in Go, empty where a watch has sent them before.
    table["columnDefinitions"] = columns.unwrap_or_else(|| json!([]));
    table["rows"] = Value::Array(rows);
    table
}

fn printer(resource: &Resource) -> Printer {
    if resource.custom {
        return system::CUSTOM;
    }
    match (&*resource.group, resource.own_plural()) {
        ("", "pods") => pods::PODS,
        ("", "nodes") => system::NODES,
        ("", "namespaces") => system::NAMESPACES,
        ("" | "events.k8s.io", "events") => system::EVENTS,
        ("", "configmaps") => system::CONFIG_MAPS,
        ("", "secrets") => system::SECRETS,
        ("", "serviceaccounts") => system::NAME_AND_AGE,
        ("", "resourcequotas") => system::RESOURCE_QUOTAS,
        ("coordination.k8s.io", "leases") => system::LEASES,
        ("scheduling.k8s.io", "priorityclasses") => system::PRIORITY_CLASSES,
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => system::ROLE_BINDINGS,
        ("apps", "controllerrevisions") => system::CONTROLLER_REVISIONS,
        ("", "services") => services::SERVICES,
        ("", "endpoints") => services::ENDPOINTS,
        ("discovery.k8s.io", "endpointslices") => services::ENDPOINT_SLICES,
        ("networking.k8s.io", "ingresses") => services::INGRESSES,
        ("networking.k8s.io", "ingressclasses") => services::INGRESS_CLASSES,
        ("networking.k8s.io", "networkpolicies") => services::NETWORK_POLICIES,
        ("apps", "deployments") => workloads::DEPLOYMENTS,
        ("apps", "replicasets") => workloads::REPLICA_SETS,
        ("", "replicationcontrollers") => workloads::REPLICATION_CONTROLLERS,
        ("apps", "daemonsets") => workloads::DAEMON_SETS,
        ("apps", "statefulsets") => workloads::STATEFUL_SETS,
        ("batch", "jobs") => workloads::JOBS,
        ("batch", "cronjobs") => workloads::CRON_JOBS,
        ("autoscaling", "horizontalpodautoscalers") => workloads::HORIZONTAL_POD_AUTOSCALERS,
        ("policy", "poddisruptionbudgets") => workloads::POD_DISRUPTION_BUDGETS,
        ("", "persistentvolumes") => storage::PERSISTENT_VOLUMES,
        ("", "persistentvolumeclaims") => storage::PERSISTENT_VOLUME_CLAIMS,
        ("storage.k8s.io", "storageclasses") => storage::STORAGE_CLASSES,
        ("storage.k8s.io", "volumeattachments") => storage::VOLUME_ATTACHMENTS,
        _ => system::PLAIN,
    }
}

#[cfg(test)]
mod tests;
