//! Laws of the simulation core, under random commands on both profiles.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod core {
    mod audit;
    mod bench;
    mod continuing;
    mod converging;
    mod growing;
    mod placing;
    mod watching;
}
