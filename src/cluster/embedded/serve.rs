//! The embedded cluster on a loopback port, for `kubectl` and other clients.
//!
//! Real time only: cluster time has to pass while a client thinks. The API is served over TLS, with a certificate authority and a
//! bearer token made for this one server; [`Server::kubeconfig`] holds all that a client needs. It binds loopback addresses only, since
//! whoever has the token may do everything.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = steadfast::Cluster::embedded().real_time().start().await?;
//! let server = cluster.serve().await?;
//! std::fs::write("kubeconfig", server.kubeconfig())?; // kubectl --kubeconfig kubeconfig get nodes
//! # Ok(())
//! # }
//! ```

mod dates;
mod gate;
mod identity;
mod kubeconfig;
mod listener;
mod protobuf;

use std::future::{Future, IntoFuture};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Embedded;
use super::driver::{DriverError, Pace};
use super::face::Face;
use dates::Calendar;
use gate::Gate;
use identity::Identity;
use listener::Listener;

/// Why a cluster is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is one that other machines may reach.
    #[error(
        "{0} is no loopback address: the cluster is served to this machine alone, on 127.0.0.1 or [::1]; forward the port (ssh -L) \
         to use it from elsewhere"
    )]
    NotLoopback(IpAddr),
    /// Cluster time is virtual.
    #[error(
        "a cluster in virtual time cannot be served, it would not wait for its clients: start it with .real_time() or .speed(n)"
    )]
    Virtual,
    /// The address cannot be had.
    #[error("{address} cannot be bound: choose another port, or 0 for any")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A real cluster serves its API itself.
    #[error("only an embedded cluster is served from here: a real one has an API server")]
    Real,
    /// No certificate can be made.
    #[error("no certificate could be made for the server")]
    Certificate(#[source] rcgen::Error),
    /// No TLS can be had.
    #[error("TLS could not be set up")]
    Tls(#[source] tokio_rustls::rustls::Error),
    /// There is no chance to make a token of.
    #[error("the system gives no random bytes for a token")]
    Random,
    /// The cluster is broken.
    #[error("the embedded cluster cannot be served")]
    Driver(#[from] DriverError),
}

/// A cluster that is yet to be served: `.await` it.
#[must_use = "a cluster is not served until this is awaited"]
pub struct Serve {
    embedded: Option<Embedded>,
    address: SocketAddr,
}

impl std::fmt::Debug for Serve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Serve {
    pub(crate) const fn new(embedded: Option<Embedded>) -> Self {
        Self {
            embedded,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        }
    }

    /// The port; 0, which is the default, is any that is free.
    pub const fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// The address, `127.0.0.1` by default. Only loopback addresses are served.
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.address.set_ip(address);
        self
    }

    async fn start(self) -> Result<Server, ServeError> {
        let Self { embedded, address } = self;
        let embedded = embedded.ok_or(ServeError::Real)?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address.ip()));
        }
        if embedded.pace() == Pace::Virtual {
            return Err(ServeError::Virtual);
        }
        let identity = Identity::new(address.ip())?;
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bound.await.map_err(|source| ServeError::Bind { address, source })?;
        let driver = embedded.driver();
        let gate = Gate::new(
            Face::new(driver.clone())?,
            identity.token.clone(),
            Calendar::starting_now(driver.now()),
        );
        let (stop, stopped) = watch::channel(());
        tokio::spawn(Listener::new(listener, identity.acceptor, gate).run(stopped));
        Ok(Server {
            address,
            kubeconfig: kubeconfig::text(address, &identity.authority, &identity.token),
            authority: identity.authority,
            token: identity.token,
            _stop: stop,
        })
    }
}

impl IntoFuture for Serve {
    type Output = Result<Server, ServeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// A cluster that is being served. It ends when this is dropped, with all of its connections.
#[must_use = "the server ends when this is dropped"]
pub struct Server {
    address: SocketAddr,
    authority: String,
    token: String,
    kubeconfig: String,
    /// Whoever listens to it ends with it.
    _stop: watch::Sender<()>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is nobody's business.
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients find it: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What clients must send as `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The certificate that clients must trust, as PEM.
    #[must_use]
    pub fn certificate_authority(&self) -> &str {
        &self.authority
    }

    /// A kubeconfig with all of this, for `kubectl --kubeconfig` and client libraries. It holds the token: keep it from others.
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }
}
