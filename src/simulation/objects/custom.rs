//! Custom resources: the kinds that CustomResourceDefinitions make.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::simulation::api::{Resource, Served};

/// The custom resources of a cluster, by group and plural name.
#[derive(Clone, Debug, Default)]
pub struct Customs(BTreeMap<(String, String), Custom>);

#[derive(Clone, Debug)]
struct Custom {
    /// The index of the table of its objects; kept when the definition goes, since watches read its log.
    table: usize,
    /// One resource per version that is served, in the order of preference; empty once the definition is gone.
    versions: Vec<Arc<Resource>>,
}

impl Customs {
    /// The index of the table of a resource's objects.
    #[must_use]
    pub fn table(&self, resource: &Resource) -> Option<usize> {
        self.named(&resource.group, &resource.plural).map(|custom| custom.table)
    }

    fn named(&self, group: &str, plural: &str) -> Option<&Custom> {
        self.0.get(&(group.to_owned(), plural.to_owned()))
    }

    /// A resource of a table.
    #[must_use]
    pub fn at(&self, table: usize) -> Option<Served> {
        let custom = self.0.values().find(|custom| custom.table == table)?;
        custom.versions.first().cloned().map(Served::Custom)
    }

    /// All that are served.
    pub fn served(&self) -> impl Iterator<Item = Served> {
        self.0
            .values()
            .flat_map(|custom| custom.versions.iter().cloned().map(Served::Custom))
    }

    /// One resource of each kind: their tables are the same for all versions.
    pub fn kinds(&self) -> impl Iterator<Item = Served> {
        self.0
            .values()
            .filter_map(|custom| custom.versions.first().cloned().map(Served::Custom))
    }

    /// Serves what a definition says. `next` is the index of a table that is free; the index of the table is returned.
    pub fn define(&mut self, definition: &Value, next: usize) -> usize {
        let versions = versions(definition);
        let text = |path| text(definition, path);
        let key = (text("/spec/group"), text("/spec/names/plural"));
        let custom = self.0.entry(key).or_insert(Custom {
            table: next,
            versions: Vec::new(),
        });
        custom.versions = versions;
        custom.table
    }

    /// Serves a kind no more; the index of its table.
    pub fn forget(&mut self, group: &str, plural: &str) -> Option<usize> {
        let custom = self.0.get_mut(&(group.to_owned(), plural.to_owned()))?;
        custom.versions.clear();
        Some(custom.table)
    }
}

/// The text at a path; empty where there is none.
fn text(definition: &Value, path: &str) -> String {
    let found = definition.pointer(path).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// The resources of a definition: one per version that is served, stable ones before others and newer before older
/// (k8s.io/apimachinery pkg/version/helpers.go `CompareKubeAwareVersionStrings`).
fn versions(definition: &Value) -> Vec<Arc<Resource>> {
    let text = |path| text(definition, path);
    let mut versions: Vec<&Value> = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(rank(version["name"].as_str().unwrap_or_default())));
    let resource = |version: &Value| Resource {
        group: Cow::Owned(text("/spec/group")),
        version: Cow::Owned(version["name"].as_str().unwrap_or_default().to_owned()),
        plural: Cow::Owned(text("/spec/names/plural")),
        kind: Cow::Owned(text("/spec/names/kind")),
        namespaced: text("/spec/scope") == "Namespaced",
        status: version["subresources"]["status"].is_object(),
        modelled: false,
        custom: true,
    };
    versions
        .into_iter()
        .map(|version| Arc::new(resource(version)))
        .collect()
}

/// How far a version is: stable, beta, alpha, and the numbers of it; what is no such name comes last.
fn rank(name: &str) -> (u8, u64, u64) {
    let parse = || {
        let rest = name.strip_prefix('v')?;
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at(digits);
        let major = major.parse().ok()?;
        if rest.is_empty() {
            return Some((3, major, 0));
        }
        let (stage, minor) = match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor),
            (_, Some(minor)) => (1, minor),
            _ => return None,
        };
        Some((stage, major, minor.parse().ok()?))
    };
    parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_and_newer_versions_are_preferred() {
        let mut names = vec!["foo", "v1alpha1", "v10", "v2", "v1beta2", "v11beta1", "v1beta1"];
        names.sort_by_key(|name| std::cmp::Reverse(rank(name)));
        assert_eq!(
            names,
            ["v10", "v2", "v11beta1", "v1beta2", "v1beta1", "v1alpha1", "foo"]
        );
    }
}
