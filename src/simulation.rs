//! The simulation core: a pure, deterministic discrete-event model of a Kubernetes cluster under load.

pub mod fabric;
pub mod random;
pub mod time;
