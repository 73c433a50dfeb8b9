//! Whom a pod of higher priority pushes out (defaultpreemption/default_preemption.go, ../preemption/preemption.go; situations of
//! `default_preemption_test.go` `TestDryRunPreemption`, `TestSelectBestCandidate`, `TestPodEligibleToPreemptOthers`).

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};
use steadfast::simulation::fabric::PodId;
use steadfast::simulation::objects::selector::{Requirement, Selector};
use steadfast::simulation::scheduler::Budget;

use super::table::{Table, node, pod, requests, with};

/// A pod with a priority and so much CPU.
fn ranked(app: &str, priority: i32, cpu: &str) -> Value {
    pod(
        &[("app", app)],
        json!({"priority": priority, "containers": requests(json!({"cpu": cpu}))}),
    )
}

fn budget(app: &str, allowed: i32) -> Budget {
    Budget {
        namespace: "default".into(),
        selector: Selector(vec![Requirement::new("app", "In", &[app.to_owned()]).unwrap()]),
        allowed,
        disrupted: BTreeSet::new(),
    }
}

/// The node that a pod preempts on, and its victims.
fn preempt(table: &mut Table, pod: &Value) -> Option<(String, Vec<PodId>)> {
    let preemption = table.place(pod).unwrap_err().preemption?;
    Some((table.name(preemption.machine).to_owned(), preemption.victims))
}

/// `isPreemptionAllowed`, `PodEligibleToPreemptOthers`.
#[rstest]
#[case::lower(9, json!({"priority": 10}), true)]
#[case::equal(10, json!({"priority": 10}), false)]
#[case::higher(11, json!({"priority": 10}), false)]
#[case::never(9, json!({"priority": 10, "preemptionPolicy": "Never"}), false)]
fn only_lower_priority_goes(#[case] there: i32, #[case] spec: Value, #[case] goes: bool) {
    let mut table = Table::new([node("a", &[])]);
    table.put(&ranked("low", there, "4"), "a");
    let wanted = with(ranked("high", 0, "4"), &json!({"spec": spec}));
    assert_eq!(preempt(&mut table, &wanted).is_some(), goes);
}

/// `SelectVictimsOnNode`: "reprieve as many pods as possible", the most important first.
#[test]
fn as_few_as_possible_go_the_least_important_first() {
    let mut table = Table::new([node("a", &[])]);
    let low = table.put(&ranked("a", 1, "1"), "a");
    let _middle = table.put(&ranked("b", 2, "1"), "a");
    let _upper = table.put(&ranked("c", 3, "2"), "a");
    assert_eq!(
        preempt(&mut table, &ranked("high", 10, "1")),
        Some(("a".to_owned(), vec![low]))
    );
}

/// `pickOneNodeForPreemption`: the lowest highest priority of victims, then the lowest sum, then the fewest.
#[rstest]
#[case::lowest_highest_priority(&[("a", 5, "4"), ("b", 3, "4")], "b")]
#[case::lowest_sum(&[("a", 3, "2"), ("a", 2, "2"), ("b", 3, "2"), ("b", 1, "2")], "b")]
#[case::fewest(&[("a", 3, "2"), ("a", 3, "2"), ("b", 3, "4")], "b")]
fn the_node_whose_victims_matter_least(#[case] there: &[(&str, i32, &str)], #[case] expected: &str) {
    let mut table = Table::new([node("a", &[]), node("b", &[])]);
    for &(on, priority, cpu) in there {
        table.put(&ranked("low", priority, cpu), on);
    }
    let (on, _) = preempt(&mut table, &ranked("high", 10, "4")).unwrap();
    assert_eq!(on, expected);
}

/// `pickOneNodeForPreemption`, first criterion: `minNumPDBViolatingScoreFunc`.
#[test]
fn a_node_whose_victims_no_budget_protects_comes_first() {
    let mut table = Table::new([node("a", &[]), node("b", &[])]);
    table.put(&ranked("guarded", 1, "4"), "a");
    table.put(&ranked("free", 5, "4"), "b");
    let wanted = ranked("high", 10, "4");
    assert_eq!(preempt(&mut table, &wanted).unwrap().0, "a", "the lower priority");
    table.scheduler.set_budgets(vec![budget("guarded", 0)]);
    assert_eq!(preempt(&mut table, &wanted).unwrap().0, "b");
    // A budget that allows one is not violated by one.
    table.scheduler.set_budgets(vec![budget("guarded", 1)]);
    assert_eq!(preempt(&mut table, &wanted).unwrap().0, "a");
}

/// `SelectVictimsOnNode`: those whose budget would be violated are reprieved first, even before more important ones.
#[test]
fn on_one_node_protected_pods_are_spared_first() {
    let mut table = Table::new([node("a", &[])]);
    let guarded = table.put(&ranked("guarded", 1, "2"), "a");
    let free = table.put(&ranked("free", 5, "2"), "a");
    let wanted = ranked("high", 10, "2");
    assert_eq!(preempt(&mut table, &wanted).unwrap().1, [guarded]);
    table.scheduler.set_budgets(vec![budget("guarded", 0)]);
    assert_eq!(preempt(&mut table, &wanted).unwrap().1, [free]);
    // But budgets do not stop preemption (kubernetes.io docs, "PodDisruptionBudget is supported, but not guaranteed").
    assert_eq!(
        preempt(&mut table, &ranked("high", 10, "4")).unwrap().1,
        [free, guarded]
    );
}

/// `filterPodsWithPDBViolation`: an empty selector protects nobody; pods that the budget has let go already do not count;
/// budgets of another namespace do not.
#[rstest]
#[case::empty_selector(Budget { selector: Selector::default(), ..budget("guarded", 0) })]
#[case::already_disrupted(Budget { disrupted: BTreeSet::from([PodId(0)]), ..budget("guarded", 0) })]
#[case::another_namespace(Budget { namespace: "other".into(), ..budget("guarded", 0) })]
fn budgets_that_do_not_protect(#[case] budget: Budget) {
    let mut table = Table::new([node("a", &[])]);
    let guarded = table.put(&ranked("guarded", 1, "2"), "a");
    table.put(&ranked("free", 5, "2"), "a");
    table.scheduler.set_budgets(vec![budget]);
    assert_eq!(preempt(&mut table, &ranked("high", 10, "2")).unwrap().1, [guarded]);
}

/// interpodaffinity/filtering.go, podtopologyspread/filtering.go and `nodeports/node_ports.go` return `Unschedulable`: removing pods helps.
#[rstest]
#[case::spread(json!({"topologySpreadConstraints": [{"maxSkew": 1, "minDomains": 2, "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]}))]
#[case::ports(json!({"containers": [{"name": "main", "image": "a:1", "ports": [{"containerPort": 1, "hostPort": 80}]}]}))]
#[case::extended(json!({"containers": requests(json!({"example.com/gpu": "1"}))}))]
#[case::anti_affinity(json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
    {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}]}}}))]
fn preemption_makes_room_for_more_than_requests(#[case] spec: Value) {
    let more = json!({"status": {"allocatable": {"example.com/gpu": "1"}}});
    let mut table = Table::new([with(node("a", &[]), &more)]);
    let mut there = pod(
        &[("app", "web")],
        json!({"containers": requests(json!({"example.com/gpu": "1"}))}),
    );
    there["spec"]["containers"][0]["ports"] = json!([{"containerPort": 1, "hostPort": 80}]);
    let victim = table.put(&there, "a");
    let wanted = with(pod(&[("app", "web")], spec), &json!({"spec": {"priority": 10}}));
    assert_eq!(preempt(&mut table, &wanted), Some(("a".to_owned(), vec![victim])));
}
