//! A cluster on the bench: manifests in, objects out, faults in between.

use std::sync::Arc;

use serde_json::{Value, json};
use steadfast::model::fault::Mode;
use steadfast::model::profile::Profile;
use steadfast::model::time::Span;
use steadfast::simulation::api::{ApiError, ApiStore as _, DeleteOptions, Part, Propagation, Served, merge};
use steadfast::simulation::objects::resources::{NAMESPACES, RESOURCES};
use steadfast::simulation::world::World;

/// The namespace of everything on the bench.
pub(super) const SPACE: &str = "shop";

/// A world with one namespace.
pub(super) struct Bench {
    pub world: World,
}

impl Bench {
    /// A kind cluster of four workers, its own pods running.
    pub fn kind(seed: u64) -> Self {
        Self::of("kind", seed)
    }

    pub fn of(profile: &str, seed: u64) -> Self {
        let mut world = World::new(Arc::new(Profile::built_in(profile).unwrap()), seed);
        world
            .create(NAMESPACES, json!({"metadata": {"name": SPACE}}), false)
            .unwrap();
        let mut bench = Self { world };
        bench.run(20);
        bench
    }

    /// Lets seconds pass.
    pub fn run(&mut self, seconds: u64) {
        self.world.run_for(Span::secs(seconds));
    }

    /// Lets time pass until something holds, looking every tenth of a second; the seconds that it took.
    pub fn until(&mut self, what: &str, limit: u64, holds: impl Fn(&Self) -> bool) -> f64 {
        for tenths in 0..=limit * 10 {
            if holds(self) {
                return tenths as f64 / 10.0;
            }
            self.world.run_for(Span::millis(100));
        }
        panic!("{what}: not within {limit} s");
    }

    /// Creates an object, or says why not.
    pub fn try_create(&mut self, mut object: Value) -> Result<(), ApiError> {
        let resource = resource(object["kind"].as_str().unwrap());
        if resource.namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!(SPACE);
        }
        self.world.create(resource, object, false).map(|_| ())
    }

    pub fn create(&mut self, object: Value) {
        self.try_create(object).unwrap();
    }

    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.world
            .get(resource(kind), Some(SPACE), name)
            .map(|object| object.body.project())
    }

    /// An object that must exist.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        self.object(kind, name).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// All objects of a kind in the namespace (of a kind without namespaces: all).
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let resource = resource(kind);
        let space = resource.namespaced.then_some(SPACE);
        let all = self.world.list(resource, space);
        all.iter().map(|object| object.body.project()).collect()
    }

    /// Names of all objects of a kind.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let text = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
        self.list(kind).iter().map(text).collect()
    }

    /// Merges a patch into an object, or says why not.
    pub fn try_patch(&mut self, kind: &str, name: &str, patch: &Value) -> Result<(), ApiError> {
        let mut object = self.get(kind, name);
        merge(&mut object, patch);
        let resource = resource(kind);
        self.world.replace(resource, object, Part::Main, false).map(|_| ())
    }

    pub fn patch(&mut self, kind: &str, name: &str, patch: &Value) {
        self.try_patch(kind, name, patch).unwrap();
    }

    pub fn delete(&mut self, kind: &str, name: &str) {
        self.delete_with(kind, name, &DeleteOptions::default());
    }

    pub fn delete_in(&mut self, kind: &str, name: &str, propagation: Propagation) {
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        self.delete_with(kind, name, &options);
    }

    pub fn delete_with(&mut self, kind: &str, name: &str, options: &DeleteOptions) {
        let resource = resource(kind);
        self.world.delete(resource, Some(SPACE), name, options).unwrap();
    }

    /// Makes a node fail.
    pub fn fail(&mut self, mode: Mode, node: &str) {
        self.world.inject(mode, &[node.to_owned()]);
    }

    /// The node of a pod.
    pub fn node_of(&self, pod: &str) -> String {
        self.get("Pod", pod)["spec"]["nodeName"].as_str().unwrap().to_owned()
    }

    /// Pods that are Ready and not being deleted.
    pub fn ready(&self) -> Vec<String> {
        let all = self.list("Pod");
        let ready = all.iter().filter(|pod| is_ready(pod) && !is_leaving(pod));
        ready
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The messages of the Events with a reason.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let all = self.list("Event");
        let those = all.iter().filter(|event| event["reason"] == reason);
        those
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub(super) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|it| it["status"] == "True")
}

pub(super) fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// A condition of an object's status.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = object["status"]["conditions"].as_array()?;
    all.iter().find(|condition| condition["type"] == kind)
}

fn resource(kind: &str) -> &'static Served {
    RESOURCES.iter().find(|resource| resource.kind == kind).unwrap()
}

/// A workload of one container whose pods carry the label `app`.
pub(super) fn workload(kind: &str, name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
        },
    })
}

pub(super) fn template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "example/app:1"}], "terminationGracePeriodSeconds": 5},
    })
}

/// Part of the bench whether a case reads events or not.
const _: fn(&Bench, &str) -> Vec<String> = Bench::events;
