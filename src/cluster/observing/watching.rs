//! Watching a cluster through a client, on the caller's runtime.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Record, endpoints};

/// The time since the cluster's handle was made, in microseconds.
pub(crate) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// After a watch failed it is tried again after this time at first, twice as long each time up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Watches of a cluster that keep a [`Record`].
pub(crate) struct Observer {
    record: Arc<Mutex<Record>>,
    clock: Clock,
    changed: watch::Receiver<u64>,
    /// How often watches failed, and the last words.
    trouble: Arc<Mutex<(u64, Option<String>)>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One kind of objects that is watched.
trait Watched: Clone + Debug + DeserializeOwned + Send + Sync + 'static {
    type Key: Ord + Clone + Send + 'static;
    fn key(&self) -> Option<Self::Key>;
    fn keys(record: &Record) -> BTreeSet<Self::Key>;
    fn seen(&self, record: &mut Record, t: u64);
    fn gone(record: &mut Record, t: u64, key: Self::Key);
    /// Its last state, as a deletion brings it.
    fn last(&self, _record: &mut Record, _t: u64) {}
}

impl Watched for Node {
    type Key = String;
    fn key(&self) -> Option<String> {
        Some(self.name_any())
    }
    fn keys(record: &Record) -> BTreeSet<String> {
        record.nodes.names().map(str::to_owned).collect()
    }
    fn seen(&self, record: &mut Record, t: u64) {
        record.node(t, self);
    }
    fn gone(record: &mut Record, t: u64, key: String) {
        record.node_gone(t, &key);
    }
}

impl Watched for Pod {
    type Key = (String, String);
    fn key(&self) -> Option<Self::Key> {
        Some((self.namespace().unwrap_or_default(), self.name_any()))
    }
    fn keys(record: &Record) -> BTreeSet<Self::Key> {
        record.pods.keys()
    }
    fn seen(&self, record: &mut Record, t: u64) {
        record.pod(t, self);
    }
    fn gone(record: &mut Record, t: u64, (namespace, name): Self::Key) {
        record.pod_gone(t, &namespace, &name);
    }
    fn last(&self, record: &mut Record, t: u64) {
        // It has the reason of the deletion in it.
        record.pod(t, self);
    }
}

impl Watched for EndpointSlice {
    type Key = (String, String, String);
    fn key(&self) -> Option<Self::Key> {
        endpoints::key(self)
    }
    fn keys(record: &Record) -> BTreeSet<Self::Key> {
        record.slices.keys()
    }
    fn seen(&self, record: &mut Record, t: u64) {
        record.slice(t, self);
    }
    fn gone(record: &mut Record, t: u64, key: Self::Key) {
        record.slice_gone(t, key);
    }
}

impl Observer {
    /// Begins to watch, and waits until everything that there is has been seen once.
    pub(crate) async fn start(client: &kube::Client, clock: Clock) -> Self {
        let (said, changed) = watch::channel(0);
        let mut observer = Self {
            record: Arc::default(),
            clock,
            changed,
            trouble: Arc::default(),
            tasks: Vec::new(),
        };
        let said = Arc::new(said);
        let listed = [
            observer.watch(Api::<Node>::all(client.clone()), &said),
            observer.watch(Api::<Pod>::all(client.clone()), &said),
            observer.watch(Api::<EndpointSlice>::all(client.clone()), &said),
        ];
        for mut listed in listed {
            // It ends only with its task, which lives as long as the observer.
            let _ended = listed.wait_for(|listed| *listed).await;
        }
        observer
    }

    fn watch<K>(&mut self, api: Api<K>, said: &Arc<watch::Sender<u64>>) -> watch::Receiver<bool>
    where
        K: Watched + kube::Resource<DynamicType = ()>,
    {
        let (done, listed) = watch::channel(false);
        let (record, clock, said, trouble) = (
            self.record.clone(),
            self.clock.clone(),
            said.clone(),
            self.trouble.clone(),
        );
        self.tasks.push(tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(api, Config::default()));
            let (mut unseen, mut pause) = (BTreeSet::new(), FIRST);
            while let Some(event) = events.next().await {
                let t = clock();
                match event {
                    Ok(event) => {
                        pause = FIRST;
                        let listed = matches!(event, Event::InitDone);
                        take(&mut locked(&record), t, event, &mut unseen);
                        said.send_modify(|changes| *changes += 1);
                        if listed {
                            done.send_replace(true);
                        }
                    }
                    Err(error) => {
                        note_trouble(&trouble, &error);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST);
                    }
                }
            }
        }));
        listed
    }

    /// The record as it is.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        locked(&self.record)
    }

    /// Now, on the record's clock.
    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// How often a watch failed so far, and how it last did.
    pub(crate) fn trouble(&self) -> (u64, Option<String>) {
        locked(&self.trouble).clone()
    }

    /// Waits until something is seen, no longer than this.
    pub(crate) async fn changed(&self, within: Duration) {
        let mut changed = self.changed.clone();
        changed.mark_unchanged();
        let _quiet = tokio::time::timeout(within, changed.changed()).await;
    }

    /// Waits until the record is so, no longer than this; whether it is.
    pub(crate) async fn until(&self, within: Duration, mut is_so: impl FnMut(&Record) -> bool) -> bool {
        let mut changed = self.changed.clone();
        let seen = async {
            loop {
                changed.mark_unchanged();
                if is_so(&locked(&self.record)) {
                    return;
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(within, seen).await.is_ok()
    }
}

fn note_trouble(trouble: &Mutex<(u64, Option<String>)>, error: &watcher::Error) {
    let mut trouble = locked(trouble);
    trouble.0 += 1;
    trouble.1 = Some(error.to_string());
}

/// Takes what a watch brought. After a watch began anew, what is not listed any more is gone.
fn take<K: Watched>(record: &mut Record, t: u64, event: Event<K>, unseen: &mut BTreeSet<K::Key>) {
    match event {
        Event::Init => *unseen = K::keys(record),
        Event::InitApply(it) | Event::Apply(it) => {
            if let Some(key) = it.key() {
                unseen.remove(&key);
            }
            it.seen(record, t);
        }
        Event::InitDone => {
            for key in std::mem::take(unseen) {
                K::gone(record, t, key);
            }
        }
        Event::Delete(it) => {
            if let Some(key) = it.key() {
                it.last(record, t);
                K::gone(record, t, key);
            }
        }
    }
}
