//! The embedded cluster on a loopback port, as clients of all kinds see it: `kubectl`, and some that mean no good.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod serve {
    mod ending;
    mod hostile;
    mod kubectl;
    mod rig;
}
