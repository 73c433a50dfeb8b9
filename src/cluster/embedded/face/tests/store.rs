//! A small store with a log of changes, and a plan of things that happen by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::embedded::driver::Live;
use crate::simulation::api::{
    ApiChange, ApiError, ApiObject, ApiStore, DeleteOptions, Expired, Labels, Part, Project, Served,
};
use crate::simulation::objects::resources::RESOURCES;

/// What it serves.
const PLURALS: [&str; 6] = ["namespaces", "nodes", "pods", "events", "configmaps", "deployments"];

#[derive(Debug)]
struct Body(Value);

impl Project for Body {
    fn project(&self) -> Value {
        self.0.clone()
    }
}

type Key = (String, Option<Arc<str>>, Arc<str>);

/// Something that happens at a time.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// An object comes to be.
    Creation(&'static str, Value),
    /// The simulation breaks.
    Panic,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    version: u64,
    objects: BTreeMap<Key, ApiObject>,
    log: Vec<ApiChange>,
    forgotten: u64,
    pub planned: BTreeMap<u64, Happening>,
    /// Every time it was advanced to.
    pub advanced: Vec<u64>,
    pub loaded: bool,
}

impl Store {
    pub fn resource(plural: &str) -> &'static Served {
        RESOURCES.iter().find(|resource| resource.plural == plural).unwrap()
    }

    /// Forgets all changes up to now.
    pub fn compact(&mut self) {
        self.forgotten = self.version();
        self.log.clear();
    }

    fn record(&mut self, resource: &Served, mut whole: Value, before: Option<ApiObject>, deleted: bool) -> ApiObject {
        self.version = self.version() + 1;
        let metadata = &mut whole["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        let labels: Labels = serde_json::from_value(metadata["labels"].clone()).unwrap_or_default();
        let object = ApiObject {
            resource: resource.clone(),
            version: self.version,
            namespace: metadata["namespace"].as_str().map(Arc::from),
            name: Arc::from(metadata["name"].as_str().unwrap()),
            labels: Arc::new(labels),
            body: Arc::new(Body(whole)),
        };
        let key = (
            resource.plural.to_string(),
            object.namespace.clone(),
            Arc::clone(&object.name),
        );
        if deleted {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, object.clone());
        }
        self.log.push(ApiChange {
            version: self.version,
            object: object.clone(),
            before,
            deleted,
        });
        object
    }

    fn stored(&self, resource: &Served, namespace: Option<&str>, name: &str) -> Result<ApiObject, ApiError> {
        let missing = || ApiError::NotFound {
            plural: resource.qualified(),
            name: name.to_owned(),
        };
        self.get(resource, namespace, name).ok_or_else(missing)
    }
}

impl ApiStore for Store {
    fn resources(&self) -> Vec<Served> {
        PLURALS.map(Self::resource).map(Served::clone).to_vec()
    }

    fn version(&self) -> u64 {
        self.version.max(1)
    }

    fn get(&self, resource: &Served, namespace: Option<&str>, name: &str) -> Option<ApiObject> {
        self.objects
            .get(&(resource.plural.to_string(), namespace.map(Arc::from), Arc::from(name)))
            .cloned()
    }

    fn list(&self, resource: &Served, namespace: Option<&str>) -> Vec<ApiObject> {
        let mut objects: Vec<_> = self
            .objects
            .values()
            .filter(|object| object.resource == *resource)
            .cloned()
            .collect();
        objects.retain(|object| namespace.is_none() || object.namespace.as_deref() == namespace);
        objects
    }

    fn changes(&self, resource: &Served, after: u64) -> Result<Vec<ApiChange>, Expired> {
        if after < self.forgotten {
            return Err(Expired { oldest: self.forgotten });
        }
        let is_after = |change: &&ApiChange| change.object.resource == *resource && change.version > after;
        Ok(self.log.iter().filter(is_after).cloned().collect())
    }

    fn create(&mut self, resource: &Served, mut object: Value, dry_run: bool) -> Result<ApiObject, ApiError> {
        if let Some(base) = object["metadata"]["generateName"].as_str() {
            object["metadata"]["name"] = json!(format!("{base}{}", self.version()));
        }
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        let plural = resource.qualified();
        if self.get(resource, namespace.as_deref(), &name).is_some() {
            return Err(ApiError::AlreadyExists { plural, name });
        }
        if name.contains('_') {
            let causes = vec![("metadata.name".to_owned(), "Invalid value: no underscores".to_owned())];
            return Err(ApiError::Invalid {
                kind: resource.kind.to_string(),
                name,
                causes,
            });
        }
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version() + 1));
        let created = self.record(resource, object, None, false);
        if dry_run {
            self.objects.retain(|_, object| object.version != created.version);
            self.log.pop();
            self.version -= 1;
        }
        Ok(created)
    }

    fn replace(
        &mut self,
        resource: &Served,
        mut object: Value,
        part: Part,
        dry_run: bool,
    ) -> Result<ApiObject, ApiError> {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let before = self.stored(resource, object["metadata"]["namespace"].as_str(), &name)?;
        if object["metadata"]["resourceVersion"]
            .as_str()
            .is_some_and(|version| version != before.version.to_string())
        {
            let plural = resource.qualified();
            let why = "the object has been modified; please apply your changes to the latest version and try again";
            return Err(ApiError::Conflict {
                plural,
                name,
                why: why.to_owned(),
            });
        }
        let mut whole = before.body.project();
        match part {
            Part::Main => {
                object["metadata"]["uid"] = whole["metadata"]["uid"].take();
                object["status"] = whole["status"].take();
                whole = object;
            }
            Part::Status => whole["status"] = object["status"].take(),
        }
        if dry_run {
            Ok(before)
        } else {
            Ok(self.record(resource, whole, Some(before), false))
        }
    }

    fn delete(
        &mut self,
        resource: &Served,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(ApiObject, bool), ApiError> {
        let before = self.stored(resource, namespace, name)?;
        let mut whole = before.body.project();
        if options
            .uid
            .as_deref()
            .is_some_and(|uid| whole["metadata"]["uid"] != uid)
        {
            let plural = resource.qualified();
            return Err(ApiError::Conflict {
                plural,
                name: name.to_owned(),
                why: "Precondition failed".to_owned(),
            });
        }
        let gone = resource.plural != "pods" || options.grace == Some(0);
        if !gone {
            whole["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        Ok((self.record(resource, whole, Some(before), gone), gone))
    }

    fn evict(&mut self, namespace: &str, pod: &str, options: &DeleteOptions, dry_run: bool) -> Result<(), ApiError> {
        if !dry_run {
            self.delete(Self::resource("pods"), Some(namespace), pod, options)?;
        }
        Ok(())
    }

    fn bind(&mut self, _namespace: &str, pod: &str, _node: &str, _dry_run: bool) -> Result<(), ApiError> {
        Err(ApiError::Forbidden(format!("{pod} is not to be bound")))
    }

    fn set_managers(&mut self, resource: &Served, namespace: Option<&str>, name: &str, managers: Option<Arc<Value>>) {
        let key = (resource.plural.to_string(), namespace.map(Arc::from), Arc::from(name));
        let Some(object) = self.objects.get_mut(&key) else {
            return;
        };
        let mut whole = object.body.project();
        whole["metadata"]["managedFields"] = managers.map(|all| Value::clone(&all)).unwrap_or_default();
        object.body = Arc::new(Body(whole));
        if let Some(last) = self.log.last_mut().filter(|last| last.version == object.version) {
            last.object = object.clone();
        }
    }

    fn pod_log(&self, _namespace: &str, pod: &str) -> Option<Vec<String>> {
        (pod != "silent").then(|| (1..=3).map(|line| format!("{pod} line {line}")).collect())
    }
}

impl Live for Store {
    fn advance(&mut self, now: u64) {
        assert!(self.advanced.last().is_none_or(|last| *last <= now), "time went back");
        self.advanced.push(now);
        while let Some(due) = self.planned.first_entry().filter(|entry| *entry.key() <= now) {
            match due.remove() {
                Happening::Creation(plural, object) => _ = self.create(Self::resource(plural), object, false).unwrap(),
                Happening::Panic => panic!("the simulation breaks"),
            }
        }
    }

    fn next_event(&self) -> Option<u64> {
        self.planned.keys().next().copied()
    }

    fn loaded(&self) -> bool {
        self.loaded
    }
}
