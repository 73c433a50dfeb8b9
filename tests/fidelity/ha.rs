//! The workshop's second act: three replicas of everything.

use std::sync::LazyLock;

use steadfast::app::AppError;
use steadfast::model::fault::choose;
use steadfast::model::time::Span;
use steadfast::simulation::world::World;
use steadfast::survey::{Stage, SurveyError, seeds};
use steadfast::{Cluster, NodeFailure, SockShop};

use super::shop::{
    APART, BASE, EKS, HA, MODEL, SPACE, STORES, drive, fullest, serving, unschedulable, warm_up, without_autoscaler,
};

/// Fresh deployments on seven nodes, where they fit.
static FRESH: LazyLock<Vec<Result<World, SurveyError>>> = LazyLock::new(|| {
    let profile = without_autoscaler(7);
    seeds(0..300, |seed| {
        let mut stage = Stage::new(profile.clone(), seed);
        stage.deploy("ha", &HA, &MODEL).map(|()| stage.world().clone())
    })
});

#[tokio::test]
async fn three_nodes_without_an_autoscaler_refuse_in_words_and_in_finite_time() {
    let cluster = Cluster::embedded().without_autoscaler().start().await.unwrap();
    let before = cluster.now().unwrap();
    let error = SockShop::deploy(&cluster, "sockshop-demo-ha").await.unwrap_err();
    let took = cluster.now().unwrap() - before;
    println!("{error}");
    let AppError::NotReady { waited_s, waiting, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*waited_s, 1200);
    assert!((1200..1210).contains(&took.as_secs()), "{took:?}");
    // Three nodes hold 18 pods, 2 name servers among them; 39 are wanted.
    let pending = waiting.iter().find(|line| line.ends_with("pods Pending")).unwrap();
    let number: u32 = pending.split(' ').next().unwrap().parse().unwrap();
    assert!((23..=30).contains(&number), "{pending}");
    let text = error.to_string();
    for reason in [
        "0/3 nodes are available",
        "Too many pods",
        "didn't match pod anti-affinity rules",
        "front-end",
    ] {
        assert!(text.contains(reason), "no `{reason}` in: {text}");
    }
}

#[test]
fn a_fresh_deployment_fits_on_seven_nodes() {
    let refused: Vec<usize> = (0..FRESH.len()).filter(|&seed| FRESH[seed].is_err()).collect();
    println!(
        "of {} fresh deployments on 7 nodes {} did not fit: {refused:?}",
        FRESH.len(),
        refused.len()
    );
    assert!(refused.len() * 20 <= FRESH.len(), "{refused:?}");
    for world in FRESH.iter().flatten() {
        assert!(fullest(world) <= 11);
        assert_eq!(unschedulable(world), 0);
        assert_eq!(shop_pods(world).len(), 39);
    }
}

#[test]
fn a_fresh_deployment_does_not_fit_on_six_nodes() {
    let profile = without_autoscaler(6);
    for refused in seeds(0..8, |seed| Stage::new(profile.clone(), seed).deploy("ha", &HA, &MODEL)) {
        assert!(matches!(refused, Err(SurveyError::NotReady(_))), "{refused:?}");
    }
}

/// App and node of every pod of the shop.
fn shop_pods(world: &World) -> Vec<(&str, &str)> {
    world
        .store()
        .pods
        .by_name(Some(SPACE))
        .map(|(_, pod)| (&*pod.body.app, pod.body.node_name.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn two_of_seven_nodes_never_take_all_replicas_of_a_service_with_anti_affinity_but_of_a_store_they_can() {
    let (mut pairs, mut fatal, mut placements, mut risky) = (0, 0, 0, 0);
    for world in FRESH.iter().flatten() {
        let pods = shop_pods(world);
        let nodes: Vec<String> = world.candidates().into_iter().map(|node| node.name).collect();
        assert_eq!(nodes.len(), 7);
        let mut at_risk = false;
        for (index, one) in nodes.iter().enumerate() {
            for other in &nodes[index + 1..] {
                pairs += 1;
                let survives = |app: &str| pods.iter().any(|(it, node)| *it == app && node != one && node != other);
                for app in APART {
                    assert!(survives(app), "{app} on {one} and {other}: {pods:?}");
                }
                if !STORES.iter().all(|app| survives(app)) {
                    fatal += 1;
                    at_risk = true;
                }
            }
        }
        placements += 1;
        risky += u32::from(at_risk);
    }
    println!("{fatal} of {pairs} pairs of victims take a whole store, in {risky} of {placements} placements");
    assert!(pairs > 5_000);
    assert!(fatal > 0, "no pair of victims ever takes a whole store");
}

#[test]
fn every_service_with_anti_affinity_keeps_a_replica_at_every_moment_when_two_of_seven_nodes_are_terminated() {
    let worst = seeds(0..50, |seed| {
        let Ok(world) = &FRESH[seed as usize] else { return None };
        let mut world = world.clone();
        warm_up(&mut world);
        let fault = NodeFailure::terminate().count(2);
        let victims = choose(&fault, &world.candidates(), world.profile().terminate.rounding, seed).unwrap();
        world.inject(fault.mode, &victims);
        let until = world.now() + Span::secs(400);
        let mut least = [u32::MAX; APART.len()];
        let mut most = 0;
        drive(&mut world, until, |world| {
            let now = serving(world);
            for (least, app) in least.iter_mut().zip(APART) {
                *least = (*least).min(now.get(app).copied().unwrap_or(0));
            }
            most = most.max(fullest(world));
        });
        Some((seed, least, most))
    });
    let worst: Vec<_> = worst.into_iter().flatten().collect();
    assert!(worst.len() >= 45, "{}", worst.len());
    for (seed, least, most) in &worst {
        assert!(
            least.iter().all(|&least| least >= 1),
            "seed {seed}: {APART:?} {least:?}"
        );
        assert!(*most <= 11, "seed {seed}: {most}");
    }
    // The law can fail: victims do take two of three.
    assert!(worst.iter().any(|(_, least, _)| least.contains(&1)));
}

#[test]
fn rolled_over_the_base_the_group_tends_to_nine_nodes() {
    let sizes = seeds(0..30, |seed| {
        let mut stage = Stage::new(EKS.clone(), seed);
        stage.deploy("base", &BASE, &MODEL).unwrap();
        let done = stage.deploy("ha", &HA, &MODEL);
        assert!(fullest(stage.world()) <= 11, "seed {seed}");
        (stage.world().ready_workers(), done.is_ok())
    });
    println!("{sizes:?}");
    assert!(
        sizes.iter().all(|(nodes, done)| (7..=9).contains(nodes) && *done),
        "{sizes:?}"
    );
    let nine = sizes.iter().filter(|(nodes, _)| *nodes == 9).count();
    assert!(nine * 2 > sizes.len(), "{nine} of {}", sizes.len());
}
