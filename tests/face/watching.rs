//! Watching while a node is terminated: watchers, reflectors, and what happens when they come too late.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use steadfast::NodeFailure;
use steadfast::model::history::What;
use tokio::time::{Instant, timeout};

use super::small::{cluster, deployment, deployments, fail, map, maps, pods};

/// A transition of a pod as its object tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Created(String),
    Scheduled(String, String),
    Gone(String),
}

#[tokio::test]
async fn a_watcher_sees_every_transition_of_the_history_in_its_order() {
    let cluster = cluster().await;
    let api: Api<Pod> = Api::all(cluster.client());
    let watching = tokio::spawn(async move {
        let mut events = pin!(watcher(api, watcher::Config::default()));
        let mut known: BTreeMap<String, Pod> = BTreeMap::new();
        let mut seen = Vec::new();
        let mut last = 0;
        // Until nothing has happened for twenty minutes.
        while let Ok(Some(event)) = timeout(Duration::from_secs(1_200), events.try_next())
            .await
            .map(Result::unwrap)
        {
            let (pod, gone) = match event {
                Event::InitApply(pod) => {
                    known.insert(pod.name_any(), pod);
                    continue;
                }
                Event::Init | Event::InitDone => continue,
                Event::Apply(pod) => (pod, false),
                Event::Delete(pod) => (pod, true),
            };
            let version: u64 = pod.resource_version().unwrap().parse().unwrap();
            assert!(version > last, "{version} after {last}");
            last = version;
            let name = pod.name_any();
            let before = known.remove(&name);
            let node = |pod: &Pod| pod.spec.as_ref().unwrap().node_name.clone();
            if before.is_none() {
                assert!(!gone && node(&pod).is_none(), "{name} appears as it is created");
                seen.push(Seen::Created(name.clone()));
            }
            if let (None, Some(node)) = (before.as_ref().and_then(node), node(&pod)) {
                seen.push(Seen::Scheduled(name.clone(), node));
            }
            if gone {
                seen.push(Seen::Gone(name));
            } else {
                known.insert(name, pod);
            }
        }
        seen
    });
    let report = fail(&cluster, NodeFailure::terminate().count(1)).await;
    let told: Vec<Seen> = report
        .history()
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::PodCreated { pod, .. } => Some(Seen::Created(pod.clone())),
            What::PodScheduled { pod, node, .. } => Some(Seen::Scheduled(pod.clone(), node.clone())),
            What::PodGone { pod, .. } => Some(Seen::Gone(pod.clone())),
            _ => None,
        })
        .collect();
    let seen = watching.await.unwrap();
    assert!(told.len() > 15, "{told:?}");
    // The watcher began before the load and may end after it.
    let start = seen.windows(told.len()).position(|window| *window == told[..]);
    assert!(start.is_some(), "told {told:#?}\nseen {seen:#?}");
}

#[tokio::test]
async fn a_reflector_holds_what_a_list_shows_while_nodes_come_and_go() {
    let cluster = cluster().await;
    let (pods, nodes): (Api<Pod>, Api<Node>) = (Api::all(cluster.client()), Api::all(cluster.client()));
    let pod_writer = Writer::<Pod>::default();
    let node_writer = Writer::<Node>::default();
    let (pod_store, node_store) = (pod_writer.as_reader(), node_writer.as_reader());
    let pod_stream = reflector(
        pod_writer,
        watcher(pods.clone(), watcher::Config::default().page_size(5)),
    );
    let streamed = watcher::Config::default().streaming_lists();
    let node_stream = reflector(node_writer, watcher(nodes.clone(), streamed));
    let (ended, mut end) = tokio::sync::watch::channel(false);
    let reading = tokio::spawn(async move {
        let mut pods = pin!(pod_stream.default_backoff().touched_objects());
        let mut nodes = pin!(node_stream.default_backoff().touched_objects());
        loop {
            tokio::select! {
                pod = pods.next() => { pod.unwrap().unwrap(); }
                node = nodes.next() => { node.unwrap().unwrap(); }
                _ = end.changed() => return,
            }
        }
    });
    let comparing = async {
        let mut compared = 0;
        let until = Instant::now() + Duration::from_secs(600);
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(6_789)).await;
            // What the list shows has been told: the reflector needs a turn to read it, not time.
            let (pod_list, node_list) = (
                pods.list(&ListParams::default()).await.unwrap(),
                nodes.list(&ListParams::default()).await.unwrap(),
            );
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let listed: BTreeSet<_> = pod_list
                .iter()
                .map(|it| (it.name_any(), it.resource_version()))
                .collect();
            let state = pod_store.state();
            let held: BTreeSet<_> = state.iter().map(|it| (it.name_any(), it.resource_version())).collect();
            assert_eq!(held, listed);
            let listed: BTreeSet<_> = node_list
                .iter()
                .map(|it| (it.name_any(), it.resource_version()))
                .collect();
            let state = node_store.state();
            let held: BTreeSet<_> = state.iter().map(|it| (it.name_any(), it.resource_version())).collect();
            assert_eq!(held, listed);
            compared += 1;
        }
        compared
    };
    let (report, compared) = tokio::join!(fail(&cluster, NodeFailure::terminate().count(2)), comparing);
    assert!(compared > 80);
    assert_eq!(report.analysis().nodes.struck.len(), 2);
    ended.send(true).unwrap();
    reading.await.unwrap();
}

#[tokio::test]
async fn a_watch_ends_on_time_and_says_how_far_it_came() {
    let cluster = cluster().await;
    let api: Api<Node> = Api::all(cluster.client());
    let from = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let start = Instant::now();
    let params = WatchParams::default().timeout(200);
    let events: Vec<WatchEvent<Node>> = api.watch(&params, &from).await.unwrap().try_collect().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 200);
    let bookmarks: Vec<u64> = events
        .iter()
        .map(|event| match event {
            WatchEvent::Bookmark(bookmark) => bookmark.metadata.resource_version.parse().unwrap(),
            other => panic!("no node changes here: {other:?}"),
        })
        .collect();
    // One a minute and one before the end; leases and events move the version meanwhile.
    assert_eq!(bookmarks.len(), 4, "{bookmarks:?}");
    assert!(bookmarks.is_sorted() && bookmarks[0] > from.parse().unwrap());
    let again = bookmarks[3].to_string();
    let more: Vec<_> = api
        .watch(&WatchParams::default().timeout(5), &again)
        .await
        .unwrap()
        .try_collect::<Vec<WatchEvent<Node>>>()
        .await
        .unwrap();
    assert!(
        more.iter().all(|event| matches!(event, WatchEvent::Bookmark(_))),
        "{more:?}"
    );
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_is_410_gone_and_a_watcher_starts_over() {
    let cluster = cluster().await;
    let api = maps(&cluster.client());
    api.create(&PostParams::default(), &map("settings", "0")).await.unwrap();
    let from = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let mut events = watcher(api.clone(), watcher::Config::default()).boxed();
    while !matches!(events.try_next().await.unwrap(), Some(Event::InitDone)) {}
    // Nobody reads meanwhile, and nothing is awaited that would let the watch run ahead.
    for n in 1..=9_000 {
        let patch = json!({"data": {"key": n.to_string()}});
        api.patch("settings", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
    let events_of: Vec<_> = api
        .watch(&WatchParams::default().timeout(5), &from)
        .await
        .unwrap()
        .try_collect::<Vec<WatchEvent<_>>>()
        .await
        .unwrap();
    let [WatchEvent::Error(error)] = &events_of[..] else {
        panic!("{events_of:?}")
    };
    assert_eq!((error.code, error.reason.as_str()), (410, "Expired"));
    // The watcher says so once, lists again, and has the newest state.
    let mut newest = None;
    let mut errors = 0;
    while newest.as_deref() != Some("9000") {
        match timeout(Duration::from_secs(600), events.next()).await.unwrap().unwrap() {
            Ok(Event::Apply(it) | Event::InitApply(it)) => newest = it.data.unwrap().get("key").cloned(),
            Ok(_) => {}
            Err(error) => {
                assert!(
                    matches!(error, watcher::Error::WatchError(ref status) if status.code == 410),
                    "{error}"
                );
                errors += 1;
            }
        }
    }
    assert_eq!(errors, 1);
}

#[tokio::test]
async fn a_selection_of_a_watch_is_entered_and_left() {
    let cluster = cluster().await;
    let client = cluster.client();
    let running = pods(&client);
    let from = running
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    deployments(&client)
        .create(&PostParams::default(), &deployment("web", 2))
        .await
        .unwrap();
    let params = WatchParams {
        bookmarks: false,
        ..WatchParams::default()
    };
    let params = params.labels("app=web").fields("status.phase=Running").timeout(120);
    let watching = async {
        let events: Vec<WatchEvent<Pod>> = running
            .watch(&params, &from)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        events
    };
    let leaving = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        deployments(&client)
            .delete("web", &kube::api::DeleteParams::default())
            .await
            .unwrap();
    };
    let (events, ()) = tokio::join!(watching, leaving);
    let kinds = |test: fn(&WatchEvent<Pod>) -> bool| events.iter().filter(|event| test(event)).count();
    assert_eq!(kinds(|event| matches!(event, WatchEvent::Added(_))), 2);
    assert_eq!(kinds(|event| matches!(event, WatchEvent::Deleted(_))), 2);
    for event in &events {
        let (WatchEvent::Added(pod) | WatchEvent::Modified(pod) | WatchEvent::Deleted(pod)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(pod.status.as_ref().unwrap().phase.as_deref(), Some("Running"));
    }
}
