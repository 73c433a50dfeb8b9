//! Jobs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::template::PodTemplate;
use crate::model::time::{Span, Time};

/// A Job.
#[derive(Clone, Debug)]
pub struct Job {
    /// `spec` as the user wrote it, with what the API server fills in.
    pub spec: Arc<Value>,
    /// Most pods at a time.
    pub parallelism: u32,
    /// Successes that complete it; `None`: the first one, and all pods have ended.
    pub completions: Option<u32>,
    /// Failures that it bears.
    pub backoff_limit: u32,
    /// How long it may be active.
    pub deadline: Option<Span>,
    /// How long it stays after it has finished.
    pub lasts: Option<Span>,
    /// Whether each completion has an index.
    pub indexed: bool,
    /// Whether it has no pods for now.
    pub suspended: bool,
    /// Whether a pod is replaced only when it has failed, not already when it is being deleted.
    pub replaces_failed_only: bool,
    /// What its pods are made from.
    pub template: Arc<PodTemplate>,
    /// The status.
    pub status: JobStatus,
}

/// A Job's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// Pods that neither have ended nor are being deleted.
    pub active: u32,
    /// Of these, the ready ones.
    pub ready: u32,
    /// Pods that are being deleted.
    pub terminating: u32,
    /// Pods that ended well.
    pub succeeded: u32,
    /// Pods that failed.
    pub failed: u32,
    /// Since when it is active.
    pub started: Option<Time>,
    /// When it was complete.
    pub completed: Option<Time>,
    /// The indices that are done.
    pub indices: BTreeSet<u32>,
    /// Its conditions in the order in which they came.
    pub conditions: Vec<Condition>,
}

/// A condition of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `Complete`, `Failed`, `SuccessCriteriaMet`, `FailureTarget`, `Suspended`.
    pub kind: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why.
    pub reason: &'static str,
    /// In words.
    pub message: &'static str,
    /// Since when.
    pub since: Time,
}

impl JobStatus {
    /// Whether a condition holds.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.conditions
            .iter()
            .any(|condition| condition.kind == kind && condition.holds)
    }

    /// When it finished, well or not.
    #[must_use]
    pub fn finished(&self) -> Option<Time> {
        self.conditions
            .iter()
            .find(|condition| condition.holds && matches!(condition.kind, "Complete" | "Failed"))
            .map(|condition| condition.since)
    }
}

/// Indices as Kubernetes writes them: `1,3-5,7` (pkg/controller/job/indexed_job_utils.go `String`: a range from three in a row on).
#[must_use]
pub fn ranges(indices: &BTreeSet<u32>) -> String {
    let mut all: Vec<(u32, u32)> = Vec::new();
    for &index in indices {
        match all.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => all.push((index, index)),
        }
    }
    let text: Vec<String> = all
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    text.join(",")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn indices_are_written_as_ranges() {
        assert_eq!(ranges(&[].into()), "");
        assert_eq!(ranges(&[1, 3, 4, 5, 7].into()), "1,3-5,7");
        assert_eq!(ranges(&[0, 1, 4].into()), "0,1,4");
    }
}
