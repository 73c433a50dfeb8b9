//! Verdicts: no pass without evidence, and what cannot be run is said before anything is touched.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod experiment {
    mod applications;
    mod clusters;
    mod evidence;
    mod faults;
    mod images;
    mod probing;
    mod refusing;
    mod small;
    mod snapshots;
    mod targets;
}
