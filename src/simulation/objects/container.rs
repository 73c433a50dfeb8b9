//! What the API says of a container.

use crate::model::time::{Span, Time};

/// A container's status, as its kubelet reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// `state`.
    pub state: State,
    /// `lastState`: how the one before it ended.
    pub last: Option<Ended>,
    /// `restartCount`.
    pub restarts: u32,
    /// `ready`.
    pub ready: bool,
    /// `started`.
    pub started: bool,
}

/// A container's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting: `ContainerCreating`, or `PodInitializing` while containers before it come first.
    Creating,
    /// Waiting: `CreateContainerConfigError`.
    NoConfig,
    /// Waiting for so long: `CrashLoopBackOff`.
    BackOff(Span),
    /// Running since.
    Running(Time),
    /// Terminated.
    Ended(Ended),
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// `Completed`, `Error` and the like.
    pub reason: &'static str,
    /// When it had started.
    pub from: Time,
    /// When it ended.
    pub at: Time,
}

impl Ended {
    /// An end with this exit code.
    #[must_use]
    pub const fn new(code: i32, from: Time, at: Time) -> Self {
        Self {
            code,
            // containerd's words (k8s.io/cri-api ContainerStatus `reason`; containerd internal/cri/server/container_status.go).
            reason: if code == 0 { "Completed" } else { "Error" },
            from,
            at,
        }
    }
}

impl ContainerStatus {
    /// Of a container that has not been created yet.
    pub const NEW: Self = Self {
        state: State::Creating,
        last: None,
        restarts: 0,
        ready: false,
        started: false,
    };

    /// Of one that runs since then, is started and ready.
    #[must_use]
    pub const fn running(since: Time) -> Self {
        Self {
            state: State::Running(since),
            ready: true,
            started: true,
            ..Self::NEW
        }
    }

    /// Whether its state is running.
    #[must_use]
    pub const fn runs(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// How it ended, when its state is that.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        match self.state {
            State::Ended(ended) => Some(ended),
            _ => None,
        }
    }
}
