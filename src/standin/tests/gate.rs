//! The way to a service, where it can be closed, or fall silent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// To the server at this address.
    Pass(SocketAddr),
    /// Nothing listens; connections are broken off.
    Refuse,
    /// Connections are accepted, nothing is passed on.
    Silent,
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) address: SocketAddr,
    pub(super) mode: watch::Sender<Mode>,
    /// Connections that pass, and the listener, as long as it listens.
    open: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    pub(super) fn open(address: SocketAddr) -> Self {
        let (mode, open) = (watch::Sender::new(Mode::Refuse), watch::Sender::new(0));
        let task = tokio::spawn(run(address, mode.subscribe(), open.clone()));
        Self {
            address,
            mode,
            open,
            task,
        }
    }

    /// Waits until what the mode asks for is so: nobody is connected, or somebody may connect.
    pub(super) async fn settle(&self) {
        let listens = *self.mode.borrow() != Mode::Refuse;
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open == usize::from(listens))
            .await
            .expect("a gate");
        // The ends that were closed are seen by their owners when the runtime next looks at its sockets.
        for _ in 0..2 {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Counts what is open while it lives.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

async fn run(address: SocketAddr, mut mode: watch::Receiver<Mode>, open: watch::Sender<usize>) {
    loop {
        if mode.wait_for(|mode| *mode != Mode::Refuse).await.is_err() {
            return;
        }
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("an address of our own");
        let listener = socket.listen(128).expect("a listener");
        let listens = Counted::new(&open);
        let theirs = mode.clone();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (user, _) = accepted.expect("a connection");
                    let counted = Counted::new(&open);
                    tokio::spawn(pass(user, theirs.clone(), counted));
                }
                _ = mode.wait_for(|mode| *mode == Mode::Refuse) => break,
            }
        }
        drop(listener);
        drop(listens);
    }
}

/// Passes on what both ends say, until one of them closes, or the server is another.
async fn pass(mut user: TcpStream, mut mode: watch::Receiver<Mode>, _counted: Counted) {
    let Ok(first) = mode.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode) else {
        return;
    };
    let Mode::Pass(server) = first else { return };
    let Ok(mut service) = TcpStream::connect(server).await else {
        return;
    };
    let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let now = *mode.borrow_and_update();
        if now == Mode::Silent {
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        if now != first {
            return;
        }
        let done = tokio::select! {
            read = user.read(&mut asked) => match read {
                Ok(0) | Err(_) => true,
                Ok(length) => service.write_all(&asked[..length]).await.is_err(),
            },
            read = service.read(&mut answered) => match read {
                Ok(0) | Err(_) => true,
                Ok(length) => user.write_all(&answered[..length]).await.is_err(),
            },
            changed = mode.changed() => changed.is_err(),
        };
        if done {
            return;
        }
    }
}
