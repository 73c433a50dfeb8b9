//! The prober on real sockets, on loopback: every test brings a server of its own.
//!
//! Tolerances come from what is measured in the same run (the slot, the prober's largest lag, the largest latency), never from a guess at how
//! fast this machine is. Nothing is tried again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod probe {
    pub(crate) mod docker;
    pub(crate) mod failures;
    pub(crate) mod journeys;
    pub(crate) mod rig;
    pub(crate) mod schedule;
    pub(crate) mod server;
}
