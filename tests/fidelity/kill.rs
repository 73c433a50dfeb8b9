//! `docker kill` of a worker: a power cut.

use std::sync::LazyLock;

use steadfast::model::fault::Mode;
use steadfast::model::history::{FailureKind, What};
use steadfast::model::time::Span;
use steadfast::simulation::api::Project as _;
use steadfast::simulation::objects::node::Readiness;
use steadfast::simulation::objects::pod::{Phase, UNREACHABLE};
use steadfast::simulation::objects::template::Effect;
use steadfast::survey::seeds;

use super::scene::{KIND, Load, Scene, pods};
use super::table::{FAULT, Row, Times, check, shares, watch};

const SEEDS: u64 = 100;

fn tainted(scene: &Scene, effect: Effect) -> bool {
    scene.node().is_some_and(|node| {
        node.body
            .taints
            .iter()
            .any(|taint| taint.key == UNREACHABLE && taint.effect == effect)
    })
}

const TABLE: &[Row] = &[
    // The lease was last renewed 0 to 10 s before; grace 50 s; the monitor looks every 5 s: 50 - 10 to 50 + 5.
    Row {
        event: "Unknown",
        shows: |scene| scene.node().unwrap().body.ready == Readiness::Unknown,
        cause: FAULT,
        window: (40.0, 55.0),
        measured: &[45.96, 50.91, 41.96, 42.97],
        since: FAULT,
    },
    // doNoExecuteTaintingPass runs every 100 ms (nodeEvictionPeriod); the first node of a zone needs no token.
    Row {
        event: "NoExecute",
        shows: |scene| tainted(scene, Effect::NoExecute),
        cause: "Unknown",
        window: (0.0, 0.1),
        measured: &[0.01, 0.1],
        since: "Unknown",
    },
    // Both taints are written at once; the second write conflicts and is tried again after 100 to 200 ms
    // (pkg/controller/controller_utils.go UpdateTaintBackoff: 100 ms, jitter 1).
    Row {
        event: "NoSchedule",
        shows: |scene| tainted(scene, Effect::NoSchedule),
        cause: "NoExecute",
        window: (0.0, 0.3),
        measured: &[0.2],
        since: "NoExecute",
    },
    // MarkPodsNotReady, in the same pass as the node's condition.
    Row {
        event: "pod not ready",
        shows: |scene| {
            let pod = &scene.pod(&scene.single).unwrap().body;
            !pod.is_ready() && pod.phase == Phase::Running
        },
        cause: "Unknown",
        window: (0.0, 0.1),
        measured: &[0.04],
        since: "Unknown",
    },
    // The slice controller's notice, 10 to 60 ms.
    Row {
        event: "endpoint not ready",
        shows: |scene| {
            scene
                .endpoint("single", &scene.single)
                .is_some_and(|it| !it.ready && !it.serving && !it.terminating)
        },
        cause: "pod not ready",
        window: (0.01, 0.06),
        measured: &[0.05, 0.1],
        since: "Unknown",
    },
    // Default tolerationSeconds 300.
    Row {
        event: "deleted",
        shows: |scene| {
            let pod = scene.pod(&scene.single).unwrap();
            pod.meta.deletion.is_some()
                && pod
                    .body
                    .disruption
                    .is_some_and(|(why, _)| why == "DeletionByTaintManager")
        },
        cause: "NoExecute",
        window: (300.0, 301.0),
        measured: &[346.0],
        since: FAULT,
    },
    // Now the endpoint says so, too, and stays listed.
    Row {
        event: "endpoint terminating",
        shows: |scene| {
            scene
                .endpoint("single", &scene.single)
                .is_some_and(|it| !it.ready && !it.serving && it.terminating)
        },
        cause: "deleted",
        window: (0.01, 0.06),
        measured: &[],
        since: FAULT,
    },
    // ReplicaSet controller 5 to 40 ms, scheduler 1 to 10 ms a pod (up to five are evicted with it).
    Row {
        event: "replacement scheduled",
        shows: |scene| scene.replacement().is_some_and(|pod| pod.body.scheduled.is_some()),
        cause: "deleted",
        window: (0.006, 0.1),
        measured: &[346.07],
        since: FAULT,
    },
    // Kubelet's notice 5 to 60 ms, start 0.6 to 1.2 s, report 10 to 100 ms.
    Row {
        event: "replacement running",
        shows: |scene| scene.replacement().is_some_and(|pod| pod.body.phase == Phase::Running),
        cause: "replacement scheduled",
        window: (0.615, 1.36),
        measured: &[346.86],
        since: FAULT,
    },
    // No probe here; the measured pod had one, hence the slack of the comparison.
    Row {
        event: "replacement listed",
        shows: |scene| {
            let name = scene.replacement().map(|pod| &pod.meta.name);
            name.is_some_and(|name| scene.endpoint("single", name).is_some_and(|it| it.ready))
        },
        cause: "replacement running",
        window: (0.01, 0.06),
        measured: &[347.76],
        since: FAULT,
    },
];

/// Every seed's times, with what its load saw.
struct Run {
    times: Times,
    load: Load,
}

static RUNS: LazyLock<Vec<Run>> = LazyLock::new(|| {
    seeds(0..SEEDS, |seed| {
        let mut scene = Scene::new(&KIND, seed, |world, victim| {
            world.inject(Mode::Kill, &[victim.to_owned()]);
        });
        let times = watch(&mut scene, TABLE, 400.0);
        scene.world.run_for(Span::secs(15));
        // The old objects stay until the node is back.
        for name in [&scene.single, &scene.triple] {
            let pod = scene.pod(name).unwrap();
            assert!(
                pod.meta.deletion.is_some() && pod.body.phase == Phase::Running,
                "seed {seed}: {name}"
            );
            let object = pod.project();
            assert!(object["metadata"]["deletionTimestamp"].is_string(), "{object}");
            assert_eq!(object["status"]["phase"], "Running", "{object}");
        }
        assert!(
            scene
                .first(|what| matches!(what, What::PodGone { .. } | What::NodeDeleted { .. }))
                .is_none()
        );
        assert_eq!(pods(&scene.world, "triple").len(), 4);
        let node = scene.node().unwrap().project();
        let ready = node["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["type"] == "Ready")
            .unwrap();
        assert_eq!(
            (ready["status"].as_str(), ready["reason"].as_str()),
            (Some("Unknown"), Some("NodeStatusUnknown"))
        );
        Run {
            times,
            load: scene.finish(),
        }
    })
});

#[test]
fn a_killed_nodes_events_come_in_order_and_in_time() {
    let all: Vec<Times> = RUNS.iter().map(|run| run.times.clone()).collect();
    check(TABLE, &all);
}

#[test]
fn the_single_replica_of_a_killed_node_is_down_until_its_replacement_is_listed() {
    // SYNs are sent again after 1 and 3 s, so the last slots before that may find the replacement.
    shares("single while dead", &RUNS, 0.997..=1.0, |run| {
        run.load.failed("single", 0.0..run.times["replacement listed"] - 3.0)
    });
    shares("single until listed", &RUNS, 0.99..=1.0, |run| {
        run.load.failed("single", 0.0..run.times["replacement listed"])
    });
    shares("single afterwards", &RUNS, 0.0..=0.01, |run| {
        let listed = run.times["replacement listed"] + 1.0;
        run.load.failed("single", listed..listed + 10.0)
    });
}

#[test]
fn a_third_of_the_requests_fail_while_a_dead_endpoint_of_three_is_listed() {
    let mean = shares("triple while listed", &RUNS, 0.25..=0.42, |run| {
        run.load.failed("triple", 0.0..run.times["endpoint not ready"])
    });
    assert!((0.32..0.37).contains(&mean), "{mean}");
}

#[test]
fn after_a_dead_endpoint_of_three_is_gone_only_a_tail_fails() {
    // The proxies follow within 1 s; a SYN_SENT entry lives 120 s, so the tail ends 120 s after the last SYN to the dead pod,
    // which is a retry of a stale port at most.
    shares("triple tail", &RUNS, 0.0..=0.04, |run| {
        let gone = run.times["endpoint not ready"] + 1.0;
        run.load.failed("triple", gone..gone + 70.0)
    });
    shares("triple after the tail", &RUNS, 0.0..=0.002, |run| {
        let gone = run.times["endpoint not ready"] + 1.0;
        run.load.failed("triple", gone + 130.0..run.times["replacement listed"])
    });
}

#[test]
fn a_dead_listed_endpoint_times_connects_out() {
    for (seed, run) in RUNS.iter().enumerate() {
        let (load, until) = (&run.load, run.times["endpoint not ready"] - 5.0);
        for journey in ["single", "triple"] {
            // The first second may mix; the power cut itself breaks requests in flight.
            let all = load.failures(journey, 1.0..until);
            assert!(all > 0, "seed {seed}: {journey}");
            assert_eq!(
                load.count(journey, 1.0..until, FailureKind::ConnectTimeout),
                all,
                "seed {seed}: {journey}"
            );
        }
    }
}

#[test]
fn without_endpoints_about_one_connect_a_second_is_refused_and_the_rest_time_out() {
    for (seed, run) in RUNS.iter().enumerate() {
        let from = run.times["endpoint not ready"] + 130.0;
        let until = run.times["deleted"];
        let length = until.floor() - from.ceil();
        let refused = f64::from(run.load.count("single", from..until, FailureKind::Refused)) / length;
        assert!(
            (0.8..=1.2).contains(&refused),
            "seed {seed}: {refused} refused a second"
        );
        let silent = run.load.count("single", from..until, FailureKind::ConnectTimeout);
        let stale = run.load.count("single", from..until, FailureKind::Unreachable);
        let all = run.load.failures("single", from..until);
        assert_eq!(
            all,
            silent + stale + run.load.count("single", from..until, FailureKind::Refused),
            "seed {seed}"
        );
        assert!(
            f64::from(silent) > 0.9 * f64::from(all),
            "seed {seed}: {silent} of {all}"
        );
    }
}
