//! By which Service users come in, when nobody has said so; and the journey that is then made.

use serde_json::Value;

use super::manifest::Manifest;
use crate::model::journey::{Journey, Request};

/// The name of the journey that needs no description.
pub const DEFAULT: &str = "default";

/// Parts of names that public web front ends have.
const FRONT: [&str; 8] = ["front", "web", "www", "-ui", "gateway", "proxy", "page", "http"];

/// `GET /` on the Service by which traffic comes in, ten times a second.
pub(super) fn journey(entry: &str) -> Journey {
    Journey::through(entry).step(Request::get("/").status(200))
}

/// The entry of a manifest, in the namespace that its journeys enter.
pub(super) fn of_manifest(manifest: &Manifest) -> Option<String> {
    let here = manifest.namespace();
    let objects: Vec<&Value> = manifest
        .objects
        .iter()
        .filter(|object| manifest.namespace_of(object) == here)
        .map(|object| &object.value)
        .collect();
    of(&objects)
}

/// The entry among these objects: a load balancer, else what an Ingress or route leads to, else a node port, else a Service
/// whose name or port is a web front end's, else the first that leads to pods.
pub(super) fn of(objects: &[&Value]) -> Option<String> {
    let routed: Vec<&str> = objects.iter().flat_map(|object| backends(object)).collect();
    objects
        .iter()
        .filter(|object| object["kind"] == "Service" && object["spec"]["type"] != "ExternalName")
        .filter(|object| object["spec"]["selector"].as_object().is_some_and(|it| !it.is_empty()))
        .filter_map(|service| {
            let name = service["metadata"]["name"].as_str()?;
            Some((rank(service, name, &routed), name))
        })
        // Of several the first in the text.
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name.to_owned())
}

fn rank(service: &Value, name: &str, routed: &[&str]) -> u8 {
    let ports = || service["spec"]["ports"].as_array().into_iter().flatten();
    match service["spec"]["type"].as_str() {
        Some("LoadBalancer") => 0,
        _ if routed.contains(&name) => 1,
        Some("NodePort") => 2,
        _ if service["spec"]["clusterIP"] == "None" => 6,
        _ if FRONT.iter().any(|part| name.contains(part)) => 3,
        _ if ports().any(|port| port["name"] == "http" || port["port"] == 80) => 4,
        _ => 5,
    }
}

/// The Services that an Ingress or an HTTPRoute leads to.
fn backends(object: &Value) -> Vec<&str> {
    let lists = match object["kind"].as_str() {
        Some("Ingress") => {
            let paths = object["spec"]["rules"].as_array().into_iter().flatten();
            let paths = paths.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
            paths
                .map(|path| &path["backend"]["service"]["name"])
                .chain([&object["spec"]["defaultBackend"]["service"]["name"]])
                .collect()
        }
        Some("HTTPRoute") => {
            let rules = object["spec"]["rules"].as_array().into_iter().flatten();
            let backends = rules.flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten());
            backends.map(|backend| &backend["name"]).collect::<Vec<_>>()
        }
        _ => Vec::new(),
    };
    lists.into_iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, spec: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: shop }}\nspec: {{ selector: {{ app: {name} }}, {spec} }}\n---\n"
        )
    }

    fn entry(parts: &[String]) -> Option<String> {
        of_manifest(&Manifest::parse(&parts.concat(), "test").expect("it is a manifest"))
    }

    #[test]
    fn users_come_in_by_a_load_balancer_an_ingress_a_node_port_or_what_looks_like_a_front_end() {
        let plain = service("cart", "ports: [{ port: 7070 }]");
        let front = service("frontend", "ports: [{ port: 8080 }]");
        let node = service("admin", "type: NodePort, ports: [{ port: 1 }]");
        let balanced = service("edge", "type: LoadBalancer, ports: [{ port: 1 }]");
        let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: in, namespace: shop }\n\
            spec: { rules: [{ http: { paths: [{ backend: { service: { name: cart } } }] } }] }\n---\n"
            .to_owned();
        let all = [plain.clone(), front.clone(), node.clone(), ingress.clone(), balanced];
        assert_eq!(entry(&all), Some("edge".into()));
        assert_eq!(entry(&all[..4]), Some("cart".into()));
        assert_eq!(entry(&[plain.clone(), front.clone(), node]), Some("admin".into()));
        assert_eq!(entry(&[plain.clone(), front]), Some("frontend".into()));
        assert_eq!(
            entry(&[service("db", "clusterIP: None, ports: [{ port: 80 }]"), plain]),
            Some("cart".into())
        );
        assert_eq!(entry(&[ingress]), None);
    }
}
