//! The JSON Schemas of the files that users write, made from the types that read them.

use super::args::Schema;
use crate::model::application::Application;
use crate::model::journey::Journeys;

/// A schema as text, as `docs/schema` holds it.
#[must_use]
pub fn text(of: Schema) -> String {
    let schema = match of {
        Schema::Model => schemars::schema_for!(Application),
        Schema::Journey => schemars::schema_for!(Journeys),
        #[cfg(feature = "real")]
        Schema::Policy => schemars::schema_for!(crate::safety::policy::Policy),
    };
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
