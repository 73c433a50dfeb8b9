//! Limit ranges: defaults and bounds of what containers request (plugin/pkg/admission/limitranger/admission.go).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::amounts::{self, List, Quantity, list};
use super::forbidden;
use crate::simulation::api::ApiError;
use crate::simulation::objects::resources::LIMIT_RANGES;
use crate::simulation::objects::template::PodTemplate;
use crate::simulation::world::World;

/// Source: the file above, `limitRangerAnnotation`.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Fills in a new LimitRange's own defaults (pkg/apis/core/v1/defaults.go `SetDefaults_LimitRangeItem`).
pub(super) fn fill_in(object: &mut Value) {
    let items = object.pointer_mut("/spec/limits").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter(|item| item["type"] == "Container") {
        for (from, to) in [
            ("max", "default"),
            ("default", "defaultRequest"),
            ("min", "defaultRequest"),
        ] {
            let Some(Value::Object(given)) = item.get(from).cloned() else {
                continue;
            };
            if !item[to].is_object() {
                item[to] = json!({});
            }
            if let Some(fields) = item[to].as_object_mut() {
                for (name, amount) in given {
                    fields.entry(name).or_insert(amount);
                }
            }
        }
    }
}

impl World {
    /// The template with the defaults of the namespace's limit ranges, when there are any, and within their bounds.
    pub(super) fn limited(
        &self,
        namespace: &str,
        pod: &str,
        template: &Arc<PodTemplate>,
    ) -> Result<Option<Arc<PodTemplate>>, ApiError> {
        let ranges = self.policies(LIMIT_RANGES, Some(namespace));
        if ranges.is_empty() {
            return Ok(None);
        }
        let mut spec = Value::clone(&template.spec);
        let mut set: Vec<String> = Vec::new();
        for (field, words) in [("containers", "container"), ("initContainers", "init container")] {
            let all = spec[field].as_array_mut();
            for container in all.into_iter().flatten() {
                requests_of_limits(container);
            }
            for (_, range) in &ranges {
                let all = spec.get_mut(field).and_then(Value::as_array_mut);
                for container in all.into_iter().flatten() {
                    merge(range, container, words, &mut set);
                }
            }
        }
        for (_, range) in &ranges {
            check(range, &spec).map_err(|why| forbidden("pods", pod, why))?;
        }
        if set.is_empty() {
            return Ok(None);
        }
        let mut annotations = template.annotations.clone();
        let text = format!("LimitRanger plugin set: {}", set.join("; "));
        Arc::make_mut(&mut annotations).insert(ANNOTATION.to_owned(), text);
        let template = template.resourced(spec).map_err(|why| forbidden("pods", pod, why))?;
        Ok(Some(Arc::new(PodTemplate {
            annotations,
            ..template
        })))
    }
}

fn fields<'a>(container: &'a mut Value, kind: &str) -> Option<&'a mut Map<String, Value>> {
    let resources = container.as_object_mut()?.entry("resources").or_insert(json!({}));
    let list = resources.as_object_mut()?.entry(kind).or_insert(json!({}));
    list.as_object_mut()
}

/// pkg/apis/core/v1/defaults.go `SetDefaults_Pod`, which comes before admission.
fn requests_of_limits(container: &mut Value) {
    let Some(Value::Object(limits)) = container.pointer("/resources/limits").cloned() else {
        return;
    };
    if let Some(requests) = fields(container, "requests") {
        for (name, amount) in limits {
            requests.entry(name).or_insert(amount);
        }
    }
}

/// `mergeContainerResources`
fn merge(range: &Value, container: &mut Value, words: &str, set: &mut Vec<String>) {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    let items = range.pointer("/spec/limits").and_then(Value::as_array);
    for item in items.into_iter().flatten().filter(|item| item["type"] == "Container") {
        requests.extend(item["defaultRequest"].as_object().cloned().unwrap_or_default());
        limits.extend(item["default"].as_object().cloned().unwrap_or_default());
    }
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    for (kind, what, defaults) in [("requests", "request", requests), ("limits", "limit", limits)] {
        let Some(given) = fields(container, kind) else { continue };
        let mut added = Vec::new();
        for (resource, amount) in defaults {
            if !given.contains_key(&resource) {
                given.insert(resource.clone(), text(&amount));
                added.push(resource);
            }
        }
        if !added.is_empty() {
            added.sort();
            set.push(format!("{} {what} for {words} {name}", added.join(", ")));
        }
    }
}

/// Numbers are quantities, too.
fn text(amount: &Value) -> Value {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned).into()
}

/// `PodValidateLimitFunc`
fn check(range: &Value, spec: &Value) -> Result<(), String> {
    let mut faults = Vec::new();
    let items = range.pointer("/spec/limits").and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        match item["type"].as_str() {
            Some("Container") => {
                let main = amounts::containers(spec, "containers");
                for container in main.chain(amounts::containers(spec, "initContainers")) {
                    let (requests, limits) = amounts::of_container(container);
                    bounds("Container", item, &requests, &limits, &mut faults);
                }
            }
            Some("Pod") => {
                let (requests, limits) = amounts::of_pod(spec);
                bounds("Pod", item, &requests, &limits, &mut faults);
            }
            _ => {}
        }
    }
    match faults.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        // k8s.io/apimachinery pkg/util/errors `Aggregate.Error`
        several => Err(format!("[{}]", several.join(", "))),
    }
}

fn bounds(kind: &str, item: &Value, requests: &List, limits: &List, faults: &mut Vec<String>) {
    for (name, bound) in list(item.get("min")) {
        faults.extend(below(kind, &name, bound, requests.get(&name), limits.get(&name)));
    }
    for (name, bound) in list(item.get("max")) {
        faults.extend(above(kind, &name, bound, requests.get(&name), limits.get(&name)));
    }
    for (name, bound) in list(item.get("maxLimitRequestRatio")) {
        faults.extend(ratio(kind, &name, bound, requests.get(&name), limits.get(&name)));
    }
}

type Maybe<'a> = Option<&'a Quantity>;

/// `minConstraint`
fn below(kind: &str, name: &str, bound: Quantity, request: Maybe<'_>, limit: Maybe<'_>) -> Option<String> {
    let what = format!("minimum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (None, _) => Some(format!("{what}.  No request is specified")),
        (Some(request), _) if request.milli < bound.milli => Some(format!("{what}, but request is {request}")),
        (_, Some(limit)) if limit.milli < bound.milli => Some(format!("{what}, but limit is {limit}")),
        _ => None,
    }
}

/// `maxConstraint`
fn above(kind: &str, name: &str, bound: Quantity, request: Maybe<'_>, limit: Maybe<'_>) -> Option<String> {
    let what = format!("maximum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (_, None) => Some(format!("{what}.  No limit is specified")),
        (_, Some(limit)) if limit.milli > bound.milli => Some(format!("{what}, but limit is {limit}")),
        (Some(request), _) if request.milli > bound.milli => Some(format!("{what}, but request is {request}")),
        _ => None,
    }
}

/// `limitRequestRatioConstraint`
fn ratio(kind: &str, name: &str, bound: Quantity, request: Maybe<'_>, limit: Maybe<'_>) -> Option<String> {
    let what = format!("{name} max limit to request ratio per {kind} is {bound}");
    let request = request.map_or(0, |request| request.milli);
    let limit = limit.map_or(0, |limit| limit.milli);
    if request == 0 {
        return Some(format!("{what}, but no request is specified or request is 0"));
    }
    if limit == 0 {
        return Some(format!("{what}, but no limit is specified or limit is 0"));
    }
    if u128::from(limit) * 1_000 <= u128::from(request) * u128::from(bound.milli) {
        return None;
    }
    // Six places, rounded, as `%f` writes.
    let millionths = (u128::from(limit) * 2_000_000 / u128::from(request)).div_ceil(2);
    Some(format!(
        "{what}, but provided ratio is {}.{:06}",
        millionths / 1_000_000,
        millionths % 1_000_000
    ))
}
