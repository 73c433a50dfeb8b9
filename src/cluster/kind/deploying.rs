//! What an application needs on a kind cluster: its namespaces, its images, its model.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use super::change::Change;
use super::stand_ins::{self, MODEL};
use super::{Handle, KindError, locked};
use crate::model::application::Application;

/// Which images an application runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// Its own, from the local engine where that has them, else from their registries.
    Original,
    /// The stand-in that runs the application's model, in place of each that the model describes.
    #[default]
    StandIn,
}

impl Images {
    /// The name in commands and histories.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::StandIn => "stand-in",
        }
    }
}

impl Handle {
    pub(crate) async fn prepare(&self, namespaces: &BTreeSet<&str>, model: &Application) -> Result<(), KindError> {
        let running = self.running();
        if running.images == Images::StandIn {
            if !running.hands.has_image(&running.stand_in).await {
                return Err(KindError::NoStandIn {
                    image: running.stand_in.clone(),
                });
            }
            running.hands.load_image(&running.stand_in).await?;
        }
        for namespace in namespaces {
            self.create_namespace(namespace).await?;
            if running.images == Images::StandIn {
                self.put_model(namespace, model).await?;
            }
        }
        Ok(())
    }

    /// Makes a namespace. One that is there already belongs to somebody else.
    async fn create_namespace(&self, name: &str) -> Result<(), KindError> {
        let running = self.running();
        running.may_use(name)?;
        let namespaces: Api<Namespace> = Api::all(running.hands.client.clone());
        if locked(&running.namespaces).contains(name) {
            return Ok(());
        }
        if namespaces.get_opt(name).await?.is_some() {
            return Err(KindError::Occupied {
                namespace: name.to_owned(),
            });
        }
        let place = running.intend(&Change::CreateNamespace {
            namespace: name.to_owned(),
        })?;
        let new = json!({"metadata": {"name": name, "labels": running.labels()}});
        let new = serde_json::from_value(new).map_err(kube::Error::SerdeError)?;
        namespaces.create(&PostParams::default(), &new).await?;
        running.done(place);
        locked(&running.namespaces).insert(name.to_owned());
        Ok(())
    }

    async fn put_model(&self, namespace: &str, model: &Application) -> Result<(), KindError> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client(), namespace);
        if maps.get_opt(MODEL).await?.is_some() {
            return Ok(());
        }
        let value = stand_ins::model(namespace, model).and_then(serde_json::from_value);
        let map: ConfigMap = value.map_err(kube::Error::SerdeError)?;
        maps.create(&PostParams::default(), &map).await?;
        Ok(())
    }

    /// Writes down an object outside of the run's own namespaces, which go with all that is in them. One that is there already
    /// belongs to somebody else.
    pub(crate) async fn will_put(
        &self,
        api: &Api<DynamicObject>,
        resource: &ApiResource,
        name: &str,
    ) -> Result<(), KindError> {
        let running = self.running();
        let namespace = api.namespace().map(str::to_owned);
        let own = namespace.as_ref().map_or_else(
            || resource.kind == "Namespace" && locked(&running.namespaces).contains(name),
            |namespace| locked(&running.namespaces).contains(namespace),
        );
        if own {
            return Ok(());
        }
        if api.get_opt(name).await?.is_some() {
            return Err(KindError::Exists {
                kind: resource.kind.clone(),
                name: name.to_owned(),
            });
        }
        let change = Change::CreateObject {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            plural: resource.plural.clone(),
            namespace,
            name: name.to_owned(),
        };
        running.intend(&change).map(drop)
    }

    pub(crate) fn adapted<'a>(&self, namespace: &str, object: &'a Value) -> Cow<'a, Value> {
        let running = self.running();
        if running.images == Images::Original {
            return Cow::Borrowed(object);
        }
        let network = locked(&running.network);
        let service = |image: &str, app: &str| {
            let model = network.model_for(namespace, image, app)?;
            Some(network.service_name(model).to_owned())
        };
        let mut object = object.clone();
        stand_ins::replace(&mut object, &running.stand_in, &service, &mut locked(&running.replaced));
        Cow::Owned(object)
    }

    /// Takes an application's model, to know which service an image is and what a journey leads through.
    pub(crate) fn describe(&self, namespace: &str, model: &Application, assume: bool) -> Result<(), KindError> {
        let mut network = locked(&self.running().network);
        let installed = if assume {
            network.install_assuming(namespace, model)
        } else {
            network.install(namespace, model)
        };
        Ok(installed?)
    }

    /// Waits until something changes, for at most this long.
    pub(crate) async fn changed(&self, at_most: Duration) {
        self.running().observer.changed(at_most).await;
    }
}
