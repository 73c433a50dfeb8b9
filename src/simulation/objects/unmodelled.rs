//! Which fields of a user's object have no effect in the simulation.

use serde_json::Value;

/// The fields of an object that have no effect.
#[must_use]
pub fn unmodelled(kind: &str, name: &str, object: &Value) -> Vec<String> {
    let _ = (kind, name, object);
    Vec::new()
}
