use std::time::Duration;

use futures::FutureExt;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::*;
use crate::cluster::embedded::face::tests::store::{Happening, Store};

fn namespace(name: &str) -> Happening {
    Happening::Creation("namespaces", json!({"metadata": {"name": name}}))
}

fn store(planned: impl IntoIterator<Item = (u64, Happening)>) -> Store {
    let mut store = Store::default();
    store.planned.extend(planned);
    store
}

fn has(driver: &Driver<Store>, name: &str) -> bool {
    driver
        .with(|store| store.get(Store::resource("namespaces"), None, name).is_some())
        .unwrap()
}

async fn start(store: Store) -> Driver<Store> {
    Driver::start(store, 0, Pace::Virtual).await.unwrap()
}

#[tokio::test]
async fn events_happen_while_nobody_asks() {
    let driver = start(store([(1_000_000, namespace("one")), (600_000_000, namespace("two"))])).await;
    let mut changes = driver.changes();
    changes.changed().await.unwrap();
    assert_eq!(driver.now(), 1_000_000);
    changes.changed().await.unwrap();
    assert_eq!(driver.now(), 600_000_000);
}

#[tokio::test]
async fn a_sleep_takes_as_long_as_it_says() {
    let driver = start(Store::default()).await;
    for second in 1..=20 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(driver.now(), second * 1_000_000);
    }
}

#[tokio::test(start_paused = true)]
async fn an_already_paused_clock_is_fine() {
    let driver = start(store([(1_500_000, namespace("one"))])).await;
    sleep(Duration::from_secs(2)).await;
    assert!(has(&driver, "one"));
    assert_eq!(driver.now(), 2_000_000);
}

#[tokio::test]
async fn an_event_between_two_ticks_happens_at_the_next() {
    let driver = start(store([(1_000_100, namespace("one"))])).await;
    let mut changes = driver.changes();
    changes.changed().await.unwrap();
    assert_eq!(driver.now(), 1_001_000);
}

#[tokio::test]
async fn a_command_may_plan_earlier_events() {
    let driver = start(store([(60_000_000, namespace("late"))])).await;
    sleep(Duration::from_secs(1)).await;
    driver
        .with(|store| store.planned.insert(2_000_000, namespace("early")))
        .unwrap();
    let mut changes = driver.changes();
    changes.changed().await.unwrap();
    assert_eq!(driver.now(), 2_000_000);
    assert!(has(&driver, "early") && !has(&driver, "late"));
}

#[tokio::test]
async fn a_loaded_world_is_moved_every_100_ms() {
    let driver = start(Store::default()).await;
    driver.with(|store| store.loaded = true).unwrap();
    sleep(Duration::from_secs(1)).await;
    let advanced = driver.with(|store| std::mem::take(&mut store.advanced)).unwrap();
    assert!(
        advanced.windows(2).all(|pair| pair[1] - pair[0] <= 100_000),
        "{advanced:?}"
    );
    driver.with(|store| store.loaded = false).unwrap();
    sleep(Duration::from_secs(600)).await;
    let advanced = driver.with(|store| store.advanced.len()).unwrap();
    assert!(advanced < 10, "an idle world was moved {advanced} times");
}

#[tokio::test]
async fn a_world_may_be_older_than_its_driver() {
    let driver = Driver::start(store([(301_000_000, namespace("one"))]), 300_000_000, Pace::Virtual)
        .await
        .unwrap();
    assert_eq!(driver.now(), 300_000_000);
    driver.changes().changed().await.unwrap();
    assert_eq!(driver.now(), 301_000_000);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "real time is measured")]
async fn real_time_can_be_sped_up() {
    let driver = Driver::start(store([(5_000_000, namespace("one"))]), 0, Pace::Real { speed: 1_000 })
        .await
        .unwrap();
    let start = std::time::Instant::now();
    driver.changes().changed().await.unwrap();
    assert!(has(&driver, "one"));
    assert!(start.elapsed() >= Duration::from_millis(4));
}

#[tokio::test]
async fn the_world_goes_with_its_last_handle() {
    let driver = start(store([(60_000_000, namespace("one"))])).await;
    let world = Arc::downgrade(&driver.0);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 1);
    drop(driver.clone());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(tasks(), 1);
    drop(driver);
    assert!(world.upgrade().is_none());
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn a_broken_world_is_said_to_be_broken() {
    let driver = start(store([(1_000_000, Happening::Panic)])).await;
    driver.changes().changed().await.unwrap();
    assert_eq!(driver.with(|_| ()).unwrap_err(), DriverError::Panicked);
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_time_needs_one_thread() {
    let refused = Driver::start(Store::default(), 0, Pace::Virtual).await.err();
    assert_eq!(refused, Some(DriverError::MultiThread));
    Driver::start(Store::default(), 0, Pace::Real { speed: 1 })
        .await
        .unwrap();
}

#[test]
fn a_driver_needs_a_runtime() {
    let refused = Driver::start(Store::default(), 0, Pace::Virtual)
        .now_or_never()
        .unwrap()
        .err();
    assert_eq!(refused, Some(DriverError::NoRuntime));
}

#[tokio::test]
async fn ten_minutes_pass_at_once() {
    let start = Instant::now().into_std();
    let driver = start_of_ten_minutes().await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(driver.with(|store| store.version()).unwrap(), 601);
    assert!(start.elapsed() < Duration::from_secs(5));
}

async fn start_of_ten_minutes() -> Driver<Store> {
    start_with_a_namespace_every_second(600).await
}

async fn start_with_a_namespace_every_second(seconds: u64) -> Driver<Store> {
    start(store(
        (1..=seconds).map(|second| (second * 1_000_000, namespace(&format!("at-{second}")))),
    ))
    .await
}
