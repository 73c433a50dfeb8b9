//! The shop's fixtures hold the published facts: the manifests row by row, and a model that fits them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use steadfast::model::application::{Application, Between, Call, Over, Reaction, Route, Step};
use steadfast::model::journey::Connection;

const BASE: &str = include_str!("../fixtures/sockshop/sockshop-demo.yaml");
const HA: &str = include_str!("../fixtures/sockshop/sockshop-demo-ha.yaml");
const MODEL: &str = include_str!("../fixtures/sockshop/model.yaml");

/// One row of the table of the workshop's deployments.
struct Row {
    name: &'static str,
    image: &'static str,
    port: i32,
    read_only: bool,
    non_root: bool,
    /// The values of the HA manifest's required anti-affinity.
    apart_from: &'static [&'static str],
}

const fn row(
    name: &'static str,
    image: &'static str,
    port: i32,
    (read_only, non_root): (bool, bool),
    apart_from: &'static [&'static str],
) -> Row {
    Row {
        name,
        image,
        port,
        read_only,
        non_root,
        apart_from,
    }
}

const TABLE: [Row; 13] = [
    row(
        "front-end",
        "weaveworksdemos/front-end:0.3.12",
        8079,
        (true, true),
        &["front-end"],
    ),
    row(
        "catalogue",
        "weaveworksdemos/catalogue:0.3.5",
        80,
        (true, true),
        &["catalogue", "catalogue-db"],
    ),
    row(
        "catalogue-db",
        "weaveworksdemos/catalogue-db:0.3.0",
        3306,
        (false, false),
        &[],
    ),
    row(
        "carts",
        "weaveworksdemos/carts:0.4.8",
        80,
        (true, true),
        &["carts", "carts-db"],
    ),
    row("carts-db", "mongo", 27017, (true, false), &[]),
    row(
        "orders",
        "weaveworksdemos/orders:0.4.7",
        80,
        (true, true),
        &["orders", "orders-db"],
    ),
    row("orders-db", "mongo", 27017, (true, false), &[]),
    row(
        "payment",
        "weaveworksdemos/payment:0.4.3",
        80,
        (true, true),
        &["payment"],
    ),
    row(
        "shipping",
        "weaveworksdemos/shipping:0.4.8",
        80,
        (true, true),
        &["shipping"],
    ),
    row(
        "queue-master",
        "weaveworksdemos/queue-master:0.3.1",
        80,
        (false, false),
        &["queue-master", "shipping"],
    ),
    row(
        "rabbitmq",
        "rabbitmq:3.6.8-management",
        5672,
        (true, false),
        &["rabbitmq", "shipping"],
    ),
    row(
        "user",
        "weaveworksdemos/user:0.4.7",
        80,
        (true, true),
        &["user", "user-db"],
    ),
    row("user-db", "weaveworksdemos/user-db:0.4.0", 27017, (true, false), &[]),
];

// ---------------------------------------------------------------------------------------------- manifests

fn documents(manifest: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(manifest)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// The object as Kubernetes' own type; nothing written may be lost on the way, so a misspelt field is found.
fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<T, String> {
    let object: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&object).unwrap();
    if again == *document {
        Ok(object)
    } else {
        Err(format!("written\n{document:#}\nunderstood\n{again:#}"))
    }
}

fn objects<T: DeserializeOwned + Serialize>(manifest: &str, kind: &str) -> Vec<T> {
    documents(manifest)
        .iter()
        .filter(|document| document["kind"] == kind)
        .map(|document| typed(document).unwrap())
        .collect()
}

fn pod(deployment: &Deployment) -> &PodSpec {
    deployment.spec.template.spec.as_ref().unwrap()
}

fn container(deployment: &Deployment) -> &Container {
    let [container] = &pod(deployment).containers[..] else {
        panic!("one container")
    };
    container
}

#[test]
fn a_manifest_is_a_namespace_thirteen_deployments_and_thirteen_services() {
    for manifest in [BASE, HA] {
        let documents = documents(manifest);
        assert_eq!(documents.len(), 27);
        assert_eq!(
            documents[0],
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sockshop"}})
        );
        let names = |kind: &str| -> BTreeSet<String> {
            let of_kind = documents.iter().filter(|document| document["kind"] == kind);
            of_kind
                .map(|document| document["metadata"]["name"].as_str().unwrap().into())
                .collect()
        };
        let expected: BTreeSet<String> = TABLE.iter().map(|row| row.name.into()).collect();
        assert_eq!(names("Deployment"), expected);
        assert_eq!(names("Service"), expected);
    }
}

#[test]
fn a_misspelt_field_of_a_manifest_is_found() {
    assert!(typed::<Deployment>(&documents(BASE)[1]).is_ok());
    for (right, wrong) in [
        ("readOnlyRootFilesystem", "readonlyRootFilesystem"),
        ("nodeSelector", "nodeselector"),
    ] {
        assert!(
            typed::<Deployment>(&documents(&BASE.replace(right, wrong))[1])
                .unwrap_err()
                .contains(wrong)
        );
    }
}

#[test]
fn every_deployment_is_as_the_table_says() {
    for (manifest, replicas) in [(BASE, 1), (HA, 3)] {
        for (deployment, row) in objects::<Deployment>(manifest, "Deployment").iter().zip(TABLE) {
            let name = BTreeMap::from([("name".to_owned(), row.name.to_owned())]);
            let spec = &deployment.spec;
            assert_eq!(deployment.metadata.name.as_deref(), Some(row.name));
            assert_eq!(deployment.metadata.namespace.as_deref(), Some("sockshop"));
            assert_eq!(deployment.metadata.labels.as_ref(), Some(&name));
            assert_eq!(spec.selector.match_labels.as_ref(), Some(&name));
            assert_eq!(spec.template.metadata.as_ref().unwrap().labels.as_ref(), Some(&name));
            assert_eq!(spec.replicas, Some(replicas));
            assert_eq!(spec.strategy, None);

            let pod = pod(deployment);
            assert_eq!(
                pod.node_selector,
                Some([("kubernetes.io/os".to_owned(), "linux".to_owned())].into())
            );
            assert_eq!(
                (pod.topology_spread_constraints.as_ref(), pod.init_containers.as_ref()),
                (None, None)
            );

            let container = container(deployment);
            assert_eq!(container.image.as_deref(), Some(row.image));
            let ports: Vec<_> = container
                .ports
                .iter()
                .flatten()
                .map(|port| port.container_port)
                .collect();
            assert_eq!(ports, [row.port]);
            assert!(
                container.readiness_probe.is_none()
                    && container.liveness_probe.is_none()
                    && container.startup_probe.is_none()
            );

            let security = container.security_context.clone().unwrap_or_default();
            assert_eq!(
                security.read_only_root_filesystem,
                row.read_only.then_some(true),
                "{}",
                row.name
            );
            assert_eq!(security.run_as_non_root, row.non_root.then_some(true), "{}", row.name);
            assert_eq!(security.run_as_user, row.non_root.then_some(10001), "{}", row.name);
            let dropped = security.capabilities.and_then(|capabilities| capabilities.drop);
            assert_eq!(
                dropped.is_some_and(|dropped| dropped == ["ALL"]),
                row.read_only,
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn every_service_selects_its_deployment_and_only_the_front_end_is_reached_from_outside() {
    for manifest in [BASE, HA] {
        for (service, row) in objects::<Service>(manifest, "Service").iter().zip(TABLE) {
            let spec = service.spec.as_ref().unwrap();
            let name = BTreeMap::from([("name".to_owned(), row.name.to_owned())]);
            assert_eq!(service.metadata.name.as_deref(), Some(row.name));
            assert_eq!(service.metadata.namespace.as_deref(), Some("sockshop"));
            assert_eq!(spec.selector.as_ref(), Some(&name));
            let front_end = row.name == "front-end";
            assert_eq!(spec.type_.as_deref(), front_end.then_some("NodePort"));
            let port = ServicePort {
                port: if front_end { 80 } else { row.port },
                target_port: Some(IntOrString::Int(row.port)),
                node_port: front_end.then_some(30001),
                ..ServicePort::default()
            };
            assert_eq!(spec.ports.as_deref(), Some(&[port][..]), "{}", row.name);
        }
    }
}

#[test]
fn the_containers_have_the_published_environment_requests_and_volumes() {
    for manifest in [BASE, HA] {
        for deployment in objects::<Deployment>(manifest, "Deployment") {
            let container = container(&deployment);
            let name = container.name.as_str();
            let variables: Vec<_> = container
                .env
                .iter()
                .flatten()
                .map(|variable| variable.name.as_str())
                .collect();
            let expected: &[&str] = match name {
                "catalogue-db" => &["MYSQL_ROOT_PASSWORD", "MYSQL_DATABASE"],
                "carts" | "orders" | "shipping" => &["JAVA_OPTS"],
                "user" => &["MONGO_HOST"],
                _ => &[],
            };
            assert_eq!(variables, expected, "{name}");
            for variable in container.env.iter().flatten() {
                match variable.name.as_str() {
                    "JAVA_OPTS" => assert!(variable.value.as_ref().unwrap().starts_with("-Xms64m -Xmx128m ")),
                    "MONGO_HOST" => assert_eq!(variable.value.as_deref(), Some("user-db:27017")),
                    _ => {}
                }
            }
            let resources = container
                .resources
                .as_ref()
                .map(|resources| serde_json::to_value(resources).unwrap());
            let expected = (name == "front-end").then(|| json!({"requests": {"cpu": "100m", "memory": "100Mi"}}));
            assert_eq!(resources, expected, "{name}");

            // What cannot start on a read-only root without a writable /tmp: the JVMs and MongoDB.
            let volumes = pod(&deployment)
                .volumes
                .as_ref()
                .map(|volumes| serde_json::to_value(volumes).unwrap());
            let needs_tmp = ["carts", "carts-db", "orders", "orders-db", "shipping", "user-db"].contains(&name);
            assert_eq!(
                volumes,
                needs_tmp.then(|| json!([{"name": "tmp", "emptyDir": {"medium": "Memory"}}])),
                "{name}"
            );
        }
    }
}

#[test]
fn base_and_ha_differ_in_replicas_and_anti_affinity_alone() {
    let (mut base, mut ha) = (documents(BASE), documents(HA));
    assert_eq!(base.len(), ha.len());
    let mut apart = 0;
    for (base, ha) in base
        .iter_mut()
        .zip(&mut ha)
        .filter(|(base, _)| base["kind"] == "Deployment")
    {
        assert_eq!(
            (base["spec"]["replicas"].take(), ha["spec"]["replicas"].take()),
            (json!(1), json!(3))
        );
        let name = ha["metadata"]["name"].as_str().unwrap();
        let row = TABLE.iter().find(|row| row.name == name).unwrap();
        let expected = (!row.apart_from.is_empty()).then(|| {
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchExpressions": [{"key": "name", "operator": "In", "values": row.apart_from}]},
            }]}})
        });
        apart += usize::from(expected.is_some());
        assert_eq!(
            ha["spec"]["template"]["spec"]
                .as_object_mut()
                .unwrap()
                .remove("affinity"),
            expected
        );
    }
    assert_eq!(apart, 9);
    assert_eq!(base, ha);
}

// -------------------------------------------------------------------------------------------------- model

fn model() -> Application {
    Application::from_yaml(MODEL).unwrap()
}

fn calls(route: &Route) -> impl Iterator<Item = &Call> {
    route.steps.iter().flat_map(|step| match step {
        Step::Call(call) => std::slice::from_ref(call),
        Step::Together(calls) => calls,
        _ => &[],
    })
}

/// Whether a request is one that the route answers: method and path, `{any}` and a last `*` as wild cards.
fn answers(route: &Route, request: &str) -> bool {
    let (mut route, mut request) = (route.request.split([' ', '/']), request.split([' ', '/']));
    loop {
        match (route.next(), request.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => return true,
            (Some(pattern), Some(part)) if pattern == part || pattern.starts_with('{') => {}
            _ => return false,
        }
    }
}

fn route<'a>(model: &'a Application, service: &str, request: &str) -> &'a Route {
    let service = model
        .services
        .get(service)
        .unwrap_or_else(|| panic!("no service {service}"));
    let route = service.routes.iter().find(|route| answers(route, request));
    route.unwrap_or_else(|| panic!("no route for {request}"))
}

#[test]
fn every_service_of_the_manifests_has_a_model_of_its_image() {
    let model = model();
    assert_eq!(model.services.len(), TABLE.len());
    for row in TABLE {
        let repository = row.image.split(':').next().unwrap();
        assert!(
            model.services[row.name].images.iter().any(|image| image == repository),
            "{}",
            row.name
        );
    }
}

#[test]
fn services_that_share_an_image_behave_alike() {
    // A container's behaviour is found by its image, so it must not matter which of the services is found.
    let model = model();
    let mut by_image = BTreeMap::new();
    for service in model.services.values() {
        for image in &service.images {
            assert_eq!(by_image.entry(image).or_insert(service), &service, "{image}");
        }
    }
    assert_eq!(by_image.len(), 12);
}

#[test]
fn every_call_goes_to_a_route_that_exists() {
    let model = model();
    let mut seen = 0;
    for service in model.services.values() {
        for call in service.routes.iter().flat_map(calls) {
            route(&model, &call.to, &call.request);
            seen += 1;
        }
        for other in &service.waits_for {
            assert!(model.services.contains_key(other), "{other}");
        }
    }
    assert!(seen > 40, "{seen}");
    for journey in model.journeys.values() {
        for step in &journey.steps {
            route(&model, &journey.entry, &step.request);
        }
    }
}

#[test]
fn a_call_falls_into_the_route_that_was_meant() {
    let model = model();
    let request = |service, request| route(&model, service, request).request.as_str();
    assert_eq!(request("catalogue", "GET /catalogue/size"), "GET /catalogue/size");
    assert_eq!(request("catalogue", "GET /catalogue/1"), "GET /catalogue/{id}");
    assert_eq!(request("carts", "DELETE /carts/me"), "DELETE /carts/{customer}");
    assert_eq!(
        request("carts", "DELETE /carts/me/items/1"),
        "DELETE /carts/{customer}/items/{item}"
    );
    assert_eq!(request("front-end", "POST /cart/update"), "POST /cart/update");
    assert_eq!(request("user", "GET /customers/me/cards"), "GET /customers/{id}/cards");
}

#[test]
fn lengths_of_time_are_in_order() {
    fn in_order(name: &str, between: Between) {
        assert!(between.from <= between.to, "{name}");
    }
    for (name, service) in &model().services {
        in_order(name, service.start);
        in_order(name, service.shutdown);
        service
            .routes
            .iter()
            .for_each(|route| in_order(&route.request, route.work));
        assert!(
            !service.start.from.is_zero() && !service.shutdown.to.is_zero(),
            "{name}"
        );
        let jvm = ["carts", "orders", "shipping", "queue-master"].contains(&name.as_str());
        assert_eq!(service.start.from.as_secs() >= 50, jvm, "{name}");
        assert!(service.start.to.as_secs() <= if jvm { 120 } else { 10 }, "{name}");
    }
}

#[test]
fn stores_and_sessions_are_where_they_are_used() {
    for (name, service) in &model().services {
        let steps: Vec<_> = service.routes.iter().flat_map(|route| &route.steps).collect();
        assert_eq!(
            steps.iter().any(|step| matches!(step, Step::Store(_))),
            service.store,
            "{name}"
        );
        assert_eq!(service.store, name.ends_with("-db"), "{name}");
        assert_eq!(
            steps
                .iter()
                .any(|step| matches!(step, Step::LogIn | Step::NeedsLogin(_))),
            service.sessions,
            "{name}"
        );
        assert_eq!(service.sessions, name == "front-end", "{name}");
    }
}

#[test]
fn the_front_end_opens_a_connection_per_call_and_never_stops_waiting() {
    for call in model().services["front-end"].routes.iter().flat_map(calls) {
        assert_eq!((call.over, call.timeout), (Over::Fresh, None), "{}", call.request);
    }
}

#[test]
fn failures_of_the_front_ends_backends_are_answered_as_published() {
    use Reaction::{Answer, Crash, Ignore, Relay, RelayAs};
    let model = model();
    let reactions = |request| -> Vec<(&str, Reaction, Reaction)> {
        calls(route(&model, "front-end", request))
            .map(|call| (call.to.as_str(), call.unreachable, call.error))
            .collect()
    };
    for request in ["GET /", "GET /category.html", "GET /detail.html", "GET /basket.html"] {
        assert_eq!(reactions(request), []);
    }
    for request in ["GET /catalogue", "GET /catalogue/7", "GET /tags"] {
        assert_eq!(reactions(request), [("catalogue", Answer(500), RelayAs(200))]);
    }
    assert_eq!(
        reactions("GET /login"),
        [("user", Answer(401), Answer(401)), ("carts", Ignore, Ignore)]
    );
    assert_eq!(reactions("GET /cart"), [("carts", Answer(500), Relay)]);
    assert_eq!(reactions("DELETE /cart"), [("carts", Answer(500), Relay)]);
    for request in ["POST /cart", "POST /cart/update"] {
        assert_eq!(
            reactions(request),
            [("catalogue", Crash, Ignore), ("carts", Answer(500), Answer(500))]
        );
    }
    let order = reactions("POST /orders");
    assert_eq!(order.len(), 4);
    assert_eq!(order[0], ("user", Answer(500), Crash));
    assert_eq!(order[3], ("orders", Answer(500), Relay));
    for (request, status) in [
        ("POST /cart", 201),
        ("POST /cart/update", 202),
        ("GET /orders", 201),
        ("POST /orders", 201),
    ] {
        assert_eq!(route(&model, "front-end", request).answer, status, "{request}");
    }
}

#[test]
fn an_orders_item_count_is_read_from_the_store_of_carts() {
    // The count passes from the store up to the answer that the journey checks, without a gap.
    let model = model();
    let (mut service, mut request) = ("front-end", "POST /orders");
    loop {
        let route = route(&model, service, request);
        let counted: Vec<_> = calls(route).filter(|call| call.relay_count).collect();
        match &counted[..] {
            [call] => (service, request) = (&call.to, &call.request),
            _ => break,
        }
    }
    assert_eq!((service, request), ("carts-db", "GET /items"));
}

#[test]
fn checkout_is_the_nine_requests_of_the_load_test_and_browse_reads_content() {
    let model = model();
    let requests = |name: &str| -> Vec<&str> {
        model.journeys[name]
            .steps
            .iter()
            .map(|step| step.request.as_str())
            .collect()
    };
    assert_eq!(requests("browse"), ["GET /", "GET /catalogue", "GET /detail.html"]);
    assert_eq!(
        requests("checkout"),
        [
            "GET /catalogue",
            "GET /",
            "GET /login",
            "GET /category.html",
            "GET /detail.html",
            "DELETE /cart",
            "POST /cart",
            "GET /basket.html",
            "POST /orders",
        ]
    );
    assert_eq!(model.journeys["checkout"].items, Some(1));
    assert_eq!(model.journeys["browse"].items, None);
    for journey in model.journeys.values() {
        assert_eq!(
            (journey.rate, journey.timeout.as_secs(), journey.connection),
            (10, 5, Connection::KeptAlive)
        );
        for step in &journey.steps {
            // What a working shop answers is what the journey expects.
            let route = route(&model, &journey.entry, &step.request);
            let Some(expect) = &step.expect else { continue };
            assert_eq!(expect.status, route.answer, "{}", step.request);
            assert!(
                expect.body.as_ref().is_none_or(|body| *body == route.body),
                "{}",
                step.request
            );
        }
    }
    let free: Vec<_> = model.journeys["checkout"]
        .steps
        .iter()
        .filter(|step| step.expect.is_none())
        .map(|step| &step.request)
        .collect();
    assert_eq!(free, ["DELETE /cart", "POST /cart"]);
}
