use serde_json::json;

use super::*;

/// An error with its causes.
fn said(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", said(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Reads YAML as journey files are read.
fn read(text: &str) -> Result<Journeys, String> {
    Journeys::from_yaml(text).map_err(|error| said(&error))
}

const ORDER: &str = "
journeys:
  order:
    entry: web
    values: { user: ada }
    steps:
      - GET /
      - request: POST /login
        body: { form: { name: '${user}', password: secret } }
        expect: { status: [200, 3xx], json: [{ at: /token }, { at: /roles, count: 2 }, { at: /ok, equals: true }] }
        extract: { token: { json: /token }, csrf: { header: X-Csrf } }
      - request: POST /orders/${user}
        headers: { X-Csrf: '${csrf}' }
        auth: { bearer: '${token}' }
        body: { json: { note: 'costs $${5}', by: ['${user}'] } }
        timeout: 2s
        expect: { status: 201, contains: order }
";

#[test]
fn a_journey_in_yaml_is_the_one_that_the_builder_makes() {
    let built = Journey::through("web")
        .value("user", "ada")
        .step(Request::get("/"))
        .step(
            Request::post("/login")
                .form([("name", "${user}"), ("password", "secret")])
                .status(Statuses(vec![
                    StatusRange { from: 200, to: 200 },
                    StatusRange { from: 300, to: 399 },
                ]))
                .has("/token")
                .counts("/roles", 2)
                .equals("/ok", true)
                .extract("token", Source::Json("/token".into()))
                .extract("csrf", Source::Header("X-Csrf".into())),
        )
        .step(
            Request::post("/orders/${user}")
                .header("X-Csrf", "${csrf}")
                .bearer("${token}")
                .json(json!({"note": "costs $${5}", "by": ["${user}"]}))
                .timeout(Duration::from_secs(2))
                .status(201)
                .contains("order"),
        );
    let read = read(ORDER).unwrap();
    assert_eq!(read.journeys["order"], built);
    assert_eq!(built.rate, 10);
    assert_eq!(built.steps[2].uses().unwrap(), ["user", "csrf", "token", "user"]);
}

#[test]
fn what_is_written_is_read_back() {
    let journeys = read(ORDER).unwrap();
    let mut text = Vec::new();
    let mut out = serde_yaml::Serializer::new(&mut text);
    serde_yaml::with::singleton_map_recursive::serialize(&journeys, &mut out).unwrap();
    drop(out);
    assert_eq!(read(std::str::from_utf8(&text).unwrap()).unwrap(), journeys);
}

#[test]
fn a_misspelt_field_and_a_wrong_status_are_named() {
    let cause = read(&ORDER.replace("extract:", "extrakt:")).unwrap_err();
    assert!(cause.contains("extrakt"), "{cause}");
    let cause = read(&ORDER.replace("3xx", "7xx")).unwrap_err();
    assert!(cause.contains("7xx"), "{cause}");
    let cause = read(&ORDER.replace("status: 201", "status: 70000")).unwrap_err();
    assert!(cause.contains("100 to 599"), "{cause}");
}

#[test]
fn values_are_put_into_templates_and_what_is_none_is_refused() {
    let values = [("a".to_owned(), "1".to_owned())].into();
    assert_eq!(fill("x${a}y${a}", &values).unwrap(), "x1y1");
    assert_eq!(fill("cost: $${a} $5", &values).unwrap(), "cost: ${a} $5");
    assert_eq!(fill("${b}", &values), Err(TemplateError::Unknown("b".into())));
    assert_eq!(fill("${a", &values), Err(TemplateError::Open("${a".into())));
    assert_eq!(fill("${}", &values), Err(TemplateError::Name(String::new())));
    assert_eq!(names("${a}/${b-2}").unwrap(), ["a", "b-2"]);
}

#[test]
fn checks_look_into_a_body() {
    let expect = Expect {
        json: vec![JsonCheck {
            at: "/items".into(),
            equals: None,
            count: Some(2),
        }],
        contains: Some("sock".into()),
        ..Expect::default()
    };
    assert!(expect.holds_for(r#"{"items": ["sock", 1]}"#));
    assert!(!expect.holds_for(r#"{"items": ["sock"]}"#));
    assert!(!expect.holds_for(r#"{"items": [1, 2]}"#));
    assert!(!expect.holds_for("sock"));
    assert_eq!(find(&json!({"id": 7}), "/id"), Some("7".into()));
    assert_eq!(find(&json!({"id": null}), "/id"), None);
}
