use super::rig::{Rig, anomalies, failed, good, planned};
use crate::model::history::FailureKind;

const CART: &str = "
entry: front
rate: 20
timeout: 5s
items: 1
steps:
  - {request: GET /login, expect: {status: 200}}
  - {request: POST /cart, expect: {status: 201}}
  - {request: GET /basket, expect: {status: 200}}
";

#[test]
fn a_kept_alive_connection_keeps_a_session_in_its_pod() {
    let mut rig = Rig::new(1, 3);
    rig.load(CART);
    let seconds = rig.results(10);
    assert_eq!(good(&seconds), 200);
}

#[test]
fn a_session_is_unknown_in_another_pod() {
    let mut rig = Rig::new(1, 2);
    rig.load(&CART.replace("items: 1", "connection: fresh"));
    let seconds = rig.results(50);
    let unknown = failed(&seconds, FailureKind::Status(401));
    assert!((400..600).contains(&unknown), "half of 1000: {unknown}");
    assert_eq!(good(&seconds) + unknown, 1_000);
}

#[test]
fn a_broken_connection_loses_the_session() {
    let mut rig = Rig::new(1, 1);
    rig.load("{entry: front, rate: 1000, timeout: 5s, steps: [{request: GET /login}, {request: POST /cart, expect: {status: 201}}]}");
    rig.until_time(crate::model::time::Time(500_000));
    let front = rig.pod("front", 0);
    rig.kill(front);
    rig.start(front);
    let seconds = rig.results(1);
    assert!(failed(&seconds, FailureKind::Status(401)) + failed(&seconds, FailureKind::Refused) > 0);
}

#[test]
fn replicas_of_a_store_do_not_know_each_others_items() {
    let mut rig = Rig::new(1, 1);
    rig.load(CART);
    let seconds = rig.results(10);
    assert_eq!((good(&seconds), anomalies(&seconds)), (200, 0));

    let mut rig = Rig::new(1, 3);
    rig.load(CART);
    let seconds = rig.results(50);
    assert_eq!(good(&seconds), planned(&seconds));
    let wrong = anomalies(&seconds);
    assert!((600..733).contains(&wrong), "two thirds of 1000: {wrong}");
}

#[test]
fn a_store_is_empty_after_its_process() {
    let mut rig = Rig::new(1, 1);
    rig.load(
        "{entry: front, rate: 1, timeout: 60s, items: 1, steps: [{request: GET /login}, {request: POST /cart}, {request: GET /catalogue}, {request: GET /basket}]}",
    );
    rig.until_time(crate::model::time::Time(1_000));
    assert_eq!(planned(&rig.network.seconds()), 1);
    let carts = rig.pod("carts", 0);
    // Between adding the item and counting it: while the third request is under way.
    rig.until_time(crate::model::time::Time(12_000));
    rig.kill(carts);
    rig.start(carts);
    let seconds = rig.results(1);
    assert_eq!((good(&seconds), anomalies(&seconds)), (1, 1));
}
