//! Converging: when nobody disturbs it any more, the cluster becomes what it was asked to be.

use proptest::prelude::*;
use steadfast::model::fault::Mode;
use steadfast::model::time::Span;
use steadfast::simulation::fabric::PodId;
use steadfast::simulation::objects::pod::Pod;
use steadfast::simulation::objects::table::Row;
use steadfast::simulation::objects::workload::Strategy as Rollout;
use steadfast::simulation::world::World;

use super::bench::{Apart, Command, SPACE, Wanted, apply, cases, new, set_cordon};

/// Small Deployments, few faults: nine nodes of the workshop's group hold them, also when two machines hang for ever.
fn modest() -> impl Strategy<Value = Vec<Command>> {
    let apart = prop_oneof![Just(Apart::Nobody), Just(Apart::OwnByNode)];
    let wanted = (
        0..5_u32,
        prop_oneof![Just(0), Just(50), Just(200)],
        apart,
        any::<bool>(),
        0..3_u8,
    )
        .prop_map(|(replicas, cpu_milli, apart, recreate, release)| Wanted {
            replicas,
            cpu_milli,
            memory_mib: 64,
            apart,
            critical: false,
            recreate,
            release,
        });
    let mode = prop_oneof![Just(Mode::Terminate), Just(Mode::Kill), Just(Mode::Delete)];
    let fault = (mode, 0..8_usize).prop_map(|(mode, node)| Command::Fail(mode, node));
    let other = prop_oneof![
        4 => (0..4_usize, wanted).prop_map(|(name, wanted)| Command::Put(name, wanted)),
        2 => (0..4_usize, 0..5_u32).prop_map(|(name, replicas)| Command::Scale(name, replicas)),
        1 => (0..4_usize).prop_map(Command::Delete),
        2 => (0..64_usize, prop::option::of(0..40_u64)).prop_map(|(pod, grace)| Command::DeletePod(pod, grace)),
        1 => (0..8_usize, any::<bool>()).prop_map(|(node, cordon)| Command::Cordon(node, cordon)),
        6 => (0..200_000_000_u64).prop_map(Command::Run),
    ];
    let commands = prop::collection::vec(other, 1..30);
    (
        commands,
        prop::collection::vec((fault, any::<prop::sample::Index>()), 0..3),
    )
        .prop_map(|(mut commands, faults)| {
            for (fault, place) in faults {
                let place = place.index(commands.len() + 1);
                commands.insert(place, fault);
            }
            commands
        })
}

/// What is not as it was asked to be.
fn differing(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for (_, it) in world.store().deployments.by_name(Some(SPACE)) {
        let (wanted, status) = (it.body.replicas, it.body.status);
        let ready = world
            .store()
            .pods
            .iter()
            .filter(|(row, pod)| {
                pod.meta.namespace == it.meta.namespace
                    && pod.body.app == it.meta.name
                    && pod.meta.deletion.is_none()
                    && pod.body.is_ready()
                    && world.listens(PodId(*row))
            })
            .count();
        let complete = status.observed == it.meta.generation
            && [status.replicas, status.updated, status.ready, status.available] == [wanted; 4];
        if !complete || ready != wanted as usize {
            lines.push(format!(
                "{}: wanted {wanted}, serving {ready}, {status:?}",
                it.meta.name
            ));
        }
    }
    for (_, pod) in world.store().pods.by_name(Some(SPACE)) {
        // On a machine that hangs for ever nobody ends it, and its object stays for as long as the node's.
        let powered = pod.body.node.is_none_or(|node| world.fabric().powered(node));
        if pod.meta.deletion.is_some() && powered {
            lines.push(format!("{} is still being deleted", pod.meta.name));
        }
        if let Some(node) = &pod.body.node_name
            && !world.store().nodes.contains("", node)
        {
            lines.push(format!("{} is on {node}, which is no more", pod.meta.name));
        }
        if let Some(why) = &pod.body.unschedulable
            && pod.body.node.is_none()
        {
            lines.push(format!("{}: {why}", pod.meta.name));
        }
    }
    lines
}

fn waits_for_ever(world: &World, deployment: &str) -> bool {
    let store = world.store();
    let row = store
        .deployments
        .find(SPACE, deployment)
        .and_then(|row| store.deployments.get(row));
    let stuck = |pod: &Row<Pod>| &*pod.body.app == deployment && pod.meta.deletion.is_some();
    row.is_some_and(|it| it.body.strategy == Rollout::Recreate) && store.pods.iter().any(|(_, pod)| stuck(pod))
}

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn when_faults_stop_every_deployment_becomes_complete(
        nodes in 3..=6_u32,
        seed in any::<u64>(),
        commands in modest(),
    ) {
        let mut world = new("eks-workshop", nodes, seed);
        // The database comes first: the api waits for it before it listens.
        world.run_for(Span::secs(60));
        for command in &commands {
            apply(&mut world, command);
        }
        for node in world.candidates() {
            set_cordon(&mut world, &node.name, false);
        }
        let mut left = Vec::new();
        for _ in 0..60 {
            world.run_for(Span::secs(60));
            left = differing(&world);
            // An api without a database listens never; Kubernetes does not know that (it has no probe).
            let db = world.store().deployments.find(SPACE, "db").and_then(|row| world.store().deployments.get(row));
            if db.is_none_or(|db| db.body.replicas == 0) || waits_for_ever(&world, "db") {
                left.retain(|line| !line.starts_with("api: "));
            }
            // A Deployment of strategy Recreate waits for its last old pod, for ever where that is stuck on a dead node
            // (pkg/controller/deployment/recreate.go `oldPodsRunning`).
            left.retain(|line| !line.split_once(':').is_some_and(|(name, _)| waits_for_ever(&world, name)));
            if left.is_empty() {
                break;
            }
        }
        prop_assert!(left.is_empty(), "after an hour: {left:#?}");
    }
}
