//! Plain data: application, journey, fault, experiment, profile, time, chance, and the format of a history.

pub mod application;
mod between;
#[cfg(test)]
pub(crate) mod cases;
pub mod experiment;
pub mod fault;
pub mod history;
pub mod journey;
pub mod profile;
pub mod random;
pub(crate) mod reacting;
pub(crate) mod request_line;
pub mod time;
pub mod units;
pub mod wire;
