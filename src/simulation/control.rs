//! The control plane: each controller in a file of its own, all acting on the world.

pub mod attachments;
pub mod autoscaler;
pub mod claims;
pub mod cloud;
pub mod daemon_sets;
pub mod deployments;
pub mod disruption;
pub mod endpoints;
pub mod garbage;
pub mod jobs;
pub mod load_balancers;
pub mod namespaces;
pub mod node_lifecycle;
pub mod pod_autoscaler;
pub mod pod_gc;
pub mod pods;
pub mod preempting;
mod proportion;
pub mod replica_sets;
pub mod revisions;
pub mod routing;
pub mod scaling_group;
pub mod scheduling;
pub mod selecting;
pub mod stateful_sets;
pub mod taint_eviction;
pub mod volume_binding;
