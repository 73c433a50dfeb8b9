use std::time::Duration;

use super::*;
use crate::analysis::analyse;
use crate::model::history::sample::{healthy, hypothesis};
use crate::model::history::{History, What};

fn judged(history: &History) -> Judgement {
    judge(history, &analyse(history))
}

/// The outcome and measure of a claim in a run whose seconds 5 to 7 fail, 300 slots of 6,000.
fn claimed(claim: Claim) -> (Verdict, Outcome, Measured) {
    let mut history = healthy();
    history.set(5, 0).set(6, 0).set(7, 0).claim(claim);
    let judgement = judged(&history);
    (
        judgement.verdict,
        judgement.findings[0].outcome,
        judgement.findings[0].measured,
    )
}

#[test]
fn an_availability_holds_at_its_limit_and_is_violated_above() {
    let claim = |at_least_ppm| claimed(Claim::Availability { at_least_ppm });
    assert_eq!(
        claim(950_000),
        (Verdict::Held, Outcome::Held, Measured::Availability(950_000))
    );
    assert_eq!(
        claim(950_001),
        (Verdict::Violated, Outcome::Violated, Measured::Availability(950_000))
    );
}

#[test]
fn a_recovery_holds_at_its_limit_and_is_violated_below() {
    let claim = |millis| {
        claimed(Claim::RecoversWithin {
            within: Duration::from_millis(millis),
            at_least_ppm: 990_000,
        })
    };
    assert_eq!(
        claim(8_000),
        (Verdict::Held, Outcome::Held, Measured::RecoveredAfter(Some(8)))
    );
    assert_eq!(
        claim(7_999),
        (Verdict::Violated, Outcome::Violated, Measured::RecoveredAfter(Some(8)))
    );
}

#[test]
fn a_recovery_to_less_comes_earlier() {
    let within = Duration::from_secs(7);
    let (verdict, _, measured) = claimed(Claim::RecoversWithin {
        within,
        at_least_ppm: 900_000,
    });
    assert_eq!((verdict, measured), (Verdict::Held, Measured::RecoveredAfter(Some(7))));
}

#[test]
fn what_does_not_recover_is_violated() {
    let mut history = healthy();
    history.set(59, 0).claim(Claim::RecoversWithin {
        within: Duration::from_secs(30),
        at_least_ppm: 990_000,
    });
    let judgement = judged(&history);
    assert_eq!(
        (judgement.verdict, judgement.findings[0].measured),
        (Verdict::Violated, Measured::RecoveredAfter(None))
    );
}

#[test]
fn an_outage_holds_at_its_limit_and_is_violated_above() {
    let claim = |millis| {
        claimed(Claim::LongestOutage {
            at_most: Duration::from_millis(millis),
        })
    };
    let measured = Measured::LongestOutage {
        seconds: 3,
        open: false,
    };
    assert_eq!(claim(3_000), (Verdict::Held, Outcome::Held, measured));
    assert_eq!(claim(2_999), (Verdict::Violated, Outcome::Violated, measured));
}

#[test]
fn one_violated_hypothesis_is_enough_and_is_the_reason() {
    let mut history = healthy();
    history.set(5, 0);
    history
        .header
        .plan
        .hypotheses
        .push(hypothesis(Claim::Availability { at_least_ppm: 999_000 }));
    let judgement = judged(&history);
    assert_eq!(judgement.verdict, Verdict::Violated);
    assert_eq!(
        judgement.reasons,
        ["checkout: availability at least 99.9 %: violated, 98.3 %"]
    );
}

#[test]
fn lacking_evidence_outweighs_a_violation() {
    let mut history = healthy();
    history
        .set(5, 0)
        .claim(Claim::Availability { at_least_ppm: 999_000 })
        .forget(|what| matches!(what, What::MachineLost { .. }));
    let judgement = judged(&history);
    assert_eq!(
        (judgement.verdict, judgement.findings[0].outcome),
        (Verdict::Inconclusive, Outcome::Violated)
    );
    assert_eq!(judgement.reasons, ["node a: its machine was not seen to stop"]);
}

#[test]
fn without_a_slot_nothing_is_held_or_violated() {
    let mut history = healthy();
    history.seconds.clear();
    for claim in [
        Claim::Availability { at_least_ppm: 0 },
        Claim::RecoversWithin {
            within: Duration::from_secs(1),
            at_least_ppm: 0,
        },
        Claim::LongestOutage { at_most: Duration::MAX },
    ] {
        history.claim(claim);
        let judgement = judged(&history);
        assert_eq!(
            (judgement.verdict, judgement.findings[0].outcome),
            (Verdict::Inconclusive, Outcome::Unknown)
        );
    }
}

#[test]
fn measures_are_written_for_readers() {
    let outage = |seconds| Measured::LongestOutage { seconds, open: false }.describe();
    assert_eq!([outage(0), outage(14)], ["no outage", "longest 14 s"]);
    assert_eq!(Measured::RecoveredAfter(None).describe(), "not recovered");
}

#[test]
fn a_cluster_that_is_not_as_it_was_says_so_before_anything_else() {
    let mut history = healthy();
    history.end.as_mut().unwrap().left_behind = vec!["node b: cordoned".into()];
    let judgement = judge(&history, &analyse(&history));
    assert_eq!(judgement.verdict, Verdict::RollbackIncomplete);
    assert_eq!(judgement.reasons, ["left behind: node b: cordoned"]);
}
