//! Resource quotas: what a namespace may hold in all (k8s.io/apiserver pkg/admission/plugin/resourcequota/controller.go
//! `CheckRequest`; pkg/quota/v1/evaluator/core; pkg/controller/resourcequota).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::amounts::{self, List, Quantity, add};
use super::forbidden;
use crate::model::time::{Span, Time};
use crate::simulation::api::{ApiError, ApiStore as _, Resource, Served};
use crate::simulation::event::Event;
use crate::simulation::objects::meta::{Deletion, Meta};
use crate::simulation::objects::pod::Pod;
use crate::simulation::objects::resources::{self, RESOURCE_QUOTAS, RESOURCES};
use crate::simulation::objects::table::Row;
use crate::simulation::objects::template::PodTemplate;
use crate::simulation::world::World;

/// Resources that every container must name when a quota counts them (pkg/quota/v1/evaluator/core/pods.go `validationSet`).
const MUST_NAME: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];
/// What else of pods is counted (the same, `podResources`).
const OF_PODS: [&str; 5] = [
    "pods",
    "count/pods",
    "ephemeral-storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
];

/// Kinds that a quota may count by their plain name (k8s.io/api core/v1 types.go, `ResourceName` of quotas).
const BY_NAME: [&str; 6] = [
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];
/// Source: cmd/kube-controller-manager `--resource-quota-sync-period`
/// (pkg/controller/resourcequota/config/v1alpha1/defaults.go).
const RESYNC: Span = Span::secs(5 * 60);

/// The quotas of namespaces that have any, and the namespaces whose usage is to be counted anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas {
    by_namespace: BTreeMap<Arc<str>, Vec<Quota>>,
    stale: BTreeSet<Arc<str>>,
    /// Whether the next full count is planned.
    resyncing: bool,
}

#[derive(Clone, Debug)]
struct Quota {
    row: u32,
    name: Arc<str>,
    hard: List,
    used: List,
    scopes: Vec<Scope>,
}

/// One scope, or one requirement of a scope selector.
#[derive(Clone, Debug)]
struct Scope {
    name: String,
    operator: String,
    values: Vec<String>,
}

/// What of a pod a scope asks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Traits {
    terminating: bool,
    best_effort: bool,
    class: String,
}

impl Traits {
    fn of(template: &PodTemplate) -> Self {
        let spec = &template.spec;
        let asks = |field: &str| {
            amounts::containers(spec, field).any(|container| {
                let (requests, limits) = amounts::of_container(container);
                let asks = |list: List| {
                    list.iter()
                        .any(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && amount.milli > 0)
                };
                asks(requests) || asks(limits)
            })
        };
        Self {
            terminating: spec["activeDeadlineSeconds"]
                .as_i64()
                .is_some_and(|seconds| seconds >= 0),
            best_effort: !asks("containers") && !asks("initContainers"),
            class: spec["priorityClassName"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Scope {
    /// pods.go `podMatchesScopeFunc`
    fn matches(&self, pod: &Traits) -> bool {
        match self.name.as_str() {
            "Terminating" => pod.terminating,
            "NotTerminating" => !pod.terminating,
            "BestEffort" => pod.best_effort,
            "NotBestEffort" => !pod.best_effort,
            "PriorityClass" => match self.operator.as_str() {
                "In" => self.values.contains(&pod.class),
                "NotIn" => !self.values.contains(&pod.class),
                "DoesNotExist" => pod.class.is_empty(),
                _ => !pod.class.is_empty(),
            },
            _ => false,
        }
    }
}

impl Quota {
    fn read(row: u32, name: Arc<str>, rest: &Value) -> Self {
        let hard = amounts::list(rest.pointer("/spec/hard"));
        let texts = |value: &Value| -> Vec<String> {
            let all = value.as_array().into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut scopes: Vec<Scope> = texts(&rest["spec"]["scopes"])
            .into_iter()
            .map(|name| Scope {
                name,
                operator: "Exists".to_owned(),
                values: Vec::new(),
            })
            .collect();
        let selector = rest
            .pointer("/spec/scopeSelector/matchExpressions")
            .and_then(Value::as_array);
        for it in selector.into_iter().flatten() {
            scopes.push(Scope {
                name: text(&it["scopeName"]),
                operator: text(&it["operator"]),
                values: texts(&it["values"]),
            });
        }
        Self {
            row,
            name,
            used: hard.keys().map(|name| (name.clone(), Quantity::default())).collect(),
            hard,
            scopes,
        }
    }

    /// The quota's resources that count pods (pods.go `MatchingResources`).
    fn of_pods(&self) -> Vec<&str> {
        let of_pods = |name: &&str| {
            MUST_NAME.contains(name)
                || OF_PODS.contains(name)
                || name.starts_with("hugepages-")
                || name
                    .strip_prefix("requests.")
                    .is_some_and(|rest| rest.contains('/') || rest.starts_with("hugepages-"))
        };
        self.hard.keys().map(String::as_str).filter(of_pods).collect()
    }

    fn covers(&self, pod: &Traits) -> bool {
        !self.of_pods().is_empty() && self.scopes.iter().all(|scope| scope.matches(pod))
    }

    /// Whether the usage would not exceed it.
    fn check(&self, usage: &List) -> Result<(), String> {
        let (mut requested, mut used, mut limited) = (List::new(), List::new(), List::new());
        for (name, amount) in usage.iter().filter(|(_, amount)| amount.milli > 0) {
            let Some(hard) = self.hard.get(name) else { continue };
            let before = self.used.get(name).copied().unwrap_or_default();
            if before.milli + amount.milli > hard.milli {
                requested.insert(name.clone(), *amount);
                used.insert(name.clone(), before);
                limited.insert(name.clone(), *hard);
            }
        }
        if requested.is_empty() {
            return Ok(());
        }
        Err(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            self.name,
            pretty(&requested),
            pretty(&used),
            pretty(&limited)
        ))
    }

    fn charge(&mut self, usage: &List) {
        for (name, used) in &mut self.used {
            if let Some(amount) = usage.get(name) {
                *used = used.plus(*amount);
            }
        }
    }
}

/// `prettyPrint`
fn pretty(list: &List) -> String {
    let parts: Vec<String> = list.iter().map(|(name, amount)| format!("{name}={amount}")).collect();
    parts.join(",")
}

/// What requests and limits count as (pods.go `podComputeUsageHelper`).
fn computed(requests: &List, limits: &List) -> List {
    let mut all = List::new();
    for (name, &amount) in requests {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-") {
            all.insert(name.clone(), amount);
        }
        all.insert(format!("requests.{name}"), amount);
    }
    for (name, &amount) in limits {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            all.insert(format!("limits.{name}"), amount);
        }
    }
    all
}

fn usage_of_pod(template: &PodTemplate) -> List {
    let (requests, limits) = amounts::of_pod(&template.spec);
    let mut all = computed(&requests, &limits);
    all.insert("pods".to_owned(), Quantity::count(1));
    all.insert("count/pods".to_owned(), Quantity::count(1));
    all
}

/// `deployments.apps`
fn qualified(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.plural.to_string()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    }
}

/// Of any other object (pkg/quota/v1/evaluator/core/{services,persistent_volume_claims,registry}.go, generic object counts).
fn usage_of_object(resource: &Resource, object: &Value) -> List {
    let mut all = List::new();
    let mut count = |name: String, count: u64| {
        all.insert(name, Quantity::count(count));
    };
    let plural = &*resource.plural;
    count(format!("count/{}", qualified(resource)), 1);
    if resource.group.is_empty() && BY_NAME.contains(&plural) {
        count(plural.to_owned(), 1);
    }
    if resource.group.is_empty() && plural == "services" {
        let ports = object
            .pointer("/spec/ports")
            .and_then(Value::as_array)
            .map_or(0, Vec::len) as u64;
        match object["spec"]["type"].as_str() {
            Some("NodePort") => count("services.nodeports".to_owned(), ports),
            Some("LoadBalancer") => {
                count("services.loadbalancers".to_owned(), 1);
                if object["spec"]["allocateLoadBalancerNodePorts"] != false {
                    count("services.nodeports".to_owned(), ports);
                }
            }
            _ => {}
        }
    }
    if resource.group.is_empty() && plural == "persistentvolumeclaims" {
        let storage = object.pointer("/spec/resources/requests/storage").map(Quantity::read);
        let class = object.pointer("/spec/storageClassName").and_then(Value::as_str);
        if let Some(class) = class {
            all.insert(
                format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"),
                Quantity::count(1),
            );
        }
        if let Some(storage) = storage {
            all.insert("requests.storage".to_owned(), storage);
            if let Some(class) = class {
                all.insert(format!("{class}.storageclass.storage.k8s.io/requests.storage"), storage);
            }
        }
    }
    all
}

impl World {
    /// Holds a pod that is to be created against the quotas of its namespace.
    pub(super) fn within_quotas(&self, meta: &Meta, template: &PodTemplate) -> Result<(), ApiError> {
        let Some(quotas) = self.admission.quotas.by_namespace.get(&meta.namespace) else {
            return Ok(());
        };
        let traits = Traits::of(template);
        let usage = usage_of_pod(template);
        for quota in quotas.iter().filter(|quota| quota.covers(&traits)) {
            named(quota, &template.spec)
                .and_then(|()| quota.check(&usage))
                .map_err(|why| forbidden("pods", &meta.name, why))?;
        }
        Ok(())
    }

    /// The same of any other object.
    pub(super) fn object_within_quotas(
        &self,
        resource: &Served,
        namespace: &str,
        name: &str,
        object: &Value,
    ) -> Result<(), ApiError> {
        let Some(quotas) = self.admission.quotas.by_namespace.get(namespace) else {
            return Ok(());
        };
        let usage = usage_of_object(resource, object);
        let full = qualified(resource);
        for quota in quotas.iter().filter(|quota| quota.scopes.is_empty()) {
            quota.check(&usage).map_err(|why| forbidden(&full, name, why))?;
        }
        Ok(())
    }

    /// Counts a pod that was created.
    pub(in crate::simulation) fn charge_pod(&mut self, namespace: &Arc<str>, template: &PodTemplate) {
        let Some(quotas) = self.admission.quotas.by_namespace.get_mut(namespace) else {
            return;
        };
        let traits = Traits::of(template);
        let usage = usage_of_pod(template);
        for quota in quotas.iter_mut().filter(|quota| quota.covers(&traits)) {
            quota.charge(&usage);
        }
        self.write_quotas(namespace);
    }

    /// Counts another object that was created.
    pub(in crate::simulation) fn charge_object(&mut self, resource: &Served, namespace: &str, object: &Value) {
        let Some(quotas) = self.admission.quotas.by_namespace.get_mut(namespace) else {
            return;
        };
        let usage = usage_of_object(resource, object);
        for quota in quotas.iter_mut().filter(|quota| quota.scopes.is_empty()) {
            quota.charge(&usage);
        }
        self.write_quotas(namespace);
    }

    /// Reads the quotas of a namespace anew, and counts what there is.
    pub(super) fn read_quotas(&mut self, namespace: &str) {
        let Some(index) = resources::index(RESOURCE_QUOTAS) else {
            return;
        };
        let quotas: Vec<Quota> = self.store.stored[index]
            .by_name(Some(namespace))
            .map(|(row, it)| Quota::read(row, it.meta.name.clone(), &it.body.rest))
            .collect();
        let quotas_of = &mut self.admission.quotas;
        if !quotas.is_empty() && !quotas_of.resyncing {
            quotas_of.resyncing = true;
            self.after(RESYNC, Event::QuotaResync);
        }
        let all = &mut self.admission.quotas.by_namespace;
        if quotas.is_empty() {
            all.remove(namespace);
        } else {
            all.insert(namespace.into(), quotas);
            self.count_usage(namespace);
        }
    }

    /// Something in a namespace ended or went: its usage is counted anew soon.
    pub(in crate::simulation) fn usage_changed(&mut self, namespace: &str) {
        let quotas = &mut self.admission.quotas;
        if quotas.by_namespace.is_empty() || !quotas.by_namespace.contains_key(namespace) {
            return;
        }
        if quotas.stale.insert(namespace.into()) && quotas.stale.len() == 1 {
            let (_, notice) = self.profile.controllers.notice.spans();
            self.after(notice, Event::Quotas);
        }
    }

    /// The resource quota controller counts (pkg/controller/resourcequota/resource_quota_controller.go `syncResourceQuota`).
    pub(in crate::simulation) fn sync_quotas(&mut self) {
        for namespace in std::mem::take(&mut self.admission.quotas.stale) {
            self.count_usage(&namespace);
        }
    }

    /// Everything is counted from time to time: the only way in which a pod that is stuck on a dead node is seen to count no more.
    pub(in crate::simulation) fn resync_quotas(&mut self) {
        let namespaces: Vec<Arc<str>> = self.admission.quotas.by_namespace.keys().cloned().collect();
        self.admission.quotas.resyncing = !namespaces.is_empty();
        for namespace in &namespaces {
            self.count_usage(namespace);
        }
        if !namespaces.is_empty() {
            self.after(RESYNC, Event::QuotaResync);
        }
    }

    fn count_usage(&mut self, namespace: &str) {
        let Some(mut quotas) = self.admission.quotas.by_namespace.remove(namespace) else {
            return;
        };
        for quota in &mut quotas {
            for used in quota.used.values_mut() {
                *used = Quantity::default();
            }
        }
        // Neighbours often share a template.
        let mut last: Option<(Arc<PodTemplate>, Traits, List)> = None;
        for (_, row) in self.store.pods.by_name(Some(namespace)) {
            let template = &row.body.template;
            if !last.as_ref().is_some_and(|(known, ..)| Arc::ptr_eq(known, template)) {
                last = Some((template.clone(), Traits::of(template), usage_of_pod(template)));
            }
            let Some((_, traits, usage)) = &last else { continue };
            let ended = List::from([("count/pods".to_owned(), Quantity::count(1))]);
            let usage = if is_charged(row, self.now) { usage } else { &ended };
            for quota in quotas.iter_mut().filter(|quota| quota.covers(traits)) {
                quota.charge(usage);
            }
        }
        let counted: Vec<bool> = RESOURCES
            .iter()
            .map(|resource| resource.namespaced && resource.plural != "pods" && counts(resource, &quotas))
            .collect();
        for (resource, _) in RESOURCES.iter().zip(counted).filter(|(_, counted)| *counted) {
            let mut usage = List::new();
            for object in self.list(resource, Some(namespace)) {
                add(&mut usage, &usage_of_object(resource, &object.body.project()));
            }
            for quota in quotas.iter_mut().filter(|quota| quota.scopes.is_empty()) {
                quota.charge(&usage);
            }
        }
        self.admission.quotas.by_namespace.insert(namespace.into(), quotas);
        self.write_quotas(namespace);
    }

    /// Writes the status of quotas whose numbers changed.
    fn write_quotas(&mut self, namespace: &str) {
        let (Some(index), Some(quotas)) = (
            resources::index(RESOURCE_QUOTAS),
            self.admission.quotas.by_namespace.get(namespace),
        ) else {
            return;
        };
        for quota in quotas {
            let status = json!({"hard": amounts::json(&quota.hard), "used": amounts::json(&quota.used)});
            let table = &mut self.store.stored[index];
            if table.get(quota.row).is_none_or(|row| row.body.rest["status"] == status) {
                continue;
            }
            table.update(&mut self.store.versions, quota.row, |row| {
                let mut rest: Map<String, Value> = row.body.rest.as_object().cloned().unwrap_or_default();
                rest.insert("status".to_owned(), status);
                row.body.rest = Arc::new(rest.into());
            });
        }
    }
}

/// Whether some quota counts objects of a kind.
fn counts(resource: &Resource, quotas: &[Quota]) -> bool {
    let probe = json!({"spec": {
        "type": "LoadBalancer", "ports": [1], "storageClassName": "", "resources": {"requests": {"storage": "1"}},
    }});
    let names = usage_of_object(resource, &probe);
    let storage = resource.plural == "persistentvolumeclaims";
    quotas.iter().any(|quota| {
        quota
            .hard
            .keys()
            .any(|name| names.contains_key(name) || storage && name.contains(".storageclass.storage.k8s.io/"))
    })
}

/// Whether a pod counts as using anything: not when it has ended, nor when it should have (pods.go `QuotaV1Pod`: "stuck
/// terminating"; the grace period counts from the deletion timestamp, which lies after it already).
fn is_charged(pod: &Row<Pod>, now: Time) -> bool {
    let stuck = |deletion: &Deletion| now > deletion.at + deletion.grace + deletion.grace;
    !pod.body.is_finished() && !pod.meta.deletion.as_ref().is_some_and(stuck)
}

/// Whether every container names what the quota counts (pods.go `Constraints`).
fn named(quota: &Quota, spec: &Value) -> Result<(), String> {
    let required: BTreeSet<&str> = quota
        .of_pods()
        .into_iter()
        .filter(|name| MUST_NAME.contains(name))
        .collect();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in amounts::containers(spec, "containers").chain(amounts::containers(spec, "initContainers")) {
        let (requests, limits) = amounts::of_container(container);
        let has = computed(&requests, &limits);
        for name in required.iter().filter(|name| !has.contains_key(**name)) {
            missing
                .entry(name)
                .or_default()
                .insert(container["name"].as_str().unwrap_or_default());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| {
            let containers: Vec<&str> = containers.into_iter().collect();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    Err(format!(
        "failed quota: {}: must specify {}",
        quota.name,
        parts.join("; ")
    ))
}
