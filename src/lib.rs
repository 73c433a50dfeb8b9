//! Resilience experiments as ordinary Rust tests: are we still up when nodes die?
pub mod cluster;
pub mod model;
pub mod simulation;
