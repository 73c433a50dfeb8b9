//! Services and EndpointSlices.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::Value;

use crate::simulation::api::Labels;
use crate::simulation::fabric::{MachineId, PodId, ServiceId};

/// A Service.
#[derive(Clone, Debug)]
pub struct Service {
    /// `spec` as the user wrote it, with the cluster address and node ports that were given.
    pub spec: Arc<Value>,
    /// Pods with these labels are its endpoints; empty: none.
    pub selector: Arc<Labels>,
    /// `status.loadBalancer.ingress`: the name of its load balancer.
    pub ingress: Option<Arc<str>>,
    /// Its number in the fabric.
    pub id: ServiceId,
    /// The row of its EndpointSlice.
    pub slice: Option<u32>,
}

/// An EndpointSlice.
#[derive(Clone, Debug)]
pub struct EndpointSlice {
    /// The service.
    pub service: Arc<str>,
    /// Its ports as JSON.
    pub ports: Arc<Value>,
    /// Its endpoints, ordered by pod.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod.
    pub pod: PodId,
    /// Its name.
    pub name: Arc<str>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its node.
    pub node: MachineId,
    /// Its node's name.
    pub node_name: Arc<str>,
    /// Its node's zone.
    pub zone: Arc<str>,
    /// The pod's uid.
    pub uid: u64,
    /// Serving and not terminating: gets traffic.
    pub ready: bool,
    /// The pod is ready, whether or not it terminates.
    pub serving: bool,
    /// The pod is being deleted.
    pub terminating: bool,
}
