//! Whether a pod fits a node, in the order of the default plugins
//! (`pkg/scheduler/apis/config/v1/default_plugins.go`); the first that objects speaks.

use super::node::Room;
use super::query::Query;
use super::reason::{Reason, Verdict};
use super::skew::Skew;
use super::topology::NOWHERE;
use super::{Scheduler, selection};

/// Domains in which anti-affinity leaves no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ban<'a> {
    /// By slot; `None`: every node is its own.
    domains: Option<&'a [u32]>,
    /// By domain: closed when positive.
    counts: &'a [i32],
    reason: Reason,
}

/// What is looked up once for many nodes.
#[derive(Debug, Default)]
pub(super) struct Bans<'a> {
    affinity: Vec<Ban<'a>>,
    skews: Vec<Skew<'a>>,
}

impl Scheduler {
    /// What the filters say, nominated pods taken into account: it must fit with and without them
    /// (pkg/scheduler/framework/runtime/framework.go `RunFilterPluginsWithNominatedPods`).
    pub(super) fn judge(&mut self, query: &Query<'_>, slot: u32) -> Verdict {
        let nominees = || query.nominees.iter().filter(|(on, _)| *on == slot);
        if nominees().next().is_some() {
            for (_, booked) in nominees() {
                self.count(slot, booked, 1);
            }
            let verdict = self.filter(query, slot);
            for (_, booked) in nominees() {
                self.count(slot, booked, -1);
            }
            if !verdict.fits() {
                return verdict;
            }
        }
        self.filter(query, slot)
    }

    /// What the filters say of a node as it is.
    pub(super) fn filter(&self, query: &Query<'_>, slot: u32) -> Verdict {
        self.filter_with(query, slot, &self.bans(query))
    }

    /// Where anti-affinity and spread constraints keep the pod away as things are.
    pub(super) fn bans(&self, query: &Query<'_>) -> Bans<'_> {
        let class = self.classes.class(query.class);
        let own = class.avoids.iter().map(|&term| {
            let term = self.classes.term(term);
            (term.key, Some(&term.present), Reason::AntiAffinity)
        });
        let others = query.repelling.iter().map(|&term| {
            let term = self.classes.term(term);
            (term.key, term.repels.as_ref(), Reason::ExistingAntiAffinity)
        });
        let affinity = own
            .chain(others)
            .filter_map(|(key, counts, reason)| {
                let counts = counts.filter(|counts| counts.total() > 0)?.all();
                Some(Ban {
                    domains: self.topologies.column(key),
                    counts,
                    reason,
                })
            })
            .collect();
        Bans {
            affinity,
            skews: self.skews(query),
        }
    }

    /// What the filters say, these bans looked up before.
    pub(super) fn filter_with(&self, query: &Query<'_>, slot: u32, bans: &Bans<'_>) -> Verdict {
        let room = self.nodes.room(slot);
        if room.unschedulable && !query.on_cordoned {
            return Verdict::unresolvable(Reason::Unschedulable);
        }
        if let Some(name) = &query.template.node_name
            && self.nodes.info(slot).is_none_or(|info| *info.name != **name)
        {
            return Verdict::unresolvable(Reason::NodeName);
        }
        if !query.tolerates[room.taints as usize] {
            return Verdict::unresolvable(Reason::Taint);
        }
        if !self.selects(query, slot) {
            return Verdict::unresolvable(Reason::NodeAffinity);
        }
        if !query.template.host_ports().is_empty() && self.nodes.taken(slot).conflicts(query.template.host_ports()) {
            return Verdict::resolvable(Reason::Ports);
        }
        let mut verdict = fit(query, room);
        if !query.template.scalars().is_empty() {
            verdict = verdict.and(self.fit_scalars(query, slot));
        }
        if !verdict.fits() {
            return verdict;
        }
        if !query.needs.volumes.is_empty() && !self.takes_volumes(query, slot) {
            return Verdict::unresolvable(Reason::Volume);
        }
        for skew in &bans.skews {
            let verdict = skew.judge(slot);
            if !verdict.fits() {
                return verdict;
            }
        }
        self.affinity(query, slot, &bans.affinity)
    }

    /// Storage and extended resources (plugins/noderesources/fit.go `fitsRequest`).
    fn fit_scalars(&self, query: &Query<'_>, slot: u32) -> Verdict {
        let mut verdict = Verdict::FITS;
        let Some(info) = self.nodes.info(slot) else {
            return verdict;
        };
        for (index, (name, wanted)) in query.template.scalars().iter().enumerate() {
            let all = info.scalars.get(name).copied().unwrap_or(0);
            if *wanted <= all.saturating_sub(self.nodes.taken(slot).scalar(name)) {
                continue;
            }
            verdict = verdict.and(if &**name == "ephemeral-storage" {
                Verdict::resolvable(Reason::EphemeralStorage)
            } else {
                Verdict::scalar(index)
            });
            if *wanted > all {
                verdict = verdict.and(Verdict::HOPELESS);
            }
        }
        verdict
    }

    /// Whether every bound volume can be on a node (plugins/volumebinding/binder.go `FindPodVolumes`).
    fn takes_volumes(&self, query: &Query<'_>, slot: u32) -> bool {
        self.nodes.info(slot).is_some_and(|info| {
            query.needs.volumes.iter().all(|terms| {
                terms
                    .iter()
                    .any(|term| selection::term_matches(term, &info.name, &info.labels))
            })
        })
    }

    /// plugins/interpodaffinity/filtering.go `Filter`.
    fn affinity(&self, query: &Query<'_>, slot: u32, bans: &[Ban<'_>]) -> Verdict {
        let class = self.classes.class(query.class);
        if !class.seeks.is_empty() {
            let mut found = true;
            for &term in &class.seeks {
                let term = self.classes.term(term);
                let domain = self.topologies.domain(term.key, slot);
                if domain == NOWHERE {
                    return Verdict::unresolvable(Reason::Affinity);
                }
                found &= term.present.get(domain) > 0;
            }
            // The first pod of a series that seeks itself may go anywhere (`satisfyPodAffinity`).
            let nobody = || {
                class
                    .seeks
                    .iter()
                    .all(|&term| self.classes.term(term).present.total() == 0)
            };
            let first = || class.seeks_itself && nobody();
            if !found && !first() {
                return Verdict::unresolvable(Reason::Affinity);
            }
        }
        for ban in bans {
            let domain = ban
                .domains
                .map_or(Some(slot), |domains| domains.get(slot as usize).copied());
            if domain.is_some_and(|domain| ban.counts.get(domain as usize).is_some_and(|&pods| pods > 0)) {
                return Verdict::resolvable(ban.reason);
            }
        }
        Verdict::FITS
    }
}

/// plugins/noderesources/fit.go `fitsRequest`.
fn fit(query: &Query<'_>, room: &Room) -> Verdict {
    let mut verdict = Verdict::FITS;
    if room.pods + 1 > room.limit {
        verdict = verdict.and(Verdict::resolvable(Reason::TooManyPods));
    }
    let short = |wanted: u64, used: u64, all: u64, reason: Reason| {
        if wanted == 0 || wanted <= all.saturating_sub(used) {
            Verdict::FITS
        } else if wanted > all {
            Verdict::unresolvable(reason)
        } else {
            Verdict::resolvable(reason)
        }
    };
    let (wanted, used, all) = (query.requests, room.requested, room.allocatable);
    verdict
        .and(short(wanted.cpu_milli, used.cpu_milli, all.cpu_milli, Reason::Cpu))
        .and(short(wanted.memory, used.memory, all.memory, Reason::Memory))
}
