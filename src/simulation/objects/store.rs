//! All tables together.

use std::sync::Arc;

use super::autoscaling::PodAutoscaler;
use super::budget::Budget;
use super::custom::Customs;
use super::job::Job;
use super::meta::Meta;
use super::node::{Lease, Node};
use super::pod::Pod;
use super::pod_table::Pods;
use super::resources::{self, RESOURCES};
use super::service::{EndpointSlice, Service};
use super::stateful_set::{ControllerRevision, StatefulSet};
use super::storage::{Claim, StorageClass, Volume, VolumeAttachment};
use super::stored::{Event, Stored};
use super::table::{Row, Table, Versions};
use super::workload::{DaemonSet, Deployment, ReplicaSet};
use crate::simulation::api::{Resource, Served};

/// A Namespace.
#[derive(Clone, Debug, Default)]
pub struct Namespace;

/// Everything that the API server holds.
#[derive(Clone, Debug)]
pub struct Store {
    /// The counters.
    pub versions: Versions,
    /// Namespaces.
    pub namespaces: Table<Namespace>,
    /// Nodes.
    pub nodes: Table<Node>,
    /// Pods; the row is the [`crate::simulation::fabric::PodId`].
    pub pods: Pods,
    /// Services.
    pub services: Table<Service>,
    /// Deployments.
    pub deployments: Table<Deployment>,
    /// ReplicaSets.
    pub replica_sets: Table<ReplicaSet>,
    /// DaemonSets.
    pub daemon_sets: Table<DaemonSet>,
    /// PodDisruptionBudgets.
    pub budgets: Table<Budget>,
    /// Jobs.
    pub jobs: Table<Job>,
    /// EndpointSlices.
    pub slices: Table<EndpointSlice>,
    /// Events.
    pub events: Table<Event>,
    /// Leases.
    pub leases: Table<Lease>,
    /// StatefulSets.
    pub stateful_sets: Table<StatefulSet>,
    /// ControllerRevisions.
    pub controller_revisions: Table<ControllerRevision>,
    /// PersistentVolumeClaims.
    pub claims: Table<Claim>,
    /// PersistentVolumes.
    pub volumes: Table<Volume>,
    /// StorageClasses.
    pub storage_classes: Table<StorageClass>,
    /// HorizontalPodAutoscalers.
    pub pod_autoscalers: Table<PodAutoscaler>,
    /// VolumeAttachments.
    pub volume_attachments: Table<VolumeAttachment>,
    /// The resources kept as written, by index into [`RESOURCES`] (empty tables for the others); those of custom
    /// resources come after them.
    pub stored: Vec<Table<Stored>>,
    /// The custom resources.
    pub customs: Customs,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            versions: Versions::default(),
            namespaces: Table::default(),
            nodes: Table::default(),
            pods: Pods::default(),
            services: Table::default(),
            deployments: Table::default(),
            replica_sets: Table::default(),
            daemon_sets: Table::default(),
            budgets: Table::default(),
            jobs: Table::default(),
            slices: Table::default(),
            events: Table::default(),
            leases: Table::default(),
            stateful_sets: Table::default(),
            controller_revisions: Table::default(),
            claims: Table::default(),
            volumes: Table::default(),
            storage_classes: Table::default(),
            pod_autoscalers: Table::default(),
            volume_attachments: Table::default(),
            stored: RESOURCES.iter().map(|_| Table::default()).collect(),
            customs: Customs::default(),
        }
    }
}

impl Store {
    /// The index of a resource's table among those of what is kept as written. The first one stands for a resource that there
    /// is not: namespaces are not kept as written, so that it is always empty.
    #[must_use]
    pub fn index(&self, resource: &Resource) -> usize {
        let index = if resource.custom {
            self.customs.table(resource)
        } else {
            resources::index(resource)
        };
        index.unwrap_or_default()
    }

    /// The resource of an index.
    #[must_use]
    pub fn served(&self, index: usize) -> Served {
        RESOURCES
            .get(index)
            .cloned()
            .or_else(|| self.customs.at(index))
            .unwrap_or_else(|| RESOURCES[0].clone())
    }

    /// A pod that exists.
    #[must_use]
    pub fn pod(&self, pod: u32) -> Option<&Row<Pod>> {
        self.pods.get(pod)
    }

    /// Changes a pod.
    pub fn change_pod(&mut self, pod: u32, change: impl FnOnce(&mut Row<Pod>)) {
        self.pods.update(&mut self.versions, pod, change);
    }

    /// Changes a node.
    pub fn change_node(&mut self, node: u32, change: impl FnOnce(&mut Row<Node>)) {
        self.nodes.update(&mut self.versions, node, change);
    }
}

/// Metadata of a new object.
#[must_use]
pub fn named(namespace: &Arc<str>, name: impl Into<Arc<str>>) -> Meta {
    Meta {
        name: name.into(),
        namespace: namespace.clone(),
        generation: 1,
        ..Meta::default()
    }
}
