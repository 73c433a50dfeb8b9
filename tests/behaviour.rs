//! The controllers' behaviour, case by case, as Kubernetes' own sources and documents say it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod behaviour {
    mod containers;
    mod ending;
    mod jobs;
    mod probes;
    mod scene;
    mod serving;
}
