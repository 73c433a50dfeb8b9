//! Faults as scopes: several, staggered, timed, healed; and what each needs as evidence.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use rstest::rstest;
use serde_json::json;
use steadfast::model::fault::{Fault, Mode};
use steadfast::model::history::{History, What};
use steadfast::{Cluster, Experiment, NodeFailure, PodFailure, Report, Units as _, Verdict};

use super::small::{deployed, kind, manifest, said, struck, undeployed, visit};

async fn with(cluster: &Cluster, faults: Vec<Fault>, length: Duration) -> Report {
    let app = deployed(cluster).await;
    let mut faults = faults.into_iter();
    let experiment = Experiment::new("faults")
        .hypothesis(visit(&app).availability(0.0..))
        .fault(faults.next().unwrap())
        .observe_for(length)
        .heal_afterwards();
    faults
        .fold(experiment, Experiment::<_, steadfast::experiment::Fault, _>::and_fault)
        .run(cluster)
        .await
        .unwrap()
}

/// When each strike happened, in seconds since the first, with its nodes.
fn strikes(history: &History) -> Vec<(f64, String, usize)> {
    let all: Vec<_> = history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Injected { fault, nodes, .. } => Some((event.t, fault.clone(), nodes.len())),
            _ => None,
        })
        .collect();
    let from = all[0].0;
    all.into_iter()
        .map(|(t, fault, nodes)| ((t - from) as f64 / 1e6, fault, nodes))
        .collect()
}

fn first(history: &History, test: impl Fn(&What) -> bool) -> Option<f64> {
    let from = history
        .events
        .iter()
        .find(|event| matches!(event.what, What::Injected { .. }))?
        .t;
    let event = history
        .events
        .iter()
        .find(|event| event.t >= from && test(&event.what))?;
    Some((event.t - from) as f64 / 1e6)
}

#[rstest]
#[case(NodeFailure::terminate().count(1))]
#[case(NodeFailure::kill().count(1))]
#[case(NodeFailure::kill().count(1).return_after(30.secs()))]
#[case(NodeFailure::stop().count(1).return_after(30.secs()))]
#[case(NodeFailure::freeze().count(1))]
#[case(NodeFailure::freeze().count(1).return_after(20.secs()))]
#[case(NodeFailure::isolate().count(1))]
#[case(NodeFailure::isolate().count(1).return_after(20.secs()))]
#[case(NodeFailure::stop_kubelet().count(1))]
#[case(NodeFailure::delete().count(1))]
#[case(NodeFailure::remove().count(1))]
#[case(NodeFailure::drain().count(1))]
#[case(NodeFailure::reboot().count(1))]
#[case(NodeFailure::interrupt().count(1))]
#[tokio::test]
async fn every_mode_is_seen_to_happen_and_leaves_evidence_of_its_own(#[case] failure: NodeFailure) {
    let cluster = kind().await;
    let mode = failure.mode;
    let report = with(&cluster, vec![failure.into()], 5.mins()).await;
    assert_eq!(
        report.verdict(),
        Verdict::Held,
        "{mode:?}: {:?}",
        report.judgement().reasons
    );
    let node = &struck(report.history())[0];
    let evidence = report.judgement().evidence.join("\n");
    assert!(evidence.contains(&format!("node {node}: ")), "{evidence}");
    // Whatever was left out of the history, the run proves nothing without its own evidence.
    let needed: fn(&What) -> bool = match mode {
        Mode::Terminate | Mode::Kill | Mode::Stop | Mode::Reboot => |what| matches!(what, What::MachineLost { .. }),
        Mode::Freeze | Mode::Isolate | Mode::KubeletStop => |what| matches!(what, What::MachineImpaired { .. }),
        Mode::Delete | Mode::Remove => |what| matches!(what, What::NodeDeleted { .. }),
        Mode::Drain => |what| matches!(what, What::NodeCordoned { .. }),
        Mode::Interrupt => |what| matches!(what, What::InterruptionNotice { .. }),
    };
    let mut history = report.history().clone();
    history.events.retain(|event| !needed(&event.what));
    assert_eq!(Report::new(history).verdict(), Verdict::Inconclusive, "{mode:?}");
    // The same run from its own file.
    let read = History::from_bytes(&report.history().to_bytes()).unwrap();
    assert_eq!(&read, report.history());
}

#[test]
fn one_fault_is_written_as_it_always_was() {
    let fault: Fault = NodeFailure::terminate().percent(40).into();
    assert_eq!(
        serde_json::to_string(&fault).unwrap(),
        r#"{"mode":"terminate","selection":{"percent":40}}"#
    );
    for text in [
        r#"{"mode":"terminate","selection":{"percent":40}}"#,
        r#"{"mode":"kubelet-stop","selection":{"count":1},"return_after":"60s","stagger":"5s","after":"30s"}"#,
        r#"{"delete-pods":{"app":"web"},"count":2,"stagger":"5s"}"#,
    ] {
        let read: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}

#[tokio::test]
async fn staggered_victims_are_struck_one_after_the_other() {
    let cluster = kind().await;
    let failure = NodeFailure::kill().count(3).stagger(5.secs()).return_after(10.secs());
    let report = with(&cluster, vec![failure.into()], 2.mins()).await;
    let all = strikes(report.history());
    let times: Vec<f64> = all.iter().map(|(t, ..)| *t).collect();
    assert_eq!(times, [0.0, 5.0, 10.0]);
    assert!(all.iter().all(|(_, fault, nodes)| fault == "kill-nodes" && *nodes == 1));
    assert_eq!(report.analysis().nodes.struck.len(), 3);
    // Each is back 10 s after its own strike, not after the first.
    let backs = report
        .analysis()
        .nodes
        .struck
        .iter()
        .map(|node| node.back.unwrap() - node.struck);
    assert!(
        backs.clone().all(|back| (12_400_000..12_600_000).contains(&back)),
        "{:?}",
        backs.collect::<Vec<_>>()
    );
    assert_eq!(report.verdict(), Verdict::Held, "{:?}", report.judgement().reasons);
}

#[tokio::test]
async fn faults_at_once_choose_different_nodes_and_later_ones_strike_later() {
    let cluster = kind().await;
    let faults: Vec<Fault> = vec![
        NodeFailure::freeze().count(1).into(),
        NodeFailure::kill().percent(50).into(),
        NodeFailure::isolate().count(1).after(30.secs()).into(),
        PodFailure::delete().app("web").count(1).after(40.secs()).into(),
    ];
    let report = with(&cluster, faults, 3.mins()).await;
    let all = strikes(report.history());
    let shown: Vec<(f64, &str, usize)> = all.iter().map(|(t, fault, n)| (*t, fault.as_str(), *n)).collect();
    assert_eq!(
        shown[..3],
        [
            (0.0, "freeze-nodes", 1),
            (0.0, "kill-nodes", 2),
            (30.0, "isolate-nodes", 1)
        ]
    );
    assert_eq!((shown[3].0, shown[3].1), (40.0, "delete-pods"));
    let mut nodes: Vec<&str> = report
        .analysis()
        .nodes
        .struck
        .iter()
        .map(|it| it.node.as_str())
        .collect();
    nodes.dedup();
    assert_eq!(nodes.len(), 4, "each fault has nodes of its own");
    let snapshot = report.snapshot();
    let faults = "fault: freeze-nodes, 1 node; kill-nodes, 50 % of the nodes; isolate-nodes, 1 node, 30 s later; \
                  delete-pods, 1 pod of web, 40 s later;";
    assert!(snapshot.contains(faults), "{snapshot}");
    // A fault that did not strike leaves the run without a verdict.
    let mut history = report.history().clone();
    history
        .events
        .retain(|event| !matches!(&event.what, What::Injected { fault, .. } if fault == "isolate-nodes"));
    let cut = Report::new(history);
    assert_eq!(cut.verdict(), Verdict::Inconclusive);
    assert!(
        cut.judgement().reasons[0].contains("isolate-nodes did not strike"),
        "{:?}",
        cut.judgement().reasons
    );
}

#[tokio::test]
async fn deleted_pods_are_seen_to_be_deleted_and_nodes_are_not_struck() {
    let cluster = kind().await;
    let failure = PodFailure::delete().label("app", "web").stagger(10.secs());
    let report = with(&cluster, vec![failure.into()], 1.mins()).await;
    assert_eq!(report.verdict(), Verdict::Held, "{:?}", report.judgement().reasons);
    assert_eq!(strikes(report.history()).len(), 3);
    assert_eq!(
        (report.analysis().victims.len(), report.analysis().nodes.struck.len()),
        (3, 0)
    );
    assert!(
        report
            .judgement()
            .evidence
            .iter()
            .any(|line| line.starts_with("delete-pods deleted 3 pods"))
    );
    let mut history = report.history().clone();
    history
        .events
        .retain(|event| !matches!(event.what, What::PodDeleted { .. }));
    assert_eq!(Report::new(history).verdict(), Verdict::Inconclusive);
}

#[tokio::test]
async fn a_short_freeze_is_put_down_to_the_time_until_its_pods_serve_again() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let report = Experiment::new("hiccup")
        .hypothesis(visit(&app).recovers_within(25.secs()))
        .fault(NodeFailure::freeze().percent(100).return_after(20.secs()))
        .observe_for(2.mins())
        .run(&cluster)
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    let journey = &report.analysis().journeys[0];
    let phases: u64 = journey.phases.iter().map(|time| time.seconds).sum();
    assert!((17..=22).contains(&phases), "{}", report.snapshot());
    // Nobody was evicted: nothing is put down to an eviction that never came.
    assert!(
        journey
            .phases
            .iter()
            .all(|time| time.phase.name() != "evicting" && time.phase.name() != "several"),
        "{}",
        report.snapshot()
    );
    assert!(
        report.snapshot().contains("frozen 0 s, machine back 20 s"),
        "{}",
        report.snapshot()
    );
}

#[tokio::test]
async fn what_cannot_return_is_refused_before_anything_is_touched() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let before = cluster.now().unwrap();
    let error = Experiment::new("refused")
        .hypothesis(visit(&app).availability(0.0..))
        .fault(NodeFailure::kill().count(1))
        .and_fault(NodeFailure::terminate().count(1).return_after(30.secs()))
        .observe_for(1.mins())
        .run(&cluster)
        .await
        .unwrap_err();
    assert!(
        said(&error).contains("terminate-nodes cannot return after a time"),
        "{}",
        said(&error)
    );
    assert_eq!(cluster.now().unwrap(), before);
}

async fn unready(cluster: &Cluster) -> usize {
    let nodes: Api<Node> = Api::all(cluster.client());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    let ready = |node: &Node| {
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions
            .into_iter()
            .flatten()
            .any(|it| it.type_ == "Ready" && it.status == "True")
    };
    nodes.iter().filter(|node| !ready(node)).count()
}

#[tokio::test]
async fn a_fault_lasts_as_long_as_its_guard() {
    let cluster = kind().await;
    for failure in [
        NodeFailure::kill(),
        NodeFailure::freeze(),
        NodeFailure::isolate(),
        NodeFailure::stop_kubelet(),
    ] {
        let fault = cluster.inject(failure.count(2)).await.unwrap();
        assert_eq!(fault.nodes().len(), 2);
        tokio::time::sleep(60.secs()).await;
        assert_eq!(unready(&cluster).await, 2, "{failure:?}");
        fault.heal().await.unwrap();
        tokio::time::sleep(30.secs()).await;
        assert_eq!(unready(&cluster).await, 0, "{failure:?}: healed");
        {
            let _fault = cluster.inject(failure.count(1)).await.unwrap();
            tokio::time::sleep(60.secs()).await;
            assert_eq!(unready(&cluster).await, 1, "{failure:?}");
        }
        tokio::time::sleep(30.secs()).await;
        assert_eq!(unready(&cluster).await, 0, "{failure:?}: dropped");
    }
}

#[tokio::test]
async fn a_healed_drain_uncordons_and_strikes_nobody_else() {
    let cluster = kind().await;
    let nodes: Api<Node> = Api::all(cluster.client());
    let cordoned = || async {
        let all = nodes.list(&ListParams::default()).await.unwrap();
        let cordoned = |node: &&Node| node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
        all.iter().filter(cordoned).count()
    };
    let drain = cluster
        .inject(NodeFailure::drain().count(3).stagger(60.secs()))
        .await
        .unwrap();
    tokio::time::sleep(70.secs()).await;
    assert_eq!(cordoned().await, 2);
    drain.heal().await.unwrap();
    tokio::time::sleep(120.secs()).await;
    assert_eq!(cordoned().await, 0);
}

#[tokio::test]
async fn a_budget_holds_a_drain_up_until_the_replacement_is_ready() {
    let cluster = kind().await;
    let budget = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web, namespace: small }
spec: { minAvailable: 3, selector: { matchLabels: { app: web } } }
";
    let app = undeployed(&manifest("example/web:1", budget))
        .deploy(&cluster)
        .await
        .unwrap();
    let experiment = |name: &str| {
        Experiment::new(name)
            .hypothesis(visit(&app).availability(1.0..))
            .fault(NodeFailure::drain().percent(100))
            .observe_for(1.mins())
            .heal_afterwards()
    };
    // Three of three must stay: every eviction is refused, and users notice nothing.
    let report = experiment("blocked").run(&cluster).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    let refused = |history: &History| {
        history
            .events
            .iter()
            .filter(|event| matches!(event.what, What::EvictionRefused { .. }))
            .count()
    };
    assert_eq!(refused(report.history()), 3);
    assert!(
        first(
            report.history(),
            |what| matches!(what, What::PodDeleted { app, .. } if app == "web")
        )
        .is_none()
    );
    assert!(
        report.history().header.not_modelled.is_empty(),
        "{:?}",
        report.history().header.not_modelled
    );
    // One more than needed: one goes at a time, the others are tried again every 5 s.
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), "small");
    let four = Patch::Merge(json!({ "spec": { "replicas": 4 } }));
    deployments.patch("web", &PatchParams::default(), &four).await.unwrap();
    tokio::time::sleep(30.secs()).await;
    let report = Experiment::new("one by one")
        .hypothesis(visit(&app).availability(0.0..))
        .fault(NodeFailure::drain().name(busiest(&cluster).await))
        .observe_for(2.mins())
        .run(&cluster)
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Held, "{:?}", report.judgement().reasons);
    let struck = &report.analysis().nodes.struck[0];
    assert!(struck.drained.is_some() && struck.evicted > 0, "{struck:?}");
}

/// The node with the most pods of the application.
async fn busiest(cluster: &Cluster) -> String {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(cluster.client(), "small");
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for pod in pods.list(&ListParams::default()).await.unwrap() {
        *counts.entry(pod.spec.unwrap().node_name.unwrap()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).unwrap().0
}

#[tokio::test]
async fn a_roll_out_goes_on_while_a_node_dies() {
    let cluster = kind().await;
    let app = deployed(&cluster).await;
    let client = cluster.client();
    let rolling = async {
        // In the midst of the experiment: its steady state takes half a minute.
        tokio::time::sleep(40.secs()).await;
        let deployments: Api<Deployment> = Api::namespaced(client, "small");
        let release = json!({ "spec": { "template": { "metadata": { "annotations": { "release": "2" } } } } });
        deployments
            .patch("web", &PatchParams::default(), &Patch::Merge(release))
            .await
            .unwrap();
    };
    let experiment = Experiment::new("rolling")
        .hypothesis(visit(&app).availability(0.5..))
        .fault(NodeFailure::kill().count(2).after(8.secs()))
        .observe_for(10.mins());
    let (report, ()) = tokio::join!(experiment.run(&cluster), rolling);
    let report = report.unwrap();
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), "small");
    let status = deployments.get("web").await.unwrap().status.unwrap();
    assert_eq!((status.updated_replicas, status.available_replicas), (Some(3), Some(3)));
}

#[tokio::test]
async fn a_spot_instance_is_drained_at_its_notice_by_a_managed_node_group_and_gone_two_minutes_later() {
    let cluster = Cluster::embedded()
        .seed(5)
        .nodes(4)
        .without_autoscaler()
        .start()
        .await
        .unwrap();
    let report = with(&cluster, vec![NodeFailure::interrupt().count(1).into()], 6.mins()).await;
    assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
    let history = report.history();
    let at = |test: fn(&What) -> bool| first(history, test).unwrap();
    assert!(at(|what| matches!(what, What::InterruptionNotice { .. })) < 0.001);
    assert!(at(|what| matches!(what, What::NodeCordoned { .. })) < 1.0);
    let lost = at(|what| matches!(what, What::MachineLost { .. }));
    assert!((120.0..130.0).contains(&lost), "{lost}");
    let joined = at(|what| matches!(what, What::MachineStarted { by, .. } if by == "auto-scaling-group"));
    assert!(joined > 120.0, "{joined}");
    let text = report.snapshot();
    assert!(
        text.contains("interrupt-spot-nodes: from documents, not measured: "),
        "{text}"
    );
    // Nobody drains on kind.
    let cluster = kind().await;
    let report = with(&cluster, vec![NodeFailure::interrupt().count(1).into()], 6.mins()).await;
    assert_eq!(
        first(report.history(), |what| matches!(what, What::NodeCordoned { .. })),
        None
    );
}

#[tokio::test]
async fn a_stopped_instance_of_a_scaling_group_is_replaced_unless_it_is_started_in_time() {
    for (back, replaced) in [(None, true), (Some(10.secs()), false)] {
        let cluster = Cluster::embedded()
            .seed(5)
            .nodes(4)
            .without_autoscaler()
            .start()
            .await
            .unwrap();
        let mut failure = NodeFailure::stop().count(1);
        failure.return_after = back;
        let report = with(&cluster, vec![failure.into()], 6.mins()).await;
        assert_eq!(report.verdict(), Verdict::Held, "{}", report.snapshot());
        let started = first(report.history(), |what| matches!(what, What::MachineStarted { .. }));
        let returned = first(report.history(), |what| matches!(what, What::MachineBack { .. }));
        // Booting takes 30 to 60 s, the group's check 20 to 40 s: an instance that boots slowly is replaced all the same.
        assert!(started.is_some() || !replaced, "{back:?}");
        assert!(
            started.is_some() != returned.is_some(),
            "{back:?}: {started:?} {returned:?}"
        );
    }
}
