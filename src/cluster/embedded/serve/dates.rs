//! Dates on the wall for dates of cluster time.
//!
//! The cluster was created at a fixed moment, so that runs are alike. Clients with a clock of their own would take its objects for
//! months old or yet to come: here its dates are moved so that the cluster's present is the present. What clients write is moved
//! back. Only fields that Kubernetes itself gives a time are touched, never what an annotation or a ConfigMap holds.

use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};

use crate::simulation::objects::project::date::EPOCH;

/// The fields that hold a `metav1.Time` or `MicroTime` (`k8s.io/api`, types.go of each group).
const FIELDS: [&[u8]; 24] = [
    b"acquireTime",
    b"completionTime",
    b"creationTimestamp",
    b"deletionTimestamp",
    b"eventTime",
    b"expirationTimestamp",
    b"finishedAt",
    b"firstTimestamp",
    b"lastHeartbeatTime",
    b"lastObservedTime",
    b"lastPhaseTransitionTime",
    b"lastProbeTime",
    b"lastScaleTime",
    b"lastScheduleTime",
    b"lastSuccessfulTime",
    b"lastTimestamp",
    b"lastTransitionTime",
    b"lastUpdateTime",
    b"renewTime",
    b"startTime",
    b"startedAt",
    b"time",
    b"timeAdded",
    b"timestamp",
];

/// Objects whose keys are the user's.
const OPAQUE: [&[u8]; 8] = [
    b"annotations",
    b"binaryData",
    b"data",
    b"labels",
    b"matchLabels",
    b"nodeSelector",
    b"selector",
    b"stringData",
];

/// The length of cluster time against the clock on the wall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    offset: SignedDuration,
}

impl Calendar {
    /// The present is cluster time `now`, in microseconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "clients of a served cluster have clocks of their own; nothing of it gets into the simulation"
    )]
    pub(super) fn starting_now(now: u64) -> Self {
        Self::new(now, Timestamp::now())
    }

    fn new(now: u64, wall: Timestamp) -> Self {
        let cluster = SignedDuration::from_secs(EPOCH as i64) + SignedDuration::from_micros(now as i64);
        // Whole seconds: dates are written in seconds and in microseconds, and must agree.
        let offset = SignedDuration::from_secs((wall.as_duration() - cluster).as_secs());
        Self { offset }
    }

    /// JSON as the world wrote it, for a client.
    pub(super) fn to_wall(self, json: Bytes) -> Bytes {
        moved(json, self.offset)
    }

    /// JSON as a client wrote it, for the world.
    pub(super) fn to_cluster(self, json: Bytes) -> Bytes {
        moved(json, -self.offset)
    }
}

/// Moves every date. What is no JSON, or no date, stays as it is.
fn moved(json: Bytes, by: SignedDuration) -> Bytes {
    let found = dates(&json);
    if found.is_empty() {
        return json;
    }
    let mut text = BytesMut::from(json);
    for range in found {
        let date = &mut text[range];
        if let Some(later) = shifted(date, by) {
            date.copy_from_slice(later.as_bytes());
        }
    }
    text.freeze()
}

/// The date so much later, in the same form.
fn shifted(date: &[u8], by: SignedDuration) -> Option<String> {
    let text = std::str::from_utf8(date).ok()?;
    let moment: Timestamp = text.parse().ok()?;
    let later = moment.checked_add(by).ok()?;
    let later = match text.len() {
        20 => later.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        27 => later.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        _ => return None,
    };
    (later.len() == text.len()).then_some(later)
}

/// Where the dates are, found in one pass without reading the JSON into memory a second time.
fn dates(json: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    // For every open object or array whether its keys are the user's.
    let mut open: Vec<bool> = Vec::new();
    let (mut key, mut last): (Option<&[u8]>, &[u8]) = (None, b"");
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let start = at + 1;
                at = start;
                while let Some(&byte) = json.get(at).filter(|byte| **byte != b'"') {
                    at += if byte == b'\\' { 2 } else { 1 };
                }
                let end = at.min(json.len());
                last = &json[start..end];
                let is_opaque = open.last().copied().unwrap_or_default();
                if key.is_some_and(|key| FIELDS.contains(&key)) && !is_opaque && json.get(end - 1) == Some(&b'Z') {
                    found.push(start..end);
                }
            }
            b':' => key = Some(last),
            b',' => key = None,
            b'{' | b'[' => {
                let outer = open.last().copied().unwrap_or_default();
                open.push(outer || byte == b'{' && key.is_some_and(|key| OPAQUE.contains(&key)));
                key = None;
            }
            b'}' | b']' => {
                open.pop();
                key = None;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 90_500_000;

    fn calendar() -> Calendar {
        Calendar::new(NOW, "2030-06-01T12:00:00.25Z".parse().unwrap())
    }

    fn to_wall(json: &str) -> String {
        let moved = calendar().to_wall(Bytes::copy_from_slice(json.as_bytes()));
        String::from_utf8(moved.to_vec()).unwrap()
    }

    #[test]
    fn the_present_is_the_present() {
        assert_eq!(
            to_wall(
                r#"{"metadata":{"creationTimestamp":"2026-01-01T00:01:30Z"},"spec":{"renewTime":"2026-01-01T00:01:30.500000Z"}}"#
            ),
            r#"{"metadata":{"creationTimestamp":"2030-06-01T11:59:59Z"},"spec":{"renewTime":"2030-06-01T11:59:59.500000Z"}}"#,
        );
    }

    #[test]
    fn what_is_moved_there_is_moved_back() {
        let json = r#"{"metadata":{"creationTimestamp":"2026-02-28T23:59:59Z"},"status":{"conditions":[{"lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
        let there = calendar().to_wall(Bytes::from_static(json.as_bytes()));
        assert_ne!(there, json);
        assert_eq!(calendar().to_cluster(there), json);
    }

    #[test]
    fn what_is_not_the_clusters_own_date_stays() {
        for json in [
            r#"{"metadata":{"annotations":{"creationTimestamp":"2026-01-01T00:00:00Z"}}}"#,
            r#"{"data":{"startTime":"2026-01-01T00:00:00Z","x":"{\"startTime\":\"2026-01-01T00:00:00Z\"}"}}"#,
            r#"{"metadata":{"creationTimestamp":null,"name":"2026-01-01T00:00:00Z"}}"#,
            r#"{"startTime":"soonZ"}"#,
            r#"{"startTime":"9999-12-31T23:59:59Z"}"#,
            r#"{"startTime":"2026-01-01T00:00:00.1Z"}"#,
            r#"{"startTime":""#,
            r#"{"startTime":"\"#,
            "",
            "creationTimestamp: 2026-01-01T00:00:00Z",
        ] {
            assert_eq!(to_wall(json), json);
        }
    }

    #[test]
    fn the_keys_after_an_opaque_object_are_kubernetes_own_again() {
        let json = r#"{"metadata":{"labels":{"a":"b"},"creationTimestamp":"2026-01-01T00:01:30Z"}}"#;
        assert!(to_wall(json).contains("2030-06-01T11:59:59Z"));
    }
}
