//! How long packets take in a cluster that is well.

use crate::model::time::Span;

/// A length between two bounds, both included, every microsecond equally likely.
pub type Range = (Span, Span);

/// How long packets take. The defaults are typical of machines in one or neighbouring zones of one region; they rest on
/// experience, not on a measurement of ours (the `kind` profile's in-cluster hops are not measured yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// There and back between two pods, or from a user to the entry service. Default 0.2 to 0.5 ms: about 0.1 ms
    /// within one host or zone and up to 1 ms between zones, plus the stacks on both sides. A TCP connect takes one, a request another.
    pub round_trip: Range,
    /// A name look-up that is answered. Default 0.3 to 1 ms: one round trip, and coredns' own cache or memory look-up.
    pub look_up: Range,
    /// Until a machine that lives says that a pod's address belongs to nobody (EHOSTUNREACH). Default one round trip to 3 s:
    /// at once when its route is gone or the neighbour entry already failed, else when three ARP requests one second apart
    /// (`mcast_solicit` 3, `retrans_time_ms` 1000: Linux Documentation/networking/ip-sysctl, neigh) went unanswered; later connects
    /// share the wait of the first one, hence anything in between.
    pub no_route: Range,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            round_trip: (Span::micros(200), Span::micros(500)),
            look_up: (Span::micros(300), Span::micros(1_000)),
            no_route: (Span::micros(300), Span::secs(3)),
        }
    }
}
