//! Why a stand-in cannot be, or not go on.

use std::io;
use std::net::SocketAddr;

use crate::simulation::network::InstallError;

/// Why a stand-in cannot be made, or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandInError {
    /// The model makes no sense.
    #[error("the application model cannot be used")]
    Model(#[source] Box<InstallError>),
    /// The model has no such service.
    #[error("the model describes no service `{service}`: it has {}", listed(known))]
    Unknown {
        /// The name asked for.
        service: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}{}", hint(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ": a port below 1024 needs a user who may (in Kubernetes the safe sysctl net.ipv4.ip_unprivileged_port_start=0), or \
             another --port"
        }
        io::ErrorKind::AddrInUse => ": another process has it; choose another with --port",
        _ => "",
    }
}
