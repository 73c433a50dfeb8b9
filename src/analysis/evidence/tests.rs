//! Every way of proving nothing.

use std::time::Duration;

use super::*;
use crate::analysis::{analyse, judge};
use crate::model::experiment::Verdict;
use crate::model::fault::NodeFailure;
use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy, second};

/// The reasons of an inconclusive run; none of any other.
fn lacking(history: &History) -> Vec<String> {
    let judgement = judge(history, &analyse(history));
    if judgement.verdict == Verdict::Inconclusive {
        judgement.reasons
    } else {
        Vec::new()
    }
}

fn without(is: impl Fn(&What) -> bool) -> History {
    let mut history = healthy();
    history.forget(is);
    history
}

/// Moves the end of the observation to so many microseconds after the injection.
fn ended(after: u64) -> History {
    let mut history = without(|what| matches!(what, What::Observed));
    history.add(at(INJECTED) + after, What::Observed);
    history
}

#[test]
fn a_healthy_run_lacks_nothing_and_says_what_it_rests_on() {
    let history = healthy();
    let judgement = judge(&history, &analyse(&history));
    assert_eq!((judgement.verdict, judgement.reasons), (Verdict::Held, Vec::new()));
    let evidence = [
        "steady state met in the 30 seconds before the injection",
        "terminate-nodes struck 1 node with 2 pods at 100 s of cluster time",
        "node a: machine stopped after 1 s, NotReady after 10 s, deleted by cloud-controller after 12 s",
        "observed 60 s after the injection",
        "every slot was sent, at most 0 ms behind its time",
        "checkout: 6,000 slots after the injection",
    ];
    assert_eq!(judgement.evidence, evidence);
}

#[test]
fn no_injection() {
    assert_eq!(
        lacking(&without(|what| matches!(what, What::Injected { .. }))),
        ["no fault was injected"]
    );
}

#[test]
fn a_fault_that_struck_no_node_or_no_pod() {
    let strike = |nodes: &[&str]| {
        let mut history = without(|what| matches!(what, What::Injected { .. }));
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        history.add(
            at(INJECTED),
            What::Injected {
                fault: "terminate-nodes".into(),
                nodes,
                pods: Vec::new(),
            },
        );
        lacking(&history)
    };
    assert_eq!(strike(&[]), ["terminate-nodes struck no node"]);
    assert_eq!(strike(&["a"]), ["terminate-nodes struck 1 node, but no pod ran there"]);
}

#[test]
fn a_machine_that_was_not_seen_to_stop() {
    let mut history = without(|what| matches!(what, What::MachineLost { .. }));
    assert_eq!(lacking(&history), ["node a: its machine was not seen to stop"]);
    history
        .add(at(101), What::MachineLost { node: "b".into() })
        .add(at(99), What::MachineLost { node: "a".into() });
    assert_eq!(
        lacking(&history).len(),
        1,
        "another machine, or this one before the fault, is no evidence"
    );
}

#[test]
fn every_struck_node_needs_its_evidence() {
    let mut history = healthy();
    for event in &mut history.events {
        if let What::Injected { nodes, .. } = &mut event.what {
            nodes.push("b".into());
        }
    }
    assert_eq!(lacking(&history), ["node b: its machine was not seen to stop"]);
}

#[test]
fn a_stopped_machine_that_kubernetes_did_not_see() {
    let unseen = "node a: Kubernetes did not see it fail (neither NotReady nor deleted)";
    for mode in [NodeFailure::terminate().count(1), NodeFailure::kill().count(1)] {
        let mut history = without(|what| matches!(what, What::NodeNotReady { .. } | What::NodeDeleted { .. }));
        history.header.plan.fault = mode.clone().into();
        assert_eq!(lacking(&history), [unseen]);
        let one = |is: fn(&What) -> bool| {
            let mut history = without(is);
            history.header.plan.fault = mode.clone().into();
            lacking(&history)
        };
        assert!(
            one(|what| matches!(what, What::NodeNotReady { .. })).is_empty(),
            "deleted is enough"
        );
        assert!(
            one(|what| matches!(what, What::NodeDeleted { .. })).is_empty(),
            "NotReady is enough"
        );
    }
}

#[test]
fn a_deleted_node_needs_to_be_deleted_by_the_fault_and_nothing_else() {
    let mut history = healthy();
    history.header.plan.fault = NodeFailure::delete().count(1).into();
    assert_eq!(
        lacking(&history),
        ["node a: its object was deleted by cloud-controller, not by the fault"]
    );
    history.forget(|what| {
        matches!(
            what,
            What::NodeDeleted { .. } | What::MachineLost { .. } | What::NodeNotReady { .. }
        )
    });
    assert_eq!(lacking(&history), ["node a: its object was not deleted"]);
    history.add(
        at(INJECTED),
        What::NodeDeleted {
            node: "a".into(),
            by: "fault".into(),
        },
    );
    assert!(lacking(&history).is_empty());
}

#[test]
fn a_load_behind_its_schedule() {
    let lag = |max_lag| {
        let mut history = healthy();
        history.end.as_mut().unwrap().max_lag = max_lag;
        lacking(&history)
    };
    assert!(lag(100_000).is_empty());
    assert_eq!(
        lag(100_001),
        ["the load did not keep its schedule: up to 101 ms behind, 100 ms allowed"]
    );
}

#[test]
fn a_slot_that_was_not_sent() {
    let mut history = healthy();
    let second = history.at(30);
    (second.good, second.slots) = (99, "50g1n49g".into());
    assert_eq!(
        lacking(&history),
        ["the load did not keep its schedule: 1 slot of checkout not sent"]
    );
}

#[test]
fn fewer_than_a_hundred_slots() {
    let few = |per_second: [u32; 2]| {
        let mut history = healthy();
        history.header.journeys[0].rate = 1;
        for after in 0..OBSERVED {
            let n = per_second[usize::from(after >= 20)];
            let second = history.at(after);
            (second.planned, second.good, second.slots) = (n, n, format!("{n}g"));
            second.latency.clear();
        }
        lacking(&history)
    };
    assert!(few([3, 1]).is_empty(), "exactly 100");
    assert_eq!(
        few([1, 1]),
        ["checkout: 60 slots after the injection, at least 100 are needed"]
    );
}

#[test]
fn a_hypothesis_about_a_journey_that_the_load_has_not() {
    let mut history = healthy();
    history.header.plan.hypotheses[0].journey = "browse".into();
    assert_eq!(lacking(&history), ["browse: the load has no such journey"]);
}

#[test]
fn no_data_at_all() {
    let mut history = healthy();
    history.seconds.clear();
    assert_eq!(
        lacking(&history),
        ["checkout: 0 slots after the injection, at least 100 are needed"]
    );
}

#[test]
fn missing_and_empty_seconds() {
    let mut history = healthy();
    history.seconds.retain(|second| second.s != INJECTED + 7);
    let second = history.at(9);
    (second.planned, second.good, second.slots) = (0, 0, String::new());
    assert_eq!(lacking(&history), ["checkout: no data in 2 seconds of 60"]);
}

#[test]
fn fewer_slots_than_the_rate_asks_for() {
    let mut history = healthy();
    history.header.journeys[0].rate = 101;
    assert!(lacking(&history).is_empty(), "99 % of them are there");
    history.header.journeys[0].rate = 102;
    assert_eq!(
        lacking(&history),
        ["checkout: 6,000 slots planned, its rate asks for 6,120"]
    );
}

#[test]
fn an_observation_without_an_end_or_shorter_than_planned() {
    assert_eq!(
        lacking(&without(|what| matches!(what, What::Observed))),
        ["the end of the observation is not on record"]
    );
    assert_eq!(
        lacking(&ended(at(OBSERVED) - 1)),
        ["observed 59999999us of 60 s planned"]
    );
    assert!(lacking(&ended(at(OBSERVED))).is_empty());
    let mut history = ended(0);
    history.header.plan.observe = Duration::ZERO;
    assert!(lacking(&history).contains(&"nothing was observed after the injection".to_owned()));
}

#[test]
fn a_history_without_an_end_was_broken_off() {
    let mut history = healthy();
    history.end = None;
    let judgement = judge(&history, &analyse(&history));
    assert_eq!(judgement.verdict, Verdict::Aborted);
    assert_eq!(judgement.reasons[0], "the run was broken off: its history has no end");
}

#[test]
fn a_steady_state_that_was_not_met_or_not_checked_before_the_fault() {
    let steady = |events: &[(u64, u32, bool)]| {
        let mut history = without(|what| matches!(what, What::SteadyState { .. }));
        for &(s, seconds, met) in events {
            history.add(at(s), What::SteadyState { seconds, met });
        }
        lacking(&history)
    };
    assert_eq!(steady(&[]), ["the steady state before the injection was not checked"]);
    assert_eq!(
        steady(&[(101, 30, true)]),
        ["the steady state before the injection was not checked"]
    );
    assert_eq!(
        steady(&[(90, 30, true), (99, 30, false)]),
        ["the steady state was not met in the 30 seconds before the injection"]
    );
    assert_eq!(
        steady(&[(99, 0, true)]),
        ["the steady state before the injection was checked over no time"]
    );
    assert!(
        steady(&[(90, 30, false), (99, 30, true)]).is_empty(),
        "the last one counts"
    );
    assert_eq!(
        steady(&[(99, 30, false), (99, 30, true)]).len(),
        1,
        "of two at one time both"
    );
}

#[test]
fn a_recovery_that_the_observation_is_too_short_to_see() {
    let claim = |within: u64| {
        let mut history = healthy();
        history.claim(Claim::RecoversWithin {
            within: Duration::from_millis(within),
            at_least_ppm: 990_000,
        });
        lacking(&history)
    };
    assert!(claim(50_000).is_empty());
    assert_eq!(
        claim(50_001),
        ["checkout: no window of 10 s from 50001ms on fits into an observation of 60 s"]
    );
}

#[test]
fn an_outage_that_the_observation_did_not_see_the_end_of() {
    let last = |after: u64, at_most: u64| {
        let mut history = healthy();
        history
            .claim(Claim::LongestOutage {
                at_most: Duration::from_secs(at_most),
            })
            .set(after, 0);
        judge(&history, &analyse(&history)).verdict
    };
    assert_eq!(last(OBSERVED - 3, 1), Verdict::Inconclusive);
    assert_eq!(last(OBSERVED - 4, 1), Verdict::Held);
    assert_eq!(last(OBSERVED - 3, 0), Verdict::Violated, "too long already");
}

#[test]
fn an_experiment_without_a_hypothesis() {
    let mut history = healthy();
    history.header.plan.hypotheses.clear();
    assert_eq!(lacking(&history), ["the experiment has no hypothesis"]);
}

#[test]
fn a_history_that_contradicts_itself() {
    let mut history = healthy();
    history.seconds.push(second(INJECTED, 100));
    assert_eq!(
        lacking(&history),
        ["the history contradicts itself: second 100 of checkout is on record twice"]
    );
}

#[test]
fn a_journey_without_a_hypothesis_need_not_have_data() {
    let mut history = healthy();
    let mut browse = history.header.journeys[0].clone();
    browse.name = "browse".into();
    history.header.journeys.push(browse);
    assert!(lacking(&history).is_empty());
}

#[test]
fn assumed_images_are_allowed() {
    let mut history = healthy();
    history.header.assumed.push("nginx:1".into());
    assert!(lacking(&history).is_empty());
}

#[test]
fn a_run_without_a_steady_state_says_what_failed_most() {
    let mut history = healthy();
    history.forget(|what| matches!(what, What::Injected { .. } | What::SteadyState { .. }));
    history.add(
        at(100),
        What::SteadyState {
            seconds: 30,
            met: false,
        },
    );
    assert!(
        lacking(&history)[1].ends_with("every slot was good"),
        "{:?}",
        lacking(&history)
    );
    history.set(0, 0).set(1, 20);
    let text = &lacking(&history)[1];
    assert!(
        text.ends_with("; 180 visits of checkout failed at step 1: connect time-out"),
        "{text}"
    );
}

#[test]
fn images_that_nobody_described() {
    let mut history = healthy();
    history.header.undescribed = vec!["nginx:1".into(), "redis:8".into()];
    assert_eq!(
        lacking(&history),
        [
            "what 2 images do is not described: nginx:1, redis:8; describe them in the model, or allow the default with \
          .assume_default_model()"
        ]
    );
}
