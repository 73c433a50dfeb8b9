//! The endpoints of services that may get traffic.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;

use super::Record;
use crate::model::history::What;

/// The label that leads from a slice to its Service: k8s.io/api `discovery/v1/well_known_labels.go` `LabelServiceName`.
const SERVICE: &str = "kubernetes.io/service-name";

/// The ready pods of each slice, by namespace, service and slice.
#[derive(Debug, Default)]
pub(crate) struct Slices(BTreeMap<(String, String), BTreeMap<String, Vec<String>>>);

impl Slices {
    /// The pods that a service's slices call ready, sorted; the same pod of two slices (address families) counts once.
    pub(crate) fn ready(&self, namespace: &str, service: &str) -> Vec<String> {
        let slices = self.0.get(&(namespace.to_owned(), service.to_owned()));
        let all: BTreeSet<&String> = slices.into_iter().flat_map(BTreeMap::values).flatten().collect();
        all.into_iter().cloned().collect()
    }

    pub(super) fn present(&self) -> impl Iterator<Item = What> {
        self.0.keys().map(|(namespace, service)| What::Endpoints {
            service: service.clone(),
            ready: self.ready(namespace, service),
        })
    }

    /// Namespace, service and name of every slice.
    pub(super) fn keys(&self) -> BTreeSet<(String, String, String)> {
        let of = |((namespace, service), slices): (&(String, String), &BTreeMap<String, Vec<String>>)| {
            let (namespace, service) = (namespace.clone(), service.clone());
            let names: Vec<String> = slices.keys().cloned().collect();
            names
                .into_iter()
                .map(move |slice| (namespace.clone(), service.clone(), slice))
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// Namespace, service and name of a slice, when it belongs to a service.
pub(super) fn key(slice: &EndpointSlice) -> Option<(String, String, String)> {
    let service = slice.labels().get(SERVICE)?.clone();
    Some((slice.namespace().unwrap_or_default(), service, slice.name_any()))
}

impl Record {
    /// An EndpointSlice as it is now.
    pub(crate) fn slice(&mut self, t: u64, slice: &EndpointSlice) {
        let Some(key) = key(slice) else { return };
        let ready = slice
            .endpoints
            .iter()
            .flatten()
            // Unset means ready: k8s.io/api `discovery/v1/types.go` `EndpointConditions`.
            .filter(|endpoint| endpoint.conditions.as_ref().and_then(|it| it.ready).unwrap_or(true))
            .filter_map(|endpoint| endpoint.target_ref.as_ref()?.name.clone())
            .collect();
        self.change_slice(t, key, Some(ready));
    }

    /// An EndpointSlice is gone.
    pub(super) fn slice_gone(&mut self, t: u64, key: (String, String, String)) {
        self.change_slice(t, key, None);
    }

    fn change_slice(&mut self, t: u64, key: (String, String, String), ready: Option<Vec<String>>) {
        let (namespace, service, slice) = key;
        let before = self.slices.ready(&namespace, &service);
        let slices = self.slices.0.entry((namespace.clone(), service.clone())).or_default();
        match ready {
            Some(ready) => slices.insert(slice, ready),
            None => slices.remove(&slice),
        };
        let ready = self.slices.ready(&namespace, &service);
        if ready != before {
            self.note(t, What::Endpoints { service, ready });
        }
    }
}
