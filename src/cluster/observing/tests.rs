//! The simulation writes its own history: what is watched of it through its API must be the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Observer;
use crate::cluster::Cluster;
use crate::model::fault::{Fault, NodeFailure, PodFailure};
use crate::model::history::{Event, What};
use crate::{Experiment, SockShop, Units as _};

/// What is the subject of an event that a watch can see, and the event without what it cannot.
fn seen(what: &What) -> Option<(String, What)> {
    // Whom a controller deletes for, and who deletes a node, nobody tells a watch.
    const TOLD: [&str; 4] = ["taint-manager", "pod-gc", "eviction", "preempted"];
    let mut what = what.clone();
    let subject = match &mut what {
        What::NodeAdded { node, .. }
        | What::NodeReady { node }
        | What::NodeNotReady { node, .. }
        | What::NodeCordoned { node }
        | What::NodeUncordoned { node } => node.clone(),
        What::NodeDeleted { node, by } => {
            "another".clone_into(by);
            node.clone()
        }
        What::PodCreated { pod, .. }
        | What::PodUnschedulable { pod, .. }
        | What::PodScheduled { pod, .. }
        | What::PodStarted { pod, .. }
        | What::PodReady { pod, .. }
        | What::PodNotReady { pod, .. }
        | What::PodCrashed { pod, .. }
        | What::PodGone { pod, .. } => pod.clone(),
        What::PodDeleted { pod, cause, .. } => {
            if !TOLD.contains(&cause.as_str()) {
                "other".clone_into(cause);
            }
            pod.clone()
        }
        What::Endpoints { service, ready } => {
            ready.sort_unstable();
            service.clone()
        }
        _ => return None,
    };
    Some((subject, what))
}

/// The events by their subjects, each list in the order of time.
fn by_subject(events: &[Event]) -> BTreeMap<String, Vec<(u64, What)>> {
    let mut all: BTreeMap<String, Vec<(u64, What)>> = BTreeMap::new();
    for (t, (subject, what)) in events.iter().filter_map(|event| Some((event.t, seen(&event.what)?))) {
        all.entry(subject).or_default().push((t, what));
    }
    all
}

async fn compare(fault: Fault, heal_after: Duration) {
    let kind = Cluster::embedded().profile("kind").expect("it is built in");
    let cluster = kind.nodes(10).seed(3).start().await.expect("it starts");
    let shop = SockShop::deploy(&cluster, "sockshop-demo-ha").await.expect("it fits");
    let clock = cluster.clone();
    let clock: super::Clock = Arc::new(move || clock.now().map_or(0, |now| now.as_micros() as u64));
    let observer = Observer::start(&cluster.client(), clock).await;
    let experiment = Experiment::new("watched")
        .hypothesis(shop.browse().availability(0.0..))
        .fault(fault.clone())
        .observe_for(10.mins());
    let (application, namespace, journeys) = experiment.load().expect("it has journeys");
    cluster.settle().await;
    cluster.start_load(&namespace, &journeys).await.expect("it starts");
    observer.record().begin(observer.now());
    let struck = cluster.inject(fault).await.expect("it strikes");
    tokio::time::sleep(heal_after).await;
    struck.heal().await.expect("it heals");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let plan = experiment.plan().expect("it is one");
    let history = cluster.finish(&plan, &application).await.expect("it ends");
    let watched = observer.record().end();
    let (told, watched) = (by_subject(&history.events), by_subject(&watched));
    assert!(told.values().flatten().count() > 40, "something happened: {told:?}");
    assert_eq!(told.keys().collect::<Vec<_>>(), watched.keys().collect::<Vec<_>>());
    for (subject, told) in told {
        let watched = &watched[&subject];
        let whats = |events: &[(u64, What)]| events.iter().map(|(_, what)| what.clone()).collect::<Vec<_>>();
        assert_eq!(whats(&told), whats(watched), "{subject}");
        for ((t, what), (seen, _)) in told.iter().zip(watched) {
            assert!(t.abs_diff(*seen) < 1_000, "{subject}: {what:?} at {t}, seen at {seen}");
        }
    }
}

#[tokio::test]
async fn a_watched_power_cut_is_the_one_that_the_simulation_records() {
    compare(NodeFailure::kill().count(1).into(), Duration::from_secs(400)).await;
}

#[tokio::test]
async fn a_watched_deletion_is_the_one_that_the_simulation_records() {
    compare(NodeFailure::delete().count(1).into(), Duration::from_secs(120)).await;
}

#[tokio::test]
async fn a_watched_drain_is_the_one_that_the_simulation_records() {
    compare(NodeFailure::drain().count(1).into(), Duration::from_secs(60)).await;
}

#[tokio::test]
async fn watched_deletions_of_pods_are_those_that_the_simulation_records() {
    compare(
        PodFailure::delete().app("carts").count(2).into(),
        Duration::from_secs(60),
    )
    .await;
}
