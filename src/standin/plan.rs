//! What the model says of one service, ready to be looked up.

use std::collections::BTreeMap;

use super::error::StandInError;
use super::values::Book;
use crate::model::application::{Application, Service, Speaks};
use crate::model::request_line::RequestLine;
use crate::simulation::network::Network;

/// The namespace in which a model is looked through; any will do.
const NAMESPACE: &str = "stand-in";

/// One service of a model.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) service: Service,
    patterns: Vec<RequestLine>,
    peers: BTreeMap<String, Peer>,
    pub(super) book: Book,
}

/// A service that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) speaks: Speaks,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The route of this number.
    Route(usize),
    /// A service without any route: 200 to everything.
    Anything,
    /// Nobody: 404.
    Nobody,
}

/// Whether calls may lead to services that the model does not describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undescribed {
    Refuse,
    Assume,
}

impl Plan {
    /// The same models as in the simulation will do.
    pub(super) fn new(app: &Application, service: &str, undescribed: Undescribed) -> Result<Self, StandInError> {
        let mut network = Network::new(0);
        match undescribed {
            Undescribed::Refuse => network.install(NAMESPACE, app),
            Undescribed::Assume => network.install_assuming(NAMESPACE, app),
        }
        .map_err(|error| StandInError::Model(Box::new(error)))?;
        let described = app.services.get(service).ok_or_else(|| StandInError::Unknown {
            service: service.to_owned(),
            known: app.services.keys().cloned().collect(),
        })?;
        let peers = app.services.iter().map(|(name, peer)| {
            let peer = Peer {
                name: name.clone(),
                port: peer.port,
                speaks: peer.speaks,
            };
            (name.clone(), peer)
        });
        Ok(Self {
            name: service.to_owned(),
            // Every pattern was read when the model was looked through.
            patterns: described
                .routes
                .iter()
                .filter_map(|route| RequestLine::pattern(&route.request))
                .collect(),
            service: described.clone(),
            peers: peers.collect(),
            book: Book::of(app),
        })
    }

    /// Who answers.
    pub(super) fn find(&self, request: &str) -> Found {
        if self.service.routes.is_empty() {
            return Found::Anything;
        }
        let line = RequestLine::parse(request);
        let route = line.and_then(|line| self.patterns.iter().position(|pattern| pattern.matches(&line)));
        route.map_or(Found::Nobody, Found::Route)
    }

    /// How a service is reached; one that nobody describes speaks HTTP on port 80.
    pub(super) fn peer(&self, name: &str) -> Peer {
        self.peers.get(name).cloned().unwrap_or_else(|| Peer {
            name: name.to_owned(),
            port: 80,
            speaks: Speaks::Http,
        })
    }

    /// The port of its container.
    pub(super) fn listens(&self) -> u16 {
        self.service.listens.unwrap_or(self.service.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(service: &str) -> Result<Plan, StandInError> {
        let model = "services: { web: { routes: [{ request: 'GET /a/{id}' }, { request: 'GET /*' }] }, any: {} }";
        Plan::new(&Application::from_yaml(model).unwrap(), service, Undescribed::Refuse)
    }

    #[test]
    fn the_first_route_that_matches_answers_and_without_routes_everything_is_answered() {
        let web = plan("web").unwrap();
        assert_eq!(web.find("GET /a/7"), Found::Route(0));
        assert_eq!(web.find("GET /a/7/b"), Found::Route(1));
        assert_eq!(web.find("POST /a/7"), Found::Nobody);
        assert_eq!(plan("any").unwrap().find("POST /a/7"), Found::Anything);
    }

    #[test]
    fn an_unknown_service_is_refused_with_the_known_ones() {
        let error = plan("wbe").unwrap_err().to_string();
        assert_eq!(error, "the model describes no service `wbe`: it has any, web");
    }
}
