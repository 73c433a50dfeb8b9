//! How connections to a Service are spread: its policies, as kube-proxies and name servers act on them.

use serde_json::Value;

use super::super::fabric::{Preferred, Reachable, Routing};
use super::super::world::World;
use crate::model::time::Span;

/// How long a client's connections go to one endpoint without one of its own asking otherwise:
/// `sessionAffinityConfig.clientIP.timeoutSeconds`, default 10800 (pkg/apis/core/types.go `DefaultClientIPServiceAffinitySeconds`).
const AFFINITY_SECONDS: u64 = 10_800;

impl World {
    /// Takes over what a Service's specification says of routing.
    pub(in crate::simulation) fn route_service(&mut self, row: u32) {
        let Some(service) = self.store.services.get(row) else {
            return;
        };
        let (id, spec) = (service.body.id, service.body.spec.clone());
        let routing = routing(&spec);
        // A Service that asks for nothing special leaves no trace.
        if routing != self.fabric.routing(id) {
            self.fabric.set_routing(id, routing);
        }
        self.balance_service(row);
    }
}

fn routing(spec: &Value) -> Routing {
    let text = |field: &str| spec[field].as_str().unwrap_or_default();
    let local = |field: &str| {
        if text(field) == "Local" {
            Reachable::Local
        } else {
            Reachable::Cluster
        }
    };
    Routing {
        affinity: (text("sessionAffinity") == "ClientIP").then(|| {
            let seconds = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
            Span::secs(seconds.as_u64().unwrap_or(AFFINITY_SECONDS))
        }),
        internal: local("internalTrafficPolicy"),
        external: local("externalTrafficPolicy"),
        // staging/src/k8s.io/endpointslice/trafficdist: the hints of a close distribution name each endpoint's own zone or node.
        preferred: match text("trafficDistribution") {
            "PreferClose" | "PreferSameZone" => Preferred::Zone,
            "PreferSameNode" => Preferred::Node,
            _ => Preferred::Any,
        },
        headless: text("clusterIP") == "None",
    }
}
