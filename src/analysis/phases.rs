//! What users waited for: each bad second belongs to one phase.
//!
//! A phase lasts until its milestone; they follow each other in the order of [`Phase`], beginning with the injection. A
//! bad second belongs to the earliest unfinished phase of the *first victim* on the journey's path: in the order of the
//! path (and by name among the pods of one app) the first pod that ran on a struck node and has an unfinished phase in
//! that second. A phase that ends at t is unfinished in each second that starts before t. When no victim has one, the
//! second belongs to [`Phase::Several`].
//!
//! A milestone that was never reached is *absent* when a later one was reached, or when it cannot be reached any more
//! (`NotReady` of a deleted node, the endpoints of a pod that no service listed, serving in a history that does not see who
//! serves, as a real cluster's): its phase is skipped. Otherwise its phase lasts to the end of the observation. Serving says
//! nothing of Ready: a pod that listens may still fail its probe.

use super::victims::{Milestone, Timeline};
use super::window::Window;

/// What a bad second is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Until a user saw the first error: requests hang.
    Unnoticed,
    /// Until the node is `NotReady`: Kubernetes does not know yet.
    Detecting,
    /// Until no `EndpointSlice` lists the pod: traffic still goes to it.
    Withdrawing,
    /// Until the pod is deleted: nothing replaces it before.
    Evicting,
    /// Until the replacement has a node, and perhaps the node a machine.
    Scheduling,
    /// Until the replacement's containers run: images are pulled.
    Starting,
    /// Until the replacement is Ready.
    Readying,
    /// Until the replacement listens: without a probe it is Ready, and gets traffic, as soon as its containers run.
    Warming,
    /// No one phase: every victim on the path is replaced, or there was none.
    Several,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 9] = [
        Self::Unnoticed,
        Self::Detecting,
        Self::Withdrawing,
        Self::Evicting,
        Self::Scheduling,
        Self::Starting,
        Self::Readying,
        Self::Warming,
        Self::Several,
    ];

    /// One word, for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unnoticed => "unnoticed",
            Self::Detecting => "detecting",
            Self::Withdrawing => "withdrawing",
            Self::Evicting => "evicting",
            Self::Scheduling => "scheduling",
            Self::Starting => "starting",
            Self::Readying => "readying",
            Self::Warming => "warming",
            Self::Several => "several",
        }
    }

    /// The milestone that ends it; none ends [`Phase::Several`].
    #[must_use]
    pub const fn until(self) -> Option<Milestone> {
        match self {
            Self::Unnoticed => Some(Milestone::FirstError),
            Self::Detecting => Some(Milestone::NodeNotReady),
            Self::Withdrawing => Some(Milestone::EndpointsGone),
            Self::Evicting => Some(Milestone::PodDeleted),
            Self::Scheduling => Some(Milestone::Scheduled),
            Self::Starting => Some(Milestone::Started),
            Self::Readying => Some(Milestone::Ready),
            Self::Warming => Some(Milestone::Serving),
            Self::Several => None,
        }
    }

    /// For readers: `detecting: until node NotReady`.
    #[must_use]
    pub fn describe(self) -> String {
        match self.until() {
            Some(milestone) => format!("{}: until {}", self.name(), milestone.name()),
            None => format!("{}: no one phase", self.name()),
        }
    }
}

/// The bad seconds of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// How many bad seconds belong to it; at least 1.
    pub seconds: u64,
}

/// The ends of one victim's phases in microseconds since the injection: `u64::MAX` never ends, 0 is absent.
fn ends(timeline: &Timeline, first_error: Option<u64>) -> Vec<(Phase, u64)> {
    let mut later = false;
    let mut ends = Vec::with_capacity(Phase::ALL.len());
    for phase in Phase::ALL.into_iter().rev() {
        let Some(milestone) = phase.until() else { continue };
        let reached = if milestone == Milestone::FirstError {
            first_error
        } else {
            timeline.time(milestone)
        };
        let absent = later || timeline.passes_by(milestone);
        // Serving does not say that the pod was ever Ready, but all that is before that.
        later |= match phase {
            Phase::Warming => false,
            Phase::Readying => reached.is_some() || timeline.time(Milestone::Serving).is_some(),
            _ => reached.is_some(),
        };
        ends.push((phase, reached.unwrap_or(if absent { 0 } else { u64::MAX })));
    }
    ends.reverse();
    ends
}

/// Puts every bad second (counted from the injection's second) down to one phase; phases without any are left out.
pub(super) fn attribute(
    bad: &[u64],
    window: Window,
    first_error: Option<u64>,
    on_path: &[&Timeline],
) -> Vec<PhaseTime> {
    let ends: Vec<_> = on_path.iter().map(|timeline| ends(timeline, first_error)).collect();
    let mut counts = [0_u64; Phase::ALL.len()];
    for second in bad {
        let start = window.first.saturating_add(*second).saturating_mul(1_000_000);
        let unfinished = |end: u64| end > 0 && start < window.injected.saturating_add(end);
        let phase = ends
            .iter()
            .find_map(|ends| ends.iter().find(|(_, end)| unfinished(*end)));
        counts[phase.map_or(Phase::Several, |(phase, _)| *phase) as usize] += 1;
    }
    let time = |phase: Phase| PhaseTime {
        phase,
        seconds: counts[phase as usize],
    };
    Phase::ALL
        .into_iter()
        .map(time)
        .filter(|time| time.seconds > 0)
        .collect()
}

#[cfg(test)]
mod tests;
