//! Connections: how many, how long they may take to say what they want, and how much of it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::gate::{Gate, Trust};
use crate::cluster::embedded::driver::Live;

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// How long a client may take for the TLS handshake (`net/http` in Go: the server's `ReadHeaderTimeout`, which kube-apiserver sets to
/// 32 s in `k8s.io/apiserver/pkg/server/secure_serving.go`; shorter here, where nobody is far).
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the headers of a request may take.
const HEADERS: Duration = Duration::from_secs(32);
/// How long a connection may live that has not shown the token.
const STRANGER: Duration = Duration::from_secs(30);
/// Headers of a request, in number and bytes; kube-apiserver allows a megabyte (`DefaultMaxHeaderBytes` in `net/http`).
const HEADER_COUNT: usize = 128;
const HEADER_BYTES: u32 = 64 * 1024;
/// Requests at a time on one connection (`secure_serving.go`: `MaxConcurrentStreams`, 250 there, too).
const STREAMS: u32 = 250;
/// A connection is asked whether it still lives (HTTP/2 pings, as `net/http` clients of Kubernetes send them after 30 s).
const PING: Duration = Duration::from_secs(30);
/// How long the accepting may rest when the system has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

/// What Go's `net/http` answers.
const PLAIN_HTTP: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

pub(super) struct Listener<W> {
    socket: TcpListener,
    acceptor: TlsAcceptor,
    gate: Gate<W>,
    places: Arc<Semaphore>,
}

impl<W: Live + 'static> Listener<W> {
    pub(super) fn new(socket: TcpListener, acceptor: TlsAcceptor, gate: Gate<W>) -> Self {
        Self {
            socket,
            acceptor,
            gate,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Accepts connections until the server is dropped.
    pub(super) async fn run(self, mut stopped: watch::Receiver<()>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                _gone = stopped.changed() => return,
            };
            let Ok((stream, place)) = accepted else {
                sleep(REST).await;
                continue;
            };
            let connection = Connection {
                acceptor: self.acceptor.clone(),
                gate: self.gate.clone(),
                _place: place,
            };
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                tokio::select! {
                    // Whatever is wrong with a connection is its client's concern.
                    _done = connection.serve(stream) => {}
                    _gone = stopped.changed() => {}
                }
            });
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, _from) = self.socket.accept().await?;
        Ok((stream, place))
    }
}

struct Connection<W> {
    acceptor: TlsAcceptor,
    gate: Gate<W>,
    _place: OwnedSemaphorePermit,
}

impl<W: Live + 'static> Connection<W> {
    async fn serve(self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut start = [0; 5];
        let read = timeout(HANDSHAKE, stream.peek(&mut start)).await??;
        if is_plain_http(&start[..read]) {
            stream.write_all(PLAIN_HTTP).await?;
            return stream.shutdown().await;
        }
        let stream = timeout(HANDSHAKE, self.acceptor.accept(stream)).await??;

        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_headers(HEADER_COUNT)
            .max_buf_size(HEADER_BYTES as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER_BYTES);
        let trust = Trust::default();
        let service = service_fn(|request| self.gate.clone().answer(request, trust.clone()));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            done = connection.as_mut() => return done.map_err(io::Error::other),
            () = sleep(STRANGER) => {}
        }
        if trust.is_earned() {
            connection.await.map_err(io::Error::other)
        } else {
            Ok(())
        }
    }
}

/// Whether a connection begins with a request instead of a handshake (`net/http/server.go`: `tlsRecordHeaderLooksLikeHTTP`).
fn is_plain_http(start: &[u8]) -> bool {
    const METHODS: [&[u8]; 5] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO"];
    METHODS.contains(&start)
}
