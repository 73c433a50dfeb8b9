//! Faults as scopes on a cluster: injected, held by a guard, healed.

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::{Cluster, ClusterError};
use crate::model::fault::{self, Candidate, Fault};
use crate::simulation::faults::ScopeId;

/// A fault that lasts as long as this guard: healing it, or dropping it, ends the fault.
///
/// What can come back does: a killed or stopped machine is switched on, a frozen one resumed, an isolated one connected, a kubelet
/// started, a drained node uncordoned, a machine whose node object was deleted is restarted, which registers it anew. A terminated
/// machine is replaced by its scaling group, if there is one. Victims that wait for their turn are not struck any more.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> steadfast::Result {
/// use steadfast::{Cluster, NodeFailure, Units as _};
///
/// let cluster = Cluster::embedded().profile("kind")?.start().await?;
/// let frozen = cluster.inject(NodeFailure::freeze().count(1)).await?;
/// assert_eq!(frozen.nodes().len(), 1);
/// tokio::time::sleep(60.secs()).await; // what the cluster makes of it
/// frozen.heal().await?;
/// # Ok(()) }
/// ```
#[must_use = "dropping the guard heals the fault at once: hold it while the fault is to last"]
#[derive(Debug)]
pub struct ActiveFault {
    cluster: Cluster,
    scope: ScopeId,
    nodes: Vec<String>,
    healed: bool,
}

impl ActiveFault {
    /// The nodes that were chosen, in the order of their names; none for a failure of pods.
    #[must_use]
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// Ends the fault: what can come back begins to.
    ///
    /// # Errors
    /// When the cluster has failed.
    pub async fn heal(mut self) -> Result<(), ClusterError> {
        self.healed = true;
        self.cluster.heal(self.scope).await
    }
}

impl Drop for ActiveFault {
    fn drop(&mut self) {
        if !self.healed {
            self.cluster.heal_now(self.scope);
        }
    }
}

impl Cluster {
    /// Injects a fault: a [`NodeFailure`](fault::NodeFailure) or a [`PodFailure`](fault::PodFailure). It lasts until the guard is healed or
    /// dropped. Pods are looked for in the namespace that the failure names, or else in that of the running load.
    ///
    /// # Errors
    /// When the fault has no targets, or the cluster fails.
    pub async fn inject(&self, fault: impl Into<Fault>) -> Result<ActiveFault, ClusterError> {
        let fault = fault.into();
        let nodes = self
            .targets(std::slice::from_ref(&fault))
            .await?
            .pop()
            .unwrap_or_default();
        let scope = self.begin(&fault, nodes.clone()).await?;
        Ok(ActiveFault {
            cluster: self.clone(),
            scope,
            nodes,
            healed: false,
        })
    }

    /// The names of the nodes that each fault is to strike, chosen from those that run workloads.
    pub(crate) async fn targets(&self, faults: &[Fault]) -> Result<Vec<Vec<String>>, ClusterError> {
        let nodes: Api<Node> = Api::all(self.client());
        let workers = ListParams::default().labels("!node-role.kubernetes.io/control-plane");
        let nodes = nodes
            .list(&workers)
            .await
            .map_err(|source| ClusterError::Nodes(Box::new(source)))?;
        let candidates: Vec<Candidate> = nodes
            .iter()
            .map(|node| Candidate {
                name: node.name_any(),
                labels: node.labels().clone(),
            })
            .collect();
        Ok(fault::choose_all(faults, &candidates, self.rounding(), self.seed())?)
    }
}
