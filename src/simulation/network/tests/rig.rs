//! A cluster built by hand: one machine per pod, every kube-proxy with the same endpoints.

use serde::de::DeserializeOwned;

use crate::model::application::Application;
use crate::model::history::{FailureKind, Second};
use crate::model::journey::Journey;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, MachineId, PodId, PodNet, Power, Process, ServiceId};
use crate::simulation::network::{Effect, Network};

/// A small shop: a page, a catalogue that may be relayed, a cart behind a session, a store of its own.
pub(super) const SHOP: &str = "
version: 1
name: shop
services:
  front:
    images: [example/front]
    start: {from: 1s, to: 2s}
    sessions: true
    routes:
      - {request: GET /, work: {from: 1ms, to: 2ms}, body: page}
      - request: GET /catalogue
        work: {from: 1ms, to: 2ms}
        body: {json: products}
        steps:
          - call: {to: catalogue, request: GET /catalogue, error: {relay-as: 200}, unreachable: {answer: 500}}
      - request: GET /patient
        steps:
          - call: {to: catalogue, request: GET /catalogue, timeout: 2s, unreachable: {answer: 504}}
      - request: GET /pooled
        steps:
          - call: {to: catalogue, request: GET /catalogue, over: {pooled: {idle: 30s}}, unreachable: {answer: 500}}
      - request: GET /login
        steps:
          - call: {to: user, request: GET /login, unreachable: {answer: 401}, error: {answer: 401}}
          - log-in
      - request: POST /cart
        answer: 201
        steps:
          - needs-login: 401
          - call: {to: catalogue, request: GET /catalogue, unreachable: crash}
          - call: {to: carts, request: POST /items}
      - request: GET /basket
        steps:
          - call: {to: carts, request: GET /items, relay_count: true}
      - request: GET /both
        steps:
          - together:
              - {to: user, request: GET /login, unreachable: {answer: 501}}
              - {to: catalogue, request: GET /catalogue, unreachable: {answer: 502}}
  catalogue:
    images: [example/catalogue]
    start: {from: 1s, to: 1s}
    breaker: {failures: 3, open: 30s, answer: 503}
    routes:
      - request: GET /catalogue
        work: {from: 1ms, to: 3ms}
        body: {json: products}
        steps:
          - call: {to: db, request: GET /rows, unreachable: {answer: 500}, timeout: 1s}
  db:
    images: [mongo]
    start: {from: 1s, to: 1s}
    routes: [{request: GET /rows, work: {from: 1ms, to: 1ms}}]
  user:
    images: [example/user]
    start: {from: 1s, to: 1s}
    routes: [{request: GET /login, work: {from: 1ms, to: 1ms}}]
  carts:
    images: [mongo]
    start: {from: 1s, to: 1s}
    store: true
    routes:
      - {request: POST /items, answer: 201, steps: [{store: add}]}
      - {request: GET /items, steps: [{store: count}]}
";

/// A rig of the services and their pods, all of which listen.
#[derive(Clone)]
pub(super) struct Rig {
    pub(super) fabric: Fabric,
    pub(super) network: Network,
    pub(super) now: Time,
    replicas: Vec<usize>,
}

/// Reads YAML as model files are read: choices are maps of one entry.
pub(super) fn yaml<T: DeserializeOwned>(text: &str) -> T {
    serde_yaml::with::singleton_map_recursive::deserialize(serde_yaml::Deserializer::from_str(text)).expect("YAML")
}

pub(super) fn shop() -> Application {
    yaml(SHOP)
}

impl Rig {
    /// The shop with so many pods of each service.
    pub(super) fn new(seed: u64, replicas: u32) -> Self {
        Self::of(seed, SHOP, replicas)
    }

    /// An application in the namespace `shop` with so many pods of each service.
    pub(super) fn of(seed: u64, model: &str, replicas: u32) -> Self {
        let app: Application = yaml(model);
        let mut network = Network::new(seed);
        network.install("shop", &app).expect("the model");
        let mut rig = Self {
            fabric: Fabric::default(),
            network,
            now: Time::ZERO,
            replicas: Vec::new(),
        };
        for (name, service) in &app.services {
            let image = service.images.first().map_or("any", String::as_str);
            let model = rig.network.model_for("shop", image, name);
            assert!(model.is_some());
            rig.service("shop", name, replicas, model);
        }
        rig
    }

    /// Adds a Service with pods, each on a machine of its own.
    pub(super) fn service(
        &mut self,
        namespace: &str,
        name: &str,
        replicas: u32,
        model: Option<crate::simulation::fabric::ModelId>,
    ) {
        let fabric = &mut self.fabric;
        let mut pods = Vec::new();
        for _ in 0..replicas {
            let machine = MachineId(fabric.machines.len() as u32);
            fabric.machines.push(Power::On);
            pods.push(PodId(fabric.pods.len() as u32));
            fabric.pods.push(Some(PodNet {
                machine,
                process: Process::Listening,
                model,
                incarnation: 1,
            }));
        }
        self.replicas.push(replicas as usize);
        fabric.services.push((namespace.into(), name.into()));
        let service = ServiceId(fabric.services.len() as u32 - 1);
        fabric.proxies.set(service, pods.into());
    }

    /// Adds name servers.
    pub(super) fn dns(mut self, replicas: u32) -> Self {
        self.service("kube-system", "kube-dns", replicas, None);
        self.fabric.dns = Some(ServiceId(self.fabric.services.len() as u32 - 1));
        self
    }

    /// The n-th pod of a service.
    pub(super) fn pod(&self, service: &str, n: usize) -> PodId {
        let index = self
            .fabric
            .services
            .iter()
            .position(|(_, name)| &**name == service)
            .expect("a service");
        // The endpoints may have been changed; pods were created in the order of services.
        let before: usize = self.replicas[..index].iter().sum();
        PodId((before + n) as u32)
    }

    /// Starts a load of one journey.
    pub(super) fn load(&mut self, journey: &str) {
        let journey: Journey = yaml(journey);
        self.network
            .start_load(self.now, &self.fabric, "shop", &[("j".into(), journey)])
            .expect("a load");
    }

    /// Runs to a time; every crash is followed by a restart at once, and counted.
    pub(super) fn until(&mut self, seconds: u64) -> usize {
        self.until_time(Time::ZERO + Span::secs(seconds))
    }

    pub(super) fn until_time(&mut self, horizon: Time) -> usize {
        let mut crashes = 0;
        while let Some(Effect::Crash { pod, at }) = self.network.run(horizon, &self.fabric) {
            crashes += 1;
            self.now = at;
            self.kill(pod);
            self.start(pod);
        }
        self.now = horizon;
        crashes
    }

    fn net(&mut self, pod: PodId) -> &mut PodNet {
        self.fabric.pods[pod.0 as usize].as_mut().expect("a pod")
    }

    /// Sets what listens, without telling anyone.
    pub(super) fn set(&mut self, pod: PodId, process: Process) {
        self.net(pod).process = process;
    }

    /// Ends a process.
    pub(super) fn kill(&mut self, pod: PodId) {
        self.set(pod, Process::NotListening);
        self.network.process_ended(pod, self.now, &self.fabric);
    }

    /// Starts it again.
    pub(super) fn start(&mut self, pod: PodId) {
        let net = self.net(pod);
        net.process = Process::Listening;
        net.incarnation += 1;
        self.network.process_started(pod, None);
    }

    /// Cuts the power of a pod's machine.
    pub(super) fn cut(&mut self, pod: PodId) {
        let machine = self.net(pod).machine;
        self.fabric.machines[machine.0 as usize] = Power::Off;
        self.network.machine_lost(machine, self.now, &self.fabric);
    }

    /// Tells every kube-proxy a service's endpoints.
    pub(super) fn endpoints(&mut self, service: &str, pods: &[PodId]) {
        let index = self
            .fabric
            .services
            .iter()
            .position(|(_, name)| &**name == service)
            .expect("a service");
        self.fabric.proxies.set(ServiceId(index as u32), pods.into());
    }

    /// Stops at `seconds`, lets slots end, and gives everything.
    pub(super) fn results(&mut self, seconds: u64) -> Vec<Second> {
        self.network.stop_load(Time::ZERO + Span::secs(seconds));
        self.until(seconds + 1_000);
        self.network.finish(self.now);
        self.network.drain_seconds()
    }
}

pub(super) fn planned(seconds: &[Second]) -> u32 {
    seconds.iter().map(|second| second.planned).sum()
}

pub(super) fn good(seconds: &[Second]) -> u32 {
    seconds.iter().map(|second| second.good).sum()
}

pub(super) fn anomalies(seconds: &[Second]) -> u32 {
    seconds.iter().map(|second| second.anomalies).sum()
}

/// How many slots failed in this way.
pub(super) fn failed(seconds: &[Second], kind: FailureKind) -> u32 {
    let failures = seconds.iter().flat_map(|second| &second.failures);
    failures
        .filter(|failure| failure.kind == kind)
        .map(|failure| failure.count)
        .sum()
}

/// Outcomes of a journey in order, one letter per slot.
pub(super) fn outcomes(seconds: &[Second]) -> String {
    let mut all = String::new();
    for second in seconds {
        let mut number = 0;
        for letter in second.slots.chars() {
            if let Some(digit) = letter.to_digit(10) {
                number = number * 10 + digit as usize;
            } else {
                all.extend(std::iter::repeat_n(letter, number));
                number = 0;
            }
        }
    }
    all
}
