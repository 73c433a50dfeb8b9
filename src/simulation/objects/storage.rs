//! PersistentVolumeClaims, PersistentVolumes, StorageClasses and VolumeAttachments.

use std::sync::Arc;

use serde_json::Value;

use super::selector::{Requirement, Selector};

/// Access modes, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes(pub u8);

impl Modes {
    /// The modes by bit, in Kubernetes' words.
    pub const NAMES: [&'static str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    const ONLY_MANY: u8 = 2;
    const WRITE_MANY: u8 = 4;
    const ONE_POD: u8 = 8;

    /// Adds a mode by its word; false when there is none.
    pub fn add(&mut self, word: &str) -> bool {
        let bit = Self::NAMES.iter().position(|name| *name == word);
        self.0 |= bit.map_or(0, |bit| 1 << bit);
        bit.is_some()
    }

    /// The words.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let all = Self::NAMES.into_iter().enumerate();
        all.filter(|(bit, _)| self.0 & 1 << bit != 0)
            .map(|(_, name)| name)
            .collect()
    }

    /// Whether these are all among others.
    #[must_use]
    pub const fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Whether a volume may be attached to several nodes at once (pkg/volume/util/util.go `IsMultiAttachAllowed`).
    #[must_use]
    pub const fn many_nodes(self) -> bool {
        self.0 == 0 || self.0 & (Self::ONLY_MANY | Self::WRITE_MANY) != 0
    }

    /// Whether one pod alone may use it.
    #[must_use]
    pub const fn one_pod(self) -> bool {
        self.0 & Self::ONE_POD != 0
    }
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `spec` as written, defaults filled in.
    pub spec: Arc<Value>,
    /// How it wants to use its volume.
    pub modes: Modes,
    /// Bytes wanted.
    pub size: u64,
    /// Its class; `None`: none is named, and there was no default one. Empty: without a class.
    pub class: Option<Arc<str>>,
    /// Which volumes will do.
    pub selector: Option<Selector>,
    /// The volume wanted or bound.
    pub volume: Option<Arc<str>>,
    /// Its phase.
    pub phase: ClaimPhase,
    /// The bound volume's size in bytes.
    pub capacity: u64,
    /// The node that the scheduler chose for its first pod.
    pub selected: Option<Arc<str>>,
}

/// A claim's phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimPhase {
    /// Not bound yet.
    #[default]
    Pending,
    /// It has its volume.
    Bound,
    /// Its volume is gone.
    Lost,
}

impl ClaimPhase {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Bound => "Bound",
            Self::Lost => "Lost",
        }
    }
}

/// A PersistentVolume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// `spec` as written.
    pub spec: Arc<Value>,
    /// How it may be used.
    pub modes: Modes,
    /// Its size in bytes.
    pub capacity: u64,
    /// Its class; empty for none.
    pub class: Arc<str>,
    /// What becomes of it after its claim.
    pub reclaim: Reclaim,
    /// The claim that it is for: namespace, name, and uid once bound.
    pub claim: Option<(Arc<str>, Arc<str>, Option<u64>)>,
    /// The nodes that reach it: one of the terms must hold (when there are any).
    pub terms: Option<Vec<Vec<Requirement>>>,
    /// Whether it is attached to nodes by the control plane.
    pub attachable: bool,
    /// Its phase.
    pub phase: VolumePhase,
}

/// A volume's phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumePhase {
    /// Free.
    #[default]
    Available,
    /// Bound to a claim.
    Bound,
    /// Its claim is gone, and it stays.
    Released,
}

impl VolumePhase {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Bound => "Bound",
            Self::Released => "Released",
        }
    }
}

/// What becomes of a volume when its claim is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reclaim {
    /// It is deleted, too.
    #[default]
    Delete,
    /// It stays, with its data.
    Retain,
}

impl Reclaim {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
        }
    }
}

/// A StorageClass.
#[derive(Clone, Debug)]
pub struct StorageClass {
    /// The object as written, without metadata.
    pub rest: Arc<Value>,
    /// Who makes volumes.
    pub provisioner: Arc<str>,
    /// When.
    pub binding: Binding,
    /// What becomes of the volumes.
    pub reclaim: Reclaim,
    /// Node labels that a volume's place must have (one of the terms), when there are any.
    pub topologies: Option<Vec<Vec<Requirement>>>,
}

/// When a claim is bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// At once.
    #[default]
    Immediate,
    /// When the scheduler has chosen a node for the first pod that uses it.
    FirstConsumer,
}

/// A VolumeAttachment.
#[derive(Clone, Debug)]
pub struct VolumeAttachment {
    /// Who attaches.
    pub attacher: Arc<str>,
    /// To which node.
    pub node: Arc<str>,
    /// Which volume.
    pub volume: Arc<str>,
    /// Whether it is done.
    pub attached: bool,
}
