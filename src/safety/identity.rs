//! Who is who: the cluster that a run changes, and the process that runs it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde::{Deserialize, Serialize};

/// A cluster, as allow-lists and journals know it. All that a later process needs to find it again and put it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Which module knows how to put it back: the [`Restorer::KIND`](super::restore::Restorer::KIND).
    pub kind: String,
    /// The kubeconfig's context.
    pub context: String,
    /// The URL of its API server.
    pub server: String,
    /// The UID of its namespace `kube-system`: no two clusters share it, whatever their names.
    pub uid: String,
    /// What its module needs to reach it again besides, such as the path of a kubeconfig. No secrets: it is written to disk.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl Identity {
    /// Asks a cluster who it is.
    ///
    /// # Errors
    /// When its namespace `kube-system` cannot be read.
    pub async fn ask(client: &kube::Client, kind: &str, context: &str, server: &str) -> Result<Self, IdentityError> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let system = namespaces
            .get("kube-system")
            .await
            .map_err(|source| IdentityError::Unread {
                context: context.to_owned(),
                source: Box::new(source),
            })?;
        let uid = system
            .metadata
            .uid
            .ok_or_else(|| IdentityError::NoUid(context.to_owned()))?;
        Ok(Self {
            kind: kind.to_owned(),
            context: context.to_owned(),
            server: server.to_owned(),
            uid,
            details: BTreeMap::new(),
        })
    }

    /// With something that its module needs to reach it again.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }
}

/// Why a cluster is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It does not say.
    #[error(
        "the namespace kube-system of `{context}` cannot be read, whose UID tells clusters apart: is it up, and may you get namespaces?"
    )]
    Unread {
        /// The context.
        context: String,
        /// The API's word.
        #[source]
        source: Box<kube::Error>,
    },
    /// Its namespace has no UID.
    #[error("the namespace kube-system of `{0}` has no UID: expected what every API server gives")]
    NoUid(String),
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Its machine's name.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// When it was started, in the machine's own ticks since it booted (proc_pid_stat(5), field 22): a number is used again, both
    /// together are not. None where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn this() -> Self {
        let pid = std::process::id();
        let host = hostname::get().map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
        Self {
            host,
            pid,
            started: started(pid),
        }
    }

    /// Whether the process is there, as far as this machine can tell; `None` where it cannot. What decides is the journal's lock: this
    /// is for saying who holds it.
    #[must_use]
    pub fn is_alive(&self) -> Option<bool> {
        if self.host != Self::this().host {
            return None;
        }
        self.started.map(|started_then| started(self.pid) == Some(started_then))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// The start of a process that is not a zombie.
fn started(pid: u32) -> Option<u64> {
    start_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc_pid_stat(5): the command's name stands in parentheses and may hold anything; the state is field 3, the start field 22.
fn start_in(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_whatever_the_command_is_called() {
        let stat = |state: &str| format!("7 (a) b ({state}) {state} 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1");
        assert_eq!(start_in(&stat("S")), Some(4711));
        assert_eq!(start_in(&stat("Z")), None, "a zombie holds no lock and does nothing");
        assert_eq!(start_in("7 (a"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_told_from_another_of_its_number() {
        let this = Owner::this();
        assert_eq!(this.is_alive(), Some(true));
        let earlier = Owner {
            started: Some(0),
            ..this.clone()
        };
        assert_eq!(earlier.is_alive(), Some(false));
        let elsewhere = Owner {
            host: format!("not-{}", this.host),
            ..this
        };
        assert_eq!(elsewhere.is_alive(), None);
    }
}
