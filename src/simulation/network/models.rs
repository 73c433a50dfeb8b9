//! Installing application models, and asking about them.

use std::sync::Arc;

use super::error::InstallError;
use super::latencies::Range;
use super::tables::{Model, Tables};
use super::{Network, compile, trip};
use crate::model::application::Application;
use crate::model::journey::Journey;
use crate::simulation::fabric::ModelId;

impl Network {
    /// Describes the services of a namespace, in place of what described them before. A service keeps its [`ModelId`]; requests in
    /// flight go on by the old description.
    ///
    /// # Errors
    /// The first thing in the model that makes no sense; then nothing has changed.
    pub fn install(&mut self, namespace: &str, app: &Application) -> Result<(), InstallError> {
        let mut tables = (*self.tables).clone();
        tables.assuming.remove(namespace);
        self.install_into(tables, namespace, app)
    }

    /// Like [`Network::install`], but calls and journeys may lead to services that are not described: their images are assumed to
    /// answer everything.
    ///
    /// # Errors
    /// The first thing in the model that makes no sense; then nothing has changed.
    pub fn install_assuming(&mut self, namespace: &str, app: &Application) -> Result<(), InstallError> {
        let mut tables = (*self.tables).clone();
        tables.assuming.insert(namespace.to_owned());
        self.install_into(tables, namespace, app)
    }

    fn install_into(&mut self, mut tables: Tables, namespace: &str, app: &Application) -> Result<(), InstallError> {
        compile::application(&mut tables, namespace, app)?;
        let mut trial = tables.clone();
        for (name, journey) in &app.journeys {
            trip::trip(&mut trial, namespace, name, journey)?;
        }
        if self.load.namespace == namespace {
            let journeys = self.load.journeys.iter();
            let routes = journeys.map(|(name, journey)| trip::trip(&mut tables, namespace, name, journey));
            self.load.routes = routes.collect::<Result<_, _>>()?;
        }
        self.tables = Arc::new(tables);
        Ok(())
    }

    /// Describes an image as one that answers 200, with an empty body, to everything and starts at once.
    pub fn assume_default(&mut self, namespace: &str, image: &str) -> ModelId {
        compile::assumption(Arc::make_mut(&mut self.tables), namespace, image)
    }

    /// The model of an image. Tag, digest, and a registry host or path in front of the described name do not count. When several
    /// services share the image it is the first of them; the Service that a request is for decides between those.
    #[must_use]
    pub fn model_of(&self, namespace: &str, image: &str) -> Option<ModelId> {
        self.tables.of_image(namespace, image, None)
    }

    /// Like [`Network::model_of`], but of several services that share the image the one called `name`.
    #[must_use]
    pub fn model_for(&self, namespace: &str, image: &str, name: &str) -> Option<ModelId> {
        self.tables.of_image(namespace, image, Some(name))
    }

    fn model(&self, model: ModelId) -> &Model {
        &self.tables.models[model.0 as usize]
    }

    /// From the start of the container until the process listens.
    #[must_use]
    pub fn start_range(&self, model: ModelId) -> Range {
        self.model(model).start
    }

    /// From SIGTERM to the end of the process.
    #[must_use]
    pub fn shutdown_range(&self, model: ModelId) -> Range {
        self.model(model).shutdown
    }

    /// How long the process works before it ends by itself, when it does.
    #[must_use]
    pub fn run_range(&self, model: ModelId) -> Option<Range> {
        self.model(model).runs
    }

    /// The exit code of a process that ends by itself.
    #[must_use]
    pub fn exit_code(&self, model: ModelId) -> i32 {
        i32::from(self.model(model).exit)
    }

    /// Whether the image was assumed to answer 200.
    #[must_use]
    pub fn is_assumed(&self, model: ModelId) -> bool {
        self.model(model).assumed
    }

    /// The Services that must accept a connection before the process listens.
    #[must_use]
    pub fn waits_for(&self, model: ModelId) -> &[String] {
        &self.model(model).waits_for
    }

    /// The name of the service that the model describes; an assumed image's repository.
    #[must_use]
    pub fn service_name(&self, model: ModelId) -> &str {
        &self.model(model).name
    }

    /// The services on a journey's path in the order in which it first needs them: its entry, then what its requests call, depth
    /// first.
    #[must_use]
    pub fn path_of(&self, namespace: &str, journey: &Journey) -> Vec<String> {
        let mut path = vec![journey.entry.clone()];
        let mut tables = (*self.tables).clone();
        if let Ok(trip) = trip::trip(&mut tables, namespace, "", journey) {
            for stop in trip.steps {
                follow(&tables, stop.target, &mut path);
            }
        }
        path
    }
}

fn follow(tables: &Tables, target: u32, path: &mut Vec<String>) {
    let name = &tables.names[tables.targets[target as usize].name as usize].1;
    if !path.iter().any(|known| **known == **name) {
        path.push(name.to_string());
    }
    if let Some(route) = tables.expected(target) {
        for call in tables.calls_of(route) {
            follow(tables, call.target, path);
        }
    }
}
