//! The options of a watch.

use std::time::Duration;

use super::super::query::{Query, not_a_number};
use super::super::status::Refusal;

/// How long a watch lasts that does not say so: Kubernetes draws from 30 to 60 minutes (kube-apiserver,
/// `--min-request-timeout`); the shortest is served always, so that runs are alike.
const LENGTH: Duration = Duration::from_secs(1_800);

/// With what a watch begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the next change.
    Now,
    /// With the change after a version.
    After(u64),
    /// With every object there is, in a state of at least this version.
    Everything {
        /// The version.
        least: u64,
    },
}

/// The options of a watch.
#[derive(Debug)]
pub(in super::super) struct WatchOptions {
    pub(super) start: Start,
    pub(super) bookmarks: bool,
    /// Whether a bookmark says when the objects to begin with are all sent.
    pub(super) marks_initial_end: bool,
    pub(super) length: Duration,
}

impl WatchOptions {
    /// Reads them as `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go` does
    /// (`validateWatchOptions`).
    pub(in super::super) fn parse(query: &Query) -> Result<Self, Refusal> {
        let forbidden =
            |field: &str, why: &str| Err(Refusal::option("ListOptions", field, format!("Forbidden: {why}")));
        let version = query.text("resourceVersion").map(|text| {
            let why = format!("Invalid value: \"{text}\": {}", not_a_number("ParseUint", text));
            text.parse::<u64>()
                .map_err(|_| Refusal::option("ListOptions", "resourceVersion", why))
        });
        let version = version.transpose()?;
        let matching = query.text("resourceVersionMatch");
        let initial = query.switch("sendInitialEvents");
        match (initial, matching) {
            (None, Some(_)) => {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                return forbidden("resourceVersionMatch", why);
            }
            (Some(_), matching) if matching != Some("NotOlderThan") => {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                return forbidden("resourceVersionMatch", why);
            }
            _ => {}
        }
        let bookmarks = query.switch("allowWatchBookmarks").unwrap_or_default();
        let start = match (initial, version) {
            (Some(true), least) => Start::Everything {
                least: least.unwrap_or(0),
            },
            (Some(false), None | Some(0)) => Start::Now,
            (None, None | Some(0)) => Start::Everything { least: 0 },
            (_, Some(version)) => Start::After(version),
        };
        Ok(Self {
            start,
            bookmarks,
            marks_initial_end: bookmarks && initial == Some(true),
            length: query
                .number("timeoutSeconds")?
                .filter(|s| *s > 0)
                .map_or(LENGTH, Duration::from_secs),
        })
    }
}
