//! The control probe: checks of something that no fault touches.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::HOST;

use super::client::{Keep, client};
use super::failure::{self, Failed};
use super::pacer::Due;
use super::state::{Outcome, Shared};
use super::{Clock, ProbeError};
use crate::model::history::FailureKind;
use crate::model::history::tally::Place;

/// One check: whether it went well.
pub type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), FailureKind>> + Send + Sync>;

/// Something that must answer throughout: the cluster's API server, a server of the harness. When it fails together with the journeys, the
/// run is inconclusive: the probe cannot tell a broken application from a broken network of its own.
#[derive(Clone)]
pub struct Control {
    pub(super) rate: u32,
    pub(super) timeout: Duration,
    what: What,
}

#[derive(Clone)]
enum What {
    Get {
        address: SocketAddr,
        host: Option<String>,
        path: String,
    },
    Check(Check),
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what: &dyn fmt::Debug = match &self.what {
            What::Get { address, .. } => address,
            What::Check(_) => &"a check",
        };
        f.debug_struct("Control")
            .field("rate", &self.rate)
            .field("timeout", &self.timeout)
            .field("what", what)
            .finish()
    }
}

impl Control {
    /// `GET` of a path, over a new connection each time, must be answered with a status below 400: ten times a second, each within a second.
    #[must_use]
    pub fn get(address: SocketAddr, path: impl Into<String>) -> Self {
        Self::what(What::Get {
            address,
            host: None,
            path: path.into(),
        })
    }

    /// A check of one's own, ten times a second, each within a second: `/readyz` of an API server through a `kube::Client`, say.
    pub fn check<F>(check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), FailureKind>> + Send + 'static,
    {
        Self::what(What::Check(Arc::new(move || Box::pin(check()))))
    }

    const fn what(what: What) -> Self {
        Self {
            rate: 10,
            timeout: Duration::from_secs(1),
            what,
        }
    }

    /// So many checks a second, 1 to 1,000.
    #[must_use]
    pub const fn rate(mut self, per_second: u32) -> Self {
        self.rate = per_second;
        self
    }

    /// The longest wait for one.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The host that a `GET` names, instead of the address.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        if let What::Get { host, .. } = &mut self.what {
            *host = Some(name.into());
        }
        self
    }

    /// Whether it can be run.
    pub(super) fn validate(&self) -> Result<(), ProbeError> {
        if !(1..=1_000).contains(&self.rate) {
            return Err(ProbeError::ControlRate(self.rate));
        }
        if self.timeout.is_zero() {
            return Err(ProbeError::Timeout("the control probe".to_owned()));
        }
        Ok(())
    }

    /// Makes one check.
    async fn once(&self) -> Result<(), Failed> {
        let checked = async {
            match &self.what {
                What::Check(check) => check().await.map_err(Failed::As),
                What::Get { address, host, path } => get(*address, host.as_deref(), path).await,
            }
        };
        tokio::time::timeout(self.timeout, checked)
            .await
            .unwrap_or(Err(Failed::As(FailureKind::ReadTimeout)))
    }
}

async fn get(address: SocketAddr, host: Option<&str>, path: &str) -> Result<(), Failed> {
    let failed = |error: reqwest::Error| failure::read(&error, failure::Phase::default());
    let mut request = client(Keep::None)
        .map_err(failed)?
        .get(format!("http://{address}{path}"));
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
    let answer = request.send().await.map_err(failed)?;
    match answer.status().as_u16() {
        200..400 => Ok(()),
        status => Err(Failed::As(FailureKind::Status(status))),
    }
}

/// Runs one check of the control probe, which is the journey of this number.
pub(super) async fn run(control: Arc<Control>, shared: Arc<Shared>, clock: Clock, due: Due, place: Place) {
    let outcome = match control.once().await {
        Ok(()) => Outcome::Good { anomaly: false },
        Err(Failed::As(kind)) => Outcome::Failed { step: 0, kind },
        Err(Failed::NotSent(why)) => Outcome::NotSent(why),
    };
    let now = clock.now();
    shared.lock().decide(due.journey, place, due.planned, outcome, now);
}
