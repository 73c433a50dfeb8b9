//! What a pod needs of other objects before its containers can run: claims, ConfigMaps, Secrets.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

/// What a pod needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// PersistentVolumeClaims, in the order of the volumes.
    pub claims: Vec<ClaimUse>,
    /// What its volumes are made from: all must exist before they can be mounted.
    pub mounted: Vec<Source>,
    /// What its containers' environment comes from: all must exist before they can be created.
    pub environment: Vec<Source>,
}

/// A volume that is a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUse {
    /// The volume's name in the pod.
    pub volume: String,
    /// The claim's name.
    pub claim: Arc<str>,
}

/// An object that must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The volume's name in the pod, or the container's.
    pub user: String,
    /// Which kind.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// Keys that it must have.
    pub keys: Vec<String>,
}

/// A kind of object that pods read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl SourceKind {
    /// As the kubelet's messages write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// The object, unless the pod can do without it.
fn source(
    user: &str,
    kind: SourceKind,
    name: Option<&str>,
    optional: Option<bool>,
    items: Option<&Vec<core::KeyToPath>>,
) -> Option<Source> {
    let name = name.filter(|name| !name.is_empty() && optional != Some(true))?;
    // Every namespace has it (pkg/controller/certificates/rootcacertpublisher).
    if kind == SourceKind::ConfigMap && name == "kube-root-ca.crt" {
        return None;
    }
    Some(Source {
        user: user.to_owned(),
        kind,
        name: name.to_owned(),
        keys: items.into_iter().flatten().map(|item| item.key.clone()).collect(),
    })
}

/// What a pod of this specification needs; `None` when that is nothing.
#[must_use]
pub fn of(spec: &core::PodSpec) -> Option<Arc<Needs>> {
    let mut needs = Needs::default();
    for volume in spec.volumes.iter().flatten() {
        let user = volume.name.as_str();
        if let Some(claim) = &volume.persistent_volume_claim {
            needs.claims.push(ClaimUse {
                volume: user.to_owned(),
                claim: claim.claim_name.as_str().into(),
            });
        }
        let (maps, secrets) = (&volume.config_map, &volume.secret);
        needs.mounted.extend(maps.iter().filter_map(|it| {
            source(
                user,
                SourceKind::ConfigMap,
                Some(&it.name),
                it.optional,
                it.items.as_ref(),
            )
        }));
        needs.mounted.extend(secrets.iter().filter_map(|it| {
            source(
                user,
                SourceKind::Secret,
                it.secret_name.as_deref(),
                it.optional,
                it.items.as_ref(),
            )
        }));
        let projected = volume.projected.iter().flat_map(|it| it.sources.iter().flatten());
        for part in projected {
            needs.mounted.extend(part.config_map.iter().filter_map(|it| {
                source(
                    user,
                    SourceKind::ConfigMap,
                    Some(&it.name),
                    it.optional,
                    it.items.as_ref(),
                )
            }));
            needs.mounted.extend(
                part.secret
                    .iter()
                    .filter_map(|it| source(user, SourceKind::Secret, Some(&it.name), it.optional, it.items.as_ref())),
            );
        }
    }
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    for container in containers {
        environment(container, &mut needs.environment);
    }
    (needs != Needs::default()).then(|| needs.into())
}

fn environment(container: &core::Container, sources: &mut Vec<Source>) {
    let user = container.name.as_str();
    for from in container.env_from.iter().flatten() {
        if let Some(it) = &from.config_map_ref {
            sources.extend(source(user, SourceKind::ConfigMap, Some(&it.name), it.optional, None));
        }
        if let Some(it) = &from.secret_ref {
            sources.extend(source(user, SourceKind::Secret, Some(&it.name), it.optional, None));
        }
    }
    for from in container.env.iter().flatten().filter_map(|it| it.value_from.as_ref()) {
        let keyed = |key: &str| {
            vec![core::KeyToPath {
                key: key.to_owned(),
                ..core::KeyToPath::default()
            }]
        };
        if let Some(it) = &from.config_map_key_ref {
            let keys = keyed(&it.key);
            sources.extend(source(
                user,
                SourceKind::ConfigMap,
                Some(&it.name),
                it.optional,
                Some(&keys),
            ));
        }
        if let Some(it) = &from.secret_key_ref {
            let keys = keyed(&it.key);
            sources.extend(source(
                user,
                SourceKind::Secret,
                Some(&it.name),
                it.optional,
                Some(&keys),
            ));
        }
    }
}
