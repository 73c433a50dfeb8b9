//! Columns of tables.

use serde_json::{Value, json};

/// A column.
pub(super) struct Column {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    priority: u8,
}

impl Column {
    /// What `metav1.TableColumnDefinition` holds.
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.kind, "format": self.format, "description": "", "priority": self.priority,
        })
    }

    /// Shown with `-o wide` alone.
    pub(super) const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    /// A number.
    pub(super) const fn number(self) -> Self {
        Self {
            kind: "integer",
            ..self
        }
    }

    /// A switch.
    pub(super) const fn switch(self) -> Self {
        Self {
            kind: "boolean",
            ..self
        }
    }

    /// The object's name.
    pub(super) const fn name(self) -> Self {
        Self { format: "name", ..self }
    }
}

/// A column of text.
pub(super) const fn column(name: &'static str) -> Column {
    Column {
        name,
        kind: "string",
        format: "",
        priority: 0,
    }
}

/// A date that the client makes an age of.
pub(super) const fn date(name: &'static str) -> Column {
    Column {
        kind: "date",
        ..column(name)
    }
}

/// The first column of nearly every table.
pub(super) const NAME: Column = column("Name").name();
/// The age of the object.
pub(super) const AGE: Column = column("Age");
/// The columns about a pod template.
pub(super) const CONTAINERS: Column = column("Containers").wide();
/// Its images.
pub(super) const IMAGES: Column = column("Images").wide();
/// The selector of its pods.
pub(super) const SELECTOR: Column = column("Selector").wide();
