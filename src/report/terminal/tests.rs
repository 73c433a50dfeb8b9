use std::time::Duration;

use super::*;
use crate::analysis::{analyse, judge};
use crate::model::experiment::Claim;
use crate::model::fault::NodeFailure;
use crate::model::history::sample::{OBSERVED, healthy, hypothesis};
use crate::model::history::{History, Victim, What};

fn rendered(histories: &[History]) -> String {
    let analyses: Vec<_> = histories.iter().map(|history| (history, analyse(history))).collect();
    let judged: Vec<_> = analyses
        .iter()
        .map(|(history, analysis)| (history, analysis, judge(history, analysis)))
        .collect();
    let views: Vec<_> = judged
        .iter()
        .map(|(history, analysis, judgement)| RunView {
            header: &history.header,
            analysis,
            judgement,
        })
        .collect();
    render(&views)
}

fn base_and_ha() -> [History; 2] {
    let mut base = healthy();
    for after in 2..OBSERVED {
        base.set(after, 0);
    }
    base.header.plan.hypotheses.push(hypothesis(Claim::RecoversWithin {
        within: Duration::from_secs(30),
        at_least_ppm: 990_000,
    }));
    let mut ha = healthy();
    ha.header.plan = base.header.plan.clone();
    ha.header.application = "sockshop-demo-ha".into();
    ha.set(3, 90);
    [base, ha]
}

#[test]
fn two_runs_stand_side_by_side() {
    insta::assert_snapshot!(rendered(&base_and_ha()), @r"
        experiment                     terminate-eks-nodes
        fault                          terminate-nodes, 40 % of the nodes
        observed for                   60 s
        cluster                        embedded, eks-workshop, seed 7

                                       sockshop-demo            sockshop-demo-ha
        ────────────────────────────────────────────────────────────────────────────────
        verdict                        violated, expected held  held, as expected
        nodes: before, fewest, most    2, 1, 2                  2, 1, 2
        struck                         1 node, 2 pods           1 node, 2 pods
        unschedulable                  no pod                   no pod

        journey checkout
          victims on its path          front-end, carts         front-end, carts
          availability                 3.3 %                    99.8 %
          longest outage               58 s                     1 s
          recovered after              never                    0 s
          bad seconds                  58 s                     1 s
            unnoticed                  1 s                      1 s
            detecting                  7 s                      0 s
            evicting                   50 s                     0 s
          latency p99 at most          8 ms                     8 ms
          consistency anomalies        0                        0

        hypotheses on checkout
          availability at least 90 %   ✗ 3.3 %                  ✓ 99.8 %
          recovers within 30 s         ✗ not recovered          ✓ after 0 s

        sockshop-demo: violated
          because checkout: availability at least 90 %: violated, 3.3 %
          because checkout: recovers within 30 s: violated, not recovered
          - steady state met in the 30 seconds before the injection
          - terminate-nodes struck 1 node with 2 pods at 100 s of cluster time
          - node a: machine stopped after 1 s, NotReady after 10 s, deleted by
            cloud-controller after 12 s
          - observed 60 s after the injection
          - every slot was sent, at most 0 ms behind its time
          - checkout: 6,000 slots after the injection

        sockshop-demo-ha: held
          - steady state met in the 30 seconds before the injection
          - terminate-nodes struck 1 node with 2 pods at 100 s of cluster time
          - node a: machine stopped after 1 s, NotReady after 10 s, deleted by
            cloud-controller after 12 s
          - observed 60 s after the injection
          - every slot was sent, at most 0 ms behind its time
          - checkout: 6,000 slots after the injection
        ");
}

#[test]
fn no_line_is_wider_than_the_terminal_or_ends_in_a_space_whatever_the_run_holds() {
    let mut history = healthy();
    let long = "a-very-long-name-that-does-not-end-".repeat(9);
    history.header.application = long.clone();
    history.header.plan.name = format!("{long} {long}");
    history.header.plan.fault = NodeFailure::kill().name(long.clone()).into();
    history.header.seed = u64::MAX;
    history.header.profile = long.clone();
    history.header.not_modelled = vec![long.clone()];
    history.header.assumed = vec![long.clone()];
    history.header.journeys[0].name = long.clone();
    history.header.plan.observe = Duration::MAX;
    history.header.plan.hypotheses[0].journey = long.clone();
    history.claim(Claim::LongestOutage { at_most: Duration::MAX });
    history.at(0).anomalies = u32::MAX;
    history.at(1).failures = Vec::new();
    for event in &mut history.events {
        match &mut event.what {
            What::Injected { nodes, pods, .. } => {
                *nodes = vec![long.clone(); 3];
                *pods = vec![Victim {
                    pod: long.clone(),
                    app: long.clone(),
                    node: long.clone(),
                }];
            }
            What::Observed => event.t = u64::MAX,
            _ => {}
        }
    }
    for runs in [
        vec![history.clone()],
        vec![history.clone(), healthy()],
        vec![healthy(), healthy(), history],
    ] {
        let text = rendered(&runs);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH && line.trim_end() == line, "{line:?}");
        }
    }
}

#[test]
fn runs_without_data_are_shown_as_such() {
    let mut history = healthy();
    history.seconds.clear();
    history.events.clear();
    let text = rendered(&[history]);
    assert!(
        text.contains("? no data") && text.contains("because no fault was injected"),
        "{text}"
    );
}

#[test]
fn nothing_to_show_is_nothing() {
    assert_eq!(render(&[]), "");
}

#[test]
fn colours_touch_only_the_marks() {
    assert_eq!(coloured("a ✓ b ✗ c"), "a \u{1b}[32m✓\u{1b}[0m b \u{1b}[31m✗\u{1b}[0m c");
}
