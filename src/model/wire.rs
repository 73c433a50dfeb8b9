//! How the answers of a stand-in say over HTTP what the model says: the names of their headers, and what a body is.

use super::application::Body;

/// Header of every answer: the service that answered, as the model calls it.
pub const SERVICE: &str = "x-steadfast-service";
/// Header of every answer: the pod that answered (`POD_NAME`, else `HOSTNAME`).
pub const POD: &str = "x-steadfast-pod";
/// Header of every answer: what its body is, as [`content`] writes it; [`ERROR`] for an error's.
pub const CONTENT: &str = "x-steadfast-content";
/// Header of an answer that counts items: how many.
pub const ITEMS: &str = "x-steadfast-items";
/// Cookie by which a user is known again.
pub const USER_COOKIE: &str = "steadfast-user";

/// [`CONTENT`] of an error's body: no check of a journey is ever met by it.
pub const ERROR: &str = "error";

/// [`CONTENT`] of a body: `empty`, `page`, `json NAME`, `sample` or `text`.
#[must_use]
pub fn content(body: &Body) -> String {
    match body {
        Body::Empty => "empty".to_owned(),
        Body::Page => "page".to_owned(),
        Body::Json(name) => format!("json {name}"),
        Body::Sample(_) => "sample".to_owned(),
        Body::Text(_) => "text".to_owned(),
    }
}
