//! Services and EndpointSlices.

use serde_json::{Value, json};

use super::{Object, metadata, put};
use crate::simulation::api::Project;
use crate::simulation::objects::meta::uid_text;
use crate::simulation::objects::resources::{ENDPOINT_SLICES, SERVICES};
use crate::simulation::objects::service::{Endpoint, EndpointSlice, Service};
use crate::simulation::objects::table::Row;

impl Project for Row<Service> {
    fn project(&self) -> Value {
        let mut all = metadata::object(SERVICES, &self.meta);
        put(&mut all, "spec", Value::clone(&self.body.spec));
        let balancer = match &self.body.ingress {
            Some(name) => json!({"ingress": [{"hostname": &**name}]}),
            None => json!({}),
        };
        put(&mut all, "status", json!({"loadBalancer": balancer}));
        all.into()
    }
}

impl Project for Row<EndpointSlice> {
    fn project(&self) -> Value {
        let mut all = metadata::object(ENDPOINT_SLICES, &self.meta);
        put(&mut all, "addressType", "IPv4");
        let endpoints: Vec<Value> = self
            .body
            .endpoints
            .iter()
            .map(|one| endpoint(&self.meta.namespace, one).into())
            .collect();
        put(&mut all, "endpoints", endpoints);
        put(&mut all, "ports", Value::clone(&self.body.ports));
        all.into()
    }
}

fn endpoint(namespace: &str, endpoint: &Endpoint) -> Object {
    let mut all = Object::new();
    put(&mut all, "addresses", vec![endpoint.address.to_string()]);
    put(
        &mut all,
        "conditions",
        json!({"ready": endpoint.ready, "serving": endpoint.serving, "terminating": endpoint.terminating}),
    );
    put(&mut all, "nodeName", &*endpoint.node_name);
    put(
        &mut all,
        "targetRef",
        json!({"kind": "Pod", "namespace": namespace, "name": &*endpoint.name, "uid": uid_text(endpoint.uid)}),
    );
    if !endpoint.zone.is_empty() {
        put(&mut all, "zone", &*endpoint.zone);
    }
    all
}
