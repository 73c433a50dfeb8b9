//! The name of one run, on everything that it makes.

use serde::{Deserialize, Serialize};

use super::clock;

/// The label that everything made by a run carries; its value is the run's id.
pub const LABEL: &str = "steadfast.dev/run";

/// Crockford's base 32 in lower case: in order of value, without letters that look like digits, fit for names of Kubernetes objects.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The milliseconds since 1970 in base 32: 50 bits, enough for 35,000 years.
const TIME: u32 = 10;
/// Chance in base 32: 50 bits.
const CHANCE: u32 = 10;
const PREFIX: &str = "sf-";

/// The id of one run: `sf-` and twenty digits in base 32, ten of time and ten of chance. Ids sort by the time at which they were made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is no run's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no run's id: expected `sf-` and twenty digits or small letters")]
pub struct NoRunId(String);

impl RunId {
    /// A new id.
    ///
    /// # Errors
    /// When the system has no chance to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let millis = u64::try_from(clock::now().as_millisecond()).unwrap_or(0);
        Ok(Self::of(millis, getrandom::u64()?))
    }

    fn of(millis: u64, chance: u64) -> Self {
        let digits = |value: u64, count: u32| {
            (0..count).rev().map(move |digit| {
                let index = (value >> (5 * digit)) & 31;
                char::from(DIGITS[index as usize])
            })
        };
        Self(
            PREFIX
                .chars()
                .chain(digits(millis, TIME))
                .chain(digits(chance, CHANCE))
                .collect(),
        )
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = NoRunId;

    fn try_from(text: String) -> Result<Self, NoRunId> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(|digits| {
            digits.len() == (TIME + CHANCE) as usize && digits.bytes().all(|digit| DIGITS.contains(&digit))
        });
        if is_one { Ok(Self(text)) } else { Err(NoRunId(text)) }
    }
}

impl std::str::FromStr for RunId {
    type Err = NoRunId;

    fn from_str(text: &str) -> Result<Self, NoRunId> {
        text.to_owned().try_into()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_back() {
        let ids: Vec<RunId> = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001]
            .map(|millis| RunId::of(millis, u64::MAX - millis))
            .into();
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids[1].as_str(), "sf-0000000001zzzzzzzzzy");
        for id in ids {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }

    #[test]
    fn two_ids_of_one_moment_differ() {
        assert_ne!(RunId::new().unwrap(), RunId::new().unwrap());
        assert!(RunId::new().unwrap().as_str() > "sf-01k0000000", "this century");
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "sf-",
            "sf-0000000001zzzzzzzzz",
            "sf-0000000001ZZZZZZZZZY",
            "sf-000000000izzzzzzzzzy",
            "../sf-0000000001zzzzzzzzzy",
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
