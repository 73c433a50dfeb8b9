//! Whom a pod of higher priority pushes out.

use std::sync::Arc;

use serde_json::json;

use super::super::{Leaving, PodInfo, Preemption};
use super::build::{Bench, apart, node, pod, requests};
use crate::model::time::Time;
use crate::simulation::fabric::{MachineId, PodId};
use crate::simulation::objects::template::PodTemplate;

fn with_priority(priority: i32) -> Arc<PodTemplate> {
    pod("victim", json!({"priority": priority}))
}

fn preempt(bench: &mut Bench, template: &Arc<PodTemplate>) -> Option<Preemption> {
    bench.find(template).expect_err("no node fits").preemption
}

fn critical() -> Arc<PodTemplate> {
    pod("coredns", json!({"priorityClassName": "system-cluster-critical"}))
}

/// `plugins/defaultpreemption/default_preemption.go` `isPreemptionAllowed`, `PodEligibleToPreemptOthers`.
#[test]
fn only_lower_priority_is_preempted() {
    let mut bench = Bench::new([node(0).room_for(1), node(1).room_for(1)]);
    bench.put(&with_priority(10), 0);
    let victim = bench.put(&with_priority(9), 1);
    assert_eq!(preempt(&mut bench, &with_priority(9)), None);
    assert_eq!(
        preempt(
            &mut bench,
            &pod("a", json!({"priority": 10, "preemptionPolicy": "Never"}))
        ),
        None
    );
    // Somebody of lower priority elsewhere does not make an equal a victim.
    let bound = pod("a", json!({"priority": 10, "nodeName": "n0"}));
    assert_eq!(preempt(&mut bench, &bound), None);
    let expected = Preemption {
        machine: MachineId(1),
        victims: vec![victim],
    };
    let error = bench.find(&with_priority(10)).expect_err("no node fits");
    assert_eq!(error.preemption.as_ref(), Some(&expected));
    assert_eq!(
        error.message, "0/2 nodes are available: 2 Too many pods.",
        "no suffix when it helps"
    );
    let asked = bench
        .scheduler
        .preempt(PodId(99), &"default".into(), &with_priority(10), &mut bench.rng);
    assert_eq!(asked, Some(expected));
    assert_eq!(
        bench
            .scheduler
            .preempt(PodId(99), &"default".into(), &with_priority(9), &mut bench.rng),
        None
    );
}

/// The workshop's case: coredns and the autoscaler push shop pods out.
#[test]
fn system_pods_preempt_shop_pods() {
    let mut bench = Bench::new([node(0).room_for(6)]);
    for _ in 0..6 {
        bench.put(&pod("shop", json!({})), 0);
    }
    assert_eq!(
        preempt(&mut bench, &critical()).map(|preemption| preemption.victims.len()),
        Some(1)
    );
    assert_eq!(bench.scheduler.pods_on(MachineId(0)).len(), 6, "a dry run");
}

/// `default_preemption.go` `SelectVictimsOnNode`: "reprieve as many pods as possible", the most important first
/// (pkg/scheduler/util/utils.go `MoreImportantPod`: higher priority, then older).
#[test]
fn the_least_important_go() {
    let mut bench = Bench::new([node(0).room_for(4)]);
    let template = with_priority(1);
    let started = |bench: &mut Bench, second: u64, template: &Arc<PodTemplate>| {
        let pod = bench.put(template, 0);
        bench.scheduler.set_started(pod, Time(second));
        pod
    };
    let older = started(&mut bench, 10, &template);
    let younger = started(&mut bench, 20, &template);
    started(&mut bench, 30, &with_priority(2));
    let least = started(&mut bench, 5, &with_priority(0));
    assert_eq!(
        preempt(&mut bench, &critical()).map(|found| found.victims),
        Some(vec![least])
    );
    bench.scheduler.remove_pod(least);
    started(&mut bench, 1, &with_priority(3));
    assert_eq!(
        preempt(&mut bench, &critical()).map(|found| found.victims),
        Some(vec![younger])
    );
    assert_ne!(older, younger);
}

/// The same: only as many go as are in the way.
#[test]
fn no_more_go_than_needed() {
    let mut bench = Bench::new([node(0)]);
    let quarter = pod("victim", json!({"containers": requests("500m", "1Mi")}));
    for _ in 0..4 {
        bench.put(&quarter, 0);
    }
    let wanted = |cpu: &str| pod("a", json!({"priority": 1, "containers": requests(cpu, "1Mi")}));
    for (cpu, victims) in [("500m", 1), ("501m", 2), ("1500m", 3), ("2", 4)] {
        let found = preempt(&mut bench, &wanted(cpu)).expect("a preemption");
        assert_eq!(found.victims.len(), victims, "{cpu}");
    }
    assert_eq!(preempt(&mut bench, &wanted("2001m")), None);
}

/// preemption.go `findCandidates`: nodes that are `UnschedulableAndUnresolvable` are not looked at.
#[test]
fn nodes_that_it_could_never_use_are_left_alone() {
    let mut bench = Bench::new([node(0).room_for(1), node(1).room_for(1).label("disk", "ssd")]);
    bench.put(&with_priority(0), 0);
    bench.put(&with_priority(5), 1);
    let picky = pod("a", json!({"priority": 9, "nodeSelector": {"disk": "ssd"}}));
    assert_eq!(
        preempt(&mut bench, &picky).map(|found| found.machine),
        Some(MachineId(1))
    );
}

/// Anti-affinity is resolvable, in either direction (plugins/interpodaffinity/filtering.go `Filter`).
#[test]
fn pods_that_exclude_it_are_preempted() {
    for (existing, incoming) in [
        (json!({"affinity": apart(&["new"])}), json!({"priority": 1})),
        (json!({}), json!({"priority": 1, "affinity": apart(&["old"])})),
    ] {
        let mut bench = Bench::new([node(0)]);
        let victim = bench.put(&pod("old", existing), 0);
        bench.put(&pod("bystander", json!({})), 0);
        assert_eq!(
            preempt(&mut bench, &pod("new", incoming)).map(|found| found.victims),
            Some(vec![victim])
        );
    }
}

/// preemption.go `pickOneNodeForPreemption`, criterion by criterion.
#[test]
fn the_cheapest_node_is_chosen() {
    // Each node: the priorities and start times of its pods; it must give up all of them.
    type Pods = &'static [(i32, u64)];
    let cases: [(&str, &[Pods], u32); 4] = [
        (
            "lowest highest priority",
            &[&[(5, 0), (0, 0)], &[(4, 0), (4, 0), (4, 0)], &[(6, 0)]],
            1,
        ),
        (
            "then lowest sum",
            &[&[(4, 0), (3, 0)], &[(4, 0), (2, 0)], &[(4, 0), (2, 0), (0, 0)]],
            1,
        ),
        (
            "fewer victims cost less whatever their sign",
            &[&[(-1, 0), (-5, 0)], &[(-1, 0)]],
            1,
        ),
        (
            "then the latest start of the most important",
            &[&[(4, 10), (2, 90)], &[(4, 30), (2, 5)], &[(4, 20), (2, 80)]],
            1,
        ),
    ];
    for (name, nodes, expected) in cases {
        let mut bench = Bench::new((0..).take(nodes.len()).map(node));
        let mut next = 0;
        for (pods, on) in nodes.iter().zip(0..) {
            let share = (2_000 / pods.len()).to_string();
            for &(priority, started) in *pods {
                let template = pod(
                    "victim",
                    json!({"priority": priority, "containers": requests(&format!("{share}m"), "1Mi")}),
                );
                bench.scheduler.add_pod(&PodInfo {
                    pod: PodId(next),
                    namespace: "default".into(),
                    template,
                    machine: MachineId(on),
                    started: Some(Time(started)),
                });
                next += 1;
            }
        }
        let wanted = pod("a", json!({"priority": 9, "containers": requests("2", "1Mi")}));
        for _ in 0..10 {
            let found = bench
                .scheduler
                .place(PodId(99), &"default".into(), &wanted, &mut bench.rng);
            let found = found.expect_err("no node fits").preemption.expect("a preemption");
            assert_eq!(found.machine, MachineId(expected), "{name}");
        }
    }
}

/// `default_preemption.go` `PodEligibleToPreemptOthers`: not while its victims are still leaving.
#[test]
fn a_pod_does_not_preempt_twice_for_one_place() {
    let mut bench = Bench::new([node(0).room_for(1), node(1).room_for(1)]);
    let first = bench.put(&with_priority(0), 0);
    bench.put(&with_priority(0), 1);
    let waiting = PodId(50);
    let place = |bench: &mut Bench| {
        bench
            .scheduler
            .place(waiting, &"default".into(), &critical(), &mut bench.rng)
            .expect_err("no node fits")
    };
    bench
        .scheduler
        .nominate(waiting, &"default".into(), &critical(), MachineId(0));
    bench.scheduler.set_leaving(first, Leaving::Deleted);
    assert!(place(&mut bench).preemption.is_some(), "others delete pods, too");
    bench.scheduler.set_leaving(first, Leaving::Preempted);
    let error = place(&mut bench);
    assert_eq!(error.preemption, None);
    assert!(
        error
            .message
            .ends_with("preemption: not eligible due to a terminating pod on the nominated node.")
    );
}
