//! What `kubectl` reads.

use super::{Shell, WEB, table};

#[test]
fn get_prints_the_columns_of_kubernetes() {
    let Some(shell) = Shell::new("get", &["--nodes", "4"]) else {
        return;
    };
    let nodes = shell.ok("get nodes");
    let nodes = table(&nodes);
    assert_eq!(nodes[0], ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]);
    assert_eq!(nodes.len(), 5);
    for node in &nodes[1..] {
        assert_eq!((node[1], node[2]), ("Ready", "<none>"), "{node:?}");
        assert!(node[3].ends_with('s') && node[4].starts_with('v'), "{node:?}");
    }
    for (line, header) in [
        (
            "get nodes -o wide",
            &[
                "NAME",
                "STATUS",
                "ROLES",
                "AGE",
                "VERSION",
                "INTERNAL-IP",
                "EXTERNAL-IP",
                "OS-IMAGE",
                "KERNEL-VERSION",
                "CONTAINER-RUNTIME",
            ][..],
        ),
        (
            "get pods -A",
            &["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"],
        ),
        (
            "get po -n kube-system -o wide",
            &[
                "NAME",
                "READY",
                "STATUS",
                "RESTARTS",
                "AGE",
                "IP",
                "NODE",
                "NOMINATED NODE",
                "READINESS GATES",
            ],
        ),
        (
            "get deploy -n kube-system",
            &["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
        ),
        ("get rs -n kube-system", &["NAME", "DESIRED", "CURRENT", "READY", "AGE"]),
        (
            "get ds -n kube-system",
            &[
                "NAME",
                "DESIRED",
                "CURRENT",
                "READY",
                "UP-TO-DATE",
                "AVAILABLE",
                "NODE SELECTOR",
                "AGE",
            ],
        ),
        ("get ns", &["NAME", "STATUS", "AGE"]),
        (
            "get svc -n kube-system",
            &["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"],
        ),
        (
            "get endpointslices -n kube-system",
            &["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"],
        ),
        ("get leases -n kube-node-lease", &["NAME", "HOLDER", "AGE"]),
        (
            "get events -A",
            &["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
        ),
    ] {
        let text = shell.ok(line);
        let rows = table(&text);
        assert_eq!(rows[0], header, "{line}");
        assert!(rows.len() > 1, "{line}: no rows");
    }
    let pods = shell.ok("get pods -n kube-system");
    for pod in &table(&pods)[1..] {
        assert_eq!(pod[2..4], ["Running", "0"], "{pod:?}");
    }
}

#[test]
fn every_output_format_and_selector_is_served() {
    let Some(shell) = Shell::new("formats", &[]) else {
        return;
    };
    let names = shell.ok("get pods -n kube-system -o name");
    assert!(names.lines().all(|name| name.starts_with("pod/")), "{names}");
    let phases = shell.ok("get pods -n kube-system -o jsonpath={.items[*].status.phase}");
    assert!(phases.split(' ').all(|phase| phase == "Running"), "{phases}");
    assert!(shell.ok("get ns default -o yaml").contains("kind: Namespace"));
    let sorted = shell.ok("get nodes --sort-by=.metadata.name --no-headers");
    let names: Vec<&str> = sorted.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.is_sorted(), "{sorted}");
    let one = shell.ok(&format!(
        "get pods -A --field-selector spec.nodeName={} --no-headers",
        names[0]
    ));
    let all = shell.ok("get pods -A --no-headers --chunk-size=3");
    assert!(one.lines().count() < all.lines().count(), "{one}{all}");
    assert_eq!(shell.ok("get pods -A -l no=such").trim(), "");
    assert!(
        shell
            .refused("get pods nobody")
            .contains("Error from server (NotFound): pods \"nobody\" not found")
    );
    assert!(
        shell
            .refused("get widgets")
            .contains("the server doesn't have a resource type \"widgets\"")
    );
}

#[test]
fn the_server_is_discovered() {
    let Some(shell) = Shell::new("discovery", &[]) else {
        return;
    };
    let resources = shell.ok("api-resources --no-headers");
    for (name, short, kind) in [
        ("pods", "po", "Pod"),
        ("nodes", "no", "Node"),
        ("deployments", "deploy", "Deployment"),
        ("poddisruptionbudgets", "pdb", "PodDisruptionBudget"),
    ] {
        let line = resources.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{resources}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words.last()), (short, Some(&kind)), "{line}");
    }
    let versions = shell.ok("api-versions");
    assert!(
        ["apps/v1", "v1", "policy/v1"]
            .iter()
            .all(|version| versions.lines().any(|line| line == *version))
    );
    assert!(shell.ok("version").contains("v1.36"));
    assert!(shell.ok("cluster-info").contains("https://127.0.0.1:"));
    assert_eq!(shell.ok("auth can-i delete nodes").trim(), "yes");
    // Older ones look at the older document, which describes nothing.
    if shell.is_at_least(27) {
        let explained = shell.ok("explain pods");
        assert!(
            explained.contains("VERSION") && explained.contains("kubernetes.io/docs"),
            "{explained}"
        );
    }
    assert!(shell.refused("top nodes").contains("Metrics API not available"));
}

#[test]
fn describe_and_logs_tell_of_pods_and_nodes() {
    let Some(shell) = Shell::new("describe", &["--speed", "20"]) else {
        return;
    };
    shell.apply(WEB, "");
    shell.ok("wait --for=condition=Available deployment/web --timeout=60s");
    let pods = shell.ok("get pods -l app=web -o name");
    let pod = pods.lines().next().unwrap();
    let described = shell.ok(&format!("describe {pod}"));
    for part in [
        "Image:",
        "nginx:1.28",
        "Ready:",
        "True",
        "Events:",
        "Scheduled",
        "Controlled By:  ReplicaSet/web-",
    ] {
        assert!(described.contains(part), "{part} is not in\n{described}");
    }
    let nodes = shell.ok("get nodes -o name");
    let described = shell.ok(&format!("describe {}", nodes.lines().next().unwrap()));
    for part in [
        "Conditions:",
        "Ready",
        "Capacity:",
        "Allocatable:",
        "Non-terminated Pods:",
        "Allocated resources:",
    ] {
        assert!(described.contains(part), "{part} is not in\n{described}");
    }
    shell.ok(&format!("logs {pod}"));
    shell.ok("describe deployment web");
    shell.ok("describe service web");
}
