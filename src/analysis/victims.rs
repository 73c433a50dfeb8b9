//! The pods that ran on the struck nodes: what became of each, and when.

use std::collections::{BTreeMap, BTreeSet};

use super::window::Window;
use crate::model::history::{History, Victim, What};

/// A point on a victim's way from the injection to its replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Milestone {
    /// A user saw the first failure of the journey after the injection (the same for all its victims).
    FirstError,
    /// The Ready condition of the victim's node became Unknown or False.
    NodeNotReady,
    /// No `EndpointSlice` lists the victim any more.
    EndpointsGone,
    /// The victim got its deletion timestamp.
    PodDeleted,
    /// The replacement was bound to a node.
    Scheduled,
    /// The replacement's containers run.
    Started,
    /// The replacement's Ready condition became True.
    Ready,
    /// The replacement's process listens. Kubernetes does not see it without probes; an embedded cluster does.
    Serving,
}

impl Milestone {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::FirstError,
        Self::NodeNotReady,
        Self::EndpointsGone,
        Self::PodDeleted,
        Self::Scheduled,
        Self::Started,
        Self::Ready,
        Self::Serving,
    ];

    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstError => "first error",
            Self::NodeNotReady => "node NotReady",
            Self::EndpointsGone => "endpoints gone",
            Self::PodDeleted => "pod deleted",
            Self::Scheduled => "replacement scheduled",
            Self::Started => "replacement started",
            Self::Ready => "replacement Ready",
            Self::Serving => "replacement serving",
        }
    }
}

/// When the victims on a journey's path reached a milestone. Times are microseconds since the injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MilestoneTimes {
    /// The milestone.
    pub milestone: Milestone,
    /// When the first of them did.
    pub first: u64,
    /// When the last of them did.
    pub last: u64,
    /// How many did.
    pub reached: u32,
    /// Of how many victims on the path.
    pub victims: u32,
}

/// One victim's milestones; times are microseconds since the injection.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub victim: Victim,
    /// By milestone; of [`Milestone::FirstError`], which is the journey's, always `None`.
    times: [Option<u64>; 8],
    /// Whether its node object was deleted: then it will never become `NotReady`.
    node_deleted: bool,
    /// Whether the history sees who serves: a real cluster's does not.
    sees_serving: bool,
    /// Whether a service listed it when the fault struck: otherwise it can be withdrawn from none.
    listed: bool,
}

impl Timeline {
    /// When a milestone was reached.
    pub fn time(&self, milestone: Milestone) -> Option<u64> {
        self.times[milestone as usize]
    }

    /// Whether this victim never passes a milestone that it has not reached.
    pub const fn passes_by(&self, milestone: Milestone) -> bool {
        match milestone {
            Milestone::NodeNotReady => self.node_deleted,
            Milestone::EndpointsGone => !self.listed,
            Milestone::Serving => !self.sees_serving,
            _ => false,
        }
    }
}

/// The victims of all injections, by name in order.
pub(super) fn of(history: &History) -> Vec<Victim> {
    let mut victims: Vec<Victim> = Vec::new();
    for event in &history.events {
        if let What::Injected { pods, .. } = &event.what {
            victims.extend(pods.iter().cloned());
        }
    }
    // Who was struck twice keeps the first time's node.
    victims.sort_by(|a, b| a.pod.cmp(&b.pod));
    victims.dedup_by(|later, first| later.pod == first.pod);
    victims
}

/// When each victim was struck: microseconds since the first injection.
fn strikes(history: &History, window: Window) -> BTreeMap<&str, u64> {
    let mut strikes: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &history.events {
        if let What::Injected { pods, .. } = &event.what {
            let t = window.since(event.t);
            for victim in pods {
                let first = strikes.entry(&victim.pod).or_insert(t);
                *first = t.min(*first);
            }
        }
    }
    strikes
}

/// The times of what happened to each name.
#[derive(Default)]
struct Firsts<'a>(BTreeMap<&'a str, BTreeSet<u64>>);

impl<'a> Firsts<'a> {
    fn see(&mut self, name: &'a str, t: u64) {
        self.0.entry(name).or_default().insert(t);
    }

    /// The first time.
    fn of(&self, name: &str) -> Option<u64> {
        self.from(name, 0)
    }

    /// The first time at or after `t`.
    fn from(&self, name: &str, t: u64) -> Option<u64> {
        self.0.get(name)?.range(t..).next().copied()
    }
}

/// What happened in the observation, by pod and node; times are microseconds since the injection.
#[derive(Default)]
struct Seen<'a> {
    not_ready: Firsts<'a>,
    node_deleted: Firsts<'a>,
    machine_back: Firsts<'a>,
    deleted: Firsts<'a>,
    pod_not_ready: Firsts<'a>,
    scheduled: Firsts<'a>,
    started: Firsts<'a>,
    ready: Firsts<'a>,
    serving: Firsts<'a>,
    /// New pods of each app, by creation and name.
    created: BTreeMap<&'a str, BTreeSet<(u64, &'a str)>>,
}

impl<'a> Seen<'a> {
    fn in_observation(history: &'a History, window: Window) -> Self {
        let mut seen = Self::default();
        for event in history.events.iter().filter(|event| window.holds(event.t)) {
            let t = window.since(event.t);
            match &event.what {
                What::NodeNotReady { node, .. } => seen.not_ready.see(node, t),
                What::NodeDeleted { node, .. } => seen.node_deleted.see(node, t),
                What::MachineBack { node, .. } => seen.machine_back.see(node, t),
                What::PodNotReady { pod, .. } => seen.pod_not_ready.see(pod, t),
                What::PodDeleted { pod, .. } => seen.deleted.see(pod, t),
                What::PodScheduled { pod, .. } => seen.scheduled.see(pod, t),
                What::PodStarted { pod, .. } => seen.started.see(pod, t),
                What::PodReady { pod, .. } => seen.ready.see(pod, t),
                What::PodServing { pod, .. } => seen.serving.see(pod, t),
                What::PodCreated { pod, app } => {
                    seen.created.entry(app).or_default().insert((t, pod));
                }
                _ => {}
            }
        }
        seen
    }

    /// When a victim came back in its own place, because its machine did, before it was deleted: started, Ready, serving. Then it is its
    /// own replacement.
    fn back(&self, victim: &Victim, struck: u64) -> Option<(Option<u64>, u64, Option<u64>)> {
        let machine = self.machine_back.from(&victim.node, struck)?;
        let after = |firsts: &Firsts<'_>| firsts.from(&victim.pod, machine);
        let serving = after(&self.serving);
        // One whose condition nobody changed is Ready as soon as it serves.
        let ready = after(&self.ready).or_else(|| {
            let unready = self.pod_not_ready.from(&victim.pod, struck).is_some();
            serving.filter(|_| !unready)
        })?;
        let back = ready.max(serving.unwrap_or(0));
        let deleted = self.deleted.from(&victim.pod, struck);
        deleted
            .is_none_or(|deleted| deleted > back)
            .then(|| (after(&self.started), ready, serving))
    }

    /// The replacement of each victim. Of one app, the k-th victim in the order of deletion gets the first pod that no
    /// victim before it got and that was created at or after its deletion; without one (or without a deletion), the
    /// first such pod created after the injection.
    fn replacements<'v>(&self, victims: &[&'v Victim]) -> BTreeMap<&'v str, &'a str> {
        let mut in_order: Vec<_> = victims
            .iter()
            .map(|&victim| (self.deleted.of(&victim.pod).unwrap_or(u64::MAX), victim))
            .collect();
        in_order.sort_by(|(t, a), (u, b)| (t, &a.pod).cmp(&(u, &b.pod)));
        let mut free = self.created.clone();
        let mut replacements = BTreeMap::new();
        for (deleted, victim) in in_order {
            let Some(new) = free.get_mut(victim.app.as_str()) else {
                continue;
            };
            let Some(next) = new.range((deleted, "")..).next().or_else(|| new.first()).copied() else {
                continue;
            };
            new.remove(&next);
            replacements.insert(victim.pod.as_str(), next.1);
        }
        replacements
    }
}

/// What became of each victim, in the order of `victims`.
pub(super) fn timelines(history: &History, window: Window, victims: &[Victim]) -> Vec<Timeline> {
    let seen = Seen::in_observation(history, window);
    let strikes = strikes(history, window);
    let struck = |victim: &Victim| strikes.get(victim.pod.as_str()).copied().unwrap_or(0);
    // Who comes back in its own place needs no replacement.
    let replaced: Vec<&Victim> = victims
        .iter()
        .filter(|victim| seen.back(victim, struck(victim)).is_none())
        .collect();
    let replacements = seen.replacements(&replaced);
    let services = Services::before(history, window);
    let sees_serving = history
        .events
        .iter()
        .any(|event| matches!(event.what, What::PodServing { .. }));
    let timeline = |victim: &Victim| {
        let struck = struck(victim);
        let listing = services.listing(&victim.pod);
        let mut times = [None; 8];
        times[Milestone::NodeNotReady as usize] = seen.not_ready.from(&victim.node, struck);
        times[Milestone::EndpointsGone as usize] = services.withdrawn(&listing, &victim.pod, window);
        let back = seen.back(victim, struck);
        if back.is_none() {
            let replacement = replacements.get(victim.pod.as_str());
            let of_new = |firsts: &Firsts<'_>| replacement.and_then(|pod| firsts.of(pod));
            times[Milestone::PodDeleted as usize] = seen.deleted.of(&victim.pod);
            times[Milestone::Scheduled as usize] = of_new(&seen.scheduled);
            times[Milestone::Started as usize] = of_new(&seen.started);
            times[Milestone::Ready as usize] = of_new(&seen.ready);
            times[Milestone::Serving as usize] = of_new(&seen.serving);
        }
        if let Some((started, ready, serving)) = back {
            times[Milestone::Started as usize] = started;
            times[Milestone::Ready as usize] = Some(ready);
            times[Milestone::Serving as usize] = serving;
        }
        Timeline {
            times,
            node_deleted: seen.node_deleted.from(&victim.node, struck).is_some(),
            sees_serving,
            listed: !listing.is_empty(),
            victim: victim.clone(),
        }
    };
    victims.iter().map(timeline).collect()
}

/// The endpoints of every service: as they were when the fault struck, and their changes in the observation.
struct Services<'a> {
    /// The time of the last change before the injection, and whom the service listed then.
    before: BTreeMap<&'a str, (u64, BTreeSet<&'a str>)>,
    changes: BTreeMap<&'a str, Vec<(u64, &'a [String])>>,
}

impl<'a> Services<'a> {
    fn before(history: &'a History, window: Window) -> Self {
        let mut services = Self {
            before: BTreeMap::new(),
            changes: BTreeMap::new(),
        };
        for event in &history.events {
            let What::Endpoints { service, ready } = &event.what else {
                continue;
            };
            if event.t < window.injected {
                let (t, listed) = services.before.entry(service).or_default();
                if event.t > *t {
                    listed.clear();
                }
                if event.t >= *t {
                    *t = event.t;
                    listed.extend(ready.iter().map(String::as_str));
                }
            } else if window.holds(event.t) {
                services.changes.entry(service).or_default().push((event.t, ready));
            }
        }
        services
    }

    /// The services that listed a pod when the fault struck.
    fn listing(&self, pod: &str) -> Vec<&'a str> {
        self.before
            .iter()
            .filter(|(_, (_, listed))| listed.contains(pod))
            .map(|(service, _)| *service)
            .collect()
    }

    /// When the last of these services dropped the pod: microseconds since the injection.
    fn withdrawn(&self, services: &[&str], pod: &str, window: Window) -> Option<u64> {
        let dropped = |service: &&str| {
            let changes = self.changes.get(service)?.iter();
            changes
                .filter(|(_, ready)| !ready.iter().any(|listed| listed == pod))
                .map(|(t, _)| window.since(*t))
                .min()
        };
        services
            .iter()
            .map(dropped)
            .collect::<Option<Vec<u64>>>()?
            .into_iter()
            .max()
    }
}

/// The victims whose app is on a path, in the order of the path and by name.
pub(super) fn on_path<'a>(timelines: &'a [Timeline], path: &[String]) -> Vec<&'a Timeline> {
    let place = |timeline: &Timeline| path.iter().position(|app| *app == timeline.victim.app);
    let mut on_path: Vec<_> = timelines
        .iter()
        .filter_map(|timeline| place(timeline).map(|place| (place, timeline)))
        .collect();
    on_path.sort_by_key(|(place, _)| *place);
    on_path.into_iter().map(|(_, timeline)| timeline).collect()
}

/// When a slot of the journey first failed after the injection: microseconds since then.
pub(super) fn first_error(history: &History, journey: usize, window: Window) -> Option<u64> {
    let seconds = history
        .seconds
        .iter()
        .filter(|second| second.journey as usize == journey && second.s < window.end);
    let failures = seconds.flat_map(|second| &second.failures).map(|failure| failure.first);
    failures
        .filter(|&t| t >= window.injected)
        .min()
        .map(|t| window.since(t))
}

/// First and last time of each milestone that a victim on the path reached.
pub(super) fn milestones(first_error: Option<u64>, on_path: &[&Timeline]) -> Vec<MilestoneTimes> {
    let victims = u32::try_from(on_path.len()).unwrap_or(u32::MAX);
    let times = |milestone| {
        let mut times: Vec<u64> = match milestone {
            Milestone::FirstError => on_path.iter().filter_map(|_| first_error).collect(),
            _ => on_path.iter().filter_map(|timeline| timeline.time(milestone)).collect(),
        };
        times.sort_unstable();
        let (&first, &last) = (times.first()?, times.last()?);
        Some(MilestoneTimes {
            milestone,
            first,
            last,
            reached: u32::try_from(times.len()).unwrap_or(u32::MAX),
            victims,
        })
    };
    Milestone::ALL.into_iter().filter_map(times).collect()
}
