//! Plain data: application, journey, fault, experiment, profile, time, chance, and the format of a history.

pub mod application;
mod between;
pub mod experiment;
pub mod fault;
pub mod history;
pub mod journey;
pub mod profile;
pub mod random;
pub mod time;
pub mod units;
