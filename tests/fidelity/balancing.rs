//! Load balancers in front of Services: documented, not measured.

use std::sync::Arc;

use steadfast::app::manifest::Manifest;
use steadfast::model::application::Application;
use steadfast::model::fault::Mode;
use steadfast::model::history::{FailureKind, Second};
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::objects::resources::SERVICES;
use steadfast::simulation::world::World;
use steadfast::survey::Stage;

use super::shop::apply;

const SPACE: &str = "edge";

/// Two pods on two of three nodes, behind a load balancer.
fn manifest(service: &str, annotations: &str) -> Manifest {
    let text = format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{ name: {SPACE} }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: {SPACE} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      affinity: {{ podAntiAffinity: {{ requiredDuringSchedulingIgnoredDuringExecution: [{{ topologyKey: kubernetes.io/hostname, labelSelector: {{ matchLabels: {{ app: web }} }} }}] }} }}
      containers: [{{ name: web, image: example/web }}]
---
apiVersion: v1
kind: Service
metadata: {{ name: web, namespace: {SPACE}, annotations: {{ {annotations} }} }}
spec: {{ type: LoadBalancer, {service} selector: {{ app: web }}, ports: [{{ port: 80 }}] }}
"
    );
    Manifest::parse(&text, "edge").unwrap()
}

const MODEL: &str = "
version: 1
name: edge
services:
  web: { images: [example/web], start: { from: 0s, to: 0s }, routes: [{ request: GET / }] }
journeys:
  visit: { entry: web, rate: 20, timeout: 5s, connection: fresh, steps: [{ request: GET /, expect: { status: 200 } }] }
";

fn cluster(seed: u64, manifest: &Manifest) -> World {
    let profile = Arc::new(Profile::built_in("eks-workshop").unwrap());
    let mut world = Stage::new(profile, seed).world().clone();
    world.describe(SPACE, &Application::from_yaml(MODEL).unwrap()).unwrap();
    apply(&mut world, manifest);
    world
}

fn load(world: &mut World) {
    let journeys: Vec<(String, Journey)> = Application::from_yaml(MODEL).unwrap().journeys.into_iter().collect();
    world.start_load(SPACE, &journeys).unwrap();
}

fn ingress(world: &World) -> Option<String> {
    let service = world.get(SERVICES, Some(SPACE), "web").unwrap().body.project();
    service["status"]["loadBalancer"]["ingress"][0]["hostname"]
        .as_str()
        .map(str::to_owned)
}

/// A node on which no pod of the Service runs.
fn bystander(world: &World) -> String {
    let used: Vec<String> = world
        .store()
        .pods
        .iter()
        .filter(|(_, pod)| &*pod.meta.namespace == SPACE)
        .filter_map(|(_, pod)| pod.body.node_name.as_deref().map(str::to_owned))
        .collect();
    let mut names = world.candidates().into_iter().map(|node| node.name);
    names.find(|name| !used.contains(name)).expect("a third node")
}

fn failures(seconds: &[Second], kind: FailureKind) -> u32 {
    let all = seconds.iter().flat_map(|second| &second.failures);
    all.filter(|failure| failure.kind == kind)
        .map(|failure| failure.count)
        .sum()
}

/// The last second after the fault in which a slot failed, and the share that failed until then.
fn outage(world: &World, injected: u64) -> (u64, f64) {
    // Slots of the last seconds may be under way.
    let until = world.now().second() - 6;
    let mut seconds = world.network().seconds();
    seconds.retain(|second| second.s < until);
    let bad: Vec<&Second> = seconds
        .iter()
        .filter(|second| second.s >= injected && second.good < second.planned)
        .collect();
    let last = bad.last().map_or(injected, |second| second.s);
    let part: Vec<&Second> = seconds
        .iter()
        .filter(|second| (injected..=last).contains(&second.s))
        .collect();
    let (good, planned) = part
        .iter()
        .fold((0, 0), |(good, planned), it| (good + it.good, planned + it.planned));
    assert!(planned > 0, "no load after the fault");
    (last - injected, 1.0 - f64::from(good) / f64::from(planned))
}

#[test]
fn its_name_resolves_once_it_is_made() {
    let mut world = cluster(1, &manifest("", ""));
    load(&mut world);
    world.run_for(Span::secs(55));
    assert_eq!(ingress(&world), None);
    let seconds = world.network().seconds();
    assert!(failures(&seconds, FailureKind::Dns) > 500, "{seconds:?}");
    world.run_for(Span::secs(300));
    assert!(ingress(&world).is_some());
    assert!(world.is_steady(30));
}

#[test]
fn a_dead_node_gets_its_share_of_connections_until_checks_fail_often_enough() {
    // Classic: six failed checks, 10 s apart, the last known after 5 s; or the node object goes first. Network: two, 30 s apart.
    for (annotations, most) in [("", 70), ("service.beta.kubernetes.io/aws-load-balancer-type: nlb", 75)] {
        for seed in 0..6 {
            let mut world = cluster(seed, &manifest("", annotations));
            world.run_for(Span::secs(500));
            load(&mut world);
            world.run_for(Span::secs(20));
            let victim = bystander(&world);
            let injected = world.now().second() + 1;
            world.inject(Mode::Kill, &[victim]);
            world.run_for(Span::secs(200));
            let (lasted, share) = outage(&world, injected);
            assert!((25..=most).contains(&lasted), "{annotations} seed {seed}: {lasted} s");
            assert!((0.25..0.42).contains(&share), "{annotations} seed {seed}: {share}");
        }
    }
}

#[test]
fn under_the_local_policy_only_nodes_with_a_pod_are_healthy() {
    for seed in 0..4 {
        let mut world = cluster(seed, &manifest("externalTrafficPolicy: Local,", ""));
        world.run_for(Span::secs(500));
        load(&mut world);
        world.run_for(Span::secs(20));
        assert!(world.is_steady(15), "seed {seed}");
        // The node without a pod gets nothing, so its death is not noticed.
        let victim = bystander(&world);
        let injected = world.now().second() + 1;
        world.inject(Mode::Kill, &[victim]);
        world.run_for(Span::secs(120));
        assert_eq!(outage(&world, injected).0, 0, "seed {seed}");
    }
}

#[test]
fn a_kept_connection_through_a_dead_node_hangs_though_its_pod_lives() {
    let mut model = MODEL.replace("connection: fresh", "connection: kept-alive");
    model = model.replace(
        "steps: [",
        "steps: [{ request: GET / }, { request: GET / }, { request: GET / }, { request: GET / }, ",
    );
    let slow = model.replace(
        "{ request: GET / }]",
        "{ request: GET /, work: { from: 200ms, to: 200ms } }]",
    );
    let application = Application::from_yaml(&slow).unwrap();
    let profile = Arc::new(Profile::built_in("eks-workshop").unwrap());
    let mut world = Stage::new(profile, 3).world().clone();
    world.describe(SPACE, &application).unwrap();
    apply(&mut world, &manifest("", ""));
    world.run_for(Span::secs(500));
    let journeys: Vec<(String, Journey)> = application.journeys.into_iter().collect();
    world.start_load(SPACE, &journeys).unwrap();
    world.run_for(Span::secs(20));
    let victim = bystander(&world);
    world.inject(Mode::Kill, &[victim]);
    world.run_for(Span::secs(60));
    let seconds = world.network().seconds();
    assert!(
        failures(&seconds, FailureKind::ReadTimeout) > 0,
        "connections that were open"
    );
    assert!(
        failures(&seconds, FailureKind::ConnectTimeout) > 0,
        "connections made since"
    );
}
