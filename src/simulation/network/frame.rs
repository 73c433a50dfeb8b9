//! A request in flight: from the moment its caller makes it until both sides are done with it.

use super::slab::Key;
use super::tables::Content;
use crate::model::application::Reaction;
use crate::model::history::FailureKind;
use crate::model::time::Time;
use crate::simulation::fabric::{MachineId, Origin, PodId};

/// No position in a list of calls.
pub(super) const NOWHERE: u16 = u16::MAX;

/// Who waits for a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    /// Nobody any more: the handler goes on, its answer is dropped.
    Nobody,
    /// A user's slot.
    User(Key),
    /// A probe of a pod: which run.
    Probe(PodId, u32),
    /// A handler, which is a request itself.
    Handler(Key),
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The name is being looked up.
    LookingUp,
    /// SYNs are being sent.
    Connecting,
    /// It will fail, and when is known.
    Doomed,
    /// At a pod that serves it.
    Serving,
    /// At a process that has just crashed.
    Crashing,
    /// Sent to a machine that went silent: only a time-out ends it.
    Hung,
    /// Waits for a connection of a pool that is all busy.
    Queued,
    /// Failed before, waits to be made again.
    Waiting,
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer: status, body, and the item count when it carries one.
    Answer(u16, Content, Option<u32>),
    /// No answer at all.
    Failed(FailureKind),
}

impl Outcome {
    /// An answer with an error body.
    pub(super) const fn error(status: u16) -> Self {
        Self::Answer(status, Content::ERROR, None)
    }

    /// The status of an answer; `None`: there was none.
    pub(super) const fn status(self) -> Option<u16> {
        match self {
            Self::Answer(status, ..) => Some(status),
            Self::Failed(_) => None,
        }
    }
}

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) caller: Caller,
    /// The slot for whose user all this happens.
    pub(super) user: Key,
    /// In [`super::tables::Tables::calls`], for a handler's call.
    pub(super) call: u32,
    /// In [`super::tables::Tables::targets`].
    pub(super) target: u32,
    /// The place among calls made at the same time.
    pub(super) position: u16,
    pub(super) phase: Phase,
    /// Tries of the present phase so far.
    pub(super) attempt: u8,
    /// How often the call was made before.
    pub(super) tries: u8,
    /// A look-up or connect was tried again.
    pub(super) late: bool,
    pub(super) from: Origin,
    /// The node through which a load balancer sent it.
    pub(super) via: Option<MachineId>,
    /// When the caller waits no longer.
    pub(super) deadline: Time,

    /// The pod that serves it, from [`Phase::Serving`] on.
    pub(super) pod: PodId,
    pub(super) incarnation: u32,
    pub(super) machine: MachineId,
    pub(super) route: u32,
    /// The next step of its route.
    pub(super) step: u32,
    /// Calls of the present step not yet returned.
    pub(super) pending: u16,
    /// The first position whose call failed, and what to do about it.
    pub(super) decided: u16,
    pub(super) reaction: Reaction,
    /// What its end brings: known in advance, or the failed call's.
    pub(super) outcome: Outcome,
    pub(super) count: Option<u32>,
}

impl Frame {
    /// A request just made.
    #[inline]
    pub(super) fn new(caller: Caller, user: Key, target: u32, from: Origin, deadline: Time) -> Self {
        Self {
            caller,
            user,
            call: u32::MAX,
            target,
            position: 0,
            phase: Phase::Connecting,
            attempt: 0,
            tries: 0,
            late: false,
            from,
            via: None,
            deadline,
            pod: PodId(u32::MAX),
            incarnation: 0,
            machine: MachineId(u32::MAX),
            route: u32::MAX,
            step: 0,
            pending: 0,
            decided: NOWHERE,
            reaction: Reaction::Ignore,
            outcome: Outcome::Failed(FailureKind::Reset),
            count: None,
        }
    }
}
