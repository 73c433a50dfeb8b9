//! The line protocol, in the place of a database's or a queue's own: a line of JSON asks, a line of JSON answers, one at a time on a
//! connection, which stays open (docs/stand-in.md).

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::connection::Failed;
use super::message::{Answer, Ask, Reply};
use super::server::Work;

/// Bytes of a line; a longer one ends the connection.
const LINE: u64 = 64 * 1024;

/// The asking end.
#[derive(Debug)]
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    open: bool,
}

impl Client {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            open: true,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) async fn exchange(&mut self, ask: &Ask) -> Result<Reply, Failed> {
        // Nothing is said unasked: whatever can be read now is the end.
        let mut byte = [0];
        match self.stream.get_ref().try_read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Err(Failed::Unsent),
        }
        // Broken off in the middle it is no use any more.
        self.open = false;
        let line = serde_json::to_string(ask).map_err(|_| Failed::Lost)?;
        send(self.stream.get_mut(), &line).await.map_err(|_| Failed::Lost)?;
        let answer = receive(&mut self.stream).await.map_err(|_| Failed::Lost)?;
        let reply = serde_json::from_str(&answer.ok_or(Failed::Lost)?).map_err(|_| Failed::Lost)?;
        self.open = true;
        Ok(reply)
    }
}

/// Serves a connection until its other end closes it, or the process stops.
pub(super) async fn serve(stream: TcpStream, work: Arc<Work>, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let line = tokio::select! {
            line = receive(&mut stream) => line?,
            _ = stopping.wait_for(|stops| *stops) => return Ok(()),
        };
        let Some(line) = line else { return Ok(()) };
        let answer = match serde_json::from_str::<Ask>(&line) {
            Ok(ask) => work.answer(ask).await,
            // Not one of ours; the connection goes on with the next line.
            Err(_) => Answer::error(400, super::message::Values::new()),
        };
        let reply = Reply {
            status: answer.status,
            content: answer.content(),
            items: answer.items,
            given: answer.given,
            service: work.process.plan.name.clone(),
            pod: work.process.pod.clone(),
        };
        let line = serde_json::to_string(&reply)?;
        send(stream.get_mut(), &line).await?;
    }
}

async fn send(stream: &mut TcpStream, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes()).await
}

/// The next line; `None`: the other end closed the connection.
async fn receive(stream: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.take(LINE).read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return if line.is_empty() {
            Ok(None)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        };
    }
    String::from_utf8(line).map(Some).map_err(io::Error::other)
}
