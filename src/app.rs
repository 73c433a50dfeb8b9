//! Applications under test: read from manifests, described by a model, deployed through the Kubernetes API.

mod deploy;
pub mod manifest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::{Cluster, ClusterError};
use crate::model::application::{Application, ModelError};
use crate::model::experiment::{Claim, Hypothesis};
use crate::model::journey::Journey;
use manifest::{Manifest, ManifestError};

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
    /// A model makes no sense on this cluster.
    #[error("the cluster refuses the application's model")]
    Describe(#[source] ClusterError),
    /// The cluster has no such kind.
    #[error(
        "{kind} `{name}` ({api_version}) in {origin}: the cluster serves no such kind; look at `kubectl api-resources`"
    )]
    UnknownKind {
        /// The manifest.
        origin: String,
        /// Kind.
        kind: String,
        /// `apiVersion`.
        api_version: String,
        /// The object's name.
        name: String,
    },
    /// The API server refused an object.
    #[error("{kind} `{name}` was refused by the cluster")]
    Refused {
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
}

/// An application that is yet to be deployed.
#[derive(Clone, Debug)]
#[must_use = "an application does nothing until it is deployed: .deploy(&cluster).await"]
pub struct Undeployed {
    name: String,
    manifest: Manifest,
    model: Option<Application>,
    assume_default: bool,
}

impl App {
    /// An application from a manifest file of one or more YAML documents. Its name is the file's without extension.
    ///
    /// # Errors
    /// When the file cannot be read or is no manifest.
    pub fn from_manifest(path: impl AsRef<Path>) -> Result<Undeployed, AppError> {
        let path = path.as_ref();
        let text = read(path)?;
        let name = path
            .file_stem()
            .map_or_else(|| "application".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Undeployed::new(&name, &path.display().to_string(), &text)
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

    /// The names of its model's journeys, in order.
    pub fn journeys(&self) -> impl Iterator<Item = &str> {
        self.model.journeys.keys().map(String::as_str)
    }

    /// A journey of its model, as something to make hypotheses about.
    ///
    /// # Errors
    /// When the model has no journey of this name.
    pub fn journey(&self, name: &str) -> Result<Subject, AppError> {
        let journey = self.model.journeys.get(name).ok_or_else(|| AppError::NoJourney {
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

impl Undeployed {
    /// An application from the text of a manifest; `origin` names the text in errors.
    ///
    /// # Errors
    /// When it is no manifest.
    pub fn new(name: &str, origin: &str, text: &str) -> Result<Self, AppError> {
        let manifest = Manifest::parse(text, origin).map_err(|source| AppError::Manifest {
            origin: origin.to_owned(),
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            manifest,
            model: None,
            assume_default: false,
        })
    }

    /// What its images do.
    pub fn model(mut self, model: Application) -> Self {
        self.model = Some(model);
        self
    }

    /// What its images do, from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is no model.
    pub fn model_file(self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        let path = path.as_ref();
        let model = Application::from_yaml(&read(path)?).map_err(|source| AppError::Model {
            origin: path.display().to_string(),
            source,
        })?;
        Ok(self.model(model))
    }

    /// Takes every image that the model does not describe to answer 200 to everything. The report lists them.
    pub const fn assume_default_model(mut self) -> Self {
        self.assume_default = true;
        self
    }

    #[cfg(feature = "cli")]
    /// The application as it will be, and its manifest: for a survey, which deploys it without the API.
    pub(crate) fn into_parts(self) -> (App, Manifest) {
        let model = self.model.unwrap_or_else(|| Application::unnamed(&self.name));
        let app = App {
            namespace: self.manifest.namespace().into(),
            name: self.name.into(),
            model: Arc::new(model),
        };
        (app, self.manifest)
    }

    /// Applies the manifest (creating what is missing, changing what is there) and waits until everything is ready, for at most
    /// 20 minutes of cluster time.
    ///
    /// # Errors
    /// When the cluster refuses something, or not everything becomes ready; then the error lists what is pending and why.
    pub async fn deploy(self, cluster: &Cluster) -> Result<App, AppError> {
        let namespace: Arc<str> = self.manifest.namespace().into();
        let model = self.model.unwrap_or_else(|| Application::unnamed(&self.name));
        cluster
            .describe(&namespace, &model, self.assume_default)
            .map_err(AppError::Describe)?;
        deploy::apply(cluster, &self.manifest).await?;
        deploy::wait(cluster, &self.name, &self.manifest).await?;
        Ok(App {
            name: self.name.into(),
            namespace,
            model: Arc::new(model),
        })
    }
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
