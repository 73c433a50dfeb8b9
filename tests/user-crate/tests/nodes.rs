//! Is the guestbook still up when nodes die?

use steadfast::{App, Cluster, Experiment, NodeFailure, Units as _, Verdict, assert_availability_snapshot};

#[tokio::test]
async fn guestbook_when_half_of_the_nodes_lose_power() -> steadfast::Result {
    let cluster = Cluster::embedded().profile("kind")?.seed(7).start().await?;
    let app = App::from_manifest("manifests")?
        .named("guestbook")
        .namespace("guestbook")
        .model_file("model.yaml")?
        .deploy(&cluster)
        .await?;
    let report = Experiment::new("half of the nodes lose power")
        .hypothesis(app.journey("visit")?.recovers_within(60.secs()))
        .fault(NodeFailure::kill().percent(50))
        .observe_for(10.mins())
        .expect(Verdict::Violated)
        .run(&cluster)
        .await?;
    assert_availability_snapshot!(report);
    Ok(())
}
