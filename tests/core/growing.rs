//! What a cluster costs grows with its size and not with the square of it, counted in work, not in time. (That a single event
//! costs no walk over all pods is a law of the sources, in `tests/laws.rs`.)

use std::mem::size_of;
use std::sync::Arc;

use serde_json::json;
use steadfast::model::fault::Mode;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::event::Event;
use steadfast::simulation::objects::node::Node;
use steadfast::simulation::objects::pod::Pod;
use steadfast::simulation::objects::resources::{DEPLOYMENTS, SERVICES};
use steadfast::simulation::objects::table::Row;
use steadfast::simulation::world::World;

/// Pods a node, those of the DaemonSets aside.
const EACH: u32 = 10;
/// Pods of a Deployment.
const REPLICAS: u32 = 50;

fn cluster(nodes: u32) -> World {
    let mut profile = Profile::built_in("eks-workshop").unwrap();
    profile.nodes.count = nodes;
    (profile.nodes.cpu_milli, profile.nodes.memory_mib, profile.nodes.pods) = (8_000, 32_000, 58);
    let group = profile.scaling_group.as_mut().unwrap();
    (group.min, group.max) = (nodes, nodes * 2);
    let mut world = World::new(Arc::new(profile), 7);
    for index in 0..nodes * EACH / REPLICAS {
        let labels = json!({ "app": format!("app-{index}") });
        let metadata = json!({ "name": format!("app-{index}"), "namespace": "default" });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {
                "replicas": REPLICAS,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "app", "image": "example/app" }] } },
            },
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": { "selector": labels, "ports": [{ "port": 80 }] },
        });
        world.create(DEPLOYMENTS, deployment, false).unwrap();
        world.create(SERVICES, service, false).unwrap();
    }
    world
}

/// The events that it takes to fill a cluster and to lose a tenth of its nodes.
fn work(nodes: u32) -> u64 {
    let mut world = cluster(nodes);
    world.run_for(Span::secs(60));
    let pods = nodes * EACH;
    let ready: u32 = world
        .store()
        .deployments
        .iter()
        .map(|(_, it)| it.body.status.ready)
        .sum();
    assert!(ready >= pods, "{ready} of {pods} pods are Ready after a minute");
    let victims: Vec<String> = world
        .candidates()
        .into_iter()
        .map(|it| it.name)
        .take(nodes as usize / 10)
        .collect();
    world.inject(Mode::Terminate, &victims);
    world.run_for(Span::secs(240));
    world.events_handled()
}

#[test]
fn four_times_the_nodes_take_hardly_more_than_four_times_the_work() {
    let (small, large) = (work(40), work(160));
    let growth = large as f64 / small as f64;
    assert!(growth < 4.8, "events grow {growth:.1} times, from {small} to {large}");
}

/// Of 150,000 pods, a hundred bytes more each are 15 MB: say it here when one needs them.
#[test]
fn rows_are_small() {
    assert!(size_of::<Row<Pod>>() <= 512, "a pod: {}", size_of::<Row<Pod>>());
    assert!(size_of::<Row<Node>>() <= 512, "a node: {}", size_of::<Row<Node>>());
    assert!(size_of::<Event>() <= 16, "an event: {}", size_of::<Event>());
}
