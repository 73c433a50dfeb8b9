//! The endpoint lists of all kube-proxies, without a list per machine and Service.
//!
//! A change of a Service reaches every machine after a delay of its own. Nobody looks at most of these lists, so a change keeps
//! the state of the stream that its delays come from, and the delay of a machine is drawn when somebody looks: the numbers are
//! those that would have been drawn for all machines at once. Changes are forgotten when all machines have them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{MachineId, Origin, PodId, Power, ServiceId};
use crate::model::random::Stream;
use crate::model::time::{Span, Time};

/// The lists of all kube-proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// By [`ServiceId`].
    services: Vec<Lists>,
    /// Since when each machine's kube-proxy runs, by [`MachineId`]: it starts with the lists as they are.
    started: Vec<Time>,
    /// Which machines were on at the last change.
    powered: Arc<[Power]>,
}

/// The lists of one Service.
#[derive(Clone, Debug, Default)]
struct Lists {
    newest: Arc<[PodId]>,
    /// The list before the first of the changes.
    before: Arc<[PodId]>,
    /// Changes that some machine may not have yet, the oldest first.
    changes: VecDeque<Change>,
    /// Not before this time has every kube-proxy the newest.
    settled: Time,
}

/// A change on its way.
#[derive(Clone, Debug)]
struct Change {
    at: Time,
    list: Arc<[PodId]>,
    /// Its delay to the kube-proxy outside.
    outside: Span,
    /// The delays to the machines: one draw for each that was powered, in their order.
    delays: Stream,
    bounds: (Span, Span),
    powered: Arc<[Power]>,
}

impl Change {
    /// When a kube-proxy takes over what is the newest by then; `None`: it never hears of this change.
    fn reaches(&self, origin: Origin) -> Option<Time> {
        let delay = match origin {
            Origin::Outside => self.outside,
            Origin::Machine(machine) => {
                let before = self.powered.get(..=machine.0 as usize)?;
                let (own, others) = before.split_last()?;
                if *own != Power::On {
                    return None;
                }
                let mut stream = self.delays.clone();
                let (from, to) = self.bounds;
                for _ in others.iter().filter(|&&power| power == Power::On) {
                    stream.span(from, to);
                }
                stream.span(from, to)
            }
        };
        Some(self.at + delay)
    }

    /// When the last kube-proxy has heard of it.
    fn settled(&self) -> Time {
        self.at + self.bounds.0.max(self.bounds.1)
    }
}

impl Lists {
    /// The list of a kube-proxy that runs since `started`: the newest when it last took one over.
    fn of(&self, origin: Origin, started: Time, now: Time) -> &Arc<[PodId]> {
        if now >= self.settled {
            return &self.newest;
        }
        let taken = self
            .changes
            .iter()
            .filter_map(|change| change.reaches(origin))
            .filter(|&at| at <= now)
            .fold(started, Time::max);
        let seen = self.changes.partition_point(|change| change.at <= taken);
        seen.checked_sub(1)
            .and_then(|last| self.changes.get(last))
            .map_or(&self.before, |change| &change.list)
    }

    /// Forgets what can no longer be anybody's list.
    fn forget(&mut self, now: Time) {
        if now >= self.settled {
            self.changes.clear();
            self.before = self.newest.clone();
            return;
        }
        // All machines have taken over this one, or one after it: nothing that had reached all before it can be the latest.
        let heard = self
            .changes
            .iter()
            .rev()
            .find(|change| change.settled() <= now)
            .map(|change| change.at);
        while let Some(heard) = heard
            && self.changes.front().is_some_and(|oldest| oldest.settled() <= heard)
            && let Some(oldest) = self.changes.pop_front()
        {
            self.before = oldest.list;
        }
    }
}

impl Proxies {
    /// The newest endpoints of a Service, which may still be on their way to some.
    #[must_use]
    pub fn newest(&self, service: ServiceId) -> &[PodId] {
        self.services.get(service.0 as usize).map_or(&[], |lists| &lists.newest)
    }

    /// What a kube-proxy's list of a Service's endpoints is at a time, which is not before the last change.
    #[inline]
    #[must_use]
    pub fn list(&self, origin: Origin, service: ServiceId, now: Time) -> &[PodId] {
        let Some(lists) = self.services.get(service.0 as usize) else {
            return &[];
        };
        let started = match origin {
            Origin::Outside => Time::ZERO,
            Origin::Machine(machine) => self.started.get(machine.0 as usize).copied().unwrap_or_default(),
        };
        lists.of(origin, started, now)
    }

    /// A Service's endpoints change; the news reaches every kube-proxy after its own delay within the bounds, drawn from `stream`: the
    /// one outside first, then those of the machines that are on.
    pub fn change(
        &mut self,
        service: ServiceId,
        list: Arc<[PodId]>,
        now: Time,
        bounds: (Span, Span),
        stream: &mut Stream,
        machines: &[Power],
    ) {
        let outside = stream.span(bounds.0, bounds.1);
        let delays = stream.clone();
        for _ in machines.iter().filter(|&&power| power == Power::On) {
            stream.span(bounds.0, bounds.1);
        }
        let powered = self.powered(machines);
        let lists = self.lists(service);
        lists.forget(now);
        let change = Change {
            at: now,
            list: list.clone(),
            outside,
            delays,
            bounds,
            powered,
        };
        lists.settled = lists.settled.max(change.settled());
        lists.changes.push_back(change);
        lists.newest = list;
    }

    /// All kube-proxies have this list at once.
    pub fn set(&mut self, service: ServiceId, list: Arc<[PodId]>) {
        *self.lists(service) = Lists {
            newest: list.clone(),
            before: list,
            ..Lists::default()
        };
    }

    /// A machine's kube-proxy starts with the lists as they are.
    pub fn start(&mut self, machine: MachineId, now: Time) {
        let index = machine.0 as usize;
        if self.started.len() <= index {
            self.started.resize(index + 1, Time::ZERO);
        }
        self.started[index] = now;
    }

    fn lists(&mut self, service: ServiceId) -> &mut Lists {
        let index = service.0 as usize;
        if self.services.len() <= index {
            self.services.resize_with(index + 1, Lists::default);
        }
        &mut self.services[index]
    }

    /// Which machines are on, shared by the changes between which it stays.
    fn powered(&mut self, machines: &[Power]) -> Arc<[Power]> {
        if *self.powered != *machines {
            self.powered = machines.into();
        }
        self.powered.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every list written down, and every arrival an event: what [`Proxies`] stands for.
    #[derive(Default)]
    struct Written {
        newest: Arc<[PodId]>,
        outside: Arc<[PodId]>,
        inside: Vec<Arc<[PodId]>>,
        /// When which kube-proxy takes over the newest; `None`: the one outside.
        arrivals: Vec<(Time, Option<usize>)>,
    }

    impl Written {
        fn until(&mut self, now: Time) {
            self.arrivals.sort();
            while let Some(&(at, proxy)) = self.arrivals.first()
                && at <= now
            {
                self.arrivals.remove(0);
                match proxy {
                    None => self.outside = self.newest.clone(),
                    Some(machine) => self.inside[machine] = self.newest.clone(),
                }
            }
        }
    }

    #[test]
    fn lists_are_those_of_kube_proxies_that_each_take_over_the_newest_after_their_own_delay() {
        const SERVICE: ServiceId = ServiceId(3);
        let bounds = (Span::millis(20), Span::secs(1));
        let mut differed = 0;
        for seed in 0..40 {
            let mut chance = Stream::new(seed, "test");
            let (mut lazy, mut eager) = (Stream::new(seed, "delays"), Stream::new(seed, "delays"));
            let mut machines = vec![Power::On; 12];
            let mut proxies = Proxies::default();
            let mut written = Written {
                inside: vec![Arc::default(); machines.len()],
                ..Written::default()
            };
            let mut now = Time::ZERO;
            for step in 0..300 {
                // Mostly faster than the news travel, now and then all have settled.
                let pause = if chance.chance(50_000) {
                    Span::secs(5)
                } else {
                    Span::millis(300)
                };
                now += chance.span(Span(1), pause);
                written.until(Time(now.0 - 1));
                match chance.index(10) {
                    0 => {
                        let machine = chance.index(machines.len());
                        machines[machine] = if machines[machine] == Power::On {
                            Power::Off
                        } else {
                            proxies.start(MachineId(machine as u32), now);
                            written.inside[machine] = written.newest.clone();
                            Power::On
                        };
                    }
                    1..5 => {
                        let list: Arc<[PodId]> = [PodId(step)].into();
                        proxies.change(SERVICE, list.clone(), now, bounds, &mut lazy, &machines);
                        written.newest = list;
                        written.arrivals.push((now + eager.span(bounds.0, bounds.1), None));
                        for (machine, _) in machines.iter().enumerate().filter(|(_, power)| **power == Power::On) {
                            let at = now + eager.span(bounds.0, bounds.1);
                            written.arrivals.push((at, Some(machine)));
                        }
                    }
                    _ => {}
                }
                written.until(now);
                assert_eq!(proxies.list(Origin::Outside, SERVICE, now), &*written.outside);
                for (machine, _) in machines.iter().enumerate().filter(|(_, power)| **power == Power::On) {
                    let list = proxies.list(Origin::Machine(MachineId(machine as u32)), SERVICE, now);
                    assert_eq!(
                        list, &*written.inside[machine],
                        "machine {machine} at {now:?}, seed {seed}"
                    );
                    differed += usize::from(*list != *written.newest);
                }
                let kept = proxies.services.get(SERVICE.0 as usize);
                assert!(
                    kept.is_none_or(|lists| lists.changes.len() < 60),
                    "old changes are forgotten"
                );
            }
            assert_eq!(lazy.below(u64::MAX), eager.below(u64::MAX), "as many draws");
        }
        assert!(differed > 1_000, "the lists hardly ever differed from the newest");
    }
}
