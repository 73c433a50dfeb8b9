//! The controllers' behaviour, case by case, as Kubernetes' own sources and documents say it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "a literal at every call")]

mod behaviour {
    mod admission;
    mod autoscaling;
    mod bench;
    mod containers;
    mod daemon_sets;
    mod deleting;
    mod disruption;
    mod ending;
    mod jobs;
    mod pod_gc;
    mod probes;
    mod returning_nodes;
    mod rolling_update;
    mod rollouts;
    mod scene;
    mod scheduler;
    mod services;
    mod stateful_sets;
    mod taint_eviction;
    mod volumes;
}
