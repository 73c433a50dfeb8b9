//! Amounts of resources by name, as admission adds, compares and writes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::simulation::objects::quantity;

/// A quantity: thousandths, and whether it is written in powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) milli: u64,
    binary: bool,
}

/// Quantities by name.
pub(super) type List = BTreeMap<String, Quantity>;

impl Quantity {
    pub(super) const fn count(count: u64) -> Self {
        Self {
            milli: count * 1_000,
            binary: false,
        }
    }

    /// Reads text or a number; what is none counts as nothing.
    pub(super) fn read(value: &Value) -> Self {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self {
            milli: quantity::milli(&text).unwrap_or(0),
            binary: text.ends_with('i'),
        }
    }

    /// The sum, written as the first is unless that is nothing.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            milli: self.milli + other.milli,
            binary: if self.milli == 0 { other.binary } else { self.binary },
        }
    }

    pub(super) const fn max(self, other: Self) -> Self {
        if other.milli > self.milli { other } else { self }
    }
}

/// The canonical form: no fraction, the largest suffix (k8s.io/apimachinery pkg/api/resource/quantity.go `CanonicalizeBytes`).
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.milli == 0 {
            return f.write_str("0");
        }
        if self.binary && self.milli.is_multiple_of(1_000) && self.milli >= 1_024_000 {
            let (mut units, mut suffix) = (self.milli / 1_000, 0);
            while units.is_multiple_of(1_024) && suffix < 6 {
                units /= 1_024;
                suffix += 1;
            }
            return write!(f, "{units}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][suffix]);
        }
        let (mut amount, mut suffix) = (self.milli, 0);
        while amount.is_multiple_of(1_000) && suffix < 7 {
            amount /= 1_000;
            suffix += 1;
        }
        write!(f, "{amount}{}", ["m", "", "k", "M", "G", "T", "P", "E"][suffix])
    }
}

/// A JSON object of quantities.
pub(super) fn list(value: Option<&Value>) -> List {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(name, amount)| (name.clone(), Quantity::read(amount)))
        .collect()
}

/// As JSON.
pub(super) fn json(list: &List) -> Value {
    let fields: Map<String, Value> = list
        .iter()
        .map(|(name, amount)| (name.clone(), amount.to_string().into()))
        .collect();
    fields.into()
}

pub(super) fn add(to: &mut List, more: &List) {
    for (name, amount) in more {
        let sum = to.entry(name.clone()).or_default();
        *sum = sum.plus(*amount);
    }
}

/// Requests and limits of a container; a limit without a request is one (pkg/apis/core/v1/defaults.go `SetDefaults_Pod`).
pub(super) fn of_container(container: &Value) -> (List, List) {
    let limits = list(container.pointer("/resources/limits"));
    let mut requests = limits.clone();
    requests.extend(list(container.pointer("/resources/requests")));
    (requests, limits)
}

pub(super) fn containers<'a>(spec: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    spec[field].as_array().into_iter().flatten()
}

/// Requests and limits of a whole pod (k8s.io/component-helpers resource/helpers.go `PodRequests`, `PodLimits`).
pub(super) fn of_pod(spec: &Value) -> (List, List) {
    let requests = total(spec, |container| of_container(container).0);
    let mut limits = total(spec, |container| of_container(container).1);
    let mut requests = requests;
    for (name, amount) in list(spec.get("overhead")) {
        let sum = requests.entry(name.clone()).or_default();
        *sum = sum.plus(amount);
        // Overhead is added to limits that there are.
        if let Some(limit) = limits.get_mut(&name) {
            *limit = limit.plus(amount);
        }
    }
    (requests, limits)
}

fn total(spec: &Value, of: impl Fn(&Value) -> List) -> List {
    let init =
        containers(spec, "initContainers").map(|container| (container["restartPolicy"] == "Always", of(container)));
    quantity::of_pod(
        containers(spec, "containers").map(&of),
        init,
        Quantity::plus,
        Quantity::max,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Quantity;

    #[test]
    fn quantities_are_written_in_their_canonical_form() {
        // k8s.io/apimachinery pkg/api/resource/quantity_test.go `TestQuantityString`
        for (text, expected) in [
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1500m", "1500m"),
            ("1000m", "1"),
            ("2000", "2k"),
            ("0", "0"),
            ("1.5Gi", "1536Mi"),
            ("1023Ki", "1023Ki"),
            ("100", "100"),
        ] {
            assert_eq!(Quantity::read(&json!(text)).to_string(), expected, "{text}");
        }
    }
}
