//! An answer as users see it: its body, and where in it the values are.

use serde_json::{Map, Value, json};

use super::message::Answer;
use super::values::Book;
use crate::model::application::Body;
use crate::model::journey::Source;

/// An answer, written out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Besides those that every answer has.
    pub(super) headers: Vec<(String, String)>,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: String,
}

const JSON: &str = "application/json";

/// Where the items of an answer are listed when no journey says where it looks for them.
const ITEMS: &str = "/items";

/// Writes an answer out.
pub(super) fn write(answer: &Answer, book: &Book) -> Written {
    let mut written = Written {
        headers: Vec::new(),
        cookies: Vec::new(),
        content_type: None,
        body: String::new(),
    };
    let mut json = match &answer.body {
        None => Some(json!({"error": answer.status})),
        Some(Body::Json(name)) => Some(json!({"content": name})),
        Some(Body::Sample(sample)) => Some(sample.clone()),
        Some(Body::Page) => {
            written.content_type = Some("text/html; charset=utf-8");
            "<!DOCTYPE html>\n<html><head><title>steadfast</title></head><body></body></html>\n"
                .clone_into(&mut written.body);
            None
        }
        Some(Body::Text(text)) => {
            written.content_type = Some("text/plain; charset=utf-8");
            written.body.clone_from(text);
            None
        }
        Some(Body::Empty) => None,
    };
    let may_hold = json.is_some() || answer.body == Some(Body::Empty);
    if let Some(items) = answer.items.filter(|_| may_hold) {
        let json = json.get_or_insert_with(|| json!({}));
        let at: Vec<&str> = book.counted.iter().map(String::as_str).collect();
        for at in if at.is_empty() { vec![ITEMS] } else { at } {
            list(json, at, items);
        }
    }
    for (name, text) in &answer.given {
        let usual = [
            // No cookie: it would go with every later request, asked or not.
            Source::Header(name.clone()),
            Source::Json(format!("/{name}")),
        ];
        let sources = match book.sources(name) {
            [] => &usual,
            known => known,
        };
        for source in sources {
            match source {
                Source::Header(header) => written.headers.push((header.clone(), text.clone())),
                Source::Cookie(cookie) => written.cookies.push((cookie.clone(), text.clone())),
                Source::Json(pointer) if may_hold => {
                    put(json.get_or_insert_with(|| json!({})), pointer, text.clone().into());
                }
                // Nothing can be said to match any expression.
                Source::Json(_) | Source::Regex(_) => {}
            }
        }
    }
    if let Some(json) = json {
        written.content_type = Some(JSON);
        written.body = json.to_string();
    }
    written
}

/// Makes a list of so many items at a JSON pointer, of those that are there where there are any.
fn list(json: &mut Value, pointer: &str, items: u32) {
    let one = json
        .pointer(pointer)
        .and_then(|list| list.get(0))
        .cloned()
        .unwrap_or_else(|| json!({}));
    put(json, pointer, vec![one; items as usize].into());
}

/// Puts a value at a JSON pointer, through objects that are made where they are missing.
fn put(json: &mut Value, pointer: &str, value: Value) {
    let mut place = json;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(fields) = place else { return };
        place = fields.entry(step).or_insert(Value::Null);
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: Option<Body>, items: Option<u32>) -> Answer {
        Answer {
            status: 200,
            body,
            items,
            given: [("token".to_owned(), "t1".to_owned())].into(),
        }
    }

    #[test]
    fn items_are_listed_where_a_journey_counts_them() {
        let mut book = Book::default();
        let sample = Body::Sample(json!({"order": {"lines": [{"item": "sock"}]}}));
        let body = |book: &Book, body: Body| write(&answer(Some(body), Some(2)), book).body;
        assert!(body(&book, Body::Json("order".into())).contains(r#""items":[{},{}]"#));
        book.counted.insert("/order/lines".into());
        assert!(body(&book, sample).contains(r#""lines":[{"item":"sock"},{"item":"sock"}]"#));
    }

    #[test]
    fn values_are_where_any_journey_may_look() {
        let written = write(&answer(Some(Body::Empty), None), &Book::default());
        assert_eq!(written.headers, [("token".to_owned(), "t1".to_owned())]);
        assert_eq!(
            written.cookies,
            [],
            "a cookie would be carried by requests that do not ask for it"
        );
        assert_eq!(written.body, r#"{"token":"t1"}"#);
    }

    #[test]
    fn a_text_stays_as_it_is() {
        let written = write(
            &answer(Some(Body::Text("all is well".into())), Some(3)),
            &Book::default(),
        );
        assert_eq!(written.body, "all is well");
    }
}
