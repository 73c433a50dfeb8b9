//! What a pod requests in all.
//!
//! Source: k8s.io/component-helpers resource/helpers.go `PodRequests`, `AggregateContainerRequests`.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use serde_json::Value;

use super::{Placing, PodTemplate};
use crate::simulation::objects::quantity::{self, Amount};

/// What scoring assumes of a container that requests no CPU: 100m.
/// Source: pkg/scheduler/util/pod_resources.go `DefaultMilliCPURequest`.
const SCORED_CPU: u64 = 100;
/// And no memory: 200 MiB. Source: the same, `DefaultMemoryRequest`.
const SCORED_MEMORY: u64 = 200 * 1024 * 1024;

/// Amounts by name; CPU in thousandths.
type List = BTreeMap<String, u64>;

/// All that a pod requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// CPU and memory.
    pub(super) amount: Amount,
    /// The same, as scoring takes them.
    pub(super) scored: Amount,
    /// All else that nodes have a limited amount of.
    pub(super) scalars: Vec<(Arc<str>, u64)>,
}

/// A field path and what is wrong with it.
type Fault = (String, String);

pub(super) fn requests(spec: &core::PodSpec) -> Result<Requests, Fault> {
    let all = total(spec, &List::new())?;
    let scored = total(
        spec,
        &List::from([("cpu".to_owned(), SCORED_CPU), ("memory".to_owned(), SCORED_MEMORY)]),
    )?;
    let scalars = all
        .iter()
        .filter(|(name, amount)| !matches!(name.as_str(), "cpu" | "memory") && **amount > 0)
        .map(|(name, &amount)| (name.as_str().into(), amount))
        .collect();
    Ok(Requests {
        amount: amount(&all),
        scored: amount(&scored),
        scalars,
    })
}

impl PodTemplate {
    /// The same with another specification, which differs in what its containers request.
    ///
    /// # Errors
    /// Which request cannot be read.
    pub fn resourced(&self, spec: Value) -> Result<Self, String> {
        let typed: core::PodSpec = serde_json::from_value(spec.clone()).map_err(|error| error.to_string())?;
        let requests = requests(&typed).map_err(|(path, why)| format!("{path}: {why}"))?;
        let mut placing = self.placing.as_deref().cloned().unwrap_or_default();
        placing.scalars = requests.scalars;
        Ok(Self {
            spec: Arc::new(spec),
            requests: requests.amount,
            scored: requests.scored,
            placing: (placing != Placing::default()).then(|| Arc::new(placing)),
            ..self.clone()
        })
    }
}

fn amount(list: &List) -> Amount {
    let get = |name: &str| list.get(name).copied().unwrap_or(0);
    Amount {
        cpu_milli: get("cpu"),
        memory: get("memory"),
    }
}

/// Containers add up; an init container needs its own beside the sidecars started before it; the larger counts.
fn total(spec: &core::PodSpec, missing: &List) -> Result<List, Fault> {
    let main = spec.containers.iter().enumerate();
    let main = main.map(|(index, container)| of(container, &format!("spec.containers[{index}]"), missing));
    let main = main.collect::<Result<Vec<_>, _>>()?;
    let init = spec.init_containers.iter().flatten().enumerate();
    let init = init.map(|(index, container)| {
        let own = of(container, &format!("spec.initContainers[{index}]"), missing)?;
        Ok((container.restart_policy.as_deref() == Some("Always"), own))
    });
    let init = init.collect::<Result<Vec<_>, Fault>>()?;
    let mut sum = quantity::of_pod(main.into_iter(), init.into_iter(), |a, b| a + b, u64::max);
    if let Some(overhead) = &spec.overhead {
        add(&mut sum, &read(overhead, "spec.overhead")?);
    }
    Ok(sum)
}

fn add(to: &mut List, more: &List) {
    for (name, amount) in more {
        *to.entry(name.clone()).or_default() += amount;
    }
}

/// A container's requests; a limit without a request is one (pkg/apis/core/v1/defaults.go `SetDefaults_Pod`).
fn of(container: &core::Container, path: &str, missing: &List) -> Result<List, Fault> {
    let mut all = missing.clone();
    if let Some(resources) = &container.resources {
        let mut written = resources.limits.clone().unwrap_or_default();
        written.extend(resources.requests.clone().unwrap_or_default());
        all.extend(read(&written, &format!("{path}.resources.requests"))?);
    }
    Ok(all)
}

fn read(written: &BTreeMap<String, Quantity>, path: &str) -> Result<List, Fault> {
    let read = |(name, quantity): (&String, &Quantity)| {
        let parse = if name == "cpu" {
            quantity::milli
        } else {
            quantity::units
        };
        match parse(&quantity.0) {
            Ok(amount) => Ok((name.clone(), amount)),
            Err(why) => Err((format!("{path}.{name}"), why)),
        }
    };
    written.iter().map(read).collect()
}
