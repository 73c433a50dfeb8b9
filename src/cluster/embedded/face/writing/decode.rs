//! Bodies as values, with the fields that they have twice.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A body that has been read.
#[derive(Debug)]
pub(in super::super) struct Body {
    /// What it says; of a field that is there twice, the last.
    pub value: Value,
    /// The paths of the fields that are there twice.
    pub duplicates: Vec<String>,
}

impl Body {
    /// Reads JSON. (serde_json refuses more than 128 levels.)
    pub(in super::super) fn json(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let found = RefCell::default();
        let value = Node {
            place: Place::Root,
            found: &found,
        }
        .deserialize(&mut reader)
        .map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        Ok(Self {
            value,
            duplicates: found.into_inner(),
        })
    }

    /// Reads YAML, which JSON is, too. (The reader refuses too many levels, and aliases that grow.)
    pub(in super::super) fn yaml(bytes: &[u8]) -> Result<Self, String> {
        // JSON is read as such: faster, and with its own messages.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
            && let Ok(read) = Self::json(bytes)
        {
            return Ok(read);
        }
        let found = RefCell::default();
        let value = Node {
            place: Place::Root,
            found: &found,
        }
        .deserialize(serde_yaml::Deserializer::from_slice(bytes))
        .map_err(|error| error.to_string())?;
        Ok(Self {
            value,
            duplicates: found.into_inner(),
        })
    }
}

/// At most so many are named (sigs.k8s.io/json `internal/golang/encoding/json/kubernetes_patch.go`: `maxStrictErrors`).
const MOST_NAMED: usize = 100;

/// Where in a body a value is: its path is written only when it is needed.
#[derive(Clone, Copy)]
enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn write(&self, path: &mut String) {
        match self {
            Self::Root => {}
            Self::Field(parent, name) => {
                parent.write(path);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Self::Item(parent, index) => {
                parent.write(path);
                _ = write!(path, "[{index}]");
            }
        }
    }
}

struct Node<'n> {
    place: Place<'n>,
    found: &'n RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let node = Node {
                place: Place::Item(&self.place, all.len()),
                found: self.found,
            };
            match items.next_element_seed(node)? {
                Some(item) => all.push(item),
                None => return Ok(Value::Array(all)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let place = Place::Field(&self.place, &key);
            let node = Node {
                place,
                found: self.found,
            };
            let value = fields.next_value_seed(node)?;
            if all.contains_key(&key) && self.found.borrow().len() < MOST_NAMED {
                let mut path = String::new();
                place.write(&mut path);
                self.found.borrow_mut().push(path);
            }
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}
