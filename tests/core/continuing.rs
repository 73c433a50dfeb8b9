//! Going on: a world is its state alone, whoever holds it and in whatever steps it is moved.

use std::time::Duration;

use proptest::prelude::*;
use steadfast::model::experiment::{Afterwards, Claim, Hypothesis, Plan, Verdict};
use steadfast::model::fault::NodeFailure;
use steadfast::model::time::{Span, Time};
use steadfast::simulation::world::World;

use super::bench::{Command, SPACE, apply, cases, cluster, commands, fingerprint, journeys};

fn plan() -> Plan {
    Plan {
        name: "continuing".to_owned(),
        hypotheses: vec![Hypothesis {
            journey: "visit".to_owned(),
            claim: Claim::Availability { at_least_ppm: 900_000 },
        }],
        fault: NodeFailure::terminate().count(1).into(),
        more_faults: Vec::new(),
        afterwards: Afterwards::default(),
        observe: Duration::from_secs(60),
        expected: Verdict::Held,
    }
}

/// Ends the load: everything that anybody can see of a world, the history of its load included.
fn all_of(mut world: World) -> (String, Vec<u8>) {
    world.stop_load();
    world.run_for(Span::secs(10));
    let history = world.finish(&plan(), "shop", "embedded");
    (fingerprint(&world), history.to_bytes())
}

/// Runs to a time in pieces, each cut at a share of what is left.
fn in_pieces(world: &mut World, until: Time, cuts: &[u16]) {
    for &cut in cuts {
        let left = until.since(world.now()).0;
        world.run_for(Span(left * u64::from(cut) / (1 << 20)));
    }
    world.run_until(until);
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_clone_goes_on_exactly_as_its_original(
        mut world in cluster(),
        before in commands(20),
        after in commands(15),
    ) {
        world.start_load(SPACE, &journeys()).unwrap();
        for command in &before {
            apply(&mut world, command);
        }
        let mut copy = world.clone();
        for command in &after {
            apply(&mut world, command);
        }
        let moved_on = all_of(world);
        for command in &after {
            apply(&mut copy, command);
        }
        prop_assert!(all_of(copy) == moved_on);
    }

    #[test]
    fn running_in_pieces_changes_nothing(
        mut world in cluster(),
        commands in commands(30),
        cuts in prop::collection::vec(any::<u16>(), 1..12),
    ) {
        world.start_load(SPACE, &journeys()).unwrap();
        let mut pieces = world.clone();
        for command in &commands {
            apply(&mut world, command);
            if let Command::Run(micros) = command {
                let until = pieces.now() + Span(*micros);
                in_pieces(&mut pieces, until, &cuts);
                prop_assert_eq!((pieces.now(), world.now()), (until, until));
            } else {
                apply(&mut pieces, command);
            }
        }
        prop_assert!(all_of(pieces) == all_of(world));
    }

    #[test]
    fn going_back_does_nothing(mut world in cluster(), commands in commands(12)) {
        for command in &commands {
            apply(&mut world, command);
        }
        let before = (fingerprint(&world), world.next_event());
        world.run_until(Time::ZERO);
        prop_assert!((fingerprint(&world), world.next_event()) == before);
    }
}
