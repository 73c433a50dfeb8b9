//! Clients that mean no good: each gets what Kubernetes would give it, in bounded time and memory, and the others are served.

#![expect(clippy::disallowed_methods, reason = "how long a server takes is seen on the wall")]

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use super::rig::{Up, answer};

fn starts(answer: &str, with: &str) {
    assert!(answer.starts_with(with), "{answer}");
}

/// The most memory it has had, in KiB.
#[cfg(target_os = "linux")]
fn peak(up: &Up) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", up.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn without_the_token_there_is_nothing_but_health_and_version() {
    let up = Up::start(&[]);
    for path in ["/healthz", "/livez", "/readyz", "/version"] {
        starts(&up.ask(&format!("GET {path}"), &[], ""), "HTTP/1.1 200");
    }
    let right = up.bearer();
    let long = format!("{right}0");
    for authorization in [
        "",
        "Bearer",
        "Bearer 0",
        "Basic c3RlYWRmYXN0OjA=",
        &right[..right.len() - 1],
        &long,
    ] {
        for line in [
            "GET /api/v1/nodes",
            "GET /",
            "POST /version",
            "GET /healthzz",
            "DELETE /api/v1/namespaces/default",
        ] {
            let refused = up.ask(line, &[("Authorization", authorization)], "");
            starts(&refused, "HTTP/1.1 401");
            let status = r#""status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401"#;
            let fields = |text: &str| {
                let mut fields: Vec<String> = text.split(',').map(str::to_owned).collect();
                fields.sort();
                fields
            };
            let body = refused.split("\r\n\r\n").nth(1).unwrap().trim_matches(['{', '}']);
            for field in fields(status) {
                assert!(fields(body).contains(&field), "{field} in {refused}");
            }
        }
    }
    starts(&up.get("/api/v1/nodes"), "HTTP/1.1 200");
}

#[test]
fn a_long_body_is_refused_without_being_read() {
    let up = Up::start(&[]);
    let bearer = up.bearer();
    #[cfg(target_os = "linux")]
    let before = peak(&up);
    let megabyte = "x".repeat(1 << 20);
    let announced = up.ask(
        "POST /api/v1/namespaces/default/configmaps",
        &[("Authorization", &bearer), ("Content-Length", "20971520")],
        "",
    );
    starts(&announced, "HTTP/1.1 413");

    // 20 MB in chunks, whose sum nobody has announced.
    let mut stream = up.tls();
    let head = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {bearer}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..20 {
        // A server that has heard enough may hang up.
        if write!(stream, "100000\r\n{megabyte}\r\n").is_err() {
            break;
        }
    }
    let refused = answer(&mut stream);
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 413"), "{refused}");

    #[cfg(target_os = "linux")]
    {
        let grown = peak(&up) - before;
        assert!(grown < 16 * 1024, "{grown} KiB for a body that was refused");
    }
    starts(&up.get("/api/v1/nodes"), "HTTP/1.1 200");
}

#[test]
fn who_speaks_no_tls_is_told_so() {
    let up = Up::start(&[]);
    let mut stream = up.connect();
    stream
        .write_all(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(
        answer,
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    );

    // Noise, and noise that begins like a handshake.
    for noise in [vec![0xff; 4096], [&[0x16, 3, 1, 0x40, 0][..], &[0x5a; 8192]].concat()] {
        let mut stream = up.connect();
        let _ = stream.write_all(&noise);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 100, "{rest:?}");
    }
    starts(&up.get("/api/v1/nodes"), "HTTP/1.1 200");
}

#[test]
fn headers_are_bounded_in_number_and_length() {
    let up = Up::start(&[]);
    let bearer = up.bearer();
    let many: Vec<String> = (0..5_000).map(|number| format!("x-{number}")).collect();
    let mut headers: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    headers.push(("Authorization", &bearer));
    let refused = up.ask("GET /api/v1/nodes", &headers, "");
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");

    let long = "x".repeat(1 << 20);
    let refused = up.ask("GET /api/v1/nodes", &[("x", &long), ("Authorization", &bearer)], "");
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
    starts(&up.get("/api/v1/nodes"), "HTTP/1.1 200");
}

#[test]
fn idle_half_open_and_slow_clients_do_not_keep_others_out() {
    let up = Up::start(&[]);
    // Connected and silent; in the middle of a handshake; in the middle of a request, byte by byte.
    let idle: Vec<_> = (0..200).map(|_| up.connect()).collect();
    let half: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = up.connect();
            stream.write_all(&[0x16, 3, 1, 1, 0]).unwrap();
            stream
        })
        .collect();
    let mut slow: Vec<_> = (0..20).map(|_| up.tls()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /api/v1/nodes HTTP/1.1\r\nHost: loc").unwrap();
    }
    let start = Instant::now();
    starts(&up.get("/api/v1/nodes"), "HTTP/1.1 200");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop((half, slow));

    // Who stays silent is hung up on.
    let mut byte = [0];
    assert_eq!((&idle[0]).read(&mut byte).unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}
