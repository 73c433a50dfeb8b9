//! What stands between a socket and the API: the token, the length of bodies, and the dates.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use kube::client::Body;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::Service as _;

use super::dates::Calendar;
use super::protobuf;
use crate::cluster::embedded::driver::Live;
use crate::cluster::embedded::face::{Face, LONGEST_BODY, refuse};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Open to everybody (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`: `system:public-info-viewer`).
const OPEN: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
/// How long a body may take.
const BODY: Duration = Duration::from_secs(60);
/// Bodies that are read at a time: with the longest body, what bounds the memory they take.
const BODIES: usize = 32;

/// Whether a connection's client has shown the token.
#[derive(Clone, Default)]
pub(super) struct Trust(Arc<AtomicBool>);

impl Trust {
    pub(super) fn is_earned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn earn(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The API behind its gate. Clones are the same.
pub(super) struct Gate<W> {
    face: Face<W>,
    token: Arc<str>,
    calendar: Calendar,
    bodies: Arc<Semaphore>,
}

impl<W> Clone for Gate<W> {
    fn clone(&self) -> Self {
        Self {
            face: self.face.clone(),
            token: Arc::clone(&self.token),
            calendar: self.calendar,
            bodies: Arc::clone(&self.bodies),
        }
    }
}

impl<W: Live + 'static> Gate<W> {
    pub(super) fn new(face: Face<W>, token: String, calendar: Calendar) -> Self {
        Self {
            face,
            token: token.into(),
            calendar,
            bodies: Arc::new(Semaphore::new(BODIES)),
        }
    }

    pub(super) async fn answer(mut self, request: Request<Incoming>, trust: Trust) -> Result<Answer, Infallible> {
        let (mut head, body) = request.into_parts();
        let is_open = head.method == Method::GET && OPEN.contains(&head.uri.path());
        if self.admits(&head.headers) {
            trust.earn();
        } else if !is_open {
            let mut answer = refuse::unauthorized();
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Ok(answer);
        }
        let body = match self.read(&head.headers, body).await {
            Ok(body) => body,
            Err(answer) => return Ok(*answer),
        };
        let is_protobuf = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|media| media == protobuf::MEDIA);
        let body = match protobuf::json(&body) {
            Some(json) if is_protobuf => {
                head.headers
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                json.into()
            }
            _ => body,
        };
        let body = self.calendar.to_cluster(body);
        let Ok(answer) = self.face.call(Request::from_parts(head, Body::from(body))).await;
        let calendar = self.calendar;
        Ok(answer.map(|body| {
            body.map_frame(move |frame| frame.map_data(|data| calendar.to_wall(data)))
                .boxed_unsync()
        }))
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        // k8s.io/apiserver/pkg/authentication/request/bearertoken/bearertoken.go
        let mut words = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .split_ascii_whitespace();
        let (scheme, token) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        scheme.eq_ignore_ascii_case("bearer") && bool::from(token.as_bytes().ct_eq(self.token.as_bytes()))
    }

    /// The whole body, when it is short enough and comes in time.
    async fn read(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Box<Answer>> {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > LONGEST_BODY) {
            return Err(Box::new(refuse::too_long()));
        }
        if announced.unwrap_or_default() == 0 && hyper::body::Body::is_end_stream(&body) {
            return Ok(Bytes::new());
        }
        let _turn = self.bodies.acquire().await;
        match timeout(BODY, Limited::new(body, LONGEST_BODY).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Box::new(refuse::too_long())),
            Ok(Err(error)) => Err(Box::new(refuse::unreadable(&error.to_string()))),
            Err(_elapsed) => Err(Box::new(refuse::unreadable("it takes too long"))),
        }
    }
}
