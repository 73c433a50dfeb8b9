//! Values that answers give and requests need: how they look on the wire, and how they are found again.
//!
//! A value given by a stand-in is a text of its own, `sf-NAME-HOME-NUMBER`; HOME is `any`, or the process in which alone it is good.
//! A journey may carry it anywhere: in the path, a header, a cookie, credentials, the body. Values that a journey knows from the
//! start, or reads in a body that the model spells out, are found by their text.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Values;
use crate::model::application::{Application, Body, Good};
use crate::model::journey::{Source, find};

/// The home of a value that is good everywhere.
const ANYWHERE: &str = "any";

/// What a model says of its values.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By name.
    values: BTreeMap<String, Known>,
    /// Where journeys count items in bodies: JSON pointers.
    pub(super) counted: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Known {
    /// Texts that a journey may carry for it.
    texts: BTreeSet<String>,
    /// Where journeys look for it.
    sources: Vec<Source>,
}

impl Book {
    pub(super) fn of(app: &Application) -> Self {
        let mut book = Self::default();
        let routes = || app.services.values().flat_map(|service| &service.routes);
        for name in routes().flat_map(|route| route.needs.iter().chain(route.gives.keys())) {
            book.values.entry(name.clone()).or_default();
        }
        let samples: Vec<_> = routes()
            .filter_map(|route| match &route.body {
                Body::Sample(sample) => Some(sample),
                _ => None,
            })
            .collect();
        for journey in app.journeys.values() {
            for (name, text) in &journey.values {
                book.values.entry(name.clone()).or_default().texts.insert(text.clone());
            }
            for step in &journey.steps {
                for (name, source) in &step.extract {
                    let known = book.values.entry(name.clone()).or_default();
                    if let Source::Json(pointer) = source {
                        known
                            .texts
                            .extend(samples.iter().filter_map(|sample| find(sample, pointer)));
                    }
                    if !known.sources.contains(source) {
                        known.sources.push(source.clone());
                    }
                }
                if let Some(expect) = &step.expect
                    && expect.only_count().is_some()
                {
                    book.counted.extend(expect.json.iter().map(|check| check.at.clone()));
                }
            }
        }
        book
    }

    /// The values that the text of a request carries.
    pub(super) fn carried(&self, text: &str) -> Values {
        let mut carried = Values::new();
        for (name, known) in &self.values {
            let ours = given(text, name).map(str::to_owned);
            let found = ours.or_else(|| known.texts.iter().find(|value| word(text, value)).cloned());
            if let Some(found) = found {
                carried.insert(name.clone(), found);
            }
        }
        carried
    }

    /// Whether a carried value is good in this process.
    pub(super) fn is_good(&self, name: &str, text: &str, process: &str) -> bool {
        match given(text, name) {
            Some(ours) => {
                let home = ours[prefix(name).len()..].split('-').next().unwrap_or_default();
                home == ANYWHERE || home == process
            }
            None => self.values.get(name).is_some_and(|known| known.texts.contains(text)),
        }
    }

    /// Where journeys look for a value.
    pub(super) fn sources(&self, name: &str) -> &[Source] {
        self.values.get(name).map_or(&[], |known| &known.sources)
    }
}

/// The text of a value.
pub(super) fn give(name: &str, good: Good, process: &str, number: u64) -> String {
    let home = match good {
        Good::Anywhere => ANYWHERE,
        Good::ThisProcess => process,
    };
    format!("{}{home}-{number:x}", prefix(name))
}

fn prefix(name: &str) -> String {
    format!("sf-{name}-")
}

/// The value of this name that a stand-in gave, when it stands in the text.
fn given<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let prefix = prefix(name);
    let at = text.find(&prefix)?;
    let rest = &text[at + prefix.len()..];
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap_or(rest.len());
    Some(&text[at..at + prefix.len() + end])
}

/// Whether `value` stands in the text, not as a part of a longer word.
fn word(text: &str, value: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !value.is_empty()
        && text
            .match_indices(value)
            .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + value.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let mut book = Book::default();
        let known = book.values.entry("token".into()).or_default();
        known.texts.insert("abc".into());
        book
    }

    #[test]
    fn a_value_is_found_wherever_it_stands_and_is_good_at_home_alone() {
        let book = book();
        let own = give("token", Good::ThisProcess, "p1", 7);
        for text in [
            format!("GET /x?t={own}"),
            format!("cookie: a=b; t={own}"),
            format!("{{\"t\":\"{own}\"}}"),
        ] {
            assert_eq!(book.carried(&text)["token"], own, "{text}");
        }
        assert!(book.is_good("token", &own, "p1"));
        assert!(!book.is_good("token", &own, "p2"));
        assert!(book.is_good("token", &give("token", Good::Anywhere, "p1", 7), "p2"));
    }

    #[test]
    fn a_known_text_counts_as_a_whole_word() {
        let book = book();
        assert_eq!(book.carried("authorization: Bearer abc")["token"], "abc");
        assert!(book.carried("authorization: Bearer abcd").is_empty());
        assert!(book.is_good("token", "abc", "p"));
        assert!(!book.is_good("token", "abd", "p"));
        assert!(!book.is_good("token", "sf-token-p2-1", "p"));
    }
}
