//! What a request's path names.

use super::query::decode;
use super::status::Refusal;
use crate::simulation::api::{Resource, Served};

/// What has a `scale` subresource.
pub(super) const SCALED: [(&str, &str); 4] = [
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("", "replicationcontrollers"),
];

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/healthz`, `/readyz`, `/livez`.
    Health,
    /// `/version`.
    Version,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    Resources {
        /// Empty for the core group.
        group: String,
        /// Version.
        version: String,
    },
    /// The objects of a resource, in all namespaces or in one.
    Collection {
        /// Resource.
        resource: Served,
        /// Namespace, when the path has one.
        namespace: Option<String>,
    },
    /// One object, or a part of it.
    Object(Item),
}

/// One object, or a part of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Resource.
    pub resource: Served,
    /// Namespace, when the resource is namespaced.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Which part.
    pub facet: Facet,
}

/// A part of an object that has a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Facet {
    /// The object.
    Whole,
    /// `status`.
    Status,
    /// `log`, of a pod.
    Log,
    /// `scale`, of what has replicas.
    Scale,
    /// `eviction`, of a pod.
    Eviction,
    /// `binding`, of a pod.
    Binding,
    /// A subresource that the embedded cluster has not.
    Refused(&'static str),
}

impl Facet {
    /// What is neither an object nor its status.
    fn other(resource: &Resource, facet: &str) -> Option<Self> {
        const REFUSED: [&str; 6] = [
            "ephemeralcontainers",
            "exec",
            "attach",
            "portforward",
            "proxy",
            "resize",
        ];
        let is_pod = resource.names() == ("", "pods");
        match facet {
            "scale" if SCALED.contains(&resource.names()) => Some(Self::Scale),
            "eviction" if is_pod => Some(Self::Eviction),
            "binding" if is_pod => Some(Self::Binding),
            _ if is_pod || resource.names() == ("", "services") || resource.names() == ("", "nodes") => {
                let refused = REFUSED.into_iter().filter(|name| is_pod || *name == "proxy");
                refused.into_iter().find(|name| *name == facet).map(Self::Refused)
            }
            _ => None,
        }
    }
}

impl Target {
    /// Reads a path as Kubernetes does (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`).
    pub(super) fn parse(path: &str, resources: &[Served]) -> Result<Self, Refusal> {
        let segments: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["healthz" | "readyz" | "livez"] => return Ok(Self::Health),
            ["version"] => return Ok(Self::Version),
            ["api"] => return Ok(Self::CoreVersions),
            ["apis"] => return Ok(Self::Groups),
            ["apis", group] => return Ok(Self::Group((*group).to_owned())),
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(Refusal::Unserved),
        };
        let find = |plural: &str, namespaced: bool| {
            resources
                .iter()
                .find(|resource| resource.names() == (group, plural) && resource.version == version)
                .filter(|resource| resource.namespaced == namespaced)
                .cloned()
                .ok_or(Refusal::Unserved)
        };
        let item = |resource: Served, namespace: Option<&str>, name: &str, facet: Option<&str>| {
            let facet = match facet {
                None => Facet::Whole,
                Some("status") if resource.status => Facet::Status,
                Some("log") if resource.group.is_empty() && resource.plural == "pods" => Facet::Log,
                Some(facet) => Facet::other(&resource, facet).ok_or(Refusal::Unserved)?,
            };
            Ok(Self::Object(Item {
                resource,
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
                facet,
            }))
        };
        match rest {
            [] => Ok(Self::Resources {
                group: group.to_owned(),
                version: version.to_owned(),
            }),
            ["namespaces", name, facet @ ("status" | "finalize")] => {
                item(find("namespaces", false)?, None, name, Some(facet))
            }
            ["namespaces", namespace, plural] => Ok(Self::Collection {
                resource: find(plural, true)?,
                namespace: Some((*namespace).to_owned()),
            }),
            ["namespaces", namespace, plural, name] => item(find(plural, true)?, Some(namespace), name, None),
            ["namespaces", namespace, plural, name, facet] => {
                item(find(plural, true)?, Some(namespace), name, Some(facet))
            }
            [plural] => {
                let resource = find(plural, true).or_else(|_| find(plural, false))?;
                Ok(Self::Collection {
                    resource,
                    namespace: None,
                })
            }
            [plural, name] => item(find(plural, false)?, None, name, None),
            // What comes after `proxy/` is a path of the pod's own.
            ["namespaces", namespace, plural, name, "proxy", ..] => {
                item(find(plural, true)?, Some(namespace), name, Some("proxy"))
            }
            [plural, name, facet] => item(find(plural, false)?, None, name, Some(facet)),
            _ => Err(Refusal::Unserved),
        }
    }
}
