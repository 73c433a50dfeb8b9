//! The namespace controller: what is in a namespace that is being deleted goes first, pods before all others.
//!
//! Source: pkg/controller/namespace/namespace_controller.go (`namespaceDeletionGracePeriod`, `worker`,
//! `nsControllerRateLimiter`), deletion/namespaced_resources_deleter.go (`deleteAllContent`, feature OrderedNamespaceDeletion:
//! on).

use super::super::api::DeleteOptions;
use super::super::api::Served;
use super::super::event::Event;
use super::super::objects::resources::{NAMESPACES, PODS, RESOURCES};
use super::super::server::tables::Place;
use super::super::world::{World, draw};
use crate::model::history::What;
use crate::model::time::Span;

/// From a namespace's deletion to the controller's first look: `namespaceDeletionGracePeriod`.
const GRACE: Span = Span::secs(5);
/// What it waits for objects with finalizers: `finalizerEstimateSeconds`.
const FINALIZERS: Span = Span::secs(15);
/// The first retry after an unexpected rest: `nsControllerRateLimiter`.
const RETRY: Span = Span::millis(5);
/// The longest: the same.
const LONGEST_RETRY: Span = Span::secs(60);

impl World {
    /// A namespace is being deleted.
    pub(in crate::simulation) fn namespace_ends(&mut self, row: u32) {
        let delay = draw(&mut self.chance.garbage, self.profile.controllers.notice);
        self.after(GRACE + delay, Event::EmptyNamespace(row, 0));
    }

    /// Whether a namespace takes no new objects.
    pub(in crate::simulation) fn namespace_closed(&self, namespace: &str) -> bool {
        let row = self.store.namespaces.find("", namespace);
        row.and_then(|row| self.store.namespaces.get(row))
            .is_none_or(|row| row.meta.deletion.is_some())
    }

    /// Deletes what is in a namespace; the empty one goes. `tries`: retries since the last estimate.
    pub(in crate::simulation) fn empty_namespace(&mut self, row: u32, tries: u32) {
        let Some(meta) = self.store.namespaces.get(row).map(|row| row.meta.clone()) else {
            return;
        };
        let since = meta.deletion.map_or(Span::ZERO, |deletion| self.now.since(deletion.at));
        let pods = self.rows_in(PODS, &meta.name);
        let longest = pods
            .iter()
            .filter_map(|&pod| Some(self.store.pod(pod)?.body.template.grace))
            .max()
            .unwrap_or(Span::ZERO);
        for &pod in &pods {
            self.delete_object(Place::new(PODS, pod), &DeleteOptions::default());
        }
        if !self.rows_in(PODS, &meta.name).is_empty() {
            // With finalizers, too, the estimate is at least theirs.
            let held = pods
                .iter()
                .any(|&pod| self.store.pod(pod).is_some_and(|row| !row.meta.finalizers.is_empty()));
            let estimate = match longest {
                longest if since < longest => longest,
                _ if held => FINALIZERS,
                _ => Span::ZERO,
            };
            return self.empty_again(row, tries, estimate);
        }
        let mut left = false;
        let kinds: Vec<Served> = RESOURCES.iter().cloned().chain(self.store.customs.kinds()).collect();
        for resource in kinds
            .iter()
            .filter(|resource| resource.namespaced && resource.own_plural() != "endpointslices")
        {
            for object in self.rows_in(resource, &meta.name) {
                self.delete_object(self.place_of(resource, object), &DeleteOptions::default());
            }
            left |= !self.rows_in(resource, &meta.name).is_empty();
        }
        if left {
            return self.empty_again(row, tries, FINALIZERS);
        }
        if meta.finalizers.is_empty() {
            self.note(What::Note {
                text: format!("namespace {} deleted", meta.name),
            });
            self.drop_object(Place::new(NAMESPACES, row));
        } else {
            self.empty_again(row, tries, FINALIZERS);
        }
    }

    /// Looks again after half of the estimate and a second; without one after a back-off.
    fn empty_again(&mut self, row: u32, tries: u32, estimate: Span) {
        let (delay, tries) = if estimate > Span::ZERO {
            (Span(estimate.0 / 2_000_000 * 1_000_000) + Span::secs(1), 0)
        } else {
            (Span((RETRY.0 << tries.min(20)).min(LONGEST_RETRY.0)), tries + 1)
        };
        self.after(delay, Event::EmptyNamespace(row, tries));
    }
}
