//! The shop's fixtures hold the published facts: the manifests row by row, and a model that fits them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixtures {
    mod fuzz;
    mod manifests;
    mod model;
    #[cfg(feature = "cli")]
    mod schema;
    mod table;
}
