//! Which of the nodes that fit is best (pkg/scheduler/apis/config/v1/default_plugins.go has the weights).

use serde_json::json;

use super::table::{Table, node, pod, requests, with};

fn sized(name: &str, cpu: &str, memory: &str) -> serde_json::Value {
    with(
        node(name, &[]),
        &json!({"status": {"allocatable": {"cpu": cpu, "memory": memory}}}),
    )
}

/// `noderesources/least_allocated_test.go`, "different size machines": the share left free counts, not the amount.
#[test]
fn the_larger_share_left_free_wins() {
    let mut table = Table::new([sized("small", "4", "8Gi"), sized("large", "8", "16Gi")]);
    let wanted = pod(
        &[],
        json!({"containers": requests(json!({"cpu": "1", "memory": "2Gi"}))}),
    );
    assert_eq!(table.best(&wanted), ["large"]);
}

/// `noderesources/balanced_allocation_test.go`: among nodes with as much free, the one that stays in balance.
#[test]
fn balance_breaks_what_least_allocated_leaves_equal() {
    let mut table = Table::new([sized("a", "10", "10Gi"), sized("b", "10", "10Gi")]);
    // Both have 5 of 20 parts in use: node a's CPU, node b's memory.
    table.put(
        &pod(&[], json!({"containers": requests(json!({"cpu": "5", "memory": "0"}))})),
        "a",
    );
    table.put(
        &pod(
            &[],
            json!({"containers": requests(json!({"cpu": "0", "memory": "5Gi"}))}),
        ),
        "b",
    );
    let hungry = pod(
        &[],
        json!({"containers": requests(json!({"cpu": "0", "memory": "4Gi"}))}),
    );
    assert_eq!(table.best(&hungry), ["a"]);
}

/// pkg/scheduler/util/pod_resources.go `GetNonzeroRequests`: pods that ask for nothing count as 100m and 200 MiB.
#[test]
fn pods_without_requests_fill_a_node_in_scoring() {
    let mut table = Table::new([node("a", &[]), node("b", &[])]);
    for _ in 0..3 {
        table.put(&pod(&[], json!({})), "a");
    }
    assert_eq!(table.best(&pod(&[], json!({}))), ["b"]);
}

/// podtopologyspread/plugin.go `systemDefaultConstraints`: a workload's pods part by node and zone by default.
#[test]
fn by_default_the_pods_of_a_workload_part() {
    let zoned = |name: &str, zone: &str| node(name, &[("topology.kubernetes.io/zone", zone)]);
    let mut table = Table::new([zoned("a", "one"), zoned("b", "one"), zoned("x", "two")]);
    let web = pod(&[("app", "web")], json!({}));
    table.put(&web, "a");
    table.put(&pod(&[("app", "other")], json!({})), "b");
    table.put(&pod(&[("app", "other")], json!({})), "x");
    assert_eq!(table.best(&web), ["x"]);
}
