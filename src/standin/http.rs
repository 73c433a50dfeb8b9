//! HTTP/1.1: serving users and stand-ins, asking stand-ins.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answer;
use super::connection::Failed;
use super::message::{Answer, Ask, GIVEN, Reply, USER, VALUES, Values};
use super::process::Process;
use super::server::Work;
use crate::model::wire;

/// Bytes of a request's body; a longer one is answered 413.
const BODY: usize = 1024 * 1024;

/// Asks over a connection.
pub(super) async fn exchange(sender: &mut SendRequest<Full<Bytes>>, ask: &Ask) -> Result<Reply, Failed> {
    // The other end may have closed it.
    sender.ready().await.map_err(|_| Failed::Unsent)?;
    let request = request(ask).map_err(|_| Failed::Lost)?;
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        // Given back: it never left.
        Err(mut error) => {
            let unsent = error.take_message().is_some();
            return Err(if unsent { Failed::Unsent } else { Failed::Lost });
        }
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    response.into_body().collect().await.map_err(|_| Failed::Lost)?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Ok(Reply {
        status,
        content: text(wire::CONTENT).unwrap_or_default().to_owned(),
        items: text(wire::ITEMS).and_then(|items| items.parse().ok()),
        given: values(&headers, GIVEN),
        service: text(wire::SERVICE).unwrap_or_default().to_owned(),
        pod: text(wire::POD).unwrap_or_default().to_owned(),
    })
}

fn request(ask: &Ask) -> Result<Request<Full<Bytes>>, http::Error> {
    let (method, path) = ask.request.split_once(' ').unwrap_or(("GET", "/"));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "stand-in")
        .header(USER, &ask.user);
    if !ask.values.is_empty() {
        request = request.header(VALUES, json(&ask.values));
    }
    request.body(Full::default())
}

fn json(values: &Values) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

fn values(headers: &HeaderMap, name: &str) -> Values {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// Serves a connection until its other end closes it; one that is used when the process stops is closed after the answer.
pub(super) async fn serve(
    stream: TcpStream,
    work: Arc<Work>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let work = Arc::clone(&work);
        async move { Ok::<_, Infallible>(respond(request, &work).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended,
        _ = stopping.wait_for(|stops| *stops) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn respond(request: Request<Incoming>, work: &Arc<Work>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY).collect().await else {
        return written(&Answer::error(413, Values::new()), &work.process, None);
    };
    let line = format!("{} {}", parts.method, parts.uri.path());
    let known = parts.headers.get(USER).and_then(|user| user.to_str().ok());
    let (ask, new) = if let Some(user) = known {
        let ask = Ask {
            request: line,
            user: user.to_owned(),
            values: values(&parts.headers, VALUES),
        };
        (ask, None)
    } else {
        let cookie = cookie(&parts.headers, wire::USER_COOKIE).map(str::to_owned);
        let new = cookie.is_none().then(Process::new_user);
        let text = text(&parts.uri.to_string(), &parts.headers, &body.to_bytes());
        let ask = Ask {
            request: line,
            user: cookie.or_else(|| new.clone()).unwrap_or_default(),
            values: work.process.plan.book.carried(&text),
        };
        (ask, new)
    };
    let answer = work.answer(ask).await;
    written(&answer, &work.process, new.as_deref())
}

/// All of a request in which values may stand.
fn text(uri: &str, headers: &HeaderMap, body: &[u8]) -> String {
    let mut text = uri.to_owned();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = write!(text, "\n{name}: {value}");
        if let Some(basic) = value.strip_prefix("Basic ").and_then(base64) {
            let _ = write!(text, "\n{}", String::from_utf8_lossy(&basic));
        }
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(body));
    text
}

/// What base64 stands for (RFC 4648, section 4).
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    all.filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(known, value)| *known == name && !value.is_empty())
        .map(|(_, value)| value)
}

fn written(answer: &Answer, process: &Process, new_user: Option<&str>) -> Response<Full<Bytes>> {
    let written = answer::write(answer, &process.plan.book);
    let mut response = Response::new(Full::from(written.body));
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    let mut add = |name: &str, value: &str| {
        // What cannot stand in a header is left out; the model's own names were read from it.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    };
    add(wire::SERVICE, &process.plan.name);
    add(wire::POD, &process.pod);
    add(wire::CONTENT, &answer.content());
    if let Some(items) = answer.items {
        add(wire::ITEMS, &items.to_string());
    }
    if !answer.given.is_empty() {
        add(GIVEN, &json(&answer.given));
    }
    if let Some(kind) = written.content_type {
        add(header::CONTENT_TYPE.as_str(), kind);
    }
    let user = new_user.map(|user| (wire::USER_COOKIE, user));
    let cookies = written
        .cookies
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in user.into_iter().chain(cookies) {
        add(
            header::SET_COOKIE.as_str(),
            &format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax"),
        );
    }
    for (name, value) in &written.headers {
        add(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read() {
        assert_eq!(base64("YWRhOnNlY3JldA==").as_deref(), Some(&b"ada:secret"[..]));
        assert_eq!(base64("no base64!"), None);
    }
}
