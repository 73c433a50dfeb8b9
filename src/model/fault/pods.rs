//! Pods are deleted, nodes are not touched.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Pods are deleted (`kubectl delete pod`, FIS `aws:eks:pod-delete`): those of a workload or with a label, in the namespace of the
/// load unless it names another. Made by [`PodFailure::delete`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFailure {
    /// Which.
    #[serde(rename = "delete-pods")]
    pub selection: PodSelection,
    /// Their namespace; without one that of the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many of them, chosen by the seed; without a number all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// `gracePeriodSeconds`; without it each pod's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<u64>,
    /// The seed of the choice; without one the cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How long after the injection it strikes.
    #[serde(
        default,
        with = "crate::model::units::text_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub after: Option<Duration>,
    /// The time between two of its victims.
    #[serde(
        default,
        with = "crate::model::units::text_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub stagger: Option<Duration>,
}

/// Which pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodSelection {
    /// Those that this workload owns in the end: its Deployment, StatefulSet or DaemonSet.
    App(String),
    /// Those with this label.
    Label(String, String),
}

/// Pods that are to be deleted and are not named yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pods to delete need to be named: .app(\"front-end\") or .label(.., ..)"]
pub struct Unnamed;

impl PodFailure {
    /// The name in commands and reports.
    pub const NAME: &'static str = "delete-pods";

    /// Pods are deleted.
    pub const fn delete() -> Unnamed {
        Unnamed
    }

    /// Only so many of them, chosen by the seed.
    #[must_use]
    pub const fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// In this namespace instead of the load's.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// With this grace period in whole seconds instead of each pod's own; zero: at once, whatever the kubelet says.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace.as_secs());
        self
    }

    /// Chooses with this seed instead of the cluster's.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Strikes this long after the injection.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = Some(delay);
        self
    }

    /// Strikes one pod after the other, this far apart.
    #[must_use]
    pub const fn stagger(mut self, between: Duration) -> Self {
        self.stagger = Some(between);
        self
    }
}

impl Unnamed {
    /// The pods of a workload.
    #[must_use]
    pub fn app(self, name: impl Into<String>) -> PodFailure {
        select(PodSelection::App(name.into()))
    }

    /// The pods with a label.
    #[must_use]
    pub fn label(self, key: impl Into<String>, value: impl Into<String>) -> PodFailure {
        select(PodSelection::Label(key.into(), value.into()))
    }
}

const fn select(selection: PodSelection) -> PodFailure {
    PodFailure {
        selection,
        namespace: None,
        count: None,
        grace: None,
        seed: None,
        after: None,
        stagger: None,
    }
}
