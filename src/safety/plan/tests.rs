use super::*;

fn workload(kind: &str, name: &str, struck: usize, pods: usize) -> Workload {
    Workload {
        namespace: "sock-shop".into(),
        kind: kind.into(),
        name: name.into(),
        struck,
        pods,
    }
}

#[test]
fn a_preview_says_what_is_reached_and_how_it_is_undone_in_80_columns() {
    let nodes: Vec<String> = (2..8).map(|n| format!("kind-worker{n}")).collect();
    let preview = Preview {
        experiment: "terminate-eks-nodes".into(),
        cluster: "kind-shop".into(),
        faults: vec![Strike {
            fault: "kill-nodes".into(),
            undo: nodes
                .iter()
                .map(|node| format!("docker start {node}, then wait until it is Ready"))
                .collect(),
            nodes,
        }],
        radius: Radius {
            nodes: 6,
            workers: 7,
            percent: 85,
            workloads: vec![
                workload("DaemonSet", "kube-proxy", 6, 6),
                workload("Deployment", "catalogue", 2, 2),
                workload("Deployment", "front-end", 1, 1),
                workload("Pod", "debug", 1, 1),
                workload("StatefulSet", "carts-db", 1, 3),
            ],
            budgets: vec![Budget {
                namespace: "sock-shop".into(),
                name: "front-end".into(),
                allowed: 0,
                struck: 1,
            }],
        },
        duration: Times {
            steady: Duration::from_secs(30),
            observe: Duration::from_secs(600),
            drain: Duration::from_secs(45),
            undo: Duration::from_secs(300),
        },
    };
    let text = preview.text();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for part in [
        "kill-nodes: kind-worker2,",
        "  undo: docker start kind-worker7, then wait until it is Ready\n",
        "blast radius: 6 of 7 workers (85 %)\n",
        "  sock-shop/catalogue (Deployment): 2 of 2 pods: all of its replicas\n",
        "  sock-shop/front-end (Deployment): 1 of 1 pods: its only replica\n",
        "  sock-shop/kube-proxy (DaemonSet): 6 of 6 pods\n",
        "  sock-shop/debug (Pod): 1 of 1 pods: nothing brings it back\n",
        "single replicas: 2; without any pod left: 3\n",
        "duration: at least 11 min 15 s: steady state 30 s,",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = serde_json::to_value(&preview).unwrap();
    assert_eq!(json["duration"]["observe"], "600s");
    assert_eq!(json["radius"]["workloads"][1]["struck"], 2);
}
