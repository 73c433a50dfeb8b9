//! Journeys that carry values from one answer to the next request, and look into answers.

use super::rig::{Rig, failed, good, planned, yaml};
use crate::model::application::Application;
use crate::model::history::FailureKind;
use crate::model::journey::Journey;
use crate::simulation::network::{InstallError, Network};

/// A front that hands out tokens, good here alone or anywhere, and orders that need one; what orders answer is known.
const MODEL: &str = "
services:
  front:
    images: [example/front]
    routes:
      - { request: POST /login, gives: { token: this-process } }
      - { request: POST /signed, gives: { token: anywhere } }
      - { request: POST /remote, steps: [{ call: { to: auth, request: POST /tokens } }] }
      - { request: POST /broken, answer: 203, steps: [{ call: { to: auth, request: GET /nothing, error: relay } }], gives: { token: anywhere } }
      - request: GET /orders/{id}
        needs: [token]
        body: { sample: { id: 7, items: [1, 2, 3], state: open } }
      - { request: GET /deep, steps: [{ call: { to: auth, request: GET /mine, error: relay } }] }
      - { request: GET /text, body: { text: all is well } }
      - { request: GET /named, body: { json: products } }
  auth:
    images: [example/auth]
    routes:
      - { request: POST /tokens, gives: { token: anywhere } }
      - { request: GET /mine, needs: [token] }
      - { request: GET /nothing, answer: 500 }
  anything: {}
";

fn rig(replicas: u32) -> Rig {
    Rig::of(1, MODEL, replicas)
}

/// Ten seconds of a journey, twenty a second: how many were good, and how many failed in this way.
fn run(mut rig: Rig, journey: &str, kind: FailureKind) -> (u32, u32) {
    rig.load(journey);
    let seconds = rig.results(10);
    assert_eq!(planned(&seconds), 200);
    (good(&seconds), failed(&seconds, kind))
}

fn journey(connection: &str, steps: &str) -> String {
    format!("{{entry: front, rate: 20, timeout: 5s, connection: {connection}, steps: [{steps}]}}")
}

fn refused(steps: &str) -> InstallError {
    let mut network = Network::new(1);
    network.install("shop", &yaml::<Application>(MODEL)).expect("the model");
    let journey: Journey = yaml(&journey("fresh", steps));
    let fabric = crate::simulation::fabric::Fabric::default();
    network
        .start_load(
            crate::model::time::Time::ZERO,
            &fabric,
            "shop",
            &[("j".into(), journey)],
        )
        .expect_err("it is refused")
}

const ORDER: &str = "{request: 'GET /orders/7', auth: {bearer: '${token}'}, expect: {status: 200}}";

#[test]
fn a_token_that_is_good_anywhere_opens_every_replica_and_one_in_memory_opens_its_own() {
    let signed = format!("{{request: POST /signed, extract: {{token: {{json: /token}}}}}}, {ORDER}");
    assert_eq!(
        run(rig(3), &journey("fresh", &signed), FailureKind::Status(401)),
        (200, 0)
    );
    let own = format!("{{request: POST /login, extract: {{token: {{cookie: sid}}}}}}, {ORDER}");
    assert_eq!(
        run(rig(3), &journey("kept-alive", &own), FailureKind::Status(401)),
        (200, 0)
    );
    let (good, unknown) = run(rig(2), &journey("fresh", &own), FailureKind::Status(401));
    assert_eq!(good + unknown, 200);
    assert!((70..130).contains(&unknown), "half of 200: {unknown}");
}

#[test]
fn a_request_that_does_not_carry_the_token_is_answered_401_although_the_user_has_it() {
    let steps =
        "{request: POST /signed, extract: {token: {json: /token}}}, {request: GET /orders/7, expect: {status: 200}}";
    assert_eq!(
        run(rig(1), &journey("fresh", steps), FailureKind::Status(401)),
        (0, 200)
    );
    // And 401 may be what is expected.
    let steps = "{request: GET /orders/7, expect: {status: [401, 403]}}";
    assert_eq!(
        run(rig(1), &journey("fresh", steps), FailureKind::Status(401)),
        (200, 0)
    );
}

#[test]
fn what_a_called_service_gives_or_needs_counts() {
    let deep = "{request: POST /remote, extract: {token: {json: /t}}}, {request: GET /deep, auth: {bearer: '${token}'}, expect: {status: 200}}";
    assert_eq!(run(rig(2), &journey("fresh", deep), FailureKind::Status(401)), (200, 0));
    assert_eq!(
        run(rig(2), &journey("fresh", "GET /deep"), FailureKind::Status(401)),
        (0, 200)
    );
}

#[test]
fn an_answer_without_the_value_is_a_failure_of_its_content() {
    let steps = "{request: POST /broken, extract: {token: {json: /token}}}";
    assert_eq!(run(rig(1), &journey("fresh", steps), FailureKind::Content), (0, 200));
}

#[test]
fn values_known_from_the_start_and_such_as_stand_in_an_answer_are_carried() {
    let known = format!("{{entry: front, rate: 20, timeout: 5s, values: {{token: abc}}, steps: [{ORDER}]}}");
    assert_eq!(run(rig(2), &known, FailureKind::Status(401)), (200, 0));
    let shown = "{entry: front, rate: 20, timeout: 5s, values: {token: abc}, steps: [
        {request: GET /orders/7, auth: {bearer: '${token}'}, extract: {id: {json: /id}}}, {request: 'GET /text?of=${id}'}]}";
    assert_eq!(run(rig(2), shown, FailureKind::Content), (200, 0));
}

#[test]
fn checks_look_into_what_the_model_says_is_answered() {
    let order = |checks: &str| {
        format!(
            "{{entry: front, rate: 20, timeout: 5s, values: {{token: abc}}, steps: [{{request: GET /orders/7, auth: {{bearer: '${{token}}'}}, expect: {{{checks}}}}}]}}"
        )
    };
    let held = "json: [{at: /id, equals: 7}, {at: /items, count: 3}, {at: /state}], contains: open";
    assert_eq!(run(rig(1), &order(held), FailureKind::Content), (200, 0));
    assert_eq!(
        run(
            rig(1),
            &journey("fresh", "{request: GET /text, expect: {contains: well}}"),
            FailureKind::Content
        ),
        (200, 0)
    );
    // An error's body holds nothing.
    let any = "{request: GET /orders/7, expect: {status: [200, 401], json: [{at: /id}]}}";
    assert_eq!(run(rig(1), &journey("fresh", any), FailureKind::Content), (0, 200));
}

#[test]
fn what_cannot_be_interpreted_is_refused_when_the_load_is_started() {
    let text = |steps: &str| refused(steps).to_string();
    assert!(text("{request: GET /named, expect: {json: [{at: /0}]}}").contains("`sample` or `text`"));
    assert!(text("{request: GET /text, expect: {contains: ill}}").contains("step 0"));
    assert!(text("{request: GET /text, extract: {token: {json: /token}}}").contains("gives: { token: anywhere }"));
    let error = refused("{request: 'GET /orders/${id}'}");
    assert!(
        matches!(&error, InstallError::Template { source, .. } if source.to_string().contains("`id`")),
        "{error}"
    );
    assert!(matches!(
        refused("{request: 'GET /orders/${id'}"),
        InstallError::Template { .. }
    ));
    assert!(matches!(
        refused("{request: GET /text, timeout: 0s}"),
        InstallError::Timeout { .. }
    ));
    assert!(matches!(refused("{request: '*'}"), InstallError::RequestLine { .. }));
}

#[test]
fn a_step_has_a_limit_of_its_own() {
    let mut rig = rig(1);
    let front = rig.pod("front", 0);
    rig.cut(front);
    rig.load(&journey(
        "fresh",
        "{request: GET /text, timeout: 300ms, expect: {status: 200}}",
    ));
    let seconds = rig.results(2);
    let slowest: u32 = seconds.iter().map(|second| second.good).sum();
    assert_eq!(slowest, 0);
    assert_eq!(
        failed(&seconds, FailureKind::ConnectTimeout),
        40,
        "before the kernel sends its next SYN"
    );
}

#[test]
fn a_service_without_routes_answers_everything_and_is_known_by_its_name() {
    let mut network = Network::new(1);
    network.install("shop", &yaml::<Application>(MODEL)).expect("the model");
    let named = network.model_for("shop", "example/whatever:1", "anything");
    assert_eq!(
        named.map(|model| network.service_name(model).to_owned()),
        Some("anything".into())
    );
    assert_eq!(network.model_for("shop", "example.com/x/anything:1", "other"), named);
    assert_eq!(network.model_for("shop", "example/nothing:1", "other"), None);
    let mut rig = rig(1);
    rig.load("{entry: anything, rate: 20, timeout: 5s, steps: [GET /x/y, POST /z]}");
    assert_eq!(good(&rig.results(10)), 200);
}
