//! What the Linux kernel and the C library decide for everyone: time limits and rate limits with their sources.

use std::collections::{BTreeMap, VecDeque};

use crate::model::time::{Span, Time};
use crate::simulation::fabric::{Origin, PodId, ServiceId};

/// SYNs sent again before connecting fails, the waits doubling from 1 s:
/// `tcp_syn_retries`, default 6 (Linux Documentation/networking/ip-sysctl: the final time-out is 127 seconds).
pub(super) const SYN_RETRIES: u8 = 6;

/// Until connecting fails for the kernel: 1 + 2 + 4 + ... + 64 s; see [`SYN_RETRIES`].
pub(super) const CONNECT_LIMIT: Span = Span::secs(127);

/// Until an established connection fails whose packets nobody acknowledges: `tcp_retries2`, default 15, a hypothetical time-out
/// of 924.6 s (Linux Documentation/networking/ip-sysctl).
pub(super) const RETRANSMISSION_LIMIT: Span = Span::secs(924);

/// A name look-up waits so long for an answer: `timeout`, default 5 s (resolv.conf(5)).
pub(super) const LOOK_UP_TIMEOUT: Span = Span::secs(5);

/// Tries of a name look-up: `attempts`, default 2 (resolv.conf(5)).
pub(super) const LOOK_UP_ATTEMPTS: u8 = 2;

/// A connection that is not answered stays in the connection table so long:
/// `nf_conntrack_tcp_timeout_syn_sent`, default 120 s (Linux Documentation/networking/nf_conntrack-sysctl).
const SYN_SENT: Span = Span::secs(120);

/// Source ports of one client address: `ip_local_port_range`, default 32768 to 60999 (Linux Documentation/networking/ip-sysctl).
const LOCAL_PORTS: u64 = 60_999 - 32_768 + 1;

/// One ICMP error a second and destination: `icmp_ratelimit`, default 1000 ms (Linux Documentation/networking/ip-sysctl).
const ICMP_INTERVAL: u64 = 1_000_000;

/// And so many at once after a silence: `XRLIM_BURST_FACTOR` (Linux net/ipv4/icmp.c, `inet_peer_xrlim_allow` in inetpeer.c).
const ICMP_BURST: u64 = 6;

/// The kernel's limit on ICMP errors: what kube-proxy's REJECT rule of a Service without endpoints answers with.
#[derive(Clone, Debug, Default)]
pub(super) struct Rejections {
    /// Per limiter: microseconds of credit, and when it was counted.
    credit: BTreeMap<(u32, u32), (u64, Time)>,
}

impl Rejections {
    /// Whether the kernel answers this SYN.
    pub(super) fn allow(&mut self, now: Time, origin: Origin, service: ServiceId) -> bool {
        let origin = match origin {
            Origin::Outside => u32::MAX,
            Origin::Machine(machine) => machine.0,
        };
        let full = ICMP_BURST * ICMP_INTERVAL;
        let (credit, counted) = self.credit.entry((origin, service.0)).or_insert((full, now));
        *credit = (*credit + now.since(*counted).0).min(full);
        *counted = now;
        let allowed = *credit >= ICMP_INTERVAL;
        if allowed {
            *credit -= ICMP_INTERVAL;
        }
        allowed
    }
}

/// Entries of the connection table, outside, that lead to endpoints which never answered. A new connection from a source port
/// that still has one follows it, whatever the endpoints are now.
#[derive(Clone, Debug, Default)]
pub(super) struct Conntrack {
    /// By service, in the order in which they expire.
    stale: Vec<VecDeque<(Time, PodId)>>,
}

impl Conntrack {
    /// A SYN vanished.
    pub(super) fn vanished(&mut self, now: Time, service: ServiceId, pod: PodId) {
        let index = service.0 as usize;
        if self.stale.len() <= index {
            self.stale.resize_with(index + 1, VecDeque::new);
        }
        self.stale[index].push_back((now + SYN_SENT, pod));
    }

    /// The dead endpoint that a new connection from a random port is sent to; `below` draws a number below a bound.
    #[inline]
    pub(super) fn hit(&mut self, now: Time, service: ServiceId, below: impl FnOnce(u64) -> u64) -> Option<PodId> {
        let entries = self.stale.get_mut(service.0 as usize)?;
        while entries.front().is_some_and(|(expiry, _)| *expiry <= now) {
            entries.pop_front();
        }
        if entries.is_empty() {
            return None;
        }
        let port = below(LOCAL_PORTS) as usize;
        // Its SYN refreshes the entry: it is removed here and, when it vanishes too, added again.
        entries.remove(port).map(|(_, pod)| pod)
    }
}
