//! A namespace on a kind cluster with an application model: pods in, what becomes of them out.

use std::sync::Arc;

use serde_json::{Value, json};
use steadfast::model::application::Application;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::{ApiStore as _, DeleteOptions, Part, Served, merge};
use steadfast::simulation::objects::resources::{NAMESPACES, RESOURCES};
use steadfast::simulation::world::World;

/// The namespace of everything here.
pub(super) const SPACE: &str = "shop";

/// How exactly times are looked at.
const STEP: Span = Span::millis(10);

pub(super) struct Scene {
    pub world: World,
}

impl Scene {
    /// A kind cluster, a minute old, whose images do what these services say (`name: { ... }` lines of a model).
    pub fn new(services: &str) -> Self {
        Self::aged(60.0, services)
    }

    /// The same, so many seconds old.
    pub fn aged(seconds: f64, services: &str) -> Self {
        let profile = Profile::built_in("kind").unwrap();
        let mut world = World::new(Arc::new(profile), 7);
        let space = json!({"metadata": {"name": SPACE}});
        world.create(NAMESPACES, space, false).unwrap();
        let mut scene = Self { world };
        scene.describe(services);
        scene.run(seconds);
        scene
    }

    pub fn describe(&mut self, services: &str) {
        if services.is_empty() {
            return;
        }
        let model = Application::from_yaml(&format!("version: 1\nname: it\nservices:\n{services}")).unwrap();
        self.world.describe(SPACE, &model).unwrap();
    }

    pub fn now(&self) -> f64 {
        self.world.now().0 as f64 / 1e6
    }

    pub fn run(&mut self, seconds: f64) {
        self.world.run_for(Span::micros((seconds * 1e6) as u64));
    }

    /// Lets time pass until something holds; the time in seconds.
    pub fn until(&mut self, what: &str, limit: f64, holds: impl Fn(&Self) -> bool) -> f64 {
        let end = self.world.now() + Span::micros((limit * 1e6) as u64);
        while !holds(self) {
            assert!(
                self.world.now() < end,
                "{what}: not within {limit} s; pods: {:#}",
                json!(self.pods())
            );
            self.world.run_for(STEP);
        }
        self.now()
    }

    pub fn create(&mut self, kind: &str, mut object: Value) {
        object["metadata"]["namespace"] = json!(SPACE);
        self.world.create(resource(kind), object, false).unwrap();
    }

    /// A pod `it` of this specification.
    pub fn pod(&mut self, spec: Value) {
        let labels = json!({"app": "it"});
        self.create(
            "Pod",
            json!({"metadata": {"name": "it", "labels": labels}, "spec": spec}),
        );
    }

    /// Merges a patch into an object, or says why not.
    pub fn patch(&mut self, kind: &str, name: &str, patch: &Value) -> Result<(), String> {
        let resource = resource(kind);
        let mut object = self.object(kind, name).unwrap();
        merge(&mut object, patch);
        let replaced = self.world.replace(resource, object, Part::Main, false);
        replaced.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Deletes an object; with this grace period, when there is one.
    pub fn delete(&mut self, kind: &str, name: &str, grace: Option<u64>) {
        let options = DeleteOptions {
            grace,
            ..DeleteOptions::default()
        };
        self.world.delete(resource(kind), Some(SPACE), name, &options).unwrap();
    }

    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let object = self.world.get(resource(kind), Some(SPACE), name)?;
        Some(object.body.project())
    }

    pub fn list(&self, kind: &str) -> Vec<Value> {
        let all = self.world.list(resource(kind), Some(SPACE));
        all.iter().map(|object| object.body.project()).collect()
    }

    pub fn pods(&self) -> Vec<Value> {
        self.list("Pod")
    }

    /// A pod's status.
    pub fn status(&self) -> Value {
        self.object("Pod", "it")
            .map_or(Value::Null, |mut pod| pod["status"].take())
    }

    pub fn phase(&self) -> String {
        self.status()["phase"].as_str().unwrap_or("").to_owned()
    }

    /// The status of a container of the pod.
    pub fn container(&self, name: &str) -> Value {
        let status = self.status();
        let lists = ["initContainerStatuses", "containerStatuses"];
        let all = lists
            .iter()
            .flat_map(|list| status[*list].as_array().cloned().unwrap_or_default());
        all.into_iter().find(|one| one["name"] == name).unwrap_or_default()
    }

    /// The state of a container in a word: its reason, or `Running`.
    pub fn state(&self, name: &str) -> String {
        let state = &self.container(name)["state"];
        let reason = |kind: &str| state[kind]["reason"].as_str().map(str::to_owned);
        if state["running"].is_object() {
            return "Running".to_owned();
        }
        reason("waiting").or_else(|| reason("terminated")).unwrap_or_default()
    }

    pub fn restarts(&self, name: &str) -> u64 {
        self.container(name)["restartCount"].as_u64().unwrap_or(0)
    }

    pub fn runs(&self, name: &str) -> bool {
        self.state(name) == "Running"
    }

    /// Whether a condition of the pod holds.
    pub fn holds(&self, condition: &str) -> bool {
        self.condition(condition)["status"] == "True"
    }

    pub fn condition(&self, kind: &str) -> Value {
        condition(&self.status(), kind)
    }

    pub fn ready(&self) -> bool {
        self.holds("Ready")
    }

    /// Messages of the events of a reason.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let all = self.list("Event");
        let of = all.iter().filter(|event| event["reason"] == reason);
        of.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The endpoints of a Service: ready, serving and terminating of each.
    pub fn endpoints(&self) -> Vec<(bool, bool, bool)> {
        let flags = |one: &Value| {
            let flag = |name: &str| one["conditions"][name] == true;
            (flag("ready"), flag("serving"), flag("terminating"))
        };
        let slices = self.list("EndpointSlice");
        slices
            .iter()
            .flat_map(|slice| slice["endpoints"].as_array().cloned().unwrap_or_default())
            .map(|one| flags(&one))
            .collect()
    }

    /// Whether the process behind the pod's address listens.
    pub fn listens(&self) -> bool {
        let row = self.world.store().pods.find(SPACE, "it");
        row.is_some_and(|row| self.world.listens(steadfast::simulation::fabric::PodId(row)))
    }
}

/// A condition among those of a status.
pub(super) fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["type"] == kind).unwrap_or_default()
}

fn resource(kind: &str) -> &'static Served {
    RESOURCES.iter().find(|resource| resource.kind == kind).unwrap()
}

/// Seconds between two times, of which the second comes a moment late: within a tenth of a second.
#[track_caller]
pub(super) fn about(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 0.1, "{found:.3} s, expected {expected} s");
}

/// Within bounds, in seconds.
#[track_caller]
pub(super) fn within(found: f64, from: f64, to: f64) {
    assert!((from..=to).contains(&found), "{found:.3} s, expected {from} to {to} s");
}
