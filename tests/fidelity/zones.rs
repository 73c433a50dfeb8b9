//! Zone outages: how fast a lost zone is evicted, and when nothing is.
//!
//! pkg/controller/nodelifecycle/node_lifecycle_controller.go: `ComputeZoneState`, `setLimiterInZone` (a zone wholly down evicts at
//! the normal rate), `handleDisruption` (all zones down: no evictions, and the taints that are there are taken back).

use std::sync::Arc;
use std::time::Duration;

use steadfast::NodeFailure;
use steadfast::app::manifest::Manifest;
use steadfast::model::fault::{Fault, Rounding, choose};
use steadfast::model::history::What;
use steadfast::model::profile::Profile;
use steadfast::model::time::{Span, Time};
use steadfast::simulation::objects::template::Effect;
use steadfast::simulation::world::World;
use steadfast::survey::{Stage, seeds};

use super::scene::{SPACE, deployment, pods, required};
use super::shop::{EKS, apply};

const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// Three zones of three nodes, a pod of `web` on each; no group replaces anything.
fn cluster(seed: u64) -> World {
    let mut profile = Profile::clone(&EKS);
    profile.without_autoscaler();
    profile.scaling_group = None;
    profile.nodes.count = 9;
    profile.nodes.pods = 30;
    let mut world = Stage::new(Arc::new(profile), seed).world().clone();
    let text = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {SPACE} }}\n{}",
        deployment("web", 9, &required("podAntiAffinity", "web"))
    );
    apply(&mut world, &Manifest::parse(&text, "web").unwrap());
    world.run_for(Span::secs(60));
    assert!(pods(&world, "web").iter().all(|pod| pod.body.is_ready()));
    world
}

fn strike(world: &mut World, zone: &str, back: Option<Duration>) -> Vec<String> {
    let mut failure = NodeFailure::kill().zone(zone);
    failure.return_after = back;
    let nodes = choose(&failure, &world.candidates(), Rounding::Floor, 0).unwrap();
    world.begin(&Fault::from(failure), nodes.clone());
    nodes
}

/// When the taint manager deleted a pod of `web`, in seconds after `from`.
fn evictions(world: &World, from: Time) -> Vec<f64> {
    world
        .transitions()
        .iter()
        .filter(|event| event.t >= from.0)
        .filter(|event| matches!(&event.what, What::PodDeleted { cause, app, .. } if cause == "taint-manager" && app == "web"))
        .map(|event| (event.t - from.0) as f64 / 1e6)
        .collect()
}

fn evicting_taints(world: &World) -> usize {
    let nodes = world.store().nodes.iter();
    nodes
        .filter(|(_, node)| node.body.taints.iter().any(|taint| taint.effect == Effect::NoExecute))
        .count()
}

#[test]
fn a_zone_that_is_wholly_down_is_evicted_at_the_normal_rate_one_node_in_ten_seconds() {
    let all = seeds(0..30, |seed| {
        let mut world = cluster(seed);
        let from = world.now();
        assert_eq!(strike(&mut world, ZONES[0], None).len(), 3);
        world.run_for(Span::secs(420));
        evictions(&world, from)
    });
    for (seed, times) in all.iter().enumerate() {
        assert_eq!(times.len(), 3, "seed {seed}: {times:?}");
        assert!((340.0..356.0).contains(&times[0]), "seed {seed}: {times:?}");
        // --node-eviction-rate 0.1; a node that is found lost later than that is not held up.
        for pair in times.windows(2) {
            assert!((10.0..15.1).contains(&(pair[1] - pair[0])), "seed {seed}: {times:?}");
        }
    }
}

#[test]
fn when_all_zones_are_down_nothing_is_evicted_and_what_was_begun_is_taken_back() {
    for seed in 0..10 {
        let mut world = cluster(seed);
        let from = world.now();
        strike(&mut world, ZONES[0], None);
        world.run_for(Span::secs(100));
        assert_eq!(evicting_taints(&world), 3, "seed {seed}");
        strike(&mut world, ZONES[1], None);
        strike(&mut world, ZONES[2], Some(Duration::from_secs(600)));
        world.run_for(Span::secs(60));
        assert_eq!(evicting_taints(&world), 0, "seed {seed}");
        world.run_for(Span::secs(500));
        assert_eq!(evictions(&world, from), [0.0; 0], "seed {seed}");
        // One zone is back: the others are evicted again, from the beginning of their toleration.
        world.run_for(Span::secs(160));
        assert_eq!(evicting_taints(&world), 6, "seed {seed}");
        world.run_for(Span::secs(360));
        let times = evictions(&world, from);
        assert_eq!(times.len(), 6, "seed {seed}: {times:?}");
        assert!(times[0] > 100.0 + 600.0 + 300.0, "seed {seed}: {times:?}");
    }
}
