//! A pod template: what the user wrote, and what the simulation needs of it.

mod container;
mod probe;

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

pub use self::container::{Container, Restart, Role};
pub use self::probe::{Action, Care, Hook, Kind, Port, Probe, sleep_of};
use super::needs::{self, Needs};
use super::quantity::Amount;
use super::selector::{Requirement, Selector, Test};
use crate::model::time::Span;
use crate::simulation::api::Labels;

mod placing;
mod requests;

pub use placing::{DEFAULT_SCHEDULER, HostPort, Placing, SpreadConstraint};

/// What a pod is made from.
#[derive(Clone, Debug)]
pub struct PodTemplate {
    /// `spec` as the user wrote it.
    pub spec: Arc<Value>,
    /// Labels of its pods.
    pub labels: Arc<Labels>,
    /// Annotations of its pods.
    pub annotations: Arc<Labels>,
    /// What it requests.
    pub requests: Amount,
    /// What scoring takes it to request.
    pub scored: Amount,
    /// Node labels it needs: `nodeSelector`.
    pub node_selector: Vec<Requirement>,
    /// Required node affinity: one of the terms must hold (when there are any).
    pub node_terms: Option<Vec<Vec<Requirement>>>,
    /// Preferred node affinity: weight and term.
    pub preferred_node_terms: Vec<(i64, Vec<Requirement>)>,
    /// Required pod affinity.
    pub affinity: Vec<AffinityTerm>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<AffinityTerm>,
    /// Preferred pod affinity: weight (negative: anti-affinity) and term.
    pub preferred_affinity: Vec<(i64, AffinityTerm)>,
    /// Taints it tolerates.
    pub tolerations: Vec<Toleration>,
    /// Its priority.
    pub priority: i32,
    /// Whether it may preempt pods of lower priority.
    pub preempts: bool,
    /// `nodeName`, when the user set it.
    pub node_name: Option<String>,
    /// `terminationGracePeriodSeconds`.
    pub grace: Span,
    /// Whether it uses its node's network and address.
    pub host_network: bool,
    /// The containers that come before the others, each in its turn: `initContainers`.
    pub init: Vec<Container>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Which containers start again when they have ended.
    pub restart: Restart,
    /// How long its pods may be active: `activeDeadlineSeconds`.
    pub deadline: Option<Span>,
    /// What it needs of other objects; `None`: nothing.
    pub needs: Option<Arc<Needs>>,
    /// What few pods ask of the scheduler.
    pub placing: Option<Arc<Placing>>,
    /// A hash of the text: equal templates of a Deployment share a ReplicaSet. (Kubernetes hashes its in-memory struct with
    /// FNV-32a; any stable hash of the content serves.)
    pub hash: u64,
}

/// A required or preferred pod (anti-)affinity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffinityTerm {
    /// Which pods.
    pub selector: Selector,
    /// In which namespaces; empty: the pod's own, unless `namespace_selector` says which.
    pub namespaces: Vec<String>,
    /// And in those with these labels.
    pub namespace_selector: Option<Selector>,
    /// Keys of the pod's own labels whose values those pods share.
    pub match_label_keys: Vec<String>,
    /// Keys of the pod's own labels whose values those pods do not have.
    pub mismatch_label_keys: Vec<String>,
    /// The node label whose equal values make one place.
    pub topology: String,
}

/// A taint on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value; empty for none.
    pub value: String,
    /// Effect.
    pub effect: Effect,
}

/// The effect of a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// New pods stay away.
    NoSchedule,
    /// New pods prefer other nodes.
    PreferNoSchedule,
    /// Pods are evicted, too.
    NoExecute,
}

impl Effect {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }

    /// From Kubernetes' word.
    ///
    /// # Errors
    /// A fragment that names the effects.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "NoSchedule" => Ok(Self::NoSchedule),
            "PreferNoSchedule" => Ok(Self::PreferNoSchedule),
            "NoExecute" => Ok(Self::NoExecute),
            _ => Err(format!(
                "unknown taint effect `{text}`: expected NoSchedule, PreferNoSchedule or NoExecute"
            )),
        }
    }
}

/// A toleration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// The key; `None`: every key.
    pub key: Option<String>,
    /// The value; `None`: every value.
    pub value: Option<String>,
    /// The effect; `None`: every effect.
    pub effect: Option<Effect>,
    /// How long a NoExecute taint is tolerated; `None`: for ever.
    pub lasts: Option<Span>,
}

impl Toleration {
    /// Whether it tolerates the taint (k8s.io/api core/v1 toleration.go `ToleratesTaint`).
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}

/// `system-node-critical`. Source: pkg/apis/scheduling/types.go.
pub const NODE_CRITICAL: i32 = 2_000_001_000;
/// `system-cluster-critical`. Source: the same.
pub const CLUSTER_CRITICAL: i32 = 2_000_000_000;

impl PodTemplate {
    /// From a template as the user wrote it.
    ///
    /// # Errors
    /// Field path and what is wrong with it.
    pub fn new(
        labels: Labels,
        annotations: Labels,
        spec: &core::PodSpec,
        written: Value,
    ) -> Result<Self, (String, String)> {
        let hash = text_hash(&labels, &annotations, &written);
        let requests = requests::requests(spec)?;
        let mut template = Self {
            spec: Arc::new(written),
            labels: Arc::new(labels),
            annotations: Arc::new(annotations),
            requests: requests.amount,
            scored: requests.scored,
            node_selector: spec
                .node_selector
                .as_ref()
                .map(|labels| Selector::labels(labels).0)
                .unwrap_or_default(),
            node_terms: None,
            preferred_node_terms: Vec::new(),
            affinity: Vec::new(),
            anti_affinity: Vec::new(),
            preferred_affinity: Vec::new(),
            tolerations: tolerations(spec)?,
            priority: priority(spec),
            preempts: spec.preemption_policy.as_deref() != Some("Never"),
            node_name: spec.node_name.clone(),
            grace: Span::secs(u64::try_from(spec.termination_grace_period_seconds.unwrap_or(30)).unwrap_or(0)),
            host_network: spec.host_network.unwrap_or(false),
            init: Vec::new(),
            containers: Vec::new(),
            restart: Restart::parse(spec.restart_policy.as_deref()),
            deadline: spec
                .active_deadline_seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Span::secs),
            needs: needs::of(spec),
            placing: Placing::new(spec, requests.scalars)?,
            hash,
        };
        if spec.containers.is_empty() {
            return Err(("spec.containers".into(), "Required value".into()));
        }
        template.add_containers(spec)?;
        if let Some(affinity) = &spec.affinity {
            template
                .add_affinity(affinity)
                .map_err(|why| ("spec.affinity".to_owned(), why))?;
        }
        Ok(template)
    }

    fn add_affinity(&mut self, affinity: &core::Affinity) -> Result<(), String> {
        if let Some(node) = &affinity.node_affinity {
            if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
                self.node_terms = Some(
                    required
                        .node_selector_terms
                        .iter()
                        .map(node_term)
                        .collect::<Result<_, _>>()?,
                );
            }
            for preferred in node
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
            {
                self.preferred_node_terms
                    .push((i64::from(preferred.weight), node_term(&preferred.preference)?));
            }
        }
        if let Some(pods) = &affinity.pod_affinity {
            for term in pods
                .required_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
            {
                self.affinity.push(AffinityTerm::new(term)?);
            }
            for preferred in pods
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
            {
                self.preferred_affinity.push((
                    i64::from(preferred.weight),
                    AffinityTerm::new(&preferred.pod_affinity_term)?,
                ));
            }
        }
        if let Some(pods) = &affinity.pod_anti_affinity {
            for term in pods
                .required_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
            {
                self.anti_affinity.push(AffinityTerm::new(term)?);
            }
            for preferred in pods
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
            {
                self.preferred_affinity.push((
                    -i64::from(preferred.weight),
                    AffinityTerm::new(&preferred.pod_affinity_term)?,
                ));
            }
        }
        Ok(())
    }
}

/// FNV-1a, 64 bits, over the text of a template; JSON objects are written with their keys in order.
fn text_hash(labels: &Labels, annotations: &Labels, spec: &Value) -> u64 {
    let pairs = labels
        .iter()
        .chain(annotations)
        .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let texts = pairs.map(str::to_owned).chain([spec.to_string()]);
    texts.fold(0xcbf2_9ce4_8422_2325, |hash, text| {
        text.bytes().chain([0]).fold(hash, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    })
}

impl AffinityTerm {
    fn new(term: &core::PodAffinityTerm) -> Result<Self, String> {
        if term.topology_key.is_empty() {
            return Err("topologyKey: Required value: can not be empty".into());
        }
        Ok(Self {
            // A null selector matches no pods, an empty one all (k8s.io/api core/v1 PodAffinityTerm).
            selector: match &term.label_selector {
                Some(selector) => Selector::new(selector)?,
                None => Selector(vec![Requirement::new("", "Exists", &[])?]),
            },
            namespaces: term.namespaces.clone().unwrap_or_default(),
            namespace_selector: term.namespace_selector.as_ref().map(Selector::new).transpose()?,
            match_label_keys: term.match_label_keys.clone().unwrap_or_default(),
            mismatch_label_keys: term.mismatch_label_keys.clone().unwrap_or_default(),
            topology: term.topology_key.clone(),
        })
    }

    /// The selector for a pod with these labels (pkg/registry/core/pod/strategy.go `applyMatchLabelKeysAndMismatchLabelKeys`).
    #[must_use]
    pub fn selector_for(&self, own: &Labels) -> Selector {
        let mut selector = self.selector.clone();
        placing::add_shared(&mut selector, &self.match_label_keys, own, Test::In);
        placing::add_shared(&mut selector, &self.mismatch_label_keys, own, Test::NotIn);
        selector
    }
}

fn node_term(term: &core::NodeSelectorTerm) -> Result<Vec<Requirement>, String> {
    let mut all = Vec::new();
    for expression in term.match_expressions.iter().flatten() {
        all.push(Requirement::new(
            &expression.key,
            &expression.operator,
            &expression.values.clone().unwrap_or_default(),
        )?);
    }
    for field in term.match_fields.iter().flatten() {
        if field.key != "metadata.name" {
            return Err(format!(
                "matchFields key `{}`: only metadata.name is supported",
                field.key
            ));
        }
        all.push(Requirement::new(
            "metadata.name",
            &field.operator,
            &field.values.clone().unwrap_or_default(),
        )?);
    }
    Ok(all)
}

fn tolerations(spec: &core::PodSpec) -> Result<Vec<Toleration>, (String, String)> {
    let mut all = Vec::new();
    for toleration in spec.tolerations.iter().flatten() {
        let effect = match toleration.effect.as_deref() {
            None | Some("") => None,
            Some(effect) => Some(Effect::parse(effect).map_err(|why| ("spec.tolerations.effect".to_owned(), why))?),
        };
        let exists = toleration.operator.as_deref() == Some("Exists");
        all.push(Toleration {
            key: toleration.key.clone().filter(|key| !key.is_empty()),
            value: (!exists).then(|| toleration.value.clone().unwrap_or_default()),
            effect,
            lasts: toleration
                .toleration_seconds
                .map(|n| Span::secs(u64::try_from(n).unwrap_or(0))),
        });
    }
    Ok(all)
}

/// The priority that its author wrote, or that of a class of the system; admission looks up the others.
fn priority(spec: &core::PodSpec) -> i32 {
    match spec.priority_class_name.as_deref() {
        Some("system-node-critical") => NODE_CRITICAL,
        Some("system-cluster-critical") => CLUSTER_CRITICAL,
        _ => spec.priority.unwrap_or(0),
    }
}
