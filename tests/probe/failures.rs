//! Every way in which a request fails, provoked on real sockets.

use std::net::SocketAddr;

use steadfast::model::history::FailureKind;
use steadfast::model::journey::{Journey, Request};
use steadfast::probe::{Entry, Load, SERVICE_HEADER};
use tokio::net::{TcpSocket, TcpStream};

use super::rig::{failures, load, millis, outcomes, run};
use super::server::{Reply, Server, ok};

/// One slot per 50 ms of a journey whose only answer must come within 300 ms.
fn journey(step: Request) -> Journey {
    Journey::through("web").rate(20).timeout(millis(300)).step(step)
}

/// Runs a journey of one step for a moment: all of its slots must fail in this way.
async fn fails(entry: SocketAddr, step: Request, kind: FailureKind) {
    let load = Load::through(Entry::at(entry)).journey("a", journey(step));
    let observed = run(load, millis(270), millis(5_000)).await;
    let outcomes = outcomes(&observed.seconds, 0);
    assert!(
        !outcomes.is_empty() && outcomes.chars().all(|outcome| outcome == 'f'),
        "{kind:?}: {outcomes}"
    );
    assert_eq!(failures(&observed.seconds), [(0, kind)]);
}

async fn served(reply: impl Fn() -> Reply + Send + Sync + 'static, kind: FailureKind) {
    let server = Server::new(move |_| reply());
    fails(server.address, Request::get("/").status(200), kind).await;
}

#[tokio::test]
async fn refused_where_nobody_listens() {
    let closed = Server::new(|_| ok(""));
    closed.close().await;
    fails(closed.address, Request::get("/"), FailureKind::Refused).await;
}

#[tokio::test]
async fn connect_time_out_where_the_backlog_is_full_and_nobody_accepts() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    // A backlog of 1 holds two connections on Linux (sk_acceptq_is_full: more than the backlog); others' SYNs are dropped.
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(millis(300), TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 20, "the backlog never fills");
    }
    fails(address, Request::get("/"), FailureKind::ConnectTimeout).await;
}

#[tokio::test]
async fn read_time_out_where_no_answer_comes() {
    served(|| Reply::Stuck(""), FailureKind::ReadTimeout).await;
}

#[tokio::test]
async fn read_time_out_where_an_answer_stops_half_way() {
    served(
        || Reply::Stuck("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        FailureKind::ReadTimeout,
    )
    .await;
}

#[tokio::test]
async fn read_time_out_where_the_body_is_slow() {
    served(
        || Reply::After(millis(400), Box::new(ok("late"))),
        FailureKind::ReadTimeout,
    )
    .await;
}

#[tokio::test]
async fn reset_where_the_connection_is_reset() {
    served(|| Reply::Reset, FailureKind::Reset).await;
}

#[tokio::test]
async fn reset_where_the_connection_is_closed_before_the_answer() {
    served(|| Reply::Bytes(""), FailureKind::Reset).await;
}

#[tokio::test]
async fn reset_where_the_answer_is_cut_off_in_its_head_or_in_its_body() {
    served(|| Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-le"), FailureKind::Reset).await;
    served(
        || Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        FailureKind::Reset,
    )
    .await;
    served(
        || Reply::Bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        FailureKind::Reset,
    )
    .await;
}

#[tokio::test]
async fn no_http_where_garbage_comes() {
    served(|| Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n"), FailureKind::Protocol).await;
    served(
        || Reply::Bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n"),
        FailureKind::Protocol,
    )
    .await;
}

#[tokio::test]
async fn unreachable_where_there_is_no_route() {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED: what connecting to a group comes to is Linux's");
        return;
    }
    // A group of hosts has no TCP: Linux says ENETUNREACH before a packet leaves (net/ipv4/tcp_ipv4.c, tcp_v4_connect).
    fails(([224, 0, 0, 1], 80).into(), Request::get("/"), FailureKind::Unreachable).await;
}

#[tokio::test]
async fn status_and_content() {
    served(
        || Reply::Answer(503, Vec::new(), String::new()),
        FailureKind::Status(503),
    )
    .await;
    let server = Server::new(|_| ok("{\"error\": \"no database\"}"));
    fails(
        server.address,
        Request::get("/").contains("order"),
        FailureKind::Content,
    )
    .await;
}

#[tokio::test]
async fn another_services_pod_is_no_answer_though_it_is_a_200() {
    served(
        || Reply::Answer(200, vec![(SERVICE_HEADER, "carts".into())], String::new()),
        FailureKind::WrongService,
    )
    .await;
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_and_one_that_breaks_under_a_request_is_not() {
    // Closed behind the first answer: the second request finds it closed and is made on a new one, as a browser does. Where it was quicker
    // than the end of the connection it broke under it, which is the other half of this test.
    let idle = Server::new(|_| Reply::Last("x".into()));
    let two = |server: &Server| {
        let journey = journey(Request::get("/1")).step(Request::get("/2"));
        load(server).journey("a", journey)
    };
    let observed = run(two(&idle), millis(270), millis(2_000)).await;
    let slots = outcomes(&observed.seconds, 0);
    let good = slots.chars().filter(|outcome| *outcome == 'g').count();
    assert!(2 * good > slots.len(), "{slots}");
    assert_eq!(
        observed.connections as usize,
        slots.len() + good,
        "two connections for each good slot: {slots}"
    );
    let others: Vec<_> = failures(&observed.seconds)
        .into_iter()
        .filter(|it| *it != (1, FailureKind::Reset))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    // Closed when the second request has come: it may have been acted on, so it is not made again.
    let busy = Server::new(|asked| match asked.line.as_str() {
        "GET /1" => ok(""),
        _ => Reply::Bytes(""),
    });
    let observed = run(two(&busy), millis(270), millis(2_000)).await;
    assert_eq!(failures(&observed.seconds), [(1, FailureKind::Reset)]);
    assert_eq!(
        busy.requests(),
        2 * outcomes(&observed.seconds, 0).len(),
        "nothing was made again"
    );
}
