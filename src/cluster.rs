//! The clusters on which an experiment runs.

pub mod embedded;
