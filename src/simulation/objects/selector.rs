//! Label selectors.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::simulation::api::Labels;

/// A compiled label selector: every requirement must hold. One without requirements matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// What must hold of it.
    pub test: Test,
}

/// What must hold of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Its value is one of these.
    In(Vec<String>),
    /// It is absent, or its value is none of these.
    NotIn(Vec<String>),
    /// It is present.
    Exists,
    /// It is absent.
    Absent,
    /// Its value is an integer above this (node selectors only).
    Above(i64),
    /// Its value is an integer below this (node selectors only).
    Below(i64),
}

impl Requirement {
    /// From the words of an API object.
    ///
    /// # Errors
    /// A fragment that says which operators exist.
    pub fn new(key: &str, operator: &str, values: &[String]) -> Result<Self, String> {
        let number = || {
            values
                .first()
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| format!("operator {operator} of `{key}` needs one integer value"))
        };
        let test = match operator {
            "In" => Test::In(values.to_vec()),
            "NotIn" => Test::NotIn(values.to_vec()),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::Absent,
            "Gt" => Test::Above(number()?),
            "Lt" => Test::Below(number()?),
            _ => {
                return Err(format!(
                    "unknown operator `{operator}` of `{key}`: expected In, NotIn, Exists, DoesNotExist, Gt or Lt"
                ));
            }
        };
        Ok(Self {
            key: key.to_owned(),
            test,
        })
    }

    /// Whether it holds of these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(bound) => value
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value > *bound),
            Test::Below(bound) => value
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value < *bound),
        }
    }
}

impl Selector {
    /// Labels that must be equal.
    #[must_use]
    pub fn labels(labels: &Labels) -> Self {
        Self(
            labels
                .iter()
                .map(|(key, value)| Requirement {
                    key: key.clone(),
                    test: Test::In(vec![value.clone()]),
                })
                .collect(),
        )
    }

    /// From an API object.
    ///
    /// # Errors
    /// A fragment that says what is wrong.
    pub fn new(selector: &LabelSelector) -> Result<Self, String> {
        let mut all = selector.match_labels.as_ref().map(Self::labels).unwrap_or_default();
        for expression in selector.match_expressions.iter().flatten() {
            let values = expression.values.clone().unwrap_or_default();
            all.0
                .push(Requirement::new(&expression.key, &expression.operator, &values)?);
        }
        Ok(all)
    }

    /// Whether every requirement holds of these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether it has no requirement and so matches everything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
