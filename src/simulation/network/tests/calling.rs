//! Retries and pools with a limit.

use super::rig::{Rig, failed, good, planned, yaml};
use crate::model::application::Application;
use crate::model::history::FailureKind;
use crate::simulation::fabric::Process;
use crate::simulation::network::InstallError;

const SHOP: &str = "
version: 1
name: shop
services:
  front:
    images: [example/front]
    start: {from: 0s, to: 0s}
    routes:
      - request: GET /once
        steps: [{call: {to: back, request: GET /, timeout: 1s, unreachable: {answer: 503}}}]
      - request: GET /again
        steps: [{call: {to: back, request: GET /, timeout: 1s, retry: {times: 3, wait: 100ms}, unreachable: {answer: 503}}}]
      - request: GET /even-errors
        steps: [{call: {to: broken, request: GET /, timeout: 1s, retry: {times: 2, on: server-error}, error: {answer: 502}}}]
      - request: GET /errors-once
        steps: [{call: {to: broken, request: GET /, timeout: 1s, retry: {times: 2}, error: {answer: 502}}}]
      - request: GET /pool
        steps: [{call: {to: slow, request: GET /, timeout: 3s, over: {pooled: {idle: 30s, size: 2}}, unreachable: {answer: 504}}}]
      - request: GET /many
        steps: [{call: {to: slow, request: GET /, timeout: 3s, over: {pooled: {idle: 30s}}, unreachable: {answer: 504}}}]
  back:
    images: [example/back]
    start: {from: 0s, to: 0s}
    routes: [{request: GET /}]
  broken:
    images: [example/broken]
    start: {from: 0s, to: 0s}
    routes: [{request: GET /, answer: 500}]
  slow:
    images: [example/slow]
    start: {from: 0s, to: 0s}
    routes: [{request: GET /, work: {from: 100ms, to: 100ms}}]
";

fn rig(seed: u64) -> Rig {
    Rig::of(seed, SHOP, 2)
}

fn load(rig: &mut Rig, rate: u32, path: &str) {
    rig.load(&format!(
        "{{entry: front, rate: {rate}, timeout: 10s, connection: fresh, steps: [{{request: GET {path}, expect: {{status: 200}}}}]}}"
    ));
}

#[test]
fn a_call_made_again_finds_the_endpoint_that_lives() {
    let share = |path: &str| {
        let mut rig = rig(3);
        let dead = rig.pod("back", 0);
        rig.set(dead, Process::NotListening);
        load(&mut rig, 50, path);
        let seconds = rig.results(40);
        1.0 - f64::from(good(&seconds)) / f64::from(planned(&seconds))
    };
    // One of two endpoints refuses: a half fails, and of those made four times a sixteenth.
    let (once, again) = (share("/once"), share("/again"));
    assert!((0.46..0.54).contains(&once), "{once}");
    assert!((0.045..0.08).contains(&again), "{again}");
}

#[test]
fn an_error_is_tried_again_only_where_the_model_says_so() {
    let hops = |path: &str| {
        let mut rig = rig(1);
        load(&mut rig, 10, path);
        let seconds = rig.results(10);
        assert_eq!(failed(&seconds, FailureKind::Status(502)), planned(&seconds));
        rig.network.hops() / u64::from(planned(&seconds))
    };
    assert_eq!((hops("/errors-once"), hops("/even-errors")), (2, 4));
}

#[test]
fn a_full_pool_makes_calls_wait_and_a_hung_endpoint_exhausts_it() {
    // Two connections of 100 ms each carry 20 calls a second and pod; 15 a second and pod do not wait for long, 40 do.
    for (rate, fits) in [(30, true), (80, false)] {
        let mut rig = rig(4);
        load(&mut rig, rate, "/pool");
        let seconds = rig.results(30);
        let timed_out = failed(&seconds, FailureKind::Status(504));
        assert_eq!(timed_out == 0, fits, "{rate}/s: {timed_out} of {}", planned(&seconds));
    }
    // One of two endpoints hangs. Without a limit the calls to the other go on; with it both connections of each pool hang soon, and
    // calls that would have gone to the living endpoint wait in vain.
    let lost = |path: &str| {
        let mut rig = rig(5);
        load(&mut rig, 34, path);
        rig.until(5);
        let dead = rig.pod("slow", 0);
        rig.cut(dead);
        let seconds = rig.results(35);
        f64::from(planned(&seconds) - good(&seconds)) / f64::from(planned(&seconds))
    };
    let (unlimited, limited) = (lost("/many"), lost("/pool"));
    assert!(limited > 2.0 * unlimited, "{limited} against {unlimited}");
}

#[test]
fn a_process_that_dies_takes_its_queue_along() {
    let mut rig = rig(6);
    load(&mut rig, 200, "/pool");
    rig.until(3);
    for n in 0..2 {
        let front = rig.pod("front", n);
        rig.kill(front);
        rig.start(front);
    }
    let seconds = rig.results(4);
    assert!(good(&seconds) > 0);
    assert_eq!(rig.network.frames.len(), 0);
}

#[test]
fn nonsense_is_refused_with_its_place() {
    let install = |from: &str, to: &str| {
        let model: Application = yaml(&SHOP.replace(from, to));
        crate::simulation::network::Network::new(0).install("shop", &model)
    };
    assert!(matches!(
        install("times: 3", "times: 0"),
        Err(InstallError::Retries { found: 0, .. })
    ));
    assert!(matches!(
        install("times: 3", "times: 11"),
        Err(InstallError::Retries { found: 11, .. })
    ));
    assert!(matches!(install("size: 2", "size: 0"), Err(InstallError::Pool { .. })));
}
