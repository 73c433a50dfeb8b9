//! Why a pod fits no node, in Kubernetes' words.

use std::fmt::Write as _;

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
    /// A volume is elsewhere. Source: plugins/volumebinding/binder.go `ErrReasonNodeConflict`.
    VolumeNode,
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
    const ALL: [Self; 15] = [
        Self::Unschedulable,
        Self::NodeName,
        Self::Taint,
        Self::NodeAffinity,
        Self::TooManyPods,
        Self::Cpu,
        Self::Memory,
        Self::VolumeNode,
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
            Self::VolumeNode => "node(s) didn't match PersistentVolume's node affinity",
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

/// What the filters say of one node: nothing, or reasons and whether removing pods could help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict(u16);

impl Verdict {
    /// It fits.
    pub(super) const FITS: Self = Self(0);
    const UNRESOLVABLE: u16 = 1 << 15;

    /// One that removing pods may change: `Unschedulable`.
    pub(super) const fn resolvable(reason: Reason) -> Self {
        Self(1 << reason as u16)
    }

    /// One that it cannot: `UnschedulableAndUnresolvable`.
    pub(super) const fn unresolvable(reason: Reason) -> Self {
        Self(1 << reason as u16 | Self::UNRESOLVABLE)
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
#[derive(Clone, Debug, Default)]
pub(super) struct Tally([u32; Reason::ALL.len()]);

impl Tally {
    pub(super) fn add(&mut self, verdict: Verdict) {
        for reason in Reason::ALL {
            if verdict.0 & (1 << reason as u16) != 0 {
                self.0[reason as usize] += 1;
            }
        }
    }

    pub(super) fn add_many(&mut self, reason: Reason, nodes: u32) {
        self.0[reason as usize] += nodes;
    }

    pub(super) fn reasons(&self) -> Vec<(Reason, u32)> {
        Reason::ALL
            .into_iter()
            .zip(self.0)
            .filter(|&(_, nodes)| nodes > 0)
            .collect()
    }

    /// `0/3 nodes are available: 1 Too many pods, 2 ...`, the reasons sorted as text
    /// (types.go `FitError.Error`).
    pub(super) fn message(&self, nodes: usize) -> String {
        let mut reasons: Vec<String> = self
            .reasons()
            .into_iter()
            .map(|(reason, count)| format!("{count} {}", reason.text()))
            .collect();
        reasons.sort();
        let mut message = format!("0/{nodes} nodes are available:");
        if !reasons.is_empty() {
            let _ = write!(message, " {}.", reasons.join(", "));
        }
        message
    }
}
