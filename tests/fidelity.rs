//! The simulation behaves as Kubernetes does: what was measured on kind, what the workshop shows, and what the sources say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the ranges over all seeds, for `--nocapture`")]

mod fidelity {
    mod autoscaler;
    mod balancing;
    mod base;
    mod budgets;
    mod delete;
    mod ha;
    mod kill;
    mod modes;
    mod probed;
    mod scene;
    mod shop;
    mod sources;
    mod table;
    mod zones;
}
