//! Is the guestbook still up when a node dies?

use steadfast::{App, Cluster, Experiment, NodeFailure, Units as _, Verdict, assert_availability_snapshot};

#[tokio::test]
async fn guestbook_loses_the_node_of_its_only_store() -> steadfast::Result {
    let cluster = Cluster::embedded().profile("kind")?.seed(7).start().await?;
    let app = App::from_manifest("manifests")?
        .named("guestbook")
        .namespace("guestbook")
        .model_file("model.yaml")?
        .deploy(&cluster)
        .await?;
    let report = Experiment::new("one node dies")
        .hypothesis(app.journey("visit")?.recovers_within(60.secs()))
        .fault(NodeFailure::kill().percent(50))
        .observe_for(10.mins())
        .expect(Verdict::Violated)
        .run(&cluster)
        .await?;
    assert_availability_snapshot!(report);
    Ok(())
}
