//! Clusters beside each other, and clocks.

use std::time::Duration;

use steadfast::Cluster;

use super::small::sound;

/// The history of a run on a cluster of a seed.
async fn history(seed: u64) -> Vec<u8> {
    let cluster = Cluster::embedded().seed(seed).start().await.unwrap();
    sound(&cluster).await.history().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_paused_already_will_do() {
    let cluster = Cluster::embedded().seed(1).start().await.unwrap();
    assert!(cluster.now().unwrap() > Duration::ZERO);
    let here = sound(&cluster).await.history().to_bytes();
    let unpaused = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(history(1))
    });
    assert!(
        here == unpaused.join().unwrap(),
        "paused before or by the cluster: the same history"
    );
}

#[tokio::test]
async fn a_cluster_started_late_has_the_same_history() {
    let first = history(1).await;
    // Off the ticks of tokio's timers.
    tokio::time::sleep(Duration::from_micros(123_456_789)).await;
    assert!(first == history(1).await);
}

#[tokio::test]
async fn clusters_in_one_test_do_not_disturb_each_other() {
    let (one, other) = tokio::join!(history(1), history(2));
    assert!(one == history(1).await);
    assert!(other == history(2).await);
    assert!(one != other);
}

#[test]
fn clusters_in_parallel_threads_do_not_disturb_each_other() {
    let run = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(history(seed))
    };
    let alone = [run(1), run(2)];
    std::thread::scope(|scope| {
        let threads: Vec<_> = [1, 2, 1, 2]
            .map(|seed| scope.spawn(move || run(seed)))
            .into_iter()
            .collect();
        for (thread, alone) in threads.into_iter().zip(alone.iter().cycle()) {
            assert!(thread.join().unwrap() == *alone);
        }
    });
}
