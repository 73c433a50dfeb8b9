//! An operator, and its test in virtual time: does it do its work while nodes die?
//!
//! The operator is an ordinary kube-rs [`Controller`]. A *website* is a ConfigMap with the label `example.org/kind: website`, whose
//! data say an image and a number of replicas; the operator keeps a Deployment for each, and writes into the annotation
//! `example.org/ready` how many replicas are ready. Nothing in it knows the embedded cluster: it gets a [`Client`], as in production.
//!
//! The pattern for operator authors is [`scenario`]: start an embedded cluster, spawn the operator on the same runtime, do to the
//! cluster what may happen to one, and wait for what must come of it. Time is virtual: minutes pass in milliseconds, and with the same
//! seed everything happens in the same order.
//!
//! ```sh
//! cargo run --example operator     # tells what happens
//! cargo test --example operator    # checks it, on several seeds
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::wait::{Condition, await_condition};
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::json;
use steadfast::{Cluster, k8s_openapi, kube};

type Error = Box<dyn std::error::Error + Send + Sync>;

// ---------------------------------------------------------------------------------------------- the operator

const KIND: &str = "example.org/kind";
const READY: &str = "example.org/ready";
const WEBSITE: &str = "example.org/website";

/// Runs the operator for as long as it is polled.
async fn operate(client: Client) {
    let websites = Config::default().labels(&format!("{KIND}=website"));
    Controller::new(Api::<ConfigMap>::all(client.clone()), websites)
        .watches(Api::<Deployment>::all(client.clone()), Config::default(), |it| {
            website_of(&it)
        })
        .run(
            reconcile,
            |_, _, _| Action::requeue(Duration::from_secs(5)),
            Arc::new(client),
        )
        .for_each(|_reconciled| std::future::ready(()))
        .await;
}

/// The website that a Deployment is of: of the same name, as its label says.
fn website_of(deployment: &Deployment) -> Option<ObjectRef<ConfigMap>> {
    let website = deployment.labels().get(WEBSITE)?;
    Some(ObjectRef::new(website).within(&deployment.namespace()?))
}

/// Makes one website's Deployment what it should be, and says how far it is.
async fn reconcile(website: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let namespace = website.namespace().unwrap_or_default();
    let deployments: Api<Deployment> = Api::namespaced((*client).clone(), &namespace);
    let wanted = deployment(&website)?;
    let replicas = |deployment: &Deployment| deployment.spec.replicas;
    let found = deployments.get_opt(&website.name_any()).await?;
    let deployment = match found {
        // Its deletion will be heard of, too.
        Some(found) if found.metadata.deletion_timestamp.is_some() => return Ok(Action::await_change()),
        Some(found) if replicas(&found) == replicas(&wanted) => found,
        Some(found) => {
            let patch = json!({"spec": {"replicas": replicas(&wanted)}});
            let name = found.name_any();
            deployments
                .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                .await?
        }
        None => deployments.create(&PostParams::default(), &wanted).await?,
    };
    let ready = deployment
        .status
        .and_then(|status| status.ready_replicas)
        .unwrap_or(0)
        .to_string();
    if website.annotations().get(READY) != Some(&ready) {
        let websites: Api<ConfigMap> = Api::namespaced((*client).clone(), &namespace);
        let patch = json!({"metadata": {"annotations": {READY: ready}}});
        websites
            .patch(&website.name_any(), &PatchParams::default(), &Patch::Merge(patch))
            .await?;
    }
    Ok(Action::requeue(Duration::from_secs(300)))
}

/// The Deployment that a website asks for. It is the website's own, and goes with it.
fn deployment(website: &ConfigMap) -> Result<Deployment, kube::Error> {
    let setting = |key: &str| website.data.as_ref().and_then(|data| data.get(key)).cloned();
    let labels = json!({WEBSITE: website.name_any()});
    let deployment = json!({
        "metadata": {
            "name": website.name_any(),
            "namespace": website.namespace(),
            "labels": labels,
            "ownerReferences": [website.controller_owner_ref(&())],
        },
        "spec": {
            "replicas": setting("replicas").and_then(|replicas| replicas.parse::<u32>().ok()),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": setting("image")}]},
            },
        },
    });
    serde_json::from_value(deployment).map_err(kube::Error::SerdeError)
}

// ---------------------------------------------------------------------------------------------- its test

/// What happened, and when in cluster time.
struct Told(Vec<(Duration, String)>);

/// A website is published; a node that serves it is deleted, and its Deployment with it; then it is scaled.
async fn scenario(seed: u64) -> Result<Told, Error> {
    let cluster = Cluster::embedded().seed(seed).start().await?;
    let client = cluster.client();
    // On the same runtime as the cluster: virtual time stands still while the operator works.
    let operator = tokio::spawn(operate(client.clone()));
    let websites: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let mut told = Vec::new();
    let mut tell = |what: &str| cluster.now().map(|now| told.push((now, what.to_owned())));

    tell("a website of three replicas is published")?;
    let website: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "shop", "labels": {KIND: "website"}},
        "data": {"image": "nginx:1.29", "replicas": "3"},
    }))?;
    websites.create(&PostParams::default(), &website).await?;
    ready(&websites, "3").await?;
    tell("three replicas are ready")?;

    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let of_it = ListParams::default().labels(&format!("{WEBSITE}=shop"));
    let first = pods.list(&of_it).await?.items.into_iter().next().ok_or("no pods")?;
    let node = first
        .spec
        .and_then(|spec| spec.node_name)
        .ok_or("a ready pod has no node")?;
    Api::<Node>::all(client.clone())
        .delete(&node, &DeleteParams::default())
        .await?;
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    deployments.delete("shop", &DeleteParams::background()).await?;
    tell("a node is deleted, and the Deployment with it")?;
    let made = |it: Option<&Deployment>| it.is_some_and(|it| it.metadata.deletion_timestamp.is_none());
    until(&deployments, "the Deployment is there", made).await?;
    tell("the operator has made the Deployment again")?;
    ready(&websites, "3").await?;
    tell("three replicas are ready again")?;
    let elsewhere = pods.list(&of_it).await?.items;
    let on = |pod: &Pod| pod.spec.as_ref()?.node_name.clone();
    let alive = elsewhere.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    if alive.map(on).any(|name| name.as_ref() == Some(&node)) {
        return Err(format!("a pod is on {node}, which is no more").into());
    }

    let more = json!({"data": {"replicas": "5"}});
    websites
        .patch("shop", &PatchParams::default(), &Patch::Merge(more))
        .await?;
    tell("five replicas are asked for")?;
    ready(&websites, "5").await?;
    tell("five replicas are ready")?;

    operator.abort();
    Ok(Told(told))
}

/// Waits until the operator says that so many replicas are ready.
async fn ready(websites: &Api<ConfigMap>, replicas: &str) -> Result<(), Error> {
    let says = |it: Option<&ConfigMap>| it?.annotations().get(READY).map(|ready| ready == replicas);
    let what = format!("{replicas} replicas are ready");
    until(websites, &what, |it: Option<&ConfigMap>| says(it).unwrap_or(false)).await
}

/// Waits until the object `shop` is as it should be, for ten minutes of cluster time.
async fn until<K>(api: &Api<K>, what: &str, condition: impl Condition<K>) -> Result<(), Error>
where
    K: Clone + std::fmt::Debug + Send + for<'de> serde::Deserialize<'de> + kube::Resource + 'static,
{
    let waiting = await_condition(api.clone(), "shop", condition);
    match tokio::time::timeout(Duration::from_secs(600), waiting).await {
        Ok(reached) => Ok(reached.map(drop)?),
        Err(_elapsed) => Err(format!("after ten minutes it is not so that {what}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what happens")]
async fn main() -> Result<(), Error> {
    for (at, what) in scenario(0).await?.0 {
        println!("{:>8.2} s  {what}", at.as_secs_f64());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_website_is_served_again_soon_after_it_lost_a_node_and_its_deployment() -> Result<(), Error> {
        for seed in 0..5 {
            let Told(told) = scenario(seed).await?;
            let at = |what: &str| told.iter().find(|(_, told)| told == what).map(|(at, _)| *at);
            let lost = at("a node is deleted, and the Deployment with it").ok_or("nothing was lost")?;
            let made = at("the operator has made the Deployment again").ok_or("it was not made again")?;
            let back = at("three replicas are ready again").ok_or("it is not back")?;
            assert!(
                lost <= made && made < lost + Duration::from_secs(5),
                "seed {seed}: {lost:?} {made:?}"
            );
            assert!(
                lost < back && back < lost + Duration::from_secs(60),
                "seed {seed}: {lost:?} {back:?}"
            );
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_same_seed_tells_the_same_story() -> Result<(), Error> {
        assert_eq!(scenario(3).await?.0, scenario(3).await?.0);
        Ok(())
    }
}
