//! Who manages which fields: `metadata.managedFields`
//! (k8s.io/apimachinery `pkg/util/managedfields/internal/managedfields.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::set::Fields;

/// Update managers are capped; the oldest ones become one
/// (`pkg/util/managedfields/internal/fieldmanager.go`: `DefaultMaxUpdateManagers`).
const MOST_UPDATERS: usize = 10;

/// The manager that the oldest ones become (`capmanagers.go`).
const ANCIENT: &str = "ancient-changes";

/// Who manages fields, and how. An applier is the same whatever version it applies; an updater is one per version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    /// Whether it applies, rather than updates.
    pub applies: bool,
    /// Its name.
    pub name: String,
    /// The API version that it writes; empty for appliers.
    pub version: String,
    /// The subresource that it writes through.
    pub subresource: String,
}

/// What a manager manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Managed {
    /// The API version of the fields.
    pub version: String,
    /// Since when, as it is written.
    pub time: Option<String>,
    /// The fields.
    pub fields: Fields,
}

/// All managers of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Managers(pub BTreeMap<Manager, Managed>);

impl Manager {
    /// In the words of messages (`pkg/util/managedfields/internal/conflict.go`: `printManager`).
    pub(crate) fn words(&self) -> String {
        let mut words = format!("\"{}\"", self.name);
        if !self.subresource.is_empty() {
            words = format!("{words} with subresource \"{}\"", self.subresource);
        }
        if !self.applies {
            // The identifier of a manager has no time, so that none is printed.
            words = format!("{words} using {}", self.version);
        }
        words
    }
}

impl Managers {
    /// From `metadata.managedFields`; `None` when an entry makes no sense.
    pub(crate) fn from_json(entries: &Value) -> Option<Self> {
        let mut all = Self::default();
        for entry in entries.as_array().into_iter().flatten() {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let applies = match entry["operation"].as_str()? {
                "Apply" => true,
                "Update" => false,
                _ => return None,
            };
            let version = text("apiVersion");
            let manager = Manager {
                applies,
                name: text("manager"),
                version: if applies { String::new() } else { version.clone() },
                subresource: text("subresource"),
            };
            let fields = match &entry["fieldsV1"] {
                Value::Null => Fields::default(),
                fields => Fields::from_json(fields)?,
            };
            let owned = Managed {
                version,
                time: entry["time"].as_str().map(str::to_owned),
                fields,
            };
            all.0.insert(manager, owned);
        }
        Some(all)
    }

    /// As `metadata.managedFields`: by operation, time, and name.
    pub(crate) fn to_json(&self) -> Value {
        let mut all: Vec<(&Manager, &Managed)> = self.0.iter().collect();
        all.sort_by_key(|(manager, managed)| {
            let operation = if manager.applies { "Apply" } else { "Update" };
            (
                operation,
                managed.time.clone(),
                &manager.name,
                &managed.version,
                &manager.subresource,
            )
        });
        let entries = all.into_iter().map(|(manager, managed)| {
            let mut entry = Map::new();
            entry.insert("manager".to_owned(), json!(manager.name));
            entry.insert(
                "operation".to_owned(),
                json!(if manager.applies { "Apply" } else { "Update" }),
            );
            entry.insert("apiVersion".to_owned(), json!(managed.version));
            if let Some(time) = &managed.time {
                entry.insert("time".to_owned(), json!(time));
            }
            entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
            entry.insert("fieldsV1".to_owned(), managed.fields.to_json());
            if !manager.subresource.is_empty() {
                entry.insert("subresource".to_owned(), json!(manager.subresource));
            }
            Value::Object(entry)
        });
        Value::Array(entries.collect())
    }

    /// Makes the oldest updaters one when there are too many (`capmanagers.go`: `capUpdateManagers`).
    pub(crate) fn cap(&mut self) {
        let mut updaters: Vec<(Option<String>, Manager)> = self
            .0
            .iter()
            .filter(|(manager, _)| !manager.applies)
            .map(|(manager, managed)| (managed.time.clone(), manager.clone()))
            .collect();
        updaters.sort();
        let mut count = updaters.len();
        let mut first: BTreeMap<String, Manager> = BTreeMap::new();
        for (_, manager) in updaters {
            if count <= MOST_UPDATERS {
                return;
            }
            let Some(managed) = self.0.get(&manager).cloned() else {
                continue;
            };
            let Some(known) = first.get(&managed.version) else {
                first.insert(managed.version.clone(), manager);
                continue;
            };
            let bucket = Manager {
                applies: false,
                name: ANCIENT.to_owned(),
                version: managed.version.clone(),
                subresource: String::new(),
            };
            let before = self.0.remove(&bucket).or_else(|| self.0.remove(known));
            let fields = before.map_or_else(|| managed.fields.clone(), |before| before.fields.union(&managed.fields));
            self.0.remove(&manager);
            self.0.insert(bucket, Managed { fields, ..managed });
            count -= 1;
        }
    }
}
