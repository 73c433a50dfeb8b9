//! Whether a pod fits a node, in the order of the default plugins
//! (`pkg/scheduler/apis/config/v1/default_plugins.go`); the first that objects speaks.

use super::Scheduler;
use super::node::Room;
use super::query::Query;
use super::reason::{Reason, Verdict};
use super::topology::NOWHERE;
use crate::simulation::objects::selector::Requirement;

/// Domains in which anti-affinity leaves no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ban<'a> {
    /// By slot; `None`: every node is its own.
    domains: Option<&'a [u32]>,
    /// By domain: closed when positive.
    counts: &'a [i32],
    reason: Reason,
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

    /// Where anti-affinity keeps the pod away as things are: looked up once for many nodes.
    pub(super) fn bans(&self, query: &Query<'_>) -> Vec<Ban<'_>> {
        let class = self.classes.class(query.class);
        let own = class.avoids.iter().map(|&term| {
            let term = self.classes.term(term);
            (term.key, Some(&term.present), Reason::AntiAffinity)
        });
        let others = query.repelling.iter().map(|&term| {
            let term = self.classes.term(term);
            (term.key, term.repels.as_ref(), Reason::ExistingAntiAffinity)
        });
        own.chain(others)
            .filter_map(|(key, counts, reason)| {
                let counts = counts.filter(|counts| counts.total() > 0)?.all();
                Some(Ban {
                    domains: self.topologies.column(key),
                    counts,
                    reason,
                })
            })
            .collect()
    }

    /// What the filters say, these bans looked up before.
    pub(super) fn filter_with(&self, query: &Query<'_>, slot: u32, bans: &[Ban<'_>]) -> Verdict {
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
        let verdict = fit(query, room);
        if !verdict.fits() {
            return verdict;
        }
        if !query.template.volume_terms.is_empty() && !self.reaches_volumes(query, slot) {
            return Verdict::unresolvable(Reason::VolumeNode);
        }
        self.affinity(query, slot, bans)
    }

    /// plugins/volumebinding/binder.go `checkBoundClaims`.
    fn reaches_volumes(&self, query: &Query<'_>, slot: u32) -> bool {
        self.nodes.info(slot).is_some_and(|info| {
            query.template.volume_terms.iter().all(|terms| {
                let holds = |term: &Vec<Requirement>| term.iter().all(|it| it.matches(&info.labels));
                terms.iter().any(holds)
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
