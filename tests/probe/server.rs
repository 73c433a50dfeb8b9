//! Servers that do exactly what a test wants, byte by byte, on threads of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path.
    pub(crate) line: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The connection it came over, from 0.
    pub(crate) connection: usize,
}

/// What a server does about a request.
pub(crate) enum Reply {
    /// Status, headers, body; the connection stays.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The same, and then the connection is closed without a word about it.
    Last(String),
    /// These bytes, and the connection is closed.
    Bytes(&'static str),
    /// These bytes, and nothing more, ever.
    Stuck(&'static str),
    /// The connection is reset.
    Reset,
    /// After a time.
    After(Duration, Box<Reply>),
}

pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Reply::Answer(200, Vec::new(), body.into())
}

enum Order {
    Close(oneshot::Sender<()>),
    Open(oneshot::Sender<()>),
}

/// A server. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Server {
    pub(crate) fn new(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let (orders, mut received) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, answered) = (Arc::clone(&connections), Arc::clone(&requests));
        let (tell, told) = std::sync::mpsc::channel();
        let handler = Arc::new(handler);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listen = |address: SocketAddr| {
                    let socket = TcpSocket::new_v4().unwrap();
                    socket.set_reuseaddr(true).unwrap();
                    socket.bind(address).unwrap();
                    socket.listen(4_096).unwrap()
                };
                let first = listen(([127, 0, 0, 1], 0).into());
                let address = first.local_addr().unwrap();
                tell.send(address).unwrap();
                let mut listener: Option<TcpListener> = Some(first);
                loop {
                    let accepted = async {
                        match &listener {
                            Some(listener) => listener.accept().await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        order = received.recv() => match order {
                            None => return,
                            Some(Order::Close(done)) => { listener = None; let _ = done.send(()); }
                            Some(Order::Open(done)) => { listener = Some(listen(address)); let _ = done.send(()); }
                        },
                        accepted = accepted => {
                            let connection = counted.fetch_add(1, Ordering::SeqCst);
                            let (handler, answered) = (Arc::clone(&handler), Arc::clone(&answered));
                            tokio::spawn(async move { talk(accepted.unwrap().0, connection, &*handler, &answered).await });
                        }
                    }
                }
            });
        });
        Self {
            address: told.recv().unwrap(),
            connections,
            requests,
            orders,
        }
    }

    /// Connections taken so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests that came so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Takes no more connections: the port is closed when this returns.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        assert!(self.orders.send(Order::Close(done)).is_ok());
        closed.await.unwrap();
    }

    /// Takes them again.
    pub(crate) async fn open(&self) {
        let (done, opened) = oneshot::channel();
        assert!(self.orders.send(Order::Open(done)).is_ok());
        opened.await.unwrap();
    }
}

async fn talk(
    mut stream: TcpStream,
    connection: usize,
    handler: &(dyn Fn(&Asked) -> Reply + Send + Sync),
    answered: &AtomicUsize,
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(asked) = read(&mut stream, &mut buffer, connection).await {
        answered.fetch_add(1, Ordering::SeqCst);
        let mut reply = handler(&asked);
        while let Reply::After(wait, next) = reply {
            tokio::time::sleep(wait).await;
            reply = *next;
        }
        match reply {
            Reply::Answer(status, headers, body) => {
                let mut text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    let _ = write!(text, "{name}: {value}\r\n");
                }
                let text = format!("{text}\r\n{body}");
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Last(body) => {
                let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.write_all(text.as_bytes()).await;
                return;
            }
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
                return;
            }
            Reply::Stuck(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
                std::future::pending::<()>().await;
            }
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::After(..) => unreachable!(),
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Asked> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers
                .get("content-length")
                .map_or(0, |length| length.parse().unwrap());
            while buffer.len() < end + 4 + length {
                (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
            }
            let body = String::from_utf8(buffer[end + 4..end + 4 + length].to_vec()).unwrap();
            buffer.drain(..end + 4 + length);
            return Some(Asked {
                line,
                headers,
                body,
                connection,
            });
        }
        (stream.read_buf(buffer).await.ok()? > 0).then_some(())?;
    }
}
