//! Load on a world: applications, journeys, and the history of a run.

use std::collections::BTreeSet;

use super::network::InstallError;
use super::objects::node::Readiness;
use super::world::World;
use crate::model::application::Application;
use crate::model::experiment::Plan;
use crate::model::history::{End, FORMAT, Header, History, LoadedJourney, SIMULATION, What};
use crate::model::journey::Journey;
use crate::model::time::{Span, Time};

impl World {
    /// Describes the images of a namespace, and them alone. Pods that start from now on behave so.
    ///
    /// # Errors
    /// What in the model makes no sense.
    pub fn describe(&mut self, namespace: &str, application: &Application) -> Result<(), InstallError> {
        self.network.install(namespace, application)?;
        self.assuming.remove(namespace);
        // Probes that rest because nothing could change look again.
        let pods: Vec<u32> = self.store.pods.by_name(Some(namespace)).map(|(pod, _)| pod).collect();
        for pod in pods {
            self.plan_resting(pod, Span::micros(1));
        }
        Ok(())
    }

    /// Like [`World::describe`], and images without a description are taken to answer 200, so that calls and journeys may lead to
    /// services that the application does not describe.
    ///
    /// # Errors
    /// What in the model makes no sense.
    pub fn describe_and_assume(&mut self, namespace: &str, application: &Application) -> Result<(), InstallError> {
        self.network.install_assuming(namespace, application)?;
        self.assume_default_model(namespace);
        Ok(())
    }

    /// Lets the pods of a namespace that run already behave as it is described now.
    pub fn describe_present(&mut self, namespace: &str) {
        let pods: Vec<u32> = self.store.pods.by_name(Some(namespace)).map(|(pod, _)| pod).collect();
        for pod in pods {
            self.describe_running(pod);
            self.plan_resting(pod, Span::micros(1));
        }
    }

    /// Adds to what the history lists as not modelled.
    pub fn note_not_modelled(&mut self, lines: impl IntoIterator<Item = String>) {
        self.not_modelled.extend(lines);
    }

    /// Images of a namespace without a description are taken to answer 200 from now on, until the namespace is described again;
    /// the history lists them.
    pub fn assume_default_model(&mut self, namespace: &str) {
        self.assuming.insert(namespace.to_owned());
    }

    /// Starts a load: slot 0 of every journey is now.
    ///
    /// # Errors
    /// A journey that the namespace's application cannot serve.
    pub fn start_load(&mut self, namespace: &str, journeys: &[(String, Journey)]) -> Result<(), InstallError> {
        self.network.start_load(self.now, &self.fabric, namespace, journeys)?;
        self.journeys = journeys
            .iter()
            .map(|(name, journey)| LoadedJourney {
                name: name.clone(),
                rate: journey.rate,
                requests: journey.steps.len() as u32,
                path: self.network.path_of(namespace, journey),
            })
            .collect();
        self.load_from = Some(self.now);
        namespace.clone_into(&mut self.loaded);
        self.undescribed = self.undescribed_in(namespace);
        self.recorded_from = self.history.len();
        self.note_present();
        self.note(What::LoadStarted);
        Ok(())
    }

    /// The images of a namespace whose pods nobody has described: those that run without a description, and those that would.
    fn undescribed_in(&self, namespace: &str) -> BTreeSet<String> {
        let pods = self.store.pods.by_name(Some(namespace));
        let mut all = BTreeSet::new();
        for (pod, row) in pods.filter(|(_, row)| !row.body.is_finished()) {
            for (place, container) in row.body.template.all().enumerate() {
                let image = &container.image;
                let described = match self.runtime(pod).and_then(|runtime| runtime.lives.get(place)) {
                    Some(life) => life.model.is_some(),
                    None => {
                        self.assuming.contains(namespace)
                            || self.network.model_for(namespace, image, &row.body.app).is_some()
                    }
                };
                if !described {
                    all.insert(image.to_string());
                }
            }
        }
        all
    }

    /// Stops the load: no slot starts at or after now; what is under way goes on.
    pub fn stop_load(&mut self) {
        self.network.stop_load(self.now);
        self.note(What::Observed);
    }

    /// When the running load started.
    #[must_use]
    pub const fn load_from(&self) -> Option<Time> {
        self.load_from
    }

    /// Whether every slot of every journey was good in each of `seconds` whole seconds. The second just past is left out: its last
    /// slots may still be under way.
    #[must_use]
    pub fn is_steady(&self, seconds: u32) -> bool {
        let Some(from) = self.load_from else { return false };
        let until = self.now.second().saturating_sub(1);
        let first = until.saturating_sub(u64::from(seconds));
        first >= from.0.div_ceil(1_000_000) && self.network.all_good(first, until)
    }

    /// Records the outcome of a steady-state check.
    pub fn note_steady_state(&mut self, seconds: u32, met: bool) {
        self.note(What::SteadyState { seconds, met });
    }

    /// Records the nodes and endpoints as they are: a run's history begins with them.
    fn note_present(&mut self) {
        let mut present = Vec::new();
        for (_, node) in self.store.nodes.by_name(None) {
            let name = node.meta.name.to_string();
            let zone = self.machines[node.body.machine.0 as usize].zone.to_string();
            present.push(What::NodeAdded {
                node: name.clone(),
                zone,
            });
            present.push(if node.body.ready == Readiness::True {
                What::NodeReady { node: name }
            } else {
                What::NodeNotReady {
                    node: name,
                    status: node.body.ready.name().to_owned(),
                }
            });
        }
        for (_, service) in self.store.services.by_name(None) {
            let slice = service.body.slice.and_then(|slice| self.store.slices.get(slice));
            let ready = slice
                .into_iter()
                .flat_map(|slice| &slice.body.endpoints)
                .filter(|endpoint| endpoint.ready)
                .map(|endpoint| endpoint.name.to_string())
                .collect();
            present.push(What::Endpoints {
                service: service.meta.name.to_string(),
                ready,
            });
        }
        for what in present {
            self.note(what);
        }
    }

    /// Ends the run: what is unfinished is recorded so, and the run's history comes out.
    #[must_use]
    pub fn finish(&mut self, plan: &Plan, application: &str, cluster: &str) -> History {
        self.network.finish(self.now);
        let history = History {
            header: Header {
                format: FORMAT,
                simulation: Some(SIMULATION.to_owned()),
                cluster: cluster.to_owned(),
                profile: self.profile.name.clone(),
                seed: self.seed,
                plan: plan.clone(),
                application: application.to_owned(),
                journeys: std::mem::take(&mut self.journeys),
                not_modelled: self.not_modelled(),
                assumed: self.assumed(),
                undescribed: std::mem::take(&mut self.undescribed).into_iter().collect(),
                stand_ins: Vec::new(),
            },
            events: self.history[self.recorded_from..].to_vec(),
            seconds: self.network.drain_seconds(),
            end: Some(End {
                t: self.now.0,
                max_lag: 0,
                hops: self.network.hops() - self.hops_before,
                lag: None,
                control: None,
                left_behind: Vec::new(),
            }),
        };
        self.hops_before = self.network.hops();
        self.load_from = None;
        history
    }

    /// Lets the cluster go on for a length of time.
    pub fn run_for(&mut self, length: Span) {
        self.run_until(self.now + length);
    }
}
