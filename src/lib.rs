//! Resilience experiments as ordinary Rust tests: are we still up when nodes die?

pub mod analysis;
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod experiment;
pub mod model;
pub mod report;
pub mod simulation;
pub mod sockshop;
pub mod survey;

mod error;
mod snapshot;

pub use app::App;
pub use cluster::Cluster;
pub use error::{Error, Result};
pub use experiment::{Experiment, Report};
pub use model::experiment::Verdict;
pub use model::fault::NodeFailure;
pub use model::units::Units;
pub use sockshop::SockShop;

pub use insta;
pub use k8s_openapi;
pub use kube;
