//! Admission: what the API server does to objects before it stores them, in the order of its plugins
//! (pkg/kubeapiserver/options/plugins.go): limit ranges, priorities, quotas.

mod amounts;
mod limits;
mod priority;
mod quota;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::api::{ApiError, Served};
use super::objects::meta::Meta;
use super::objects::pod::Pod;
use super::objects::resources::{self, LIMIT_RANGES, PRIORITY_CLASSES, RESOURCE_QUOTAS};
use super::objects::template::PodTemplate;
use super::world::World;
use crate::model::time::Span;

/// How many admitted templates are kept for the pods to come.
const KEPT: usize = 256;
/// The first pause before a controller tries again to create what was refused; it doubles.
/// Source: k8s.io/client-go util/workqueue/default_rate_limiters.go `DefaultTypedControllerRateLimiter`, 5 ms to 1000 s.
const RETRY: Span = Span::millis(5);
/// The longest. Source: the same.
const LONGEST_RETRY: Span = Span::secs(1_000);

/// What admission remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    /// Templates as they were admitted, so that the pods of a workload go on sharing one.
    admitted: VecDeque<Admitted>,
    quotas: quota::Quotas,
    /// By the uid of an owner: how often in a row a pod of its was refused.
    refused: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug)]
struct Admitted {
    namespace: Arc<str>,
    written: Arc<PodTemplate>,
    template: Arc<PodTemplate>,
}

/// `pods "web" is forbidden: ...` (k8s.io/apiserver pkg/admission/errors.go `NewForbidden`).
fn forbidden(plural: &str, name: &str, why: impl std::fmt::Display) -> ApiError {
    let name = if name.is_empty() { "Unknown" } else { name };
    ApiError::Forbidden(format!("{plural} \"{name}\" is forbidden: {why}"))
}

impl World {
    /// Admits a pod: fills in what limit ranges and priority classes say, and holds it against the quotas.
    pub(super) fn admit_pod(&mut self, meta: &mut Meta, pod: &mut Pod) -> Result<(), ApiError> {
        // The name is generated after the plugins that fill in and before those that only look.
        let early = meta.generate_name.clone().unwrap_or_else(|| meta.name.clone());
        let written = pod.template.clone();
        let known = self
            .admission
            .admitted
            .iter()
            .find(|it| it.namespace == meta.namespace && Arc::ptr_eq(&it.written, &written));
        let template = match known {
            Some(known) => known.template.clone(),
            None => self.admitted_template(&meta.namespace, &early, &meta.name, &written)?,
        };
        if template.annotations != written.annotations {
            meta.annotations = template.annotations.clone();
        }
        pod.template = template;
        self.within_quotas(meta, &pod.template)
    }

    fn admitted_template(
        &mut self,
        namespace: &Arc<str>,
        early: &str,
        name: &str,
        written: &Arc<PodTemplate>,
    ) -> Result<Arc<PodTemplate>, ApiError> {
        let filled = self.limited(namespace, name, written)?;
        let ranked = self.ranked(early, filled.as_ref().unwrap_or(written))?;
        let Some(template) = ranked.or(filled) else {
            return Ok(written.clone());
        };
        let kept = &mut self.admission.admitted;
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Admitted {
            namespace: namespace.clone(),
            written: written.clone(),
            template: template.clone(),
        });
        Ok(template)
    }

    /// Admits any other object that somebody creates, and fills in its defaults.
    pub(super) fn admit_object(
        &mut self,
        resource: &Served,
        namespace: &str,
        name: &str,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if resource == PRIORITY_CLASSES {
            self.admit_class(name, object)?;
        } else if resource == LIMIT_RANGES {
            limits::fill_in(object);
        }
        if resource.plural == "pods" || !resource.namespaced {
            return Ok(());
        }
        self.object_within_quotas(resource, namespace, name, object)
    }

    /// An object was created: it counts, and a policy acts from now on.
    pub(super) fn created(&mut self, resource: &Served, namespace: &str, object: &Value) {
        if resource == RESOURCE_QUOTAS || resource == PRIORITY_CLASSES || resource == LIMIT_RANGES {
            self.admission_changed(resource, namespace);
        }
        if resource.plural != "pods" && resource != RESOURCE_QUOTAS && resource.namespaced {
            self.charge_object(resource, namespace, object);
        }
    }

    /// An object was changed or deleted: policies act from now on, and usage is counted anew soon.
    pub(super) fn admission_changed(&mut self, resource: &Served, namespace: &str) {
        if resource == PRIORITY_CLASSES || resource == LIMIT_RANGES {
            self.admission.admitted.clear();
        } else if resource == RESOURCE_QUOTAS {
            self.read_quotas(namespace);
        }
        self.usage_changed(namespace);
    }

    /// How long the owner of a refused pod waits before it tries again.
    pub(super) fn retry_of(&mut self, owner: u64) -> Span {
        let times = self.admission.refused.entry(owner).or_default();
        let pause = Span((RETRY.0 << (*times).min(20)).min(LONGEST_RETRY.0));
        *times += 1;
        pause
    }

    /// The owner's pods are created again.
    pub(super) fn no_longer_refused(&mut self, owner: u64) {
        self.admission.refused.remove(&owner);
    }

    /// The objects of a kind kept as written: name and the rest, in a namespace or everywhere, by name.
    fn policies(&self, resource: &Served, namespace: Option<&str>) -> Vec<(Arc<str>, Arc<Value>)> {
        let Some(index) = resources::index(resource) else {
            return Vec::new();
        };
        self.store.stored[index]
            .by_name(namespace)
            .map(|(_, row)| (row.meta.name.clone(), row.body.rest.clone()))
            .collect()
    }
}
