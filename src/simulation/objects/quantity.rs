//! Resource quantities: `100m`, `1.5`, `128Mi`.

use std::collections::BTreeMap;

/// Computing resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// CPU in thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub memory: u64,
}

impl Amount {
    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli + other.cpu_milli,
            memory: self.memory + other.memory,
        }
    }

    /// The difference, not below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(other.cpu_milli),
            memory: self.memory.saturating_sub(other.memory),
        }
    }
}

/// A quantity in thousandths, rounded up, as Kubernetes rounds (k8s.io/apimachinery pkg/api/resource/quantity.go).
///
/// # Errors
/// A fragment that says what was expected.
pub fn milli(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is not a quantity: expected a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi")
    };
    let digits = text
        .find(|c: char| c != '.' && !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (factor, divisor): (u128, u128) = match suffix {
        "m" => (1, 1),
        "" => (1_000, 1),
        "u" => (1, 1_000),
        "n" => (1, 1_000_000),
        "k" => (1_000_000, 1),
        "M" => (1_000_000_000, 1),
        "G" => (1_000_000_000_000, 1),
        "T" => (1_000_000_000_000_000, 1),
        "Ki" => (1_000 << 10, 1),
        "Mi" => (1_000 << 20, 1),
        "Gi" => (1_000 << 30, 1),
        "Ti" => (1_000 << 40, 1),
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.len() > 12 || whole.len() > 18 {
        return Err(wrong());
    }
    let scale = 10_u128.pow(part.len() as u32);
    let value: u128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
    u64::try_from((value * factor).div_ceil(scale * divisor)).map_err(|_| wrong())
}

/// A quantity in whole units (bytes), rounded up.
///
/// # Errors
/// As [`milli`].
pub fn units(text: &str) -> Result<u64, String> {
    milli(text).map(|n| n.div_ceil(1_000))
}

/// What a whole pod has of each resource. Containers add up; an init container needs its own beside the sidecars started before it;
/// the larger counts. `init` says of each whether it is a sidecar.
///
/// Source: k8s.io/component-helpers resource/helpers.go `AggregateContainerRequests`, `AggregateContainerLimits`.
pub fn of_pod<T: Copy + Default>(
    main: impl Iterator<Item = BTreeMap<String, T>>,
    init: impl Iterator<Item = (bool, BTreeMap<String, T>)>,
    plus: impl Fn(T, T) -> T,
    max: impl Fn(T, T) -> T,
) -> BTreeMap<String, T> {
    let merge = |to: &mut BTreeMap<String, T>, more: &BTreeMap<String, T>, how: &dyn Fn(T, T) -> T| {
        for (name, &amount) in more {
            let known = to.entry(name.clone()).or_default();
            *known = how(*known, amount);
        }
    };
    let (mut sum, mut sidecars, mut most) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for own in main {
        merge(&mut sum, &own, &plus);
    }
    for (is_sidecar, mut own) in init {
        if is_sidecar {
            merge(&mut sum, &own, &plus);
            merge(&mut sidecars, &own, &plus);
            own.clone_from(&sidecars);
        } else {
            merge(&mut own, &sidecars, &plus);
        }
        merge(&mut most, &own, &max);
    }
    merge(&mut sum, &most, &max);
    sum
}
