//! The EndpointSlice controller, and how its slices reach the kube-proxies.
//!
//! Source: k8s.io/endpointslice reconciler.go and utils.go (`podToEndpoint`), pkg/proxy/topology.go (terminating endpoints
//! get traffic when no other is left).

use std::sync::Arc;

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
                .map(|endpoint| endpoint.pod)
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
