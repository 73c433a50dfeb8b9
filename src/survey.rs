//! Many seeds of one experiment, on the bare simulation.
//!
//! A [`Stage`] makes the commands of [`crate::app::Undeployed::deploy`] and [`crate::Experiment::run`] at the same whole seconds of
//! cluster time, so the history of a seed is the same, byte for byte; it only skips the API's JSON and its watches.
//! `tests/determinism.rs` compares them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::app::manifest::{Manifest, Object};
use crate::app::ready;
use crate::experiment::{DRAIN, STEADY, STEADY_WITHIN};
use crate::model::application::Application;
use crate::model::experiment::{Afterwards, Plan};
use crate::model::fault::{SelectError, choose_all};
use crate::model::history::History;
use crate::model::journey::Journey;
use crate::model::profile::Profile;
use crate::model::time::{Span, Time};
use crate::simulation::api::{ApiError, ApiStore as _, Part, Served, merge};
use crate::simulation::network::InstallError;
use crate::simulation::objects::resources;
use crate::simulation::world::World;

/// How long a deployment may take: as in [`crate::app::Undeployed::deploy`].
const LONGEST: u64 = 20 * 60;

/// Why a seed could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// An object was refused.
    #[error("{0} was refused")]
    Refused(String, #[source] ApiError),
    /// The model makes no sense.
    #[error("the application model makes no sense")]
    Model(#[from] InstallError),
    /// The fault has no targets.
    #[error("the fault has no targets")]
    Targets(#[from] SelectError),
    /// Not everything became ready in time.
    #[error("{0} is not ready after {LONGEST} s of cluster time")]
    NotReady(String),
}

/// A cluster of a seed, driven by hand.
#[derive(Clone, Debug)]
pub struct Stage {
    world: World,
}

impl Stage {
    /// A new cluster whose own workloads are ready.
    #[must_use]
    pub fn new(profile: Arc<Profile>, seed: u64) -> Self {
        let mut stage = Self {
            world: World::new(profile, seed),
        };
        for _ in 0..300 {
            stage.world.run_for(Span::secs(1));
            if stage.complete("kube-system") {
                break;
            }
        }
        stage
    }

    /// The stage of a world that was prepared by hand.
    #[must_use]
    pub const fn of(world: World) -> Self {
        Self { world }
    }

    /// The world, to go on with by hand.
    #[must_use]
    pub fn into_world(self) -> World {
        self.world
    }

    /// The world.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Deploys a manifest and waits until it is ready.
    ///
    /// # Errors
    /// When the cluster refuses it or it does not become ready.
    pub fn deploy(&mut self, name: &str, manifest: &Manifest, model: &Application) -> Result<(), SurveyError> {
        let namespace = manifest.namespace().to_owned();
        self.world.describe(&namespace, model)?;
        let mut wanted = Vec::new();
        self.world.note_not_modelled(manifest.left_out.iter().cloned());
        for object in manifest.in_order() {
            let (group, version) = object.group_version();
            let Some(resource) = resources::find(group, version, &object.kind) else {
                let line = format!("{}/{}: the whole kind", object.kind, object.name);
                self.world.note_not_modelled([line]);
                continue;
            };
            let space = resource.namespaced.then(|| manifest.namespace_of(object).to_owned());
            self.apply(resource, object, space.as_deref())?;
            if resource.modelled && ready::is_waited_for(&object.api_version, &object.kind) {
                wanted.push((resource, space, object));
            }
        }
        // What was so already is complete at once.
        for _ in 0..LONGEST {
            let lacking = |(resource, space, object): &(&'static Served, Option<String>, &Object)| {
                let found = self.world.get(resource, space.as_deref(), &object.name);
                match found {
                    Some(found) => ready::lacking(&object.kind, &found.body.project()).is_some(),
                    None => !ready::may_be_gone(&object.kind),
                }
            };
            if !wanted.iter().any(lacking) {
                return Ok(());
            }
            self.world.run_for(Span::secs(1));
        }
        Err(SurveyError::NotReady(name.to_owned()))
    }

    /// Creates an object, or changes the one that is there; its namespace is made when nobody has made it.
    fn apply(&mut self, resource: &'static Served, object: &Object, space: Option<&str>) -> Result<(), SurveyError> {
        let refused = |error| SurveyError::Refused(format!("{} `{}`", object.kind, object.name), error);
        let mut value = object.value.clone();
        if let Some(space) = space {
            value["metadata"]["namespace"] = serde_json::json!(space);
            if self.world.get(resources::NAMESPACES, None, space).is_none() {
                let new = serde_json::json!({"metadata": {"name": space}});
                self.world.create(resources::NAMESPACES, new, false).map_err(refused)?;
            }
        }
        let done = match self.world.get(resource, space, &object.name) {
            None => self.world.create(resource, value, false),
            Some(old) => {
                let mut merged = old.body.project();
                merge(&mut merged, &value);
                self.world.replace(resource, merged, Part::Main, false)
            }
        };
        done.map(drop).map_err(refused)
    }

    /// Whether the Deployments of a namespace have rolled out.
    fn complete(&self, namespace: &str) -> bool {
        let table = &self.world.store().deployments;
        table.by_name(Some(namespace)).all(|(_, row)| {
            let (wanted, status) = (row.body.replicas, row.body.status);
            status.observed >= row.meta.generation
                && status.updated == wanted
                && status.replicas == wanted
                && status.available == wanted
        })
    }

    /// Runs an experiment.
    ///
    /// # Errors
    /// When its fault has no targets or its journeys cannot be served.
    pub fn run(
        &mut self,
        plan: &Plan,
        application: &str,
        namespace: &str,
        journeys: &[(String, Journey)],
    ) -> Result<History, SurveyError> {
        let world = &mut self.world;
        world.start_load(namespace, journeys)?;
        let mut steady = false;
        for _ in 0..STEADY_WITHIN.as_secs() {
            world.run_for(Span::secs(1));
            steady = world.is_steady(STEADY);
            if steady {
                break;
            }
        }
        world.note_steady_state(STEADY, steady);
        if steady {
            let rounding = world.profile().terminate.rounding;
            let victims = choose_all(plan.faults(), &world.candidates(), rounding, world.seed())?;
            let scopes: Vec<_> = plan
                .faults()
                .zip(victims)
                .map(|(fault, nodes)| world.begin(fault, nodes))
                .collect();
            world.run_for(plan.observe.into());
            world.stop_load();
            if plan.afterwards == Afterwards::Healed {
                for scope in scopes {
                    world.heal(scope);
                }
            }
            world.run_for(DRAIN.into());
        }
        Ok(world.finish(plan, application, "embedded"))
    }

    /// The cluster time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.world.now()
    }
}

/// Runs `run` for every seed of a range on all processors and gives the results in the order of the seeds.
///
/// # Panics
/// When `run` panics.
pub fn seeds<T: Send>(range: std::ops::Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let count = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(count.max(1));
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return done;
                }
                done.push((index, run(range.start + index as u64)));
            }
        };
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
