//! How long the simulation takes, on one core.
//!
//! `just bench`, or `cargo bench --bench experiment`.
//!
//! * `ha experiment`: the highly available shop loses 40 % of its nodes, ten minutes, 20 checkouts a second (180 requests a
//!   second from outside), every slot simulated and recorded, the history as bytes. The deployment before it is not counted.
//!   The throughput that criterion prints is request hops: requests from outside and between services, and name look-ups.
//! * `story`: what `cargo run` tells, without its survey of seeds: both manifests deployed and struck through the Kubernetes API of the
//!   embedded cluster, analysed and judged, histories and summaries written.
//! * `seed of the story`: one seed of the workshop's story on the bare simulation: base deployed and struck, the highly available
//!   manifest rolled out over it, struck again.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use steadfast::app::manifest::Manifest;
use steadfast::model::experiment::{Afterwards, Claim, Hypothesis, Plan};
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::report::summary::Summary;
use steadfast::survey::Stage;
use steadfast::{Cluster, Experiment, NodeFailure, SockShop, Units as _, Verdict, sockshop};

fn plan(journey: &str) -> Plan {
    Plan {
        name: "terminate-eks-nodes".to_owned(),
        hypotheses: vec![Hypothesis {
            journey: journey.to_owned(),
            claim: Claim::RecoversWithin {
                within: 60.secs(),
                at_least_ppm: 990_000,
            },
        }],
        fault: NodeFailure::terminate().percent(40).into(),
        more_faults: Vec::new(),
        afterwards: Afterwards::default(),
        observe: 10.mins(),
        expected: Verdict::Held,
    }
}

fn journeys(names: &[&str], rate: Option<u32>) -> Vec<(String, Journey)> {
    let model = SockShop::model().unwrap();
    names
        .iter()
        .map(|&name| {
            let mut journey = model.journeys[name].clone();
            journey.rate = rate.unwrap_or(journey.rate);
            (name.to_owned(), journey)
        })
        .collect()
}

fn ha_experiment(criterion: &mut Criterion) {
    let profile = Arc::new(Profile::built_in("eks-workshop").unwrap());
    let manifest = Manifest::parse(sockshop::HA, "sockshop-demo-ha").unwrap();
    let (model, journeys, plan) = (
        SockShop::model().unwrap(),
        journeys(&["checkout"], Some(20)),
        plan("checkout"),
    );
    let mut stage = Stage::new(profile, 0);
    stage.deploy("sockshop-demo-ha", &manifest, &model).unwrap();
    let run = |mut stage: Stage| stage.run(&plan, "sockshop-demo-ha", "sockshop", &journeys).unwrap();
    let hops = run(stage.clone()).end.unwrap().hops;
    let mut group = criterion.benchmark_group("embedded");
    group.sample_size(20).throughput(Throughput::Elements(hops));
    group.bench_function("ha experiment", |bench| {
        bench.iter_batched(|| stage.clone(), |stage| run(stage).to_bytes(), BatchSize::LargeInput);
    });
    group.finish();
}

fn seed_of_the_story(criterion: &mut Criterion) {
    let profile = Arc::new(Profile::built_in("eks-workshop").unwrap());
    let base = Manifest::parse(sockshop::BASE, "sockshop-demo").unwrap();
    let ha = Manifest::parse(sockshop::HA, "sockshop-demo-ha").unwrap();
    let (model, journeys, plan) = (
        SockShop::model().unwrap(),
        journeys(&["browse", "checkout"], None),
        plan("checkout"),
    );
    let mut group = criterion.benchmark_group("embedded");
    group.sample_size(20);
    group.bench_function("seed of the story", |bench| {
        bench.iter(|| {
            let mut stage = Stage::new(profile.clone(), 0);
            stage.deploy("sockshop-demo", &base, &model).unwrap();
            let before = stage.run(&plan, "sockshop-demo", "sockshop", &journeys).unwrap();
            stage.deploy("sockshop-demo-ha", &ha, &model).unwrap();
            (
                before,
                stage.run(&plan, "sockshop-demo-ha", "sockshop", &journeys).unwrap(),
            )
        });
    });
    group.finish();
}

fn story(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let tell = async || -> steadfast::Result {
        let cluster = Cluster::embedded().seed(1).start().await?;
        for (manifest, expected) in [
            ("sockshop-demo", Verdict::Violated),
            ("sockshop-demo-ha", Verdict::Held),
        ] {
            let shop = SockShop::deploy(&cluster, manifest).await?;
            let report = Experiment::new("terminate-eks-nodes")
                .hypothesis(shop.browse().recovers_within(60.secs()).of_slots(0.10..))
                .hypothesis(shop.checkout().recovers_within(60.secs()).of_slots(0.10..))
                .fault(NodeFailure::terminate().percent(40))
                .observe_for(10.mins())
                .expect(expected)
                .run(&cluster)
                .await?;
            report.assert_expected();
            report
                .history()
                .write(folder.path().join(format!("{manifest}.history.jsonl")))
                .unwrap();
            let summary = Summary::new(&report.view(), "").to_json().unwrap();
            std::fs::write(folder.path().join(format!("{manifest}.summary.json")), summary).unwrap();
        }
        Ok(())
    };
    let mut group = criterion.benchmark_group("embedded");
    group.sample_size(20);
    group.bench_function("story", |bench| {
        bench.iter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(tell()).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, ha_experiment, story, seed_of_the_story);
criterion_main!(benches);
