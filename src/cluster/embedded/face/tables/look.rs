//! Looking at an object as JSON: what is absent is empty.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::simulation::objects::project::date::EPOCH;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// An object, or a part of one, at a moment.
#[derive(Clone, Copy)]
pub(super) struct Look<'o> {
    object: &'o Value,
    /// Microseconds since 1970.
    now: i64,
}

impl<'o> Look<'o> {
    /// `now` is in microseconds of cluster time.
    pub(super) fn new(object: &'o Value, now: u64) -> Self {
        Self {
            object,
            now: (EPOCH * 1_000_000 + now) as i64,
        }
    }

    /// A part; absent ones are null.
    pub(super) fn at(self, path: &str) -> Self {
        Self {
            object: self.object.pointer(path).unwrap_or(&Value::Null),
            ..self
        }
    }

    pub(super) const fn value(self) -> &'o Value {
        self.object
    }

    pub(super) fn is_absent(self) -> bool {
        self.object.is_null()
    }

    pub(super) fn text(self, path: &str) -> &'o str {
        self.at(path).object.as_str().unwrap_or_default()
    }

    /// A text, or what stands for an absent or empty one.
    pub(super) fn text_or(self, path: &str, absent: &'o str) -> &'o str {
        Some(self.text(path)).filter(|text| !text.is_empty()).unwrap_or(absent)
    }

    pub(super) fn number(self, path: &str) -> i64 {
        self.at(path).object.as_i64().unwrap_or(0)
    }

    pub(super) fn is_true(self, path: &str) -> bool {
        self.at(path).object.as_bool().unwrap_or(false)
    }

    /// A number, or a text such as a percentage or a quantity, as it is written; empty when absent.
    pub(super) fn either(self, path: &str) -> String {
        match self.at(path).object {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    pub(super) fn items(self, path: &str) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        let items = self.at(path).object.as_array().map_or(&[][..], Vec::as_slice);
        items.iter().map(move |object| Self { object, ..self })
    }

    pub(super) fn map(self, path: &str) -> Option<&'o Map<String, Value>> {
        self.at(path).object.as_object()
    }

    /// An entry of the object's annotations.
    pub(super) fn annotation(self, key: &str) -> Option<&'o str> {
        self.map("/metadata/annotations")?.get(key)?.as_str()
    }

    pub(super) fn name(self) -> Value {
        self.text("/metadata/name").into()
    }

    /// Its age.
    pub(super) fn age(self) -> Value {
        self.since("/metadata/creationTimestamp").into()
    }

    /// Microseconds since 1970 of a date.
    pub(super) fn date(self, path: &str) -> Option<i64> {
        let date: Timestamp = self.text(path).parse().ok()?;
        Some(date.as_microsecond())
    }

    /// The time since a date (`translateTimestampSince`).
    pub(super) fn since(self, path: &str) -> String {
        self.date(path)
            .map_or_else(|| "<unknown>".to_owned(), |date| self.since_date(date))
    }

    pub(super) fn since_date(self, date: i64) -> String {
        duration(self.now - date)
    }

    /// Whether a condition of the status has this state.
    pub(super) fn condition(self, kind: &str, status: &str) -> bool {
        self.items("/status/conditions")
            .find(|condition| condition.text("/type") == kind)
            .is_some_and(|condition| condition.text("/status") == status)
    }

    /// Names and images of a pod template's containers (`layoutContainerCells`).
    pub(super) fn containers(self, path: &str) -> [Value; 2] {
        let all = |field: &str| -> Value {
            let texts: Vec<&str> = self.items(path).map(|container| container.text(field)).collect();
            texts.join(",").into()
        };
        [all("/name"), all("/image")]
    }

    /// Labels as text (`labels.FormatLabels`).
    pub(super) fn labels(self, path: &str) -> String {
        let pairs: Vec<String> = self
            .map(path)
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        none_if_empty(pairs.join(","))
    }
}

/// `<none>` for nothing.
pub(super) fn none_if_empty(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// The first three of a list, and how many more there are (`listWithMoreString`).
pub(super) fn some_of(list: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    match list.len() {
        0 => None,
        all if all > SHOWN => Some(format!("{} + {} more...", list[..SHOWN].join(","), all - SHOWN)),
        _ => Some(list.join(",")),
    }
}

/// A length of time in two or three figures (`k8s.io/apimachinery/pkg/util/duration/duration.go`: `HumanDuration`).
pub(super) fn duration(micros: i64) -> String {
    let seconds = micros / SECOND;
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let two = |large: i64, of: &str, small: i64, rest: &str| {
        if small == 0 {
            format!("{large}{of}")
        } else {
            format!("{large}{of}{small}{rest}")
        }
    };
    let (minutes, hours) = (micros / MINUTE, micros / HOUR);
    if seconds < 0 {
        return "0s".to_owned();
    }
    match hours {
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        0..8 => two(hours, "h", minutes % 60, "m"),
        8..48 => format!("{hours}h"),
        48..192 => two(hours / 24, "d", hours % 24, "h"),
        192..17_520 => format!("{}d", hours / 24),
        17_520..70_080 => two(hours / 24 / 365, "y", hours / 24 % 365, "d"),
        _ => format!("{}y", hours / 24 / 365),
    }
}
