//! Applications that are yet to be deployed, and such as are there already.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kube::api::{DynamicObject, ListParams};
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::deploy::{self, Known};
use super::manifest::{Found, Manifest, ManifestError, Unfound, find};
use super::{App, AppError, entry, read, ready};
use crate::cluster::Cluster;
use crate::model::application::Application;
use crate::model::journey::{Journey, Journeys};

/// What an application's images do, as far as somebody said.
#[derive(Clone, Debug, Default)]
struct Behaviour {
    model: Option<Application>,
    journeys: BTreeMap<String, Journey>,
    assume_default: bool,
}

impl Behaviour {
    fn file(path: &Path) -> Result<Application, AppError> {
        Application::from_yaml(&read(path)?).map_err(|source| AppError::Model {
            origin: path.display().to_string(),
            source,
        })
    }

    fn journeys(path: &Path) -> Result<BTreeMap<String, Journey>, AppError> {
        let read = Journeys::from_yaml(&read(path)?).map_err(|source| AppError::Journeys {
            origin: path.display().to_string(),
            source,
        })?;
        Ok(read.journeys)
    }

    fn app(self, name: &str, namespace: &str, entry: Option<String>) -> App {
        let assumed = self.assume_default;
        let mut model = self.model.unwrap_or_else(|| Application::unnamed(name));
        model.journeys.extend(self.journeys);
        App {
            name: name.into(),
            namespace: namespace.into(),
            model: Arc::new(model),
            default: entry.filter(|_| assumed).map(|entry| Arc::new(entry::journey(&entry))),
        }
    }
}

/// An application that is yet to be deployed.
#[derive(Clone, Debug)]
#[must_use = "an application does nothing until it is deployed: .deploy(&cluster).await"]
pub struct Undeployed {
    name: String,
    manifest: Manifest,
    behaviour: Behaviour,
}

impl Undeployed {
    /// An application from the text of a manifest; `origin` names the text in errors.
    ///
    /// # Errors
    /// When it is no manifest.
    pub fn new(name: &str, origin: &str, text: &str) -> Result<Self, AppError> {
        let manifest = Manifest::parse(text, origin).map_err(|source| not_one(origin, source))?;
        Ok(Self {
            name: name.to_owned(),
            manifest,
            behaviour: Behaviour::default(),
        })
    }

    pub(super) fn from_path(path: &Path) -> Result<Self, AppError> {
        let name = path
            .file_stem()
            .map_or_else(|| "application".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            name,
            manifest: from_files(path)?,
            behaviour: Behaviour::default(),
        })
    }

    /// One more file or folder of manifests.
    ///
    /// # Errors
    /// When it cannot be read or is no manifest.
    pub fn and_manifest(mut self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        self.manifest.add(from_files(path.as_ref())?);
        Ok(self)
    }

    /// Where objects go that name no namespace, as with `kubectl apply --namespace`; without it that is `default`.
    pub fn namespace(mut self, name: &str) -> Self {
        self.manifest.put_into(name);
        self
    }

    /// Its name, as the history will carry it, instead of the file's or folder's.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What its images do.
    pub fn model(mut self, model: Application) -> Self {
        self.behaviour.model = Some(model);
        self
    }

    /// What its images do, from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is no model.
    pub fn model_file(self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        let model = Behaviour::file(path.as_ref())?;
        Ok(self.model(model))
    }

    /// Journeys of its users, from a file; one that is called like one of the model takes its place.
    ///
    /// # Errors
    /// When the file cannot be read or holds no journeys.
    pub fn journeys_file(mut self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        self.behaviour.journeys.extend(Behaviour::journeys(path.as_ref())?);
        Ok(self)
    }

    /// A journey of its users; it takes the place of one of the model that is called like it.
    pub fn user_journey(mut self, name: impl Into<String>, journey: Journey) -> Self {
        self.behaviour.journeys.insert(name.into(), journey);
        self
    }

    /// Takes every image that the model does not describe to answer 200 to everything. The report lists them. The application
    /// then has a journey `default` that needs no description: `GET /` on the Service by which traffic comes in.
    pub const fn assume_default_model(mut self) -> Self {
        self.behaviour.assume_default = true;
        self
    }

    /// Its objects.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    #[cfg(feature = "cli")]
    /// The application as it will be, and its manifest: for a survey, which deploys it without the API.
    pub(crate) fn into_parts(self) -> (App, Manifest) {
        let entry = entry::of_manifest(&self.manifest);
        let app = self.behaviour.app(&self.name, self.manifest.namespace(), entry);
        (app, self.manifest)
    }

    /// Applies the manifest (creating what is missing, changing what is there) and waits until everything is ready, for at most
    /// 20 minutes of cluster time: workloads rolled out, Jobs complete, the claims that pods use bound. Namespaces that it uses
    /// and nobody has made are made. Kinds that the cluster does not serve are passed over and listed as not modelled.
    ///
    /// # Errors
    /// When the cluster refuses something, or not everything becomes ready; then the error lists what is pending and why.
    pub async fn deploy(self, cluster: &Cluster) -> Result<App, AppError> {
        let entry = entry::of_manifest(&self.manifest);
        let app = self.behaviour.clone().app(&self.name, self.manifest.namespace(), entry);
        let mut namespaces = self.manifest.namespaces();
        namespaces.insert(self.manifest.namespace());
        for namespace in &namespaces {
            cluster
                .describe(namespace, &app.model, self.behaviour.assume_default)
                .map_err(AppError::Describe)?;
        }
        cluster
            .prepare(&namespaces, &app.model)
            .await
            .map_err(AppError::Describe)?;
        let mut applied = deploy::apply(cluster, &self.manifest).await?;
        let used = claims(&self.manifest);
        applied.retain(|it| {
            let claimed = || {
                used.iter()
                    .any(|(space, name)| *space == it.namespace && *name == it.name)
            };
            ready::is_waited_for(&it.api_version, &it.kind)
                && cluster.models(&it.api_version, &it.kind)
                && (it.kind != "PersistentVolumeClaim" || claimed())
        });
        deploy::wait(cluster, &self.name, &applied).await?;
        Ok(app)
    }
}

/// The claims that pods of a manifest use, with their namespaces: one that nobody uses may wait for its first user for ever
/// (`volumeBindingMode: WaitForFirstConsumer`).
fn claims(manifest: &Manifest) -> Vec<(&str, &str)> {
    let pods = manifest
        .objects
        .iter()
        .filter_map(|object| Some((object, object.pod_template()?)));
    pods.flat_map(|(object, pod)| {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        volumes
            .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
            .map(|name| (manifest.namespace_of(object), name))
    })
    .collect()
}

fn not_one(origin: &str, source: ManifestError) -> AppError {
    AppError::Manifest {
        origin: origin.to_owned(),
        source,
    }
}

fn from_files(path: &Path) -> Result<Manifest, AppError> {
    let files: Found = find(path);
    let files = files.map_err(|unfound| match unfound {
        Unfound::Read(path, source) => AppError::Read { path, source },
        Unfound::Folder(source) => AppError::Folder(source),
    })?;
    let origin = path.display().to_string();
    let mut all = Manifest::of(&origin);
    for file in files {
        let name = file.display().to_string();
        let part = Manifest::parse_any(&read(&file)?, &name).map_err(|source| not_one(&name, source))?;
        all.add(part);
    }
    if all.objects.is_empty() {
        return Err(not_one(&origin, ManifestError::Empty));
    }
    Ok(all)
}

/// An application that is deployed already.
#[derive(Clone, Debug)]
#[must_use = "an application is not looked for until it is asked for: .attach(&cluster).await"]
pub struct Existing {
    namespace: String,
    selector: String,
    behaviour: Behaviour,
}

impl Existing {
    pub(super) fn new(namespace: &str, selector: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            selector: selector.to_owned(),
            behaviour: Behaviour::default(),
        }
    }

    /// What its images do.
    pub fn model(mut self, model: Application) -> Self {
        self.behaviour.model = Some(model);
        self
    }

    /// What its images do, from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is no model.
    pub fn model_file(self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        let model = Behaviour::file(path.as_ref())?;
        Ok(self.model(model))
    }

    /// Journeys of its users, from a file; one that is called like one of the model takes its place.
    ///
    /// # Errors
    /// When the file cannot be read or holds no journeys.
    pub fn journeys_file(mut self, path: impl AsRef<Path>) -> Result<Self, AppError> {
        self.behaviour.journeys.extend(Behaviour::journeys(path.as_ref())?);
        Ok(self)
    }

    /// A journey of its users; it takes the place of one of the model that is called like it.
    pub fn user_journey(mut self, name: impl Into<String>, journey: Journey) -> Self {
        self.behaviour.journeys.insert(name.into(), journey);
        self
    }

    /// As for [`Undeployed::assume_default_model`].
    pub const fn assume_default_model(mut self) -> Self {
        self.behaviour.assume_default = true;
        self
    }

    /// Finds its workloads, waits until they are ready, as [`Undeployed::deploy`] does, and changes nothing. Pods that run
    /// already behave from now on as the model says.
    ///
    /// # Errors
    /// When no workload of the namespace matches the selector, or not everything becomes ready.
    pub async fn attach(self, cluster: &Cluster) -> Result<App, AppError> {
        let mut wanted = Vec::new();
        for (api_version, kind, plural) in WORKLOADS {
            if !cluster.models(api_version, kind) {
                continue;
            }
            let api = self.api(cluster, api_version, kind, plural);
            for object in self.list(&api).await? {
                // What a controller made is not the application's own.
                if object.owner_references().is_empty() {
                    wanted.push(Known {
                        api: api.clone(),
                        api_version: api_version.to_owned(),
                        kind: kind.to_owned(),
                        name: object.name_any(),
                        namespace: self.namespace.clone(),
                    });
                }
            }
        }
        if wanted.is_empty() {
            return Err(AppError::NothingThere {
                namespace: self.namespace,
                selector: self.selector,
            });
        }
        let services = self.api(cluster, "v1", "Service", "services");
        let services: Vec<Value> = self
            .list(&services)
            .await?
            .iter()
            .map(|object| {
                let mut shown = deploy::value(object);
                shown["kind"] = "Service".into();
                shown
            })
            .collect();
        let entry = entry::of(&services.iter().collect::<Vec<_>>());
        let name = if self.selector.is_empty() {
            &self.namespace
        } else {
            &self.selector
        };
        let app = self.behaviour.clone().app(name, &self.namespace, entry);
        cluster
            .describe_present(&self.namespace, &app.model, self.behaviour.assume_default)
            .map_err(AppError::Describe)?;
        deploy::wait(cluster, name, &wanted).await?;
        Ok(app)
    }

    fn api(&self, cluster: &Cluster, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(cluster.client(), &self.namespace, &resource)
    }

    async fn list(&self, api: &Api<DynamicObject>) -> Result<Vec<DynamicObject>, AppError> {
        let all = api.list(&ListParams::default().labels(&self.selector)).await;
        all.map(|all| all.items)
            .map_err(|source| AppError::Watch(Box::new(source)))
    }
}

/// The kinds that an application consists of.
const WORKLOADS: [(&str, &str, &str); 6] = [
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("batch/v1", "Job", "jobs"),
    ("v1", "Pod", "pods"),
];
