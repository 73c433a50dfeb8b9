//! A run on a kind cluster: its load, and the history that comes out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::Api;

use super::{Handle, KindError, Running, locked};
use crate::model::experiment::Plan;
use crate::model::history::{FORMAT, Header, History, LoadedJourney, What};
use crate::model::journey::Journey;
use crate::probe::{Control, Entry, Load, Probe};

/// kube-proxy's own health, on every node: pkg/proxy/apis/config/v1alpha1/defaults.go `healthzBindAddress`, `0.0.0.0:10256`.
const PROXY_HEALTH: u16 = 10256;
/// What is under way is looked at this often.
const LOOK: Duration = Duration::from_millis(50);

/// The load of a run.
pub(super) struct Loaded {
    probe: Probe,
    journeys: Vec<LoadedJourney>,
}

impl Handle {
    pub(crate) fn profile(&self) -> String {
        self.running().images.name().to_owned()
    }

    pub(crate) fn note_not_modelled(&self, lines: Vec<String>) {
        locked(&self.running().passed_over).extend(lines);
    }

    /// What was passed over when it was applied: everything else is real.
    pub(crate) fn not_modelled(&self) -> Vec<String> {
        locked(&self.running().passed_over).iter().cloned().collect()
    }

    pub(crate) async fn start_load(&self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), KindError> {
        let running = self.running();
        let (entry, control) = running.entry(namespace, journeys).await?;
        let load = journeys.iter().fold(Load::through(entry), |load, (name, journey)| {
            load.journey(name, journey.clone())
        });
        running.before().await?;
        let probe = Probe::start(load.control(control), running.zero)?;
        let began = probe.began().0;
        let loaded = {
            let network = locked(&running.network);
            let loaded = |(name, journey): &(String, Journey)| LoadedJourney {
                name: name.clone(),
                rate: journey.rate,
                requests: journey.steps.len() as u32,
                path: network.path_of(namespace, journey),
            };
            journeys.iter().map(loaded).collect()
        };
        namespace.clone_into(&mut locked(&running.loaded));
        *locked(&running.load) = Some(Loaded {
            probe,
            journeys: loaded,
        });
        let mut record = running.observer.record();
        record.begin(began);
        record.note(began, What::LoadStarted);
        Ok(())
    }

    pub(crate) fn is_steady(&self, seconds: u32) -> bool {
        locked(&self.running().load)
            .as_ref()
            .is_some_and(|load| load.probe.is_steady(seconds))
    }

    pub(crate) fn note_steady_state(&self, seconds: u32, met: bool) {
        self.running().note(What::SteadyState { seconds, met });
    }

    pub(crate) fn stop_load(&self) {
        let running = self.running();
        if let Some(load) = locked(&running.load).as_mut() {
            load.probe.stop();
        }
        running.note(What::Observed);
    }

    /// Waits until no slot is under way.
    pub(crate) async fn drain(&self, at_most: Duration) {
        let idle = async {
            while locked(&self.running().load)
                .as_ref()
                .is_some_and(|load| load.probe.live().in_flight > 0)
            {
                tokio::time::sleep(LOOK).await;
            }
        };
        // What is not done by then is recorded as unfinished.
        let _late = tokio::time::timeout(at_most, idle).await;
    }

    /// Ends the run: the cluster is put back and looked at, and the history comes out.
    pub(crate) async fn finish(&self, plan: &Plan, application: &str) -> Result<History, KindError> {
        let running = self.running();
        if let Err(error) = running.heal_all().await {
            running.failed(&error);
        }
        let left = running.left_behind().await;
        running.note_trouble();
        let Some(Loaded { probe, journeys }) = locked(&running.load).take() else {
            return Err(KindError::NoLoad);
        };
        let observed = probe.finish()?;
        let mut end = observed.end();
        end.left_behind = left;
        let replaced = std::mem::take(&mut *locked(&running.replaced));
        Ok(History {
            header: Header {
                format: FORMAT,
                simulation: None,
                cluster: "kind".to_owned(),
                profile: self.profile(),
                seed: running.seed,
                plan: plan.clone(),
                application: application.to_owned(),
                journeys,
                not_modelled: self.not_modelled(),
                assumed: Vec::new(),
                undescribed: Vec::new(),
                stand_ins: replaced
                    .stand_ins
                    .into_iter()
                    .map(|(image, service)| format!("{image}: {service}"))
                    .collect(),
            },
            events: running.observer.record().end(),
            seconds: observed.seconds,
            end: Some(end),
        })
    }
}

impl Running {
    /// Where the journeys enter, and what must not fail meanwhile: both on the control plane's node, which no fault strikes.
    async fn entry(&self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(Entry, Control), KindError> {
        let (_, first) = journeys.first().ok_or(KindError::NoLoad)?;
        if let Some((name, _)) = journeys.iter().find(|(_, journey)| journey.entry != first.entry) {
            return Err(KindError::Entries { journey: name.clone() });
        }
        let services: Api<Service> = Api::namespaced(self.hands.client.clone(), namespace);
        let service = services.get(&first.entry).await?;
        let ports = service
            .spec
            .as_ref()
            .and_then(|spec| spec.ports.as_deref())
            .unwrap_or_default();
        let port = ports.iter().find_map(|port| u16::try_from(port.node_port?).ok());
        let port = port.ok_or_else(|| KindError::NoNodePort {
            service: first.entry.clone(),
        })?;
        let nodes = self.hands.engine.nodes(&self.hands.cluster).await?;
        let control_plane = nodes.iter().find(|node| node.role() == "control-plane");
        let control_plane = control_plane.ok_or_else(|| KindError::NoControlPlane {
            cluster: self.hands.cluster.clone(),
        })?;
        // Where containers have addresses of this machine's, the node itself: a mapped port's proxy hides refusals and time-outs.
        let address = control_plane.address().filter(|_| cfg!(target_os = "linux"));
        if let Some(address) = address {
            let control = Control::get(SocketAddr::new(address, PROXY_HEALTH), "/healthz");
            return Ok((Entry::at(SocketAddr::new(address, port)), control));
        }
        let mapped = self.hands.engine.mapped(&control_plane.name, port).await?;
        let mapped = mapped.ok_or(KindError::NotMapped { port })?;
        let entry = Entry::at(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), mapped));
        let client = self.hands.client.clone();
        let ready = Control::check(move || {
            let client = client.clone();
            async move { super::ready::is_up(&client).await }
        });
        Ok((entry, ready))
    }
}
