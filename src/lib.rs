//! Resilience experiments as ordinary Rust tests: are we still up when nodes die?
pub mod analysis;
pub mod model;
pub mod report;
pub mod simulation;
