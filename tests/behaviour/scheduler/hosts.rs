//! What nodes have a limited amount of: CPU, memory, pods, storage, extended resources, ports.

use rstest::rstest;
use serde_json::{Value, json};

use super::table::{Table, node, pod, requests, with};

fn ports(ports: Value) -> Value {
    pod(
        &[],
        json!({"containers": [{"name": "main", "image": "example/app:1", "ports": ports}]}),
    )
}

fn port(address: &str, protocol: &str, host: u16) -> Value {
    let mut port = json!({"containerPort": 80, "hostPort": host, "protocol": protocol});
    if !address.is_empty() {
        port["hostIP"] = json!(address);
    }
    port
}

/// `nodeports/node_ports_test.go` `TestNodePorts`; k8s.io/kube-scheduler framework types.go `HostPortInfo.CheckConflict`.
#[rstest]
#[case::another_port(json!([port("127.0.0.1", "UDP", 8080)]), json!([port("127.0.0.1", "UDP", 9090)]), true)]
#[case::the_same(json!([port("127.0.0.1", "UDP", 8080)]), json!([port("127.0.0.1", "UDP", 8080)]), false)]
#[case::another_protocol(json!([port("127.0.0.1", "TCP", 8080)]), json!([port("127.0.0.1", "UDP", 8080)]), true)]
#[case::another_address(json!([port("127.0.0.1", "TCP", 8080)]), json!([port("127.0.0.2", "TCP", 8080)]), true)]
#[case::all_addresses_against_one(json!([port("0.0.0.0", "TCP", 8001)]), json!([port("127.0.0.1", "TCP", 8001)]), false)]
#[case::one_against_all_addresses(json!([port("127.0.0.1", "TCP", 8001)]), json!([port("0.0.0.0", "TCP", 8001)]), false)]
#[case::no_address_is_all(json!([port("", "TCP", 8001)]), json!([port("10.0.10.10", "TCP", 8001)]), false)]
#[case::the_second_of_two(json!([port("", "TCP", 8001)]), json!([port("", "UDP", 8001), port("", "TCP", 8001)]), false)]
#[case::container_ports_are_not_the_nodes(json!([{"containerPort": 80}]), json!([{"containerPort": 80}]), true)]
fn host_ports(#[case] there: Value, #[case] wanted: Value, #[case] fits: bool) {
    let mut table = Table::new([node("a", &[])]);
    let first = table.put(&ports(there), "a");
    assert_eq!(table.fitting(&ports(wanted.clone())).len(), usize::from(fits));
    table.scheduler.remove_pod(first);
    assert_eq!(table.fitting(&ports(wanted)), ["a"], "free again");
}

/// noderesources/fit_test.go `TestEnoughRequests`, `TestStorageRequests`, `TestNotEnoughRequests`. The node has 4 cores, 8 GiB,
/// 10 GiB of storage and 2 GPUs, of which a pod holds 1 core, 1 GiB, 4 GiB and 1 GPU.
#[rstest]
#[case::nothing_asked(json!({}), true)]
#[case::just_enough(json!({"cpu": "3", "memory": "7Gi", "ephemeral-storage": "6Gi", "example.com/gpu": "1"}), true)]
#[case::too_much_cpu(json!({"cpu": "3001m"}), false)]
#[case::too_much_memory(json!({"memory": "7169Mi"}), false)]
#[case::too_much_storage(json!({"ephemeral-storage": "7Gi"}), false)]
#[case::too_many_of_an_extended_resource(json!({"example.com/gpu": "2"}), false)]
#[case::a_resource_that_the_node_lacks(json!({"example.com/fpga": "1"}), false)]
#[case::none_of_a_resource_that_it_lacks(json!({"example.com/fpga": "0"}), true)]
fn resources(#[case] wanted: Value, #[case] fits: bool) {
    let more = json!({"status": {"allocatable": {"ephemeral-storage": "10Gi", "example.com/gpu": "2"}}});
    let mut table = Table::new([with(node("a", &[]), &more)]);
    let there = json!({"cpu": "1", "memory": "1Gi", "ephemeral-storage": "4Gi", "example.com/gpu": "1"});
    table.put(&pod(&[], json!({"containers": requests(there)})), "a");
    let found = table.fitting(&pod(&[], json!({"containers": requests(wanted)})));
    assert_eq!(found.len(), usize::from(fits));
}

fn container(name: &str, cpu: &str) -> Value {
    json!({"name": name, "image": "example/app:1", "resources": {"requests": {"cpu": cpu}}})
}

fn sidecar(name: &str, cpu: &str) -> Value {
    with(container(name, cpu), &json!({"restartPolicy": "Always"}))
}

/// k8s.io/component-helpers resource/helpers.go `PodRequests`; fit_test.go, the cases of init containers. The node has 4
/// cores; the least CPU that is missing decides.
#[rstest]
#[case::containers_add_up(json!({"containers": [container("a", "2"), container("b", "2")]}), true)]
#[case::containers_add_up_to_too_much(json!({"containers": [container("a", "2"), container("b", "2001m")]}), false)]
#[case::init_containers_run_alone(json!({"containers": [container("a", "1")], "initContainers": [container("i", "4"), container("j", "4")]}), true)]
#[case::the_largest_init_container_counts(json!({"containers": [container("a", "1")], "initContainers": [container("i", "4001m")]}), false)]
#[case::sidecars_stay(json!({"containers": [container("a", "3")], "initContainers": [sidecar("s", "1001m")]}), false)]
#[case::init_containers_run_beside_earlier_sidecars(json!({"containers": [container("a", "1")], "initContainers": [sidecar("s", "2"), container("i", "2001m")]}), false)]
#[case::and_not_beside_later_ones(json!({"containers": [container("a", "1")], "initContainers": [container("i", "4"), sidecar("s", "2")]}), true)]
#[case::overhead_comes_on_top(json!({"containers": [container("a", "3")], "overhead": {"cpu": "1001m"}}), false)]
#[case::a_limit_alone_is_a_request(json!({"containers": [{"name": "a", "image": "i:1", "resources": {"limits": {"cpu": "5"}}}]}), false)]
fn what_a_pod_requests_in_all(#[case] spec: Value, #[case] fits: bool) {
    let mut table = Table::new([node("a", &[])]);
    assert_eq!(table.fitting(&pod(&[], spec)).len(), usize::from(fits));
}

/// noderesources/fit.go `fitsRequest`: a node that is full takes no pod, whatever it asks for.
#[test]
fn a_node_takes_so_many_pods() {
    let few = with(node("a", &[]), &json!({"status": {"allocatable": {"pods": "2"}}}));
    let mut table = Table::new([few]);
    table.put(&pod(&[], json!({})), "a");
    assert_eq!(table.fitting(&pod(&[], json!({}))), ["a"]);
    table.put(&pod(&[], json!({})), "a");
    assert!(table.fitting(&pod(&[], json!({}))).is_empty());
}
