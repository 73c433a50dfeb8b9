//! Sets of HTTP statuses: `200`, `2xx`, `[200, 204, 3xx]`.

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Statuses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The least.
    pub from: u16,
    /// The greatest.
    pub to: u16,
}

/// A set of statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub Vec<StatusRange>);

impl Default for Statuses {
    /// 200 to 399: an answer, or the way to one.
    fn default() -> Self {
        Self([200, 300].map(|from| StatusRange { from, to: from + 99 }).to_vec())
    }
}

impl From<u16> for Statuses {
    fn from(status: u16) -> Self {
        Self(vec![StatusRange {
            from: status,
            to: status,
        }])
    }
}

impl<const N: usize> From<[u16; N]> for Statuses {
    fn from(all: [u16; N]) -> Self {
        Self(all.into_iter().flat_map(|status| Self::from(status).0).collect())
    }
}

impl Statuses {
    /// Whether a status is one of them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| (range.from..=range.to).contains(&status))
    }
}

impl StatusRange {
    fn parse(text: &str) -> Option<Self> {
        let digit = text.strip_suffix("xx").and_then(|digit| digit.parse::<u16>().ok());
        match digit {
            Some(digit) => (1..=5).contains(&digit).then(|| Self {
                from: digit * 100,
                to: digit * 100 + 99,
            }),
            None => text.parse().ok().map(|status| Self {
                from: status,
                to: status,
            }),
        }
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            serializer.serialize_u16(self.from)
        } else {
            serializer.collect_str(&format_args!("{}xx", self.from / 100))
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = StatusRange;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an HTTP status such as 200, or a class such as 2xx")
            }
            fn visit_u64<E: serde::de::Error>(self, status: u64) -> Result<StatusRange, E> {
                let status = u16::try_from(status).map_err(|_| E::custom("an HTTP status is 100 to 599"))?;
                Ok(StatusRange {
                    from: status,
                    to: status,
                })
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusRange, E> {
                StatusRange::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(One)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            all => serializer.collect_seq(all),
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Some;
        impl<'de> Visitor<'de> for Some {
            type Value = Statuses;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an HTTP status such as 200, a class such as 2xx, or a list of them")
            }
            fn visit_u64<E: serde::de::Error>(self, status: u64) -> Result<Statuses, E> {
                let status = u16::try_from(status).map_err(|_| E::custom("an HTTP status is 100 to 599"))?;
                Ok(status.into())
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Statuses, E> {
                let range = StatusRange::parse(text);
                let range = range.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
                Ok(Statuses(vec![range]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Statuses, A::Error> {
                let mut ranges = Vec::new();
                while let Option::Some(range) = all.next_element()? {
                    ranges.push(range);
                }
                if ranges.is_empty() {
                    return Err(A::Error::invalid_length(0, &"at least one status"));
                }
                Ok(Statuses(ranges))
            }
        }
        deserializer.deserialize_any(Some)
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Statuses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = serde_json::json!([
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^([1-5]xx|[1-5][0-9][0-9])$"},
        ]);
        let mut all = one.as_array().cloned().unwrap_or_default();
        all.push(serde_json::json!({"type": "array", "minItems": 1, "items": {"anyOf": one}}));
        schemars::json_schema!({
            "description": "An HTTP status such as 200, a class such as 2xx, or a list of them.",
            "anyOf": all,
        })
    }
}
