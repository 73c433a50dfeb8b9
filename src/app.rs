//! Applications under test: read from manifests, described by a model, deployed through the Kubernetes API.

mod deploy;
mod entry;
pub mod manifest;
pub(crate) mod ready;
mod undeployed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::ClusterError;
use crate::model::application::{Application, ModelError};
use crate::model::experiment::{Claim, Hypothesis};
use crate::model::journey::Journey;
use manifest::{FolderError, ManifestError};

pub use entry::DEFAULT;
pub use undeployed::{Existing, Undeployed};

/// The share of good slots that every window needs after recovery, in parts in a million, unless the test sets another: 99 %.
const RECOVERED: u32 = 990_000;

/// Why an application could not be read or deployed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A file cannot be read.
    #[error("{path} cannot be read: give the path of an existing file", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A manifest is not one.
    #[error("{origin} is not a manifest")]
    Manifest {
        /// The file, or the name of a built-in manifest.
        origin: String,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// A model does not read.
    #[error("{origin} is not an application model")]
    Model {
        /// The file.
        origin: String,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// A file of journeys does not read.
    #[error("{origin} is not a file of journeys")]
    Journeys {
        /// The file.
        origin: String,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// A model makes no sense on this cluster.
    #[error("the cluster refuses the application's model")]
    Describe(#[source] ClusterError),
    /// A folder holds no manifests, but what they are made from, or nothing.
    #[error("the folder holds no manifests")]
    Folder(#[source] FolderError),
    /// Kubernetes no longer serves a kind in this version.
    #[error(
        "{kind} `{name}` ({place}): Kubernetes no longer serves {api_version} {kind}; look for its newer version with `kubectl api-resources`"
    )]
    UnknownKind {
        /// Where it stands: file and line.
        place: String,
        /// Kind.
        kind: String,
        /// `apiVersion`.
        api_version: String,
        /// The object's name.
        name: String,
    },
    /// The API server refused an object.
    #[error("{kind} `{name}` ({place}) was refused by the cluster")]
    Refused {
        /// Where it stands: file and line.
        place: String,
        /// Kind.
        kind: String,
        /// The object's name.
        name: String,
        /// As the API server says.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not answer as expected while waiting.
    #[error("the cluster could not be watched")]
    Watch(#[source] Box<kube::Error>),
    /// Not everything became ready in time.
    #[error("{application} is not ready after {waited_s} s: {}", waiting.join("; "))]
    NotReady {
        /// The application.
        application: String,
        /// How long it was waited for, in seconds of cluster time.
        waited_s: u64,
        /// What is missing: workloads, then pending pods with their reasons.
        waiting: Vec<String>,
    },
    /// There is no application to attach to.
    #[error(
        "no workload in namespace `{namespace}` matches `{selector}`: look at `kubectl get all --namespace {namespace} --show-labels`"
    )]
    NothingThere {
        /// The namespace.
        namespace: String,
        /// The label selector.
        selector: String,
    },
    /// There is no built-in manifest of this name.
    #[error(
        "unknown manifest `{name}`: expected sockshop-demo or sockshop-demo-ha, or use App::from_manifest for a file"
    )]
    NoManifest {
        /// The name asked for.
        name: String,
    },
    /// The application has no journey of this name.
    #[error("the application model has no journey `{name}`: it has {}", known.join(", "))]
    NoJourney {
        /// The name asked for.
        name: String,
        /// The journeys there are.
        known: Vec<String>,
    },
}

/// An application that is deployed and ready.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) name: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) model: Arc<Application>,
    /// The journey that needs no description, where images may be assumed.
    pub(crate) default: Option<Arc<Journey>>,
}

impl App {
    /// An application from manifests: a file of one or more documents in YAML or JSON (what `helm template` and `kustomize build`
    /// print, too), or a folder, whose .yaml, .yml and .json files are taken in the order of their names, those of its folders,
    /// too. Its name is the file's or folder's without extension. More of them: [`Undeployed::and_manifest`].
    ///
    /// # Errors
    /// When something cannot be read or is no manifest; the error names the file, the document and its line.
    pub fn from_manifest(path: impl AsRef<Path>) -> Result<Undeployed, AppError> {
        Undeployed::from_path(path.as_ref())
    }

    /// An application that somebody has deployed: the workloads of a namespace that match a label selector, such as
    /// `app.kubernetes.io/part-of=shop`; an empty one matches all.
    pub fn existing(namespace: &str, selector: &str) -> Existing {
        Existing::new(namespace, selector)
    }

    /// Its name, as the history carries it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace that its journeys enter.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The names of its model's journeys, in order; where it has none and images may be assumed, that of the default journey.
    pub fn journeys(&self) -> impl Iterator<Item = &str> {
        let none = self.model.journeys.is_empty();
        let default = self.default.iter().filter(move |_| none).map(|_| DEFAULT);
        self.model.journeys.keys().map(String::as_str).chain(default)
    }

    /// A journey of its model, as something to make hypotheses about. Where images may be assumed
    /// ([`Undeployed::assume_default_model`]) there is also one called `default`.
    ///
    /// # Errors
    /// When the model has no journey of this name.
    pub fn journey(&self, name: &str) -> Result<Subject, AppError> {
        let own = self.model.journeys.get(name);
        let default = self.default.as_deref().filter(|_| name == DEFAULT);
        let journey = own.or(default).ok_or_else(|| AppError::NoJourney {
            name: name.to_owned(),
            known: self.model.journeys.keys().cloned().collect(),
        })?;
        Ok(self.subject(name, journey.clone()))
    }

    /// A journey of the test's own.
    pub fn subject(&self, name: impl Into<String>, journey: Journey) -> Subject {
        Subject {
            app: self.name.clone(),
            namespace: self.namespace.clone(),
            name: name.into(),
            journey,
        }
    }
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<String, AppError> {
    std::fs::read_to_string(path).map_err(|source| AppError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A journey of a deployed application: what hypotheses are about.
#[derive(Clone, Debug)]
#[must_use = "a journey by itself claims nothing: .recovers_within(..), .availability(..) or .longest_outage(..)"]
pub struct Subject {
    pub(crate) app: Arc<str>,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: String,
    pub(crate) journey: Journey,
}

/// A hypothesis with the journey it is about.
#[derive(Clone, Debug)]
#[must_use = "a hypothesis is checked by an experiment: .hypothesis(..)"]
pub struct Claimed {
    pub(crate) subject: Subject,
    pub(crate) hypothesis: Hypothesis,
}

impl Subject {
    /// Starts this many journeys a second, 1 to 10,000, instead of the model's number.
    pub const fn rate(mut self, per_second: u32) -> Self {
        self.journey.rate = per_second;
        self
    }

    /// The share of good slots from injection to the end of the observation lies in this range, for example `0.90..`.
    pub fn availability(self, share: std::ops::RangeFrom<f64>) -> Claimed {
        self.claim(Claim::Availability {
            at_least_ppm: parts(share.start),
        })
    }

    /// From so long after the injection on, every window of 10 s has at least 99 % good slots
    /// (see [`Claimed::of_slots`] for another share).
    pub fn recovers_within(self, within: std::time::Duration) -> Claimed {
        self.claim(Claim::RecoversWithin {
            within,
            at_least_ppm: RECOVERED,
        })
    }

    /// No outage is longer than this, for example `..=60.secs()`.
    pub fn longest_outage(self, at_most: std::ops::RangeToInclusive<std::time::Duration>) -> Claimed {
        self.claim(Claim::LongestOutage { at_most: at_most.end })
    }

    fn claim(self, claim: Claim) -> Claimed {
        Claimed {
            hypothesis: Hypothesis {
                journey: self.name.clone(),
                claim,
            },
            subject: self,
        }
    }
}

impl Claimed {
    /// For [`Subject::recovers_within`]: the share of good slots that every window needs, for example `0.5..`. Other hypotheses
    /// stay as they are.
    pub fn of_slots(mut self, share: std::ops::RangeFrom<f64>) -> Self {
        if let Claim::RecoversWithin { at_least_ppm, .. } = &mut self.hypothesis.claim {
            *at_least_ppm = parts(share.start);
        }
        self
    }
}

/// A share from 0 to 1 in parts in a million.
#[expect(clippy::cast_sign_loss, reason = "clamped to 0..=1 before")]
fn parts(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 1_000_000.0).round() as u32
}
