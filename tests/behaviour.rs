//! The controllers' behaviour, case by case, as Kubernetes' own sources and documents say it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "a literal at every call")]

mod behaviour {
    mod admission;
    mod autoscaling;
    mod bench;
    mod deleting;
    mod disruption;
    mod pod_gc;
    mod rolling_update;
    mod rollouts;
    mod scheduler;
    mod stateful_sets;
    mod taint_eviction;
    mod volumes;
}
