//! A length of time between two bounds.

use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::units::text;

/// A length of time between two bounds, both included. Written as `{ from: 1s, to: 2s }`, or as `2s` where both are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Between {
    /// Least.
    #[serde(with = "super::units::text")]
    pub from: Duration,
    /// Most.
    #[serde(with = "super::units::text")]
    pub to: Duration,
}

/// Both bounds.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Bounds {
    /// Least.
    #[serde(with = "super::units::text")]
    #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
    from: Duration,
    /// Most.
    #[serde(with = "super::units::text")]
    #[cfg_attr(feature = "cli", schemars(with = "super::units::Length"))]
    to: Duration,
}

impl<'de> Deserialize<'de> for Between {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Between;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a length of time such as `2s`, or `{ from: 1s, to: 2s }`")
            }
            fn visit_str<E: serde::de::Error>(self, length: &str) -> Result<Between, E> {
                let length = text::parse(length).map_err(E::custom)?;
                Ok(Between {
                    from: length,
                    to: length,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Between, A::Error> {
                let Bounds { from, to } = Bounds::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Between { from, to })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Between {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Between".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (one, both) = (
            generator.subschema_for::<super::units::Length>(),
            generator.subschema_for::<Bounds>(),
        );
        schemars::json_schema!({
            "description": "A length of time, or two bounds, both included, with everything in between equally likely.",
            "anyOf": [one, both],
        })
    }
}
