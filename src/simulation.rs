//! The simulation core: a pure, deterministic discrete-event model of a Kubernetes cluster under load.

pub mod api;
pub mod fabric;
pub mod objects;
pub mod scheduler;
