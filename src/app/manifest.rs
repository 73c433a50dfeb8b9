//! Manifests: Kubernetes objects as people write them, and as `helm template` and `kustomize build` print them.
//!
//! `text` takes a text apart into documents, `files` finds the files of a folder, `hooks` knows Helm's hooks, `order` says
//! what is applied first.

mod files;
mod hooks;
mod order;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use files::FolderError;
pub(super) use files::{Found, Unfound, find};

/// The objects of a manifest, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// What the text is called in errors.
    pub origin: String,
    /// The objects.
    pub objects: Vec<Object>,
    /// What was not taken over and why, for the report: `Pod/web-test: left out, a Helm hook (test)`.
    pub left_out: Vec<String>,
    /// Where objects go that name no namespace, when somebody said so.
    given: Option<String>,
}

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// Where it stands: the text's name and the line on which its document begins.
    pub place: String,
    /// The whole object.
    pub value: Value,
}

/// Why a text is not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A document is not YAML.
    #[error("document {number} (line {line}) is not YAML")]
    Yaml {
        /// Which document, from 1; empty ones are not counted.
        number: usize,
        /// The line on which it begins, from 1.
        line: usize,
        /// Where and why.
        #[source]
        source: serde_yaml::Error,
    },
    /// A document is not JSON, although it begins as if it were.
    #[error("document {number} (line {line}) is neither JSON nor YAML")]
    Json {
        /// Which document, from 1.
        number: usize,
        /// The line on which it begins, from 1.
        line: usize,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A document cannot be written as JSON, which is what an API server takes.
    #[error("document {number} (line {line}): {what} cannot be sent to an API server: write it as text")]
    NotJson {
        /// Which document, from 1.
        number: usize,
        /// The line on which it begins, from 1.
        line: usize,
        /// What.
        what: &'static str,
    },
    /// A document is not a Kubernetes object.
    #[error(
        "document {number} lacks `{field}` (line {line}): expected a Kubernetes object with apiVersion, kind and metadata.name"
    )]
    Lacks {
        /// Which document, from 1.
        number: usize,
        /// The line on which it begins, from 1.
        line: usize,
        /// Which field.
        field: &'static str,
    },
    /// There is nothing in it.
    #[error("it has no objects: expected at least one YAML document with apiVersion, kind and metadata.name")]
    Empty,
}

impl Manifest {
    /// Reads a text of one or more documents, in YAML or JSON: what `kubectl apply -f` reads, and what `helm template`,
    /// `helm install --dry-run` and `kustomize build` print. Empty documents are passed over, lists are opened, objects that
    /// Helm would not install are left out (see [`Manifest::left_out`]).
    ///
    /// # Errors
    /// The first document that is no Kubernetes object, and a text without objects.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let manifest = Self::parse_any(text, origin)?;
        if manifest.objects.is_empty() {
            return Err(ManifestError::Empty);
        }
        Ok(manifest)
    }

    /// Like [`Manifest::parse`], but a text without objects is one, too: a file of a folder may hold comments alone.
    pub(super) fn parse_any(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let mut manifest = Self::of(origin);
        for document in text::documents(text)? {
            manifest.open(document.value, document.number, document.line)?;
        }
        Ok(manifest)
    }

    /// A manifest without objects yet.
    pub(super) fn of(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a document: an object, or a list of them.
    fn open(&mut self, mut value: Value, number: usize, line: usize) -> Result<(), ManifestError> {
        let list = value["kind"]
            .as_str()
            .and_then(|kind| kind.strip_suffix("List"))
            .map(str::to_owned);
        if let Some(of) = list
            && let Some(items) = value.get_mut("items").and_then(Value::as_array_mut)
        {
            let items = std::mem::take(items);
            for mut item in items {
                // The items of a typed list may leave out what the list says of them.
                if let (false, Some(fields)) = (of.is_empty(), item.as_object_mut()) {
                    fields.entry("kind").or_insert_with(|| of.clone().into());
                    fields
                        .entry("apiVersion")
                        .or_insert_with(|| value["apiVersion"].clone());
                }
                self.open(item, number, line)?;
            }
            return Ok(());
        }
        text::octal_modes(&mut value);
        let object = Object::new(value, &self.origin, number, line)?;
        match hooks::never_installed(&object.value) {
            Some(hook) => self.left_out.push(format!(
                "{}/{}: left out, a Helm hook ({hook})",
                object.kind, object.name
            )),
            None => self.objects.push(object),
        }
        Ok(())
    }

    /// Adds the objects of another manifest.
    pub(super) fn add(&mut self, other: Self) {
        self.objects.extend(other.objects);
        self.left_out.extend(other.left_out);
    }

    /// Puts objects that name no namespace into this one, as `kubectl apply --namespace` does.
    pub(super) fn put_into(&mut self, namespace: &str) {
        self.given = Some(namespace.to_owned());
    }

    /// The namespace that most of its workloads live in (of several the one named first), which is the one that its journeys
    /// enter. Without workloads the first one named, else the one it creates, else the one for objects that name none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for object in self.objects.iter().filter(|object| object.pod_template().is_some()) {
            let namespace = self.namespace_of(object);
            match counts.iter_mut().find(|(known, _)| *known == namespace) {
                Some((_, count)) => *count += 1,
                None => counts.push((namespace, 1)),
            }
        }
        let most = counts.iter().map(|(_, count)| *count).max();
        let first = counts.iter().find(|(_, count)| Some(*count) == most);
        let named = || self.objects.iter().find_map(|object| object.namespace.as_deref());
        let created = || {
            let namespace = self.objects.iter().find(|object| object.kind == "Namespace");
            namespace.map(|object| object.name.as_str())
        };
        first
            .map(|(namespace, _)| *namespace)
            .or_else(named)
            .or_else(created)
            .unwrap_or_else(|| self.unnamed())
    }

    /// Where an object goes that names no namespace: where it was said to go, else `default`, as with kubectl.
    fn unnamed(&self) -> &str {
        self.given.as_deref().unwrap_or("default")
    }

    /// The namespace that an object of a namespaced kind goes into.
    #[must_use]
    pub fn namespace_of<'a>(&'a self, object: &'a Object) -> &'a str {
        object.namespace.as_deref().unwrap_or_else(|| self.unnamed())
    }

    /// The namespaces that its workloads and Services live in, sorted.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<&str> {
        self.objects
            .iter()
            .filter(|object| object.pod_template().is_some() || object.kind == "Service")
            .map(|object| self.namespace_of(object))
            .collect()
    }

    /// The objects in the order in which they are applied: what others need first, else as they stand in the text, as
    /// `kubectl apply` has it.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Object> {
        let mut all: Vec<&Object> = self.objects.iter().collect();
        all.sort_by_key(|object| order::rank(&object.kind, &object.api_version));
        all
    }

    /// How many objects of each kind it has.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for object in &self.objects {
            *kinds.entry(object.kind.as_str()).or_insert(0) += 1;
        }
        kinds
    }
}

impl Object {
    fn new(value: Value, origin: &str, number: usize, line: usize) -> Result<Self, ManifestError> {
        let text = |value: &Value, field| {
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
                .ok_or(ManifestError::Lacks { number, line, field })
        };
        Ok(Self {
            api_version: text(&value["apiVersion"], "apiVersion")?,
            kind: text(&value["kind"], "kind")?,
            namespace: value["metadata"]["namespace"]
                .as_str()
                .filter(|namespace| !namespace.is_empty())
                .map(str::to_owned),
            name: text(&value["metadata"]["name"], "metadata.name")?,
            place: format!("{origin}, line {line}"),
            value,
        })
    }

    /// API group (empty for the core group) and version.
    #[must_use]
    pub fn group_version(&self) -> (&str, &str) {
        self.api_version.split_once('/').unwrap_or(("", &self.api_version))
    }

    /// Whether Kubernetes no longer serves its kind in this version.
    #[must_use]
    pub fn is_removed_version(&self) -> bool {
        let (group, version) = self.group_version();
        order::is_removed(group, version, &self.kind)
    }

    /// The object that holds the `spec` of its pods: itself for a Pod, its template for a workload.
    #[must_use]
    pub fn pod_template(&self) -> Option<&Value> {
        let pointer = match self.kind.as_str() {
            "Pod" => "",
            "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" | "Job" | "ReplicationController" => {
                "/spec/template"
            }
            "CronJob" => "/spec/jobTemplate/spec/template",
            _ => return None,
        };
        // A custom kind may share a built-in one's name.
        let built_in = matches!(self.group_version().0, "" | "apps" | "batch");
        built_in.then(|| self.value.pointer(pointer)).flatten()
    }
}

#[cfg(test)]
mod tests;
