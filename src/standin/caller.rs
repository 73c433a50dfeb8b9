//! Calls of other services: pools, limits, time-outs, tries again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, Failed, Names};
use super::message::{Ask, Reply};
use super::plan::Peer;
use crate::model::application::{Call, Over};
use crate::model::reacting;

/// The connections of a process to other services.
#[derive(Debug)]
pub(super) struct Caller {
    names: Names,
    /// Idle connections by the called Service's name, in the order of last use.
    pools: Mutex<HashMap<String, VecDeque<Idle>>>,
    /// The places of pools with a limit, by the called Service's name and the limit.
    limits: Mutex<HashMap<(String, u32), Arc<Semaphore>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Caller {
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            pools: Mutex::default(),
            limits: Mutex::default(),
        }
    }

    /// Makes a call, and again as the model says; `None`: no answer came.
    pub(super) async fn call(&self, peer: &Peer, call: &Call, ask: Ask) -> Option<Reply> {
        let mut tries = 0;
        loop {
            let made = self.once(peer, call, &ask);
            let came = match call.timeout {
                Some(limit) => timeout(limit, made).await.ok().flatten(),
                None => made.await,
            };
            let status = came.as_ref().map(|reply| reply.status);
            match call.retry {
                Some(retry) if reacting::again(retry.on, retry.times, tries, status) => {
                    tries += 1;
                    sleep(retry.wait).await;
                }
                _ => return came,
            }
        }
    }

    /// Whether a service accepts a connection.
    pub(super) async fn reaches(&self, peer: &Peer) -> bool {
        Connection::open(&self.names, peer).await.is_ok()
    }

    async fn once(&self, peer: &Peer, call: &Call, ask: &Ask) -> Option<Reply> {
        let Over::Pooled { idle, size } = call.over else {
            let mut connection = Connection::open(&self.names, peer).await.ok()?;
            return connection.exchange(ask).await.ok();
        };
        // First come, first served; given back when the call ends, however it does.
        let _place = match size {
            Some(size) => self.places(&peer.name, size).acquire_owned().await.ok(),
            None => None,
        };
        while let Some(mut connection) = self.take(&peer.name, idle) {
            match connection.exchange(ask).await {
                Ok(reply) => {
                    self.keep(&peer.name, connection);
                    return Some(reply);
                }
                // Its other end had closed it.
                Err(Failed::Unsent) => {}
                Err(Failed::Lost) => return None,
            }
        }
        let mut connection = Connection::open(&self.names, peer).await.ok()?;
        let reply = connection.exchange(ask).await.ok()?;
        self.keep(&peer.name, connection);
        Some(reply)
    }

    fn places(&self, name: &str, size: u32) -> Arc<Semaphore> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let places = limits.entry((name.to_owned(), size));
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(size as usize))))
    }

    /// The connection that was used last, when it is not too old.
    fn take(&self, name: &str, idle: Duration) -> Option<Connection> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.get_mut(name)?;
        while pool.front().is_some_and(|oldest| oldest.since.elapsed() >= idle) {
            pool.pop_front();
        }
        pool.pop_back().map(|newest| newest.connection)
    }

    fn keep(&self, name: &str, connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(name.to_owned()).or_default().push_back(Idle {
            connection,
            since: Instant::now(),
        });
    }
}
