//! How a node fails.

use serde::{Deserialize, Serialize};

/// How a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The instance is terminated: the machine is gone for good and the cloud deletes the node object once it is NotReady.
    Terminate,
    /// Power cut (`docker kill`): the machine stops at once, the node object stays.
    Kill,
    /// The machine is shut down (`docker stop`, `aws:ec2:stop-instances`) and can be started again. Pods are not terminated
    /// gracefully; on an instance the operating system asks processes to end first.
    Stop,
    /// The machine is paused (`docker pause`): its kernel completes handshakes, no process runs.
    Freeze,
    /// The machine's network is cut (`docker network disconnect`): it lives on with its pods behind the partition.
    Isolate,
    /// The kubelet stops, containers go on. From documents.
    KubeletStop,
    /// The node object is deleted while the machine runs on.
    Delete,
    /// The node object is deleted and the machine is gone with it.
    Remove,
    /// The node is cordoned and its pods are evicted, as by `kubectl drain --ignore-daemonsets`.
    Drain,
    /// The machine shuts down and starts again at once. From documents.
    Reboot,
    /// A spot instance gets its interruption notice and is terminated after it. From documents.
    Interrupt,
}

impl Mode {
    /// All modes, in the order of this list.
    pub const ALL: [Self; 11] = [
        Self::Terminate,
        Self::Kill,
        Self::Stop,
        Self::Freeze,
        Self::Isolate,
        Self::KubeletStop,
        Self::Delete,
        Self::Remove,
        Self::Drain,
        Self::Reboot,
        Self::Interrupt,
    ];

    /// The name in commands and reports: `terminate-nodes`, `kill-nodes`, `delete-nodes`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "terminate-nodes",
            Self::Kill => "kill-nodes",
            Self::Stop => "stop-nodes",
            Self::Freeze => "freeze-nodes",
            Self::Isolate => "isolate-nodes",
            Self::KubeletStop => "stop-kubelets",
            Self::Delete => "delete-nodes",
            Self::Remove => "remove-nodes",
            Self::Drain => "drain-nodes",
            Self::Reboot => "reboot-nodes",
            Self::Interrupt => "interrupt-spot-nodes",
        }
    }

    /// Whether what it does to a node can be undone, at a time of its own ([`super::NodeFailure::return_after`]) or by healing.
    /// A terminated, removed or interrupted machine is replaced, if at all, by its scaling group; a reboot ends by itself.
    #[must_use]
    pub const fn can_return(self) -> bool {
        match self {
            Self::Kill | Self::Stop | Self::Freeze | Self::Isolate | Self::KubeletStop | Self::Delete | Self::Drain => {
                true
            }
            Self::Terminate | Self::Remove | Self::Reboot | Self::Interrupt => false,
        }
    }

    /// What of it rests on documents alone and was not measured, with the source; `None`: measured on kind.
    #[must_use]
    pub const fn from_documents(self) -> Option<&'static str> {
        match self {
            Self::KubeletStop => Some(
                "a stopped kubelet: containers go on (kubernetes.io, Nodes), the node lifecycle controller's times as for a power cut",
            ),
            Self::Reboot => {
                Some("a reboot: as a stop and a start at once (Amazon EC2 User Guide, Reboot your instance)")
            }
            Self::Interrupt => Some(
                "a spot interruption: two minutes' notice (Amazon EC2 User Guide, Spot Instance interruption notices); a managed node \
                 group drains at the notice (Amazon EKS User Guide, Managed node group capacity types)",
            ),
            // Of a terminated instance the profile says which of its lengths are assumed.
            Self::Terminate
            | Self::Kill
            | Self::Stop
            | Self::Freeze
            | Self::Isolate
            | Self::Delete
            | Self::Remove
            | Self::Drain => None,
        }
    }
}
