//! Applying a manifest and waiting for it, through the Kubernetes API alone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};

use super::AppError;
use super::manifest::{Manifest, Object};
use crate::cluster::Cluster;

/// How long a deployment may take, in cluster time: the Cluster Autoscaler gives up on an instance after 15 minutes
/// (`--max-node-provision-time`), and JVMs need two more.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// Pending pods that an error lists.
const LISTED: usize = 12;

/// Creates the objects of a manifest, and changes those that exist.
pub(super) async fn apply(cluster: &Cluster, manifest: &Manifest) -> Result<(), AppError> {
    let client = cluster.client();
    let mut kinds: BTreeMap<(String, String), (ApiResource, Scope)> = BTreeMap::new();
    // All kinds first: a manifest with an unknown kind changes nothing.
    for object in &manifest.objects {
        let key = (object.api_version.clone(), object.kind.clone());
        if let std::collections::btree_map::Entry::Vacant(e) = kinds.entry(key) {
            e.insert(look_up(&client, manifest, object).await?);
        }
    }
    for object in &manifest.objects {
        let Some((resource, scope)) = kinds.get(&(object.api_version.clone(), object.kind.clone())) else {
            continue;
        };
        let api: Api<DynamicObject> = if *scope == Scope::Namespaced {
            let namespace = object.namespace.as_deref().unwrap_or_else(|| manifest.namespace());
            Api::namespaced_with(client.clone(), namespace, resource)
        } else {
            Api::all_with(client.clone(), resource)
        };
        put(&api, object).await.map_err(|source| AppError::Refused {
            kind: object.kind.clone(),
            name: object.name.clone(),
            source: Box::new(source),
        })?;
    }
    Ok(())
}

async fn look_up(
    client: &kube::Client,
    manifest: &Manifest,
    object: &Object,
) -> Result<(ApiResource, Scope), AppError> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let kind = GroupVersionKind::gvk(group, version, &object.kind);
    kube::discovery::pinned_kind(client, &kind)
        .await
        .map(|(resource, capabilities)| (resource, capabilities.scope))
        .map_err(|_| AppError::UnknownKind {
            origin: manifest.origin.clone(),
            kind: object.kind.clone(),
            api_version: object.api_version.clone(),
            name: object.name.clone(),
        })
}

async fn put(api: &Api<DynamicObject>, object: &Object) -> Result<(), kube::Error> {
    let new: DynamicObject = serde_json::from_value(object.value.clone()).map_err(kube::Error::SerdeError)?;
    match api.create(&PostParams::default(), &new).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => api
            .patch(&object.name, &PatchParams::default(), &Patch::Merge(&object.value))
            .await
            .map(drop),
        done => done.map(drop),
    }
}

/// Waits until every Deployment of a manifest has rolled out completely.
pub(super) async fn wait(cluster: &Cluster, application: &str, manifest: &Manifest) -> Result<(), AppError> {
    let wanted: Vec<&Object> = manifest
        .objects
        .iter()
        .filter(|object| object.kind == "Deployment")
        .collect();
    let namespace = manifest.namespace();
    let done = tokio::time::timeout(LONGEST, until_settled(cluster, namespace, &wanted)).await;
    match done {
        Ok(done) => done,
        Err(_elapsed) => Err(AppError::NotReady {
            application: application.to_owned(),
            waited_s: LONGEST.as_secs(),
            waiting: missing(cluster, namespace, &wanted).await?,
        }),
    }
}

/// Waits until all is complete at a whole second of cluster time. A moment between two seconds does not count, so that nothing
/// depends on how fast a watch is.
async fn until_settled(cluster: &Cluster, namespace: &str, wanted: &[&Object]) -> Result<(), AppError> {
    let api: Api<Deployment> = Api::namespaced(cluster.client(), namespace);
    loop {
        until_complete(cluster, namespace, wanted).await?;
        cluster.settle().await;
        let now = api
            .list(&ListParams::default())
            .await
            .map_err(|source| AppError::Watch(Box::new(source)))?;
        let complete = |object: &&Object| now.iter().any(|it| it.name_any() == object.name && is_complete(it));
        if wanted.iter().all(complete) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn until_complete(cluster: &Cluster, namespace: &str, wanted: &[&Object]) -> Result<(), AppError> {
    let api: Api<Deployment> = Api::namespaced(cluster.client(), namespace);
    let mut complete: BTreeMap<String, bool> = BTreeMap::new();
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    loop {
        if wanted
            .iter()
            .all(|object| complete.get(&object.name).copied().unwrap_or(false))
        {
            return Ok(());
        }
        match events.try_next().await {
            Ok(Some(Event::Apply(it) | Event::InitApply(it))) => {
                complete.insert(it.name_any(), is_complete(&it));
            }
            Ok(Some(Event::Delete(it))) => {
                complete.insert(it.name_any(), false);
            }
            Err(
                watcher::Error::InitialListFailed(source)
                | watcher::Error::WatchStartFailed(source)
                | watcher::Error::WatchFailed(source),
            ) => {
                return Err(AppError::Watch(Box::new(source)));
            }
            // Nothing to see yet; after another error the watcher starts over by itself.
            Ok(_) | Err(_) => {}
        }
    }
}

/// As `kubectl rollout status` has it (staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
fn is_complete(it: &Deployment) -> bool {
    let wanted = it.spec.replicas.unwrap_or(1);
    it.status.as_ref().is_some_and(|status| {
        status.observed_generation >= it.metadata.generation
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.replicas.unwrap_or(0) == wanted
            && status.available_replicas.unwrap_or(0) == wanted
    })
}

/// What is not ready, for an error.
async fn missing(cluster: &Cluster, namespace: &str, wanted: &[&Object]) -> Result<Vec<String>, AppError> {
    let failed = |source| AppError::Watch(Box::new(source));
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), namespace);
    let mut lines = Vec::new();
    let behind: Vec<String> = deployments
        .list(&ListParams::default())
        .await
        .map_err(failed)?
        .iter()
        .filter(|it| wanted.iter().any(|object| object.name == it.name_any()) && !is_complete(it))
        .map(|it| {
            let ready = it
                .status
                .as_ref()
                .and_then(|status| status.available_replicas)
                .unwrap_or(0);
            let replicas = it.spec.replicas.unwrap_or(1);
            format!("{} {ready}/{replicas}", it.name_any())
        })
        .collect();
    lines.push(format!("Deployments not complete: {}", behind.join(", ")));
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let pending = pods
        .list(&ListParams::default().fields("status.phase=Pending"))
        .await
        .map_err(failed)?;
    lines.push(format!("{} pods Pending", pending.items.len()));
    for pod in pending.iter().take(LISTED) {
        lines.push(format!("{}: {}", pod.name_any(), reason(pod)));
    }
    if pending.items.len() > LISTED {
        lines.push(format!("and {} more", pending.items.len() - LISTED));
    }
    Ok(lines)
}

fn reason(pod: &Pod) -> String {
    pod.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .and_then(|condition| condition.message.clone())
        .unwrap_or_else(|| "its containers are being created".to_owned())
}
