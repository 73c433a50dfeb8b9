//! The tables of cases, in the simulation.

use super::rig::Rig;
use crate::model::application::Body;
use crate::model::cases::{Act, Case, TABLES, Table, table, written};
use crate::model::time::{Span, Time};
use crate::model::wire;
use crate::simulation::fabric::{PodId, Power, Process};
use crate::simulation::network::Effect;
use crate::simulation::network::frame::Outcome;
use crate::simulation::network::tables::Content;

#[test]
fn the_simulation_answers_as_the_cases_say() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (model, cases) in TABLES {
        let table = table(cases);
        for case in &table.cases {
            count += 1;
            wrong.extend(play(model, &table, case));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "{count} cases prove little");
}

struct World {
    rig: Rig,
    crashed: Vec<PodId>,
}

/// Plays a case; what went otherwise than it says.
fn play(model: &str, table: &Table, case: &Case) -> Vec<String> {
    let acts = case.acts();
    let mut world = World {
        rig: Rig::of(1, model, 1),
        crashed: Vec::new(),
    };
    let mut wrong = Vec::new();
    let (mut asked, mut user) = (0, None);
    for act in &acts {
        match act {
            Act::Ask { answer, .. } => {
                if let Some(user) = user {
                    let fabric = world.rig.fabric.clone();
                    world.rig.network.send(user, &fabric);
                } else {
                    world.begin(&journey(table, case, &acts));
                }
                let found = world.answer(asked);
                asked += 1;
                user = user.or_else(|| world.rig.network.slots.iter().next().map(|(key, _)| key));
                if found != *answer {
                    wrong.push(format!("{}: {act:?} came to `{found}`", case.name));
                }
            }
            Act::Crashed(service) => {
                let pod = world.rig.pod(service, 0);
                if world.crashed.pop() != Some(pod) {
                    wrong.push(format!("{}: {service} did not crash", case.name));
                }
            }
            Act::Wait(time) => {
                let until = world.rig.network.now + Span::from(*time);
                world.run(until);
                world.rig.network.now = until;
            }
            Act::Forget(service) => {
                let services = &mut world.rig.fabric.services;
                let known = services.iter_mut().find(|(_, name)| **name == **service);
                known.expect("a service").1 = "forgotten".into();
            }
            Act::Refuse(service) => world.change(service, |net| net.0 = Process::NotListening),
            Act::Restart(service) => world.change(service, |net| net.1 += 1),
            Act::Silence(service) => world.power(service, Power::Frozen),
            Act::Heal(service) => world.heal(service),
        }
    }
    if !world.crashed.is_empty() {
        wrong.push(format!("{}: something crashed", case.name));
    }
    wrong
}

/// The case's requests as one journey that goes on whatever comes.
fn journey(table: &Table, case: &Case, acts: &[Act]) -> String {
    let steps: Vec<String> = acts
        .iter()
        .filter_map(|act| match act {
            Act::Ask {
                request, with, gives, ..
            } => {
                let carried = with.iter().map(|name| format!(", headers: {{x-value: '${{{name}}}'}}"));
                let taken = gives
                    .iter()
                    .map(|name| format!(", extract: {{{name}: {{header: {name}}}}}"));
                Some(format!(
                    "{{request: '{request}'{}}}",
                    carried.chain(taken).collect::<String>()
                ))
            }
            _ => None,
        })
        .collect();
    let entry = case.entry(table);
    format!(
        "{{entry: {entry}, rate: 1, timeout: {}ms, steps: [{}]}}",
        case.patience(table).as_millis(),
        steps.join(", ")
    )
}

impl World {
    fn begin(&mut self, journey: &str) {
        self.rig.network.heard = Some(Vec::new());
        self.rig.now = self.rig.network.now;
        self.rig.load(journey);
        let soon = self.rig.now + Span::micros(1);
        self.rig.network.stop_load(soon);
    }

    /// Lets happen what happens until the user has so many answers, and one more.
    fn answer(&mut self, before: usize) -> String {
        for _ in 0..100_000 {
            if let Some(outcome) = self.rig.network.heard.as_ref().and_then(|heard| heard.get(before)) {
                return self.written(*outcome);
            }
            let next = self.rig.network.next();
            assert!(next < Time::NEVER, "nothing happens any more");
            self.run(next + Span::micros(1));
        }
        panic!("no answer ever comes")
    }

    /// A process that crashes is replaced at once.
    fn run(&mut self, until: Time) {
        while let Some(effect) = self.rig.network.run(until, &self.rig.fabric) {
            if let Effect::Crash { pod, .. } = effect {
                self.crashed.push(pod);
                self.end(pod, |net| net.1 += 1);
            }
        }
    }

    fn change(&mut self, service: &str, change: impl Fn(&mut (Process, u32))) {
        let pod = self.rig.pod(service, 0);
        self.end(pod, change);
    }

    fn end(&mut self, pod: PodId, change: impl Fn(&mut (Process, u32))) {
        let now = self.rig.network.now;
        let net = self.rig.fabric.pods[pod.0 as usize].as_mut().expect("a pod");
        let mut state = (net.process, net.incarnation);
        change(&mut state);
        (net.process, net.incarnation) = state;
        self.rig.network.process_ended(pod, now, &self.rig.fabric);
    }

    fn power(&mut self, service: &str, power: Power) {
        let (pod, now) = (self.rig.pod(service, 0), self.rig.network.now);
        let machine = self.rig.fabric.pod(pod).expect("a pod").machine;
        self.rig.fabric.machines[machine.0 as usize] = power;
        match power {
            Power::On => self.rig.network.machine_back(machine, now, &self.rig.fabric),
            _ => self.rig.network.machine_lost(machine, now, &self.rig.fabric),
        }
    }

    fn heal(&mut self, service: &str) {
        let pod = self.rig.pod(service, 0);
        self.power(service, Power::On);
        if self.rig.fabric.pod(pod).expect("a pod").process == Process::NotListening {
            self.rig.start(pod);
        }
    }

    fn written(&self, outcome: Outcome) -> String {
        let mut tables = (*self.rig.network.tables).clone();
        let page = tables.content(&Body::Page);
        let content = |content: Content| match content {
            Content::ERROR => wire::ERROR.to_owned(),
            Content::EMPTY => wire::content(&Body::Empty),
            other if other == page => wire::content(&Body::Page),
            other => {
                let known = tables.bodies().find(|(known, _)| *known == other);
                wire::content(known.expect("a body").1)
            }
        };
        written(match outcome {
            Outcome::Answer(status, body, items) => Some((status, content(body), items)),
            Outcome::Failed(_) => None,
        })
    }
}
