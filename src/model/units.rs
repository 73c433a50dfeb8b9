//! Units on literals (`60.secs()`), and lengths of time as text in data files (`"2.5s"`, `"300ms"`, `"10m"`).

use std::time::Duration;

/// Lengths of time from integer literals: `60.secs()`, `10.mins()`.
pub trait Units {
    /// This many milliseconds.
    fn millis(self) -> Duration;
    /// This many seconds.
    fn secs(self) -> Duration;
    /// This many minutes.
    fn mins(self) -> Duration;
}

impl Units for u64 {
    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }
    fn secs(self) -> Duration {
        Duration::from_secs(self)
    }
    fn mins(self) -> Duration {
        Duration::from_secs(self * 60)
    }
}

/// A length of time as text.
pub mod text {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Reads `12s`, `1.5s`, `300ms`, `20us`, `10m`, `1h`, or `0`.
    ///
    /// # Errors
    /// A fragment that names the text and what was expected.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let wrong = || {
            format!("`{text}` is not a length of time: expected a number and one of us, ms, s, m, h, such as `1.5s`")
        };
        if text == "0" {
            return Ok(Duration::ZERO);
        }
        let digits = text.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let micros_per_unit: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(wrong()),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let mut micros = whole
            .parse::<u64>()
            .map_err(|_| wrong())?
            .checked_mul(micros_per_unit)
            .ok_or_else(wrong)?;
        if number.contains('.') {
            let digits = u32::try_from(part.len())
                .ok()
                .filter(|n| (1..=9).contains(n))
                .ok_or_else(wrong)?;
            let part = part.parse::<u64>().map_err(|_| wrong())? * micros_per_unit / 10_u64.pow(digits);
            micros = micros.checked_add(part).ok_or_else(wrong)?;
        }
        Ok(Duration::from_micros(micros))
    }

    /// Writes a length so that [`parse`] reads it back.
    #[must_use]
    pub fn format(length: Duration) -> String {
        let micros = length.as_micros();
        match micros {
            0 => "0".into(),
            n if n % 1_000_000 == 0 => format!("{}s", n / 1_000_000),
            n if n % 1_000 == 0 => format!("{}ms", n / 1_000),
            n => format!("{n}us"),
        }
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde's `with` pair")]
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(input)?).map_err(D::Error::custom)
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde's `with` pair")]
    pub fn serialize<S: Serializer>(length: &Duration, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&format(*length))
    }
}

/// A length of time as text, in a schema.
#[cfg(feature = "cli")]
pub(crate) struct Length;

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A length of time: a number and one of us, ms, s, m, h.",
            "type": "string",
            "pattern": "^(0|[0-9]+(\\.[0-9]{1,9})?(us|ms|s|m|h))$",
        })
    }
}

/// An optional length of time as text.
pub mod text_option {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde's `with` pair")]
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(input)?
            .map(|text| super::text::parse(&text).map_err(D::Error::custom))
            .transpose()
    }

    #[expect(missing_docs, clippy::missing_errors_doc, reason = "serde's `with` pair")]
    pub fn serialize<S: Serializer>(length: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => output.serialize_str(&super::text::format(*length)),
            None => output.serialize_none(),
        }
    }
}
