//! Watches: the changes of a collection as they happen.

mod options;

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::response::{self, Answer, Shape};
use super::selector::Selection;
use super::status::Refusal;
use crate::cluster::embedded::driver::{Driver, Live};
use crate::simulation::api::{ApiChange, ApiStore, Served};
use options::Start;
pub(super) use options::WatchOptions;

/// How often a quiet watch says which version it has seen (`storage/cacher/cacher.go`: `bookmarkFrequency`).
const BOOKMARKS: Duration = Duration::from_secs(60);

/// How long before its end a watch says so once more (`storage/cacher/cache_watcher.go`: `nextBookmarkTime`).
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// Serves a watch.
///
/// Like Kubernetes, it answers what is wrong with the version as an ERROR event: a client that were refused with a 410
/// would ask again for the same version, for ever.
pub(super) fn serve<W: Live + 'static>(
    driver: Driver<W>,
    resource: Served,
    selection: Selection,
    options: &WatchOptions,
    shape: Shape,
) -> Answer {
    let end = driver.after(options.length);
    let bookmarks = options.bookmarks.then(|| {
        let last = end
            .checked_sub(LAST_BOOKMARK)
            .filter(|last| *last > Instant::now())
            .unwrap_or(end);
        Bookmarks {
            next: last.min(driver.after(BOOKMARKS)),
            last,
        }
    });
    let view = View {
        resource,
        selection,
        shape,
    };
    let changed = driver.changes();
    let mut watch = Watch {
        changed,
        driver,
        view,
        seen: 0,
        bookmarks,
        end,
        finished: false,
    };
    let first = watch.start(options);
    response::stream(stream::unfold((first, watch), |(first, mut watch)| async move {
        let chunk = match first {
            Some(chunk) => chunk,
            None => watch.next().await?,
        };
        Some((chunk, (None, watch)))
    }))
}

/// What the client wants to see, and how.
struct View {
    resource: Served,
    selection: Selection,
    shape: Shape,
}

struct Bookmarks {
    next: Instant,
    last: Instant,
}

struct Watch<W> {
    driver: Driver<W>,
    changed: watch::Receiver<u64>,
    view: View,
    /// The version up to which everything has been sent.
    seen: u64,
    bookmarks: Option<Bookmarks>,
    end: Instant,
    finished: bool,
}

impl<W: Live + 'static> Watch<W> {
    /// The events to begin with.
    fn start(&mut self, options: &WatchOptions) -> Option<Bytes> {
        let view = &self.view;
        let begun = self.driver.with(|world| view.begin(world, options));
        match begun.map_err(Refusal::from).flatten() {
            Ok((lines, seen)) => {
                self.seen = seen;
                (!lines.is_empty()).then(|| lines.into())
            }
            Err(refusal) => Some(self.fail(&refusal)),
        }
    }

    /// The next events; `None` when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.finished {
                return None;
            }
            // Marked as seen before the log is read: a change after the reading wakes the watch again.
            self.changed.borrow_and_update();
            let (view, seen) = (&self.view, self.seen);
            let read = self.driver.with(|world| view.since(world, seen));
            match read.map_err(Refusal::from).flatten() {
                Ok((lines, seen)) => {
                    self.seen = seen;
                    if !lines.is_empty() {
                        return Some(lines.into());
                    }
                }
                Err(refusal) => return Some(self.fail(&refusal)),
            }
            let bookmark = self.bookmarks.as_ref().map_or(self.end, |bookmarks| bookmarks.next);
            tokio::select! {
                biased;
                changed = self.changed.changed() => self.finished = changed.is_err(),
                () = sleep_until(bookmark.min(self.end)) => match &mut self.bookmarks {
                    Some(bookmarks) if bookmark < self.end => {
                        let next = self.driver.after(BOOKMARKS);
                        bookmarks.next = if bookmark >= bookmarks.last { self.end } else { next.min(bookmarks.last) };
                        return Some(self.view.bookmark(self.seen, false).into());
                    }
                    _ => self.finished = true,
                },
            }
        }
    }

    fn fail(&mut self, refusal: &Refusal) -> Bytes {
        self.finished = true;
        line("ERROR", &refusal.status()).into()
    }
}

impl View {
    /// The events that a watch begins with, and the version they reach to.
    fn begin(&self, store: &impl ApiStore, options: &WatchOptions) -> Result<(String, u64), Refusal> {
        match options.start {
            Start::After(version) => {
                // A version to come is waited for.
                Ok((String::new(), version))
            }
            Start::Now => Ok((String::new(), store.version())),
            Start::Everything { least } => {
                super::listing::reached(store, least)?;
                let objects = store.list(&self.resource, self.selection.namespace());
                let selected = objects.iter().filter(|object| self.selection.matches(object));
                let mut lines: String = selected
                    .map(|object| line("ADDED", &self.shape.object(object, object.version)))
                    .collect();
                if options.marks_initial_end {
                    lines.push_str(&self.bookmark(store.version(), true));
                }
                Ok((lines, store.version()))
            }
        }
    }

    /// The events after a version, and the version they reach to.
    fn since(&self, store: &impl ApiStore, seen: u64) -> Result<(String, u64), Refusal> {
        let newest = store.version();
        if newest <= seen {
            return Ok((String::new(), seen));
        }
        let changes = store
            .changes(&self.resource, seen)
            .map_err(|expired| Refusal::WatchExpired {
                requested: seen,
                oldest: expired.oldest,
            })?;
        Ok((changes.iter().filter_map(|change| self.event(change)).collect(), newest))
    }

    /// What a change is to this selection (`storage/cacher/cache_watcher.go`: `convertToWatchEvent`).
    fn event(&self, change: &ApiChange) -> Option<String> {
        let is_in = !change.deleted && self.selection.matches(&change.object);
        let before = if change.deleted {
            change.before.as_ref().or(Some(&change.object))
        } else {
            change.before.as_ref()
        };
        let was_in = before.filter(|before| self.selection.matches(before));
        let (kind, object) = match (was_in, is_in) {
            (None, true) => ("ADDED", &change.object),
            (Some(_), true) => ("MODIFIED", &change.object),
            (Some(_), false) if change.deleted => ("DELETED", &change.object),
            // Out of the selection: as it was when it was last in it, at the version at which it left.
            (Some(before), false) => ("DELETED", before),
            (None, false) => return None,
        };
        Some(line(kind, &self.shape.object(object, change.version)))
    }

    fn bookmark(&self, version: u64, initial_end: bool) -> String {
        let (kind, api_version) = self.shape.types(&self.resource);
        let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        line(
            "BOOKMARK",
            &json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}),
        )
    }
}

/// One event: a line of JSON.
fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}
