//! All services of a model on the loopback network, and a user.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::gate::{Gate, Mode};
use crate::model::application::{Application, Between};
use crate::model::cases::written;
use crate::model::wire;
use crate::standin::{Ended, Names, StandIn};

/// The port of every gate.
const PORT: u16 = 18_080;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

pub(super) struct World {
    app: Application,
    names: Names,
    entry: String,
    patience: Duration,
    places: BTreeMap<String, Place>,
    connection: Option<SendRequest<Full<Bytes>>>,
    cookies: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
}

struct Place {
    gate: Gate,
    run: Option<JoinHandle<Ended>>,
    /// Of the process behind the gate.
    server: Option<SocketAddr>,
}

impl World {
    pub(super) async fn start(
        model: &str,
        entry: &str,
        patience: Duration,
        forgotten: &[&String],
        address: impl Fn(u8) -> Ipv4Addr,
    ) -> Self {
        let app = Application::from_yaml(model).expect("a model");
        let mut places = BTreeMap::new();
        for (service, number) in app.services.keys().zip(0_u8..) {
            let gate = Gate::open((address(number), PORT).into());
            places.insert(
                service.clone(),
                Place {
                    gate,
                    run: None,
                    server: None,
                },
            );
        }
        let known = places.iter().filter(|(name, _)| !forgotten.contains(name));
        let names = Names::Fixed(known.map(|(name, place)| (name.clone(), place.gate.address)).collect());
        let mut world = Self {
            app,
            names,
            entry: entry.to_owned(),
            patience,
            places,
            connection: None,
            cookies: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        // Those first that wait for nobody.
        let mut services: Vec<_> = world.app.services.keys().cloned().collect();
        services.sort_by_key(|name| world.app.services[name].waits_for.len());
        for service in services {
            world.run(&service).await;
        }
        world
    }

    fn place(&mut self, service: &str) -> &mut Place {
        self.places.get_mut(service).expect("a service")
    }

    /// A new process, behind the gate.
    async fn run(&mut self, service: &str) {
        let stand_in = StandIn::new(&self.app, service)
            .expect("a model")
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .start(Between::default())
            .names(self.names.clone())
            .pod(format!("{service}-pod"));
        let (listens, address) = oneshot::channel();
        let run = tokio::spawn(async move {
            let told = |address| listens.send(address).expect("somebody who waits");
            stand_in.run(std::future::pending(), told).await.expect("a server")
        });
        let address = timeout(LONG, address).await.expect("soon").expect("an address");
        let place = self.place(service);
        place.run = Some(run);
        place.server = Some(address);
        place.gate.mode.send_replace(Mode::Pass(address));
        place.gate.settle().await;
    }

    async fn end(&mut self, service: &str) {
        if let Some(run) = self.place(service).run.take() {
            run.abort();
            let _ = run.await;
        }
        let gate = &self.place(service).gate;
        gate.mode.send_replace(Mode::Refuse);
        gate.settle().await;
    }

    pub(super) async fn refuse(&mut self, service: &str) {
        self.end(service).await;
    }

    pub(super) async fn restart(&mut self, service: &str) {
        self.end(service).await;
        self.run(service).await;
    }

    pub(super) fn silence(&mut self, service: &str) {
        self.place(service).gate.mode.send_replace(Mode::Silent);
    }

    pub(super) async fn heal(&mut self, service: &str) {
        let place = self.place(service);
        let silent = *place.gate.mode.borrow() == Mode::Silent;
        if let Some(server) = place.server.filter(|_| silent) {
            place.gate.mode.send_replace(Mode::Pass(server));
        } else {
            self.restart(service).await;
        }
    }

    /// Whether the process crashes, or has; then there is a new one.
    pub(super) async fn crashed(&mut self, service: &str) -> bool {
        let Some(run) = self.place(service).run.take() else {
            return false;
        };
        let ended = timeout(LONG, run).await;
        self.restart(service).await;
        matches!(ended, Ok(Ok(Ended::Crashed)))
    }

    /// What has ended without being asked.
    pub(super) fn unexpected(&self) -> impl Iterator<Item = &String> {
        let ended = |place: &Place| place.run.as_ref().is_some_and(JoinHandle::is_finished);
        self.places
            .iter()
            .filter(move |(_, place)| ended(place))
            .map(|(name, _)| name)
    }

    /// The user asks; the answer as the tables write it.
    pub(super) async fn ask(&mut self, request: &str, with: Option<&str>, gives: Option<&str>) -> String {
        let asked = timeout(self.patience, self.exchange(request, with))
            .await
            .ok()
            .flatten();
        let Some((status, headers)) = asked else {
            self.connection = None;
            return written(None);
        };
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a text");
            let (name, value) = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let text = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().expect("a text").to_owned())
        };
        assert_eq!(text(wire::SERVICE).as_ref(), Some(&self.entry), "{request}");
        assert_eq!(text(wire::POD), Some(format!("{}-pod", self.entry)), "{request}");
        if let Some(name) = gives {
            let value = text(name).unwrap_or_default();
            self.values.insert(name.to_owned(), value);
        }
        let items = text(wire::ITEMS).map(|items| items.parse().expect("a number"));
        written(Some((status, text(wire::CONTENT).unwrap_or_default(), items)))
    }

    async fn exchange(&mut self, request: &str, with: Option<&str>) -> Option<(u16, HeaderMap)> {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            let address = self.places[&self.entry].gate.address;
            let stream = TcpStream::connect(address).await.ok()?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "shop");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(name) = with {
            request = request.header("x-value", &self.values[name]);
        }
        let request = request.body(Full::default()).expect("a request");
        let connection = self.connection.as_mut()?;
        connection.ready().await.ok()?;
        let response = connection.send_request(request).await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let json = text_of(&headers).contains("json");
        assert!(
            !json || serde_json::from_slice::<serde_json::Value>(&body).is_ok(),
            "{body:?}"
        );
        Some((status, headers))
    }
}

fn text_of(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
}
