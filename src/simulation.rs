//! The simulation core: a pure, deterministic discrete-event model of a Kubernetes cluster under load.
//!
//! [`world::World`] holds everything as plain data. Events move it; commands come in through [`api::ApiStore`], through
//! [`world::World::inject`] and as load; transitions come out as history. Nothing in here knows a runtime, a socket or a wall clock.

mod addresses;
mod admission;
pub mod api;
pub mod control;
mod drain;
pub mod event;
pub mod fabric;
pub mod faults;
pub mod kubelet;
pub mod load;
pub mod machine;
mod mounting;
pub mod network;
pub mod objects;
mod outage;
pub mod queue;
pub mod scheduler;
pub mod server;
pub mod system;
pub mod world;
