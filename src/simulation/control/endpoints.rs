//! The EndpointSlice controller, and how its slices reach the kube-proxies.
//!
//! Source: k8s.io/endpointslice reconciler.go and utils.go (`podToEndpoint`), pkg/proxy/topology.go (terminating endpoints
//! get traffic when no other is left).

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::api::Labels;
use super::super::event::Event;
use super::super::fabric::{PodId, ServiceId};
use super::super::objects::pod::Phase;
use super::super::objects::service::Endpoint;
use super::super::world::{World, draw};
use crate::model::history::What;

impl World {
    /// Marks the Services that select pods with these labels.
    pub(in crate::simulation) fn selected_by(&mut self, namespace: &str, labels: &Labels) {
        let rows = self.selecting.services(&self.store.services, namespace, labels);
        for row in rows {
            self.service_changed(row);
        }
    }

    pub(in crate::simulation) fn service_changed(&mut self, row: u32) {
        if self.dirty.services.insert(row) {
            let delay = draw(&mut self.chance.services, self.profile.services.slice);
            self.after(delay, Event::Endpoints(row));
        }
    }

    pub(in crate::simulation) fn sync_endpoints(&mut self, row: u32) {
        self.dirty.services.remove(&row);
        let Some(service) = self.store.services.shared(row).cloned() else {
            return;
        };
        let Some(slice) = service.body.slice else { return };
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (pod, it) in self
            .store
            .pods
            .labelled(&service.meta.namespace, &service.body.selector)
        {
            let body = &it.body;
            let (Some(address), Some(node)) = (body.address, body.node) else {
                continue;
            };
            if body.phase != Phase::Running {
                continue;
            }
            let (serving, terminating) = (body.is_ready(), it.meta.deletion.is_some());
            endpoints.push(Endpoint {
                pod: PodId(pod),
                name: it.meta.name.clone(),
                address,
                node,
                node_name: body.node_name.clone().unwrap_or_default(),
                zone: self.machines[node.0 as usize].zone.clone(),
                uid: it.meta.uid,
                ready: serving && !terminating,
                serving,
                terminating,
            });
        }
        self.name_ports(
            slice,
            &service.body.spec,
            endpoints.first().map(|endpoint| endpoint.pod),
        );
        let Some(before) = self.store.slices.get(slice) else {
            return;
        };
        if before.body.endpoints == endpoints {
            return;
        }
        let ready: Vec<String> = endpoints
            .iter()
            .filter(|endpoint| endpoint.ready)
            .map(|endpoint| endpoint.name.to_string())
            .collect();
        let listed = |test: fn(&Endpoint) -> bool| {
            endpoints
                .iter()
                .filter(|endpoint| test(endpoint))
                .map(|endpoint| self.faults.addresses.of(endpoint.pod))
                .collect::<Vec<_>>()
        };
        let mut used = listed(|endpoint| endpoint.ready);
        if used.is_empty() {
            used = listed(|endpoint| endpoint.serving && endpoint.terminating);
        }
        let was: Vec<String> = before
            .body
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.ready)
            .map(|endpoint| endpoint.name.to_string())
            .collect();
        self.store.slices.update(&mut self.store.versions, slice, |slice| {
            slice.body.endpoints = endpoints;
        });
        if was != ready {
            self.note(What::Endpoints {
                service: service.meta.name.to_string(),
                ready,
            });
        }
        self.propagate(service.body.id, used.into());
    }

    /// Fills in the numbers of ports that a Service names: a container's of the first endpoint. (Pods that differ in them share a
    /// slice here, and have one each in Kubernetes.)
    ///
    /// Source: k8s.io/endpointslice utils.go `getEndpointPorts`, pkg/api/v1/pod/util.go `FindPort`.
    fn name_ports(&mut self, slice: u32, spec: &Value, first: Option<PodId>) {
        let named = |port: &Value| port["targetPort"].as_str().map(str::to_owned);
        let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(pod) = first.and_then(|pod| self.store.pod(pod.0)) else {
            return;
        };
        if !ports.iter().any(|port| named(port).is_some()) {
            return;
        }
        let template = pod.body.template.clone();
        let number = |name: &str| {
            let all = template.containers.iter().flat_map(|container| &container.ports);
            let mut numbers = all
                .filter(|(known, _)| known.as_deref() == Some(name))
                .map(|(_, number)| *number);
            numbers.next()
        };
        let listed: Vec<Value> = ports
            .iter()
            .filter_map(|port| {
                let target = match named(port) {
                    Some(name) => json!(number(&name)?),
                    None => port["targetPort"].clone(),
                };
                Some(json!({
                    "name": port["name"].as_str().unwrap_or(""),
                    "port": target,
                    "protocol": port["protocol"].as_str().unwrap_or("TCP"),
                }))
            })
            .collect();
        let listed = Value::Array(listed);
        if self
            .store
            .slices
            .get(slice)
            .is_some_and(|row| *row.body.ports != listed)
        {
            let versions = &mut self.store.versions;
            self.store
                .slices
                .update(versions, slice, |row| row.body.ports = listed.into());
        }
    }

    /// Sends a service's endpoints to every kube-proxy.
    pub(in crate::simulation) fn propagate(&mut self, service: ServiceId, endpoints: Arc<[PodId]>) {
        if *self.fabric.proxies.newest(service) == *endpoints {
            return;
        }
        self.fabric.proxies.change(
            service,
            endpoints,
            self.now,
            self.profile.services.proxy.spans(),
            &mut self.chance.services,
            &self.fabric.machines,
        );
    }
}
