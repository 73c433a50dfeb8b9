//! The Job controller: pods that run until enough of them have ended well.
//!
//! Source: pkg/controller/job/job_controller.go (`syncJob`, `manageJob`, `trackJobStatusAndRemoveFinalizers`), backoff_utils.go;
//! pkg/controller/ttlafterfinished. What Kubernetes keeps by a finalizer on each pod, that none is counted twice or not at all, is
//! kept here in [`Jobs`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::api::{ApiError, ApiStore as _, DeleteOptions};
use super::super::event::Event;
use super::super::objects::container::ContainerStatus;
use super::super::objects::job::{Condition, Job, JobStatus};
use super::super::objects::meta::Owner;
use super::super::objects::pod::{Phase, Pod};
use super::super::objects::resources::JOBS;
use super::super::objects::table::Row;
use super::super::objects::template::{PodTemplate, Restart};
use super::super::world::{World, draw};
use crate::model::history::What;
use crate::model::time::{Span, Time};

/// Syncs that pods set off are gathered for so long: `SyncJobBatchPeriod`.
const BATCH: Span = Span::secs(1);
/// The first pause after a failure: `DefaultJobPodFailureBackOff`.
const BACK_OFF: Span = Span::secs(10);
/// The longest: `MaxJobPodFailureBackOff`.
const LONGEST_BACK_OFF: Span = Span::secs(600);
/// Pods created or deleted in one sync: `MaxPodCreateDeletePerSync`.
const AT_A_TIME: usize = 500;

/// The index of a pod of an indexed Job, as label and as annotation.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// What the controller remembers.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    /// When each Job is looked at next, when it is.
    posted: BTreeMap<u32, Time>,
    /// Pods that have been counted, or are not to be.
    counted: BTreeSet<u32>,
    /// Pods that are gone and not yet counted, by their Job's uid.
    gone: BTreeMap<u64, Vec<Ending>>,
    /// Failures since the last success, and when the last one was, by the Job's uid.
    failures: BTreeMap<u64, (u32, Time)>,
}

/// How a pod ended, for its Job.
#[derive(Clone, Copy, Debug)]
struct Ending {
    well: bool,
    at: Time,
    index: Option<u32>,
}

impl World {
    /// A Job was made or changed.
    pub(in crate::simulation) fn job_changed(&mut self, row: u32) {
        let delay = draw(&mut self.chance.jobs, self.profile.controllers.notice);
        self.look_at_job(row, delay);
    }

    /// A pod of a Job changed.
    pub(in crate::simulation) fn job_pod_changed(&mut self, row: u32) {
        self.look_at_job(row, BATCH);
    }

    fn look_at_job(&mut self, row: u32, delay: Span) {
        let at = self.now + delay;
        if self.jobs.posted.get(&row).is_none_or(|&posted| posted > at) {
            self.jobs.posted.insert(row, at);
            self.queue.post(at, Event::Job(row));
        }
    }

    /// A pod's object goes: what its Job has not counted yet must not be lost.
    pub(in crate::simulation) fn job_pod_gone(&mut self, pod: u32) {
        let Some(row) = self.store.pods.shared(pod).cloned() else {
            return;
        };
        let Some(owner) = row.meta.owner.as_ref().filter(|owner| owner.kind == "Job") else {
            return;
        };
        if !self.jobs.counted.remove(&pod) {
            let ending = ending(&row, self.now);
            self.jobs.gone.entry(owner.uid).or_default().push(ending);
        }
    }

    /// A Job's object is gone.
    pub(in crate::simulation) fn forget_job(&mut self, uid: u64) {
        self.jobs.gone.remove(&uid);
        self.jobs.failures.remove(&uid);
    }

    pub(in crate::simulation) fn sync_job(&mut self, row: u32) {
        match self.jobs.posted.get(&row) {
            Some(&at) if at <= self.now => self.jobs.posted.remove(&row),
            _ => return,
        };
        let Some(job) = self.store.jobs.shared(row).cloned() else {
            return;
        };
        if job.meta.deletion.is_some() || job.body.status.finished().is_some() {
            return;
        }
        let mut status = job.body.status.clone();
        if status.started.is_none() && !job.body.suspended {
            status.started = Some(self.now);
        }
        self.count(&job, &mut status);
        if let Some((kind, reason, message)) = self.finishing(&job, &status) {
            for pod in self.active_pods(job.meta.uid) {
                self.delete_pod(pod, "job", None);
            }
            status.conditions.push(condition(kind, reason, message, self.now));
        } else if !status.has("SuccessCriteriaMet") && !status.has("FailureTarget") {
            self.manage(row, &job, &mut status);
        }
        self.recount(&job, &mut status);
        self.conclude(&mut status);
        self.write_job(row, &job, status);
    }

    /// Counts the pods that have ended since the last look.
    fn count(&mut self, job: &Row<Job>, status: &mut JobStatus) {
        let mut endings = self.jobs.gone.remove(&job.meta.uid).unwrap_or_default();
        let pods: Vec<u32> = self.owned.get(&job.meta.uid).into_iter().flatten().copied().collect();
        for pod in pods {
            let Some(it) = self.store.pod(pod) else { continue };
            // One that is being deleted counts as failed, unless only failed ones are replaced (`isPodFailed`).
            let leaving = it.meta.deletion.is_some() && !job.body.replaces_failed_only;
            if (it.body.is_finished() || leaving) && !self.jobs.counted.contains(&pod) {
                endings.push(ending(it, self.now));
                self.jobs.counted.insert(pod);
            }
        }
        endings.sort_by_key(|ending| ending.at);
        for ending in endings {
            let failures = self.jobs.failures.entry(job.meta.uid).or_default();
            if ending.well {
                *failures = (0, Time::ZERO);
            } else {
                *failures = (failures.0 + 1, ending.at);
            }
            match (ending.well, ending.index) {
                (false, _) => status.failed += 1,
                (true, Some(index)) if job.body.indexed => {
                    status.indices.insert(index);
                }
                (true, _) => status.succeeded += 1,
            }
        }
        if job.body.indexed {
            status.succeeded = status.indices.len() as u32;
        }
    }

    /// Why a Job is at its end, when it is.
    fn finishing(&mut self, job: &Row<Job>, status: &JobStatus) -> Option<(&'static str, &'static str, &'static str)> {
        if status.has("SuccessCriteriaMet") || status.has("FailureTarget") {
            return None;
        }
        if status.failed > job.body.backoff_limit || self.restarted_too_often(job) {
            return Some((
                "FailureTarget",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
        }
        if let (Some(deadline), Some(started), false) = (job.body.deadline, status.started, job.body.suspended)
            && self.now >= started + deadline
        {
            return Some((
                "FailureTarget",
                "DeadlineExceeded",
                "Job was active longer than specified deadline",
            ));
        }
        let active = !self.active_pods(job.meta.uid).is_empty();
        let complete = match job.body.completions {
            None => status.succeeded > 0 && !active,
            Some(wanted) => status.succeeded >= wanted && !active,
        };
        complete.then_some((
            "SuccessCriteriaMet",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ))
    }

    /// With OnFailure the restarts of containers count (`pastBackoffLimitOnFailure`).
    fn restarted_too_often(&self, job: &Row<Job>) -> bool {
        if job.body.template.restart != Restart::OnFailure {
            return false;
        }
        let restarts: u32 = self
            .owned
            .get(&job.meta.uid)
            .into_iter()
            .flatten()
            .filter_map(|&pod| self.store.pod(pod))
            .filter(|pod| !pod.body.is_finished())
            .flat_map(|pod| pod.body.statuses.iter().map(|status| status.restarts))
            .sum();
        restarts > 0 && restarts >= job.body.backoff_limit
    }

    /// Creates what is missing, deletes what is too much (`manageJob`).
    fn manage(&mut self, row: u32, job: &Row<Job>, status: &mut JobStatus) {
        let active = self.active_pods(job.meta.uid);
        if let (Some(deadline), Some(started), false) = (job.body.deadline, status.started, job.body.suspended) {
            let left = (started + deadline).since(self.now);
            self.look_at_job(row, left.max(Span::micros(1)));
        }
        self.suspend(&job.body, status);
        let wanted = match job.body.completions {
            _ if job.body.suspended => 0,
            None if status.succeeded > 0 => active.len() as u32,
            None => job.body.parallelism,
            Some(completions) => completions.saturating_sub(status.succeeded).min(job.body.parallelism),
        } as usize;
        if active.len() > wanted {
            let mut pods = active;
            self.rank_for_deletion(&mut pods);
            let surplus = pods.len() - wanted;
            for &pod in pods.iter().take(surplus.min(AT_A_TIME)) {
                // What the controller itself deletes is no failure.
                self.jobs.counted.insert(pod);
                self.delete_pod(pod, "job", None);
            }
            return;
        }
        let held = if job.body.replaces_failed_only {
            self.leaving(job.meta.uid)
        } else {
            0
        };
        let missing = wanted.saturating_sub(active.len() + held).min(AT_A_TIME);
        if missing == 0 {
            return;
        }
        let (failures, last) = self.jobs.failures.get(&job.meta.uid).copied().unwrap_or_default();
        let pause = back_off(failures);
        let left = pause.0.saturating_sub(self.now.since(last).0);
        if left > 0 {
            return self.look_at_job(row, Span(left).max(BATCH));
        }
        let mut free = self.free_indices(job, &active, status);
        for _ in 0..missing {
            let index = if job.body.indexed { free.next() } else { None };
            if job.body.indexed && index.is_none() {
                break;
            }
            if self.create_job_pod(row, job, index).is_err() {
                let pause = self.retry_of(job.meta.uid);
                return self.look_at_job(row, pause);
            }
        }
        self.no_longer_refused(job.meta.uid);
    }

    /// The `Suspended` condition, and when the Job starts anew.
    fn suspend(&mut self, job: &Job, status: &mut JobStatus) {
        let was = status
            .conditions
            .iter()
            .position(|condition| condition.kind == "Suspended");
        let known = was.map(|index| status.conditions[index].holds);
        if known == Some(job.suspended) || known.is_none() && !job.suspended {
            return;
        }
        if let Some(index) = was {
            status.conditions.remove(index);
        }
        let (reason, message) = if job.suspended {
            ("JobSuspended", "Job suspended")
        } else {
            ("JobResumed", "Job resumed")
        };
        let mut condition = condition("Suspended", reason, message, self.now);
        condition.holds = job.suspended;
        status.conditions.push(condition);
        status.started = (!job.suspended).then_some(self.now);
    }

    /// The indices that are neither done nor under way, from the lowest on (`firstPendingIndexes`).
    fn free_indices(&self, job: &Row<Job>, active: &[u32], status: &JobStatus) -> std::vec::IntoIter<u32> {
        let taken: BTreeSet<u32> = active
            .iter()
            .filter_map(|&pod| self.store.pod(pod).and_then(index_of))
            .collect();
        let all = (0..job.body.completions.unwrap_or(0))
            .filter(|index| !taken.contains(index) && !status.indices.contains(index));
        all.take(AT_A_TIME).collect::<Vec<_>>().into_iter()
    }

    /// # Errors
    /// When admission refuses the pod.
    fn create_job_pod(&mut self, row: u32, job: &Row<Job>, index: Option<u32>) -> Result<u32, ApiError> {
        let mut template = job.body.template.clone();
        let mut base = job.meta.name.to_string();
        if let Some(index) = index {
            base = format!("{base}-{index}");
            let own: &mut PodTemplate = Arc::make_mut(&mut template);
            Arc::make_mut(&mut own.labels).insert(INDEX.to_owned(), index.to_string());
            Arc::make_mut(&mut own.annotations).insert(INDEX.to_owned(), index.to_string());
        }
        let owner = Owner {
            api_version: "batch/v1",
            kind: "Job",
            name: job.meta.name.clone(),
            uid: job.meta.uid,
            row,
        };
        self.create_owned_pod(&job.meta.namespace, &base, owner, template, &job.meta.name)
    }

    /// A Job's pods that are being deleted and have not ended.
    fn leaving(&self, uid: u64) -> usize {
        let pods = self.owned.get(&uid).into_iter().flatten();
        pods.filter_map(|&pod| self.store.pod(pod))
            .filter(|pod| pod.meta.deletion.is_some() && !pod.body.is_finished())
            .count()
    }

    fn recount(&self, job: &Row<Job>, status: &mut JobStatus) {
        let active = self.active_pods(job.meta.uid);
        status.active = active.len() as u32;
        status.ready = active
            .iter()
            .filter(|&&pod| self.store.pod(pod).is_some_and(|pod| pod.body.is_ready()))
            .count() as u32;
        status.terminating = self.leaving(job.meta.uid) as u32;
    }

    /// A Job is complete or has failed once none of its pods is left (`enactJobFinished`).
    fn conclude(&self, status: &mut JobStatus) {
        if status.active > 0 || status.terminating > 0 {
            return;
        }
        for (interim, last) in [("SuccessCriteriaMet", "Complete"), ("FailureTarget", "Failed")] {
            let found = status
                .conditions
                .iter()
                .find(|condition| condition.kind == interim)
                .copied();
            if let Some(found) = found {
                status
                    .conditions
                    .push(condition(last, found.reason, found.message, self.now));
                if last == "Complete" {
                    status.completed = Some(self.now);
                }
            }
        }
    }

    fn write_job(&mut self, row: u32, job: &Row<Job>, status: JobStatus) {
        if let Some(at) = status.finished() {
            let how = if status.has("Complete") { "complete" } else { "failed" };
            self.note(What::Note {
                text: format!("job {} {how}", job.meta.name),
            });
            if let Some(lasts) = job.body.lasts {
                self.queue.post(at + lasts, Event::JobExpired(row));
            }
        }
        if status != job.body.status {
            self.store
                .jobs
                .update(&mut self.store.versions, row, |job| job.body.status = status);
        }
    }

    /// A finished Job has stayed for as long as it wanted (pkg/controller/ttlafterfinished).
    pub(in crate::simulation) fn expire_job(&mut self, row: u32) {
        let Some(job) = self.store.jobs.get(row) else { return };
        let (Some(finished), Some(lasts)) = (job.body.status.finished(), job.body.lasts) else {
            return;
        };
        if finished + lasts <= self.now {
            let (namespace, name) = (job.meta.namespace.clone(), job.meta.name.clone());
            let gone = self.delete(JOBS, Some(&namespace), &name, &DeleteOptions::default());
            debug_assert!(gone.is_ok(), "{gone:?}");
        }
    }
}

fn condition(kind: &'static str, reason: &'static str, message: &'static str, since: Time) -> Condition {
    Condition {
        kind,
        holds: true,
        reason,
        message,
        since,
    }
}

/// The pause after so many failures in a row (`getRemainingTimeForFailuresCount`).
fn back_off(failures: u32) -> Span {
    match failures {
        0 => Span::ZERO,
        more => Span((BACK_OFF.0 << (more - 1).min(16)).min(LONGEST_BACK_OFF.0)),
    }
}

fn index_of(pod: &Row<Pod>) -> Option<u32> {
    pod.meta.annotations.get(INDEX)?.parse().ok()
}

/// How a pod has ended: when its last container did, or its deletion was asked for (`getFinishedTime`).
fn ending(pod: &Row<Pod>, now: Time) -> Ending {
    let finished = pod
        .body
        .statuses
        .iter()
        .filter_map(ContainerStatus::ended)
        .map(|ended| ended.at)
        .max();
    let deleted = pod.meta.deletion.map(|deletion| deletion.at);
    Ending {
        well: pod.body.phase == Phase::Succeeded,
        at: finished.or(deleted).unwrap_or(now).min(now),
        index: index_of(pod),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_ten_seconds_to_ten_minutes() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 6, 7, 40].map(|count| back_off(count).0 / 1_000_000).into();
        assert_eq!(seconds, [0, 10, 20, 40, 320, 600, 600]);
    }
}
