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
use super::tables;
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
    // How long a watch lasts is the client's time, however fast the cluster's passes.
    let end = Instant::now() + options.length;
    let bookmarks = options.bookmarks.then(|| {
        let last = end
            .checked_sub(LAST_BOOKMARK)
            .filter(|last| *last > Instant::now())
            .unwrap_or(end);
        Bookmarks {
            next: last.min(Instant::now() + BOOKMARKS),
            last,
        }
    });
    let view = View {
        resource,
        selection,
        shape,
        headed: false,
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
    /// Whether a table's columns have been sent: the first event has them, the others do without (`endpoints/handlers/response.go`).
    headed: bool,
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
        let view = &mut self.view;
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
            self.view.shape = self.view.shape.at(self.driver.now());
            let (view, seen) = (&mut self.view, self.seen);
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
                        let next = Instant::now() + BOOKMARKS;
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
    fn begin(&mut self, store: &impl ApiStore, options: &WatchOptions) -> Result<(String, u64), Refusal> {
        match options.start {
            Start::After(version) => {
                // A version to come is waited for.
                Ok((String::new(), version))
            }
            Start::Now => Ok((String::new(), store.version())),
            Start::Everything { least } => {
                super::listing::reached(store, least)?;
                let objects = store.list(&self.resource, self.selection.namespace());
                let mut lines = String::new();
                for object in objects.iter().filter(|object| self.selection.matches(object)) {
                    let object = self.shape.object(object, object.version);
                    lines.push_str(&line("ADDED", &headed(&mut self.headed, object)));
                }
                if options.marks_initial_end {
                    lines.push_str(&self.bookmark(store.version(), true));
                }
                Ok((lines, store.version()))
            }
        }
    }

    /// The events after a version, and the version they reach to.
    fn since(&mut self, store: &impl ApiStore, seen: u64) -> Result<(String, u64), Refusal> {
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
        let mut lines = String::new();
        for change in &changes {
            if let Some((kind, object)) = self.event(change) {
                lines.push_str(&line(kind, &headed(&mut self.headed, object)));
            }
        }
        Ok((lines, newest))
    }

    /// What a change is to this selection (`storage/cacher/cache_watcher.go`: `convertToWatchEvent`).
    fn event(&self, change: &ApiChange) -> Option<(&'static str, Value)> {
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
        Some((kind, self.shape.object(object, change.version)))
    }

    fn bookmark(&self, version: u64, initial_end: bool) -> String {
        let (kind, api_version) = self.shape.types(&self.resource);
        let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let bookmark = match self.shape {
            Shape::Table { include, now } => {
                let row = tables::row(&self.resource, json!({"metadata": metadata}), include, now);
                tables::table(None, &json!({"resourceVersion": version.to_string()}), vec![row])
            }
            Shape::Whole | Shape::Metadata => json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}),
        };
        line("BOOKMARK", &bookmark)
    }
}

/// A table without its columns, unless it is the first.
fn headed(headed: &mut bool, mut object: Value) -> Value {
    if std::mem::replace(headed, true)
        && let Some(columns) = object.get_mut("columnDefinitions")
    {
        *columns = json!([]);
    }
    object
}

/// One event: a line of JSON.
fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}
