//! Cases that every interpreter of a model must agree on: tables under `fixtures/`.

use std::time::Duration;

use serde::Deserialize;

use super::units::text;

/// The sock shop and its cases, then a model that has whatever the shop has not.
pub(crate) const TABLES: [(&str, &str); 2] = [
    (
        include_str!("../../fixtures/sockshop/model.yaml"),
        include_str!("../../fixtures/sockshop/cases.yaml"),
    ),
    (
        include_str!("../../fixtures/stand-in/model.yaml"),
        include_str!("../../fixtures/stand-in/cases.yaml"),
    ),
];

/// A table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// By which Service the user enters.
    pub(crate) entry: String,
    /// The user's longest wait for an answer.
    #[serde(with = "super::units::text")]
    pub(crate) patience: Duration,
    pub(crate) cases: Vec<Case>,
}

/// What one user does in a fresh world, and what happens meanwhile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Another one than the table's.
    entry: Option<String>,
    #[serde(default, with = "super::units::text_option")]
    patience: Option<Duration>,
    pub(crate) steps: Vec<String>,
}

/// A line of a case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// `GET /x [with VALUE] -> 200 json products [items 1] [gives VALUE]`; no answer: `none`.
    Ask {
        request: String,
        with: Option<String>,
        answer: String,
        gives: Option<String>,
    },
    /// Nothing listens any more.
    Refuse(String),
    /// Connections are accepted, nothing is answered.
    Silence(String),
    /// It listens again, or answers again.
    Heal(String),
    /// The process is replaced by a new one.
    Restart(String),
    /// Its name does not exist; in the beginning only.
    Forget(String),
    /// The process has crashed since the last act; it was started again.
    Crashed(String),
    /// Nobody does anything.
    Wait(Duration),
}

pub(crate) fn table(yaml: &str) -> Table {
    serde_yaml::from_str(yaml).expect("a table of cases")
}

impl Case {
    pub(crate) fn entry<'a>(&'a self, table: &'a Table) -> &'a str {
        self.entry.as_ref().unwrap_or(&table.entry)
    }

    pub(crate) fn patience(&self, table: &Table) -> Duration {
        self.patience.unwrap_or(table.patience)
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        self.steps.iter().map(|line| act(line)).collect()
    }
}

fn act(line: &str) -> Act {
    if let Some((request, answer)) = line.split_once(" -> ") {
        let pair = |text: &str, by: &str| match text.split_once(by) {
            Some((text, value)) => (text.to_owned(), Some(value.to_owned())),
            None => (text.to_owned(), None),
        };
        let (request, with) = pair(request, " with ");
        let (answer, gives) = pair(answer, " gives ");
        return Act::Ask {
            request,
            with,
            answer,
            gives,
        };
    }
    let (verb, what) = line.split_once(' ').expect("a verb and a service");
    let what = what.to_owned();
    match verb {
        "refuse" => Act::Refuse(what),
        "silence" => Act::Silence(what),
        "heal" => Act::Heal(what),
        "restart" => Act::Restart(what),
        "forget" => Act::Forget(what),
        "crashed" => Act::Crashed(what),
        "wait" => Act::Wait(text::parse(&what).expect("a length of time")),
        _ => panic!("no such act: {line}"),
    }
}

/// An answer as the tables write it.
pub(crate) fn written(answer: Option<(u16, String, Option<u32>)>) -> String {
    match answer {
        None => "none".to_owned(),
        Some((status, content, None)) => format!("{status} {content}"),
        Some((status, content, Some(items))) => format!("{status} {content} items {items}"),
    }
}
