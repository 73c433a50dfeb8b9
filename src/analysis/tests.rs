//! Laws of the analysis as a whole.

use proptest::prelude::*;

use super::*;
use crate::model::experiment::Verdict;
use crate::model::history::sample::{INJECTED, OBSERVED, at, healthy, second};
use crate::model::history::{Event, What};

#[test]
fn an_empty_history_shows_nothing() {
    let mut history = healthy();
    history.events.clear();
    history.seconds.clear();
    let analysis = analyse(&history);
    assert_eq!(analysis.window, None);
    assert_eq!(
        (
            analysis.journeys[0].availability_ppm(),
            analysis.journeys[0].recovered_at
        ),
        (None, None)
    );
    assert_eq!(judge(&history, &analysis).verdict, Verdict::Inconclusive);
}

/// Events of few pods, nodes and services at few times, so that they meet.
fn what() -> impl Strategy<Value = What> {
    let pod = prop_oneof![
        Just("carts-1"),
        Just("carts-2"),
        Just("carts-3"),
        Just("front-end-1"),
        Just("front-end-2")
    ];
    let node = prop_oneof![Just("a"), Just("b"), Just("c")];
    let service = prop_oneof![Just("carts"), Just("front-end")];
    let app = |pod: &str| pod[..pod.len() - 2].to_owned();
    (
        0..11_u8,
        pod,
        node,
        service,
        proptest::sample::subsequence(vec!["carts-1", "front-end-1", "carts-2"], 0..=3),
    )
        .prop_map(move |(kind, pod, node, service, ready)| {
            let (app, pod, node) = (app(pod), pod.to_owned(), node.to_owned());
            match kind {
                0 => What::NodeAdded {
                    node,
                    zone: String::new(),
                },
                1 => What::NodeNotReady {
                    node,
                    status: "Unknown".into(),
                },
                2 => What::NodeDeleted {
                    node,
                    by: "cloud-controller".into(),
                },
                3 => What::PodCreated { pod, app },
                4 => What::PodScheduled { pod, app, node },
                5 => What::PodStarted { pod, app },
                6 => What::PodReady { pod, app },
                7 => What::PodDeleted {
                    pod,
                    app,
                    cause: "pod-gc".into(),
                },
                8 => What::PodUnschedulable { pod, app, reason: node },
                9 => What::SteadyState {
                    seconds: 30,
                    met: pod != "carts-1",
                },
                _ => What::Endpoints {
                    service: service.into(),
                    ready: ready.into_iter().map(str::to_owned).collect(),
                },
            }
        })
}

prop_compose! {
    fn any_run()(
        events in proptest::collection::vec((90_u64..130, what()), 0..60),
        good in proptest::collection::vec(prop_oneof![Just(100_u32), Just(99), Just(98), 0_u32..=100], OBSERVED as usize),
        offset in prop_oneof![Just(0_u64), 0_u64..1_000_000],
    ) -> History {
        let mut history = healthy();
        for (after, good) in (0..).zip(good) {
            history.set(after, good);
        }
        for event in &mut history.events {
            if matches!(event.what, What::Injected { .. } | What::Observed) {
                event.t += offset;
            }
        }
        if offset > 0 {
            history.seconds.push(second(INJECTED + OBSERVED, 0));
        }
        history.events.extend(events.into_iter().map(|(s, what)| Event { t: at(s), what }));
        history.events.sort_by_key(|event| event.t);
        history
    }
}

proptest! {
    #[test]
    fn every_bad_second_belongs_to_one_phase_and_one_outage(history in any_run()) {
        let analysis = analyse(&history);
        let journey = &analysis.journeys[0];
        prop_assert_eq!(journey.phases.iter().map(|time| time.seconds).sum::<u64>(), journey.bad_seconds);
        let bad: Vec<u64> = outages::bad_seconds(&journey.seconds).collect();
        for second in &bad {
            let holding = journey.outages.iter().filter(|outage| (outage.start..outage.start + outage.seconds).contains(second));
            prop_assert_eq!(holding.count(), 1);
        }
        for outage in &journey.outages {
            prop_assert!(bad.contains(&outage.start) && bad.contains(&(outage.start + outage.seconds - 1)));
        }
    }

    #[test]
    fn the_order_of_events_of_one_time_has_no_effect(history in any_run(), seed: u64) {
        let mut shuffled = history.clone();
        crate::model::random::Stream::new(seed, "test").shuffle(&mut shuffled.events);
        shuffled.events.sort_by_key(|event| event.t);
        let (one, other) = (analyse(&history), analyse(&shuffled));
        prop_assert_eq!(judge(&history, &one), judge(&shuffled, &other));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn recovery_is_the_least_time_after_which_every_window_is_good(history in any_run(), ppm in 900_000_u32..=1_000_000) {
        let analysis = analyse(&history);
        let (seconds, window) = (&analysis.journeys[0].seconds, analysis.window.unwrap());
        let good = |from: u64| {
            let slots = &seconds[from as usize..from as usize + 10];
            slots.iter().map(|tally| u64::from(tally.good)).sum::<u64>() * 1_000_000 >= 1_000 * u64::from(ppm)
        };
        let expected = (0..=OBSERVED - 10).find(|&after| (after..=OBSERVED - 10).all(good));
        prop_assert_eq!(outages::recovered_at(seconds, window, ppm), expected);
    }

    #[test]
    fn no_history_breaks_the_analysis(
        mut history in any_run(),
        times in proptest::collection::vec(prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)], 0..20),
        seconds in proptest::collection::vec((prop_oneof![any::<u64>(), 0_u64..300], 0_u32..3, any::<u32>(), any::<u32>(), "[0-9gfnux]{0,8}"), 0..10),
    ) {
        for (event, t) in history.events.iter_mut().rev().zip(times) {
            event.t = t;
        }
        for (s, journey, planned, good, slots) in seconds {
            let latency = vec![(u16::MAX, planned), (0, good)];
            history.seconds.push(crate::model::history::Second { s, journey, planned, good, slots, latency, ..Default::default() });
        }
        let analysis = analyse(&history);
        let judgement = judge(&history, &analysis);
        let run = crate::report::RunView { header: &history.header, analysis: &analysis, judgement: &judgement };
        prop_assert!(!crate::report::terminal::render(&[run]).is_empty());
        prop_assert!(!snapshot::snapshot(&history.header, &analysis, &judgement).is_empty());
    }

    #[test]
    fn a_history_read_from_its_file_is_judged_the_same(history in any_run()) {
        let read = History::from_bytes(&history.to_bytes()).unwrap();
        prop_assert_eq!(judge(&read, &analyse(&read)), judge(&history, &analyse(&history)));
    }
}
