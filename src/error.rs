//! The crate's error.

use crate::app::AppError;
use crate::cluster::ClusterError;
use crate::experiment::ExperimentError;

/// What can go wrong in a test, a violated hypothesis aside: that is a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A cluster could not be had.
    #[error("no cluster to run on")]
    Cluster(#[from] ClusterError),
    /// An application could not be read or deployed.
    #[error("the application could not be deployed")]
    App(#[from] AppError),
    /// An experiment could not be run.
    #[error("the experiment could not be run")]
    Experiment(#[from] ExperimentError),
}

/// The result of a test: an error prints its whole chain of causes when the test returns it.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// An [`Error`] that shows all of its causes, for `fn main` and tests, which print errors with `Debug`.
pub struct Failure(Error);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&chain(&self.0))
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Failure {
    /// The error itself.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.0
    }
}

/// An error and its causes in one line, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries print their cause in their own message.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
