//! The cloud's load balancers in front of Services of type LoadBalancer: made after a while, with the cluster's nodes as targets,
//! whose health they check.
//!
//! Sources: k8s.io/cloud-provider controllers/service/controller.go (which nodes are targets: not the NotReady ones' health but the
//! load balancer's own checks decide), Elastic Load Balancing's documentation (thresholds; a Network Load Balancer whose targets all
//! fail sends to all of them). The numbers are the profile's. None of it was measured here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::event::Event;
use super::super::fabric::{Balancer, MachineId, Origin, Reachable, ServiceId};
use super::super::world::{World, draw};
use crate::model::history::What;
use crate::model::profile::{LoadBalancer, NoneHealthy};
use crate::model::time::Span;

/// Load balancers by the number of their Service.
#[derive(Clone, Debug, Default)]
pub struct Balancers(BTreeMap<u32, State>);

/// One of them.
#[derive(Clone, Debug)]
struct State {
    /// The row of its Service.
    service: u32,
    numbers: LoadBalancer,
    /// Whether it exists by now.
    made: bool,
    targets: BTreeMap<MachineId, Target>,
}

/// A node behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Target {
    healthy: bool,
    /// Checks in a row that ended otherwise than `healthy` says.
    against: u32,
}

/// The label that keeps a node out (k8s.io/api core/v1 `LabelNodeExcludeBalancers`).
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// The taint of a node that the Cluster Autoscaler removes (controller.go `ToBeDeletedTaint`).
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

impl World {
    /// Makes a load balancer for a Service that wants one, or removes it.
    pub(in crate::simulation) fn balance_service(&mut self, row: u32) {
        let Some(service) = self.store.services.get(row) else {
            return;
        };
        let id = service.body.id;
        let kind = service
            .meta
            .annotations
            .get("service.beta.kubernetes.io/aws-load-balancer-type");
        let wanted = (service.body.spec["type"] == "LoadBalancer")
            .then_some(self.profile.load_balancers)
            .flatten()
            // Documentation of the cloud provider AWS: the annotation chooses a Network Load Balancer instead of a Classic one.
            .map(|all| match kind.map(String::as_str) {
                Some("nlb" | "nlb-ip" | "external") => all.network,
                _ => all.classic,
            });
        match wanted {
            Some(numbers) if !self.balancers.0.contains_key(&id.0) => {
                let state = State {
                    service: row,
                    numbers,
                    made: false,
                    targets: BTreeMap::new(),
                };
                self.balancers.0.insert(id.0, state);
                self.set_balancer(id, Some(Balancer { targets: None }));
                let delay = draw(&mut self.chance.balancers, numbers.provision);
                self.after(delay, Event::Provisioned(id));
            }
            None => self.unbalance(id),
            Some(_) => {}
        }
    }

    /// The Service is gone, or wants no load balancer any more.
    pub(in crate::simulation) fn unbalance(&mut self, id: ServiceId) {
        if let Some(state) = self.balancers.0.remove(&id.0) {
            self.set_balancer(id, None);
            self.set_ingress(state.service, None);
        }
    }

    fn set_balancer(&mut self, id: ServiceId, balancer: Option<Balancer>) {
        let index = id.0 as usize;
        let all = &mut self.fabric.balancers;
        if all.len() <= index {
            all.resize(index + 1, None);
        }
        all[index] = balancer;
    }

    fn set_ingress(&mut self, row: u32, ingress: Option<Arc<str>>) {
        if self
            .store
            .services
            .get(row)
            .is_some_and(|it| it.body.ingress != ingress)
        {
            let versions = &mut self.store.versions;
            self.store
                .services
                .update(versions, row, |it| it.body.ingress = ingress);
        }
    }

    /// A load balancer has a name and begins to check its targets.
    pub(in crate::simulation) fn provisioned(&mut self, id: ServiceId) {
        let Some(state) = self.balancers.0.get_mut(&id.0) else {
            return;
        };
        state.made = true;
        let row = state.service;
        // The form of an Elastic Load Balancer's name; nothing resolves it but this cluster.
        self.set_ingress(row, Some(format!("lb-{}.elb.steadfast.internal", id.0).into()));
        self.sync_targets(id);
        self.retarget(id);
    }

    /// Nodes came or went: the targets follow.
    pub(in crate::simulation) fn targets_changed(&mut self) {
        let known: Vec<(u32, LoadBalancer)> = self
            .balancers
            .0
            .iter()
            .map(|(id, state)| (*id, state.numbers))
            .collect();
        for (id, numbers) in known {
            let delay = draw(&mut self.chance.balancers, numbers.register);
            self.after(delay, Event::Targets(ServiceId(id)));
        }
    }

    pub(in crate::simulation) fn sync_targets(&mut self, id: ServiceId) {
        let wanted: Vec<MachineId> = self
            .store
            .nodes
            .iter()
            .filter(|(_, node)| {
                let labels = &node.meta.labels;
                !labels.contains_key(EXCLUDED)
                    && !self.machines[node.body.machine.0 as usize].control_plane
                    && !node.body.taints.iter().any(|taint| taint.key == TO_BE_DELETED)
            })
            .map(|(_, node)| node.body.machine)
            .collect();
        let Some(state) = self.balancers.0.get_mut(&id.0).filter(|state| state.made) else {
            return;
        };
        let interval = state.numbers.interval.into();
        let fresh: Vec<MachineId> = wanted
            .iter()
            .copied()
            .filter(|it| !state.targets.contains_key(it))
            .collect();
        let before = state.targets.len();
        state.targets.retain(|machine, _| wanted.contains(machine));
        let gone = state.targets.len() < before;
        for machine in fresh {
            state.targets.insert(machine, Target::default());
            // Checks of different targets are not in step.
            let phase = self.chance.balancers.span(Span::ZERO, interval);
            self.queue.post(self.now + phase, Event::HealthCheck(id, machine));
        }
        if gone {
            self.retarget(id);
        }
    }

    /// Checks one target.
    pub(in crate::simulation) fn check_health(&mut self, id: ServiceId, machine: MachineId) {
        let passes = self.passes_check(id, machine);
        let Some(state) = self.balancers.0.get_mut(&id.0) else {
            return;
        };
        let numbers = state.numbers;
        let Some(target) = state.targets.get_mut(&machine) else {
            return;
        };
        if passes == target.healthy {
            target.against = 0;
        } else {
            target.against += 1;
            let limit = if passes { numbers.healthy } else { numbers.unhealthy };
            if target.against >= limit {
                (target.healthy, target.against) = (passes, 0);
                // A failed check is known when its time-out has passed.
                let wait = if passes { Span::ZERO } else { numbers.timeout.into() };
                self.after(wait, Event::Retarget(id));
            }
        }
        self.after(numbers.interval.into(), Event::HealthCheck(id, machine));
    }

    /// Whether a check of a node's port is answered: the machine lives, and its kube-proxy sends it on to some endpoint that its policy
    /// allows. (Under `Local` the check asks kube-proxy's `healthCheckNodePort`, which says just that.)
    fn passes_check(&self, id: ServiceId, machine: MachineId) -> bool {
        let endpoints = self.fabric.endpoints(Origin::Machine(machine), id, self.now);
        let here = |pod| {
            let net = self.fabric.pod(self.fabric.holder(pod));
            net.is_some_and(|net| net.machine == machine)
        };
        self.fabric.forwards(machine)
            && match self.fabric.routing(id).external {
                Reachable::Cluster => !endpoints.is_empty(),
                Reachable::Local => self.fabric.powered(machine) && endpoints.iter().any(|&pod| here(pod)),
            }
    }

    /// The nodes that get new connections from now on.
    pub(in crate::simulation) fn retarget(&mut self, id: ServiceId) {
        let Some(state) = self.balancers.0.get(&id.0) else {
            return;
        };
        let healthy: Vec<MachineId> = state
            .targets
            .iter()
            .filter(|(_, target)| target.healthy)
            .map(|(machine, _)| *machine)
            .collect();
        let targets: Arc<[MachineId]> = if healthy.is_empty() && state.numbers.none_healthy == NoneHealthy::All {
            state.targets.keys().copied().collect()
        } else {
            healthy.into()
        };
        let balancer = Some(Balancer { targets: Some(targets) });
        if self.fabric.balancers.get(id.0 as usize) == Some(&balancer) {
            return;
        }
        let names = balancer
            .iter()
            .flat_map(|it| it.targets.iter().flat_map(|all| all.iter()))
            .map(|machine| self.machines[machine.0 as usize].name.to_string())
            .collect::<Vec<_>>();
        let row = state.service;
        let service = self
            .store
            .services
            .get(row)
            .map(|it| it.meta.name.to_string())
            .unwrap_or_default();
        self.note(What::Note {
            text: format!(
                "load balancer of service {service} sends to {} node(s): {}",
                names.len(),
                names.join(", ")
            ),
        });
        self.set_balancer(id, balancer);
    }
}
