//! Reaching a pod: name look-up, kube-proxy's choice, connecting, and the ways in which that fails.

use super::Network;
use super::frame::{Caller, Frame, Outcome, Phase};
use super::kernel::{CONNECT_LIMIT, LOOK_UP_ATTEMPTS, LOOK_UP_TIMEOUT, SYN_RETRIES};
use super::proxy::{Choice, Entrance, Traffic};
use super::queue::What;
use super::slab::Key;
use crate::model::application::Resolver;
use crate::model::history::FailureKind;
use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Fabric, Origin, PodId, Power, Process, ServiceId};

/// What packets to a pod meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Listening,
    /// The address exists, nothing listens.
    Refusing,
    /// The machine lives, the address belongs to nobody.
    Absent,
    /// The kernel accepts the connection, and the process, which is frozen, never answers.
    Accepting,
    /// Nothing comes back.
    Silent,
}

#[inline]
fn reach(fabric: &Fabric, origin: Origin, pod: PodId) -> Reach {
    match fabric.pod(pod) {
        Some(net) if !fabric.answers(origin, net.machine) => {
            match (fabric.machines[net.machine.0 as usize], net.process) {
                (Power::Frozen, Process::Listening) => Reach::Accepting,
                (Power::Frozen, Process::NotListening) => Reach::Refusing,
                (Power::Frozen, Process::Absent) => Reach::Absent,
                _ => Reach::Silent,
            }
        }
        Some(net) => match net.process {
            Process::Listening => Reach::Listening,
            Process::NotListening => Reach::Refusing,
            Process::Absent => Reach::Absent,
        },
        None => Reach::Absent,
    }
}

impl Network {
    #[inline]
    pub(super) fn round_trip(&mut self) -> Span {
        let (from, to) = self.latencies.round_trip;
        self.chance.latency.span(from, to)
    }

    /// Whether anyone waits for a request.
    fn wanted(&self, caller: Caller) -> bool {
        match caller {
            Caller::Nobody => false,
            Caller::User(slot) => self.slots.get(slot).is_some(),
            Caller::Probe(..) => true,
            Caller::Handler(handler) => self
                .frames
                .get(handler)
                .is_some_and(|frame| frame.phase == Phase::Serving),
        }
    }

    fn resolver(&self, frame: &Frame) -> Resolver {
        let call = self.tables.calls.get(frame.call as usize);
        call.map_or(Resolver::default(), |call| call.resolver)
    }

    /// Looks up the name of a new connection from a pod, then connects.
    #[inline]
    pub(super) fn look_up(&mut self, key: Key, fabric: &Fabric) {
        let Some(frame) = self.frames.get(key) else { return };
        let (origin, mut attempt, target) = (frame.from, frame.attempt, frame.target);
        let client = self.client(frame);
        let first =
            (frame.phase == Phase::LookingUp && self.resolver(frame) == Resolver::SamePort).then_some(frame.pod);
        let mut delay = Span::ZERO;
        if let Some(server) = fabric.dns {
            self.hops += u64::from(attempt == 0);
            loop {
                if attempt >= LOOK_UP_ATTEMPTS {
                    self.doom(key, self.now + delay, FailureKind::Dns);
                    return;
                }
                attempt += 1;
                // kube-proxy forgets the entries of an endpoint that is gone (pkg/proxy/conntrack/cleanup.go).
                let same = first.filter(|pod| fabric.endpoints(origin, server, self.now).contains(pod));
                let chosen = match same {
                    Some(pod) => Choice::Pod(pod),
                    None => self.choose(fabric, origin, Traffic::Internal, client, server),
                };
                let chosen = match chosen {
                    Choice::Pod(pod) => Some(pod),
                    Choice::Reject | Choice::Drop => None,
                };
                match chosen.map(|pod| reach(fabric, origin, pod)) {
                    Some(Reach::Listening) => {
                        let (from, to) = self.latencies.look_up;
                        delay = delay + self.chance.look_up.span(from, to);
                        break;
                    }
                    // ICMP port unreachable: the next attempt begins at once.
                    Some(Reach::Refusing) => delay = delay + self.round_trip(),
                    Some(Reach::Absent | Reach::Accepting | Reach::Silent) | None => {
                        if let Some(frame) = self.frames.get_mut(key) {
                            (frame.phase, frame.attempt) = (Phase::LookingUp, attempt);
                            frame.pod = chosen.unwrap_or(frame.pod);
                        }
                        self.try_again(key, self.now + delay + LOOK_UP_TIMEOUT, FailureKind::Dns);
                        return;
                    }
                }
            }
        }
        if self.services[self.tables.targets[target as usize].name as usize].is_none() {
            self.doom(key, self.now + delay, FailureKind::Dns);
            return;
        }
        if let Some(frame) = self.frames.get_mut(key) {
            (frame.phase, frame.attempt) = (Phase::Connecting, 0);
        }
        self.connect(key, delay, fabric);
    }

    /// Connects to an endpoint of the request's Service and sends the request, `delay` from now.
    #[inline]
    pub(super) fn connect(&mut self, key: Key, delay: Span, fabric: &Fabric) {
        let Some(frame) = self.frames.get(key) else { return };
        let origin = frame.from;
        let client = self.client(frame);
        let name = self.tables.targets[frame.target as usize].name;
        let Some(service) = self.services[name as usize] else {
            // From outside there is no name to look up: no Service, nothing behind the port of a node.
            let round_trip = self.round_trip();
            self.doom(key, self.now + delay + round_trip, FailureKind::Refused);
            return;
        };
        let outside = origin == Origin::Outside && self.one_client;
        let stale = if outside {
            self.conntrack
                .hit(self.now, service, |bound| self.chance.port.below(bound))
        } else {
            None
        };
        let node = match origin {
            Origin::Machine(_) => None,
            Origin::Outside => match self.entrance(fabric, service) {
                Entrance::NodePort => None,
                Entrance::Node(node) => Some(node),
                Entrance::Closed => {
                    let round_trip = self.round_trip();
                    return self.doom(key, self.now + delay + round_trip, FailureKind::Reset);
                }
                Entrance::Unresolved => return self.doom(key, self.now + delay, FailureKind::Dns),
            },
        };
        if node.is_some() {
            self.enter(key, node);
        }
        if node.is_some_and(|node| !fabric.forwards(node)) {
            self.doom_by_limit(key, self.now + delay + CONNECT_LIMIT);
            return;
        }
        let (proxy, traffic) = match (node, origin) {
            (Some(node), _) => (Origin::Machine(node), Traffic::External),
            (None, Origin::Outside) => (origin, Traffic::External),
            (None, Origin::Machine(_)) => (origin, Traffic::Internal),
        };
        let choice = match stale {
            Some(pod) => Choice::Pod(pod),
            None => self.choose(fabric, proxy, traffic, client, service),
        };
        let pod = match choice {
            Choice::Pod(pod) => pod,
            Choice::Reject if fabric.routing(service).headless => {
                return self.doom(key, self.now + delay, FailureKind::Dns);
            }
            Choice::Reject => return self.reject(key, delay, proxy, service),
            Choice::Drop => return self.doom_by_limit(key, self.now + delay + CONNECT_LIMIT),
        };
        match (reach(fabric, origin, pod), fabric.pod(pod)) {
            (Reach::Listening, Some(net)) => {
                let round_trip = self.round_trip();
                self.serve(key, pod, net, delay + round_trip);
            }
            (Reach::Refusing, _) => {
                let round_trip = self.round_trip();
                self.doom(key, self.now + delay + round_trip, FailureKind::Refused);
            }
            (Reach::Accepting, Some(net)) => self.hang_at(key, pod, net),
            (Reach::Silent, _) => {
                if outside {
                    self.conntrack.vanished(self.now, service, pod);
                }
                // SYNs sent again follow the first one, whatever the endpoints become.
                self.doom_by_limit(key, self.now + delay + CONNECT_LIMIT);
            }
            (Reach::Absent | Reach::Accepting | Reach::Listening, _) => {
                let (from, to) = self.latencies.no_route;
                let wait = self.chance.latency.span(from, to);
                self.doom(key, self.now + delay + wait, FailureKind::Unreachable);
            }
        }
    }

    /// A SYN for a Service without endpoints: refused when the kernel's rate limit lets the answer out, else sent again after
    /// 1, 2, 4, ... s and judged anew each time (kube-proxy's REJECT leaves no entry in the connection table).
    fn reject(&mut self, key: Key, delay: Span, origin: Origin, service: ServiceId) {
        if self.rejections.allow(self.now, origin, service) {
            let round_trip = self.round_trip();
            self.doom(key, self.now + delay + round_trip, FailureKind::Refused);
            return;
        }
        let Some(frame) = self.frames.get_mut(key) else { return };
        let wait = Span::secs(1 << frame.attempt);
        if frame.attempt < SYN_RETRIES {
            frame.attempt += 1;
            self.try_again(key, self.now + delay + wait, FailureKind::ConnectTimeout);
        } else {
            self.doom_by_limit(key, self.now + delay + wait);
        }
    }

    /// Goes on with a look-up or with connecting.
    pub(super) fn retry(&mut self, key: Key, fabric: &Fabric) {
        let Some(frame) = self.frames.get_mut(key) else { return };
        frame.late = true;
        let frame = *frame;
        if !self.wanted(frame.caller) {
            self.frames.remove(key);
        } else if frame.phase == Phase::Waiting {
            self.repeat(key, fabric);
        } else if frame.phase == Phase::LookingUp {
            self.look_up(key, fabric);
        } else if frame.phase == Phase::Connecting {
            self.connect(key, Span::ZERO, fabric);
        }
    }

    /// Retries at `at`, or fails as `kind` when the caller does not wait so long.
    fn try_again(&mut self, key: Key, at: Time, kind: FailureKind) {
        match self.frames.get(key) {
            Some(frame) if frame.deadline <= at => self.doom(key, at, kind),
            _ => self.queue.push(at, What::Retry(key)),
        }
    }

    fn doom_by_limit(&mut self, key: Key, at: Time) {
        self.doom(key, at, FailureKind::ConnectTimeout);
    }

    /// The request fails at `at`, or when its caller waits no longer.
    fn doom(&mut self, key: Key, at: Time, kind: FailureKind) {
        let Some(frame) = self.frames.get_mut(key) else { return };
        frame.phase = Phase::Doomed;
        let (at, kind) = match kind {
            FailureKind::Dns => (at.min(frame.deadline), kind),
            _ if frame.deadline < at => (frame.deadline, FailureKind::ConnectTimeout),
            _ => (at, kind),
        };
        frame.outcome = Outcome::Failed(kind);
        self.queue.push(at, What::End(key));
    }
}
