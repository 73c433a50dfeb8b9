//! `serve-model`: what its process does, as a container's would.
#![expect(clippy::disallowed_methods, reason = "a command of another process takes real time")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Shell;

/// A service that calls another: its test, under the one name that every machine knows.
const MODEL: &str = "
services:
  web:
    start: 10ms
    routes:
      - { request: GET /, body: page }
      - { request: GET /call, steps: [{ call: { to: localhost, request: GET /, unreachable: crash } }] }
  localhost: { port: PORT }
";

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

struct Served {
    child: Child,
    address: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(shell: &Shell, peer: &TcpListener) -> Self {
        let port = peer.local_addr().unwrap().port().to_string();
        let model = shell.file("model.yaml", &MODEL.replace("PORT", &port));
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("steadfast"))
            .args(["serve-model", "--service", "web", "--model", &model])
            .args(["--address", "127.0.0.1", "--port", "0"])
            .env("POD_NAME", "web-7")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("web listens on ").unwrap().parse().unwrap();
        Self { child, address }
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").unwrap();
        stream
    }

    fn code(&mut self) -> Option<i32> {
        let until = Instant::now() + LONG;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("it does not end")
    }
}

fn text(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn every_answer_says_who_gave_it() {
    let (shell, peer) = (Shell::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let served = Served::start(&shell, &peer);
    let answer = text(served.ask("/"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for header in [
        "x-steadfast-service: web\r\n",
        "x-steadfast-pod: web-7\r\n",
        "x-steadfast-content: page\r\n",
    ] {
        assert!(answer.contains(header), "{answer}");
    }
}

#[cfg(unix)]
#[test]
fn sigterm_ends_the_accepting_and_what_is_under_way_is_answered() {
    let (shell, peer) = (Shell::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut served = Served::start(&shell, &peer);
    let waiting = served.ask("/call");
    // The request is under way: the service calls.
    let (mut call, _) = peer.accept().unwrap();
    let pid = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let until = Instant::now() + LONG;
    while TcpStream::connect(served.address).is_ok() {
        assert!(Instant::now() < until, "it accepts for ever");
    }
    call.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    let answer = text(waiting);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(served.code(), Some(0));
}

#[test]
fn a_crash_breaks_off_the_request_and_ends_with_1() {
    let (shell, peer) = (Shell::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut served = Served::start(&shell, &peer);
    let waiting = served.ask("/call");
    drop(peer.accept().unwrap());
    assert_eq!(text(waiting), "");
    assert_eq!(served.code(), Some(1));
}

#[test]
fn what_cannot_be_served_is_said_with_what_can() {
    let shell = Shell::new();
    shell
        .steadfast(&["serve-model", "--service", "cats"])
        .code(6)
        .says("the model describes no service `cats`: it has carts, carts-db, catalogue");
    let bad = shell.file("bad.yaml", "services: { web: { prot: 80 } }");
    shell
        .steadfast(&["serve-model", "--service", "web", "--model", &bad])
        .code(6)
        .says("bad.yaml is not an application model");
    let lost = shell.file(
        "lost.yaml",
        "services: { web: { waits_for: [db], routes: [{ request: GET / }] } }",
    );
    shell
        .steadfast(&["serve-model", "--service", "web", "--model", &lost])
        .code(6)
        .says("service `db` is not described");
    shell.steadfast(&["serve-model"]).code(2).says("--service");
    let listed = shell.steadfast(&["serve-model", "--list"]);
    assert_eq!(listed.code, Some(0));
    assert!(listed.stdout.contains("front-end  80 -> 8079\n"), "{}", listed.stdout);
    assert!(listed.stdout.contains("carts-db  27017\n"), "{}", listed.stdout);
}
