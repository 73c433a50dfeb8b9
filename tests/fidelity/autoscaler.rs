//! The Cluster Autoscaler: a pod that can die, with a log and a status.

use steadfast::model::fault::Mode;
use steadfast::model::history::What;
use steadfast::model::time::Span;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::objects::resources::CONFIG_MAPS;
use steadfast::simulation::world::World;
use steadfast::survey::{Stage, seeds};

use super::shop::{BASE, EKS, HA, MODEL, apply, drive, fullest, unschedulable};

const NAME: &str = "cluster-autoscaler";

/// Its newest pod: name and node.
fn pod(world: &World) -> (String, String) {
    let (_, pod) = world
        .store()
        .pods
        .by_name(Some("kube-system"))
        .filter(|(_, pod)| &*pod.body.app == NAME)
        .max_by_key(|(row, _)| *row)
        .unwrap();
    let node = pod.body.node_name.as_deref().unwrap_or_default();
    (pod.meta.name.to_string(), node.to_owned())
}

fn status(world: &World) -> String {
    let map = world
        .get(CONFIG_MAPS, Some("kube-system"), "cluster-autoscaler-status")
        .unwrap();
    map.body.project()["data"]["status"].as_str().unwrap().to_owned()
}

#[test]
fn its_log_and_its_status_tell_of_a_scale_up() {
    let mut stage = Stage::new(EKS.clone(), 1);
    stage.deploy("base", &BASE, &MODEL).unwrap();
    let mut world = stage.world().clone();
    world.run_for(Span::secs(60));
    assert!(status(&world).contains("cloudProviderTarget=3"), "{}", status(&world));
    assert!(status(&world).contains("NoActivity"), "{}", status(&world));
    let (name, _) = pod(&world);
    let log = world.pod_log("kube-system", &name).unwrap();
    assert!(!log.iter().any(|line| line.contains("Scale-up")), "{log:?}");
    apply(&mut world, &HA);
    world.run_for(Span::secs(600));
    let log = world.pod_log("kube-system", &name).unwrap();
    assert!(
        log.iter()
            .any(|line| line.contains("Scale-up") && line.contains("setting group size 3 ->")),
        "{log:?}"
    );
    assert!(!log.iter().any(|line| line.to_lowercase().contains("error")), "{log:?}");
    let workers = world.ready_workers();
    assert!(
        status(&world).contains(&format!("cloudProviderTarget={workers}")),
        "{}",
        status(&world)
    );
    assert!(
        status(&world).contains(&format!("ready={workers} unready=0")),
        "{}",
        status(&world)
    );
}

#[test]
fn while_its_pod_is_dead_nothing_scales_up() {
    let all = seeds(0..20, |seed| {
        let mut stage = Stage::new(EKS.clone(), seed);
        stage.deploy("base", &BASE, &MODEL).unwrap();
        let mut world = stage.world().clone();
        world.run_for(Span::secs(60));
        let (old, node) = pod(&world);
        let from = world.now();
        world.inject(Mode::Kill, &[node]);
        apply(&mut world, &HA);
        let (mut waiting_at, mut most) = (None, 0);
        drive(&mut world, from + Span::secs(900), |world| {
            if unschedulable(world) > 0 {
                waiting_at.get_or_insert(world.now());
            }
            most = most.max(fullest(world));
        });
        let after = |test: &dyn Fn(&What) -> bool| {
            world
                .transitions()
                .iter()
                .find(|event| event.t > from.0 && test(&event.what))
                .map(|event| (event.t - from.0) / 1_000_000)
        };
        let started = after(&|what| matches!(what, What::MachineStarted { by, .. } if by == NAME));
        let serving = after(&|what| matches!(what, What::PodServing { app, pod } if app == NAME && *pod != old));
        (
            seed,
            waiting_at.unwrap().since(from).0 / 1_000_000,
            serving,
            started,
            most,
        )
    });
    for (seed, waiting, serving, started, most) in all {
        // Pods wait at once; the autoscaler's is evicted 300 s after its node is found lost.
        let (serving, started) = (serving.unwrap(), started.unwrap());
        println!("seed {seed}: waiting from {waiting} s, autoscaler back {serving} s, first instance {started} s");
        assert!(waiting < 10, "seed {seed}: {waiting}");
        assert!((340..=400).contains(&serving), "seed {seed}: {serving}");
        // Leader election 5 to 20 s, scan every 10 s, request 1 to 20 s.
        assert!(
            (serving + 5..=serving + 60).contains(&started),
            "seed {seed}: {serving} {started}"
        );
        assert!(most <= 11, "seed {seed}: {most}");
    }
}
