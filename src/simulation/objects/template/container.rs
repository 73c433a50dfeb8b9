//! Containers of a pod template.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

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

    /// Takes over the containers.
    pub(super) fn add_containers(&mut self, spec: &core::PodSpec) -> Result<(), (String, String)> {
        for (index, container) in spec.containers.iter().enumerate() {
            self.containers.push(read(container).map_err(at("containers", index))?);
        }
        for (index, container) in spec.init_containers.iter().flatten().enumerate() {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let container = read(container).map_err(at("initContainers", index))?;
            self.init.push(Container { sidecar, ..container });
        }
        Ok(())
    }
}

fn at(list: &str, index: usize) -> impl FnOnce((String, String)) -> (String, String) {
    move |(field, why)| (format!("spec.{list}[{index}].{field}"), why)
}

fn read(container: &core::Container) -> Result<Container, (String, String)> {
    let image = container.image.as_deref().unwrap_or("");
    if image.is_empty() {
        return Err(("image".into(), "Required value".into()));
    }
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
    Ok(Container {
        name: container.name.clone(),
        image: image.into(),
        ports,
        sidecar: false,
        care: Care::read(container),
    })
}
