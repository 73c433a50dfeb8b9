//! Hand-made histories for tests: a healthy run of one journey, and verbs that break it.

use std::time::Duration;

use super::{
    End, Event, FORMAT, Failure, FailureKind, Header, History, LoadedJourney, SIMULATION, Second, Victim, What,
};
use crate::model::experiment::{Afterwards, Claim, Hypothesis, Plan, Verdict};
use crate::model::fault::{Mode, NodeFailure};

/// When the fault strikes: second 100.
pub const INJECTED: u64 = 100;
/// How long a sample is observed, in seconds.
pub const OBSERVED: u64 = 60;
/// Slots per second.
pub const RATE: u32 = 100;

/// Microseconds of a second of cluster time.
pub const fn at(second: u64) -> u64 {
    second * 1_000_000
}

/// A hypothesis about the sample's only journey.
pub fn hypothesis(claim: Claim) -> Hypothesis {
    Hypothesis {
        journey: "checkout".into(),
        claim,
    }
}

/// A healthy run: journey `checkout` over front-end and carts, node `a` terminated with one pod of each, every slot good.
pub fn healthy() -> History {
    let header = Header {
        format: FORMAT,
        simulation: Some(SIMULATION.into()),
        cluster: "embedded".into(),
        profile: "eks-workshop".into(),
        seed: 7,
        plan: Plan {
            name: "terminate-eks-nodes".into(),
            hypotheses: vec![hypothesis(Claim::Availability { at_least_ppm: 900_000 })],
            fault: NodeFailure::terminate().percent(40).into(),
            more_faults: Vec::new(),
            afterwards: Afterwards::Left,
            observe: Duration::from_secs(OBSERVED),
            expected: Verdict::Held,
        },
        application: "sockshop-demo".into(),
        journeys: vec![LoadedJourney {
            name: "checkout".into(),
            rate: RATE,
            requests: 9,
            path: vec!["front-end".into(), "carts".into()],
        }],
        not_modelled: Vec::new(),
        assumed: Vec::new(),
        undescribed: Vec::new(),
        stand_ins: Vec::new(),
    };
    let node = || "a".to_owned();
    let events = vec![
        Event {
            t: 0,
            what: What::NodeAdded {
                node: node(),
                zone: "z".into(),
            },
        },
        Event {
            t: 0,
            what: What::NodeAdded {
                node: "b".into(),
                zone: "z".into(),
            },
        },
        Event {
            t: at(70),
            what: What::LoadStarted,
        },
        Event {
            t: at(100),
            what: What::SteadyState { seconds: 30, met: true },
        },
        Event {
            t: at(100),
            what: What::Injected {
                fault: Mode::Terminate.name().into(),
                nodes: vec![node()],
                pods: vec![victim("carts-1", "carts"), victim("front-end-1", "front-end")],
            },
        },
        Event {
            t: at(101),
            what: What::MachineLost { node: node() },
        },
        Event {
            t: at(110),
            what: What::NodeNotReady {
                node: node(),
                status: "Unknown".into(),
            },
        },
        Event {
            t: at(112),
            what: What::NodeDeleted {
                node: node(),
                by: "cloud-controller".into(),
            },
        },
        Event {
            t: at(INJECTED + OBSERVED),
            what: What::Observed,
        },
    ];
    let seconds = (70..INJECTED + OBSERVED).map(|s| second(s, RATE)).collect();
    History {
        header,
        events,
        seconds,
        end: Some(End {
            t: at(INJECTED + OBSERVED + 1),
            max_lag: 0,
            hops: 0,
            lag: None,
            control: None,
            left_behind: Vec::new(),
        }),
    }
}

/// A pod on node `a`.
pub fn victim(pod: &str, app: &str) -> Victim {
    Victim {
        pod: pod.into(),
        app: app.into(),
        node: "a".into(),
    }
}

/// One second of journey 0 with so many good slots of [`RATE`]; the others failed 0.1 s into the second.
pub fn second(s: u64, good: u32) -> Second {
    let failed = RATE - good;
    let mut slots = String::new();
    for (count, letter) in [(good, 'g'), (failed, 'f')] {
        if count > 0 {
            slots.push_str(&count.to_string());
            slots.push(letter);
        }
    }
    let failures = (failed > 0).then(|| Failure {
        step: 0,
        kind: FailureKind::ConnectTimeout,
        count: failed,
        first: at(s) + 100_000,
    });
    Second {
        s,
        journey: 0,
        planned: RATE,
        good,
        slots,
        latency: if good > 0 { vec![(12, good)] } else { Vec::new() },
        anomalies: 0,
        failures: failures.into_iter().collect(),
    }
}

impl History {
    /// Replaces a second, counted from the injection, by one with so many good slots.
    pub fn set(&mut self, after: u64, good: u32) -> &mut Self {
        *self.at(after) = second(INJECTED + after, good);
        self
    }

    /// A second of journey 0, counted from the injection.
    ///
    /// # Panics
    /// When there is none.
    pub fn at(&mut self, after: u64) -> &mut Second {
        self.seconds
            .iter_mut()
            .find(|second| second.s == INJECTED + after && second.journey == 0)
            .expect("no such second")
    }

    /// Adds an event, by its microseconds of cluster time.
    pub fn add(&mut self, t: u64, what: What) -> &mut Self {
        let place = self.events.partition_point(|event| event.t <= t);
        self.events.insert(place, Event { t, what });
        self
    }

    /// Forgets the events of a kind.
    pub fn forget(&mut self, is: impl Fn(&What) -> bool) -> &mut Self {
        self.events.retain(|event| !is(&event.what));
        self
    }

    /// Replaces the only hypothesis.
    pub fn claim(&mut self, claim: Claim) -> &mut Self {
        self.header.plan.hypotheses = vec![hypothesis(claim)];
        self
    }
}
