//! The controllers' behaviour, case by case, as Kubernetes' own sources and documents say it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "a literal at every call")]

mod behaviour {
    mod containers;
    mod ending;
    mod probes;
    mod scene;
    mod scheduler;
}
