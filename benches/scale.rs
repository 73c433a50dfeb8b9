//! How the embedded cluster grows: processor time, wall time and peak memory of whole clusters, each in a process of its own.
//!
//! `just scale`, or by hand:
//!
//! ```text
//! cargo bench --bench scale -- ready 5000 30     # nodes, pods a node: until all are Ready
//! cargo bench --bench scale -- strike 1000 10000 # nodes, pods: 10 % of the nodes fail under load, ten minutes
//! cargo bench --bench scale -- table             # the whole table of docs/scale.md
//! ```
//!
//! The cluster is the profile `eks-workshop` with larger instances, its five DaemonSets, coredns and the Cluster Autoscaler
//! included in the number of pods. The other pods belong to Deployments of 100 replicas, each with a Service, 50 of them in a
//! namespace; in `strike` one namespace is the highly available sock shop, and the load goes to it.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use steadfast::app::manifest::Manifest;
use steadfast::model::experiment::{Afterwards, Claim, Hypothesis, Plan};
use steadfast::model::history::What;
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::objects::resources::{DEPLOYMENTS, NAMESPACES, SERVICES};
use steadfast::simulation::world::World;
use steadfast::survey::Stage;
use steadfast::{NodeFailure, SockShop, Units as _, Verdict, sockshop};

/// Pods of each Deployment but the last.
const REPLICAS: u32 = 100;
/// Deployments in a namespace.
const TOGETHER: u32 = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let number = |index: usize, default: u32| arguments.get(index).map_or(default, |text| text.parse().unwrap());
    match arguments.first().map_or("", String::as_str) {
        "ready" => ready(number(1, 100), number(2, 30)),
        "strike" => strike(number(1, 1_000), number(2, 10_000)),
        "table" => table(),
        // `cargo bench` without arguments: the smallest of each.
        _ => {
            ready(100, 30);
            strike(100, 1_000);
        }
    }
}

/// The profile with so many instances of 8 cores.
fn profile(nodes: u32) -> Arc<Profile> {
    let mut profile = Profile::built_in("eks-workshop").unwrap();
    profile.nodes.count = nodes;
    "m5.2xlarge".clone_into(&mut profile.nodes.instance_type);
    profile.nodes.cpu_milli = 7_910;
    profile.nodes.memory_mib = 31_000;
    profile.nodes.pods = 58;
    let group = profile.scaling_group.as_mut().unwrap();
    (group.min, group.max) = (nodes, nodes + nodes / 5);
    Arc::new(profile)
}

/// Pods that the cluster itself has.
fn system_pods(profile: &Profile, nodes: u32) -> u32 {
    nodes * profile.daemon_sets.len() as u32 + profile.deployments.iter().map(|it| it.replicas).sum::<u32>()
}

/// Creates Deployments with Services, so many pods in all.
fn fill(world: &mut World, pods: u32) {
    let mut left = pods;
    for index in 0..pods.div_ceil(REPLICAS) {
        let space = format!("team-{}", index / TOGETHER);
        if index % TOGETHER == 0 {
            let object = serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } });
            world.create(NAMESPACES, object, false).unwrap();
        }
        let name = format!("app-{index}");
        let replicas = left.min(REPLICAS);
        left -= replicas;
        let labels = serde_json::json!({ "app": name });
        let deployment = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name, "namespace": space, "labels": labels },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "containers": [{
                        "name": "app", "image": format!("example/{name}:1"), "ports": [{ "containerPort": 8080 }],
                        "resources": { "requests": { "cpu": "100m", "memory": "256Mi" } },
                    }] },
                },
            },
        });
        world.create(DEPLOYMENTS, deployment, false).unwrap();
        let service = serde_json::json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": space },
            "spec": { "selector": labels, "ports": [{ "port": 80, "targetPort": 8080 }] },
        });
        world.create(SERVICES, service, false).unwrap();
    }
}

fn ready_pods(world: &World) -> u32 {
    let deployments = world.store().deployments.iter().map(|(_, it)| it.body.status.available);
    let daemons = world.store().daemon_sets.iter().map(|(_, it)| it.body.status.ready);
    deployments.sum::<u32>() + daemons.sum::<u32>()
}

/// Runs until so many pods are Ready.
fn settle(world: &mut World, pods: u32) {
    while ready_pods(world) < pods {
        world.run_for(Span::secs(1));
        assert!(
            world.now().second() < 7_200,
            "{} of {pods} pods are Ready after two hours",
            ready_pods(world)
        );
    }
}

/// A new cluster until all of its pods are Ready.
fn ready(nodes: u32, each: u32) {
    let started = now();
    let profile = profile(nodes);
    let pods = nodes * each;
    let mut world = World::new(profile.clone(), 1);
    fill(&mut world, pods - system_pods(&profile, nodes));
    settle(&mut world, pods);
    println!(
        "ready nodes={nodes} pods={pods} cpu_s={:.2} wall_s={:.2} peak_mib={} cluster_s={}",
        cpu(),
        started.elapsed().as_secs_f64(),
        peak_mib(),
        world.now().second(),
    );
}

fn journeys() -> Vec<(String, Journey)> {
    let model = SockShop::model().unwrap();
    [("browse", 80), ("checkout", 20)]
        .into_iter()
        .map(|(name, rate)| {
            let mut journey = model.journeys[name].clone();
            journey.rate = rate;
            (name.to_owned(), journey)
        })
        .collect()
}

/// A cluster with the shop under load that loses a tenth of its nodes.
fn strike(nodes: u32, pods: u32) {
    let started = now();
    let profile = profile(nodes);
    let manifest = Manifest::parse(sockshop::HA, "sockshop-demo-ha").unwrap();
    let mut stage = Stage::new(profile.clone(), 1);
    stage
        .deploy("sockshop-demo-ha", &manifest, &SockShop::model().unwrap())
        .unwrap();
    let shop = ready_pods(stage.world()) - system_pods(&profile, nodes);
    let mut world = stage.into_world();
    fill(&mut world, pods - shop - system_pods(&profile, nodes));
    settle(&mut world, pods);
    let deployed = cpu();
    let plan = Plan {
        name: "strike".to_owned(),
        hypotheses: vec![Hypothesis {
            journey: "checkout".to_owned(),
            claim: Claim::RecoversWithin {
                within: 60.secs(),
                at_least_ppm: 990_000,
            },
        }],
        fault: NodeFailure::terminate().percent(10).into(),
        more_faults: Vec::new(),
        afterwards: Afterwards::Left,
        observe: 10.mins(),
        expected: Verdict::Held,
    };
    let mut stage = Stage::of(world);
    let history = stage.run(&plan, "sockshop-demo-ha", "sockshop", &journeys()).unwrap();
    let (hops, bytes) = (history.end.as_ref().unwrap().hops, history.to_bytes().len());
    assert!(
        history.events.iter().any(|it| matches!(it.what, What::Injected { .. })),
        "the cluster was not steady, nothing was struck"
    );
    let whole = cpu();
    println!(
        "strike nodes={nodes} pods={pods} cpu_s={whole:.2} run_cpu_s={:.2} wall_s={:.2} peak_mib={} hops={hops} history_kib={}",
        whole - deployed,
        started.elapsed().as_secs_f64(),
        peak_mib(),
        bytes >> 10,
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the time of the machine")]
fn now() -> Instant {
    Instant::now()
}

/// Processor time of this process so far in seconds, `utime` and `stime` in /proc/self/stat at 100 ticks a second; 0 where there is no
/// such file. On a machine that has nothing else to do it is the wall time: the simulation uses one core.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process ever had resident (`VmHWM` in /proc/self/status); 0 where there is no such file.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0)
        >> 10
}

/// Every row in a process of its own.
fn table() {
    for nodes in ["100", "200", "500", "1000", "2000", "5000"] {
        row(&["ready", nodes, "30"]);
    }
    for (nodes, pods) in [("100", "1000"), ("200", "2000"), ("500", "5000"), ("1000", "10000")] {
        row(&["strike", nodes, pods]);
    }
}

fn row(arguments: &[&str]) {
    let program = std::env::current_exe().unwrap();
    let done = Command::new(program).args(arguments).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}
