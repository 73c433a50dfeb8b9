//! Whether a roll-out makes progress, and in time.
//!
//! Source: pkg/controller/deployment/progress.go (`syncRolloutStatus`, `requeueStuckDeployment`), sync.go (`checkPausedConditions`,
//! `getNewReplicaSet`), util/deployment_util.go (`DeploymentComplete`, `DeploymentProgressing`, `DeploymentTimedOut`).

use std::sync::Arc;

use super::super::super::event::Event;
use super::super::super::objects::workload::{Deployment, DeploymentStatus, Progress, ProgressReason};
use super::super::super::world::World;
use crate::model::time::{Span, Time};

/// A check comes so much after the deadline, and a look that finds it too early comes again (`requeueStuckDeployment`).
const LATE: Span = Span::secs(1);

/// Whether a look at a Deployment judges its progress: not while it is paused or scaled (sync.go `syncDeploymentStatus`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Estimate {
    Yes,
    No,
}

/// The condition after a look that found this status.
pub(super) fn progress(
    body: &Deployment,
    status: &DeploymentStatus,
    newest: Option<&Arc<str>>,
    now: Time,
) -> Option<Progress> {
    let deadline = body.deadline?;
    let known = body.progress.as_ref();
    let of = |reason| Some(noted(known, reason, newest.cloned().unwrap_or_default(), now));
    let reason = known.map(|it| it.reason);
    let old = |status: &DeploymentStatus| status.replicas.saturating_sub(status.updated);
    if reason == Some(ProgressReason::Available) && status.replicas == status.updated {
        // The roll-out has ended: pods lost since then are not its business.
        known.cloned()
    } else if [status.updated, status.replicas, status.available] == [body.replicas; 3] {
        of(ProgressReason::Available)
    } else if status.updated > body.status.updated
        || old(status) < old(&body.status)
        || status.ready > body.status.ready
        || status.available > body.status.available
    {
        // The time of progress is new even where the reason is not.
        of(ProgressReason::Updated).map(|it| Progress { updated: now, ..it })
    } else if known.is_some_and(|it| it.reason != ProgressReason::Available && it.updated + deadline < now) {
        of(ProgressReason::Exceeded)
    } else {
        known.cloned()
    }
}

/// A reason in the place of another: nothing changes where it is the same, and the time of the transition stays where the status does
/// (`SetDeploymentCondition`).
fn noted(known: Option<&Progress>, reason: ProgressReason, set: Arc<str>, now: Time) -> Progress {
    match known {
        Some(it) if it.reason == reason => it.clone(),
        _ => Progress {
            reason,
            set,
            updated: now,
            since: known
                .filter(|it| it.reason.status() == reason.status())
                .map_or(now, |it| it.since),
        },
    }
}

impl World {
    fn set_progress(&mut self, row: u32, reason: ProgressReason, set: Arc<str>) {
        let now = self.now;
        self.store.deployments.update(&mut self.store.versions, row, |it| {
            it.body.progress = Some(noted(it.body.progress.as_ref(), reason, set, now));
        });
    }

    /// A paused Deployment's time does not run (`checkPausedConditions`).
    pub(super) fn note_pause(&mut self, row: u32, paused: bool) {
        let Some(it) = self.store.deployments.get(row) else {
            return;
        };
        let reason = it.body.progress.as_ref().map(|it| it.reason);
        if it.body.deadline.is_none() || reason == Some(ProgressReason::Exceeded) {
            return;
        }
        match (paused, reason == Some(ProgressReason::Paused)) {
            (true, false) => self.set_progress(row, ProgressReason::Paused, Arc::default()),
            (false, true) => self.set_progress(row, ProgressReason::Resumed, Arc::default()),
            _ => {}
        }
    }

    /// The newest ReplicaSet was made, or found by a look that had noted nothing yet (`getNewReplicaSet`).
    pub(super) fn note_set(&mut self, row: u32, set: u32, reason: ProgressReason) {
        let Some(it) = self.store.deployments.get(row) else {
            return;
        };
        let known = it.body.progress.is_some() && reason == ProgressReason::Found;
        if it.body.deadline.is_some()
            && !known
            && let Some(set) = self.store.replica_sets.get(set).map(|set| set.meta.name.clone())
        {
            self.set_progress(row, reason, set);
        }
    }

    /// When a Deployment is to be looked at because its time has run out; `None`: it need not be.
    fn progress_ends(&self, row: u32) -> Option<Time> {
        let body = &self.store.deployments.get(row)?.body;
        let progress = body.progress.as_ref()?;
        match progress.reason {
            ProgressReason::Available | ProgressReason::Exceeded | ProgressReason::Paused => None,
            _ => Some(progress.updated + body.deadline? + LATE),
        }
    }

    pub(super) fn watch_progress(&mut self, row: u32) {
        if let Some(at) = self.progress_ends(row)
            && self.dirty.progress.insert(row)
        {
            self.queue.post(at.max(self.now + LATE), Event::ProgressCheck(row));
        }
    }

    pub(in crate::simulation) fn check_progress(&mut self, row: u32) {
        self.dirty.progress.remove(&row);
        match self.progress_ends(row) {
            Some(at) if at <= self.now => self.update_status(row, Estimate::Yes),
            Some(_) => self.watch_progress(row),
            None => {}
        }
    }
}
