//! Resilience experiments as ordinary Rust tests: are we still up when nodes die?
//!
//! A test deploys an application ([`SockShop`], [`App`]) on a [`Cluster`], runs an [`Experiment`] (hypotheses about journeys, a
//! [`NodeFailure`], an observation) and asserts on its [`Report`] with [`assert_availability_snapshot!`].
//!
//! The map, from the top down; a module uses only what is below it:
//!
//! * [`survey`]: many seeds of one experiment.
//! * [`sockshop`]: the sock shop as a fixture.
//! * [`experiment`]: the sentence, the run, the report.
//! * [`app`]: manifests, deploying them, journeys to make hypotheses about.
//! * [`cluster`]: where an experiment runs: the embedded cluster, a simulation behind a Kubernetes API.
//! * `safety` (feature `real`): what must exist before a real cluster is broken: allow-list, caps, lease, journal, undo, watchdog.
//! * `standin` (feature `stand-in`): one service of an application model as a real server.
//! * `probe`: open-loop load on real clusters (feature `probe`).
//! * [`report`], [`analysis`]: pure functions of a history.
//! * [`simulation`]: a deterministic model of Kubernetes under load.
//! * [`model`]: plain data.
//!
//! [`kube`], [`k8s_openapi`] and [`insta`] are re-exported in the versions that this crate uses.

pub mod analysis;
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod experiment;
pub mod model;
#[cfg(feature = "probe")]
pub mod probe;
pub mod report;
#[cfg(feature = "real")]
pub mod safety;
pub mod simulation;
pub mod sockshop;
#[cfg(feature = "stand-in")]
pub mod standin;
pub mod survey;

mod error;
mod snapshot;

pub use app::App;
pub use cluster::{ActiveFault, Cluster};
pub use error::{Error, Result};
pub use experiment::{Experiment, Report};
pub use model::experiment::Verdict;
pub use model::fault::{NodeFailure, PodFailure};
pub use model::units::Units;
pub use sockshop::SockShop;

pub use insta;
pub use k8s_openapi;
pub use kube;

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
