//! The Kubernetes API of the embedded cluster, used with kube-runtime as controllers and operators use it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod face {
    mod applying;
    mod controlling;
    mod custom;
    mod deploying;
    mod failing;
    mod reading;
    mod small;
    mod waiting;
    mod watching;
}
