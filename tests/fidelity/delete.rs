//! A node object is deleted: while its machine runs on, and when it is dead.

use std::sync::LazyLock;

use steadfast::model::fault::Mode;
use steadfast::model::history::{FailureKind, What};
use steadfast::model::time::Span;
use steadfast::simulation::api::ApiStore as _;
use steadfast::simulation::objects::node::Readiness;
use steadfast::simulation::objects::pod::Phase;
use steadfast::simulation::objects::resources::PODS;
use steadfast::simulation::world::World;
use steadfast::survey::seeds;

use super::scene::{KIND, Load, Scene};
use super::table::{FAULT, Row, Times, check, shares, watch};

const SEEDS: u64 = 100;

/// From the deletion of the node object on everything is the same, whether or not the machine lives.
macro_rules! after_deletion {
    ($deleted:expr, $collected:expr, $ready:expr) => {
        [
            $deleted,
            // Pod GC looks every 20 s, misses the node for the first time 0 to 20 s after its deletion, and waits for 40 s.
            Row {
                event: "collected",
                shows: |scene| scene.pod(&scene.single).is_none(),
                cause: "node object gone",
                window: (40.0, 60.0),
                measured: $collected,
                since: FAULT,
            },
            // The slice controller's notice.
            Row {
                event: "endpoint gone",
                shows: |scene| scene.endpoint("single", &scene.single).is_none(),
                cause: "collected",
                window: (0.01, 0.06),
                measured: &[0.1],
                since: "collected",
            },
            Row {
                event: "replacement scheduled",
                shows: |scene| scene.replacement().is_some_and(|pod| pod.body.scheduled.is_some()),
                cause: "collected",
                window: (0.006, 0.1),
                measured: &[],
                since: FAULT,
            },
            // Notice 5 to 60 ms, start 0.6 to 1.2 s, report 10 to 100 ms.
            Row {
                event: "replacement ready",
                shows: |scene| scene.replacement().is_some_and(|pod| pod.body.is_ready()),
                cause: "replacement scheduled",
                window: (0.615, 1.36),
                measured: $ready,
                since: FAULT,
            },
            Row {
                event: "replacement listed",
                shows: |scene| {
                    let name = scene.replacement().map(|pod| &pod.meta.name);
                    name.is_some_and(|name| scene.endpoint("single", name).is_some_and(|it| it.ready))
                },
                cause: "replacement ready",
                window: (0.01, 0.06),
                measured: $ready,
                since: FAULT,
            },
        ]
    };
}

/// The fault deletes it.
const AT_ONCE: Row = Row {
    event: "node object gone",
    shows: |scene| scene.node().is_none(),
    cause: FAULT,
    window: (0.0, 0.0),
    measured: &[0.06, 0.07],
    since: FAULT,
};

static ALIVE: [Row; 6] = after_deletion!(AT_ONCE, &[54.3], &[55.9]);
static DEAD: [Row; 6] = after_deletion!(AT_ONCE, &[51.1], &[51.9]);
/// The cloud's loop looks every 5 s at nodes that are not Ready.
static TERMINATED: [Row; 6] = after_deletion!(
    Row {
        event: "node object gone",
        shows: |scene| scene.node().is_none(),
        cause: FAULT,
        window: (40.0, 60.0),
        measured: &[],
        since: FAULT,
    },
    &[],
    &[]
);

struct Run {
    scene: Scene,
    times: Times,
    load: Load,
}

fn runs(table: &'static [Row; 6], fail: fn(&mut World, &str)) -> Vec<Run> {
    seeds(0..SEEDS, |seed| {
        let mut scene = Scene::new(&KIND, seed, fail);
        let times = watch(&mut scene, table, 200.0);
        scene.world.run_for(Span::secs(140));
        let load = scene.clone().finish();
        Run { scene, times, load }
    })
}

static ALIVE_RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    runs(&ALIVE, |world, victim| {
        world.inject(Mode::Delete, &[victim.to_owned()]);
    })
});

static DEAD_RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    runs(&DEAD, |world, victim| {
        world.inject(Mode::Remove, &[victim.to_owned()]);
    })
});

fn times(runs: &[Run]) -> Vec<Times> {
    runs.iter().map(|run| run.times.clone()).collect()
}

#[test]
fn pods_of_a_deleted_node_that_lives_are_collected_and_replaced_in_time() {
    check(&ALIVE, &times(&ALIVE_RUNS));
}

#[test]
fn a_deleted_node_that_lives_serves_until_its_pods_are_collected() {
    for journey in ["single", "triple"] {
        shares(journey, &ALIVE_RUNS, 0.0..=0.004, |run| {
            run.load.failed(journey, 0.0..run.times["collected"])
        });
    }
    for (seed, run) in ALIVE_RUNS.iter().enumerate() {
        // The replacement is made after the old process was killed: an outage of a start and a proxy's lag at most, less the
        // connects that succeed when their SYN is sent again after 1 s.
        let from = run.times["collected"] - 1.0;
        let failures = run.load.failures("single", from..from + 20.0);
        assert!((3..=60).contains(&failures), "seed {seed}: {failures} of 20 a second");
        assert_eq!(run.load.failures("single", from + 10.0..from + 60.0), 0, "seed {seed}");
        assert!(run.load.failures("triple", from..from + 20.0) <= 20, "seed {seed}");
    }
}

#[test]
fn a_deleted_node_that_lives_stays_deleted_without_a_lease() {
    for (seed, run) in ALIVE_RUNS.iter().enumerate() {
        assert!(run.scene.elapsed() > 120.0);
        assert!(run.scene.node().is_none(), "seed {seed}");
        let leases = &run.scene.world.store().leases;
        assert!(
            leases.find("kube-node-lease", &run.scene.victim).is_none(),
            "seed {seed}"
        );
    }
}

#[test]
fn a_collected_pod_was_marked_failed_before_it_went() {
    for (seed, run) in ALIVE_RUNS.iter().take(10).enumerate() {
        let changes = run.scene.world.changes(PODS, 0).unwrap();
        let states: Vec<(bool, serde_json::Value)> = changes
            .iter()
            .filter(|change| *change.object.name == *run.scene.single)
            .map(|change| (change.deleted, change.object.body.project()))
            .collect();
        let (deleted, last) = states.last().unwrap();
        assert!(*deleted, "seed {seed}");
        assert_eq!(last["status"]["phase"], "Failed", "seed {seed}: {last}");
        let target = last["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["type"] == "DisruptionTarget")
            .unwrap();
        assert_eq!(
            (target["status"].as_str(), target["reason"].as_str()),
            (Some("True"), Some("DeletionByPodGC"))
        );
        let before = &states[states.len() - 4..states.len() - 1];
        assert!(
            before.iter().any(|(_, it)| it["status"]["phase"] == "Running"),
            "seed {seed}"
        );
    }
}

#[test]
fn pods_of_a_deleted_dead_node_are_collected_and_replaced_in_time() {
    check(&DEAD, &times(&DEAD_RUNS));
    for (seed, run) in DEAD_RUNS.iter().enumerate() {
        // There is no node object that could become Unknown or be tainted.
        let scene = &run.scene;
        assert!(
            scene
                .first(|what| matches!(what, What::NodeNotReady { .. } | What::PodNotReady { .. }))
                .is_none(),
            "seed {seed}"
        );
        assert_eq!(
            scene.first(|what| matches!(what, What::PodDeleted { cause, .. } if cause == "pod-gc")),
            Some(run.times["collected"]),
            "seed {seed}"
        );
    }
}

#[test]
fn a_deleted_dead_nodes_endpoints_fail_until_pod_collection() {
    // All of it is before the endpoint is gone: no SYN is sent again to another pod.
    shares("single", &DEAD_RUNS, 0.997..=1.0, |run| {
        run.load.failed("single", 0.0..run.times["collected"])
    });
    let mean = shares("triple", &DEAD_RUNS, 0.25..=0.42, |run| {
        run.load.failed("triple", 0.0..run.times["collected"])
    });
    assert!((0.32..0.37).contains(&mean), "{mean}");
    shares("triple tail", &DEAD_RUNS, 0.0..=0.08, |run| {
        let gone = run.times["endpoint gone"] + 1.0;
        run.load.failed("triple", gone..gone + 25.0)
    });
    for (seed, run) in DEAD_RUNS.iter().enumerate() {
        let until = run.times["collected"] - 5.0;
        for journey in ["single", "triple"] {
            let all = run.load.failures(journey, 1.0..until);
            assert!(all > 0, "seed {seed}: {journey}");
            let silent = run.load.count(journey, 1.0..until, FailureKind::ConnectTimeout);
            assert_eq!(silent, all, "seed {seed}: {journey}");
        }
    }
}

#[test]
fn deleting_a_dead_nodes_object_ends_an_outage_within_65_s_instead_of_after_340_s() {
    let terminated = runs(&TERMINATED, |world, victim| {
        world.inject(Mode::Terminate, &[victim.to_owned()]);
    });
    for run in DEAD_RUNS.iter() {
        assert!(run.times["replacement listed"] < 62.0);
    }
    check(&TERMINATED, &times(&terminated));
    for (seed, run) in terminated.iter().enumerate() {
        let scene = &run.scene;
        let unknown = scene.first(|what| matches!(what, What::NodeNotReady { .. })).unwrap();
        assert!((40.0..=55.0).contains(&unknown), "seed {seed}: {unknown}");
        let gone = scene
            .first(|what| matches!(what, What::NodeDeleted { by, .. } if by == "cloud-controller"))
            .unwrap();
        assert!((0.0..=5.0).contains(&(gone - unknown)), "seed {seed}: {unknown} {gone}");
        // Collected before any toleration could run out.
        assert!(
            scene
                .first(|what| matches!(what, What::PodDeleted { cause, .. } if cause == "taint-manager"))
                .is_none(),
            "seed {seed}"
        );
        let pod = scene.replacement().unwrap();
        assert_eq!((pod.body.phase, pod.body.is_ready()), (Phase::Running, true));
        let on = scene
            .world
            .store()
            .nodes
            .find("", pod.body.node_name.as_deref().unwrap())
            .unwrap();
        assert_eq!(scene.world.store().nodes.get(on).unwrap().body.ready, Readiness::True);
    }
}
