//! The clock on the wall. Real clusters live by it; this is the one place of the safety core that reads it.

use jiff::Timestamp;

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "journals and leases of real clusters are dated by the clock on the wall"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
