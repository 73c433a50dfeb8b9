//! The same run without the Kubernetes face: the bare simulation, for many seeds.
//!
//! A rehearsal makes the commands of [`crate::Experiment::run`] and [`crate::app::Undeployed::deploy`] at the same whole seconds of
//! cluster time, so a seed's history is the same, byte for byte (`tests/` compare them); it only skips the API's JSON.

use std::sync::Arc;

use crate::app::manifest::Manifest;
use crate::experiment::{DRAIN, STEADY, STEADY_WITHIN};
use crate::model::application::Application;
use crate::model::experiment::Plan;
use crate::model::fault::{SelectError, choose};
use crate::model::history::History;
use crate::model::journey::Journey;
use crate::model::profile::Profile;
use crate::model::time::{Span, Time};
use crate::simulation::world::World;
