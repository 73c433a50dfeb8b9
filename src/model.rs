//! Plain data: application, journey, fault, experiment, profile and the format of a history.

pub mod application;
pub mod experiment;
pub mod fault;
pub mod history;
pub mod journey;
pub mod units;
