//! Services: their addresses, node ports and endpoint slices.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use crate::simulation::api::ApiError;
use crate::simulation::fabric::ServiceId;
use crate::simulation::objects::meta::Meta;
use crate::simulation::objects::parse;
use crate::simulation::objects::service::EndpointSlice;
use crate::simulation::objects::store::named;

impl World {
    pub(super) fn insert_service(&mut self, object: &Value) -> Result<(), ApiError> {
        let (meta, mut body) = parse::service(object)?;
        let meta = self.stamped(meta);
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        let id = ServiceId(self.fabric.services.len() as u32);
        self.fabric.services.push((namespace.clone(), name.clone()));
        body.id = id;
        let mut spec = (*body.spec).clone();
        // The kind default service subnet 10.96.0.0/16.
        let address = Ipv4Addr::from(0x0a60_0000 + 10 + id.0);
        if spec["clusterIP"].is_null() && spec["type"] != "ExternalName" {
            spec["clusterIP"] = json!(address.to_string());
            spec["clusterIPs"] = json!([address.to_string()]);
        }
        if matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
            for (index, port) in spec["ports"].as_array_mut().into_iter().flatten().enumerate() {
                if port["nodePort"].is_null() {
                    port["nodePort"] = json!(30_100 + id.0 * 8 + index as u32);
                }
            }
        }
        let ports: Vec<Value> = spec["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| {
                let target = if port["targetPort"].is_number() { &port["targetPort"] } else { &port["port"] };
                json!({ "name": port["name"].as_str().unwrap_or(""), "port": target, "protocol": port["protocol"].as_str().unwrap_or("TCP") })
            })
            .collect();
        body.spec = Arc::new(spec);
        let slice = Meta {
            created: self.now,
            labels: Arc::new([("kubernetes.io/service-name".to_owned(), name.to_string())].into()),
            ..named(&namespace, format!("{name}-{}", self.suffix()))
        };
        let endpoints = EndpointSlice {
            service: name,
            ports: Arc::new(Value::Array(ports)),
            endpoints: Vec::new(),
        };
        let slice = self.store.slices.insert(&mut self.store.versions, slice, endpoints);
        body.slice = Some(slice);
        let row = self.store.services.insert(&mut self.store.versions, meta, body);
        self.route_service(row);
        self.service_changed(row);
        Ok(())
    }
}

/// A service's new specification with the address and node ports that the old one was given.
pub(super) fn keep_addresses(old: &Value, new: &Value) -> Arc<Value> {
    let mut spec = new.clone();
    for field in ["clusterIP", "clusterIPs"] {
        if spec[field].is_null() && !old[field].is_null() {
            spec[field] = old[field].clone();
        }
    }
    for (index, port) in spec["ports"].as_array_mut().into_iter().flatten().enumerate() {
        if port["nodePort"].is_null() && !old["ports"][index]["nodePort"].is_null() {
            port["nodePort"] = old["ports"][index]["nodePort"].clone();
        }
    }
    Arc::new(spec)
}
