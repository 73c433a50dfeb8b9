//! The setup that was measured on kind: `single` on the victim, `triple` spread by hostname with one replica there, too.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use steadfast::NodeFailure;
use steadfast::Verdict;
use steadfast::app::manifest::Manifest;
use steadfast::model::application::Application;
use steadfast::model::experiment::{Afterwards, Plan};
use steadfast::model::history::{Event, FailureKind, History, Second, What};
use steadfast::model::journey::Journey;
use steadfast::model::profile::Profile;
use steadfast::model::time::{Span, Time};
use steadfast::simulation::objects::node::Node;
use steadfast::simulation::objects::pod::Pod;
use steadfast::simulation::objects::service::Endpoint;
use steadfast::simulation::objects::table::Row;
use steadfast::simulation::world::World;
use steadfast::survey::Stage;

pub(crate) const SPACE: &str = "pair";

pub(crate) static KIND: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::built_in("kind").unwrap()));

/// One Deployment with its Service; `affinity` as YAML.
pub(crate) fn deployment(name: &str, replicas: u32, affinity: &str) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name}, namespace: {SPACE} }}
spec:
  replicas: {replicas}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      affinity: {affinity}
      containers: [{{ name: web, image: example/{name} }}]
---
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: {SPACE} }}
spec: {{ selector: {{ app: {name} }}, ports: [{{ port: 80 }}] }}
"
    )
}

/// Required (anti-)affinity by hostname to pods of an app.
pub(crate) fn required(kind: &str, app: &str) -> String {
    format!(
        "{{ {kind}: {{ requiredDuringSchedulingIgnoredDuringExecution: [{{ topologyKey: kubernetes.io/hostname, \
         labelSelector: {{ matchLabels: {{ app: {app} }} }} }}] }} }}"
    )
}

fn pair(probe: &str) -> Manifest {
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {SPACE} }}\n");
    write!(
        text,
        "{}{}",
        deployment("single", 1, &required("podAffinity", "triple")),
        deployment("triple", 3, &required("podAntiAffinity", "triple")),
    )
    .unwrap();
    let container = "containers: [{ name: web,";
    let text = text.replace(container, &format!("{container} {probe}"));
    Manifest::parse(&text, "pair").unwrap()
}

static PAIR: LazyLock<Manifest> = LazyLock::new(|| pair(""));

/// As the pods were measured: a readiness probe with the default period of 10 s.
static PROBED: LazyLock<Manifest> = LazyLock::new(|| pair("readinessProbe: { httpGet: { path: /, port: 80 } },"));

/// `start` is from the start of the process until it listens. Every service says who it is, and the journeys look at it: an answer
/// of 200 from another's pod is a failure of its content.
fn model(start: &str) -> Application {
    let mut text = "version: 1\nname: pair\nservices:\n".to_owned();
    for name in ["single", "triple"] {
        writeln!(
            text,
            "  {name}: {{ images: [example/{name}], start: {start}, routes: [{{ request: GET /, body: {{ text: {name} }} }}] }}"
        )
        .unwrap();
    }
    text.push_str("journeys:\n");
    for name in ["single", "triple"] {
        writeln!(
            text,
            "  {name}: {{ entry: {name}, rate: 20, timeout: 5s, connection: fresh, steps: [{{ request: GET /, \
             expect: {{ status: 200, contains: {name} }} }}] }}"
        )
        .unwrap();
    }
    Application::from_yaml(&text).unwrap()
}

static MODEL: LazyLock<Application> = LazyLock::new(|| model("{ from: 0, to: 0 }"));

/// Now and then the kubelet's first look comes before the process listens.
static PROBED_MODEL: LazyLock<Application> = LazyLock::new(|| model("{ from: 0ms, to: 100ms }"));

/// A world under load whose victim has just failed, and how to look at it.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) world: World,
    /// The node of `single`.
    pub(crate) victim: String,
    /// The pod of `single` that ran there, and that of `triple`.
    pub(crate) single: String,
    pub(crate) triple: String,
    pub(crate) injected: Time,
}

impl Scene {
    /// The setup after ten seconds of load; `fail` strikes.
    pub(crate) fn new(profile: &Arc<Profile>, seed: u64, fail: impl FnOnce(&mut World, &str)) -> Self {
        Self::of(&PAIR, &MODEL, profile, seed, fail)
    }

    /// The same with the readiness probes that the measured pods had.
    pub(crate) fn probed(profile: &Arc<Profile>, seed: u64, fail: impl FnOnce(&mut World, &str)) -> Self {
        Self::of(&PROBED, &PROBED_MODEL, profile, seed, fail)
    }

    fn of(
        manifest: &Manifest,
        model: &Application,
        profile: &Arc<Profile>,
        seed: u64,
        fail: impl FnOnce(&mut World, &str),
    ) -> Self {
        let mut stage = Stage::new(profile.clone(), seed);
        stage.deploy("pair", manifest, model).unwrap();
        let mut world = stage.world().clone();
        let journeys: Vec<(String, Journey)> = model.journeys.clone().into_iter().collect();
        world.start_load(SPACE, &journeys).unwrap();
        world.run_for(Span::secs(10));
        assert!(world.is_steady(5), "seed {seed}");
        let victim = pods(&world, "single")[0].body.node_name.clone().unwrap().to_string();
        let on_victim = |app: &str| {
            let mut all = pods(&world, app);
            all.retain(|pod| pod.body.node_name.as_deref() == Some(&*victim));
            assert_eq!(all.len(), 1, "seed {seed}: {app} on {victim}");
            all[0].meta.name.to_string()
        };
        let (single, triple) = (on_victim("single"), on_victim("triple"));
        let injected = world.now();
        fail(&mut world, &victim);
        Self {
            world,
            victim,
            single,
            triple,
            injected,
        }
    }

    /// Seconds since the fault.
    pub(crate) fn elapsed(&self) -> f64 {
        seconds(self.world.now().since(self.injected))
    }

    pub(crate) fn node(&self) -> Option<&Row<Node>> {
        let nodes = &self.world.store().nodes;
        nodes.get(nodes.find("", &self.victim)?)
    }

    pub(crate) fn pod(&self, name: &str) -> Option<&Row<Pod>> {
        let pods = &self.world.store().pods;
        pods.get(pods.find(SPACE, name)?)
    }

    /// The pod of `single` that was made after the fault.
    pub(crate) fn replacement(&self) -> Option<&Row<Pod>> {
        pods(&self.world, "single")
            .into_iter()
            .find(|pod| *pod.meta.name != *self.single)
    }

    /// The endpoints of a service.
    pub(crate) fn endpoints(&self, service: &str) -> &[Endpoint] {
        let store = self.world.store();
        let row = store.services.find(SPACE, service).unwrap();
        let slice = store.services.get(row).unwrap().body.slice.unwrap();
        &store.slices.get(slice).unwrap().body.endpoints
    }

    pub(crate) fn endpoint(&self, service: &str, pod: &str) -> Option<&Endpoint> {
        self.endpoints(service).iter().find(|endpoint| &*endpoint.name == pod)
    }

    /// The transitions since the fault.
    pub(crate) fn transitions(&self) -> impl Iterator<Item = &Event> {
        self.world
            .transitions()
            .iter()
            .filter(|event| event.t >= self.injected.0)
    }

    /// When a transition first happened, in seconds since the fault.
    pub(crate) fn first(&self, test: impl Fn(&What) -> bool) -> Option<f64> {
        self.transitions()
            .find(|event| test(&event.what))
            .map(|event| seconds(Time(event.t).since(self.injected)))
    }

    /// Lets the next thing happen in the cluster.
    pub(crate) fn step(&mut self) {
        let next = self.world.next_cluster_event();
        self.world.run_until(next);
    }

    /// Ends the run; the load's seconds are counted from the fault.
    pub(crate) fn finish(mut self) -> Load {
        self.world.stop_load();
        self.world.run_for(Span::secs(10));
        let plan = Plan {
            name: "fidelity".into(),
            hypotheses: Vec::new(),
            fault: NodeFailure::kill().name(&self.victim).into(),
            more_faults: Vec::new(),
            afterwards: Afterwards::default(),
            observe: std::time::Duration::ZERO,
            expected: Verdict::Held,
        };
        let history = self.world.finish(&plan, "pair", "embedded");
        Load {
            injected: self.injected.second(),
            history,
        }
    }
}

pub(crate) fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e6
}

/// The pods of an app, by name.
pub(crate) fn pods<'a>(world: &'a World, app: &str) -> Vec<&'a Row<Pod>> {
    world
        .store()
        .pods
        .by_name(Some(SPACE))
        .map(|(_, pod)| &**pod)
        .filter(|pod| &*pod.body.app == app)
        .collect()
}

/// What the load saw.
pub(crate) struct Load {
    injected: u64,
    pub(crate) history: History,
}

impl Load {
    /// The seconds of a journey whose slots start in this time after the fault.
    #[expect(clippy::cast_sign_loss, reason = "times after the fault are not negative")]
    pub(crate) fn seconds(&self, journey: &str, time: std::ops::Range<f64>) -> impl Iterator<Item = &Second> {
        let index = self
            .history
            .header
            .journeys
            .iter()
            .position(|it| it.name == journey)
            .unwrap();
        let whole = time.start.ceil() as u64 + self.injected..time.end.floor() as u64 + self.injected;
        self.history
            .seconds
            .iter()
            .filter(move |second| second.journey as usize == index && whole.contains(&second.s))
    }

    /// The share of slots that failed among those that started in this time after the fault (whole seconds of it).
    pub(crate) fn failed(&self, journey: &str, time: std::ops::Range<f64>) -> f64 {
        let (mut planned, mut good) = (0, 0);
        for second in self.seconds(journey, time.clone()) {
            planned += second.planned;
            good += second.good;
        }
        assert!(planned > 0, "{journey}: no slots in {time:?}");
        1.0 - f64::from(good) / f64::from(planned)
    }

    /// How many slots failed in this way.
    pub(crate) fn count(&self, journey: &str, time: std::ops::Range<f64>, kind: FailureKind) -> u32 {
        self.seconds(journey, time)
            .flat_map(|second| &second.failures)
            .filter(|failure| failure.kind == kind)
            .map(|failure| failure.count)
            .sum()
    }

    /// How many slots failed.
    pub(crate) fn failures(&self, journey: &str, time: std::ops::Range<f64>) -> u32 {
        self.seconds(journey, time)
            .map(|second| second.planned - second.good)
            .sum()
    }
}
