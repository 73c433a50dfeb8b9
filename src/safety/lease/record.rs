//! The Lease object, one step at a time, as client-go's leader election takes them.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;

use super::NAME;
use crate::safety::clock;
use crate::safety::run_id::{LABEL, RunId};

/// The record as it was last seen, and when it was last seen to change (`observedRecord`, `observedTime`).
#[derive(Debug, Default)]
pub(super) struct Seen(Option<(Lease, Instant)>);

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The lease is ours, renewed now.
    Held,
    /// It is somebody's.
    Busy(String),
    /// Somebody has written it in between (409): look again.
    Again,
}

impl Seen {
    /// `setObservedRecord`, when the record is another than before.
    fn observe(&mut self, lease: Lease) -> (&Lease, Instant) {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let since = match &self.0 {
            Some((before, since))
                if version(before) == version(&lease) && before.metadata.uid == lease.metadata.uid =>
            {
                *since
            }
            _ => Instant::now(),
        };
        let (lease, since) = self.0.insert((lease, since));
        (lease, *since)
    }
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or("")
}

/// `isLeaseValid`: by the time since it was seen to change, never by the dates in it.
fn is_valid(lease: &Lease, since: Instant) -> bool {
    let seconds = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.lease_duration_seconds)
        .unwrap_or(0);
    since.elapsed() < Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// leaderelection.go `tryAcquireOrRenew`, without its fast path: one more GET every two seconds costs less than a second way to renew.
pub(super) async fn try_acquire_or_renew(
    api: &Api<Lease>,
    seen: &mut Seen,
    identity: &str,
    run: &RunId,
    seconds: i32,
) -> Result<Step, kube::Error> {
    let now = MicroTime(clock::now());
    let mut spec = LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(seconds),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    };
    let Some(old) = api.get_opt(NAME).await? else {
        let mut lease = Lease::default();
        lease.metadata.name = Some(NAME.to_owned());
        lease.metadata.labels = Some([(LABEL.to_owned(), run.to_string())].into());
        lease.spec = Some(spec);
        return settle(api.create(&PostParams::default(), &lease).await, seen);
    };
    let (old, since) = seen.observe(old);
    let is_ours = holder(old) == identity;
    if !holder(old).is_empty() && !is_ours && is_valid(old, since) {
        return Ok(Step::Busy(holder(old).to_owned()));
    }
    let before = old.spec.clone().unwrap_or_default();
    let transitions = before.lease_transitions.unwrap_or(0);
    if is_ours {
        spec.acquire_time = before.acquire_time;
        spec.lease_transitions = Some(transitions);
    } else {
        spec.lease_transitions = Some(transitions + 1);
    }
    let mut lease = old.clone();
    lease.metadata.managed_fields = None;
    lease
        .metadata
        .labels
        .get_or_insert_default()
        .insert(LABEL.to_owned(), run.to_string());
    lease.spec = Some(spec);
    settle(api.replace(NAME, &PostParams::default(), &lease).await, seen)
}

/// Somebody was quicker: 409, whether they created it or changed it.
fn settle(written: Result<Lease, kube::Error>, seen: &mut Seen) -> Result<Step, kube::Error> {
    match written {
        Ok(lease) => {
            seen.observe(lease);
            Ok(Step::Held)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Step::Again),
        Err(error) => Err(error),
    }
}

/// leaderelection.go `release`: no holder, one second.
pub(super) async fn release(api: &Api<Lease>, seen: &Seen, identity: &str) -> Result<(), kube::Error> {
    // A renewal that was broken off by the end may have been stored all the same.
    let Some(mut lease) = api.get_opt(NAME).await? else {
        return Ok(());
    };
    if holder(&lease) != identity {
        return Ok(());
    }
    let transitions = seen
        .0
        .as_ref()
        .and_then(|(lease, _)| lease.spec.as_ref()?.lease_transitions);
    let now = MicroTime(clock::now());
    lease.metadata.managed_fields = None;
    lease.spec = Some(LeaseSpec {
        // Written as empty by client-go; this is how the API server stores it.
        holder_identity: None,
        lease_duration_seconds: Some(1),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_transitions: transitions,
        ..LeaseSpec::default()
    });
    api.replace(NAME, &PostParams::default(), &lease).await?;
    Ok(())
}
