//! An answer that came, and whether it is what the step expects: pure functions of its status, headers and body.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::cookies::Jar;
use super::trip::{Find, Stop};
use super::{CONTENT_HEADER, ITEMS_HEADER, SERVICE_HEADER};
use crate::model::application::Body;
use crate::model::history::FailureKind;
use crate::model::journey::{Expect, find};

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Why it is not what a step of a journey through `service` expects; `None` when it is. Who answered comes first: another service's
    /// 200 is no answer, and neither is its 404 this service's.
    pub(super) fn differs(&self, service: &str, expect: &Expect) -> Option<FailureKind> {
        if self.header(SERVICE_HEADER).is_some_and(|answered| answered != service) {
            return Some(FailureKind::WrongService);
        }
        if !expect.status.contains(self.status.as_u16()) {
            return Some(FailureKind::Status(self.status.as_u16()));
        }
        let holds = expect.body.as_ref().is_none_or(|body| self.holds(body))
            && (!expect.looks_into_body() || expect.holds_for(&self.text()));
        (!holds).then_some(FailureKind::Content)
    }

    /// Whether the body is what the model's own words say. A server that plays the model says what it is ([`CONTENT_HEADER`]), and what it
    /// calls an error is none of them; of another a page is HTML, and a named content JSON that is no error.
    fn holds(&self, body: &Body) -> bool {
        let said = self.header(CONTENT_HEADER);
        match body {
            Body::Empty => said.is_none_or(|said| said == "empty"),
            Body::Page => said.map_or_else(|| self.is_page(), |said| said == "page"),
            Body::Json(name) => match said {
                Some(said) => said.strip_prefix("json ") == Some(name),
                None => self.json().is_some_and(|json| json.get("error").is_none()),
            },
            Body::Sample(sample) => self.json().as_ref() == Some(sample),
            Body::Text(text) => self.text() == text.as_str(),
        }
    }

    fn is_page(&self) -> bool {
        let html = self
            .header(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.contains("html"));
        !self.body.is_empty() && (html || self.body.trim_ascii_start().starts_with(b"<"))
    }

    /// Takes the values that a step asks for; false when one of them is not there.
    pub(super) fn extract(&self, stop: &Stop, jar: &Jar, values: &mut BTreeMap<String, String>) -> bool {
        for (name, wanted) in &stop.extract {
            let found = match wanted {
                Find::Header(header) => self.header(header.as_str()).map(str::to_owned),
                Find::Cookie(cookie) => jar.get(cookie).map(str::to_owned),
                Find::Json(pointer) => self.json().and_then(|json| find(&json, pointer)),
                Find::Regex(pattern) => pattern.captures(&self.text()).and_then(|found| {
                    let part = found.get(1).or_else(|| found.get(0))?;
                    Some(part.as_str().to_owned())
                }),
            };
            let Some(found) = found else { return false };
            values.insert(name.clone(), found);
        }
        true
    }

    /// How many items it counts: what [`ITEMS_HEADER`] says, or the length of a JSON list, or of the list `items` in a JSON object.
    pub(super) fn items(&self) -> Option<u32> {
        if let Some(count) = self.header(ITEMS_HEADER) {
            return count.parse().ok();
        }
        let json = self.json()?;
        let list = json.as_array().or_else(|| json.get("items")?.as_array())?;
        u32::try_from(list.len()).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::journey::{Journey, Request, Statuses};

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: body.into(),
        }
    }

    fn expecting(body: Body) -> Expect {
        Expect {
            body: Some(body),
            ..Expect::default()
        }
    }

    #[test]
    fn who_answered_counts_before_what_was_answered() {
        let expect = Expect::default();
        let by = |service, status| answer(status, &[(SERVICE_HEADER, service)], "").differs("web", &expect);
        assert_eq!(by("web", 200), None);
        assert_eq!(by("carts", 200), Some(FailureKind::WrongService));
        assert_eq!(by("carts", 404), Some(FailureKind::WrongService));
        assert_eq!(by("web", 404), Some(FailureKind::Status(404)));
        assert_eq!(
            answer(200, &[], "").differs("web", &expect),
            None,
            "nobody has to say who it is"
        );
    }

    #[test]
    fn the_status_counts_before_the_content() {
        let expect = Expect {
            status: Statuses::from(201),
            contains: Some("order".into()),
            ..Expect::default()
        };
        let found = |status, body| answer(status, &[], body).differs("web", &expect);
        assert_eq!(found(201, "an order"), None);
        assert_eq!(found(201, "nothing"), Some(FailureKind::Content));
        assert_eq!(found(200, "nothing"), Some(FailureKind::Status(200)));
    }

    #[test]
    fn contents_in_the_models_own_words() {
        let named = || Body::Json("products".into());
        let html = [("content-type", "text/html; charset=utf-8")];
        for (body, answer, holds) in [
            (Body::Empty, answer(200, &[], ""), true),
            (Body::Page, answer(200, &html, "x"), true),
            (Body::Page, answer(200, &[], " <!doctype html>"), true),
            (Body::Page, answer(200, &html, ""), false),
            (Body::Page, answer(200, &[], "{}"), false),
            (Body::Empty, answer(200, &[(CONTENT_HEADER, "error")], "{}"), false),
            (Body::Page, answer(200, &[(CONTENT_HEADER, "page")], ""), true),
            (Body::Page, answer(200, &[(CONTENT_HEADER, "error")], "<html>"), false),
            (named(), answer(200, &[(CONTENT_HEADER, "json products")], "{}"), true),
            (named(), answer(200, &[(CONTENT_HEADER, "json orders")], "{}"), false),
            (named(), answer(200, &[(CONTENT_HEADER, "error")], "[]"), false),
            (named(), answer(200, &[], "[1]"), true),
            (named(), answer(200, &[], "{\"error\":\"no database\"}"), false),
            (named(), answer(200, &[], "<html>"), false),
            (Body::Sample(json!({"a": 1})), answer(200, &[], "{ \"a\": 1 }"), true),
            (Body::Sample(json!({"a": 1})), answer(200, &[], "{\"a\":2}"), false),
            (Body::Text("ok".into()), answer(200, &[], "ok"), true),
            (Body::Text("ok".into()), answer(200, &[], "ok?"), false),
        ] {
            let found = answer.differs("web", &expecting(body.clone()));
            assert_eq!(
                found,
                (!holds).then_some(FailureKind::Content),
                "{body:?} of {answer:?}"
            );
        }
    }

    #[test]
    fn values_are_taken_from_headers_cookies_json_and_text() {
        use crate::model::journey::Source;
        let step = Request::get("/")
            .extract("place", Source::Header("Location".into()))
            .extract("session", Source::Cookie("sid".into()))
            .extract("token", Source::Json("/token".into()))
            .extract("id", Source::Regex("id=(\\d+)".into()))
            .extract("whole", Source::Regex("id=\\d+".into()));
        let trip = super::super::trip::trip("a", &Journey::through("web").step(step)).unwrap();
        let take = |body: &str| {
            let answer = answer(200, &[("location", "/x"), ("set-cookie", "sid=7")], body);
            let (mut jar, mut values) = (Jar::default(), BTreeMap::new());
            jar.take(&answer.headers, "/");
            answer.extract(&trip.stops[0], &jar, &mut values).then_some(values)
        };
        let values = take("{\"token\": 3, \"x\": \"id=42\"}").unwrap();
        let values: Vec<_> = values.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            values,
            [
                ("id", "42"),
                ("place", "/x"),
                ("session", "7"),
                ("token", "3"),
                ("whole", "id=42")
            ]
        );
        assert_eq!(take("{\"token\": 3}"), None);
    }

    #[test]
    fn items_are_counted_as_the_answer_counts_them() {
        assert_eq!(answer(201, &[(ITEMS_HEADER, "2")], "[1]").items(), Some(2));
        assert_eq!(answer(201, &[], "[1]").items(), Some(1));
        assert_eq!(answer(201, &[], "{\"items\":[1,2,3]}").items(), Some(3));
        assert_eq!(answer(201, &[], "{\"order\":1}").items(), None);
    }
}
