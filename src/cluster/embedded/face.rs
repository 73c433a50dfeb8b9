//! The Kubernetes API over a simulated cluster, as a tower service: a [`kube::Client`] without a socket.
//!
//! A request brings the world to the present cluster time, acts on it under one lock, and tells the watchers. What is
//! served is what `ApiStore` has: every resource it lists, with its `status`, and the logs of pods.

mod deleting;
mod discovery;
mod listing;
mod openapi;
mod ownership;
mod patching;
mod path;
mod query;
#[cfg(feature = "serve")]
pub(crate) mod refuse;
mod response;
mod reviews;
mod selector;
mod status;
mod subresources;
mod tables;
mod types;
mod watching;
mod writing;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use serde_json::Value;
use tower::Service;

use super::driver::{Driver, DriverError, Live};
use crate::model::time::Time;
use crate::simulation::api::Served;
use crate::simulation::objects::project::date;
use discovery::aggregated;
use listing::ListOptions;
use path::{Facet, Item, Target};
use query::Query;
use response::{Answer, Shape};
use reviews::Review;
use selector::Selection;
use status::Refusal;
use watching::WatchOptions;
use writing::{Content, Options, Written};

/// The longest body that is read (kube-apiserver: `MaxRequestBodyBytes`).
pub(crate) const LONGEST_BODY: usize = 3 * 1024 * 1024;

/// A Kubernetes API server over a driven world. Clones serve the same world.
pub(crate) struct Face<W> {
    driver: Driver<W>,
}

impl<W> Clone for Face<W> {
    fn clone(&self) -> Self {
        Self {
            driver: self.driver.clone(),
        }
    }
}

impl<W: Live + 'static> Face<W> {
    /// The face of a world.
    ///
    /// # Errors
    /// When the simulation has panicked before.
    pub(crate) fn new(driver: Driver<W>) -> Result<Self, DriverError> {
        driver.with(|_world| ())?;
        Ok(Self { driver })
    }

    /// A client of this cluster, in the namespace `default`.
    pub(crate) fn client(&self) -> kube::Client {
        kube::Client::new(self.clone(), "default")
    }

    async fn answer(&self, request: Request<Body>) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        let query = Query::parse(head.uri.query());
        let resources = self.driver.with(|world| world.resources())?;
        let is_get = head.method == Method::GET;
        if let Some(review) = Review::of(head.uri.path()) {
            return match head.method {
                Method::POST => review.answer(&read(body).await?),
                _ => Err(Refusal::Method),
            };
        }
        if let Some(answer) = openapi::answer(head.uri.path(), &head.headers, &resources) {
            return if is_get { answer } else { Err(Refusal::Method) };
        }
        let target = Target::parse(head.uri.path(), &resources)?;
        let ok = |value: Value| Ok(response::json(StatusCode::OK, &value));
        match target {
            Target::Collection { resource, namespace } => {
                self.collection(head.method, &head.headers, &resource, namespace, &query, body)
                    .await
            }
            Target::Object(item) => self.object(head.method, &head.headers, item, &query, body).await,
            _ if !is_get => Err(Refusal::Method),
            Target::Health => Ok(response::text("ok".to_owned())),
            Target::Version => ok(discovery::version()),
            Target::CoreVersions if aggregated::is_wanted(&head.headers) => {
                Ok(response::typed(aggregated::MEDIA, &aggregated::core(&resources)))
            }
            Target::Groups if aggregated::is_wanted(&head.headers) => {
                Ok(response::typed(aggregated::MEDIA, &aggregated::groups(&resources)))
            }
            Target::CoreVersions => ok(discovery::core_versions()),
            Target::Groups => ok(discovery::groups(&resources)),
            Target::Group(name) => ok(discovery::group(&resources, &name)?),
            Target::Resources { group, version } => ok(discovery::resources(&resources, &group, &version)?),
        }
    }

    async fn collection(
        &self,
        method: Method,
        headers: &HeaderMap,
        resource: &Served,
        namespace: Option<String>,
        query: &Query,
        body: Body,
    ) -> Result<Answer, Refusal> {
        let shape = Shape::accepted(headers, query, self.driver.now())?;
        match method {
            Method::GET => {
                let selection = Selection::parse(resource, namespace, query)?;
                if query.switch("watch").unwrap_or_default() {
                    let options = WatchOptions::parse(query)?;
                    return Ok(watching::serve(
                        self.driver.clone(),
                        resource.clone(),
                        selection,
                        &options,
                        shape,
                    ));
                }
                let options = ListOptions::parse(query)?;
                let list = self
                    .driver
                    .with(|world| listing::list(world, resource, &selection, &options, shape))??;
                Ok(response::json(StatusCode::OK, &list))
            }
            // A namespaced object is created in a namespace.
            Method::POST if namespace.is_some() == resource.namespaced => {
                let options = Options::parse(query, headers, "CreateOptions", self.time())?;
                let content = Content::new(headers, read(body).await?)?;
                let written = self
                    .driver
                    .with(|world| writing::create(world, resource, namespace.as_deref(), &content, &options))??;
                Ok(answer(&written, shape))
            }
            Method::DELETE if namespace.is_some() == resource.namespaced => {
                let selection = Selection::parse(resource, namespace, query)?;
                let options = deleting::Options::parse(&read(body).await?, query)?;
                let list = self
                    .driver
                    .with(|world| deleting::delete_collection(world, resource, &selection, &options, shape))??;
                Ok(response::json(StatusCode::OK, &list))
            }
            _ => Err(Refusal::Method),
        }
    }

    async fn object(
        &self,
        method: Method,
        headers: &HeaderMap,
        item: Item,
        query: &Query,
        body: Body,
    ) -> Result<Answer, Refusal> {
        let shape = Shape::accepted(headers, query, self.driver.now())?;
        let written = match (method, item.facet) {
            (Method::GET, Facet::Log) => {
                return Ok(response::text(self.driver.with(|world| log(world, &item, query))??));
            }
            (Method::GET, Facet::Whole) if query.switch("watch").unwrap_or_default() => {
                let selection = Selection::parse(&item.resource, item.namespace, query)?.only(&item.name)?;
                let options = WatchOptions::parse(query)?;
                return Ok(watching::serve(
                    self.driver.clone(),
                    item.resource.clone(),
                    selection,
                    &options,
                    shape,
                ));
            }
            (Method::GET, Facet::Whole | Facet::Status) => {
                let object = self.driver.with(|world| listing::get(world, &item, query, shape))??;
                return Ok(response::json(StatusCode::OK, &object));
            }
            (Method::PUT, Facet::Whole | Facet::Status) => {
                let options = Options::parse(query, headers, "UpdateOptions", self.time())?;
                let content = Content::new(headers, read(body).await?)?;
                self.driver
                    .with(|world| writing::replace(world, &item, &content, &options))??
            }
            (Method::PATCH, Facet::Whole | Facet::Status) => {
                let kind = patching::Kind::of(headers, &item.resource)?;
                let options = Options::parse(query, headers, "PatchOptions", self.time())?;
                let patch = read(body).await?;
                self.driver
                    .with(|world| writing::patch(world, &item, kind, &patch, &options))??
            }
            (Method::DELETE, Facet::Whole) => {
                let options = deleting::Options::parse(&read(body).await?, query)?;
                let answer = self
                    .driver
                    .with(|world| deleting::delete(world, &item, &options, shape))??;
                return Ok(response::json(StatusCode::OK, &answer));
            }
            (method, facet @ (Facet::Scale | Facet::Eviction | Facet::Binding | Facet::Refused(_))) => {
                if let Facet::Refused(name) = facet {
                    return Err(subresources::refused(name));
                }
                let request = subresources::Request {
                    method,
                    headers,
                    query,
                    body: read(body).await?,
                    time: self.time(),
                };
                let (code, value, warnings) = self
                    .driver
                    .with(|world| subresources::serve(world, &item, &request))??;
                return Ok(response::warned(response::json(code, &value), &warnings));
            }
            _ => return Err(Refusal::Method),
        };
        Ok(answer(&written, shape))
    }

    /// The cluster's time, as `managedFields` have it.
    fn time(&self) -> String {
        date::seconds(Time(self.driver.now()))
    }
}

/// The answer to a write.
fn answer(written: &Written, shape: Shape) -> Answer {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let object = shape.object(&written.object, written.object.version);
    response::warned(response::json(code, &object), &written.warnings)
}

/// The last lines of a pod's log. There is one log per pod, whichever container is named.
fn log(world: &impl Live, item: &Item, query: &Query) -> Result<String, Refusal> {
    let lines = query
        .number("tailLines")?
        .map_or(usize::MAX, |lines| usize::try_from(lines).unwrap_or(usize::MAX));
    let pod = listing::find(world, item)?;
    let log = world
        .pod_log(item.namespace.as_deref().unwrap_or_default(), &item.name)
        .ok_or_else(|| {
            let whole = pod.body.project();
            let container = query
                .text("container")
                .or_else(|| whole["spec"]["containers"][0]["name"].as_str());
            // pkg/kubelet/kubelet_pods.go: validateContainerLogStatus
            let (container, name) = (container.unwrap_or_default(), &item.name);
            let why = format!("container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating");
            Refusal::BadRequest(why)
        })?;
    let first = log.len().saturating_sub(lines);
    Ok(log[first..].iter().flat_map(|line| [line, "\n"]).collect())
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, LONGEST_BODY).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::TooLong(LONGEST_BODY)
        } else {
            Refusal::unreadable(&error.to_string())
        }
    })?;
    Ok(whole.to_bytes())
}

impl<W: Live + 'static> Service<Request<Body>> for Face<W> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let face = self.clone();
        Box::pin(async move { Ok(face.answer(request).await.unwrap_or_else(|refusal| refusal.response())) })
    }
}

#[cfg(test)]
pub(crate) mod tests;
