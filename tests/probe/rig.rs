//! From what a probe saw to a history, and back to counts.

use std::time::{Duration, Instant};

use steadfast::model::experiment::{Afterwards, Claim, Hypothesis, Plan, Verdict};
use steadfast::model::fault::NodeFailure;
use steadfast::model::history::{
    Event, FORMAT, FailureKind, Header, History, LoadedJourney, Second, Victim, What, latency_bound,
};
use steadfast::model::journey::{Connection, Journey, Request};
use steadfast::probe::{Entry, Load, Observed, Probe};

use super::server::Server;

/// The machine's clock: sockets know no other.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

pub(crate) async fn sleep(length: Duration) {
    tokio::time::sleep(length).await;
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A journey of one `GET /` on a new connection.
pub(crate) fn fresh(rate: u32) -> Journey {
    Journey::through("web")
        .rate(rate)
        .connection(Connection::Fresh)
        .step(Request::get("/"))
}

pub(crate) fn load(server: &Server) -> Load {
    Load::through(Entry::at(server.address))
}

/// Runs a load for a time, lets slots end for another, and hands out what was seen.
pub(crate) async fn run(load: Load, length: Duration, drain: Duration) -> Observed {
    let mut probe = Probe::start(load, now()).unwrap();
    sleep(length).await;
    probe.stop();
    drained(&mut probe, drain).await;
    probe.finish().unwrap()
}

/// Waits until no slot is under way, at most so long.
pub(crate) async fn drained(probe: &mut Probe, limit: Duration) {
    let until = now() + limit;
    // Slots before the stop are still handed over.
    sleep(millis(50)).await;
    while probe.live().in_flight > 0 && now() < until {
        sleep(millis(10)).await;
    }
}

/// The outcomes of one journey in order: `gggf`.
pub(crate) fn outcomes(seconds: &[Second], journey: u32) -> String {
    let mut all = String::new();
    for second in seconds.iter().filter(|second| second.journey == journey) {
        let mut count = String::new();
        let mut total = 0;
        for character in second.slots.chars() {
            if character.is_ascii_digit() {
                count.push(character);
            } else {
                let times: usize = count.parse().unwrap();
                all.extend(std::iter::repeat_n(character, times));
                (total, count) = (total + times, String::new());
            }
        }
        assert_eq!(total, second.planned as usize, "every slot has one outcome: {second:?}");
        let good: u32 = second.latency.iter().map(|(_, count)| count).sum();
        assert_eq!(good, second.good, "every good slot has a latency: {second:?}");
    }
    all
}

/// The ways in which slots failed, with the step, most frequent first in each second.
pub(crate) fn failures(seconds: &[Second]) -> Vec<(u32, FailureKind)> {
    let all = seconds.iter().flat_map(|second| &second.failures);
    let mut all: Vec<_> = all.map(|failure| (failure.step, failure.kind)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The bound of the largest latency of a good slot.
pub(crate) fn largest_latency(seconds: &[Second]) -> Duration {
    let buckets = seconds
        .iter()
        .flat_map(|second| &second.latency)
        .map(|(bucket, _)| *bucket);
    Duration::from_micros(buckets.max().map_or(0, latency_bound))
}

/// A history of what was seen: node `a` loses power `injected` after cluster time 0.
pub(crate) fn history(observed: &Observed, journeys: &[(&str, u32)], injected: Duration) -> History {
    let t = injected.as_micros() as u64;
    let event = |t, what| Event { t, what };
    let node = || "a".to_owned();
    History {
        header: Header {
            format: FORMAT,
            simulation: None,
            cluster: "kind".into(),
            profile: "kind".into(),
            seed: 0,
            plan: Plan {
                name: "probed".into(),
                hypotheses: vec![Hypothesis {
                    journey: journeys[0].0.into(),
                    claim: Claim::Availability { at_least_ppm: 1 },
                }],
                fault: NodeFailure::kill().count(1).into(),
                more_faults: Vec::new(),
                afterwards: Afterwards::Left,
                observe: Duration::from_micros(observed.ended.0.saturating_sub(t)),
                expected: Verdict::Held,
            },
            application: "web".into(),
            journeys: journeys
                .iter()
                .map(|(name, rate)| LoadedJourney {
                    name: (*name).to_owned(),
                    rate: *rate,
                    requests: 1,
                    path: vec!["web".into()],
                })
                .collect(),
            not_modelled: Vec::new(),
            assumed: Vec::new(),
            undescribed: Vec::new(),
            stand_ins: Vec::new(),
        },
        events: vec![
            event(
                0,
                What::NodeAdded {
                    node: node(),
                    zone: "z".into(),
                },
            ),
            event(observed.began.0, What::LoadStarted),
            event(t, What::SteadyState { seconds: 1, met: true }),
            event(
                t,
                What::Injected {
                    fault: "kill-nodes".into(),
                    nodes: vec![node()],
                    pods: vec![Victim {
                        pod: "web-1".into(),
                        app: "web".into(),
                        node: node(),
                    }],
                },
            ),
            event(t + 1, What::MachineLost { node: node() }),
            event(
                t + 2,
                What::NodeNotReady {
                    node: node(),
                    status: "Unknown".into(),
                },
            ),
            event(observed.ended.0, What::Observed),
        ],
        seconds: observed.seconds.clone(),
        end: Some(observed.end()),
    }
}
