//! What a probe sees: the application model decides.
//!
//! Source of what counts and of the words: pkg/kubelet/prober/prober.go, pkg/probe/{http,tcp,exec,grpc}.

use crate::model::time::Span;
use crate::simulation::fabric::PodNet;
use crate::simulation::fabric::Process;
use crate::simulation::network::{Exec, Looked};
use crate::simulation::objects::template::{Action, PodTemplate, Port, Probe};
use crate::simulation::world::World;

/// What the gRPC health protocol calls (grpc/health/v1/health.proto).
const HEALTH: &str = "POST /grpc.health.v1.Health/Check";

/// What a look at a container comes to.
pub(super) enum Look {
    /// It is known at once, and stays so until a process starts or ends: success, or why not.
    Known(Result<(), String>),
    /// A request has to be made to this route of the container at this place.
    Ask {
        /// The container.
        place: usize,
        /// The route.
        route: u32,
    },
}

impl World {
    /// Looks at a container as a probe does.
    pub(super) fn look(&self, pod: u32, place: usize, template: &PodTemplate, probe: &Probe) -> Look {
        let of = match &probe.action {
            Action::Exec => place,
            Action::Http { port, .. } | Action::Tcp(port) | Action::Grpc(port) => behind(template, place, port),
        };
        let Some(life) = self.life(pod, of) else {
            return Look::Known(Err(String::new()));
        };
        if probe.action == Action::Exec {
            return self.look_inside(pod, place, probe);
        }
        if !life.listening {
            return Look::Known(Err(self.refused(pod, template, place, &probe.action)));
        }
        let request = match &probe.action {
            Action::Http { path, .. } => format!("GET {path}"),
            Action::Grpc(_) => HEALTH.to_owned(),
            Action::Tcp(_) | Action::Exec => return Look::Known(Ok(())),
        };
        // Nobody has described it: it is well as soon as it listens.
        let Some(model) = life.model else {
            return Look::Known(Ok(()));
        };
        match self.network.look(model, &request, probe.timeout) {
            Looked::Status(status) => Look::Known(judge(&probe.action, status)),
            Looked::Route(route) => Look::Ask { place: of, route },
        }
    }

    fn look_inside(&self, pod: u32, place: usize, probe: &Probe) -> Look {
        let Some(life) = self.life(pod, place).filter(|life| life.alive) else {
            return Look::Known(Err(String::new()));
        };
        let exec = life.model.map_or(Exec::Running, |model| self.network.exec(model));
        match exec {
            Exec::Running => Look::Known(Ok(())),
            Exec::Ends(code) => Look::Known(if code == 0 { Ok(()) } else { Err(String::new()) }),
            _ if !life.listening => Look::Known(Err(String::new())),
            Exec::Listening => Look::Known(Ok(())),
            Exec::Asks => {
                let Some(model) = life.model else {
                    return Look::Known(Ok(()));
                };
                match self.network.look_by_exec(model, probe.timeout) {
                    Looked::Status(status) => Look::Known(judge(&probe.action, status)),
                    Looked::Route(route) => Look::Ask { place, route },
                }
            }
        }
    }

    /// Makes the request of a probe, from the pod's own machine and not through a Service.
    pub(super) fn ask_route(&mut self, pod: u32, place: usize, route: u32, timeout: Span, plan: u32) {
        let Some(life) = self.life(pod, place) else { return };
        let model = life.model;
        let Some(net) = self.fabric.pods.get(pod as usize).and_then(Option::as_ref) else {
            return;
        };
        let net = PodNet {
            machine: net.machine,
            process: Process::Listening,
            model,
            incarnation: net.incarnation,
        };
        self.network.probe(
            self.now,
            crate::simulation::fabric::PodId(pod),
            &net,
            route,
            timeout,
            plan,
        );
    }

    /// What the answer to a probe's request means; `None`: none came in time.
    pub(super) fn judged(&self, pod: u32, probe: &Probe, answer: Option<u16>) -> Result<(), String> {
        match (answer, &probe.action) {
            (Some(status), action) => judge(action, status),
            (None, Action::Http { path, port }) => Err(format!(
                "Get \"http://{}{path}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                self.at(pod, None, 0, port)
            )),
            (None, Action::Exec) => Err(format!("command timed out after {}s", probe.timeout.0 / 1_000_000)),
            (None, _) => Err("timeout: health rpc did not complete within the time limit".to_owned()),
        }
    }

    fn refused(&self, pod: u32, template: &PodTemplate, place: usize, action: &Action) -> String {
        let dial = |port: &Port| {
            format!(
                "dial tcp {}: connect: connection refused",
                self.at(pod, Some(template), place, port)
            )
        };
        match action {
            Action::Http { path, port } => {
                format!(
                    "Get \"http://{}{path}\": {}",
                    self.at(pod, Some(template), place, port),
                    dial(port)
                )
            }
            Action::Tcp(port) => dial(port),
            Action::Grpc(port) => format!(
                "timeout: failed to connect service \"{}\" within 1s: context deadline exceeded",
                self.at(pod, Some(template), place, port)
            ),
            Action::Exec => String::new(),
        }
    }

    fn at(&self, pod: u32, template: Option<&PodTemplate>, place: usize, port: &Port) -> String {
        let address = self.store.pod(pod).and_then(|row| row.body.address);
        let address = address.map_or_else(String::new, |address| address.to_string());
        let number = match port {
            Port::Number(number) => Some(*number),
            Port::Name(name) => template
                .and_then(|template| template.container(place))
                .and_then(|container| container.ports.iter().find(|(known, _)| known.as_deref() == Some(name)))
                .map(|&(_, number)| number),
        };
        number.map_or_else(|| address.clone(), |number| format!("{address}:{number}"))
    }
}

fn judge(action: &Action, status: u16) -> Result<(), String> {
    match action {
        Action::Http { .. } if (200..400).contains(&status) => Ok(()),
        Action::Http { .. } => Err(format!("HTTP probe failed with statuscode: {status}")),
        _ if status < 400 => Ok(()),
        Action::Grpc(_) => Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned()),
        Action::Tcp(_) | Action::Exec => Err(String::new()),
    }
}

/// The container of the pod that listens at a port: they share one network, so that a probe of one may ask another.
fn behind(template: &PodTemplate, place: usize, port: &Port) -> usize {
    let Some(own) = template.container(place) else {
        return place;
    };
    let Port::Number(number) = port else { return place };
    let has = |container: &crate::simulation::objects::template::Container| {
        container.ports.iter().any(|(_, known)| known == number)
    };
    if has(own) {
        return place;
    }
    template.all().position(has).unwrap_or(place)
}
