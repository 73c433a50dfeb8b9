//! How a kubelet looks after a container: probes and hooks.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::model::time::Span;

/// Probes and hooks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// By [`Kind`]: startup, readiness, liveness.
    pub probes: [Option<Probe>; 3],
    /// `lifecycle.postStart`.
    pub post_start: Option<Hook>,
    /// `lifecycle.preStop`.
    pub pre_stop: Option<Hook>,
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether the container has started; until then the others wait.
    Startup,
    /// Whether it gets traffic.
    Readiness,
    /// Whether it may go on.
    Liveness,
}

impl Kind {
    /// All, in the order in which a kubelet starts their workers (pkg/kubelet/prober/prober_manager.go `AddPod`).
    pub const ALL: [Self; 3] = [Self::Startup, Self::Readiness, Self::Liveness];

    /// As events write it (the same, `String`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is done.
    pub action: Action,
    /// From the container's start to the first run.
    pub delay: Span,
    /// Between two runs; at least a second.
    pub period: Span,
    /// How long an answer is waited for.
    pub timeout: Span,
    /// Successes in a row that count.
    pub success: u32,
    /// Failures in a row that count.
    pub failure: u32,
    /// The grace period of a container that it ends, instead of the pod's.
    pub grace: Option<Span>,
}

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// GET: a status from 200 to 399 is a success.
    Http {
        /// Path, query included.
        path: String,
        /// At which port.
        port: Port,
    },
    /// Connects.
    Tcp(Port),
    /// Runs a command in the container.
    Exec,
    /// Asks the gRPC health service.
    Grpc(Port),
}

/// A port of a container, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// By number.
    Number(u16),
    /// By the name of one of the container's ports.
    Name(String),
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Takes so long: the `sleep` action, or a command that sleeps. Other commands take no time.
    Takes(Span),
    /// GET of this path from the container; takes as long as its route works.
    Get(String),
}

impl Care {
    /// Of a container; `None` when it has neither probes nor hooks.
    #[must_use]
    pub fn read(container: &core::Container) -> Option<Box<Self>> {
        let life = container.lifecycle.as_ref();
        let care = Self {
            probes: [
                container.startup_probe.as_ref().and_then(probe),
                container.readiness_probe.as_ref().and_then(probe),
                container.liveness_probe.as_ref().and_then(probe),
            ],
            post_start: life.and_then(|life| life.post_start.as_ref()).map(hook),
            pre_stop: life.and_then(|life| life.pre_stop.as_ref()).map(hook),
        };
        (care != Self::default()).then(|| Box::new(care))
    }

    /// The probe of a kind.
    #[must_use]
    pub const fn probe(&self, kind: Kind) -> Option<&Probe> {
        self.probes[kind as usize].as_ref()
    }
}

fn seconds(value: Option<i32>, default: u64) -> u64 {
    // Zero counts as unset (pkg/apis/core/v1/defaults.go `SetDefaults_Probe`).
    value
        .and_then(|value| u64::try_from(value).ok())
        .filter(|&value| value > 0)
        .unwrap_or(default)
}

fn probe(probe: &core::Probe) -> Option<Probe> {
    let action = match probe {
        core::Probe { exec: Some(_), .. } => Action::Exec,
        core::Probe {
            http_get: Some(get), ..
        } => Action::Http {
            path: path(get),
            port: port(&get.port),
        },
        core::Probe {
            tcp_socket: Some(socket),
            ..
        } => Action::Tcp(port(&socket.port)),
        core::Probe { grpc: Some(grpc), .. } => Action::Grpc(port(&IntOrString::Int(grpc.port))),
        _ => return None,
    };
    Some(Probe {
        action,
        delay: Span::secs(seconds(probe.initial_delay_seconds, 0)),
        period: Span::secs(seconds(probe.period_seconds, 10)),
        timeout: Span::secs(seconds(probe.timeout_seconds, 1)),
        success: seconds(probe.success_threshold, 1) as u32,
        failure: seconds(probe.failure_threshold, 3) as u32,
        grace: probe
            .termination_grace_period_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Span::secs),
    })
}

fn path(get: &core::HTTPGetAction) -> String {
    let path = get.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

fn port(port: &IntOrString) -> Port {
    match port {
        IntOrString::Int(number) => Port::Number(u16::try_from(*number).unwrap_or(0)),
        IntOrString::String(name) => name.parse().map_or_else(|_| Port::Name(name.clone()), Port::Number),
    }
}

fn hook(handler: &core::LifecycleHandler) -> Hook {
    if let Some(sleep) = &handler.sleep {
        return Hook::Takes(Span::secs(u64::try_from(sleep.seconds).unwrap_or(0)));
    }
    if let Some(get) = &handler.http_get {
        return Hook::Get(path(get));
    }
    let command = handler
        .exec
        .as_ref()
        .and_then(|exec| exec.command.as_deref())
        .unwrap_or(&[]);
    Hook::Takes(sleep_of(command).unwrap_or(Span::ZERO))
}

/// How long a command sleeps, when that is all it does: `sleep 5`, also in a shell's `-c`.
#[must_use]
pub fn sleep_of(command: &[String]) -> Option<Span> {
    let joined;
    let words: Vec<&str> = match command {
        [shell, flag, script]
            if flag == "-c" && ["sh", "bash", "ash"].contains(&shell.rsplit('/').next().unwrap_or("")) =>
        {
            joined = script.trim().trim_end_matches(';').to_owned();
            joined.split_whitespace().collect()
        }
        words => words.iter().map(String::as_str).collect(),
    };
    let [program, length] = words[..] else { return None };
    if program.rsplit('/').next() != Some("sleep") {
        return None;
    }
    let (digits, factor) = match length.as_bytes().last() {
        Some(b's') => (&length[..length.len() - 1], 1),
        Some(b'm') => (&length[..length.len() - 1], 60),
        Some(b'h') => (&length[..length.len() - 1], 3_600),
        _ => (length, 1),
    };
    let whole: u64 = digits.parse().ok()?;
    Some(Span::secs(whole.checked_mul(factor)?.min(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeps(command: &[&str]) -> Option<u64> {
        let words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        sleep_of(&words).map(|span| span.0 / 1_000_000)
    }

    #[test]
    fn a_command_that_only_sleeps_is_known_as_such() {
        assert_eq!(sleeps(&["sleep", "15"]), Some(15));
        assert_eq!(sleeps(&["/bin/sleep", "2m"]), Some(120));
        assert_eq!(sleeps(&["/bin/sh", "-c", "sleep 5"]), Some(5));
        assert_eq!(sleeps(&["sh", "-c", "sleep 5; nginx -s quit"]), None);
        assert_eq!(sleeps(&["nginx", "-s", "quit"]), None);
        assert_eq!(sleeps(&[]), None);
    }
}
