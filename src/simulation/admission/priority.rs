//! Priorities: a pod's class gives its value and its right to preempt (plugin/pkg/admission/priority/admission.go).

use std::sync::Arc;

use serde_json::{Value, json};

use super::forbidden;
use crate::simulation::api::ApiError;
use crate::simulation::objects::resources::PRIORITY_CLASSES;
use crate::simulation::objects::template::{CLUSTER_CRITICAL, NODE_CRITICAL, PodTemplate};
use crate::simulation::world::World;

/// Source: pkg/apis/scheduling/types.go `HighestUserDefinablePriority`.
const HIGHEST: i64 = 1_000_000_000;
/// Source: k8s.io/api core/v1 types.go `PreemptLowerPriority`.
const PREEMPT: &str = "PreemptLowerPriority";

/// What a class says.
struct Class {
    name: Arc<str>,
    value: i32,
    preempts: String,
}

impl Class {
    fn of(name: Arc<str>, rest: &Value) -> Self {
        Self {
            name,
            value: rest["value"]
                .as_i64()
                .and_then(|value| i32::try_from(value).ok())
                .unwrap_or(0),
            preempts: rest["preemptionPolicy"].as_str().unwrap_or(PREEMPT).to_owned(),
        }
    }
}

impl World {
    /// The template with its priority, when that is not in it yet (`admitPod`).
    pub(super) fn ranked(&self, pod: &str, template: &Arc<PodTemplate>) -> Result<Option<Arc<PodTemplate>>, ApiError> {
        let spec = &template.spec;
        let named = spec["priorityClassName"].as_str().filter(|name| !name.is_empty());
        let class = match named {
            Some("system-node-critical") => system("system-node-critical", NODE_CRITICAL),
            Some("system-cluster-critical") => system("system-cluster-critical", CLUSTER_CRITICAL),
            Some(name) => self
                .class(name)
                .ok_or_else(|| forbidden("pods", pod, format!("no PriorityClass with name {name} was found")))?,
            None => self.default_class().unwrap_or(Class {
                name: "".into(),
                value: 0,
                preempts: PREEMPT.to_owned(),
            }),
        };
        if let Some(written) = spec["priority"]
            .as_i64()
            .filter(|&written| written != i64::from(class.value))
        {
            let why = format!(
                "the integer value of priority ({written}) must not be provided in pod spec; priority admission controller \
                 computed {} from the given PriorityClass name",
                class.value
            );
            return Err(forbidden("pods", pod, why));
        }
        if let Some(written) = spec["preemptionPolicy"]
            .as_str()
            .filter(|&written| written != class.preempts)
        {
            let why = format!(
                "the string value of PreemptionPolicy ({written}) must not be provided in pod spec; priority admission \
                 controller computed {} from the given PriorityClass name",
                class.preempts
            );
            return Err(forbidden("pods", pod, why));
        }
        let preempts = class.preempts == PREEMPT;
        if template.priority == class.value && template.preempts == preempts && named.unwrap_or("") == &*class.name {
            return Ok(None);
        }
        let mut spec = Value::clone(spec);
        if !class.name.is_empty() {
            spec["priorityClassName"] = json!(&*class.name);
        }
        Ok(Some(Arc::new(PodTemplate {
            spec: Arc::new(spec),
            priority: class.value,
            preempts,
            ..PodTemplate::clone(template)
        })))
    }

    fn class(&self, name: &str) -> Option<Class> {
        let all = self.policies(PRIORITY_CLASSES, None);
        let (name, rest) = all.into_iter().find(|(other, _)| **other == *name)?;
        Some(Class::of(name, &rest))
    }

    /// The global default; of several the lowest (`getDefaultPriorityClass`).
    fn default_class(&self) -> Option<Class> {
        let all = self.policies(PRIORITY_CLASSES, None).into_iter();
        all.filter(|(_, rest)| rest["globalDefault"] == true)
            .map(|(name, rest)| Class::of(name, &rest))
            .min_by_key(|class| class.value)
    }

    /// Checks a new class (`validatePriorityClass`; pkg/apis/scheduling/validation/validation.go `ValidatePriorityClass`).
    pub(super) fn admit_class(&self, name: &str, object: &mut Value) -> Result<(), ApiError> {
        if object["globalDefault"] == true
            && let Some(other) = self.default_class().filter(|other| *other.name != *name)
        {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                other.name
            );
            return Err(forbidden("priorityclasses.scheduling.k8s.io", name, why));
        }
        let invalid = |field: &str, why: String| ApiError::Invalid {
            kind: "PriorityClass.scheduling.k8s.io".to_owned(),
            name: name.to_owned(),
            causes: vec![(field.to_owned(), why)],
        };
        if name.starts_with("system-") {
            let why = "Forbidden: priority class names with 'system-' prefix are reserved for system use only";
            return Err(invalid("metadata.name", why.to_owned()));
        }
        match object["value"].as_i64() {
            Some(value) if value > HIGHEST => {
                let why = format!("Forbidden: maximum allowed value of a user defined priority is {HIGHEST}");
                return Err(invalid("value", why));
            }
            _ => {}
        }
        match object["preemptionPolicy"].as_str() {
            None => object["preemptionPolicy"] = json!(PREEMPT),
            Some(PREEMPT | "Never") => {}
            Some(other) => {
                let why = format!("Unsupported value: \"{other}\": supported values: \"Never\", \"{PREEMPT}\"");
                return Err(invalid("preemptionPolicy", why));
            }
        }
        Ok(())
    }
}

fn system(name: &str, value: i32) -> Class {
    Class {
        name: name.into(),
        value,
        preempts: PREEMPT.to_owned(),
    }
}
