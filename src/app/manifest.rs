//! Manifests: YAML documents of Kubernetes objects.

use serde::Deserialize as _;
use serde_json::Value;

/// The objects of a manifest, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the text is called in errors.
    pub origin: String,
    /// The objects.
    pub objects: Vec<Object>,
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
    /// The whole object.
    pub value: Value,
}

/// Why a text is not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A document is not YAML.
    #[error("document {number} is not YAML")]
    Yaml {
        /// Which document, from 1.
        number: usize,
        /// Where and why.
        #[source]
        source: serde_yaml::Error,
    },
    /// A document is not a Kubernetes object.
    #[error("document {number} lacks `{field}`: expected a Kubernetes object with apiVersion, kind and metadata.name")]
    Lacks {
        /// Which document, from 1.
        number: usize,
        /// Which field.
        field: &'static str,
    },
    /// There is nothing in it.
    #[error("it has no objects: expected at least one YAML document with apiVersion, kind and metadata.name")]
    Empty,
}

impl Manifest {
    /// Reads a text of one or more YAML documents; empty ones are passed over, `List` objects are opened.
    ///
    /// # Errors
    /// The first document that is no Kubernetes object.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let mut objects = Vec::new();
        for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
            let number = index + 1;
            let value = Value::deserialize(document).map_err(|source| ManifestError::Yaml { number, source })?;
            if value.is_null() {
                continue;
            }
            match (value["kind"].as_str(), value["items"].as_array()) {
                (Some(kind), Some(items)) if kind.ends_with("List") => {
                    for item in items {
                        objects.push(Object::new(item.clone(), number)?);
                    }
                }
                _ => objects.push(Object::new(value, number)?),
            }
        }
        if objects.is_empty() {
            return Err(ManifestError::Empty);
        }
        Ok(Self {
            origin: origin.to_owned(),
            objects,
        })
    }

    /// The namespace that most of its objects live in: the first one named, else the one it creates, else `default`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let named = self.objects.iter().find_map(|object| object.namespace.as_deref());
        let created = || {
            self.objects
                .iter()
                .find(|object| object.kind == "Namespace")
                .map(|object| object.name.as_str())
        };
        named.or_else(created).unwrap_or("default")
    }
}

impl Object {
    fn new(value: Value, number: usize) -> Result<Self, ManifestError> {
        let text = |value: &Value, field| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or(ManifestError::Lacks { number, field })
        };
        Ok(Self {
            api_version: text(&value["apiVersion"], "apiVersion")?,
            kind: text(&value["kind"], "kind")?,
            namespace: value["metadata"]["namespace"].as_str().map(str::to_owned),
            name: text(&value["metadata"]["name"], "metadata.name")?,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lists_and_comments_are_read_in_order() {
        let text = "# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
                    apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}}\n---\n";
        let manifest = Manifest::parse(text, "test").expect("it is a manifest");
        let names: Vec<_> = manifest.objects.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(names, ["shop", "a"]);
        assert_eq!(manifest.namespace(), "shop");
    }

    #[test]
    fn an_error_names_the_document() {
        let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\nkind: Service\n";
        let error = Manifest::parse(text, "test").expect_err("the second document is no object");
        assert!(error.to_string().contains("document 2 lacks `apiVersion`"), "{error}");
        let error = Manifest::parse("a: [", "test").expect_err("this is not YAML");
        assert!(matches!(error, ManifestError::Yaml { number: 1, .. }), "{error}");
        assert!(matches!(
            Manifest::parse("# nothing\n", "test"),
            Err(ManifestError::Empty)
        ));
    }
}
