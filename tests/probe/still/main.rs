//! A web server that answers 200 to everything, one thread per connection: small enough for an image that holds nothing else.
//! Compiled by `docker.rs` with `rustc` alone.

use std::io::{Read, Write};
use std::net::TcpListener;

fn main() {
    let listener = TcpListener::bind("0.0.0.0:80").expect("port 80");
    for mut stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut request = [0; 4096];
            if matches!(stream.read(&mut request), Ok(1..)) {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }
}
