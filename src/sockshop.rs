//! The sock shop as a fixture: the workshop's two manifests and its model, built into the library.

use crate::app::{App, AppError, Subject, Undeployed};
use crate::cluster::Cluster;
use crate::model::application::{Application, ModelError};

/// The workshop's first manifest: one replica of everything.
pub const BASE: &str = include_str!("../fixtures/sockshop/sockshop-demo.yaml");
/// The workshop's highly available manifest: three replicas, most of them kept apart.
pub const HA: &str = include_str!("../fixtures/sockshop/sockshop-demo-ha.yaml");
/// What the shop's images do, and the journeys `browse` and `checkout`.
pub const MODEL: &str = include_str!("../fixtures/sockshop/model.yaml");

/// The name of the manifest [`BASE`].
pub const BASE_NAME: &str = "sockshop-demo";
/// The name of the manifest [`HA`].
pub const HA_NAME: &str = "sockshop-demo-ha";

/// The sock shop, deployed.
#[derive(Clone, Debug)]
pub struct SockShop(App);

impl SockShop {
    /// Deploys one of the built-in manifests, `sockshop-demo` or `sockshop-demo-ha`, and waits until it is ready. On a cluster
    /// that has the shop already, it is changed (a rolling update).
    ///
    /// # Errors
    /// When the name is another one, or the deployment fails.
    pub async fn deploy(cluster: &Cluster, manifest: &str) -> Result<Self, AppError> {
        Ok(Self(Self::manifest(manifest)?.deploy(cluster).await?))
    }

    /// One of the built-in manifests, not yet deployed.
    ///
    /// # Errors
    /// When the name is another one.
    pub fn manifest(name: &str) -> Result<Undeployed, AppError> {
        let text = match name {
            BASE_NAME => BASE,
            HA_NAME => HA,
            _ => {
                return Err(AppError::NoManifest { name: name.to_owned() });
            }
        };
        let model = Self::model().map_err(|source| AppError::Model {
            origin: "the sock shop's model".to_owned(),
            source,
        })?;
        Ok(Undeployed::new(name, name, text)?.model(model))
    }

    /// What the shop's images do.
    ///
    /// # Errors
    /// Never, as long as the built-in model reads.
    pub fn model() -> Result<Application, ModelError> {
        Application::from_yaml(MODEL)
    }

    /// A visitor looks at the shop: `GET /`, `/catalogue`, `/detail.html`.
    pub fn browse(&self) -> Subject {
        self.known("browse")
    }

    /// A customer buys one item: nine requests, the last one `POST /orders`.
    pub fn checkout(&self) -> Subject {
        self.known("checkout")
    }

    /// The shop as any application.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.0
    }

    fn known(&self, name: &str) -> Subject {
        // The built-in model has both journeys: `tests/fixtures.rs` checks it.
        let journey = self.0.model.journeys.get(name).cloned().unwrap_or_default();
        self.0.subject(name, journey)
    }
}
