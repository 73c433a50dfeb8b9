//! The modules that can put something back, by the kind of their clusters.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;

use super::{Restorer, Trouble, Undone};
use crate::safety::identity::Identity;

/// The modules that can put something back. `steadfast recover` and the watchdog look up there what a journal's cluster needs.
#[derive(Clone, Default)]
pub struct Registry {
    modules: BTreeMap<&'static str, Connect>,
}

type Connect = fn(Identity) -> BoxFuture<'static, Result<Box<dyn Undoer>, Trouble>>;

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.modules.keys()).finish()
    }
}

impl Registry {
    /// One without modules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more module.
    #[must_use]
    pub fn with<R: Restorer>(mut self) -> Self {
        self.modules.insert(R::KIND, |cluster| {
            async move {
                let restorer = R::connect(&cluster)
                    .await
                    .map_err(|error| Trouble::Module(Box::new(error)))?;
                Ok(Box::new(Of(restorer)) as Box<dyn Undoer>)
            }
            .boxed()
        });
        self
    }

    /// The kinds of clusters that it knows, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.modules.keys().copied()
    }

    pub(super) async fn connect(&self, cluster: &Identity) -> Result<Box<dyn Undoer>, Trouble> {
        match self.modules.get(cluster.kind.as_str()) {
            Some(connect) => connect(cluster.clone()).await,
            None => Err(Trouble::NoModule(cluster.kind.clone())),
        }
    }
}

/// A restorer whose changes are untyped data.
pub(super) trait Undoer: Send + Sync {
    fn undo<'a>(&'a self, change: &'a Value) -> BoxFuture<'a, Result<Undone, Trouble>>;
    fn verify<'a>(&'a self, change: &'a Value) -> BoxFuture<'a, Result<(), Trouble>>;
}

struct Of<R>(R);

impl<R: Restorer> Undoer for Of<R> {
    fn undo<'a>(&'a self, change: &'a Value) -> BoxFuture<'a, Result<Undone, Trouble>> {
        async move { self.0.undo(&typed::<R>(change)?).await.map_err(module) }.boxed()
    }

    fn verify<'a>(&'a self, change: &'a Value) -> BoxFuture<'a, Result<(), Trouble>> {
        async move { self.0.verify(&typed::<R>(change)?).await.map_err(module) }.boxed()
    }
}

fn typed<R: Restorer>(change: &Value) -> Result<R::Change, Trouble> {
    serde_json::from_value(change.clone()).map_err(Trouble::Data)
}

fn module(error: impl std::error::Error + Send + Sync + 'static) -> Trouble {
    Trouble::Module(Box::new(error))
}
