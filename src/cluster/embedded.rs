//! The embedded cluster: the simulation behind a Kubernetes API, inside the test process.

#[cfg_attr(not(test), expect(dead_code, reason = "used once the embedded cluster is put together"))]
pub(crate) mod driver;
#[cfg_attr(not(test), expect(dead_code, reason = "used once the embedded cluster is put together"))]
pub(crate) mod face;
