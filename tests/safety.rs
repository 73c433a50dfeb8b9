//! The safety core against real processes that are really killed, and against the embedded cluster as the Kubernetes side.
#![cfg(all(feature = "real", feature = "cli", unix))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod safety {
    mod audited;
    mod ending;
    mod killed;
    mod leases;
    mod planned;
    mod rig;
    mod watched;
}
