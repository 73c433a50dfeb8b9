//! The shop on the workshop's cluster, and what can be seen of it at any moment.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use steadfast::app::manifest::Manifest;
use steadfast::model::application::Application;
use steadfast::model::profile::Profile;
use steadfast::model::time::{Span, Time};
use steadfast::simulation::api::{ApiStore as _, Part, merge};
use steadfast::simulation::fabric::PodId;
use steadfast::simulation::objects::resources;
use steadfast::simulation::world::World;
use steadfast::{SockShop, sockshop};

pub(crate) const SPACE: &str = "sockshop";

pub(crate) static EKS: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::built_in("eks-workshop").unwrap()));
pub(crate) static BASE: LazyLock<Manifest> = LazyLock::new(|| Manifest::parse(sockshop::BASE, "base").unwrap());
pub(crate) static HA: LazyLock<Manifest> = LazyLock::new(|| Manifest::parse(sockshop::HA, "ha").unwrap());
pub(crate) static MODEL: LazyLock<Application> = LazyLock::new(|| SockShop::model().unwrap());

/// The stores: no rule keeps their replicas apart.
pub(crate) const STORES: [&str; 4] = ["carts-db", "catalogue-db", "orders-db", "user-db"];

/// The services whose replicas required anti-affinity keeps apart.
pub(crate) const APART: [&str; 9] = [
    "carts",
    "catalogue",
    "front-end",
    "orders",
    "payment",
    "queue-master",
    "rabbitmq",
    "shipping",
    "user",
];

/// The workshop's cluster with so many nodes and no Cluster Autoscaler.
pub(crate) fn without_autoscaler(nodes: u32) -> Arc<Profile> {
    let mut profile = Profile::clone(&EKS);
    profile.nodes.count = nodes;
    profile.without_autoscaler();
    Arc::new(profile)
}

/// Applies a manifest and does not wait.
pub(crate) fn apply(world: &mut World, manifest: &Manifest) {
    for object in &manifest.objects {
        let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
        let resource = resources::find(group, version, &object.kind).unwrap();
        let mut value = object.value.clone();
        let space = resource.namespaced.then(|| manifest.namespace());
        if let Some(space) = space {
            value["metadata"]["namespace"] = space.into();
        }
        match world.get(resource, space, &object.name) {
            None => world.create(resource, value, false).unwrap(),
            Some(old) => {
                let mut merged = old.body.project();
                merge(&mut merged, &value);
                world.replace(resource, merged, Part::Main, false).unwrap()
            }
        };
    }
}

/// Lets everything happen until a time, looking after each of the cluster's events.
pub(crate) fn drive(world: &mut World, until: Time, mut look: impl FnMut(&World)) {
    loop {
        look(world);
        let next = world.next_cluster_event();
        if next > until {
            world.run_until(until);
            return look(world);
        }
        world.run_until(next);
    }
}

/// Waits until every pod of the shop serves.
pub(crate) fn warm_up(world: &mut World) {
    for _ in 0..600 {
        if world
            .store()
            .pods
            .iter()
            .filter(|(_, pod)| &*pod.meta.namespace == SPACE)
            .all(|(row, _)| world.listens(PodId(row)))
        {
            return;
        }
        world.run_for(Span::secs(1));
    }
    panic!("not every pod of the shop serves after 600 s");
}

/// The shop's pods that serve, by app.
pub(crate) fn serving(world: &World) -> BTreeMap<&str, u32> {
    let mut all = BTreeMap::new();
    for (row, pod) in world.store().pods.iter() {
        if &*pod.meta.namespace == SPACE && world.listens(PodId(row)) {
            *all.entry(&*pod.body.app).or_default() += 1;
        }
    }
    all
}

/// Pods that the scheduler has found no node for.
pub(crate) fn unschedulable(world: &World) -> usize {
    world
        .store()
        .pods
        .iter()
        .filter(|(_, pod)| pod.body.node.is_none() && pod.body.unschedulable.is_some() && pod.body.nominated.is_none())
        .count()
}

/// The most pods that any node carries.
pub(crate) fn fullest(world: &World) -> usize {
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, pod) in world.store().pods.iter() {
        if let Some(node) = &pod.body.node_name {
            *nodes.entry(node).or_default() += 1;
        }
    }
    nodes.into_values().max().unwrap_or(0)
}
