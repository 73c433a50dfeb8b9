//! What a user sends: cookies, values, checks, connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use steadfast::model::history::FailureKind;
use steadfast::model::journey::{Connection, Journey, Request, Source};
use steadfast::probe::{Entry, Load, POD_HEADER, Probe, ProbeError, SERVICE_HEADER};

use super::rig::{failures, fresh, load, millis, now, outcomes, run};
use super::server::{Asked, Reply, Server, ok};

const MOMENT: Duration = millis(270);
const DRAIN: Duration = millis(5_000);

#[tokio::test]
async fn a_user_keeps_cookies_values_and_one_connection() {
    let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let log = Arc::clone(&seen);
    let server = Server::new(move |asked| {
        log.lock().unwrap().push(asked.clone());
        match asked.line.as_str() {
            "POST /login" => Reply::Answer(
                200,
                vec![
                    ("set-cookie", format!("sid={}; Path=/", asked.connection)),
                    (SERVICE_HEADER, "web".into()),
                    (POD_HEADER, "web-1".into()),
                ],
                json!({"token": format!("t{}", asked.connection)}).to_string(),
            ),
            line if line == format!("GET /carts/t{}/items?of=ada", asked.connection) => ok("[1, 2]"),
            "POST /orders" => Reply::Answer(201, Vec::new(), json!({"items": [7]}).to_string()),
            _ => Reply::Answer(404, Vec::new(), String::new()),
        }
    });
    let mut order = Journey::through("web")
        .rate(20)
        .value("user", "ada")
        .step(
            Request::post("/login")
                .form([("name", "${user}"), ("word", "a b&c")])
                .basic("${user}", "secret")
                .has("/token")
                .extract("token", Source::Json("/token".into()))
                .extract("session", Source::Cookie("sid".into())),
        )
        .step(Request::get("/carts/${token}/items?of=${user}").bearer("${token}"))
        .step(
            Request::post("/orders")
                .header("X-Session", "${session}")
                .json(json!({"by": "${user}", "lines": [1, "${token}"]}))
                .status(201),
        );
    order.items = Some(1);
    let load = Load::through(Entry::at(server.address).host("shop.example")).journey("order", order);
    let observed = run(load, MOMENT, DRAIN).await;
    let slots = outcomes(&observed.seconds, 0);
    assert!(
        slots.len() >= 3 && slots.chars().all(|outcome| outcome == 'g'),
        "{slots} {:?}",
        observed.seconds
    );
    assert!(observed.seconds.iter().all(|second| second.anomalies == 0));
    assert_eq!(server.connections(), slots.len(), "one connection for each slot");
    assert_eq!(observed.connections, slots.len() as u64);
    assert_eq!(
        observed.answered_by.into_iter().collect::<Vec<_>>(),
        [("web-1".to_owned(), slots.len() as u64)]
    );
    let seen = seen.lock().unwrap();
    for asked in seen.iter() {
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        assert_eq!(header("host"), Some("shop.example"));
        let cookie = format!("sid={}", asked.connection);
        match asked.line.as_str() {
            "POST /login" => {
                assert_eq!(header("cookie"), None, "every user has a jar of its own");
                assert_eq!(header("authorization"), Some("Basic YWRhOnNlY3JldA=="));
                assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
                assert_eq!(asked.body, "name=ada&word=a+b%26c");
            }
            "POST /orders" => {
                assert_eq!(header("cookie"), Some(&*cookie));
                assert_eq!(header("x-session"), Some(&*asked.connection.to_string()));
                assert_eq!(header("content-type"), Some("application/json"));
                assert_eq!(
                    asked.body,
                    format!("{{\"by\":\"ada\",\"lines\":[1,\"t{}\"]}}", asked.connection)
                );
            }
            _ => {
                assert_eq!(header("cookie"), Some(&*cookie));
                assert_eq!(header("authorization"), Some(&*format!("Bearer t{}", asked.connection)));
            }
        }
    }
}

#[tokio::test]
async fn another_count_of_items_is_an_anomaly_of_a_good_slot() {
    let server = Server::new(|_| ok("{\"items\": [1, 2]}"));
    let mut journey = fresh(20);
    journey.items = Some(1);
    let observed = run(load(&server).journey("a", journey), MOMENT, DRAIN).await;
    let (good, anomalies) = observed.seconds.iter().fold((0, 0), |(good, anomalies), second| {
        (good + second.good, anomalies + second.anomalies)
    });
    assert!(good >= 3);
    assert_eq!(anomalies, good);
}

#[tokio::test]
async fn a_step_without_expectations_does_not_end_a_journey_and_one_whose_value_is_missing_does() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /reset" => Reply::Reset,
        "GET /500" => Reply::Answer(500, Vec::new(), String::new()),
        _ => ok("{}"),
    });
    let anyhow = |line: &str| Request {
        request: line.into(),
        ..Request::default()
    };
    let goes_on = Journey::through("web")
        .rate(20)
        .step(anyhow("GET /reset"))
        .step(anyhow("GET /500"))
        .step(Request::get("/"));
    let ends = Journey::through("web")
        .rate(20)
        .step(Request::get("/"))
        .step(anyhow("GET /").extract("token", Source::Json("/token".into())));
    let observed = run(
        load(&server).journey("goes on", goes_on).journey("ends", ends),
        MOMENT,
        DRAIN,
    )
    .await;
    assert!(outcomes(&observed.seconds, 0).chars().all(|outcome| outcome == 'g'));
    assert!(outcomes(&observed.seconds, 1).chars().all(|outcome| outcome == 'f'));
    assert_eq!(failures(&observed.seconds), [(1, FailureKind::Content)]);
}

#[tokio::test]
async fn connections_are_fresh_kept_in_a_slot_or_standing_as_the_load_says() {
    let server = || Server::new(|_| ok("x"));
    let three = |connection| {
        let journey = Journey::through("web").rate(20).connection(connection);
        journey
            .step(Request::get("/1"))
            .step(Request::get("/2"))
            .step(Request::get("/3"))
    };
    let (fresh, kept, standing) = (server(), server(), server());
    let slots = |observed: &steadfast::probe::Observed| {
        let slots = outcomes(&observed.seconds, 0);
        assert!(
            slots.len() >= 3 && slots.chars().all(|outcome| outcome == 'g'),
            "{slots}"
        );
        slots.len()
    };
    let observed = run(load(&fresh).journey("a", three(Connection::Fresh)), MOMENT, DRAIN).await;
    assert_eq!(fresh.connections(), 3 * slots(&observed));
    let observed = run(load(&kept).journey("a", three(Connection::KeptAlive)), MOMENT, DRAIN).await;
    assert_eq!(kept.connections(), slots(&observed));
    let observed = run(
        load(&standing).standing("a", three(Connection::KeptAlive)),
        MOMENT,
        DRAIN,
    )
    .await;
    let slots = slots(&observed);
    assert!(
        standing.connections() < slots,
        "{} connections for {slots} slots",
        standing.connections()
    );
    assert_eq!(standing.requests(), 3 * slots);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = Server::new(|asked| match asked.line.as_str() {
        "GET /" => Reply::Answer(302, vec![("location", "/there".into())], String::new()),
        _ => Reply::Answer(500, Vec::new(), String::new()),
    });
    let observed = run(load(&server).journey("a", fresh(20)), MOMENT, DRAIN).await;
    let slots = outcomes(&observed.seconds, 0);
    assert!(slots.chars().all(|outcome| outcome == 'g'), "{slots}");
    assert_eq!(server.requests(), slots.len());
}

#[test]
fn what_cannot_be_run_is_refused_before_the_first_slot() {
    let entry = || Load::through(Entry::at(([127, 0, 0, 1], 9).into()));
    let refused = |load: Load| Probe::start(load, now()).unwrap_err().to_string();
    let one = |step: Request| refused(entry().journey("a", Journey::through("web").step(step)));
    let cases = [
        (refused(entry()), "the load has no journey: expected at least one"),
        (
            refused(entry().journey("a", fresh(1)).journey("a", fresh(1))),
            "two journeys are called `a`: give each a name of its own",
        ),
        (
            refused(entry().journey("a", fresh(0))),
            "journey `a`: rate 0 is out of range: expected 1 to 10,000 per second",
        ),
        (
            refused(entry().journey("a", fresh(1)).cap(0)),
            "a cap of 0 slots in flight sends none: expected at least 1",
        ),
        (
            refused(entry().journey("a", Journey::through("web"))),
            "journey `a`: no steps: expected at least one request",
        ),
        (
            refused(entry().journey("a", fresh(1).timeout(Duration::ZERO))),
            "journey `a`, step 0: a time-out of zero: expected more",
        ),
        (
            one(Request::new("get /")),
            "journey `a`, step 0: `get /` is not a request: expected a method and a path such as `GET /catalogue`",
        ),
        (
            one(Request::get("/${x}")),
            "journey `a`, step 0: a value cannot be put in",
        ),
        (
            one(Request::get("/").extract("x", Source::Regex("(".into()))),
            "journey `a`, step 0: a value cannot be looked for",
        ),
        (
            one(Request::get("/").header("a b", "c")),
            "journey `a`, step 0: `a b` is not a header that can be sent: expected a name and a value as RFC 9110 allows them",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let error = Probe::start(entry().journey("a", fresh(10_001)), now()).unwrap_err();
    assert!(matches!(error, ProbeError::Rate { rate: 10_001, .. }));
}
