//! The HTTP client: reqwest without any of its conveniences, and a watch on its connector.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use reqwest::{Client, redirect, retry};
use tower::{Layer, Service};

use super::failure::Phase;

/// How many idle connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// None: every request makes one.
    None,
    /// One, as a browser that makes one request at a time.
    One,
    /// All, for as long as the server lets them.
    All,
}

/// A client without proxies, redirects, cookies and retry policies.
///
/// One retry cannot be switched off in reqwest: hyper-util makes a request again whose *reused* connection turned out to be closed before
/// a byte of the request was written (`retry_canceled_requests`, hyper-util src/client/legacy/client.rs). Browsers do the same. A connection
/// that breaks once the request is on its way is a failure.
pub(super) fn client(keep: Keep) -> reqwest::Result<Client> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only()
        .pool_idle_timeout(None)
        .pool_max_idle_per_host(match keep {
            Keep::None => 0,
            Keep::One => 1,
            Keep::All => usize::MAX,
        })
        .connector_layer(Watch)
        .build()
}

tokio::task_local! {
    /// The line of the slot whose task this is.
    pub(super) static LINE: Arc<Line>;
}

/// What is known of the connections of one slot.
#[derive(Debug, Default)]
pub(super) struct Line {
    connecting: AtomicBool,
    connections: AtomicU32,
}

impl Line {
    /// How far the present connection is.
    pub(super) fn phase(&self) -> Phase {
        if self.connecting.load(Ordering::Relaxed) {
            Phase::Connecting
        } else {
            Phase::Connected
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.connecting.store(false, Ordering::Relaxed);
    }

    /// Connections begun so far.
    pub(super) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Sees connections being made.
#[derive(Clone, Debug)]
struct Watch;

/// A connector that is watched.
#[derive(Clone, Debug)]
struct Watched<S>(S);

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;
    fn layer(&self, inner: S) -> Watched<S> {
        Watched(inner)
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let line = LINE.try_with(Arc::clone).unwrap_or_default();
        line.connections.fetch_add(1, Ordering::Relaxed);
        line.connecting.store(true, Ordering::Relaxed);
        let mut connecting = Box::pin(self.0.call(to));
        Box::pin(poll_fn(move |context| {
            let polled = connecting.as_mut().poll(context);
            // When a connection of the pool became idle first, hyper-util goes on connecting in a task of its own: the slot waits for
            // an answer then, not for this connection. A connection that could not be made leaves the phase as it is.
            let connected = matches!(polled, Poll::Ready(Ok(_)));
            if connected || LINE.try_with(|_| ()).is_err() {
                line.connecting.store(false, Ordering::Relaxed);
            }
            polled
        }))
    }
}
