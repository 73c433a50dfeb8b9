//! Scratch.
use steadfast::*;
#[tokio::test]
async fn scratch() -> steadfast::Result {
    for manifest in ["sockshop-demo", "sockshop-demo-ha"] {
        let t = std::time::Instant::now();
        let cluster = Cluster::embedded().start().await?;
        println!("start {:?} {:?}", t.elapsed(), cluster.now());
        let shop = SockShop::deploy(&cluster, manifest).await?;
        println!("deployed {:?} {:?}", t.elapsed(), cluster.now());
        let report = Experiment::new("terminate-eks-nodes")
            .hypothesis(shop.checkout().recovers_within(60.secs()))
            .hypothesis(shop.browse().availability(0.90..))
            .fault(NodeFailure::terminate().percent(40))
            .observe_for(10.mins())
            .run(&cluster)
            .await?;
        println!("done {:?} {:?}", t.elapsed(), cluster.now());
        println!("{}", report.snapshot());
        println!("{}", steadfast::report::terminal::render(&[report.view()]));
        std::fs::write(format!("/tmp/{manifest}.jsonl"), report.history().to_bytes()).unwrap();
    }
    Ok(())
}
