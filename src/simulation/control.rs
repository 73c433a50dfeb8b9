//! The control plane: each controller in a file of its own, all acting on the world.

pub mod autoscaler;
pub mod cloud;
pub mod daemon_sets;
pub mod deployments;
pub mod disruption;
pub mod endpoints;
pub mod garbage;
pub mod load_balancers;
pub mod node_lifecycle;
pub mod pod_gc;
pub mod pods;
pub mod replica_sets;
pub mod routing;
pub mod scaling_group;
pub mod scheduling;
pub mod selecting;
pub mod taint_eviction;
