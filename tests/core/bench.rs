//! A cluster on the bench: random commands, and what they are done to.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use steadfast::model::application::Application;
use steadfast::model::fault::Mode;
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::{ApiStore as _, DeleteOptions, Part, merge};
use steadfast::simulation::objects::resources::{DEPLOYMENTS, NAMESPACES, NODES, PODS, RESOURCES, SERVICES};
use steadfast::simulation::world::World;

/// The namespace of everything that the commands make.
pub(super) const SPACE: &str = "shop";

/// The Deployments that commands are about.
const NAMES: [&str; 4] = ["web", "api", "db", "batch"];

/// What the images do: web asks api, api asks db; nobody asks batch.
const MODEL: &str = "
version: 1
name: shop
services:
  web:
    images: [example/web]
    start: { from: 1s, to: 3s }
    shutdown: { from: 100ms, to: 2s }
    routes:
      - request: GET /
        work: { from: 1ms, to: 3ms }
        steps: [{ call: { to: api, request: GET /, timeout: 2s, unreachable: { answer: 503 } } }]
  api:
    images: [example/api]
    start: { from: 2s, to: 20s }
    waits_for: [db]
    routes:
      - request: GET /
        steps: [{ call: { to: db, request: GET /rows, over: { pooled: { idle: 30s } }, unreachable: crash } }]
  db:
    images: [example/db]
    start: { from: 5s, to: 9s }
    routes: [{ request: GET /rows, work: { from: 1ms, to: 9ms } }]
  batch:
    images: [example/batch]
    start: { from: 0s, to: 0s }
journeys:
  visit:
    entry: web
    rate: 10
    timeout: 3s
    steps: [{ request: GET /, expect: { status: 200 } }]
";

/// So many cases, or more in proportion when `PROPTEST_CASES` is above its default of 256. A failing one is printed in its
/// smallest form, not kept in a file.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: (cases * default.cases / 256).max(1),
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..default
    }
}

/// From whom the pods of a Deployment keep apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Apart {
    Nobody,
    /// Their own kind, by node.
    OwnByNode,
    /// Their own kind, by zone.
    OwnByZone,
    /// Those of another Deployment, by node.
    OtherByNode(usize),
}

/// What a user asks of a Deployment.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub replicas: u32,
    pub cpu_milli: u64,
    pub memory_mib: u64,
    pub apart: Apart,
    pub critical: bool,
    pub recreate: bool,
    /// Another template for each number.
    pub release: u8,
}

/// One thing that somebody does, or time that passes.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Creates a Deployment, or changes it.
    Put(usize, Wanted),
    Scale(usize, u32),
    Delete(usize),
    /// Deletes a pod of the namespace, with this grace period if any.
    DeletePod(usize, Option<u64>),
    Fail(Mode, usize),
    /// Cordons a node, or lifts that.
    Cordon(usize, bool),
    Run(u64),
}

pub(super) fn wanted() -> impl Strategy<Value = Wanted> {
    let apart = prop_oneof![
        3 => Just(Apart::Nobody),
        2 => Just(Apart::OwnByNode),
        1 => Just(Apart::OwnByZone),
        2 => (0..NAMES.len()).prop_map(Apart::OtherByNode),
    ];
    (
        0..6_u32,
        prop_oneof![Just(0), Just(50), Just(300), Just(900), Just(3_000)],
        prop_oneof![Just(0), Just(64), Just(500)],
        apart,
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.2),
        0..3_u8,
    )
        .prop_map(
            |(replicas, cpu_milli, memory_mib, apart, critical, recreate, release)| Wanted {
                replicas,
                cpu_milli,
                memory_mib,
                apart,
                critical,
                recreate,
                release,
            },
        )
}

fn command() -> impl Strategy<Value = Command> {
    let name = 0..NAMES.len();
    let mode = prop_oneof![Just(Mode::Terminate), Just(Mode::Kill), Just(Mode::Delete)];
    // From an instant to minutes, on no round number.
    let span = prop_oneof![0..2_000_000_u64, 0..60_000_000_u64, 0..400_000_000_u64];
    prop_oneof![
        4 => (name.clone(), wanted()).prop_map(|(name, wanted)| Command::Put(name, wanted)),
        2 => (name.clone(), 0..8_u32).prop_map(|(name, replicas)| Command::Scale(name, replicas)),
        1 => name.prop_map(Command::Delete),
        2 => (any::<prop::sample::Index>(), prop::option::of(0..40_u64)).prop_map(|(pod, grace)| Command::DeletePod(pod.index(64), grace)),
        1 => (mode, 0..8_usize).prop_map(|(mode, node)| Command::Fail(mode, node)),
        1 => (0..8_usize, any::<bool>()).prop_map(|(node, cordon)| Command::Cordon(node, cordon)),
        6 => span.prop_map(Command::Run),
    ]
}

/// Up to `most` commands.
pub(super) fn commands(most: usize) -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 1..most)
}

/// A profile, a number of nodes and a seed.
pub(super) fn cluster() -> impl Strategy<Value = World> {
    (prop_oneof![Just("eks-workshop"), Just("kind")], 3..=8_u32, any::<u64>())
        .prop_map(|(profile, nodes, seed)| new(profile, nodes, seed))
}

/// A cluster with the namespace, its model and a Service for each Deployment to come.
pub(super) fn new(profile: &str, nodes: u32, seed: u64) -> World {
    let mut profile = Profile::built_in(profile).unwrap();
    profile.nodes.count = nodes;
    let mut world = World::new(Arc::new(profile), seed);
    world
        .create(NAMESPACES, json!({"metadata": {"name": SPACE}}), false)
        .unwrap();
    world.describe(SPACE, &Application::from_yaml(MODEL).unwrap()).unwrap();
    for name in NAMES {
        let service = json!({
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
        });
        world.create(SERVICES, service, false).unwrap();
    }
    world
}

/// The journey of the model.
pub(super) fn journeys() -> Vec<(String, Journey)> {
    let model = Application::from_yaml(MODEL).unwrap();
    model.journeys.into_iter().collect()
}

fn deployment(name: &str, wanted: &Wanted) -> Value {
    let labels = json!({"app": name});
    let apart = |other: &str, topology: &str| {
        json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": other}}, "topologyKey": topology},
        ]}})
    };
    let mut spec = json!({
        "terminationGracePeriodSeconds": 5,
        "containers": [{
            "name": "main",
            "image": format!("example/{name}:{}", wanted.release),
            "resources": {"requests": {"cpu": format!("{}m", wanted.cpu_milli), "memory": format!("{}Mi", wanted.memory_mib)}},
        }],
    });
    spec["affinity"] = match wanted.apart {
        Apart::Nobody => json!({}),
        Apart::OwnByNode => apart(name, "kubernetes.io/hostname"),
        Apart::OwnByZone => apart(name, "topology.kubernetes.io/zone"),
        Apart::OtherByNode(other) => apart(NAMES[other], "kubernetes.io/hostname"),
    };
    if wanted.critical {
        spec["priorityClassName"] = json!("system-cluster-critical");
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "replicas": wanted.replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": if wanted.recreate { "Recreate" } else { "RollingUpdate" }},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    })
}

/// Does one thing to a world. What does not exist is passed over.
pub(super) fn apply(world: &mut World, command: &Command) {
    match command {
        Command::Put(name, wanted) => {
            let new = deployment(NAMES[*name], wanted);
            if world.get(DEPLOYMENTS, Some(SPACE), NAMES[*name]).is_some() {
                world.replace(DEPLOYMENTS, new, Part::Main, false).unwrap();
            } else {
                world.create(DEPLOYMENTS, new, false).unwrap();
            }
        }
        Command::Scale(name, replicas) => {
            if let Some(old) = world.get(DEPLOYMENTS, Some(SPACE), NAMES[*name]) {
                let mut object = old.body.project();
                merge(&mut object, &json!({"spec": {"replicas": replicas}}));
                world.replace(DEPLOYMENTS, object, Part::Main, false).unwrap();
            }
        }
        Command::Delete(name) => {
            if world.get(DEPLOYMENTS, Some(SPACE), NAMES[*name]).is_some() {
                let options = DeleteOptions::default();
                world.delete(DEPLOYMENTS, Some(SPACE), NAMES[*name], &options).unwrap();
            }
        }
        Command::DeletePod(index, grace) => {
            let pods = world.list(PODS, Some(SPACE));
            if let Some(pod) = pods.get(index % pods.len().max(1)) {
                let options = DeleteOptions {
                    grace: *grace,
                    ..DeleteOptions::default()
                };
                world.delete(PODS, Some(SPACE), &pod.name, &options).unwrap();
            }
        }
        Command::Fail(mode, index) => {
            let nodes = world.candidates();
            if let Some(node) = nodes.get(index % nodes.len().max(1)) {
                world.inject(*mode, std::slice::from_ref(&node.name));
            }
        }
        Command::Cordon(index, cordon) => {
            let nodes = world.candidates();
            if let Some(node) = nodes.get(index % nodes.len().max(1)) {
                set_cordon(world, &node.name, *cordon);
            }
        }
        Command::Run(micros) => world.run_for(Span(*micros)),
    }
}

pub(super) fn set_cordon(world: &mut World, node: &str, cordon: bool) {
    let mut object = world.get(NODES, None, node).unwrap().body.project();
    object["spec"]["unschedulable"] = json!(cordon);
    world.replace(NODES, object, Part::Main, false).unwrap();
}

/// All that can be seen of a world: what happened, and every object.
pub(super) fn fingerprint(world: &World) -> String {
    let mut text = format!("{:?} {}\n", world.now(), world.version());
    for event in world.transitions() {
        text += &serde_json::to_string(event).unwrap();
        text.push('\n');
    }
    for resource in &RESOURCES {
        for object in world.list(resource, None) {
            text += &object.body.project().to_string();
            text.push('\n');
        }
    }
    text
}
