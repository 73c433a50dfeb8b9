use super::*;
use crate::analysis::{JourneyAnalysis, analyse};
use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy, second};
use crate::model::history::{History, What};

fn endpoints(service: &str, ready: &[&str]) -> What {
    What::Endpoints {
        service: service.into(),
        ready: ready.iter().map(|pod| (*pod).to_owned()).collect(),
    }
}

/// The life of one app's victim after the injection: deleted, replaced, scheduled, started, Ready, serving, by second.
fn replace(history: &mut History, app: &str, times: [u64; 6]) {
    let (old, new, app) = (format!("{app}-1"), format!("{app}-2"), app.to_owned());
    let [deleted, created, scheduled, started, ready, serving] = times.map(|after| at(INJECTED + after));
    history.add(
        deleted,
        What::PodDeleted {
            pod: old,
            app: app.clone(),
            cause: "pod-gc".into(),
        },
    );
    history.add(
        created,
        What::PodCreated {
            pod: new.clone(),
            app: app.clone(),
        },
    );
    history.add(
        scheduled,
        What::PodScheduled {
            pod: new.clone(),
            app: app.clone(),
            node: "b".into(),
        },
    );
    history.add(
        started,
        What::PodStarted {
            pod: new.clone(),
            app: app.clone(),
        },
    );
    history.add(
        ready,
        What::PodReady {
            pod: new.clone(),
            app: app.clone(),
        },
    );
    history.add(serving, What::PodServing { pod: new, app });
}

/// Everything bad from second 1 on; node NotReady at 10, and both victims on their way: front-end Ready and serving at
/// 20, carts Ready at 30 and serving at 50.
fn base() -> History {
    let mut history = healthy();
    for after in 1..OBSERVED {
        history.set(after, 0);
    }
    history.at(1).failures[0].first = at(INJECTED + 4);
    for app in ["carts", "front-end"] {
        history.add(at(50), endpoints(app, &[&format!("{app}-1")]));
        history.add(at(INJECTED + 12), endpoints(app, &[]));
    }
    for after in 2..OBSERVED {
        history.at(after).failures[0].first += 10_000_000;
    }
    replace(&mut history, "front-end", [15, 15, 16, 18, 20, 20]);
    replace(&mut history, "carts", [15, 15, 25, 28, 30, 50]);
    history
}

fn journey(history: &History) -> JourneyAnalysis {
    analyse(history).journeys.swap_remove(0)
}

fn phases(history: &History) -> Vec<(Phase, u64)> {
    journey(history)
        .phases
        .iter()
        .map(|time| (time.phase, time.seconds))
        .collect()
}

#[test]
fn a_bad_second_belongs_to_the_earliest_unfinished_phase_of_the_first_victim_on_the_path() {
    use Phase::*;
    // front-end is done at 20; from there on carts is the first that has one.
    let expected = [
        (Unnoticed, 3), // 1 to 3
        (Detecting, 6), // 4 to 9
        (Withdrawing, 2),
        (Evicting, 3),
        (Scheduling, 1 + 5), // 15; then carts, 20 to 24
        (Starting, 2 + 3),
        (Readying, 2 + 2),
        (Warming, 20),
        (Several, 10),
    ];
    assert_eq!(phases(&base()), expected);
}

#[test]
fn a_phase_that_ends_within_a_second_has_that_second_and_one_that_ends_at_its_start_has_not() {
    let mut history = base();
    let not_ready = |history: &mut History, t| {
        history.forget(|what| matches!(what, What::NodeNotReady { .. }));
        history.add(
            t,
            What::NodeNotReady {
                node: "a".into(),
                status: "Unknown".into(),
            },
        );
    };
    not_ready(&mut history, at(110) + 1);
    assert_eq!(phases(&history)[1..3], [(Phase::Detecting, 7), (Phase::Withdrawing, 1)]);
    not_ready(&mut history, at(110));
    assert_eq!(phases(&history)[1..3], [(Phase::Detecting, 6), (Phase::Withdrawing, 2)]);
}

#[test]
fn the_path_decides_which_victim_is_first() {
    let mut history = base();
    history.header.journeys[0].path.reverse();
    assert!(
        phases(&history).contains(&(Phase::Scheduling, 10)),
        "carts, 15 to 24: {:?}",
        phases(&history)
    );
}

#[test]
fn without_a_victim_on_the_path_no_phase_is_to_blame() {
    let mut history = base();
    history.header.journeys[0].path = vec!["catalogue".into()];
    assert_eq!(phases(&history), [(Phase::Several, OBSERVED - 1)]);
    assert_eq!(journey(&history).milestones, []);
}

#[test]
fn a_milestone_never_reached_keeps_its_phase_to_the_end() {
    let mut history = base();
    history.forget(|what| matches!(what, What::PodScheduled { pod, .. } | What::PodStarted { pod, .. } | What::PodReady { pod, .. } | What::PodServing { pod, .. } if pod == "carts-2"));
    assert!(
        phases(&history).contains(&(Phase::Scheduling, 1 + 40)),
        "{:?}",
        phases(&history)
    );
}

#[test]
fn a_milestone_missing_before_a_later_one_has_no_phase() {
    let mut history = base();
    history.forget(|what| {
        matches!(
            what,
            What::NodeNotReady { .. } | What::NodeDeleted { .. } | What::PodStarted { .. }
        )
    });
    let phases = phases(&history);
    assert!(
        phases.contains(&(Phase::Withdrawing, 8)) && phases.contains(&(Phase::Readying, 9)),
        "{phases:?}"
    );
    assert!(
        !phases
            .iter()
            .any(|(phase, _)| matches!(phase, Phase::Detecting | Phase::Starting)),
        "{phases:?}"
    );
}

#[test]
fn a_deleted_node_will_not_be_not_ready_and_a_pod_that_no_service_listed_is_withdrawn_from_none() {
    let mut history = base();
    history.forget(|what| {
        matches!(
            what,
            What::PodDeleted { .. } | What::PodCreated { .. } | What::NodeNotReady { .. } | What::Endpoints { .. }
        )
    });
    assert_eq!(phases(&history), [(Phase::Unnoticed, 3), (Phase::Evicting, 56)]);
    history.forget(|what| matches!(what, What::NodeDeleted { .. }));
    assert_eq!(phases(&history), [(Phase::Unnoticed, 3), (Phase::Detecting, 56)]);
}

#[test]
fn a_pod_is_withdrawn_when_the_last_service_drops_it() {
    let mut history = base();
    history
        .add(at(50), endpoints("front-end-admin", &["front-end-1", "x"]))
        .add(at(113), endpoints("front-end-admin", &["x"]));
    let gone = journey(&history).milestones[2];
    assert_eq!(
        (gone.milestone, gone.first, gone.last),
        (Milestone::EndpointsGone, at(12), at(13))
    );
    // Services that dropped it before the fault do not count.
    history.add(at(60), endpoints("front-end-admin", &["x"]));
    assert_eq!(journey(&history).milestones[2].last, at(12));
    // One that never drops it keeps the phase.
    history.add(at(50), endpoints("old", &["front-end-1"]));
    assert_eq!(journey(&history).milestones[2].reached, 1);
}

#[test]
fn victims_are_replaced_in_the_order_of_their_deletion() {
    let mut history = base();
    let (pod, app) = (|n: &str| n.to_owned(), || "carts".to_owned());
    for event in &mut history.events {
        if let What::Injected { pods, .. } = &mut event.what {
            pods.push(crate::model::history::sample::victim("carts-0", "carts"));
        }
    }
    // carts-0 is deleted later than carts-1: the replacement created later is its own.
    // A pod that a scale-up made before either deletion replaces neither.
    history.add(
        at(105),
        What::PodCreated {
            pod: pod("carts-9"),
            app: app(),
        },
    );
    history.add(
        at(106),
        What::PodReady {
            pod: pod("carts-9"),
            app: app(),
        },
    );
    history.add(
        at(117),
        What::PodDeleted {
            pod: pod("carts-0"),
            app: app(),
            cause: "pod-gc".into(),
        },
    );
    history.add(
        at(117),
        What::PodCreated {
            pod: pod("carts-3"),
            app: app(),
        },
    );
    history.add(
        at(140),
        What::PodReady {
            pod: pod("carts-3"),
            app: app(),
        },
    );
    let analysis = analyse(&history);
    let timelines = crate::analysis::victims::timelines(&history, analysis.window.unwrap(), &analysis.victims);
    let ready = |pod: &str| {
        timelines
            .iter()
            .find(|timeline| timeline.victim.pod == pod)
            .unwrap()
            .time(Milestone::Ready)
    };
    assert_eq!((ready("carts-1"), ready("carts-0")), (Some(at(30)), Some(at(40))));
}

#[test]
fn a_victim_that_is_not_deleted_is_replaced_by_the_first_new_pod_after_the_injection() {
    let mut history = base();
    history.forget(|what| matches!(what, What::PodDeleted { .. }));
    history.add(
        at(90),
        What::PodCreated {
            pod: "carts-a".into(),
            app: "carts".into(),
        },
    );
    let ready = journey(&history)
        .milestones
        .iter()
        .find(|times| times.milestone == Milestone::Ready)
        .copied()
        .unwrap();
    assert_eq!(
        (ready.first, ready.last, ready.reached, ready.victims),
        (at(20), at(30), 2, 2)
    );
}

#[test]
fn the_first_error_is_the_first_after_the_injection() {
    let mut history = healthy();
    history.seconds[25] = second(95, 99);
    history.set(0, 0).at(0).failures[0].first = at(100) - 1;
    assert_eq!(
        journey(&history).milestones[0].milestone,
        Milestone::NodeNotReady,
        "both failed before"
    );
    // A slot that started before the fault and failed after it counts.
    history.seconds[25].failures[0].first = at(102);
    assert_eq!(
        (
            journey(&history).milestones[0].milestone,
            journey(&history).milestones[0].first
        ),
        (Milestone::FirstError, at(2))
    );
}

#[test]
fn a_replacement_that_is_ready_but_never_serves_is_warming_to_the_end() {
    let mut history = base();
    history.forget(|what| matches!(what, What::PodServing { pod, .. } if pod == "carts-2"));
    assert!(
        phases(&history).contains(&(Phase::Warming, 30)),
        "{:?}",
        phases(&history)
    );
}

#[test]
fn a_replacement_that_serves_but_is_never_ready_is_readying_to_the_end() {
    let mut history = base();
    history
        .forget(|what| matches!(what, What::PodStarted { pod, .. } | What::PodReady { pod, .. } if pod == "carts-2"));
    let phases = phases(&history);
    assert!(
        phases.contains(&(Phase::Starting, 2)) && phases.contains(&(Phase::Readying, 2 + 35)),
        "carts ran, or it would not serve: {phases:?}"
    );
}

#[test]
fn a_history_that_does_not_see_who_serves_has_no_warming() {
    let mut history = base();
    history.forget(|what| matches!(what, What::PodServing { .. }));
    assert_eq!(phases(&history).last(), Some(&(Phase::Several, 30)));
}

#[test]
fn phases_and_milestones_have_names_for_readers() {
    assert_eq!(Phase::Detecting.describe(), "detecting: until node NotReady");
    assert_eq!(Phase::Several.describe(), "several: no one phase");
}

/// The machine of both victims is frozen for 20 s and comes back before Kubernetes noticed.
fn frozen() -> History {
    let mut history = healthy();
    history.forget(|what| {
        matches!(
            what,
            What::NodeNotReady { .. } | What::NodeDeleted { .. } | What::MachineLost { .. }
        )
    });
    history.add(
        at(INJECTED),
        What::MachineImpaired {
            node: "a".into(),
            how: "frozen".into(),
        },
    );
    history.add(
        at(INJECTED + 20),
        What::MachineBack {
            node: "a".into(),
            how: "resumed".into(),
        },
    );
    for app in ["carts", "front-end"] {
        let (pod, app) = (format!("{app}-1"), app.to_owned());
        history.add(at(INJECTED + 20), What::PodServing { pod, app });
    }
    for after in 1..20 {
        history.set(after, 0);
    }
    history
}

fn of(history: &History) -> Vec<(Phase, u64)> {
    let journey = &analyse(history).journeys[0];
    journey.phases.iter().map(|time| (time.phase, time.seconds)).collect()
}

#[test]
fn a_victim_that_comes_back_in_its_own_place_ends_its_phases_there() {
    let mut history = frozen();
    assert_eq!(of(&history), [(Phase::Unnoticed, 1), (Phase::Readying, 18)]);
    // What is bad after that belongs to no one's eviction.
    history.set(40, 0);
    assert_eq!(
        of(&history),
        [(Phase::Unnoticed, 1), (Phase::Readying, 18), (Phase::Several, 1)]
    );
}

#[test]
fn a_victim_that_is_deleted_before_its_machine_is_back_is_replaced_as_ever() {
    let mut history = frozen();
    for app in ["carts", "front-end"] {
        replace(&mut history, app, [5, 6, 7, 8, 9, 10]);
    }
    // Detecting is absent: a later milestone was reached.
    let phases = of(&history);
    assert!(phases.iter().any(|(phase, _)| *phase == Phase::Evicting), "{phases:?}");
    assert!(phases.iter().all(|(phase, _)| *phase != Phase::Detecting), "{phases:?}");
}
