//! How the embedded cluster grows: processor time, wall time and peak memory of whole clusters, each in a process of its own.
//!
//! `just scale`, or by hand:
//!
//! ```text
//! cargo bench --bench scale -- ready 5000 30     # nodes, pods a node: until all are Ready
//! cargo bench --bench scale -- strike 1000 10000 # nodes, pods: 10 % of the nodes fail under load, ten minutes
//! cargo bench --bench scale -- face 5000 30      # as `ready`, but through the API; then lists and a watch of all pods
//! cargo bench --bench scale -- watched 1000 30   # as `face`, with a watcher that is told every change of every pod
//! cargo bench --bench scale -- table 3           # the tables and the picture of docs/scale.md, medians of 3 runs
//! ```
//!
//! The cluster is the profile `eks-workshop` with larger instances, its five DaemonSets, coredns and the Cluster Autoscaler
//! included in the number of pods. The other pods belong to Deployments of 100 replicas, each with a Service, 50 of them in a
//! namespace; in `strike` one namespace is the highly available sock shop, and the load goes to it.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

#[path = "scale/plot.rs"]
mod plot;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams, WatchParams};
use serde_json::{Value, json};
use steadfast::app::manifest::Manifest;
use steadfast::model::experiment::{Afterwards, Claim, Hypothesis, Plan};
use steadfast::model::history::What;
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::{ApiStore as _, Served};
use steadfast::simulation::objects::resources::{DEPLOYMENTS, NAMESPACES, SERVICES};
use steadfast::simulation::world::World;
use steadfast::survey::Stage;
use steadfast::{Cluster, NodeFailure, SockShop, Units as _, Verdict, sockshop};

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
        "face" => face(number(1, 1_000), number(2, 30), Watched::Nothing),
        "watched" => face(number(1, 1_000), number(2, 30), Watched::Pods),
        "table" => table(number(1, 3)),
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
    for (kind, object) in objects(pods) {
        world.create(kind, object, false).unwrap();
    }
}

/// Namespaces, Deployments and Services with so many pods in all.
fn objects(pods: u32) -> Vec<(&'static Served, Value)> {
    let mut all = Vec::new();
    let mut left = pods;
    for index in 0..pods.div_ceil(REPLICAS) {
        let space = format!("team-{}", index / TOGETHER);
        if index % TOGETHER == 0 {
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } });
            all.push((NAMESPACES, object));
        }
        let name = format!("app-{index}");
        let replicas = left.min(REPLICAS);
        left -= replicas;
        let labels = json!({ "app": name });
        let deployment = json!({
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
        all.push((DEPLOYMENTS, deployment));
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": space },
            "spec": { "selector": labels, "ports": [{ "port": 80, "targetPort": 8080 }] },
        });
        all.push((SERVICES, service));
    }
    all
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

/// Whether somebody watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    Nothing,
    Pods,
}

/// As [`ready`], deployed and observed through the Kubernetes API alone; then every pod is listed, page by page and at once, one is
/// created as a dry run, and one change is watched.
fn face(nodes: u32, each: u32, watched: Watched) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let started = now();
        let profile = profile(nodes);
        let (pods, system) = (nodes * each, system_pods(&profile, nodes));
        let cluster = Cluster::embedded().custom_profile((*profile).clone()).seed(1).start().await.unwrap();
        let client = cluster.client();
        let told = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let all: Api<Pod> = Api::all(client.clone());
        if watched == Watched::Pods {
            let (told, all) = (told.clone(), all.clone());
            tokio::spawn(async move {
                let mut events = std::pin::pin!(kube::runtime::watcher(all, kube::runtime::watcher::Config::default()));
                while let Some(event) = events.next().await {
                    event.unwrap();
                    told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        for (kind, object) in objects(pods - system) {
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            let resource = ApiResource {
                group: kind.group.to_string(),
                version: kind.version.to_string(),
                api_version: kind.api_version(),
                kind: kind.kind.to_string(),
                plural: kind.plural.to_string(),
            };
            let api: Api<DynamicObject> = match &object.metadata.namespace {
                Some(space) => Api::namespaced_with(client.clone(), space, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            api.create(&PostParams::default(), &object).await.unwrap();
        }
        let deployments: Api<Deployment> = Api::all(client.clone());
        let daemons: Api<DaemonSet> = Api::all(client.clone());
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let own = deployments.list(&ListParams::default()).await.unwrap();
            let own = own.iter().filter_map(|it| it.status.as_ref()?.available_replicas).sum::<i32>();
            let sets = daemons.list(&ListParams::default()).await.unwrap();
            let sets = sets.iter().filter_map(|it| it.status.as_ref().map(|status| status.number_ready)).sum::<i32>();
            if (own + sets) as u32 >= pods {
                break;
            }
        }
        let deployed = cpu();
        let (mut listed, mut pages, mut parameters) = (0, 0, ListParams::default().limit(500));
        loop {
            let page = all.list(&parameters).await.unwrap();
            (listed, pages) = (listed + page.items.len(), pages + 1);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => break,
            }
        }
        let turned = cpu();
        let whole = all.list(&ListParams::default()).await.unwrap();
        assert!(whole.items.len() == listed && listed as u32 >= pods, "{listed} pods are listed");
        let listed_whole = cpu();
        let team: Api<Pod> = Api::namespaced(client.clone(), "team-0");
        let single = json!({ "metadata": { "name": "one" }, "spec": { "containers": [{ "name": "one", "image": "one" }] } });
        let single: Pod = serde_json::from_value(single).unwrap();
        let trial = PostParams { dry_run: true, ..PostParams::default() };
        team.create(&trial, &single).await.unwrap();
        let tried = cpu();
        let version = whole.metadata.resource_version.unwrap();
        let mut changes = std::pin::pin!(team.watch(&WatchParams::default(), &version).await.unwrap());
        team.create(&PostParams::default(), &single).await.unwrap();
        let change = changes.next().await.unwrap().unwrap();
        assert!(matches!(change, kube::api::WatchEvent::Added(_)), "{change:?}");
        println!(
            "face nodes={nodes} pods={pods} cpu_s={:.2} deploy_cpu_s={deployed:.2} list_{pages}_pages_cpu_s={:.2} list_whole_cpu_s={:.2} \
             dry_run_cpu_s={:.2} told={} wall_s={:.2} peak_mib={}",
            cpu(),
            turned - deployed,
            listed_whole - turned,
            tried - listed_whole,
            told.load(std::sync::atomic::Ordering::Relaxed),
            started.elapsed().as_secs_f64(),
            peak_mib(),
        );
    });
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

/// Every row is the median of several processes; the picture goes to `docs/scale.svg` when that folder is there.
fn table(runs: u32) {
    let mut points = Vec::new();
    println!("| nodes | pods | Ready after (cluster) | processor time | wall time | peak memory |");
    println!("|---|---|---|---|---|---|");
    for nodes in ["100", "200", "500", "1000", "2000", "5000"] {
        let row = median(&["ready", nodes, "30"], runs);
        let field = |name: &str| row.get(name).copied().unwrap_or_default();
        println!(
            "| {nodes} | {} | {} s | {:.2} s | {:.2} s | {} MiB |",
            field("pods"),
            field("cluster_s"),
            field("cpu_s"),
            field("wall_s"),
            field("peak_mib")
        );
        points.push((field("nodes"), field("cpu_s"), field("peak_mib")));
    }
    println!(
        "\ntime grows as nodes to the power of {:.2}, memory of {:.2}\n",
        plot::exponent(points.iter().map(|it| (it.0, it.1))),
        plot::exponent(points.iter().map(|it| (it.0, it.2)))
    );
    println!("| nodes | pods | processor time | of it the run | wall time | peak memory | request hops |");
    println!("|---|---|---|---|---|---|---|");
    for (nodes, pods) in [("100", "1000"), ("200", "2000"), ("500", "5000"), ("1000", "10000")] {
        let row = median(&["strike", nodes, pods], runs);
        let field = |name: &str| row.get(name).copied().unwrap_or_default();
        println!(
            "| {nodes} | {pods} | {:.2} s | {:.2} s | {:.2} s | {} MiB | {} |",
            field("cpu_s"),
            field("run_cpu_s"),
            field("wall_s"),
            field("peak_mib"),
            field("hops")
        );
    }
    if std::path::Path::new("docs").is_dir() {
        std::fs::write("docs/scale.svg", plot::svg(&points)).unwrap();
    }
}

/// The median of every figure that so many runs print.
fn median(arguments: &[&str], runs: u32) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..runs {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        for field in String::from_utf8_lossy(&done.stdout).split_whitespace() {
            if let Some((name, figure)) = field.split_once('=')
                && let Ok(figure) = figure.parse()
            {
                all.entry(name.to_owned()).or_default().push(figure);
            }
        }
    }
    let middle = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    all.into_iter().map(|(name, figures)| (name, middle(figures))).collect()
}
