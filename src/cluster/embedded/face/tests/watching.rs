use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, conditions, reflector, wait::await_condition, watcher};
use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};

use super::store::Happening;
use super::*;

/// An event in short: `ADDED web 3`.
fn brief(event: &WatchEvent<Pod>) -> String {
    let of = |kind: &str, pod: &Pod| format!("{kind} {} {}", pod.name_any(), pod.resource_version().unwrap());
    match event {
        WatchEvent::Added(pod) => of("ADDED", pod),
        WatchEvent::Modified(pod) => of("MODIFIED", pod),
        WatchEvent::Deleted(pod) => of("DELETED", pod),
        WatchEvent::Bookmark(mark) => {
            let end = if mark.metadata.annotations.contains_key("k8s.io/initial-events-end") {
                " end"
            } else {
                ""
            };
            format!("BOOKMARK {}{end}", mark.metadata.resource_version)
        }
        WatchEvent::Error(status) => format!("ERROR {} {} {}", status.code, status.reason, status.message),
    }
}

/// All events of a watch that ends by itself.
async fn watched(fixture: &Fixture, params: &WatchParams, version: &str) -> Vec<String> {
    let events = fixture.pods().watch(params, version).await.unwrap();
    events.map_ok(|event| brief(&event)).try_collect().await.unwrap()
}

/// Three versions: `one` created, `two` created, `one` changed.
async fn past() -> Fixture {
    let fixture = Fixture::over(Store::default()).await;
    fixture.add_pod("zero", json!({})).await;
    fixture.add_pod("one", json!({"app": "web"})).await;
    fixture.add_pod("two", json!({"app": "db"})).await;
    relabel(&fixture, "one", "db").await;
    fixture
}

async fn relabel(fixture: &Fixture, name: &str, app: &str) {
    let patch = json!({"metadata": {"labels": {"app": app}}});
    fixture
        .pods()
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

async fn remove(fixture: &Fixture, name: &str) {
    fixture
        .pods()
        .delete(name, &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
}

fn quiet(seconds: u32) -> WatchParams {
    WatchParams {
        bookmarks: false,
        ..WatchParams::default()
    }
    .timeout(seconds)
}

#[tokio::test]
async fn a_watch_from_the_middle_has_every_later_change_once_and_in_order() {
    let fixture = past().await;
    let first: u64 = fixture
        .pods()
        .get("zero")
        .await
        .unwrap()
        .resource_version()
        .unwrap()
        .parse()
        .unwrap();
    let mut expected = vec![];
    for (offset, what) in [(1, "ADDED one"), (2, "ADDED two"), (3, "MODIFIED one")] {
        expected.push(format!("{what} {}", first + offset));
    }
    assert_eq!(watched(&fixture, &quiet(5), &first.to_string()).await, expected);
    assert_eq!(
        watched(&fixture, &quiet(5), &(first + 2).to_string()).await,
        expected[2..]
    );
    assert_eq!(
        watched(&fixture, &quiet(5), &(first + 3).to_string()).await,
        Vec::<String>::new()
    );
}

#[rstest]
#[case("0")]
#[case("")]
#[tokio::test]
async fn a_watch_from_nowhere_begins_with_what_there_is(#[case] version: &str) {
    let fixture = past().await;
    let events = watched(&fixture, &quiet(5).labels("app"), version).await;
    assert_eq!(events.len(), 2);
    assert!(
        events[0].starts_with("ADDED one") && events[1].starts_with("ADDED two"),
        "{events:?}"
    );
}

#[tokio::test]
async fn changes_while_watching_are_seen_when_they_happen() {
    let mut store = Store::default();
    for second in [10, 20, 600] {
        let object = json!({"metadata": {"name": format!("at-{second}"), "namespace": "shop"}});
        store
            .planned
            .insert(second * 1_000_000, Happening::Creation("pods", object));
    }
    let fixture = Fixture::over(store).await;
    let mut events = fixture.pods().watch(&quiet(1_000), "0").await.unwrap().boxed();
    for second in [10, 20, 600] {
        let event = events.try_next().await.unwrap().unwrap();
        assert!(brief(&event).starts_with(&format!("ADDED at-{second} ")));
        assert_eq!(fixture.driver.now(), second * 1_000_000);
    }
}

#[tokio::test]
async fn a_selection_is_entered_and_left() {
    let fixture = Fixture::new().await;
    let watch = fixture.pods().watch(&quiet(60).labels("app=web"), "0").await.unwrap();
    let changes = async {
        fixture.add_pod("one", json!({"app": "db"})).await; // 2
        relabel(&fixture, "one", "web").await; // 3
        // A patch that changes nothing makes no version.
        relabel(&fixture, "one", "web").await;
        relabel(&fixture, "one", "db").await; // 4
        relabel(&fixture, "one", "web").await; // 5
        remove(&fixture, "one").await; // 6
        fixture.add_pod("two", json!({"app": "db"})).await; // 7
        remove(&fixture, "two").await; // 8
    };
    let (events, ()) = tokio::join!(watch.try_collect::<Vec<_>>(), changes);
    let events = events.unwrap();
    let expected = ["ADDED one 3", "DELETED one 4", "ADDED one 5", "DELETED one 6"];
    assert_eq!(events.iter().map(brief).collect::<Vec<_>>(), expected);
    let WatchEvent::Deleted(left) = &events[1] else {
        panic!()
    };
    assert_eq!(
        left.labels()["app"],
        "web",
        "an object leaves as it was when it was last selected"
    );
}

#[tokio::test]
async fn one_object_can_be_watched() {
    let fixture = past().await;
    let request = http::Request::get("/api/v1/namespaces/shop/pods/two?watch=true&timeoutSeconds=5");
    let request = request.body(vec![]).unwrap();
    let events = fixture.client.request_events::<Pod>(request).await.unwrap();
    let events: Vec<_> = events.map(|event| brief(&event.unwrap())).collect().await;
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("ADDED two"));
}

#[tokio::test]
async fn a_watch_ends_on_time_and_says_how_far_it_came() {
    let fixture = past().await;
    let version = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    let start = Instant::now();
    let events = watched(&fixture, &WatchParams::default().timeout(150), &version.to_string()).await;
    assert_eq!(start.elapsed(), Duration::from_secs(150));
    // After one minute, after two, and two seconds before the end.
    assert_eq!(events, vec![format!("BOOKMARK {version}"); 3]);
}

#[tokio::test]
async fn bookmarks_follow_changes_of_other_kinds() {
    let fixture = past().await;
    let version = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    fixture
        .maps()
        .create(&PostParams::default(), &map("settings", "one"))
        .await
        .unwrap();
    let events = watched(&fixture, &WatchParams::default().timeout(61), &version.to_string()).await;
    assert_eq!(events, [format!("BOOKMARK {}", version + 1)]);
}

#[tokio::test]
async fn a_streamed_list_says_where_it_ends() {
    let fixture = past().await;
    let params = WatchParams::default().initial_events().timeout(5).labels("app");
    let events = watched(&fixture, &params, "0").await;
    let version = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(events[2], format!("BOOKMARK {version} end"));
    let events = watched(&fixture, &params, "900").await;
    assert_eq!(
        events,
        [format!(
            "ERROR 504 Timeout Timeout: Too large resource version: 900, current: {version}"
        )]
    );
}

#[tokio::test]
async fn a_watch_from_a_forgotten_version_expires() {
    let fixture = past().await;
    fixture.driver.with(Store::compact).unwrap();
    let oldest = fixture
        .driver
        .with(|store| crate::simulation::api::ApiStore::version(store))
        .unwrap();
    let events = watched(&fixture, &quiet(60), "1").await;
    assert_eq!(
        events,
        [format!("ERROR 410 Expired too old resource version: 1 ({oldest})")]
    );
}

#[tokio::test]
async fn a_watch_from_a_version_to_come_waits_for_it() {
    let fixture = Fixture::new().await;
    let watch = fixture.pods().watch(&quiet(60), "3").await.unwrap();
    for name in ["two", "three", "four"] {
        fixture.add_pod(name, json!({})).await;
    }
    let events: Vec<_> = watch.map_ok(|event| brief(&event)).try_collect().await.unwrap();
    assert_eq!(events, ["ADDED four 4"]);
}

#[tokio::test]
async fn a_watcher_lists_again_when_it_has_expired() {
    let fixture = past().await;
    let config = watcher::Config::default().timeout(10);
    let mut events = watcher(fixture.pods(), config).default_backoff().boxed();
    let mut next = async || {
        timeout(Duration::from_secs(3_600), events.next())
            .await
            .unwrap()
            .unwrap()
    };
    assert!(matches!(next().await.unwrap(), watcher::Event::Init));
    for _ in 0..3 {
        assert!(matches!(next().await.unwrap(), watcher::Event::InitApply(_)));
    }
    assert!(matches!(next().await.unwrap(), watcher::Event::InitDone));
    // While nobody polls the watcher the log is cut.
    fixture.add_pod("three", json!({})).await;
    fixture.driver.with(Store::compact).unwrap();
    assert!(matches!(next().await, Err(watcher::Error::WatchError(status)) if status.code == 410));
    assert!(matches!(next().await.unwrap(), watcher::Event::Init));
}

#[rstest]
#[case(watcher::Config::default())]
#[case(watcher::Config::default().streaming_lists())]
#[case(watcher::Config::default().page_size(1))]
#[tokio::test]
async fn a_reflector_holds_what_the_cluster_has(#[case] config: watcher::Config) {
    let fixture = past().await;
    let (reader, writer) = reflector::store();
    let stream = watcher(fixture.pods(), config.timeout(20))
        .default_backoff()
        .reflect(writer)
        .applied_objects();
    let task = tokio::spawn(stream.try_for_each(|_| async { Ok(()) }));
    reader.wait_until_ready().await.unwrap();
    for name in ["three", "four", "five"] {
        sleep(Duration::from_secs(100)).await;
        fixture.add_pod(name, json!({})).await;
    }
    remove(&fixture, "one").await;
    sleep(Duration::from_secs(1)).await;
    let mut held: Vec<_> = reader.state().iter().map(|pod| pod.name_any()).collect();
    held.sort();
    assert_eq!(held, ["five", "four", "three", "two", "zero"]);
    assert!(!task.is_finished());
    task.abort();
}

#[tokio::test]
async fn metadata_can_be_watched_alone() {
    let fixture = past().await;
    let pods: Api<PartialObjectMeta<Pod>> = Api::namespaced(fixture.client.clone(), "shop");
    let mut events = watcher(pods, watcher::Config::default()).boxed();
    let mut seen = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        match event {
            watcher::Event::InitApply(object) => seen.push(object.name_any()),
            watcher::Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(seen, ["one", "two", "zero"]);
}

#[tokio::test]
async fn a_condition_is_awaited() {
    let fixture = Fixture::new().await;
    fixture.add_pod("web", json!({})).await;
    let pods = fixture.pods();
    let task = tokio::spawn(await_condition(pods.clone(), "web", conditions::is_pod_running()));
    sleep(Duration::from_secs(30)).await;
    assert!(!task.is_finished());
    let running = json!({"status": {"phase": "Running"}});
    pods.patch_status("web", &PatchParams::default(), &Patch::Merge(&running))
        .await
        .unwrap();
    assert!(task.await.unwrap().unwrap().is_some());
    let gone = tokio::spawn(await_condition(pods, "web", conditions::is_deleted("uid-1")));
    assert!(gone.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_broken_simulation_ends_its_watches() {
    let mut store = Store::default();
    store.planned.insert(1_000_000, Happening::Panic);
    let fixture = Fixture::over(store).await;
    let events = watched(&fixture, &quiet(60), "0").await;
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("ERROR 500 InternalError Internal error occurred: the simulation has panicked"));
    let refused = status(fixture.pods().list(&ListParams::default()).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (500, "InternalError"));
}

#[tokio::test]
async fn watches_do_not_keep_a_cluster_that_nobody_has() {
    let fixture = past().await;
    let watch = fixture.pods().watch(&quiet(60), "0").await.unwrap();
    drop(watch);
    drop(fixture);
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
