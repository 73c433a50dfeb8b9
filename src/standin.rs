//! Stand-ins: one service of an application model as a real server, for clusters where containers run.
//!
//! The simulation interprets a model in virtual time; this interprets the same model over sockets, so that the same application
//! runs where its images cannot be had: the same routes, calls, connections, time-outs and failures. What both decide alike is
//! shared ([`crate::model`]); that they agree is a list of cases that runs through both (`fixtures/stand-in/`).
//!
//! * `plan` reads the model for one service, `values` and `memory` are what requests carry and what the process remembers,
//!   `answer` what users see: all pure.
//! * `process` takes the steps of a route, `caller` makes its calls over `connection`s.
//! * `http` and `lines` are the two protocols, `server` the life of the process: start, listen, stop, crash.
//! * [`image`] makes a container image.
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! use steadfast::standin::StandIn;
//!
//! let catalogue = StandIn::new(&steadfast::SockShop::model()?, "catalogue")?.listen(([127, 0, 0, 1], 8080).into());
//! let ended = catalogue.run(std::future::pending(), |address| tracing::info!(%address, "listens")).await?;
//! # Ok(()) }
//! ```

mod answer;
mod caller;
mod connection;
mod error;
mod http;
pub mod image;
mod lines;
mod memory;
mod message;
mod plan;
mod process;
mod server;
#[cfg(test)]
mod tests;
mod values;

pub use connection::Names;
pub use error::StandInError;
pub use server::{Ended, StandIn};
