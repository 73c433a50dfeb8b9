//! The few bodies that `kubectl` sends as protocol buffers, read as JSON.
//!
//! Its typed clients prefer protobuf for what they write, and `drain` and `auth can-i` write by them: evictions, the options of deletions, and
//! reviews. Only these messages are known; anything else in protobuf stays what it is, and is refused as an unknown format.

use serde_json::{Map, Value, json};

/// The media type of protobuf bodies.
pub(super) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// What such a body begins with (`k8s.io/apimachinery/pkg/runtime/serializer/protobuf/protobuf.go`).
const MAGIC: &[u8] = b"k8s\0";

/// The type of a field.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    Number,
    Switch,
    Message(&'static [Field]),
}

/// Number, name and type.
type Field = (u64, &'static str, Kind);

// generated.proto in k8s.io/apimachinery/pkg/apis/meta/v1, k8s.io/api/policy/v1 and k8s.io/api/authorization/v1.
const PRECONDITIONS: &[Field] = &[(1, "uid", Kind::Text), (2, "resourceVersion", Kind::Text)];
const DELETE_OPTIONS: &[Field] = &[
    (1, "gracePeriodSeconds", Kind::Number),
    (2, "preconditions", Kind::Message(PRECONDITIONS)),
    (3, "orphanDependents", Kind::Switch),
    (4, "propagationPolicy", Kind::Text),
    (5, "dryRun", Kind::Texts),
];
const METADATA: &[Field] = &[(1, "name", Kind::Text), (3, "namespace", Kind::Text)];
const EVICTION: &[Field] = &[
    (1, "metadata", Kind::Message(METADATA)),
    (2, "deleteOptions", Kind::Message(DELETE_OPTIONS)),
];
const RESOURCE: &[Field] = &[
    (1, "namespace", Kind::Text),
    (2, "verb", Kind::Text),
    (3, "group", Kind::Text),
    (4, "version", Kind::Text),
    (5, "resource", Kind::Text),
    (6, "subresource", Kind::Text),
    (7, "name", Kind::Text),
];
const NO_RESOURCE: &[Field] = &[(1, "path", Kind::Text), (2, "verb", Kind::Text)];
const ACCESS: &[Field] = &[
    (1, "resourceAttributes", Kind::Message(RESOURCE)),
    (2, "nonResourceAttributes", Kind::Message(NO_RESOURCE)),
];
const RULES: &[Field] = &[(1, "namespace", Kind::Text)];
const ACCESS_REVIEW: &[Field] = &[(2, "spec", Kind::Message(ACCESS))];
const RULES_REVIEW: &[Field] = &[(2, "spec", Kind::Message(RULES))];

/// The JSON of a body; `None` when it is none of those known.
pub(super) fn json(body: &[u8]) -> Option<Vec<u8>> {
    // runtime.Unknown: the types, then the message itself.
    const TYPES: &[Field] = &[(1, "apiVersion", Kind::Text), (2, "kind", Kind::Text)];
    let (mut types, mut raw) = (Map::new(), &[][..]);
    for field in Fields(body.strip_prefix(MAGIC)?) {
        match field? {
            (1, Wire::Bytes(bytes)) => types = message(bytes, TYPES)?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let fields = match types.get("kind")?.as_str()? {
        "DeleteOptions" => DELETE_OPTIONS,
        "Eviction" => EVICTION,
        "SelfSubjectAccessReview" => ACCESS_REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SelfSubjectReview" => &[],
        _ => return None,
    };
    let mut whole = message(raw, fields)?;
    whole.extend(types);
    serde_json::to_vec(&whole).ok()
}

/// The known fields of a message. Empty texts count as absent: Go writes them always.
fn message(bytes: &[u8], fields: &[Field]) -> Option<Map<String, Value>> {
    let mut message_fields = Map::new();
    for field in Fields(bytes) {
        let (number, wire) = field?;
        let Some((_, name, kind)) = fields.iter().find(|(known, ..)| *known == number) else {
            continue;
        };
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let value = match (kind, wire) {
            (Kind::Text, Wire::Bytes(bytes)) => match text(bytes)? {
                empty if empty.is_empty() => continue,
                text => json!(text),
            },
            (Kind::Texts, Wire::Bytes(bytes)) => {
                let mut all = message_fields.remove(*name).unwrap_or_else(|| json!([]));
                all.as_array_mut()?.push(json!(text(bytes)?));
                all
            }
            (Kind::Number, Wire::Number(number)) => json!(number as i64),
            (Kind::Switch, Wire::Number(number)) => json!(number != 0),
            (Kind::Message(fields), Wire::Bytes(bytes)) => Value::Object(message(bytes, fields)?),
            _ => return None,
        };
        message_fields.insert((*name).to_owned(), value);
    }
    Some(message_fields)
}

/// What stands on the wire.
enum Wire<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message; `None` among them where it is broken (<https://protobuf.dev/programming-guides/encoding/>).
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, length: u64) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn field(&mut self) -> Option<(u64, Wire<'b>)> {
        let tag = self.number()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.number()?),
            1 => Wire::Bytes(self.bytes(8)?),
            2 => {
                let length = self.number()?;
                Wire::Bytes(self.bytes(length)?)
            }
            5 => Wire::Bytes(self.bytes(4)?),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Option<(u64, Wire<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            // A broken message has no more fields.
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A field that has a length below 128.
    fn part(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8][..], content].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [part(1, b"policy/v1"), part(2, kind.as_bytes())].concat();
        [MAGIC, &part(1, &types), &part(2, raw), &part(3, b""), &part(4, b"")].concat()
    }

    fn read(body: &[u8]) -> Option<Value> {
        json(body).map(|json| serde_json::from_slice(&json).unwrap())
    }

    #[test]
    fn an_eviction_is_read() {
        // Fields that are not known, such as metadata.generateName (2), are passed over.
        let metadata = [part(1, b"web-1"), part(2, b""), part(3, b"shop")].concat();
        let options = [vec![1 << 3, 30], part(5, b"All")].concat();
        let eviction = [part(1, &metadata), part(2, &options)].concat();
        assert_eq!(
            read(&body("Eviction", &eviction)),
            Some(json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-1", "namespace": "shop"},
                "deleteOptions": {"gracePeriodSeconds": 30, "dryRun": ["All"]},
            }))
        );
    }

    #[test]
    fn what_is_not_known_is_not_read() {
        assert_eq!(read(&body("Pod", b"")), None);
        assert_eq!(read(b"{}"), None);
        assert_eq!(
            read(&body("Eviction", &[0x0a, 5, 1])),
            None,
            "a message that is cut off"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(raw in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = json(&raw);
            let _ = json(&[MAGIC, &raw].concat());
            let _ = json(&body("Eviction", &raw));
        }
    }
}
