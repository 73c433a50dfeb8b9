//! Refusals of what stands before the face: a server on a socket.

use super::LONGEST_BODY;
use super::response::Answer;
use super::status::Refusal;

/// Without the token, nobody.
pub(crate) fn unauthorized() -> Answer {
    Refusal::Unauthorized.response()
}

/// A body that is too long.
pub(crate) fn too_long() -> Answer {
    Refusal::TooLong(LONGEST_BODY).response()
}

/// A body that cannot be read.
pub(crate) fn unreadable(why: &str) -> Answer {
    Refusal::unreadable(why).response()
}
