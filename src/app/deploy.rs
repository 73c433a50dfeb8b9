//! Applying a manifest and waiting for it, through the Kubernetes API alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::manifest::{Manifest, Object};
use super::{AppError, ready};
use crate::cluster::Cluster;

/// How long a deployment may take, in cluster time: the Cluster Autoscaler gives up on an instance after 15 minutes
/// (`--max-node-provision-time`), and JVMs need two more.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// Pods that are not ready, as many as an error lists.
const LISTED: usize = 12;

/// An object as the API knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) api: Api<DynamicObject>,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

/// Creates the objects of a manifest, and changes those that exist; what was applied comes back, in order. Kinds that the cluster
/// does not serve are passed over, and said.
pub(super) async fn apply(cluster: &Cluster, manifest: &Manifest) -> Result<Vec<Known>, AppError> {
    let objects = manifest.in_order();
    let mut kinds = Kinds::new(cluster.client());
    // Kinds first: a manifest that an API server would refuse for them changes nothing. Its own kinds come with it.
    for object in &objects {
        kinds.look_up(object).await?;
    }
    create_namespaces(cluster, manifest, &objects, &kinds).await?;
    let mut applied = Vec::new();
    let mut passed_over: Vec<String> = manifest.left_out.clone();
    for object in objects {
        if kinds.of(object).is_none() {
            // A CustomResourceDefinition further up may have brought it.
            kinds.forget(object);
            kinds.look_up(object).await?;
        }
        let Some((resource, scope)) = kinds.of(object) else {
            passed_over.push(format!("{}/{}: the whole kind", object.kind, object.name));
            continue;
        };
        let namespace = manifest.namespace_of(object);
        let api: Api<DynamicObject> = if *scope == Scope::Namespaced {
            Api::namespaced_with(cluster.client(), namespace, resource)
        } else {
            Api::all_with(cluster.client(), resource)
        };
        let refused = AppError::Describe;
        cluster
            .will_put(&api, resource, object.name.as_str())
            .await
            .map_err(refused)?;
        let value = cluster.adapted(namespace, &object.value);
        put(&api, &object.name, &value)
            .await
            .map_err(|source| AppError::Refused {
                place: object.place.clone(),
                kind: object.kind.clone(),
                name: object.name.clone(),
                source: Box::new(source),
            })?;
        applied.push(Known {
            api,
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            name: object.name.clone(),
            namespace: namespace.to_owned(),
        });
    }
    cluster.note_not_modelled(passed_over).map_err(AppError::Describe)?;
    Ok(applied)
}

/// The kinds that the cluster serves, as far as somebody asked.
struct Kinds {
    client: kube::Client,
    known: BTreeMap<(String, String), Option<(ApiResource, Scope)>>,
}

impl Kinds {
    const fn new(client: kube::Client) -> Self {
        Self {
            client,
            known: BTreeMap::new(),
        }
    }

    fn key(object: &Object) -> (String, String) {
        (object.api_version.clone(), object.kind.clone())
    }

    fn of(&self, object: &Object) -> Option<&(ApiResource, Scope)> {
        self.known.get(&Self::key(object))?.as_ref()
    }

    fn forget(&mut self, object: &Object) {
        self.known.remove(&Self::key(object));
    }

    /// Asks the cluster for a kind. A version that Kubernetes has taken away is refused, as it would be there.
    async fn look_up(&mut self, object: &Object) -> Result<(), AppError> {
        let key = Self::key(object);
        if self.known.contains_key(&key) {
            return Ok(());
        }
        let (group, version) = object.group_version();
        let kind = GroupVersionKind::gvk(group, version, &object.kind);
        let found = match kube::discovery::pinned_kind(&self.client, &kind).await {
            Ok((resource, capabilities)) => Some((resource, capabilities.scope)),
            Err(_) if object.is_removed_version() => {
                return Err(AppError::UnknownKind {
                    place: object.place.clone(),
                    kind: object.kind.clone(),
                    api_version: object.api_version.clone(),
                    name: object.name.clone(),
                });
            }
            Err(_) => None,
        };
        self.known.insert(key, found);
        Ok(())
    }
}

/// Creates the namespaces that a manifest uses and neither has nor finds.
async fn create_namespaces(
    cluster: &Cluster,
    manifest: &Manifest,
    objects: &[&Object],
    kinds: &Kinds,
) -> Result<(), AppError> {
    let own: BTreeSet<&str> = objects
        .iter()
        .filter(|object| object.kind == "Namespace")
        .map(|object| object.name.as_str())
        .collect();
    let used: BTreeSet<&str> = objects
        .iter()
        .filter(|object| kinds.of(object).is_some_and(|(_, scope)| *scope == Scope::Namespaced))
        .map(|object| manifest.namespace_of(object))
        .collect();
    let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(cluster.client());
    for name in used.difference(&own) {
        let refused = |source| AppError::Refused {
            place: manifest.origin.clone(),
            kind: "Namespace".to_owned(),
            name: (*name).to_owned(),
            source: Box::new(source),
        };
        if api.get_opt(name).await.map_err(refused)?.is_none() {
            let new = serde_json::from_value(json!({"metadata": {"name": name}}));
            let new = new.map_err(kube::Error::SerdeError).map_err(refused)?;
            api.create(&PostParams::default(), &new).await.map_err(refused)?;
        }
    }
    Ok(())
}

async fn put(api: &Api<DynamicObject>, name: &str, value: &Value) -> Result<(), kube::Error> {
    let new: DynamicObject = serde_json::from_value(value.clone()).map_err(kube::Error::SerdeError)?;
    match api.create(&PostParams::default(), &new).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => api
            .patch(name, &PatchParams::default(), &Patch::Merge(value))
            .await
            .map(drop),
        done => done.map(drop),
    }
}

/// Waits until every one of these objects is ready at a whole second of cluster time. A moment between two seconds does not
/// count, so that nothing depends on how fast an answer is.
pub(super) async fn wait(cluster: &Cluster, application: &str, wanted: &[Known]) -> Result<(), AppError> {
    let mut next = 0;
    for _ in 0..LONGEST.as_secs() {
        cluster.settle().await;
        // All that were ready before are asked again when the last one is.
        let mut from = next;
        loop {
            while let Some(it) = wanted.get(next)
                && lacking(it).await?.is_none()
            {
                next += 1;
            }
            if next < wanted.len() {
                break;
            }
            if from == 0 {
                return Ok(());
            }
            (from, next) = (0, 0);
        }
        cluster.tick().await;
    }
    Err(AppError::NotReady {
        application: application.to_owned(),
        waited_s: LONGEST.as_secs(),
        waiting: missing(cluster, wanted).await?,
    })
}

fn failed(source: kube::Error) -> AppError {
    AppError::Watch(Box::new(source))
}

async fn lacking(it: &Known) -> Result<Option<String>, AppError> {
    let object = it.api.get_opt(&it.name).await.map_err(failed)?;
    Ok(match object {
        Some(object) => ready::lacking(&it.kind, &value(&object)),
        None if ready::may_be_gone(&it.kind) => None,
        None => Some("gone".to_owned()),
    })
}

pub(super) fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// What is not ready, for an error.
async fn missing(cluster: &Cluster, wanted: &[Known]) -> Result<Vec<String>, AppError> {
    let mut behind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for it in wanted {
        if let Some(what) = lacking(it).await? {
            behind.entry(&it.kind).or_default().push(format!("{} {what}", it.name));
        }
    }
    let mut lines: Vec<String> = behind
        .into_iter()
        .map(|(kind, all)| format!("{kind}s not complete: {}", all.join(", ")))
        .collect();
    let pods = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    let namespaces: BTreeSet<&str> = wanted.iter().map(|it| it.namespace.as_str()).collect();
    let (mut pending, mut reasons) = (0, Vec::new());
    for namespace in namespaces {
        let pods: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &pods);
        let warnings = warnings(cluster, namespace).await?;
        for pod in pods.list(&ListParams::default()).await.map_err(failed)? {
            let shown = value(&pod);
            pending += usize::from(shown["status"]["phase"] == "Pending");
            if let Some(reason) = ready::reason(&shown) {
                let name = pod.name_any();
                let warned = warnings.iter().rev().find(|(of, _)| *of == name);
                let more = warned.filter(|(_, message)| !reason.contains(message.as_str()));
                let more = more.map(|(_, message)| format!(" ({message})")).unwrap_or_default();
                reasons.push(format!("{name}: {reason}{more}"));
            }
        }
    }
    lines.push(format!("{pending} pods Pending"));
    let more = reasons.len().saturating_sub(LISTED);
    lines.extend(reasons.into_iter().take(LISTED));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Ok(lines)
}

/// The pods of a namespace that the cluster warned of, each with what it said, the last warning last.
async fn warnings(cluster: &Cluster, namespace: &str) -> Result<Vec<(String, String)>, AppError> {
    let api: Api<Event> = Api::namespaced(cluster.client(), namespace);
    let mut events = api.list(&ListParams::default()).await.map_err(failed)?.items;
    events.sort_by(|one, other| one.last_timestamp.cmp(&other.last_timestamp));
    let of_pods = events.into_iter().filter(|event| {
        event.type_.as_deref() == Some("Warning") && event.involved_object.kind.as_deref() == Some("Pod")
    });
    // A kubelet that has waited too long for volumes says less than when one of them could not be mounted.
    let late = |message: &str| message.starts_with("Unable to attach or mount volumes");
    let mut all: Vec<(String, String)> = of_pods
        .filter_map(|event| Some((event.involved_object.name?, event.message?)))
        .collect();
    all.sort_by_key(|(_, message)| !late(message));
    Ok(all)
}
