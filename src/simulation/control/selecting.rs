//! Which Services select a pod: by label, not by walking all Services.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::api::Labels;
use super::super::objects::service::Service;
use super::super::objects::table::Table;

/// Services by label and value.
type ByLabel = BTreeMap<String, BTreeMap<String, Vec<u32>>>;

/// Services by the first label of their selectors. It is made anew when a Service has changed, which is rare beside pods' changes.
#[derive(Clone, Debug, Default)]
pub struct Selecting {
    /// The version of the table that it was made from.
    version: u64,
    /// By namespace, label and value: the Services' rows, by name.
    services: BTreeMap<Arc<str>, ByLabel>,
}

impl Selecting {
    /// The Services of a namespace that select pods with these labels, by name.
    pub fn services(&mut self, table: &Table<Service>, namespace: &str, labels: &Labels) -> Vec<u32> {
        if self.version != table.version() {
            self.refresh(table);
        }
        let Some(keys) = self.services.get(namespace) else {
            return Vec::new();
        };
        let mut found: Vec<(&str, u32)> = labels
            .iter()
            .filter_map(|(key, value)| keys.get(key)?.get(value))
            .flatten()
            .filter_map(|&row| table.get(row).map(|service| (row, service)))
            .filter(|(_, service)| selects(&service.body.selector, labels))
            .map(|(row, service)| (&*service.meta.name, row))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, row)| row).collect()
    }

    fn refresh(&mut self, table: &Table<Service>) {
        self.services.clear();
        for (row, service) in table.iter() {
            if let Some((key, value)) = service.body.selector.first_key_value() {
                let keys = self.services.entry(service.meta.namespace.clone()).or_default();
                let values = keys.entry(key.clone()).or_default();
                values.entry(value.clone()).or_default().push(row);
            }
        }
        self.version = table.version();
    }
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
