//! What can go wrong in a command, and the code it ends with.

use std::io;
use std::path::PathBuf;

use super::exit::Exit;
use crate::app::AppError;
use crate::cluster::ClusterError;
use crate::cluster::embedded::serve::ServeError;
use crate::experiment::ExperimentError;
use crate::model::fault::SelectError;
use crate::standin::StandInError;
use crate::survey::SurveyError;

/// Why a command did not end with a verdict.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line makes no sense, in a way that only the values together show.
    #[error("{0}")]
    Usage(Box<clap::Error>),
    /// The input cannot be used.
    #[error(transparent)]
    Library(#[from] crate::Error),
    /// A seed of the survey failed.
    #[error("seed {seed} of the survey could not be run")]
    Survey {
        /// Which.
        seed: u64,
        /// Why.
        #[source]
        source: SurveyError,
    },
    /// There is nothing to make hypotheses about.
    #[error("{model} has no journeys: add one under `journeys:`, it is what the hypotheses are about")]
    NoJourneys {
        /// The model.
        model: String,
    },
    /// The Kubernetes API failed where it had answered before.
    #[error("{what} could not be read from the cluster")]
    Api {
        /// What was asked for.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cluster cannot be served.
    #[error("the cluster cannot be served")]
    Serve(#[from] ServeError),
    /// A service cannot be stood in for.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// No node can be chosen to fail.
    #[error("the nodes to fail cannot be chosen")]
    Targets(#[from] SelectError),
    /// The kubeconfig would take the place of another file.
    #[error("{} is not ours to overwrite: {why}; choose another with --kubeconfig", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Ctrl-C would not be seen.
    #[error("the end cannot be waited for")]
    Signals(#[source] io::Error),
    /// There is no folder of journals.
    #[cfg(feature = "real")]
    #[error("what was left cannot be looked for")]
    State(#[source] crate::safety::state::NoState),
    /// The folder of journals cannot be read.
    #[cfg(feature = "real")]
    #[error("the journals in {} cannot be listed", .0.display())]
    Journals(PathBuf, #[source] io::Error),
    /// A journal cannot be read.
    #[cfg(feature = "real")]
    #[error("the run cannot be watched over")]
    Journal(#[source] crate::safety::journal::JournalError),
    /// There is no runtime.
    #[error("the runtime could not be started")]
    Runtime(#[source] io::Error),
    /// The output folder is no use.
    #[error("{} cannot be written: choose another folder with --output", path.display())]
    Output {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The report could not be printed.
    #[error("the report cannot be printed")]
    Print(#[source] io::Error),
}

impl CliError {
    /// The code that the command ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        use crate::Error;
        match self {
            Self::Usage(_) | Self::StandIn(StandInError::Listen { .. }) => Exit::Usage,
            Self::Library(Error::App(_))
            | Self::StandIn(_)
            | Self::NoJourneys { .. }
            | Self::Survey { .. }
            | Self::Targets(_) => Exit::Input,
            Self::Library(Error::Cluster(error)) => of_cluster(error),
            Self::Library(Error::Experiment(error)) => match error {
                ExperimentError::CannotExpect(_) | ExperimentError::TooShort(_) => Exit::Usage,
                ExperimentError::Ambiguous(_) | ExperimentError::Targets(_) => Exit::Input,
                ExperimentError::Cluster(error) => of_cluster(error),
                ExperimentError::Nodes(_) => Exit::Aborted,
            },
            Self::Serve(error) => match error {
                ServeError::NotLoopback(_) | ServeError::Virtual | ServeError::Real | ServeError::Bind { .. } => {
                    Exit::Usage
                }
                ServeError::Certificate(_) | ServeError::Tls(_) | ServeError::Random | ServeError::Driver(_) => {
                    Exit::Aborted
                }
            },
            #[cfg(feature = "real")]
            Self::State(_) => Exit::Usage,
            #[cfg(feature = "real")]
            Self::Journals(..) | Self::Journal(_) => Exit::RollbackIncomplete,
            Self::Api { .. } | Self::Runtime(_) | Self::Signals(_) => Exit::Aborted,
            Self::Output { .. } | Self::Print(_) | Self::Kubeconfig { .. } => Exit::Output,
        }
    }
}

const fn of_cluster(error: &ClusterError) -> Exit {
    match error {
        ClusterError::Model(_) | ClusterError::NotReady(_) | ClusterError::Targets(_) => Exit::Input,
        ClusterError::Unknown(_) | ClusterError::Seed(_) | ClusterError::Profile(_) => Exit::Usage,
        ClusterError::Driver(_) | ClusterError::Nodes(_) | ClusterError::NotEmbedded => Exit::Aborted,
        #[cfg(feature = "kind")]
        ClusterError::Kind(_) => Exit::Aborted,
    }
}

macro_rules! from_library {
    ($($error:ty),*) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::Library(error.into())
            }
        }
    )*};
}

from_library!(AppError, ClusterError, ExperimentError);
