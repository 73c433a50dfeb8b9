//! Why a pod fits no node, in Kubernetes' words.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Preemption;

/// Why a pod does not fit a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Cordoned. Source: `plugins/nodeunschedulable/node_unschedulable.go` `ErrReasonUnschedulable`
    /// (all sources here below pkg/scheduler/framework).
    Unschedulable,
    /// `nodeName` is another. Source: `plugins/nodename/node_name.go` `ErrReason`.
    NodeName,
    /// A taint. Source: `plugins/tainttoleration/taint_toleration.go` `Filter`.
    Taint,
    /// Node selector or required node affinity. Source: `plugins/nodeaffinity/node_affinity.go` `ErrReasonPod`.
    NodeAffinity,
    /// The most pods it takes. Source: plugins/noderesources/fit.go `fitsRequest`.
    TooManyPods,
    /// CPU. Source: the same.
    Cpu,
    /// Memory. Source: the same.
    Memory,
    /// Node storage. Source: the same.
    EphemeralStorage,
    /// An extended resource; the message names it. Source: the same.
    Scalar,
    /// A port on the node. Source: `plugins/nodeports/node_ports.go` `ErrReason`.
    Ports,
    /// The node affinity of a bound volume. Source: plugins/volumebinding/binder.go `ErrReasonNodeConflict`.
    Volume,
    /// A hard spread constraint. Source: plugins/podtopologyspread/plugin.go `ErrReasonConstraintsNotMatch`.
    Spread,
    /// No label for a hard spread constraint. Source: the same, `ErrReasonNodeLabelNotMatch`.
    SpreadLabel,
    /// Required pod affinity. Source: plugins/interpodaffinity/filtering.go `ErrReasonAffinityRulesNotMatch`.
    Affinity,
    /// Its own required pod anti-affinity. Source: the same, `ErrReasonAntiAffinityRulesNotMatch`.
    AntiAffinity,
    /// Another pod's required anti-affinity. Source: the same, `ErrReasonExistingAntiAffinityRulesNotMatch`.
    ExistingAntiAffinity,
    /// Not among the nodes that node affinity names. Source: ../`schedule_one.go` `findNodesThatFitPod`.
    NotNamed,
    /// The nodes that node affinity names exclude each other. Source: `plugins/nodeaffinity/node_affinity.go` `errReasonConflict`.
    Conflict,
    /// Preemption: no pod of lower priority. Source: `plugins/defaultpreemption/default_preemption.go` `SelectVictimsOnNode`.
    NoVictims,
    /// Preemption: removing pods cannot help. Source: preemption/preemption.go `Preempt`.
    NotHelpful,
}

impl Reason {
    const ALL: [Self; 20] = [
        Self::Unschedulable,
        Self::NodeName,
        Self::Taint,
        Self::NodeAffinity,
        Self::TooManyPods,
        Self::Cpu,
        Self::Memory,
        Self::EphemeralStorage,
        Self::Scalar,
        Self::Ports,
        Self::Volume,
        Self::Spread,
        Self::SpreadLabel,
        Self::Affinity,
        Self::AntiAffinity,
        Self::ExistingAntiAffinity,
        Self::NotNamed,
        Self::Conflict,
        Self::NoVictims,
        Self::NotHelpful,
    ];

    /// As Kubernetes writes it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unschedulable => "node(s) were unschedulable",
            Self::NodeName => "node(s) didn't match the requested node name",
            Self::Taint => "node(s) had untolerated taint(s)",
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::TooManyPods => "Too many pods",
            Self::Cpu => "Insufficient cpu",
            Self::Memory => "Insufficient memory",
            Self::EphemeralStorage => "Insufficient ephemeral-storage",
            Self::Scalar => "Insufficient extended resources",
            Self::Ports => "node(s) didn't have free ports for the requested pod ports",
            Self::Volume => "node(s) didn't match PersistentVolume's node affinity",
            Self::Spread => "node(s) didn't match pod topology spread constraints",
            Self::SpreadLabel => "node(s) didn't match pod topology spread constraints (missing required label)",
            Self::Affinity => "node(s) didn't match pod affinity rules",
            Self::AntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::ExistingAntiAffinity => "node(s) didn't satisfy existing pods anti-affinity rules",
            Self::NotNamed => "node(s) didn't satisfy plugin(s) [NodeAffinity]",
            Self::Conflict => "pod affinity terms conflict",
            Self::NoVictims => "No preemption victims found for incoming pod",
            Self::NotHelpful => "Preemption is not helpful for scheduling",
        }
    }
}

/// Why a pod fits no node, and whom it may push out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unschedulable {
    /// The message of the `PodScheduled` condition and of the `FailedScheduling` event.
    pub message: String,
    /// The reasons, each with its number of nodes.
    pub reasons: Vec<(Reason, u32)>,
    /// Where preemption makes room, when it can.
    pub preemption: Option<Preemption>,
}

/// What the filters say of one node: nothing, or reasons and whether removing pods could help. Extended resources have
/// a bit each, in the order of the pod's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict(u64);

/// Bits below this one are reasons.
const FIRST_SCALAR: usize = 32;
/// How many extended resources have a bit; any further ones share the last.
const SCALARS: usize = 31;

impl Verdict {
    /// It fits.
    pub(super) const FITS: Self = Self(0);
    const UNRESOLVABLE: u64 = 1 << 63;

    /// Removing pods cannot help, whatever the reasons.
    pub(super) const HOPELESS: Self = Self(Self::UNRESOLVABLE);

    /// One that removing pods may change: `Unschedulable`.
    pub(super) const fn resolvable(reason: Reason) -> Self {
        Self(1 << reason as u64)
    }

    /// One that it cannot: `UnschedulableAndUnresolvable`.
    pub(super) const fn unresolvable(reason: Reason) -> Self {
        Self(1 << reason as u64 | Self::UNRESOLVABLE)
    }

    /// Too little of the pod's extended resource of this number.
    pub(super) fn scalar(index: usize) -> Self {
        Self(1 << Reason::Scalar as u64 | 1 << (FIRST_SCALAR + index.min(SCALARS - 1)))
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) fn fits(self) -> bool {
        self == Self::FITS
    }

    pub(super) const fn is_resolvable(self) -> bool {
        self.0 & Self::UNRESOLVABLE == 0
    }
}

/// How many nodes have each reason.
#[derive(Clone, Debug)]
pub(super) struct Tally<'a> {
    reasons: [u32; Reason::ALL.len()],
    /// The pod's extended resources, and how many nodes have too little of each.
    scalars: &'a [(Arc<str>, u64)],
    short: Vec<u32>,
}

impl<'a> Tally<'a> {
    /// For a pod with these extended resources.
    pub(super) fn new(scalars: &'a [(Arc<str>, u64)]) -> Self {
        Self {
            reasons: [0; Reason::ALL.len()],
            scalars,
            short: vec![0; scalars.len()],
        }
    }

    pub(super) fn add(&mut self, verdict: Verdict) {
        for reason in Reason::ALL {
            if verdict.0 & (1 << reason as u64) != 0 {
                self.reasons[reason as usize] += 1;
            }
        }
        for (index, short) in self.short.iter_mut().enumerate().take(SCALARS) {
            *short += u32::from(verdict.0 & (1 << (FIRST_SCALAR + index)) != 0);
        }
    }

    pub(super) fn add_many(&mut self, reason: Reason, nodes: u32) {
        self.reasons[reason as usize] += nodes;
    }

    pub(super) fn reasons(&self) -> Vec<(Reason, u32)> {
        Reason::ALL
            .into_iter()
            .zip(self.reasons)
            .filter(|&(_, nodes)| nodes > 0)
            .collect()
    }

    /// `0/3 nodes are available: 1 Too many pods, 2 ...`, the reasons sorted as text
    /// (types.go `FitError.Error`).
    pub(super) fn message(&self, nodes: usize) -> String {
        let named = self.scalars.iter().zip(&self.short);
        let named = named
            .filter(|(_, count)| **count > 0)
            .map(|((name, _), count)| format!("{count} Insufficient {name}"));
        let mut reasons: Vec<String> = self
            .reasons()
            .into_iter()
            .filter(|(reason, _)| *reason != Reason::Scalar)
            .map(|(reason, count)| format!("{count} {}", reason.text()))
            .chain(named)
            .collect();
        reasons.sort();
        let mut message = format!("0/{nodes} nodes are available:");
        if !reasons.is_empty() {
            let _ = write!(message, " {}.", reasons.join(", "));
        }
        message
    }
}
