use proptest::prelude::*;

use super::rig::{Rig, good, outcomes, planned};
use crate::model::time::{Span, Time};

const CART: &str = "
entry: front
rate: 50
timeout: 3s
items: 1
steps:
  - {request: GET /catalogue, expect: {status: 200, body: {json: products}}}
  - {request: GET /login, expect: {status: 200}}
  - {request: GET /pooled}
  - {request: POST /cart}
  - {request: GET /both, expect: {status: 200}}
  - {request: GET /basket, expect: {status: 200}}
";

fn disturbed(mut rig: Rig) -> Rig {
    rig.until(5);
    let pod = rig.pod("catalogue", 1);
    rig.cut(pod);
    rig.until(8);
    let pod = rig.pod("front", 0);
    rig.kill(pod);
    rig.until(9);
    rig.start(pod);
    rig
}

#[test]
fn the_same_seed_gives_the_same_seconds() {
    let run = |seed| {
        let mut rig = Rig::new(seed, 2).dns(2);
        rig.load(CART);
        let mut rig = disturbed(rig);
        (rig.results(20), rig.network.hops())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_clone_goes_on_as_the_original() {
    let mut rig = Rig::new(7, 2).dns(2);
    rig.load(CART);
    rig.until(5);
    let mut twin = disturbed(rig.clone());
    let mut rig = disturbed(rig);
    assert_eq!(rig.results(20), twin.results(20));
}

#[test]
fn results_do_not_depend_on_how_time_is_cut_into_batches() {
    let mut whole = Rig::new(7, 2).dns(2);
    whole.load(CART);
    let mut cut = whole.clone();
    for millisecond in 0..10_000 {
        cut.until_time(Time::ZERO + Span::millis(millisecond));
    }
    whole.until(10);
    assert_eq!(whole.results(10), cut.results(10));
}

#[derive(Clone, Debug)]
enum Blow {
    Kill(u32),
    Start(u32),
    Cut(u32),
    Finish,
}

fn blow() -> impl Strategy<Value = (u64, Blow)> {
    let what = prop_oneof![
        4 => (0..12_u32).prop_map(Blow::Kill),
        4 => (0..12_u32).prop_map(Blow::Start),
        1 => (0..12_u32).prop_map(Blow::Cut),
        1 => Just(Blow::Finish),
    ];
    (1_000..2_000_000_u64, what)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_planned_slot_ends_in_exactly_one_outcome(seed: u64, blows in proptest::collection::vec(blow(), 0..20)) {
        let mut rig = Rig::new(seed, 2).dns(2);
        rig.load(CART);
        for (after, blow) in blows {
            rig.until_time(rig.now + Span(after));
            match blow {
                Blow::Kill(pod) => rig.kill(crate::simulation::fabric::PodId(pod)),
                Blow::Start(pod) => rig.start(crate::simulation::fabric::PodId(pod)),
                Blow::Cut(pod) => rig.cut(crate::simulation::fabric::PodId(pod)),
                Blow::Finish => rig.network.finish(rig.now),
            }
        }
        let end = rig.now.second() + 1;
        let seconds = rig.results(end);
        let outcomes = outcomes(&seconds);
        prop_assert_eq!(outcomes.len() as u32, planned(&seconds));
        prop_assert_eq!(outcomes.matches('g').count() as u32, good(&seconds));
        let failures: u32 = seconds.iter().flat_map(|second| &second.failures).map(|failure| failure.count).sum();
        prop_assert_eq!(outcomes.matches('f').count() as u32, failures);
        let timed: u32 = seconds.iter().flat_map(|second| &second.latency).map(|(_, count)| count).sum();
        prop_assert_eq!(timed, good(&seconds));
        prop_assert_eq!(rig.network.slots.len(), 0);
        prop_assert_eq!(rig.network.frames.len(), 0);
        prop_assert_eq!(rig.network.next(), Time::NEVER);
    }
}
