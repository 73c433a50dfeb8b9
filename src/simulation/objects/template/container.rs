//! Containers of a pod template, and what a pod requests because of them.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::quantity::{self, Amount};
use super::{Care, PodTemplate};

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image with tag.
    pub image: Arc<str>,
    /// Named and numbered ports.
    pub ports: Vec<(Option<String>, u16)>,
    /// One of `initContainers` that goes on beside the others: `restartPolicy: Always`.
    pub sidecar: bool,
    /// How its kubelet looks after it, when it has probes or hooks.
    pub care: Option<Box<Care>>,
}

/// What a container is in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Must end well before the next one starts.
    Init,
    /// Starts in its turn and goes on (a restartable init container).
    Sidecar,
    /// One of `containers`.
    Main,
}

/// Which containers start again when they have ended: `restartPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// All.
    Always,
    /// Those that failed.
    OnFailure,
    /// None.
    Never,
}

impl Restart {
    /// From Kubernetes' word; the default is Always.
    #[must_use]
    pub fn parse(word: Option<&str>) -> Self {
        match word {
            Some("OnFailure") => Self::OnFailure,
            Some("Never") => Self::Never,
            _ => Self::Always,
        }
    }

    /// Whether a container that ended with this code starts again (pkg/kubelet/container/helpers.go `ShouldContainerBeRestarted`).
    #[must_use]
    pub const fn again(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// What scoring assumes of a container that requests no CPU: 100m.
/// Source: pkg/scheduler/util/pod_resources.go `DefaultMilliCPURequest`.
const SCORED_CPU: u64 = 100;
/// And no memory: 200 MiB. Source: the same, `DefaultMemoryRequest`.
const SCORED_MEMORY: u64 = 200 * 1024 * 1024;

/// Requests while they are added up.
#[derive(Clone, Copy, Default)]
struct Sum {
    requested: Amount,
    scored: Amount,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self {
            requested: self.requested.plus(other.requested),
            scored: self.scored.plus(other.scored),
        }
    }

    fn max(self, other: Self) -> Self {
        let most = |a: Amount, b: Amount| Amount {
            cpu_milli: a.cpu_milli.max(b.cpu_milli),
            memory: a.memory.max(b.memory),
        };
        Self {
            requested: most(self.requested, other.requested),
            scored: most(self.scored, other.scored),
        }
    }
}

impl PodTemplate {
    /// All containers, those of the start first.
    pub fn all(&self) -> impl Iterator<Item = &Container> {
        self.init.iter().chain(&self.containers)
    }

    /// A container by its place in [`PodTemplate::all`].
    #[must_use]
    pub fn container(&self, place: usize) -> Option<&Container> {
        match place.checked_sub(self.init.len()) {
            None => self.init.get(place),
            Some(place) => self.containers.get(place),
        }
    }

    /// What the container at this place in [`PodTemplate::all`] is.
    #[must_use]
    pub fn role(&self, place: usize) -> Role {
        match self.init.get(place) {
            Some(container) if container.sidecar => Role::Sidecar,
            Some(_) => Role::Init,
            None => Role::Main,
        }
    }

    /// Takes over the containers and what they request: the sum of those that run together, or what one of the start needs
    /// with the sidecars before it, whichever is more; and the overhead
    /// (k8s.io/component-helpers resource/helpers.go `PodRequests`, `AggregateContainerRequests`).
    pub(super) fn add_containers(&mut self, spec: &core::PodSpec) -> Result<(), (String, String)> {
        let mut sum = Sum::default();
        for (index, container) in spec.containers.iter().enumerate() {
            let (container, requests) = read(container).map_err(at("containers", index))?;
            sum = sum.plus(requests);
            self.containers.push(container);
        }
        let (mut sidecars, mut start) = (Sum::default(), Sum::default());
        for (index, container) in spec.init_containers.iter().flatten().enumerate() {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let (container, requests) = read(container).map_err(at("initContainers", index))?;
            let together = sidecars.plus(requests);
            start = start.max(together);
            if sidecar {
                sidecars = together;
            }
            self.init.push(Container { sidecar, ..container });
        }
        sum = sum.plus(sidecars).max(start);
        if let Some(overhead) = &spec.overhead {
            let amount =
                |name: &str, parse: fn(&str) -> Result<u64, String>| of(overhead, name, "spec.overhead", parse);
            let overhead = Amount {
                cpu_milli: amount("cpu", quantity::milli)?.unwrap_or(0),
                memory: amount("memory", quantity::units)?.unwrap_or(0),
            };
            sum = sum.plus(Sum {
                requested: overhead,
                scored: overhead,
            });
        }
        (self.requests, self.scored) = (sum.requested, sum.scored);
        Ok(())
    }
}

fn at(list: &str, index: usize) -> impl FnOnce((String, String)) -> (String, String) {
    move |(field, why)| (format!("spec.{list}[{index}].{field}"), why)
}

fn of(
    all: &std::collections::BTreeMap<String, Quantity>,
    name: &str,
    path: &str,
    parse: fn(&str) -> Result<u64, String>,
) -> Result<Option<u64>, (String, String)> {
    all.get(name)
        .map(|quantity| parse(&quantity.0).map_err(|why| (format!("{path}.{name}"), why)))
        .transpose()
}

fn read(container: &core::Container) -> Result<(Container, Sum), (String, String)> {
    let image = container.image.as_deref().unwrap_or("");
    if image.is_empty() {
        return Err(("image".into(), "Required value".into()));
    }
    // A limit without a request is a request (pkg/apis/core/v1/defaults.go `SetDefaults_Pod`).
    let mut requests = std::collections::BTreeMap::new();
    if let Some(resources) = &container.resources {
        requests = resources.limits.clone().unwrap_or_default();
        requests.extend(resources.requests.clone().unwrap_or_default());
    }
    let cpu = of(&requests, "cpu", "resources.requests", quantity::milli)?;
    let memory = of(&requests, "memory", "resources.requests", quantity::units)?;
    let mut ports = Vec::new();
    for port in container.ports.iter().flatten() {
        let number = u16::try_from(port.container_port)
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| {
                (
                    "ports.containerPort".to_owned(),
                    "must be between 1 and 65535, inclusive".to_owned(),
                )
            })?;
        ports.push((port.name.clone(), number));
    }
    let read = Container {
        name: container.name.clone(),
        image: image.into(),
        ports,
        sidecar: false,
        care: Care::read(container),
    };
    let sum = Sum {
        requested: Amount {
            cpu_milli: cpu.unwrap_or(0),
            memory: memory.unwrap_or(0),
        },
        scored: Amount {
            cpu_milli: cpu.unwrap_or(SCORED_CPU),
            memory: memory.unwrap_or(SCORED_MEMORY),
        },
    };
    Ok((read, sum))
}
