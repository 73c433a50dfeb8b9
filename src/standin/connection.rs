//! A connection to another stand-in: a name look-up, TCP, one of the two protocols.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;

use super::message::{Ask, Reply};
use super::plan::Peer;
use super::{http, lines};
use crate::model::application::Speaks;

/// How the names of services become addresses.
#[derive(Clone, Debug, Default)]
pub enum Names {
    /// The system's resolver, asked anew for every connection: `/etc/resolv.conf` with its search list, `/etc/hosts`.
    #[default]
    System,
    /// These addresses by name; other names do not exist.
    Fixed(BTreeMap<String, SocketAddr>),
}

impl Names {
    /// Every address has the same chance here; whoever answers the look-up mixes them.
    async fn find(&self, peer: &Peer) -> io::Result<SocketAddr> {
        let found = match self {
            Self::System => lookup_host((peer.name.as_str(), peer.port)).await?.next(),
            Self::Fixed(addresses) => addresses.get(&peer.name).copied(),
        };
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no address"))
    }
}

/// Why no answer came over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The other end had closed it before anything was sent.
    Unsent,
    /// It broke, or what came is no answer.
    Lost,
}

/// A connection to another stand-in.
#[derive(Debug)]
pub(super) enum Connection {
    Http {
        sender: SendRequest<Full<Bytes>>,
        _task: Task,
    },
    Lines(lines::Client),
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(super) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) async fn open(names: &Names, peer: &Peer) -> io::Result<Self> {
        let stream = TcpStream::connect(names.find(peer).await?).await?;
        stream.set_nodelay(true)?;
        match peer.speaks {
            Speaks::Http => {
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(io::Error::other)?;
                // How it ends shows at the sender.
                let task = tokio::spawn(async move {
                    let _ = connection.await;
                });
                Ok(Self::Http {
                    sender,
                    _task: Task(task.abort_handle()),
                })
            }
            Speaks::Lines => Ok(Self::Lines(lines::Client::new(stream))),
        }
    }

    pub(super) async fn exchange(&mut self, ask: &Ask) -> Result<Reply, Failed> {
        match self {
            Self::Http { sender, .. } => http::exchange(sender, ask).await,
            Self::Lines(client) => client.exchange(ask).await,
        }
    }

    /// Whether another request may follow.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Http { sender, .. } => !sender.is_closed(),
            Self::Lines(client) => client.is_open(),
        }
    }
}
