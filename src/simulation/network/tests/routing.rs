use super::rig::{Rig, failed, good, outcomes, planned};
use crate::model::history::FailureKind;
use crate::model::time::Span;
use crate::simulation::fabric::{Preferred, Process, Reachable, Routing, ServiceId};

const PAGE: &str =
    "{entry: front, rate: 20, timeout: 5s, connection: fresh, steps: [{request: GET /, expect: {status: 200}}]}";
const CATALOGUE: &str = "{entry: front, rate: 20, timeout: 5s, connection: fresh, steps: [{request: GET /catalogue, expect: {status: 200}}]}";

fn service(rig: &Rig, name: &str) -> ServiceId {
    rig.fabric.service("shop", name).expect("a service")
}

/// A rig with its front on one pod only, whose catalogue is routed so; machines are in zones by the number of their replica.
fn routed(routing: Routing) -> Rig {
    let mut rig = Rig::new(11, 3);
    let catalogue = service(&rig, "catalogue");
    rig.fabric.set_routing(catalogue, routing);
    rig.fabric.zones = (0..rig.fabric.machines.len() as u32)
        .map(|machine| machine % 3)
        .collect();
    let front = rig.pod("front", 0);
    rig.endpoints("front", &[front]);
    rig
}

#[test]
fn a_client_with_affinity_meets_one_pod_only() {
    // One address (a prober's): every connection goes where the first went, so all fail or none.
    let mut seen = [0, 0];
    for seed in 0..20 {
        let mut rig = Rig::new(seed, 3);
        let front = service(&rig, "front");
        let affinity = Some(Span::secs(10_800));
        rig.fabric.set_routing(
            front,
            Routing {
                affinity,
                ..Routing::default()
            },
        );
        rig.load(PAGE);
        rig.until(5);
        assert_eq!(failed(&rig.network.drain_seconds(), FailureKind::ConnectTimeout), 0);
        let dead = rig.pod("front", 0);
        rig.cut(dead);
        let seconds = rig.results(15);
        match good(&seconds) {
            0 => seen[0] += 1,
            all => {
                assert_eq!(all, planned(&seconds), "seed {seed}");
                seen[1] += 1;
            }
        }
    }
    assert!(seen[0] > 2 && seen[1] > 5, "{seen:?}");
}

#[test]
fn affinity_ends_when_its_endpoint_goes_or_its_time_is_over() {
    let mut rig = Rig::new(2, 3);
    let front = service(&rig, "front");
    let affinity = Some(Span::millis(1));
    rig.fabric.set_routing(
        front,
        Routing {
            affinity,
            ..Routing::default()
        },
    );
    let dead = rig.pod("front", 0);
    rig.cut(dead);
    rig.load(PAGE);
    let seconds = rig.results(60);
    // Connections are 50 ms apart, so each is chosen anew: a third fails.
    let share = 1.0 - f64::from(good(&seconds)) / f64::from(planned(&seconds));
    assert!((0.27..0.4).contains(&share), "{share}");

    let mut rig = Rig::new(2, 3);
    let affinity = Some(Span::secs(10_800));
    rig.fabric.set_routing(
        front,
        Routing {
            affinity,
            ..Routing::default()
        },
    );
    rig.load(PAGE);
    rig.until(5);
    // Whichever it was: two of three go, the last one serves on.
    let last = rig.pod("front", 2);
    rig.endpoints("front", &[last]);
    let (first, second) = (rig.pod("front", 0), rig.pod("front", 1));
    rig.set(first, Process::NotListening);
    rig.set(second, Process::NotListening);
    let seconds = rig.results(10);
    assert_eq!(good(&seconds), planned(&seconds));
}

#[test]
fn a_local_policy_without_a_local_endpoint_drops_packets() {
    // pkg/proxy/iptables/proxier.go: "has no local endpoints" is DROP, "has no endpoints" is REJECT.
    let local = Routing {
        internal: Reachable::Local,
        ..Routing::default()
    };
    let mut rig = routed(local);
    rig.load(&CATALOGUE.replace("timeout: 5s", "timeout: 2s"));
    let seconds = rig.results(3);
    assert_eq!(failed(&seconds, FailureKind::ReadTimeout), planned(&seconds));

    // The user waits for the front, which waits for a connection; with a limit of its own it answers.
    let mut rig = routed(local);
    let catalogue = rig.pod("catalogue", 1);
    let front = rig.pod("front", 0);
    let machine = rig.fabric.pod(front).expect("a pod").machine;
    if let Some(Some(net)) = rig.fabric.pods.get_mut(catalogue.0 as usize) {
        net.machine = machine;
    }
    rig.load(CATALOGUE);
    let seconds = rig.results(3);
    assert_eq!(good(&seconds), planned(&seconds), "an endpoint on its own node serves");
}

#[test]
fn a_preferred_zone_is_kept_to_while_it_has_an_endpoint() {
    for preferred in [Preferred::Zone, Preferred::Node] {
        let mut rig = routed(Routing {
            preferred,
            ..Routing::default()
        });
        // Those of the other zones are dead: nobody notices.
        for other in [1, 2] {
            let pod = rig.pod("catalogue", other);
            rig.cut(pod);
        }
        rig.load(CATALOGUE);
        rig.until(10);
        let seconds = rig.network.drain_seconds();
        assert_eq!(good(&seconds), planned(&seconds), "{preferred:?}");
        // Its own zone's is dead, but still listed: everybody does.
        let own = rig.pod("catalogue", 0);
        rig.cut(own);
        rig.until(20);
        let seconds = rig.network.drain_seconds();
        assert!(
            !outcomes(&seconds).contains('g') || good(&seconds) <= 1,
            "{preferred:?}"
        );
    }
    // Without an endpoint in the zone all are used.
    let mut rig = routed(Routing {
        preferred: Preferred::Zone,
        ..Routing::default()
    });
    let (second, third) = (rig.pod("catalogue", 1), rig.pod("catalogue", 2));
    rig.endpoints("catalogue", &[second, third]);
    rig.load(CATALOGUE);
    let seconds = rig.results(5);
    assert_eq!(good(&seconds), planned(&seconds));
}

#[test]
fn a_preferred_node_is_kept_to_before_its_zone() {
    // pkg/proxy/topology.go `topologyModeFromHints`: the hints for the node come before those for the zone.
    for (preferred, all) in [(Preferred::Node, true), (Preferred::Zone, false)] {
        let mut rig = routed(Routing {
            preferred,
            ..Routing::default()
        });
        rig.fabric.zones.clear();
        let (front, own) = (rig.pod("front", 0), rig.pod("catalogue", 1));
        let machine = rig.fabric.pod(front).expect("a pod").machine;
        if let Some(Some(net)) = rig.fabric.pods.get_mut(own.0 as usize) {
            net.machine = machine;
        }
        // The others, in the same zone, are dead.
        for other in [0, 2] {
            let pod = rig.pod("catalogue", other);
            rig.cut(pod);
        }
        rig.load(CATALOGUE);
        let seconds = rig.results(10);
        assert_eq!(good(&seconds) == planned(&seconds), all, "{preferred:?}");
    }
}

#[test]
fn a_headless_name_without_pods_does_not_resolve() {
    let headless = Routing {
        headless: true,
        ..Routing::default()
    };
    let mut rig = Rig::new(5, 3);
    let front = service(&rig, "front");
    rig.fabric.set_routing(front, headless);
    rig.load(PAGE);
    rig.until(3);
    let seconds = rig.network.drain_seconds();
    assert_eq!(good(&seconds), planned(&seconds));
    rig.endpoints("front", &[]);
    rig.until(6);
    let seconds = rig.network.drain_seconds();
    assert!(failed(&seconds, FailureKind::Dns) >= 59, "{seconds:?}");
}
