//! How long a placement takes; run by hand, in release:
//! `cargo test --release --lib speed -- --ignored --nocapture`.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the wall clock")]

use std::time::Instant;

use serde_json::json;

use super::build::{Bench, apart, node, pod};
use crate::simulation::fabric::MachineId;
use crate::simulation::objects::quantity::Amount;

fn fill(nodes: u32, pods: u32, workloads: u32, spread_apart: bool) {
    let zones = ["a", "b", "c"];
    let big = |n: u32| {
        let mut info = node(n)
            .zone(zones[n as usize % 3])
            .label("kubernetes.io/os", "linux")
            .room_for(110);
        info.allocatable = Amount {
            cpu_milli: 64_000,
            memory: 256 << 30,
        };
        info
    };
    let mut bench = Bench::new((0..nodes).map(big));
    let templates: Vec<_> = (0..workloads)
        .map(|n| {
            let name = format!("app-{n}");
            let affinity = if spread_apart { apart(&[&name]) } else { json!({}) };
            let containers = super::build::requests("100m", "128Mi");
            pod(
                &name,
                json!({"containers": containers, "affinity": affinity, "nodeSelector": {"kubernetes.io/os": "linux"}}),
            )
        })
        .collect();
    let start = Instant::now();
    for n in 0..pods {
        bench.run(&templates[(n % workloads) as usize]).expect("a node");
    }
    let filled = start.elapsed();
    let start = Instant::now();
    for n in 0..1_000 {
        bench.find(&templates[n % workloads as usize]).expect("a node");
    }
    let placed = start.elapsed() / 1_000;
    let start = Instant::now();
    let copy = bench.scheduler.clone();
    let cloned = start.elapsed();
    drop(copy);
    let start = Instant::now();
    let on: Vec<_> = bench.scheduler.pods_on(MachineId(0)).to_vec();
    let moved = bench.scheduler.could_move(MachineId(0), &on);
    let asked = start.elapsed();
    println!(
        "{nodes} nodes, {pods} pods of {workloads} workloads, apart: {spread_apart}: {:?} a pod to fill, {placed:?} a placement then, \
         clone {cloned:?}, could_move of {} pods ({moved}) {asked:?}",
        filled / pods,
        on.len(),
    );
}

#[test]
#[ignore = "measures; means something in release only"]
fn speed_of_placements() {
    fill(9, 50, 13, true);
    fill(9, 50, 13, false);
    fill(5_000, 50_000, 100, false);
    fill(5_000, 50_000, 100, true);
    fill(5_000, 150_000, 1_000, true);
}
