//! The same seed gives the same history, byte for byte: whoever drives the simulation, and whatever else runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use rstest::rstest;
use steadfast::app::manifest::Manifest;
use steadfast::model::experiment::{Plan, Verdict};
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::survey::Stage;
use steadfast::{Cluster, Experiment, NodeFailure, SockShop, Units as _, sockshop};

/// How often one seed is run again.
const RUNS: usize = if cfg!(debug_assertions) { 10 } else { 200 };

/// What is deployed and put under the experiment, one after the other: both manifests, and the second once more as it is.
const STORY: [(&str, &str); 3] = [
    (sockshop::BASE_NAME, sockshop::BASE),
    (sockshop::HA_NAME, sockshop::HA),
    (sockshop::HA_NAME, sockshop::HA),
];

/// The experiment of a deployed shop, as the story has it, a shorter observation aside.
macro_rules! experiment {
    ($shop:expr) => {
        Experiment::new("terminate-eks-nodes")
            .hypothesis($shop.checkout().recovers_within(60.secs()))
            .hypothesis($shop.browse().availability(0.90..))
            .fault(NodeFailure::terminate().percent(40))
            .observe_for(4.mins())
            .expect(Verdict::Held)
    };
}

/// A built-in profile. On kind nobody replaces a lost node, and the HA manifest keeps pods apart on six nodes at least, more
/// while it is rolled out: it gets nodes enough for three experiments.
fn profile(name: &str) -> Profile {
    let mut profile = Profile::built_in(name).unwrap();
    if name == "kind" {
        profile.nodes.count = 40;
    }
    profile
}

/// The histories of the experiments of the story, through the Kubernetes API.
async fn through_the_api(name: &str, seed: u64) -> Vec<Vec<u8>> {
    let cluster = Cluster::embedded()
        .custom_profile(profile(name))
        .seed(seed)
        .start()
        .await
        .unwrap();
    let mut histories = Vec::new();
    for (manifest, _) in STORY {
        let shop = SockShop::deploy(&cluster, manifest).await.unwrap();
        let report = experiment!(shop).run(&cluster).await.unwrap();
        histories.push(report.history().to_bytes());
    }
    histories
}

/// The same on the bare simulation. Which experiment it is, is asked of the experiment itself.
struct Bare {
    plan: Plan,
    journeys: Vec<(String, Journey)>,
}

impl Bare {
    /// The experiment needs a deployed shop; any will do.
    async fn new() -> Self {
        let cluster = Cluster::embedded().profile("kind").unwrap().start().await.unwrap();
        let shop = SockShop::deploy(&cluster, sockshop::BASE_NAME).await.unwrap();
        let experiment = experiment!(shop);
        let (_, namespace, journeys) = experiment.load().unwrap();
        assert_eq!(namespace, "sockshop");
        Self {
            plan: experiment.plan().unwrap(),
            journeys,
        }
    }

    fn run(&self, name: &str, seed: u64) -> Vec<Vec<u8>> {
        let profile = Arc::new(profile(name));
        let model = SockShop::model().unwrap();
        let mut stage = Stage::new(profile, seed);
        STORY
            .map(|(name, text)| {
                let manifest = Manifest::parse(text, name).unwrap();
                stage.deploy(name, &manifest, &model).unwrap();
                stage
                    .run(&self.plan, name, "sockshop", &self.journeys)
                    .unwrap()
                    .to_bytes()
            })
            .to_vec()
    }
}

/// Where two texts of lines first differ.
fn first_difference(one: &[u8], other: &[u8]) -> String {
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    let differs = one.lines().zip(other.lines()).enumerate().find(|(_, (a, b))| a != b);
    differs.map_or_else(
        || format!("{} and {} lines", one.lines().count(), other.lines().count()),
        |(line, (a, b))| format!("line {}:\n{a}\n{b}", line + 1),
    )
}

fn assert_same(one: &[Vec<u8>], other: &[Vec<u8>], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    for (run, (one, other)) in one.iter().zip(other).enumerate() {
        assert!(one == other, "{what}, run {run}: {}", first_difference(one, other));
    }
}

#[tokio::test]
async fn one_seed_has_one_history_however_often_it_is_run() {
    let bare = Bare::new().await;
    let first = bare.run("eks-workshop", 7);
    for run in 1..RUNS {
        assert_same(&first, &bare.run("eks-workshop", 7), &format!("again {run}"));
    }
}

/// Other clusters run in other threads at the same time: with this test's own, and with those of the tests beside it.
#[tokio::test]
async fn what_runs_in_other_threads_is_not_seen() {
    let bare = Bare::new().await;
    let alone = bare.run("eks-workshop", 11);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4_u64)
            .map(|other| {
                let bare = &bare;
                scope.spawn(move || {
                    bare.run("kind", other);
                    bare.run("eks-workshop", 11)
                })
            })
            .collect();
        for other in others {
            assert_same(&alone, &other.join().unwrap(), "in a thread of its own");
        }
    });
}

#[tokio::test]
async fn another_seed_has_another_history() {
    let bare = Bare::new().await;
    let runs: BTreeSet<Vec<u8>> = (0..6).flat_map(|seed| bare.run("eks-workshop", seed)).collect();
    assert_eq!(runs.len(), 18);
}

/// The Kubernetes API, its watches and tokio's timers leave no trace in a history: seen in the bytes.
#[rstest]
#[case::workshop("eks-workshop")]
#[case::kind("kind")]
#[tokio::test]
async fn the_api_and_the_bare_simulation_write_the_same_history(
    #[case] name: &str,
    #[values(0, 1, 2, 3, 4, 5)] seed: u64,
) {
    let bare = Bare::new().await.run(name, seed);
    assert_same(
        &bare,
        &through_the_api(name, seed).await,
        &format!("{name}, seed {seed}"),
    );
}

#[tokio::test]
async fn a_second_run_through_the_api_is_the_same() {
    let first = through_the_api("eks-workshop", 3).await;
    for _ in 0..2 {
        assert_same(&first, &through_the_api("eks-workshop", 3).await, "again");
    }
}
