//! The lease, in a real (embedded) cluster.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1 as coordination;
use kube::Api;
use steadfast::Cluster;
use steadfast::safety::lease::{LeaseError, NAME, NAMESPACE, Options};
use steadfast::safety::run_id::LABEL;
use steadfast::safety::{Connector, Lease, RunId};

use super::rig::PATIENCE;

fn quick() -> Options {
    Options {
        wait: PATIENCE,
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_secs(2),
        retry: Duration::from_millis(200),
        ..Options::default()
    }
}

async fn cluster() -> Cluster {
    Cluster::embedded()
        .profile("kind")
        .unwrap()
        .real_time()
        .start()
        .await
        .unwrap()
}

fn api(cluster: &Cluster) -> Api<coordination::Lease> {
    Api::namespaced(cluster.client(), NAMESPACE)
}

async fn holder(cluster: &Cluster) -> Option<String> {
    api(cluster)
        .get(NAME)
        .await
        .unwrap()
        .spec
        .unwrap()
        .holder_identity
        .filter(|it| !it.is_empty())
}

async fn acquire(cluster: &Cluster, options: Options) -> Result<Lease, LeaseError> {
    Lease::acquire(Connector::client(cluster.client()), &RunId::new().unwrap(), options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_says_who_holds_it_and_is_given_back() {
    let cluster = cluster().await;
    let run = RunId::new().unwrap();
    let lease = Lease::acquire(Connector::client(cluster.client()), &run, quick())
        .await
        .unwrap();
    let held = holder(&cluster).await.unwrap();
    assert!(held.starts_with(&format!("{run}/{}@", std::process::id())), "{held}");
    let labels = api(&cluster).get(NAME).await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels[LABEL], run.as_str());

    let impatient = Options {
        wait: Duration::from_secs(1),
        ..quick()
    };
    let refused = acquire(&cluster, impatient).await.unwrap_err();
    assert!(refused.to_string().contains(run.as_str()), "{refused}");

    lease.release().await;
    assert_eq!(holder(&cluster).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_lease_is_renewed_for_longer_than_it_is_good_for() {
    let cluster = cluster().await;
    let lease = acquire(&cluster, quick()).await.unwrap();
    let patient = Options {
        wait: Duration::from_secs(8),
        ..quick()
    };
    assert!(matches!(acquire(&cluster, patient).await, Err(LeaseError::Busy { .. })));
    assert_eq!(lease.lost().is(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_experiments_queue_up() {
    let cluster = cluster().await;
    let inside = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (cluster, inside) = (cluster.clone(), inside.clone());
            tokio::spawn(async move {
                let lease = acquire(&cluster, quick()).await.unwrap();
                let others = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(500)).await;
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                lease.release().await;
                others
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 0, "two experiments met");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a lease expires by the clock on the wall")]
async fn an_expired_lease_is_taken_over_only_after_its_holders_own_duration() {
    let cluster = cluster().await;
    // Somebody who was killed: nobody renews it. Its date is long past, which says nothing: clocks differ.
    let dead = serde_json::json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME},
        "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 4, "renewTime": "2020-01-01T00:00:00.000000Z"},
    });
    let dead = serde_json::from_value(dead).unwrap();
    api(&cluster)
        .create(&kube::api::PostParams::default(), &dead)
        .await
        .unwrap();
    let begun = Instant::now();
    let lease = acquire(&cluster, quick()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_ne!(holder(&cluster).await.as_deref(), Some("dead"));
    drop(lease);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_somebody_took_is_lost() {
    let cluster = cluster().await;
    let lease = acquire(&cluster, quick()).await.unwrap();
    let theft = serde_json::json!({"spec": {"holderIdentity": "thief"}});
    let theft = kube::api::Patch::Merge(theft);
    api(&cluster)
        .patch(NAME, &kube::api::PatchParams::default(), &theft)
        .await
        .unwrap();
    let mut lost = lease.lost();
    let why = tokio::time::timeout(PATIENCE, lost.reason()).await.unwrap();
    assert!(why.contains("thief"), "{why}");
    lease.release().await;
    assert_eq!(
        holder(&cluster).await.as_deref(),
        Some("thief"),
        "what is not ours is not given back"
    );
}

#[tokio::test]
async fn times_that_do_not_fit_together_are_refused() {
    let cluster = Connector::config(kube::Config::new("http://127.0.0.1:9".parse().unwrap()));
    for (duration, renew, retry) in [(3, 3, 1), (3, 2, 2), (0, 0, 0)] {
        let options = Options {
            duration: Duration::from_secs(duration),
            renew_deadline: Duration::from_secs(renew),
            retry: Duration::from_secs(retry),
            ..quick()
        };
        let refused = Lease::acquire(cluster.clone(), &RunId::new().unwrap(), options).await;
        assert!(matches!(refused, Err(LeaseError::Times(..))));
    }
}
