//! Services and their EndpointSlices. Source: k8s.io/endpointslice utils.go (`getEndpointPorts`), pkg/api/v1/pod/util.go (`FindPort`).

use serde_json::{Value, json};

use super::bench::Bench;

fn slice(bench: &Bench) -> Value {
    let slices = bench.list("EndpointSlice");
    let of_web = |it: &&Value| it["metadata"]["labels"]["kubernetes.io/service-name"] == "web";
    slices.iter().find(of_web).unwrap().clone()
}

/// A port that a Service targets by name is the container's of that name; one that no container has is left out.
#[test]
fn a_named_target_port_is_the_number_that_the_container_gives_it() {
    let mut bench = Bench::kind(41);
    bench.create(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [
            {"name": "main", "port": 80, "targetPort": "http"},
            {"name": "metrics", "port": 81, "targetPort": 9090},
            {"name": "nobody", "port": 82, "targetPort": "missing"},
        ]},
    }));
    bench.create(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "example/web", "ports": [{"name": "http", "containerPort": 8080}]}]},
    }));
    bench.until("listed", 60, |bench| {
        slice(bench)["endpoints"].as_array().is_some_and(|it| !it.is_empty())
    });
    let ports: Vec<Value> = slice(&bench)["ports"].as_array().unwrap().clone();
    let numbers: Vec<(&str, u64)> = ports
        .iter()
        .map(|port| (port["name"].as_str().unwrap(), port["port"].as_u64().unwrap()))
        .collect();
    assert_eq!(numbers, [("main", 8080), ("metrics", 9090)]);
}
