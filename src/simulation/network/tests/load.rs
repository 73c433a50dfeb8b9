use super::rig::{Rig, anomalies, failed, good, outcomes, planned, shop, yaml};
use crate::model::application::Application;
use crate::model::history::FailureKind;
use crate::model::journey::Journey;
use crate::model::time::{Span, Time};
use crate::simulation::network::{InstallError, Network};

const CATALOGUE: &str = "
entry: front
rate: 20
timeout: 5s
steps: [{request: GET /catalogue, expect: {status: 200, body: {json: products}}}]
";

#[test]
fn a_healthy_shop_serves_every_slot_in_a_few_milliseconds() {
    let mut rig = Rig::new(1, 2).dns(2);
    rig.load(CATALOGUE);
    rig.until(60);
    let seconds = rig.results(60);
    assert_eq!((seconds.len(), planned(&seconds), good(&seconds)), (60, 1_200, 1_200));
    assert!(
        seconds
            .iter()
            .all(|second| second.slots == "20g" && second.failures.is_empty() && second.anomalies == 0)
    );
    let slowest = seconds
        .iter()
        .flat_map(|second| &second.latency)
        .map(|(bucket, _)| *bucket)
        .max();
    assert!(slowest.is_some_and(|bucket| bucket <= 16), "up to 16 ms: {slowest:?}");
    // Each slot: three requests and two look-ups.
    assert_eq!(rig.network.hops(), 1_200 * 5);
}

#[test]
fn slots_start_on_time_without_drift() {
    let mut rig = Rig::new(1, 1);
    rig.now = Time(700_001);
    rig.load("{entry: front, rate: 7, timeout: 5s, steps: [{request: GET /}]}");
    let seconds = rig.results(1_000);
    assert_eq!(planned(&seconds), (999_299_999_u64 * 7).div_ceil(1_000_000) as u32);
    assert!(seconds[1..seconds.len() - 1].iter().all(|second| second.planned == 7));
    assert_eq!(rig.network.seconds(), []);
}

#[test]
fn seconds_are_handed_out_once_all_their_slots_are_decided() {
    let mut rig = Rig::new(1, 1);
    rig.load(CATALOGUE);
    rig.until(3);
    assert_eq!(
        rig.network
            .drain_seconds()
            .iter()
            .map(|second| second.s)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let db = rig.pod("db", 0);
    rig.cut(db);
    rig.until(4);
    assert_eq!(rig.network.drain_seconds(), []);
    rig.network.finish(rig.now);
    let rest = rig.network.drain_seconds();
    assert_eq!(rest.iter().map(|second| second.s).collect::<Vec<_>>(), [3]);
    assert!(rest[0].slots.contains('u'), "{}", rest[0].slots);
}

#[test]
fn a_second_is_all_good_when_every_slot_of_it_went_well() {
    let mut rig = Rig::new(1, 1);
    rig.load(CATALOGUE);
    rig.until(3);
    let db = rig.pod("db", 0);
    rig.kill(db);
    rig.until(5);
    assert!(rig.network.all_good(0, 3));
    assert!(!rig.network.all_good(0, 4));
    assert!(!rig.network.all_good(0, 6), "not yet planned");
    assert_eq!(rig.network.drain_seconds().len(), 5);
    assert!(!rig.network.all_good(0, 3), "handed out");
}

#[test]
fn the_sock_shop_is_accepted_with_its_journeys() {
    let shop = Application::from_yaml(include_str!("../../../../fixtures/sockshop/model.yaml")).expect("a model");
    let mut network = Network::new(1);
    assert_eq!(network.install("sockshop", &shop), Ok(()));
    let path = network.path_of("sockshop", &shop.journeys["checkout"]);
    assert_eq!(path[0], "front-end");
    assert_eq!(path.len(), 12, "all but queue-master: {path:?}");
}

#[test]
fn a_relayed_error_fails_the_content_check_under_status_200() {
    let mut rig = Rig::new(1, 1);
    let db = rig.pod("db", 0);
    rig.kill(db);
    rig.load(CATALOGUE);
    let seconds = rig.results(10);
    assert_eq!(failed(&seconds, FailureKind::Content), 200);
}

#[test]
fn a_login_is_401_when_user_is_down() {
    let mut rig = Rig::new(1, 1);
    let user = rig.pod("user", 0);
    rig.kill(user);
    rig.load("{entry: front, rate: 5, timeout: 5s, steps: [{request: GET /login, expect: {status: 200}}]}");
    assert_eq!(failed(&rig.results(2), FailureKind::Status(401)), 10);
}

#[test]
fn of_calls_made_together_the_first_failure_in_list_order_decides() {
    let both = "{entry: front, rate: 5, timeout: 5s, steps: [{request: GET /both, expect: {status: 200}}]}";
    for (down, status) in [(vec!["user", "catalogue"], 501), (vec!["catalogue"], 502)] {
        let mut rig = Rig::new(1, 1);
        for service in down {
            let pod = rig.pod(service, 0);
            rig.kill(pod);
        }
        rig.load(both);
        assert_eq!(failed(&rig.results(2), FailureKind::Status(status)), 10);
    }
}

#[test]
fn an_unmet_step_without_expectation_does_not_end_the_journey() {
    let mut rig = Rig::new(1, 1);
    let catalogue = rig.pod("catalogue", 0);
    rig.kill(catalogue);
    rig.load("{entry: front, rate: 5, timeout: 5s, steps: [{request: GET /catalogue}, {request: GET /, expect: {status: 200, body: page}}]}");
    assert_eq!(outcomes(&rig.results(1)), "ggggg");
}

#[test]
fn an_assumed_image_answers_200_to_everything() {
    let mut rig = Rig::new(1, 1);
    let model = rig.network.assume_default("shop", "example/cache:2");
    assert_eq!(
        rig.network
            .assume_default("shop", "registry.example:5000/example/cache:2")
            .0,
        model.0 + 1
    );
    assert_eq!(rig.network.model_of("shop", "example/cache:3"), Some(model));
    let catalogue = rig.pod("catalogue", 0);
    if let Some(net) = rig.fabric.pods[catalogue.0 as usize].as_mut() {
        net.model = Some(model);
    }
    rig.load("{entry: front, rate: 5, timeout: 5s, steps: [{request: GET /catalogue, expect: {status: 200}}]}");
    assert_eq!(good(&rig.results(2)), 10);
}

#[test]
fn two_loads_after_each_other_are_both_recorded() {
    let mut rig = Rig::new(1, 1);
    rig.load(CATALOGUE);
    rig.until(2);
    rig.load(CATALOGUE);
    assert_eq!(planned(&rig.results(4)), 80);
}

#[test]
fn the_path_lists_services_in_the_order_of_need() {
    let rig = Rig::new(1, 1);
    let path = |steps: &str| {
        let journey: Journey = yaml(&format!("{{entry: front, rate: 1, timeout: 1s, steps: {steps}}}"));
        rig.network.path_of("shop", &journey).join(" ")
    };
    assert_eq!(path("[{request: GET /}]"), "front");
    assert_eq!(
        path("[{request: GET /login}, {request: POST /cart}]"),
        "front user catalogue db carts"
    );
}

#[test]
fn a_service_keeps_its_model_over_an_installation() {
    let mut network = Network::new(1);
    network.install("shop", &shop()).expect("the shop");
    let before: Vec<_> = ["example/front:1", "example/user", "docker.io/library/mongo:3.4"]
        .map(|image| network.model_of("shop", image))
        .into();
    network.install("shop", &shop()).expect("the shop");
    let after: Vec<_> = ["example/front:1", "example/user", "docker.io/library/mongo:3.4"]
        .map(|image| network.model_of("shop", image))
        .into();
    assert!(before.iter().all(Option::is_some));
    assert_eq!(before, after);
    assert_eq!(network.model_of("other", "example/user"), None);
    let mongo = network.model_for("shop", "mongo", "db").expect("a model");
    assert_eq!(
        (network.service_name(mongo), network.start_range(mongo)),
        ("db", (Span::secs(1), Span::secs(1)))
    );
}

#[test]
fn a_model_that_makes_no_sense_is_refused_by_name() {
    let refused = |text: &str| {
        let app: Application = yaml(&format!(
            "{{version: 1, name: a, services: {{a: {{images: [a], start: {{from: 0, to: 0}}, routes: [{{request: GET /, {text}}}]}}}}}}"
        ));
        Network::new(1).install("n", &app).expect_err("refused").to_string()
    };
    let here = "service `a`, route `GET /`";
    assert_eq!(
        refused("steps: [{call: {to: b, request: GET /}}]"),
        format!("{here}: service `b` is not described: add it under `services`")
    );
    assert_eq!(
        refused("steps: [{call: {to: a, request: POST /}}]"),
        format!("{here}: service `a` has no route that matches `POST /`")
    );
    assert_eq!(
        refused("steps: [{call: {to: a, request: nonsense}}]"),
        format!("{here}: `nonsense` is not a request: expected a method and a path such as `GET /catalogue`")
    );
    assert_eq!(
        refused("steps: [{store: add}]"),
        format!("{here}: a `store` step needs `store: true` on the service")
    );
    assert_eq!(
        refused("steps: [log-in]"),
        format!("{here}: `needs-login` and `log-in` need `sessions: true` on the service")
    );
    assert_eq!(
        refused("answer: 42"),
        format!("{here}: 42 is not an HTTP status: expected 100 to 599")
    );
    assert_eq!(
        refused("work: {from: 2s, to: 1s}"),
        format!("{here}: `from` is longer than `to`")
    );
    assert_eq!(
        refused("steps: [{call: {to: a, request: GET /}}]"),
        format!("{here}: its calls lead round in a circle")
    );
    let mut fast = shop();
    let mut journey: Journey = yaml(CATALOGUE);
    journey.rate = 10_001;
    fast.journeys.insert("fast".into(), journey);
    assert_eq!(
        Network::new(1).install("n", &fast),
        Err(InstallError::Rate {
            journey: "fast".into(),
            rate: 10_001
        })
    );
    assert_eq!(anomalies(&[]), 0);
}
